# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""PostgreSQL's side of settings: where the facts are asked, and what no catalogue says."""

from __future__ import annotations

import typing as t

from .._core.setting_values import ValueType, split_list
from .postgresql import quote_identifier, quote_literal

# Settings whose value is a list of words (GUC_LIST_INPUT in guc_tables.c); pg_settings does not say so.
LIST_PARAMETERS: t.Final = frozenset(
    {
        "createrole_self_grant",
        "datestyle",
        "debug_io_direct",
        "listen_addresses",
        "local_preload_libraries",
        "log_connections",
        "log_destination",
        "oauth_validator_libraries",
        "restrict_nonsystem_relation_kind",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "synchronous_standby_names",
        "temp_tablespaces",
        "unix_socket_directories",
        "wal_consistency_checking",
    }
)
# Of these the server quotes every word by itself (GUC_LIST_QUOTE): given as one string, 'a, b' becomes the name of one
# library with a comma in it, and the server does not start again.
QUOTED_LIST_PARAMETERS: t.Final = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
PRELOAD_PARAMETERS: t.Final = frozenset(
    {"local_preload_libraries", "session_preload_libraries", "shared_preload_libraries"}
)
# What a session reads of these is its own socket's state, 0 on a unix socket, not what the server was told.
SOCKET_PARAMETERS: t.Final = frozenset(
    {"tcp_keepalives_count", "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_user_timeout"}
)
# What the server shows in place of archive_command while archive_mode is off, whatever the files say.
HIDDEN_VALUES: t.Final[t.Mapping[str, str]] = {"archive_command": "(disabled)"}
# In pg_settings, but no configuration file may hold them (GUC_DISALLOW_IN_FILE).
UNSETTABLE_PARAMETERS: t.Final = frozenset(
    {
        "config_file",
        "is_superuser",
        "role",
        "seed",
        "session_authorization",
        "transaction_deferrable",
        "transaction_isolation",
        "transaction_read_only",
    }
)
# Refused by ALTER SYSTEM, allowed in postgresql.conf (GUC_DISALLOW_IN_AUTO_FILE).
ONLY_IN_FILES: t.Final = frozenset({"allow_alter_system", "data_directory"})

PARAMETERS_QUERY: t.Final = """
SELECT pg_catalog.lower(name), vartype, unit, min_val, max_val, enumvals, context, setting,
       pg_catalog.current_setting(name, true), source, sourcefile, sourceline
  FROM pg_catalog.pg_settings"""

FILE_ENTRIES_QUERY: t.Final = """
SELECT sourcefile, sourceline, pg_catalog.lower(name), setting, error
  FROM pg_catalog.pg_file_settings ORDER BY seqno"""

OVERRIDES_QUERY: t.Final = """
SELECT pg_catalog.lower(pg_catalog.split_part(item, '=', 1)), r.rolname, d.datname
  FROM pg_catalog.pg_db_role_setting AS s
       CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS item
       LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
       LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
 ORDER BY 1, 2, 3"""


def value_type_from_row(
    name: str, kind: str, unit: str | None, minimum: str | None, maximum: str | None, choices: t.Sequence[str] | None
) -> ValueType:
    """What a row of pg_settings says of a parameter's values."""
    return ValueType(
        kind=kind,
        unit=unit or "",
        minimum=float(minimum) if minimum is not None else None,
        maximum=float(maximum) if maximum is not None else None,
        choices=tuple(choices or ()),
        is_list=name in LIST_PARAMETERS,
    )


class Facts(t.NamedTuple):
    """What FACTS_QUERY answers."""

    config_file: str
    data_directory: str
    is_superuser: bool
    library_directory: str
    bin_directory: str


FACTS_QUERY: t.Final = """
SELECT pg_catalog.current_setting('config_file'), pg_catalog.current_setting('data_directory'),
       (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user),
       (SELECT setting FROM pg_catalog.pg_config WHERE name = 'PKGLIBDIR'),
       (SELECT setting FROM pg_catalog.pg_config WHERE name = 'BINDIR')"""

# A library that is already loaded needs no file of its own name (it may be linked in).
LIBRARY_QUERY: t.Final = """
SELECT (pg_catalog.pg_stat_file(path, true)).size IS NOT NULL FROM pg_catalog.unnest(%s::text[]) WITH ORDINALITY
    AS candidate(path, position) ORDER BY position"""


def alter_system(name: str, value: str | None, *, is_placeholder: bool = False) -> tuple[str, ...]:
    """Statements, each to be sent alone: ALTER SYSTEM refuses to run in a transaction block.

    Before PostgreSQL 17 a parameter of a library that is not loaded yet is unknown to ALTER SYSTEM, unless the session
    has made a placeholder of it with SET.
    """
    target = ".".join(quote_identifier(part) for part in name.split("."))
    if value is None:
        return (f"ALTER SYSTEM RESET {target}",)
    assignment = f"ALTER SYSTEM SET {target} = {_value(name, value)}"
    if is_placeholder:
        return (f"SET {target} = {quote_literal(value)}", assignment)
    return (assignment,)


def _value(name: str, value: str) -> str:
    if name in QUOTED_LIST_PARAMETERS and split_list(value):
        return ", ".join(quote_literal(word) for word in split_list(value))
    return quote_literal(value)


def library_path(name: str, library_directory: str) -> str:
    """Where the server finds a library of a preload list."""
    plain = name.replace("$libdir", library_directory, 1) if name.startswith("$libdir") else name
    if "/" not in plain:
        plain = f"{library_directory}/{plain}"
    return plain if plain.endswith(".so") else f"{plain}.so"
