# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.scram import (
    describe,
    is_current,
    make_verifier,
    parse_verifier,
    prepared,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret

SALT = bytes(range(16))
# Made by PostgreSQL's own client library: PQencryptPasswordConn is reproduced in the integration tests; this vector is
# RFC 7677's example ("pencil", its salt, 4096 iterations).
RFC_SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
RFC_STORED_KEY = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
RFC_SERVER_KEY = "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="


def test_the_example_of_rfc_7677_comes_out() -> None:
    import base64

    verifier = make_verifier(Secret("pencil"), salt=base64.b64decode(RFC_SALT), iterations=4096)
    assert verifier.reveal() == f"SCRAM-SHA-256$4096:{RFC_SALT}${RFC_STORED_KEY}:{RFC_SERVER_KEY}"


def test_the_same_password_is_current_whatever_the_salt() -> None:
    for salt in (SALT, b"x" * 16):
        assert is_current(Secret("Correct-horse-9"), make_verifier(Secret("Correct-horse-9"), salt=salt))


@pytest.mark.parametrize(
    "stored",
    [
        None,
        Secret(""),
        Secret("md5" + "0" * 32),
        Secret("plain"),
        Secret("SCRAM-SHA-256$4096:!!$x:y"),
        make_verifier(Secret("another"), salt=SALT),
    ],
)
def test_anything_else_stored_is_not_current(stored: Secret | None) -> None:
    assert not is_current(Secret("Correct-horse-9"), stored)


def test_fewer_iterations_than_wanted_are_renewed_and_more_are_kept() -> None:
    stored = make_verifier(Secret("Correct-horse-9"), salt=SALT, iterations=5000)
    assert is_current(Secret("Correct-horse-9"), stored, iterations=5000)
    assert is_current(Secret("Correct-horse-9"), stored, iterations=4096)
    assert not is_current(Secret("Correct-horse-9"), stored, iterations=5001)


def test_a_declared_verifier_has_to_be_the_stored_one() -> None:
    verifier = make_verifier(Secret("Correct-horse-9"), salt=SALT)
    assert is_current(verifier, verifier)
    assert not is_current(make_verifier(Secret("Correct-horse-9"), salt=b"y" * 16), verifier)


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=20))
def test_every_password_is_current_beside_its_own_verifier(password: str) -> None:
    verifier = make_verifier(Secret(password), salt=SALT, iterations=1)
    assert parse_verifier(verifier.reveal())
    assert is_current(Secret(password), verifier, iterations=1)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("I\u00adX", "IX"),  # a soft hyphen is mapped to nothing
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("\u0007\u00e9", "\u0007\u00e9"),  # forbidden by SASLprep, so taken as it stands
        ("\u0627\u0031", "\u0627\u0031"),  # breaks the rules on direction
        ("\u00ad", "\u00ad"),  # nothing would be left
    ],
)
def test_saslprep_follows_rfc_4013_and_falls_back_as_postgresql_does(password: str, expected: str) -> None:
    assert prepared(password) == expected


def test_descriptions_show_nothing_of_the_value() -> None:
    verifier = make_verifier(Secret("Correct-horse-9"), salt=SALT)
    assert describe(verifier) == "SCRAM-SHA-256 with 4096 iterations"
    assert describe(Secret("md5" + "a" * 32)) == "md5"
    assert describe(None) == "none"
