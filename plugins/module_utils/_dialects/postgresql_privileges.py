# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What can be granted on what, by version of PostgreSQL."""

from __future__ import annotations

import typing as t

from .._core.acl import BIT, ObjectKind

MAINTAIN_SINCE: t.Final = 170000

_TABLE = {
    "SELECT": "r",
    "INSERT": "a",
    "UPDATE": "w",
    "DELETE": "d",
    "TRUNCATE": "D",
    "REFERENCES": "x",
    "TRIGGER": "t",
}
_USAGE = {"USAGE": "U"}


def object_kinds(version: int) -> dict[str, ObjectKind]:
    """By the name that declarations use. Views, materialised views and foreign tables count as tables, as in GRANT."""
    table = {**_TABLE, "MAINTAIN": "m"} if version >= MAINTAIN_SINCE else _TABLE
    kinds = (
        ObjectKind(
            "database",
            "DATABASE",
            {"CREATE": "C", "CONNECT": "c", "TEMPORARY": "T"},
            public_default=BIT["c"] | BIT["T"],
        ),
        ObjectKind("schema", "SCHEMA", {"USAGE": "U", "CREATE": "C"}, default_letter="n", default_keyword="SCHEMAS"),
        ObjectKind("table", "TABLE", table, default_letter="r", default_keyword="TABLES", in_schema=True),
        ObjectKind("column", "TABLE", {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "REFERENCES": "x"}, in_schema=True),
        ObjectKind(
            "sequence",
            "SEQUENCE",
            {"USAGE": "U", "SELECT": "r", "UPDATE": "w"},
            default_letter="S",
            default_keyword="SEQUENCES",
            in_schema=True,
        ),
        ObjectKind(
            "routine",
            "ROUTINE",
            {"EXECUTE": "X"},
            public_default=BIT["X"],
            default_letter="f",
            default_keyword="ROUTINES",
            in_schema=True,
        ),
        ObjectKind(
            "type",
            "TYPE",
            _USAGE,
            public_default=BIT["U"],
            default_letter="T",
            default_keyword="TYPES",
            in_schema=True,
        ),
        ObjectKind("language", "LANGUAGE", _USAGE, public_default=BIT["U"]),
        ObjectKind("foreign_data_wrapper", "FOREIGN DATA WRAPPER", _USAGE),
        ObjectKind("foreign_server", "FOREIGN SERVER", _USAGE, alter_keyword="SERVER"),
    )
    return {kind.name: kind for kind in kinds}
