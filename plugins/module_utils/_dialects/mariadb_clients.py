# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Queries for the clients of a MariaDB server, and what their answers mean."""

from __future__ import annotations

import json
import typing as t

from .._core.account_sightings import ClientSession, Login

# Threads of the server itself, and clients that have not said who they are yet.
NOBODY: t.Final = ("system user", "event_scheduler", "unauthenticated user", "")
# Runs nothing but views of the schema sys; it can't log in.
SERVERS_OWN: t.Final = ("mariadb.sys",)
# Those that have a password in the server; PAM and others have it elsewhere.
_PASSWORD_PLUGINS: t.Final = ("mysql_native_password", "mysql_old_password", "ed25519", "parsec", "sha256_password")

STATE: t.Final = """
SELECT @@global.performance_schema, @@global.have_ssl, @@global.require_secure_transport, UNIX_TIMESTAMP()
"""
# Refused without the privilege PROCESS. The list of sessions is not: it only lacks those of others then.
NEEDS_PROCESS: t.Final = "SELECT COUNT(*) FROM information_schema.INNODB_TRX"
# A session on the unix socket has the host "localhost" without a port.
SESSIONS: t.Final = """
SELECT ID, USER, HOST, NULL FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND HOST LIKE '%:%'
"""
SESSIONS_WITH_TYPE: t.Final = """
SELECT p.ID, p.USER, p.HOST, s.CONNECTION_TYPE
  FROM information_schema.PROCESSLIST AS p
       LEFT JOIN performance_schema.threads AS s ON s.PROCESSLIST_ID = p.ID
 WHERE p.ID <> CONNECTION_ID() AND p.HOST LIKE '%:%'
"""
LOGINS: t.Final = "SELECT User, Host, Priv FROM mysql.global_priv"


def read_session(user: str, host: str, connection_type: str | None, *, has_tls: bool) -> ClientSession:
    """:param host: with the port, ``10.0.0.5:40112``."""
    address = host.rpartition(":")[0]
    if not has_tls:
        return ClientSession(user, address, encrypted=False)
    known = {"SSL/TLS": True, "TCP/IP": False}
    return ClientSession(user, address, encrypted=known.get(connection_type or ""))


def read_login(user: str, host: str, privileges: str) -> Login | None:
    """An account of mysql.global_priv; None for roles, locked accounts and the server's own."""
    stored: dict[str, t.Any] = json.loads(privileges)
    if stored.get("is_role") or stored.get("account_locked") or user in SERVERS_OWN:
        return None
    methods = [method for method in stored.get("auth_or", ()) if method] or [stored]
    if stored.get("auth_or"):
        methods = [{**stored, **method} for method in stored["auth_or"]]
    return Login(
        user,
        host,
        requires_tls=bool(stored.get("ssl_type")),
        takes_password=any(_takes_password(method) for method in methods),
        changed=int(stored.get("password_last_changed", 0)),
        has_lifetime_of_its_own=int(stored.get("password_lifetime", -1)) >= 0,
    )


def _takes_password(method: t.Mapping[str, t.Any]) -> bool:
    plugin = method.get("plugin") or "mysql_native_password"
    # "invalid" is what the server itself puts where nobody is to get in.
    return plugin in _PASSWORD_PLUGINS and method.get("authentication_string", "") not in ("", "invalid")
