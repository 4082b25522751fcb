# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What to ask a PostgreSQL server about its place on the host."""

from __future__ import annotations

import typing as t

SETTINGS: t.Final = (
    "archive_command",
    "archive_mode",
    "config_file",
    "data_directory",
    "data_directory_mode",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "krb_server_keyfile",
    "log_destination",
    "log_directory",
    "log_min_messages",
    "logging_collector",
    "port",
    "server_version",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_file",
    "ssl_key_file",
    "unix_socket_directories",
    "wal_segment_size",
)
SETTINGS_QUERY: t.Final = (
    "SELECT name, coalesce(pg_catalog.current_setting(name, true), '') FROM pg_catalog.unnest(%s::text[]) AS name"
)
TABLESPACES_QUERY: t.Final = (
    "SELECT location FROM (SELECT pg_catalog.pg_tablespace_location(oid) AS location"
    " FROM pg_catalog.pg_tablespace) AS tablespace"
    " WHERE location <> '' ORDER BY location"
)
PENDING_QUERY: t.Final = "SELECT name FROM pg_catalog.pg_settings WHERE pending_restart ORDER BY name"
LOAD_TIME_QUERY: t.Final = "SELECT extract(epoch FROM pg_catalog.pg_conf_load_time())::float8"
BINARIES_QUERY: t.Final = "SELECT setting FROM pg_catalog.pg_config WHERE name = 'BINDIR'"

# A null datacl means the built-in default: PUBLIC may connect and make temporary tables.
OPEN_TO_PUBLIC_QUERY: t.Final = """
SELECT d.datname
  FROM pg_catalog.pg_database AS d
 WHERE d.datallowconn
   AND EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
                WHERE a.grantee = 0)
 ORDER BY d.datname"""

# Who could log in by what PUBLIC is given: superusers and owners need nothing.
LOGIN_ROLES_QUERY: t.Final = """
SELECT rolname FROM pg_catalog.pg_roles
 WHERE rolcanlogin AND NOT rolsuper AND rolname !~ '^pg_' ORDER BY rolname"""
