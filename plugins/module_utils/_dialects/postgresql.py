# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""PostgreSQL's quoting, the one place where names and values become SQL text.

Utility statements (ALTER SYSTEM, GRANT, CREATE ROLE) take no bound parameters, so their text has to be made on our
side. What other servers do differently, their own dialect states.
"""

from __future__ import annotations

from .._core.errors import InvalidDeclaration

# NAMEDATALEN - 1. A longer name would be cut by the server without an error, and then be another name.
MAXIMUM_IDENTIFIER_BYTES = 63


def quote_identifier(name: str) -> str:
    """``"name"`` with inner quotes doubled. Raises InvalidDeclaration for what no identifier can be."""
    check_identifier(name)
    return '"' + name.replace('"', '""') + '"'


def check_identifier(name: str) -> None:
    """Raise InvalidDeclaration for an empty name, one with a NUL, or one that the server would cut."""
    if not name:
        raise InvalidDeclaration("an identifier is empty")
    if "\0" in name:
        raise InvalidDeclaration(f"the identifier {name!r} holds a NUL byte")
    length = len(name.encode("utf-8", "surrogatepass"))
    if length > MAXIMUM_IDENTIFIER_BYTES:
        raise InvalidDeclaration(
            f"the identifier {name!r} has {length} bytes, PostgreSQL keeps {MAXIMUM_IDENTIFIER_BYTES}",
            "Shorten it; the server would cut it without an error",
        )


def quote_literal(value: str) -> str:
    """``'value'``, safe whatever standard_conforming_strings says. Raises InvalidDeclaration for a NUL byte."""
    if "\0" in value:
        raise InvalidDeclaration("a value holds a NUL byte, which PostgreSQL can't store")
    quoted = value.replace("'", "''")
    if "\\" in quoted:
        return " E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"
