# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Whether a text is a public key of age: Bech32 (BIP 173) of 32 bytes with the prefix ``age``. Pure.

age itself would say so too, but at midnight, and for a key with a typing error only when somebody wants to restore.
"""

from __future__ import annotations

import re
import typing as t

from .errors import InvalidDeclaration
from .openpgp_key import is_fingerprint, plain_fingerprint

_PREFIX: t.Final = "age"
_ALPHABET: t.Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: t.Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH: t.Final = 6
_KEY_BYTES: t.Final = 32
_HINT: t.Final = "A public key of age is one line that begins with age1, as age-keygen -y prints it"
_PLUGIN = re.compile(r"age1[a-z0-9]+1[a-z0-9]+")


def check_recipient(text: str, *, where: str) -> str:
    """The key as it is. Raises InvalidDeclaration that names the place, and never the text where it may be a secret."""
    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise InvalidDeclaration(
            f"{where} is a secret key of age",
            "Give its public key (age-keygen -y), and take the secret one off this host",
        )
    if is_fingerprint(plain_fingerprint(text)):
        raise InvalidDeclaration(
            f"{where} is a fingerprint of OpenPGP, and the job seals by age",
            "All recipients of a job are of one kind: set sealing to gnupg, or give a public key of age",
        )
    complaint = _complaint(text)
    if complaint:
        raise InvalidDeclaration(f"{where} is no public key of age: {complaint}", _HINT)
    return text


def _complaint(text: str) -> str:
    if _PLUGIN.fullmatch(text) and text.rfind("1") > len(_PREFIX):
        return "it is of a kind that needs a plugin, which a restore with stock tools doesn't have"
    prefix, separator, data = text.rpartition("1")
    if not separator or prefix != _PREFIX:
        return "it does not begin with age1"
    strangers = sorted(set(data) - set(_ALPHABET))
    if strangers:
        return f"{strangers[0]!r} is none of its characters"
    values = [_ALPHABET.index(character) for character in data]
    if len(values) <= _CHECKSUM_LENGTH or _checksum([*_expanded(_PREFIX), *values]) != 1:
        return "its checksum is wrong, so a character is missing or mistyped"
    length = _byte_count(values[:-_CHECKSUM_LENGTH])
    return "" if length == _KEY_BYTES else "it has another length than a key"


def _expanded(prefix: str) -> list[int]:
    return [*(ord(character) >> 5 for character in prefix), 0, *(ord(character) & 31 for character in prefix)]


def _checksum(values: t.Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check


def _byte_count(values: t.Sequence[int]) -> int:
    """How many whole bytes groups of five bits make; -1 where the bits left over are not zero."""
    bits = len(values) * 5
    number = 0
    for value in values:
        number = number << 5 | value
    left_over = bits % 8
    return -1 if left_over > 4 or number & ((1 << left_over) - 1) else bits // 8
