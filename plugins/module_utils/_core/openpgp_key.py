# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Public keys of OpenPGP as people hand them over: ASCII-armoured text, one key or several. Pure.

What a key is good for is for GnuPG to say, on the host that uses it; what it says is read here.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import re
import typing as t

from .errors import InvalidDeclaration

_BLOCK: t.Final = re.compile(r"-----BEGIN (PGP [A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
_PUBLIC: t.Final = "PGP PUBLIC KEY BLOCK"
_FINGERPRINT: t.Final = re.compile(r"[0-9A-F]{40}")
_LINE_LENGTH: t.Final = 64
# Numbers of packets (RFC 4880, 4.3).
_SECRET_PACKETS: t.Final = (5, 7)
_PUBLIC_KEY_PACKET: t.Final = 6
_KEY_VERSION: t.Final = 4
_LONGEST_KEY: t.Final = 0xFFFF
_CRC_START: t.Final = 0xB704CE
_CRC_GENERATOR: t.Final = 0x1864CFB
# What gpg --with-colons writes: the fields of a line, and what stands in them.
_VALIDITY: t.Final = 1
_EXPIRES: t.Final = 6
_CAPABILITIES: t.Final = 11
_SAYS_UNUSABLE: t.Final = {
    "": "is none that GnuPG can read",
    "e": "has expired",
    "r": "was revoked",
    "d": "is disabled",
    "i": "is invalid",
}


@dataclasses.dataclass(frozen=True)
class KeyState:
    """What GnuPG says of a public key.

    :param validity: the letter that GnuPG has for it; empty for what it does not know as a key.
    :param expires: when nothing can be encrypted to it any more, in seconds since the epoch; 0 for never.
    :param complaint: why it can't be encrypted to, in GnuPG's words; empty if it can.
    """

    fingerprint: str
    validity: str = ""
    encrypts: bool = False
    expires: int = 0
    complaint: str = ""


def is_fingerprint(text: str) -> bool:
    return bool(_FINGERPRINT.fullmatch(text))


def plain_fingerprint(text: str) -> str:
    """Without the spaces that GnuPG shows it with, and in capitals."""
    return re.sub(r"\s", "", text).upper()


def read_public_keys(text: str, *, where: str) -> dict[str, str]:
    """Each key by its fingerprint, as armoured text that holds this key alone.

    Raises InvalidDeclaration that names the place, and never repeats the text: it may be a secret key.
    """
    blocks = _BLOCK.findall(text)
    if any("PRIVATE" in label for label, dummy in blocks) or "PRIVATE KEY" in text:
        raise _secret(where)
    if not blocks:
        raise InvalidDeclaration(
            f"{where} is no public key of OpenPGP", "Give the text that gpg --armor --export FINGERPRINT prints"
        )
    keys: dict[str, str] = {}
    for label, body in blocks:
        if label != _PUBLIC:
            raise InvalidDeclaration(f"{where} holds a {label}", f"Give a {_PUBLIC}")
        keys.update(_keys_of(_unarmoured(body, where), where))
    return keys


def parse_key_state(fingerprint: str, listing: str) -> KeyState:
    """From ``gpg --with-colons --show-keys`` of one key."""
    lines = [line.split(":") for line in listing.splitlines()]
    primary = next((fields for fields in lines if fields[0] == "pub" and len(fields) > _CAPABILITIES), None)
    if primary is None:
        return KeyState(fingerprint)
    # small letters tell what each key is for; the capital ones what is left of it, of the key as a whole
    able = [
        fields
        for fields in lines
        if fields[0] in ("pub", "sub") and len(fields) > _CAPABILITIES and "e" in fields[_CAPABILITIES]
    ]
    ends = [_seconds(fields) for fields in able if fields[_VALIDITY] not in _SAYS_UNUSABLE]
    of_subkeys = 0 if 0 in ends else max(ends, default=0)
    limits = [limit for limit in (_seconds(primary), of_subkeys) if limit]
    return KeyState(
        fingerprint,
        validity=primary[_VALIDITY],
        encrypts="E" in primary[_CAPABILITIES],
        expires=min(limits, default=0),
    )


def refuse_unusable(state: KeyState) -> None:
    """Raises InvalidDeclaration for a key that nothing can be encrypted to."""
    hint = "Give the renewed key, as gpg --armor --export prints it, or another one"
    if state.validity in _SAYS_UNUSABLE:
        raise InvalidDeclaration(f"the key {state.fingerprint} {_SAYS_UNUSABLE[state.validity]}", hint)
    if not state.encrypts:
        raise InvalidDeclaration(
            f"the key {state.fingerprint} has no part that can be encrypted to and is valid",
            "Add a subkey for encryption (gpg --quick-add-key), or renew the one it has, and give the key anew",
        )
    if state.complaint:
        raise InvalidDeclaration(f"the key {state.fingerprint} can't be encrypted to: {state.complaint}", hint)


def _secret(where: str) -> InvalidDeclaration:
    return InvalidDeclaration(
        f"{where} is a secret key of OpenPGP",
        "Give the public one (gpg --armor --export), and take the secret one off this host",
    )


def _seconds(fields: t.Sequence[str]) -> int:
    return int(fields[_EXPIRES]) if fields[_EXPIRES].isdigit() else 0


def _unarmoured(body: str, where: str) -> bytes:
    """The bytes of a block. Raises InvalidDeclaration if its checksum, which is the last line, is not theirs."""
    whole = [line.strip() for line in body.strip().splitlines()]
    lines = whole[whole.index("") + 1 :] if "" in whole else [line for line in whole if ": " not in line]
    check = lines.pop()[1:] if lines and lines[-1].startswith("=") else ""
    try:
        data = base64.b64decode("".join(lines), validate=True)
        sound = bool(data) and (not check or _checksum(data) == int.from_bytes(base64.b64decode(check), "big"))
    except (binascii.Error, ValueError):
        sound = False
    if not sound:
        raise InvalidDeclaration(f"{where} is no whole public key: a part of it is missing or mistyped", "Copy it anew")
    return data


def _armoured(data: bytes) -> str:
    text = base64.b64encode(data).decode("ascii")
    lines = [text[start : start + _LINE_LENGTH] for start in range(0, len(text), _LINE_LENGTH)]
    check = base64.b64encode(_checksum(data).to_bytes(3, "big")).decode("ascii")
    return "\n".join([f"-----BEGIN {_PUBLIC}-----", "", *lines, f"={check}", f"-----END {_PUBLIC}-----", ""])


def _checksum(data: bytes) -> int:
    """CRC-24 (RFC 4880, 6.1)."""
    value = _CRC_START
    for byte in data:
        value ^= byte << 16
        for dummy in range(8):
            value <<= 1
            if value & 0x1000000:
                value ^= _CRC_GENERATOR
    return value


def _keys_of(data: bytes, where: str) -> t.Iterator[tuple[str, str]]:
    """A key is its own packet and all up to the next key's: names, signatures, subkeys."""
    starts: list[tuple[int, str]] = []
    for start, number, body in _packets(data, where):
        if number in _SECRET_PACKETS:
            raise _secret(where)
        if number == _PUBLIC_KEY_PACKET:
            starts.append((start, _fingerprint(body, where)))
        elif not starts:
            raise InvalidDeclaration(f"{where} does not begin with a public key", "Copy it anew")
    ends = [*(start for start, dummy in starts[1:]), len(data)]
    for (start, fingerprint), end in zip(starts, ends):
        yield fingerprint, _armoured(data[start:end])


def _fingerprint(body: bytes, where: str) -> str:
    if not body or body[0] != _KEY_VERSION:
        raise InvalidDeclaration(
            f"{where} has a key of version {body[0] if body else 0}, which is not known to every GnuPG",
            f"Give a key of version {_KEY_VERSION}, whose fingerprint has 40 digits",
        )
    if len(body) > _LONGEST_KEY:
        raise InvalidDeclaration(f"{where} is no public key of OpenPGP: it is too long for one", "Copy it anew")
    # not a matter of trust: it names the key, as everybody else names it
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed).hexdigest().upper()  # noqa: S324 - RFC 4880, 12.2


