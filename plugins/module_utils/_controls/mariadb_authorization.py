# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who may do what in MariaDB."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE, RESTART
from .acceptance import Within
from .mariadb_setting import REMEDY, query, variable
from .model import MARIADB, Control

_ADMINISTRATIVE: t.Final = (
    *("SUPER", "FILE", "PROCESS", "SHUTDOWN", "CREATE USER", "RELOAD", "SET USER", "CONNECTION ADMIN", "BINLOG ADMIN"),
    *("READ_ONLY ADMIN", "REPLICATION SLAVE", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN"),
    *("CREATE TABLESPACE", "FEDERATED ADMIN", "DELETE HISTORY"),
)
# Names as people write them: user@host, and a role without the at sign.
_GRANTEE: t.Final = "TRIM(TRAILING '@' FROM REPLACE(grantee, '''', ''))"
_ADMINISTRATORS: t.Final = f"""
SELECT CONCAT({_GRANTEE}, ' ', privilege_type, IF(is_grantable = 'YES', ' with grant option', '')) AS line
  FROM information_schema.user_privileges
 WHERE (privilege_type IN {_ADMINISTRATIVE} OR is_grantable = 'YES')
   AND {_GRANTEE} NOT IN ('root@localhost', 'mariadb.sys@localhost', 'mysql@localhost')
   AND {_GRANTEE} NOT IN %(privileged_accounts)s"""  # noqa: S608 (made of constants)
_SYSTEM_TABLES: t.Final = """
SELECT CONCAT(user, '@', host, ' on database ', db) AS line FROM mysql.db
 WHERE db IN ('mysql', '%%') OR db LIKE 'test%%' OR user IN ('', 'PUBLIC')
UNION ALL
SELECT CONCAT(user, '@', host, ' on ', db, '.', table_name) FROM mysql.tables_priv
 WHERE (db = 'mysql' AND user <> 'mariadb.sys') OR user IN ('', 'PUBLIC')"""
_DEFINERS: t.Final = """
SELECT CONCAT(LOWER(routine_type), ' ', routine_schema, '.', routine_name, ' of ', definer) AS line
  FROM information_schema.routines
 WHERE security_type = 'DEFINER' AND definer LIKE 'root@%%' AND routine_schema NOT IN ('sys', 'mysql')
UNION ALL
SELECT CONCAT('view ', table_schema, '.', table_name, ' of ', definer) FROM information_schema.views
 WHERE security_type = 'DEFINER' AND definer LIKE 'root@%%' AND table_schema NOT IN ('sys', 'mysql')"""

CONTROLS: t.Final = (
    Control(
        id="MDB-ROLE-001",
        title="Privileges on the whole server are held by declared accounts only",
        category="authorization",
        rationale="Each of them leads to all data, or to more privileges. SUPER was split into many, and revoking it"
        " alone leaves them. People get them through roles.",
        checks=(
            query(
                "privileges on the whole server",
                "held by root@localhost, mysql@localhost, mariadb.sys@localhost and privileged_accounts only",
                _ADMINISTRATORS,
            ),
        ),
        remedy="REVOKE them, or declare the account or role in privileged_accounts",
        activation=LIVE,
        source=("OG-2.1", "TX-2.3.2", "OG-2.2"),
        references=("CIS-MDB106 5.2", "CIS-MDB106 5.3", "CIS-MDB106 5.8", "STIG MADB-10-006800", "devsec mysql-db-06"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-ROLE-002",
        title="Nobody holds privileges on the system's tables, on all databases by pattern, or as the public",
        category="authorization",
        rationale="Who writes to mysql.* gives himself the rest. From 10.11 on a grant to PUBLIC is one to everybody.",
        checks=(query("grants too wide", "no grant on mysql.*, %, test%, to PUBLIC or to nobody", _SYSTEM_TABLES),),
        remedy="REVOKE ALL PRIVILEGES ON mysql.* FROM u, as mariadb_roles does",
        activation=LIVE,
        source=("TX-2.3.2", "TX-2.3.0"),
        references=("CIS-MDB106 5.1", "CIS-MDB106 5.9", "STIG MADB-10-006700"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-ROLE-003",
        title="Stored code does not run as root",
        category="authorization",
        level=STRICT,
        rationale="A routine or view that runs as root lends root's rights to whoever may call it.",
        checks=(query("objects that run as root", "no routine or view with root as its definer", _DEFINERS),),
        remedy="Make it anew with SQL SECURITY INVOKER, or with a definer that may do just what it needs",
        activation=LIVE,
        source=("TX-2.3.3",),
        references=("CIS-MDB106 5.10", "STIG MADB-10-006900"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-ROLE-004",
        title="An account has a limit of sessions",
        category="authorization",
        level=STRICT,
        rationale="One application that opens sessions without end keeps all others out.",
        checks=(variable("max_user_connections", "100", Within("1", "100000")),),
        remedy=f"{REMEDY}; where there was no limit, it takes effect with a restart",
        activation=RESTART,
        source=("TX-2.2.7", "TX-2.4.10"),
        references=("CIS-MDB106 8.3", "STIG MADB-10-000100"),
        engines=(MARIADB,),
    ),
)
