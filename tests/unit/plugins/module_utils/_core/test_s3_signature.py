# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures as AWS publishes them for its examples of Signature Version 4."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.s3_signature import (
    Credentials,
    signed_headers,
    target_of,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret

# From "Signature Calculations for the Authorization Header" in the reference of Amazon S3's API.
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
MOMENT = 1369353600  # 2013-05-24T00:00:00Z
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("path", "query", "more", "signature"),
    [
        (
            "/test.txt",
            {},
            {"range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        ("/", {"lifecycle": ""}, {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "/",
            {"prefix": "J", "max-keys": "2"},
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_the_published_examples(path: str, query: dict[str, str], more: dict[str, str], signature: str) -> None:
    headers = signed_headers(
        "GET",
        path,
        query,
        host="examplebucket.s3.amazonaws.com",
        region="us-east-1",
        credentials=EXAMPLE,
        moment=MOMENT,
        more=more,
    )
    assert headers["x-amz-date"] == "20130524T000000Z"
    assert headers["x-amz-content-sha256"] == EMPTY
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request," in headers["authorization"]
    assert EXAMPLE.secret_key.reveal() not in str(headers)


def test_what_is_sent_is_what_is_signed() -> None:
    assert target_of("/b/a b+c~ä", {}) == "/b/a%20b%2Bc~%C3%A4"
    assert target_of("/b/k", {"versionId": "x/+=", "a": ""}) == "/b/k?a=&versionId=x%2F%2B%3D"


def test_the_secret_is_in_no_text_of_the_credentials() -> None:
    assert "wJalr" not in repr(EXAMPLE) + str(EXAMPLE)
