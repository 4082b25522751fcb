# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The queries by which a MariaDB server's accounts, roles and privileges are read: each a whole table at once."""

from __future__ import annotations

import typing as t

LOCK: t.Final = "SELECT GET_LOCK('bulwark.database.roles', %s)"
QUIET: t.Final = "SET SESSION sql_log_off = 1, SESSION slow_query_log = 0"
GENERAL_LOG: t.Final = "SELECT @@global.general_log"
FOLDS_CASE: t.Final = "SELECT @@lower_case_table_names = 1"

IDENTITY: t.Final = """
SELECT CURRENT_USER(),
       (SELECT MAX(VARIABLE_VALUE) FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'),
       (SELECT MAX(VARIABLE_VALUE) FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'WSREP_ON'),
       @@global.strict_password_validation
"""
PLUGINS: t.Final = """
SELECT PLUGIN_NAME, PLUGIN_TYPE FROM information_schema.PLUGINS
WHERE PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_TYPE IN ('AUTHENTICATION', 'PASSWORD VALIDATION')
"""
ACCOUNTS: t.Final = "SELECT User, Host, Priv FROM mysql.global_priv"
MEMBERSHIPS: t.Final = "SELECT Role, User, Host, Admin_option = 'Y' FROM mysql.roles_mapping"
DATABASES: t.Final = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"
TABLE_PRIVILEGES: t.Final = (
    "SELECT User, Host, Db, Table_name, Table_priv + 0 FROM mysql.tables_priv WHERE Table_priv <> '' AND Db IN %s"
)
COLUMN_PRIVILEGES: t.Final = (
    "SELECT User, Host, Db, Table_name, LOWER(Column_name), Column_priv + 0 FROM mysql.columns_priv WHERE Db IN %s"
)
ROUTINE_PRIVILEGES: t.Final = (
    "SELECT User, Host, Db, LOWER(Routine_name), Routine_type, Proc_priv + 0 FROM mysql.procs_priv WHERE Db IN %s"
)
TABLES: t.Final = "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN %s"
COLUMNS: t.Final = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s"
)
OF_THESE_TABLES: t.Final = " AND TABLE_NAME IN %s"
ROUTINES: t.Final = "SELECT db, LOWER(name), type FROM mysql.proc WHERE db IN %s"
DEFINITIONS: t.Final = """
SELECT definer, LOWER(type), db, name FROM mysql.proc
UNION ALL SELECT definer, 'event', db, name FROM mysql.event
UNION ALL SELECT DEFINER, 'view', TABLE_SCHEMA, TABLE_NAME FROM information_schema.VIEWS
UNION ALL SELECT DEFINER, 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME FROM information_schema.TRIGGERS
"""
OBJECTS_OF: t.Final = """
SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s
UNION ALL SELECT name FROM mysql.proc WHERE db = %s
UNION ALL SELECT name FROM mysql.event WHERE db = %s
"""


def database_privileges(columns: t.Sequence[str]) -> str:
    """The columns of mysql.db as the bits of one number, in their order."""
    bits = " + ".join(f"({column} = 'Y') * {1 << index}" for index, column in enumerate(columns))
    return f"SELECT User, Host, Db, {bits} FROM mysql.db"
