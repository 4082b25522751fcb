# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who may do what: grants, owners and code."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE
from .model import Control
from .query_check import EACH_DATABASE, QueryCheck


def _control(number: int, title: str, rationale: str, check: QueryCheck, remedy: str, **options: t.Any) -> Control:
    return Control(
        id=f"PG-ROLE-{number:03}",
        title=title,
        category="authorization",
        rationale=rationale,
        checks=(check,),
        remedy=remedy,
        activation=LIVE,
        **options,
    )


CONTROLS: t.Final = (
    _control(
        4,
        "Privileges reach people through group roles",
        "Rights given to a person stay when the task moves on; a group role shows who may what, in one place.",
        QueryCheck(
            kind="grants to login roles",
            expected="no privilege on a table or sequence, and no ADMIN OPTION, given to a role that logs in",
            sql="""
SELECT DISTINCT n.nspname || '.' || c.relname || ' granted to ' || r.rolname
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
       pg_catalog.aclexplode(c.relacl) AS a JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
 WHERE n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
   AND r.rolcanlogin AND NOT r.rolsuper AND a.grantee <> c.relowner
UNION
SELECT m.rolname || ' may hand out ' || g.rolname
  FROM pg_catalog.pg_auth_members AS a
  JOIN pg_catalog.pg_roles AS g ON g.oid = a.roleid JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
 WHERE a.admin_option AND m.rolcanlogin AND NOT m.rolsuper ORDER BY 1""",
            scope=EACH_DATABASE,
        ),
        "Grant to a role without LOGIN and make people members of it, with postgresql_roles",
        level=STRICT,
        source=("OG-2.1", "OG-2.2", "TX-2.3.0"),
        references=("CIS-PG17 4.6", "STIG CD16-00-006700"),
    ),
    _control(
        5,
        "PUBLIC makes nothing in a schema",
        "Who can put a function into a schema on others' search_path runs code in their name.",
        QueryCheck(
            kind="schemas open to PUBLIC",
            expected="PUBLIC has no CREATE on a schema, template1's included",
            sql="""
SELECT 'schema ' || n.nspname FROM pg_catalog.pg_namespace AS n,
       pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
 WHERE left(n.nspname, 3) <> 'pg_' AND a.grantee = 0 AND a.privilege_type = 'CREATE' ORDER BY 1""",
            scope=EACH_DATABASE,
        ),
        "REVOKE CREATE ON SCHEMA ... FROM PUBLIC, with postgresql_roles",
        source=("OG-2.1", "TX-2.3.0"),
        references=("CIS-PG17 4.10", "STIG CD16-00-007700", "greenbone openGauss revoking_the_create_permission"),
    ),
    _control(
        6,
        "PUBLIC neither connects to databases nor makes temporary tables",
        "Every role may connect to every database by default, because an unset privilege list means just that.",
        QueryCheck(
            kind="privileges of PUBLIC",
            expected="PUBLIC has no privilege on a database, templates and postgres excepted",
            sql="""
SELECT 'database ' || d.datname || ': ' || a.privilege_type FROM pg_catalog.pg_database AS d,
       pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
 WHERE a.grantee = 0 AND d.datname NOT IN ('template0', 'template1', 'postgres') ORDER BY 1""",
        ),
        "REVOKE ALL ON DATABASE ... FROM PUBLIC, GRANT CONNECT to those in need: postgresql_hardening_strip_public",
        source=("OG-2.1", "TX-2.3.2"),
        references=("STIG CD16-00-006700",),
    ),
    _control(
        7,
        "Nothing is granted to PUBLIC, and nobody but owners hands privileges on",
        "A grant to PUBLIC is a grant to every role that will ever exist.",
        QueryCheck(
            kind="grants to PUBLIC or with GRANT OPTION",
            expected="no table, sequence, column or large object, now or by default, is open to PUBLIC",
            sql="""
SELECT n.nspname || '.' || c.relname || CASE a.grantee WHEN 0 THEN ' granted to PUBLIC' ELSE ' with GRANT OPTION' END
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,
       LATERAL (SELECT c.relacl AS acl UNION ALL SELECT t.attacl FROM pg_catalog.pg_attribute AS t
                 WHERE t.attrelid = c.oid AND NOT t.attisdropped) AS held,
       pg_catalog.aclexplode(held.acl) AS a
 WHERE n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
   AND (a.grantee = 0 OR (a.is_grantable AND a.grantee <> c.relowner))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e WHERE e.objid = c.oid AND e.deptype = 'e')
UNION
SELECT 'large object ' || l.oid || ' granted to PUBLIC'
  FROM pg_catalog.pg_largeobject_metadata AS l, pg_catalog.aclexplode(l.lomacl) AS a WHERE a.grantee = 0
UNION
SELECT 'default privileges of ' || f.defaclrole::regrole || ' grant to PUBLIC'
  FROM pg_catalog.pg_default_acl AS f, pg_catalog.aclexplode(f.defaclacl) AS a
 WHERE a.grantee = 0 AND f.defaclobjtype IN ('r', 'S', 'n') ORDER BY 1""",
            scope=EACH_DATABASE,
        ),
        "REVOKE it with postgresql_roles; ALTER DEFAULT PRIVILEGES for what comes later",
        source=("TX-2.3.0", "TX-2.3.2"),
        references=("devsec postgres-17", "devsec postgres-18", "STIG CD16-00-006700"),
    ),
    _control(
        8,
        "Objects belong to roles that nobody logs in as",
        "An owner can do everything to its tables; an application needs less.",
        QueryCheck(
            kind="objects owned by login roles",
            expected="tables, views and sequences are owned by roles without LOGIN",
            sql="""
SELECT n.nspname || '.' || c.relname || ' is owned by ' || r.rolname
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'information_schema'
   AND left(n.nspname, 3) <> 'pg_' AND r.rolcanlogin AND NOT r.rolsuper
 ORDER BY 1""",
            scope=EACH_DATABASE,
        ),
        "REASSIGN OWNED BY the login role TO an owner role; migrations use SET ROLE",
        level=STRICT,
        source=("OG-2.1", "TX-2.3.3"),
        references=("STIG CD16-00-002900",),
    ),
    _control(
        9,
        "SECURITY DEFINER routines pin their search_path and are not PUBLIC's",
        "Such a routine runs with its owner's rights: with a search_path of the caller's, on the caller's objects.",
        QueryCheck(
            kind="unguarded SECURITY DEFINER routines",
            expected="a fixed search_path, and EXECUTE for named roles only",
            sql="""
SELECT p.oid::regprocedure::text || ' of ' || p.proowner::regrole
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
 WHERE p.prosecdef AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e WHERE e.objid = p.oid AND e.deptype = 'e')
   AND (NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS c WHERE left(c, 12) = 'search_path=')
        OR EXISTS (SELECT FROM pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
                    WHERE a.grantee = 0)) ORDER BY 1""",
            scope=EACH_DATABASE,
        ),
        "ALTER ROUTINE ... SET search_path = pg_catalog, ..., pg_temp; REVOKE EXECUTE FROM PUBLIC",
        source=("OG-2.1", "TX-2.3.3"),
        references=("CIS-PG17 4.5", "STIG CD16-00-006900"),
        conflicts=("devsec postgres-19 (wants none at all)",),
    ),
    _control(
        10,
        "No untrusted language, no extension that reaches files or other servers",
        "They are made to leave the database: what a role does there is no longer bound by its grants.",
        QueryCheck(
            kind="risky languages and extensions",
            expected="none, but for what is declared in extensions",
            sql="""
SELECT 'language ' || lanname FROM pg_catalog.pg_language
 WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c') AND lanname <> ALL (%(extensions)s::name[])
UNION ALL
SELECT 'extension ' || extname FROM pg_catalog.pg_extension
 WHERE extname IN ('adminpack', 'dblink', 'file_fdw', 'lo', 'postgres_fdw', 'pg_surgery', 'pageinspect', 'mysql_fdw',
                   'oracle_fdw', 'tds_fdw', 'http', 'pgsql_http', 'plsh')
   AND extname <> ALL (%(extensions)s::name[])""",
            scope=EACH_DATABASE,
        ),
        "DROP EXTENSION after looking at what depends on it, or declare it",
        source=("TX-2.3.3", "TX-2.5.6"),
        references=("CIS-PG17 1.8", "devsec postgres-04", "devsec postgres-05", "STIG CD16-00-003400"),
    ),
    _control(
        11,
        "No passwords of other servers are stored in clear",
        "User mappings and subscriptions keep them readable, and dumps carry them away.",
        QueryCheck(
            kind="stored passwords",
            expected="no password in a user mapping or a subscription",
            sql="""
SELECT 'user mapping of ' || usename || ' to ' || srvname FROM pg_catalog.pg_user_mappings
 WHERE pg_catalog.array_to_string(umoptions, ' ') ~ 'password='
UNION ALL
SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription
 WHERE subconninfo ~ 'password'
   AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())""",
            scope=EACH_DATABASE,
        ),
        "Use a passfile or a client certificate instead",
        level=STRICT,
        source=("TX-2.2.10",),
    ),
    _control(
        14,
        "Row security holds where it is used",
        "A policy on a table that has row security off does nothing; without FORCE it binds no owner.",
        QueryCheck(
            kind="tables with ineffective row security",
            expected="policies and row security on the same tables, forced where the owner logs in",
            sql="""
SELECT c.oid::regclass::text || CASE WHEN NOT c.relrowsecurity THEN ': policies, but not enabled'
         WHEN NOT p.present THEN ': enabled without a policy' ELSE ': its owner is not bound' END
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner,
       LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid) AS present) AS p
 WHERE c.relkind IN ('r', 'p')
   AND (c.relrowsecurity <> p.present
        OR (c.relrowsecurity AND NOT c.relforcerowsecurity AND r.rolcanlogin AND NOT r.rolsuper))
 ORDER BY 1""",
            scope=EACH_DATABASE,
        ),
        "ALTER TABLE ... ENABLE and FORCE ROW LEVEL SECURITY",
        level=STRICT,
        source=("TX-2.3.0",),
        references=("CIS-PG17 4.7",),
    ),
)
