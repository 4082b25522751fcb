# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who gets in to MariaDB, and by what."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE, RESTART
from .acceptance import OneOf, Within
from .mariadb_setting import REMEDY, query, variable
from .model import MARIADB, Control
from .plugin_check import PluginCheck

# Accounts that may log in. JSON's true is 1 here; older servers wrote it as text.
ACCOUNTS: t.Final = """mysql.global_priv
 WHERE COALESCE(JSON_VALUE(priv, '$.is_role'), '0') IN ('0', 'false')
   AND COALESCE(JSON_VALUE(priv, '$.account_locked'), '0') IN ('0', 'false') AND user <> 'PUBLIC'"""
_PLUGIN: t.Final = "COALESCE(JSON_VALUE(priv, '$.plugin'), 'mysql_native_password')"
_PASSWORDS: t.Final = ("mysql_native_password", "mysql_old_password", "ed25519", "parsec")
# Of several ways in, one is at the top and the others in a list. Whoever has to show a certificate (ssl_type 2 and 3)
# has a credential.
_EMPTY: t.Final = " OR ".join(
    f"""JSON_CONTAINS(JSON_EXTRACT(priv, '$.auth_or'), '{{"plugin": "{plugin}", "authentication_string": ""}}')"""
    for plugin in _PASSWORDS
)
_STRANGERS: t.Final = f"""
SELECT CONCAT('anonymous account of ', host) AS line FROM mysql.global_priv WHERE user = '' AND host <> ''
UNION ALL
SELECT CONCAT('no credential: ', user, '@', host) FROM {ACCOUNTS} AND user <> ''
   AND COALESCE(JSON_VALUE(priv, '$.ssl_type'), '0') NOT IN ('2', '3')
   AND ((COALESCE(JSON_VALUE(priv, '$.authentication_string'), '') = '' AND {_PLUGIN} IN {_PASSWORDS}) OR {_EMPTY})
UNION ALL
SELECT CONCAT('database ', schema_name) FROM information_schema.schemata
 WHERE schema_name = 'test' OR LEFT(schema_name, 5) = 'test_'"""  # noqa: S608 (made of constants)
_ROAMING: t.Final = f"""
SELECT CONCAT(user, '@', host) AS line FROM {ACCOUNTS}
   AND ((user = 'root' AND host NOT IN ('localhost', '127.0.0.1', '::1')) OR LEFT(host, 1) = '%%')
   AND CONCAT(user, '@', host) NOT IN %(roaming_accounts)s"""  # noqa: S608 (made of constants)
# A hash that no password has, as stock root's, is none.
_WEAK: t.Final = f"""
SELECT CONCAT(user, '@', host, ' ', {_PLUGIN}) AS line FROM {ACCOUNTS} AND user <> ''
   AND {_PLUGIN} IN ('mysql_native_password', 'mysql_old_password')
   AND COALESCE(JSON_VALUE(priv, '$.authentication_string'), '') <> 'invalid'"""  # noqa: S608 (made of constants)

