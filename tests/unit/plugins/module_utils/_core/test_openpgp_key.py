# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys of OpenPGP are read whole or refused, and what GnuPG says of them is understood."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.openpgp_key import (
    KeyState,
    is_fingerprint,
    parse_key_state,
    plain_fingerprint,
    read_public_keys,
    refuse_unusable,
)
from sample_keys import FINGERPRINTS, FIRST_KEY, SECOND_KEY
from sample_keys import KEYS as SAMPLE_KEYS

PUBLIC = "PGP PUBLIC KEY BLOCK"


def armoured(data: bytes, label: str = PUBLIC) -> str:
    return f"-----BEGIN {label}-----\n\n{base64.b64encode(data).decode()}\n-----END {label}-----\n"


def binary(text: str) -> bytes:
    """What a block holds; its checksum is the last line but one."""
    return base64.b64decode("".join(text.splitlines()[2:-2]))


def test_a_key_is_known_by_its_fingerprint_and_kept_as_it_is() -> None:
    assert read_public_keys(FIRST_KEY, where="here") == {FINGERPRINTS[0]: FIRST_KEY}


@pytest.mark.parametrize(
    "text",
    [
        FIRST_KEY + SECOND_KEY,
        f"The key of the night shift:\n{FIRST_KEY}\nand of the safe:\n{SECOND_KEY}\n-- \n",
        armoured(binary(FIRST_KEY) + binary(SECOND_KEY)),
        (FIRST_KEY + SECOND_KEY).replace("\n", " \r\n"),
        FIRST_KEY.replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v2\nComment: a = b\n\n", 1) + SECOND_KEY,
    ],
    ids=["two blocks", "within a letter", "one block", "line ends of another system", "with headers"],
)
def test_each_of_several_keys_is_found_and_stands_alone(text: str) -> None:
    assert read_public_keys(text, where="here") == SAMPLE_KEYS


SECRET = bytes([0x80 | 5 << 2, 3, 4, 1, 2])  # a packet of a secret key, three bytes long


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no public key"),
        (FINGERPRINTS[0], "is no public key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIL user@host", "is no public key"),
        (armoured(b"\x84\x03abc", "PGP MESSAGE"), "holds a PGP MESSAGE"),
        (armoured(SECRET, "PGP PRIVATE KEY BLOCK"), "is a secret key"),
        (armoured(SECRET), "is a secret key"),
        (armoured(binary(FIRST_KEY) + SECRET), "is a secret key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----", "is a secret key"),
        (armoured(b""), "is no whole public key"),
        (armoured(binary(FIRST_KEY)[:-1]), "is no whole public key"),
        (armoured(binary(FIRST_KEY)[53:]), "does not begin with a public key"),
        (armoured(b"\x98\x02\x05\x00"), "version 5"),
        (armoured(b"\xc6\xff\x00\x01\x00\x01\x04" + bytes(0x10000)), "is no public key of OpenPGP: it is too long"),
        (FIRST_KEY.replace("\n=", "\n*"), "is no whole public key"),
    ],
)
def test_what_is_no_public_key_is_refused_and_not_repeated(text: str, complaint: str) -> None:
    with pytest.raises(InvalidDeclaration) as error:
        read_public_keys(text, where="recipient_keys[1]")
    assert f"recipient_keys[1] {complaint}" in str(error.value) or f"recipient_keys[1] has a key of {complaint}" in str(
        error.value
    )
    assert not any(line in str(error.value) for line in text.splitlines() if len(line) > 20 and " " not in line)


@given(st.integers(0), st.integers(0, 255))
def test_a_key_with_another_byte_is_refused(place: int, value: int) -> None:
    lines = FIRST_KEY.splitlines()
    data = bytearray(binary(FIRST_KEY))
    at = place % len(data)
    if data[at] == value:
        return
    data[at] = value
    text = "\n".join([*lines[:2], base64.b64encode(data).decode(), *lines[-2:]])
    with pytest.raises(InvalidDeclaration):
        read_public_keys(text, where="here")


@given(st.binary(max_size=300))
def test_whatever_lies_in_a_block_is_a_key_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidDeclaration):
        assert all(map(is_fingerprint, read_public_keys(armoured(data), where="here")))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (FINGERPRINTS[0], True),
        (FINGERPRINTS[0].lower(), True),
        (" ".join(FINGERPRINTS[0][start : start + 4] for start in range(0, 40, 4)), True),
        (FINGERPRINTS[0][-16:], False),
        (f"0x{FINGERPRINTS[0]}", False),
        ("", False),
    ],
)
def test_a_fingerprint_is_taken_as_gnupg_shows_it_and_only_whole(text: str, *, whole: bool) -> None:
    assert is_fingerprint(plain_fingerprint(text)) is whole


# As gpg 2.2.40 lists keys that were made for it.
PRIMARY = "pub:{}:255:22:C25949854593083B:1796070910:{}::-:::{}:::::ed25519:::0:"
SUBKEY = "sub:{}:255:18:0343E24891BC8976:1796070910:{}:::::e:::::cv25519::"
NAME = "uid:-::::1796070910::A809CF84A2C18675206D43ABB9854F520539AA75::two <two@x>::::::::::0:"


@pytest.mark.parametrize(
    ("lines", "expires", "complaint"),
    [
        ([PRIMARY.format("-", "", "scESC"), NAME, SUBKEY.format("-", "")], 0, ""),
        ([PRIMARY.format("-", "1796330110", "scESC"), NAME, SUBKEY.format("-", "")], 1796330110, ""),
        ([PRIMARY.format("-", "", "scESC"), SUBKEY.format("-", "1796934934")], 1796934934, ""),
        ([PRIMARY.format("-", "9", "scESC"), SUBKEY.format("-", "7"), SUBKEY.format("-", "8")], 8, ""),
        ([PRIMARY.format("-", "", "scESC"), SUBKEY.format("e", "7"), SUBKEY.format("-", "")], 0, ""),
        ([PRIMARY.format("-", "", "scESC"), SUBKEY.format("r", ""), SUBKEY.format("-", "8")], 8, ""),
        ([PRIMARY.format("-", "", "escESC")], 0, ""),
        ([PRIMARY.format("e", "7", "sc"), SUBKEY.format("e", "")], 7, "has expired"),
        ([PRIMARY.format("r", "", "sc"), SUBKEY.format("r", "")], 0, "was revoked"),
        ([PRIMARY.format("-", "", "scSC"), NAME], 0, "no part that can be encrypted to"),
        ([PRIMARY.format("-", "", "scSC"), SUBKEY.format("e", "7")], 0, "no part that can be encrypted to"),
        ([], 0, "is none that GnuPG can read"),
    ],
)
def test_what_gnupg_says_of_a_key_is_understood(lines: list[str], expires: int, complaint: str) -> None:
    state = parse_key_state(FINGERPRINTS[0], "\n".join(lines))
    assert state.expires == expires
    if not complaint:
        refuse_unusable(state)
        return
    with pytest.raises(InvalidDeclaration, match=complaint) as error:
        refuse_unusable(state)
    assert FINGERPRINTS[0] in str(error.value)


def test_a_key_that_gnupg_takes_and_can_not_use_is_refused_in_its_words() -> None:
    state = KeyState(FINGERPRINTS[0], validity="-", encrypts=True, complaint="gpg: encryption failed: Wrong key usage")
    with pytest.raises(InvalidDeclaration, match="Wrong key usage"):
        refuse_unusable(state)
