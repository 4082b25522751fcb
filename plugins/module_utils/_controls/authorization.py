# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who may do what: roles. What is granted on objects is in authorization_objects.py."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE
from .authorization_objects import CONTROLS as CONTROLS_OF_OBJECTS
from .model import Control
from .query_check import QueryCheck
from .setting_check import fixed

_CONTROLS_OF_ROLES: t.Final = (
    Control(
        id="PG-REP-001",
        title="Replication has a role of its own and can't fill the disk",
        category="authorization",
        rationale="A standby that logs in as a superuser spreads that password; a slot that nobody reads keeps WAL "
        "until the server stops.",
        checks=(
            QueryCheck(
                kind="risks in replication",
                expected="no superuser replicates, no slot is abandoned, slots are bounded by max_slot_wal_keep_size",
                sql="""
SELECT 'superuser ' || s.usename || ' replicates' FROM pg_catalog.pg_stat_replication AS s
  JOIN pg_catalog.pg_roles AS r ON r.oid = s.usesysid WHERE r.rolsuper AND s.application_name <> 'pg_basebackup'
UNION ALL
SELECT 'slot ' || slot_name || ' is read by nobody' FROM pg_catalog.pg_replication_slots WHERE NOT active
UNION ALL
SELECT 'max_slot_wal_keep_size has no limit although there are slots'
 WHERE (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size') = '-1'
   AND EXISTS (SELECT FROM pg_catalog.pg_replication_slots)""",
            ),
        ),
        remedy="Use a role with REPLICATION and LOGIN alone, drop abandoned slots, set max_slot_wal_keep_size",
        source=("OG-2.1", "GB-2.3"),
        references=("CIS-PG17 7.1",),
    ),
    Control(
        id="PG-ROLE-001",
        title="Superusers are the declared ones",
        category="authorization",
        rationale="No privilege, row security or audit setting binds a superuser.",
        checks=(
            QueryCheck(
                kind="undeclared superusers",
                expected="only the role that the cluster was made with, and those declared in superusers",
                sql="""
SELECT rolname::text FROM pg_catalog.pg_roles
 WHERE rolsuper AND oid <> 10 AND rolname <> ALL (%(superusers)s::name[]) ORDER BY 1""",
            ),
        ),
        remedy="ALTER ROLE ... NOSUPERUSER after granting what it needs, or declare it",
        activation=LIVE,
        source=("OG-2.1", "TX-2.3.1"),
        references=("CIS-PG17 4.3", "devsec postgres-08", "STIG CD16-00-004600"),
    ),
    Control(
        id="PG-ROLE-002",
        title="CREATEROLE, CREATEDB, BYPASSRLS and REPLICATION are held by declared roles only",
        category="authorization",
        rationale="CREATEROLE was nearly superuser before version 16; the others read or make more than any grant "
        "says.",
        checks=(
            QueryCheck(
                kind="undeclared privileged roles",
                expected="none of these attributes on a role that is not declared in privileged_roles",
                sql="""
SELECT rolname || ': ' || concat_ws(', ', CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
         CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
         CASE WHEN rolreplication THEN 'REPLICATION' END)
  FROM pg_catalog.pg_roles
 WHERE NOT rolsuper AND (rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)
   AND left(rolname, 3) <> 'pg_' AND rolname <> ALL (%(privileged_roles)s::name[]) ORDER BY 1""",
            ),
        ),
        remedy="Take the attribute away with postgresql_roles, or declare the role",
        activation=LIVE,
        source=("OG-2.1", "OG-2.2"),
        references=("CIS-PG17 4.3", "CIS-PG17 4.7", "CIS-PG17 7.1", "devsec postgres-08", "STIG CD16-00-006800"),
    ),
    Control(
        id="PG-ROLE-003",
        title="Predefined roles that reach the operating system or all data are not handed out",
        category="authorization",
        rationale="Who writes files or runs programs as the server is a superuser by a detour.",
        checks=(
            QueryCheck(
                kind="undeclared memberships",
                expected="no such membership for a role that is not declared in privileged_roles",
                sql="""
SELECT m.rolname || ' is a member of ' || g.rolname
  FROM pg_catalog.pg_auth_members AS a
  JOIN pg_catalog.pg_roles AS g ON g.oid = a.roleid JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
 WHERE g.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
                     'pg_read_all_data', 'pg_write_all_data', 'pg_signal_backend', 'pg_create_subscription',
                     'pg_maintain', 'pg_checkpoint')
   AND left(m.rolname, 3) <> 'pg_' AND NOT m.rolsuper
   AND m.rolname <> ALL (%(privileged_roles)s::name[]) ORDER BY 1""",
            ),
        ),
        remedy="REVOKE the membership with postgresql_roles, or declare the role",
        activation=LIVE,
        source=("OG-2.1", "TX-2.3.1"),
        references=("CIS-PG17 4.9", "STIG CD16-00-003400"),
    ),
    Control(
        id="PG-ROLE-012",
        title="System functions, catalogs and templates keep the protection they were shipped with",
        category="authorization",
        rationale="A grant on pg_read_file to a monitoring role is a hidden superuser; a setting for repair work left "
        "on hides damage.",
        checks=(
            QueryCheck(
                kind="openings",
                expected="no grant on functions that read files or on catalogs with secrets; templates are closed",
                sql="""
SELECT 'function ' || p.proname || ' granted to '
       || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
  FROM pg_catalog.pg_proc AS p,
       pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
 WHERE p.pronamespace = 'pg_catalog'::regnamespace
   AND p.proname IN ('pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file', 'lo_import', 'lo_export',
                     'pg_rotate_logfile', 'pg_hba_file_rules', 'pg_show_all_file_settings')
   AND a.grantee <> p.proowner AND a.grantee <> 'pg_monitor'::regrole
   AND a.grantee::regrole::text <> ALL (%(privileged_roles)s::text[])
UNION ALL
SELECT 'catalog ' || c.relname || ' granted to '
       || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
  FROM pg_catalog.pg_class AS c, pg_catalog.aclexplode(c.relacl) AS a
 WHERE c.relnamespace = 'pg_catalog'::regnamespace AND a.grantee <> c.relowner
   AND c.relname IN ('pg_authid', 'pg_shadow', 'pg_statistic', 'pg_user_mapping', 'pg_largeobject')
UNION ALL
SELECT 'template ' || datname || ' accepts connections' FROM pg_catalog.pg_database
 WHERE datistemplate AND datallowconn AND datname <> 'template1'""",
            ),
            fixed("allow_system_table_mods", "off"),
            fixed("ignore_checksum_failure", "off"),
            fixed("zero_damaged_pages", "off"),
            fixed("lo_compat_privileges", "off"),
        ),
        remedy="REVOKE the grant; set the parameters off with postgresql_settings; ALTER DATABASE ... ALLOW_CONNECTIONS"
        " false",
        source=("TX-2.3.3", "TX-2.5.1"),
        references=("devsec postgres-09", "STIG CD16-00-003300"),
    ),
    Control(
        id="PG-ROLE-013",
        title="Every login has a connection limit",
        category="authorization",
        level=STRICT,
        rationale="One application that leaks connections shuts all the others out.",
        checks=(
            QueryCheck(
                kind="roles without a connection limit",
                expected="a connection limit on every role that logs in, superusers excepted",
                sql="""
SELECT rolname::text FROM pg_catalog.pg_roles
 WHERE rolcanlogin AND NOT rolsuper AND rolconnlimit = -1 ORDER BY 1""",
            ),
        ),
        remedy="Declare connection_limit with postgresql_roles",
        activation=LIVE,
        source=("OG-2.2", "TX-2.2.7"),
        references=("CIS-PG17 5.5", "STIG CD16-00-000100"),
    ),
)

CONTROLS: t.Final = (*_CONTROLS_OF_ROLES, *CONTROLS_OF_OBJECTS)