def _packets(data: bytes, where: str) -> t.Iterator[tuple[int, int, bytes]]:
    """Where each begins, its number and its body."""
    place = 0
    while place < len(data):
        number, length, header = _header(data[place : place + 6])
        end = place + header + length
        if number < 0 or end > len(data):
            raise InvalidDeclaration(f"{where} is no whole public key of OpenPGP", "Copy it anew")
        yield place, number, data[place + header : end]
        place = end


def _header(data: bytes) -> tuple[int, int, int]:
    """Number of the packet, length of its body and of its header; -1 for what no key is made of."""
    padded = data + bytes(6 - len(data))
    first, second = padded[0], padded[1]
    if not first & 0x80:
        return -1, 0, 0
    if first & 0x40:
        return _new_header(first & 0x3F, second, padded)
    size = first & 3
    if size == 3:  # of a length that is not told
        return -1, 0, 0
    width = 1 << size
    return first >> 2 & 0xF, int.from_bytes(padded[1 : 1 + width], "big"), 1 + width


def _new_header(number: int, second: int, padded: bytes) -> tuple[int, int, int]:
    if second < 192:
        return number, second, 2
    if second < 224:
        return number, (second - 192 << 8) + padded[2] + 192, 3
    if second == 255:
        return number, int.from_bytes(padded[2:6], "big"), 6
    return -1, 0, 0  # of a length that comes in parts
