# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job is sealed to two or more, one of them held offline, all of one kind; an end of their keys is told of before."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import render_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_recipients import check_recipients
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.recipient_expiry import (
    expiry_warnings,
    first_expiry,
)
from sample_keys import FINGERPRINTS, FIRST_KEY, SECOND_KEY
from sample_keys import KEYS as SAMPLE_KEYS

KEYS = (
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "age1zevnhzpn4m4gpcmps2nlshz6775hq8rj2ldvujg9a000c4r2vs6shn5l2l",
)
BOTH: dict[str, t.Any] = {"sealing": "gnupg", "keys": [FIRST_KEY, SECOND_KEY]}
DAY = 86400


def test_all_keys_are_used_with_the_escrow_key_last() -> None:
    found = check_recipients(KEYS[:1], KEYS[1:])
    assert (found.sealing, found.names, found.keys) == ("age", KEYS, {})
    found = check_recipients(FINGERPRINTS[1:], FINGERPRINTS[:1], **BOTH)
    assert found.names == (FINGERPRINTS[1], FINGERPRINTS[0])
    assert found.keys == SAMPLE_KEYS


def test_fingerprints_are_taken_with_spaces_and_keys_of_others_are_left_out() -> None:
    spaced = " ".join(FINGERPRINTS[0][start : start + 4] for start in range(0, 40, 4)).lower()
    with pytest.raises(InvalidDeclaration, match="in recipients and in escrow_recipients"):
        check_recipients([spaced], FINGERPRINTS[:1], **BOTH)
    found = check_recipients([spaced], FINGERPRINTS[1:], sealing="gnupg", keys=[FIRST_KEY + SECOND_KEY])
    assert list(found.keys) == list(FINGERPRINTS)


@pytest.mark.parametrize(
    ("recipients", "escrow", "options", "complaint"),
    [
        (KEYS, (), {}, "escrow_recipients names nobody"),
        ((), KEYS, {}, "recipients names nobody"),
        (KEYS, KEYS[1:], {}, "in recipients and in escrow_recipients"),
        (KEYS[:1], ("age1",), {}, r"escrow_recipients\[0\]"),
        (KEYS[:1], KEYS[1:], {"keys": [FIRST_KEY]}, "recipient_keys is of no use"),
        (FINGERPRINTS, (), BOTH, "escrow_recipients names nobody"),
        (FINGERPRINTS[:1], (FINGERPRINTS[1][-16:],), BOTH, r"escrow_recipients\[0\] is no fingerprint"),
        (FINGERPRINTS[:1], ("A" * 40,), BOTH, f"recipient_keys holds no key with the fingerprint {'A' * 40}"),
        (FINGERPRINTS[:1], FINGERPRINTS[1:], {**BOTH, "keys": [FIRST_KEY]}, f"no key .* {FINGERPRINTS[1]}"),
        (KEYS[:1], FINGERPRINTS[:1], {}, r"escrow_recipients\[0\] .* all recipients of a job are of one kind"),
        (FINGERPRINTS[:1], KEYS[:1], BOTH, r"escrow_recipients\[0\] .* all recipients of a job are of one kind"),
    ],
)
def test_too_few_keys_and_keys_of_two_kinds_are_refused(
    recipients: tuple[str, ...], escrow: tuple[str, ...], options: dict[str, t.Any], complaint: str
) -> None:
    with pytest.raises(InvalidDeclaration, match=f"(?i){complaint}"):
        check_recipients(recipients, escrow, **options)


@pytest.mark.parametrize("secret", ["AGE-SECRET-KEY-1QQPQ", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBGsN"])
@pytest.mark.parametrize("sealing", ["age", "gnupg"])
def test_a_secret_key_in_place_of_a_name_is_not_repeated(secret: str, sealing: str) -> None:
    with pytest.raises(InvalidDeclaration) as error:
        check_recipients([secret], [secret], sealing=sealing)
    assert "recipients[0]" in str(error.value)
    assert not {word for word in ("1QQPQ", "lQOYBGsN") if word in str(error.value)}


def test_a_key_that_expires_within_a_month_is_told_of() -> None:
    expiries = {"A": render_moment(29 * DAY), "B": render_moment(31 * DAY)}
    assert first_expiry(expiries) == render_moment(29 * DAY)
    assert first_expiry({}) is None
    (line,) = expiry_warnings(expiries, 0)
    assert line.startswith("the key A expires (1970-01-30T00:00:00Z)")
    lines = expiry_warnings(expiries, 30 * DAY)
    assert [line.split(" (")[0] for line in lines] == ["the key A has expired", "the key B expires"]
    assert expiry_warnings({}, 0) == ()
