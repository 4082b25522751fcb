# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket that keeps copies: what of it is refused, what a service is told, and what is read again."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    BulwarkError,
    InvalidDeclaration,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.object_storage import (
    READ_AGAIN_SECONDS,
    Bucket,
    Found,
    Lock,
    ObjectStorage,
    Seen,
    check_credentials,
    days_needed,
    found_of,
    is_locked,
    parse_code,
    parse_credentials,
    parse_lock,
    parse_seen,
    refuse_powerful,
    refuse_unlocked,
    render_configuration,
    render_hosts,
)

PLACE = ObjectStorage(
    "https://s3.example.org:8443", "copies", "db1/main", "us-east-1", "/etc/x", ("192.0.2.7", "2001:db8::7")
)
DAY = 86400
NOW = 1_796_083_200  # 2026-12-01T00:00:00Z
# As Ceph writes it, and with what AWS puts around it.
LOCKED = (
    "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"
    "<Mode>COMPLIANCE</Mode>{}</DefaultRetention></Rule></ObjectLockConfiguration>"
)


def test_a_place_is_what_its_endpoint_says() -> None:
    assert (PLACE.host, PLACE.port, PLACE.host_and_port) == ("s3.example.org", 8443, "s3.example.org:8443")
    assert PLACE.name == "s3.example.org/copies/db1/main"
    assert dataclasses.replace(PLACE, endpoint="https://192.0.2.7").port == 443
    assert PLACE.path("log/a.json") == "/copies/db1/main/log/a.json"
    assert render_hosts(PLACE).endswith("192.0.2.7 s3.example.org\n2001:db8::7 s3.example.org\n")


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://s3.example.org"},
        {"endpoint": "https://s3.example.org/"},
        {"endpoint": "https://user@s3.example.org"},
        {"endpoint": "https://s3.example.org:0"},
        {"endpoint": "https://s3.example.org:65536"},
        {"endpoint": "https://s3.example.org\nx"},
        {"bucket": "Copies"},
        {"bucket": "a/b"},
        {"prefix": "/main"},
        {"prefix": "a/../b"},
        {"prefix": ""},
        {"region": "x y"},
        {"addresses": ()},
        {"addresses": ("s3.example.org",)},
        {"ca": "ca.pem"},
        {"ca": "/a/../ca.pem"},
    ],
    ids=str,
)
def test_what_is_no_place_is_refused(change: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidDeclaration):
        dataclasses.replace(PLACE, **change)


def test_the_credentials_are_in_one_file_and_in_no_argument() -> None:
    credentials = check_credentials("KEY%1", "S3cret=;#%x")
    text = render_configuration(PLACE, credentials)
    assert parse_credentials(text, where="f") == credentials
    command = PLACE.command("/store/log/a.json", "log/a.json")
    assert command[:2] == ["rclone", "copyto"]
    assert command[-3:] == ["--", "/store/log/a.json", "copies:copies/db1/main/log/a.json"]
    assert "S3cret" not in str(command)
    assert not [word for word in command if word.startswith("--ca-cert")]
    assert "--ca-cert=/ca.pem" in dataclasses.replace(PLACE, ca="/ca.pem").command("/a", "a")


@pytest.mark.parametrize("wrong", ["", "two words", "a\nb = c", "ä"])
def test_credentials_that_would_be_another_line_are_refused_and_not_repeated(wrong: str) -> None:
    for keys in ((wrong, "right"), ("right", wrong)):
        with pytest.raises(InvalidDeclaration, match="is missing or has") as caught:
            check_credentials(*keys)
        assert not wrong or wrong not in str(caught.value)


def test_a_file_without_credentials_is_named() -> None:
    with pytest.raises(InvalidDeclaration, match=r"/etc/x/rclone\.conf is not what was written"):
        parse_credentials("[copies]\ntype = s3\n", where=PLACE.credentials)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (LOCKED.format("<Days>8</Days>"), Lock("COMPLIANCE", 8)),
        (LOCKED.format("<Years>2</Years>"), Lock("COMPLIANCE", 730)),
        (LOCKED.format(""), None),
        (LOCKED.format("<Days>8</Days>").replace("Enabled<", "Disabled<"), None),
        ("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>", None),
        ("", None),
        ("<Mode>", None),
    ],
)
def test_what_a_bucket_locks(document: str, expected: Lock | None) -> None:
    assert parse_lock(document) == expected


def test_a_bucket_has_to_lock_for_the_window_and_the_full_backup_before_it() -> None:
    assert days_needed(7) == 8
    refuse_unlocked(PLACE, Lock("GOVERNANCE", 8), 7)
    with pytest.raises(RefusedForSafety, match=r"copies of s3\.example\.org locks for 7 days, 8 are needed"):
        refuse_unlocked(PLACE, Lock("COMPLIANCE", 7), 7)
    with pytest.raises(RefusedForSafety, match="does not lock what is put there"):
        refuse_unlocked(PLACE, None, 7)


def test_credentials_that_may_delete_are_refused() -> None:
    refuse_powerful(PLACE, Bucket(None))
    with pytest.raises(BulwarkError, match="may delete objects"):
        refuse_powerful(PLACE, Bucket(None, "delete objects"))


def test_an_object_is_what_its_headers_say() -> None:
    headers = {"x-amz-version-id": "v1", "content-length": "5"}
    until = {"x-amz-object-lock-retain-until-date": "2026-12-09T00:00:00.468237304Z"}
    assert found_of(headers) == Found(5, "v1", 0)
    assert found_of({**headers, **until}) == Found(5, "v1", NOW + 8 * DAY)
    for lacking in headers:
        with pytest.raises(InvalidDeclaration, match="no version or no size"):
            found_of({name: value for name, value in headers.items() if name != lacking})


def test_a_lock_outlives_the_window() -> None:
    assert is_locked(Found(1, "v", NOW + 7 * DAY), now=NOW, keep_days=7)
    assert not is_locked(Found(1, "v", NOW + 7 * DAY - 1), now=NOW, keep_days=7)
    assert not is_locked(Found(1, "v", 0), now=NOW, keep_days=7)


def test_what_was_read_lately_is_not_read_again() -> None:
    seen = Seen("v1", "aa", NOW)
    assert seen.is_still(Found(1, "v1", 0), "aa", now=NOW + READ_AGAIN_SECONDS - 1)
    assert not seen.is_still(Found(1, "v1", 0), "aa", now=NOW + READ_AGAIN_SECONDS)
    assert not seen.is_still(Found(1, "v2", 0), "aa", now=NOW)
    assert not seen.is_still(Found(1, "v1", 0), "bb", now=NOW)
    assert parse_seen(["v1", "aa", NOW]) == seen
    for other in (None, [], ["v1", "aa"], ["v1", "aa", "x"], "abc", {}):
        assert parse_seen(other) is None


def test_errors_have_a_code() -> None:
    assert parse_code("<Error><Code>NoSuchBucket</Code></Error>") == "NoSuchBucket"
    assert parse_code("nothing of that kind") == ""
