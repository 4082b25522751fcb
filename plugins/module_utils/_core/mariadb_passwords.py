# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What MariaDB stores of a password, computed on our side: the statement that sets it then holds no password.

Both plugins hash without a salt, so the same password always gives the same text and a comparison is enough.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import typing as t

ED25519: t.Final = "ed25519"
NATIVE: t.Final = "mysql_native_password"
PASSWORD_PLUGINS: t.Final = (ED25519, NATIVE)

# The curve of RFC 8032, section 5.1, in extended coordinates (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z.
_PRIME: t.Final = 2**255 - 19
_D: t.Final = -121665 * pow(121666, -1, _PRIME) % _PRIME
_BASE_X: t.Final = 15112221349535400772501151409588531511454012693041857206046113283949847762202
_BASE_Y: t.Final = 4 * pow(5, -1, _PRIME) % _PRIME
_Point = tuple[int, int, int, int]


def stored_form(plugin: str, password: str) -> str:
    """What the server keeps for this password with this plugin, one of PASSWORD_PLUGINS."""
    text = password.encode("utf-8")
    if plugin == NATIVE:
        return "*" + hashlib.sha1(hashlib.sha1(text).digest()).hexdigest().upper()  # noqa: S324 - the server's format
    return base64.b64encode(_public_key(text)).decode("ascii").rstrip("=")


def is_stored_form(plugin: str, text: str) -> bool:
    if plugin == NATIVE:
        return len(text) == 41 and text[0] == "*" and all(digit in "0123456789ABCDEF" for digit in text[1:])
    return len(text) == 43 and all(letter.isascii() and (letter.isalnum() or letter in "+/") for letter in text)


def _public_key(password: bytes) -> bytes:
    """RFC 8032's public key, only that MariaDB hashes the password itself where others hash a 32-byte seed."""
    digest = bytearray(hashlib.sha512(password).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    scalar = int.from_bytes(digest, "little")
    point: _Point = (0, 1, 1, 0)
    for bit, power in enumerate(_powers_of_base()):
        if scalar >> bit & 1:
            point = _add(point, power)
    inverse = pow(point[2], -1, _PRIME)
    x, y = point[0] * inverse % _PRIME, point[1] * inverse % _PRIME
    return (y | (x & 1) << 255).to_bytes(32, "little")


@functools.lru_cache(maxsize=1)
def _powers_of_base() -> tuple[_Point, ...]:
    """The base point doubled again and again: hundreds of passwords share the work."""
    point: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _PRIME)
    powers = []
    for dummy in range(255):
        powers.append(point)
        point = _add(point, point)
    return tuple(powers)


def _add(left: _Point, right: _Point) -> _Point:
    a = (left[1] - left[0]) * (right[1] - right[0]) % _PRIME
    b = (left[1] + left[0]) * (right[1] + right[0]) % _PRIME
    c = 2 * left[3] * right[3] * _D % _PRIME
    d = 2 * left[2] * right[2] % _PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _PRIME, g * h % _PRIME, f * g % _PRIME, e * h % _PRIME