CONTROLS: t.Final = (
    Control(
        id="MDB-AUTH-001",
        title="No anonymous account, no account without a credential, no test database",
        category="authentication",
        rationale="Whoever reaches the server is in. Accounts that the server maps by their socket, by PAM or by a"
        " certificate have a credential, although they have no password.",
        checks=(query("ways in for strangers", "no anonymous and no open account, no test database", _STRANGERS),),
        remedy="mariadb_roles drops anonymous accounts and the test database; ALTER USER ... IDENTIFIED VIA, or DROP"
        " USER, for the others",
        activation=LIVE,
        source=("TX-2.2.1", "TX-2.2.2"),
        references=("CIS-MDB106 4.2", "CIS-MDB106 7.6", "STIG MADB-10-003100", "devsec mysql-db-03"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUTH-002",
        title="root is local, and accounts come from named hosts",
        category="authentication",
        rationale="For an account that may come from anywhere one leaked password is enough. A network is a"
        " named host.",
        checks=(query("accounts that come from anywhere", "root is local, % for roaming_accounts only", _ROAMING),),
        remedy="RENAME USER u@'%' TO u@'10.0.1.%', or declare it in roaming_accounts",
        activation=LIVE,
        source=("TX-2.2.1", "OG-2.1", "TX-2.2.2", "GB-3.6"),
        references=("CIS-MDB106 2.8", "CIS-MDB106 7.5", "devsec mysql-db-07", "devsec mysql-db-08"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUTH-003",
        title="Passwords are kept by ed25519 or parsec, not by SHA-1",
        category="authentication",
        level=STRICT,
        rationale="mysql_native_password keeps a hash without salt, and who has read it from the wire and the table"
        " logs in with it.",
        checks=(query("accounts with an old hash", "no account with mysql_native_password or older", _WEAK),),
        remedy="Load auth_ed25519 on every node, then ALTER USER u IDENTIFIED VIA ed25519 USING PASSWORD('...');"
        " connectors and proxies have to know it",
        activation=LIVE,
        source=("TX-2.2.1",),
        references=("CIS-MDB106 7.1", "CIS-MDB106 7.3", "STIG MADB-10-003800"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUTH-004",
        title="Neither old password hashes nor a start without accounts",
        category="authentication",
        rationale="skip_grant_tables lets everybody in as everybody, init_file runs statements at each start, and the"
        " old hash is broken in seconds. Its plugin can't be unloaded.",
        checks=(
            variable("secure_auth", "ON"),
            variable("old_passwords", "OFF", OneOf(("OFF", "0"))),
            variable("skip_grant_tables", None, OneOf(("OFF",)), may_be_absent=True),
            variable("init_file", None, OneOf(("",))),
        ),
        remedy="Set secure_auth and old_passwords with mariadb_settings; take skip_grant_tables and init_file out of"
        " files and unit, and restart",
        activation=RESTART,
        source=("TX-2.2.1",),
        references=("CIS-MDB106 4.5", "CIS-MDB106 7.1", "devsec mysql-conf-03"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUTH-005",
        title="Passwords are long and of several kinds of characters",
        category="authentication",
        rationale="Without a plugin that checks it, the server takes any password. All nodes of a cluster need the same"
        " plugins, or a replicated CREATE USER fails on one of them.",
        checks=(
            PluginCheck("simple_password_check"),
            variable("simple_password_check_minimal_length", "14", Within("8")),
            variable("simple_password_check_digits", "1", Within("1")),
            variable("simple_password_check_letters_same_case", "1", Within("1")),
            variable("simple_password_check_other_characters", "1", Within("1")),
            variable("strict_password_validation", "ON"),
        ),
        remedy=REMEDY,
        activation=RESTART,
        source=("TX-2.2.3", "TX-2.2.4"),
        references=("CIS-MDB106 7.4", "STIG MADB-10-003700"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUTH-006",
        title="Passwords expire and are not used again",
        category="authentication",
        level=STRICT,
        rationale="A password that leaked unnoticed is good for some time only. Service accounts are locked out the day"
        " theirs expires: ALTER USER ... PASSWORD EXPIRE NEVER exempts them; logins by the socket don't expire.",
        checks=(
            variable("default_password_lifetime", "90", Within("1", "365")),
            variable("disconnect_on_expired_password", "ON"),
            PluginCheck("password_reuse_check", minimum=100700),
            variable("password_reuse_check_interval", "365", Within("365"), minimum=100700),
        ),
        remedy=f"{REMEDY}, after service accounts were exempted",
        activation=RESTART,
        source=("TX-2.2.5",),
        references=("CIS-MDB106 2.6", "STIG MADB-10-003750"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUTH-007",
        title="Accounts are locked after repeated wrong passwords",
        category="authentication",
        rationale="Guessing ends. The lock stays until FLUSH PRIVILEGES or ALTER USER, so whoever reaches the server"
        " can lock an account out: let accounts come from named hosts, and watch for error 4150. Each node of a cluster"
        " counts for itself.",
        checks=(
            variable("max_password_errors", "5", Within("1", "10")),
            variable("max_connect_errors", "100", Within("1", "1000")),
            variable("connect_timeout", "10", Within("1", "30")),
        ),
        remedy=REMEDY,
        activation=LIVE,
        source=("TX-2.2.7", "TX-2.2.6"),
        references=("STIG MADB-10-011300",),
        engines=(MARIADB,),
    ),
)
