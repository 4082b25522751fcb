# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What an assessment asks a MariaDB server. All of it only reads."""

from __future__ import annotations

import typing as t

from .._core.setting_values import ValueType
from .mariadb_values import Variable

# Server, clients, backup and the provider of clusters.
PACKAGES: t.Final = ("mariadb-server*", "mariadb-client*", "mariadb-backup", "galera-4", "libmariadb3")

# A node that is out of the primary component answers reads as well; a query that waits for others does not.
GUARDS: t.Final = (
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION max_statement_time = {timeout}",
    "SET SESSION lock_wait_timeout = 5",
)

# To others information_schema shows a part, and a part without faults proves nothing.
SEES_ACCOUNTS_QUERY: t.Final = "SELECT COUNT(*) FROM mysql.global_priv"
ACTIVE_PLUGINS_QUERY: t.Final = (
    "SELECT LOWER(plugin_name), load_option FROM information_schema.plugins WHERE plugin_status = 'ACTIVE'"
)
CHANNELS_QUERY: t.Final = "SHOW ALL REPLICAS STATUS"


def offenders_query(sql: str, *, limit: int) -> str:
    """The first lines of a query's answer, each with how many there are. Per cent signs are doubled already."""
    return f"SELECT line, COUNT(*) OVER () AS total FROM (\n{sql.strip()}\n) AS offender ORDER BY line LIMIT {limit}"


def query_lists(declared: t.Mapping[str, t.Sequence[str]]) -> dict[str, list[str]]:
    """Lists for ``IN``, which takes no empty one: nothing is called the empty text."""
    return {name: ["", *values] for name, values in declared.items()}


def value_type(variable: Variable) -> ValueType:
    """How its values compare; the server shows all of them in base units."""
    if variable.kind == "BOOLEAN":
        return ValueType("bool")
    if "INT" in variable.kind:
        return ValueType("integer")
    if variable.kind == "DOUBLE":
        return ValueType("real")
    if variable.kind == "ENUM" and variable.choices:
        return ValueType("enum", choices=variable.choices)
    return ValueType("string")
