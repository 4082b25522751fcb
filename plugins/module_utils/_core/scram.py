# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677) as PostgreSQL stores them, computed and compared on our side.

The server never sees the password, and a run is idempotent: the stored salt and iteration count are reused to compute
what the declared password would give.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import typing as t
import unicodedata

from .secrets import Secret

# What PostgreSQL itself uses (scram_iterations of 16 and newer has the same default).
DEFAULT_ITERATIONS: t.Final = 4096
SALT_BYTES: t.Final = 16

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)\Z")
_MD5 = re.compile(r"md5[0-9a-f]{32}\Z")


class Verifier(t.NamedTuple):
    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def text(self) -> str:
        """As in pg_authid.rolpassword."""
        salt, stored, server = (base64.b64encode(part).decode("ascii") for part in self[1:])
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"


def make_verifier(password: Secret, *, salt: bytes, iterations: int = DEFAULT_ITERATIONS) -> Secret:
    """The verifier of a password. The salt comes from the caller, because nothing here is random."""
    return Secret(_compute(password.reveal(), salt, iterations).text())


def parse_verifier(text: str) -> Verifier | None:
    """None for anything that is not a well-formed SCRAM-SHA-256 verifier."""
    match = _VERIFIER.match(text)
    if not match:
        return None
    try:
        salt, stored, server = (base64.b64decode(part, validate=True) for part in match.groups()[1:])
    except binascii.Error:
        return None
    if len(stored) != 32 or len(server) != 32 or not int(match.group(1)):
        return None
    return Verifier(int(match.group(1)), salt, stored, server)


def is_verifier(text: str) -> bool:
    return parse_verifier(text) is not None


def is_md5(text: str) -> bool:
    return _MD5.match(text) is not None


def describe(stored: Secret | None) -> str:
    """What kind of password is stored, for people: nothing of the value itself."""
    if not stored:
        return "none"
    verifier = parse_verifier(stored.reveal())
    if verifier:
        return f"SCRAM-SHA-256 with {verifier.iterations} iterations"
    return "md5" if is_md5(stored.reveal()) else "of an unknown kind"


def is_current(password: Secret, stored: Secret | None, *, iterations: int = DEFAULT_ITERATIONS) -> bool:
    """Whether the stored verifier is the one of this password, with at least as many iterations.

    :param password: clear text, or itself a verifier, which then has to be the stored one.
    """
    found = parse_verifier(stored.reveal()) if stored else None
    if stored is None or found is None:
        return False
    if is_verifier(password.reveal()):
        return password == stored
    if found.iterations < iterations:
        return False
    wanted = _compute(password.reveal(), found.salt, found.iterations)
    return hmac.compare_digest(wanted.stored_key, found.stored_key)


def _compute(password: str, salt: bytes, iterations: int) -> Verifier:
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode("utf-8"), salt, iterations)
    client_key = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    server_key = hmac.new(salted, b"Server Key", hashlib.sha256).digest()
    return Verifier(iterations, salt, hashlib.sha256(client_key).digest(), server_key)


def prepared(password: str) -> str:
    """SASLprep (RFC 4013) as PostgreSQL does it: where SASLprep forbids a password, it is taken as it stands."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(_is_prohibited(character) for character in normal) or _breaks_direction_rules(normal):
        return password
    return normal


_PROHIBITED_TABLES = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _is_prohibited(character: str) -> bool:
    return any(in_table(character) for in_table in _PROHIBITED_TABLES)


def _breaks_direction_rules(text: str) -> bool:
    """RFC 3454 section 6: right-to-left text may not be mixed with left-to-right and has to begin and end so."""
    if not any(stringprep.in_table_d1(character) for character in text):
        return False
    mixed = any(stringprep.in_table_d2(character) for character in text)
    return mixed or not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1]))
