# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys as age-keygen makes them are taken, and every mistyped one is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.age_recipient import check_recipient
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration

# Made by age-keygen; the first is the one of age's own manual.
KEYS = (
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "age1zevnhzpn4m4gpcmps2nlshz6775hq8rj2ldvujg9a000c4r2vs6shn5l2l",
)
ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


@pytest.mark.parametrize("key", KEYS)
def test_a_key_of_age_is_taken(key: str) -> None:
    assert check_recipient(key, where="here") == key


@given(st.sampled_from(KEYS), st.integers(4, 61), st.sampled_from(ALPHABET))
def test_a_key_with_one_other_character_is_refused(key: str, position: int, character: str) -> None:
    mistyped = key[:position] + character + key[position + 1 :]
    if mistyped != key:
        with pytest.raises(InvalidDeclaration, match="checksum"):
            check_recipient(mistyped, where="here")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "begin with age1"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "begin with age1"),
        (KEYS[0].upper(), "begin with age1"),
        (KEYS[0] + " ", "none of its characters"),
        (KEYS[0][:-1], "checksum"),
        ("age1", "checksum"),
        ("age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t", "plugin"),
        # The right checksum, over 20 bytes instead of 32.
        ("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqn3dls8", "another length"),
    ],
)
def test_what_is_no_key_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint):
        check_recipient(text, where="recipients[0]")


def test_a_secret_key_is_refused_and_not_repeated() -> None:
    secret = "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"
    with pytest.raises(InvalidDeclaration, match=r"recipients\[0\] is a secret key") as caught:
        check_recipient(secret, where="recipients[0]")
    assert "QQQQ" not in str(caught.value)
