# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""MariaDB's quoting, the one place where names and values become SQL text.

Account statements, SET GLOBAL and DDL take no bound parameters. Sessions of ours run in SESSION_SQL_MODE, in which a
backslash is a character like any other, so doubling quotes is all there is to it.
"""

from __future__ import annotations

import re
import typing as t

from .._core.errors import InvalidDeclaration, MissingRequirement

# In characters, not bytes, as the server counts them.
MAXIMUM_IDENTIFIER_CHARACTERS: t.Final = 64
SESSION_SQL_MODE: t.Final = "STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
OLDEST_SUPPORTED_VERSION: t.Final = (10, 6)
_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)-MariaDB", re.IGNORECASE)

Version = tuple[int, int, int]


def parse_version(text: str) -> Version:
    """``10.11.19-MariaDB-0+deb12u1`` is (10, 11, 19). Raises MissingRequirement for any other server."""
    match = _VERSION.match(text)
    if not match:
        raise MissingRequirement(
            f"the server says {text!r}: it is not MariaDB",
            "MySQL's own server is not supported, nor is what others made of it",
        )
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def quote_identifier(name: str) -> str:
    """```name``` with inner backticks doubled. Raises InvalidDeclaration for what no identifier can be."""
    check_identifier(name)
    return "`" + name.replace("`", "``") + "`"


def check_identifier(name: str, *, maximum: int = MAXIMUM_IDENTIFIER_CHARACTERS) -> None:
    """Raise InvalidDeclaration for an empty name, or one that the server refuses."""
    if not name:
        raise InvalidDeclaration("an identifier is empty")
    if "\0" in name or any(ord(character) > 0xFFFF for character in name):
        raise InvalidDeclaration(f"the identifier {name!r} holds a character that MariaDB takes in no identifier")
    if len(name) > maximum:
        raise InvalidDeclaration(
            f"the identifier {name!r} has {len(name)} characters, MariaDB takes {maximum}", "Shorten it"
        )


def quote_literal(value: str) -> str:
    """``'value'`` for a session in SESSION_SQL_MODE. Raises InvalidDeclaration for a NUL."""
    if "\0" in value:
        raise InvalidDeclaration("a value holds a NUL byte")
    return "'" + value.replace("'", "''") + "'"
