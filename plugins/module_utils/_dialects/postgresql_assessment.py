# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What an assessment asks a PostgreSQL server. All of it only reads."""

from __future__ import annotations

import re
import shlex
import typing as t

# Server, contrib modules, clients and library, of any major version.
PACKAGES: t.Final = ("postgresql-[0-9]*", "postgresql-common", "postgresql-client-*", "libpq5")

# After the settings were read, because these are settings too. The search path keeps operators and functions that
# somebody put into a database from being run with the rights of the one who looks.
GUARDS: t.Final = """
SET search_path = pg_catalog, pg_temp;
SET default_transaction_read_only = on;
SET statement_timeout = '{timeout}s';
SET lock_timeout = '5s';
SET jit = off"""

LOGIN_QUERY: t.Final = """
SELECT coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), false),
       pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'USAGE'),
       pg_catalog.current_setting('server_version'), pg_catalog.current_setting('port')"""

SETTINGS_QUERY: t.Final = """
SELECT pg_catalog.lower(name), vartype, unit, min_val, max_val, enumvals, setting, boot_val, source, pending_restart
  FROM pg_catalog.pg_settings"""

# Sources that tell of this session, its role or its database, not of the server.
SESSION_SOURCES: t.Final = frozenset(
    {"global", "database", "user", "database user", "client", "interactive", "test", "session"}
)
# What every session sets for itself: of no interest, and no reason to look further.
SESSION_PARAMETERS: t.Final = frozenset({"application_name", "client_encoding"})

FILE_SETTINGS_QUERY: t.Final = """
SELECT pg_catalog.lower(name), setting FROM pg_catalog.pg_file_settings
 WHERE name IS NOT NULL AND applied ORDER BY seqno"""

COMMAND_LINE_QUERY: t.Final = "SELECT coalesce(pg_catalog.pg_read_file('postmaster.opts', 0, 1000000, true), '')"

OVERRIDES_QUERY: t.Final = """
SELECT item, coalesce(r.rolname, ''), coalesce(d.datname, '')
  FROM pg_catalog.pg_db_role_setting AS s
       CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS item
       LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
       LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
 ORDER BY 1, 2, 3"""

_HBA_QUERY: t.Final = """
SELECT line_number, type, database, user_name, address, netmask, auth_method, options, error, {file}
  FROM pg_catalog.pg_hba_file_rules ORDER BY {order}"""

SUPERUSERS_QUERY: t.Final = "SELECT rolname FROM pg_catalog.pg_roles WHERE rolsuper"
SUPERUSER_GROUPS_QUERY: t.Final = """
WITH RECURSIVE above(role) AS (
    SELECT m.roleid FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS r ON r.oid = m.member
     WHERE r.rolsuper
    UNION
    SELECT m.roleid FROM pg_catalog.pg_auth_members AS m JOIN above ON m.member = above.role)
SELECT r.rolname FROM above JOIN pg_catalog.pg_roles AS r ON r.oid = above.role"""

HBA_CHANGED_QUERY: t.Final = """
SELECT modification > pg_catalog.pg_conf_load_time()
  FROM pg_catalog.pg_stat_file(pg_catalog.current_setting('hba_file'))"""

DATABASES_QUERY: t.Final = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname"
CONFIGURATION_QUERY: t.Final = (
    "SELECT name, setting FROM pg_catalog.pg_config WHERE name IN ('BINDIR', 'PKGLIBDIR', 'SHAREDIR')"
)

# Options of a rule that are secrets.
SECRET_OPTIONS: t.Final = frozenset({"ldapbindpasswd", "radiussecrets"})


def hba_query(version: int) -> str:
    """Included files came with PostgreSQL 16."""
    if version >= 160000:
        return _HBA_QUERY.format(file="coalesce(file_name, '')", order="rule_number NULLS LAST, line_number")
    return _HBA_QUERY.format(file="''", order="line_number")


def without_secrets(option: str) -> str:
    name, equals, dummy = option.partition("=")
    return f"{name}=***" if equals and name.lower() in SECRET_OPTIONS else option


def offenders_query(sql: str, *, limit: int) -> str:
    """The first lines of a query's answer, each with how many there are.

    A per cent sign that begins no named parameter is made literal, so that a query may be written either way.
    """
    text = re.sub(r"%%|%(?!\()", "%%", sql.strip().rstrip(";"))
    return f"SELECT line::text, count(*) OVER () FROM (\n{text}\n) AS offender(line) ORDER BY 1 LIMIT {limit}"


def command_line_settings(options: str) -> dict[str, str]:
    """Parameters that the server was started with, from its postmaster.opts: they are above its files."""
    try:
        words = shlex.split(options)
    except ValueError:
        return {}
    found = {}
    for before, word in zip(["", *words], words):
        assignment = word if before == "-c" else word[2:] if word.startswith("--") else ""
        name, equals, value = assignment.partition("=")
        if equals:
            found[name.replace("-", "_").lower()] = value
    return found
