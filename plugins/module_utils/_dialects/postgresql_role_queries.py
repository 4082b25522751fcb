# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The catalogue queries behind PostgreSQL's roles and privileges: a handful per database, whatever its size."""

from __future__ import annotations

import typing as t

PREPARE: t.Final = "SET search_path = pg_catalog; SET lock_timeout = {seconds}000; SET timezone = 'UTC'"

# One run at a time: the number is arbitrary, and ours.
ADVISORY_LOCK: t.Final = "SELECT pg_advisory_lock(7215104519840377)"

IDENTITY: t.Final = """
SELECT session_user::text,
       (SELECT rolname::text FROM pg_roles WHERE oid = 10),
       (SELECT rolsuper FROM pg_roles WHERE rolname = session_user),
       pg_is_in_recovery(),
       has_table_privilege('pg_authid', 'SELECT'),
       to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"')
"""

_ROLES = """
SELECT r.rolname::text, r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication, r.rolbypassrls,
       r.rolinherit, r.rolconnlimit,
       CASE WHEN isfinite(r.rolvaliduntil) THEN to_char(r.rolvaliduntil, 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"') END,
       coalesce(shobj_description(r.oid, 'pg_authid'), ''), {verifier}
FROM {catalog} r
"""
# In the order of the columns above.
ROLE_ATTRIBUTES: t.Final = ("login", "superuser", "createdb", "createrole", "replication", "bypassrls", "inherit")

SETTINGS: t.Final = """
SELECT coalesce(d.datname::text, ''), r.rolname::text, s.setconfig
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
"""

DATABASES: t.Final = "SELECT datname::text, pg_get_userbyid(datdba)::text, datacl::text, datallowconn FROM pg_database"

PARAMETERS: t.Final = "SELECT lower(name), context FROM pg_settings"

# What keeps roles from being dropped, of the whole cluster; and the databases in which there is more.
SHARED_DEPENDENCIES: t.Final = """
SELECT r.rolname::text, s.deptype::text, coalesce(d.datname::text, ''), s.classid::regclass::text,
       CASE WHEN s.dbid = 0 THEN pg_describe_object(s.classid, s.objid, s.objsubid) END
FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY (%s)
"""

DATABASE_DEPENDENCIES: t.Final = """
SELECT r.rolname::text, s.deptype::text, s.classid::regclass::text,
       pg_describe_object(s.classid, s.objid, s.objsubid), s.objid::int8
FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = ANY (%s)
  AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

# Privileges in these catalogues are revoked by plan; those in others keep the role from being dropped.
REVOCABLE_CATALOGUES: t.Final = frozenset(
    {
        "pg_class", "pg_proc", "pg_namespace", "pg_type", "pg_language", "pg_foreign_data_wrapper", "pg_foreign_server",
        "pg_default_acl", "pg_database", "pg_auth_members",
    }
)  # fmt: skip

_SYSTEM = "(n.nspname ~ '^pg_' OR n.nspname = 'information_schema')"
_SCOPE = f"(NOT {_SYSTEM} OR n.nspname = ANY (%(schemas)s) OR {{alias}}.oid = ANY (%(oids)s::oid[]))"
_OF_EXTENSION = "{alias}.oid IN (SELECT objid FROM pg_depend WHERE classid = '{catalog}'::regclass AND deptype = 'e')"


def _in_schema(
    catalog: str, alias: str, prefix: str, *, extra: str = "''", where: str = "true", joins: str = ""
) -> str:
    """Columns: schema, name, owner, ACL, exempt, extra."""
    exempt = f"{_SYSTEM} OR {_OF_EXTENSION.format(alias=alias, catalog=catalog)}"
    return f"""
SELECT n.nspname::text, {alias}.{prefix}name::text, pg_get_userbyid({alias}.{prefix}owner)::text,
       {alias}.{prefix}acl::text, {exempt}, {extra}
FROM {catalog} {alias} JOIN pg_namespace n ON n.oid = {alias}.{prefix}namespace {joins}
WHERE {where} AND {_SCOPE.format(alias=alias)}
"""


def _of_database(catalog: str, prefix: str) -> str:
    of_extension = _OF_EXTENSION.format(alias="o", catalog=catalog)
    return f"""
SELECT '', o.{prefix}name::text, pg_get_userbyid(o.{prefix}owner)::text, o.{prefix}acl::text,
       o.oid < 16384 OR {of_extension}, ''
FROM {catalog} o
"""


_LINKED_TABLE = """
LEFT JOIN pg_depend l ON l.classid = 'pg_class'::regclass AND l.objid = c.oid AND l.objsubid = 0
     AND l.refclassid = 'pg_class'::regclass AND l.deptype IN ('a', 'i') AND l.refobjsubid > 0
LEFT JOIN pg_class lc ON lc.oid = l.refobjid
"""

# The schema public has a system's oid, but is everybody's to manage.
_SCHEMAS = """
SELECT '', n.nspname::text, pg_get_userbyid(n.nspowner)::text, n.nspacl::text,
       n.nspname ~ '^pg_' OR n.nspname = 'information_schema'
         OR n.oid IN (SELECT objid FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND deptype = 'e'), ''
FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast|temp)'
"""

# Array types and the row types of tables have no privileges of their own.
_GRANTABLE_TYPES = """y.typtype IN ('b', 'c', 'd', 'e', 'r') AND NOT (y.typelem <> 0 AND y.typlen = -1)
  AND (y.typrelid = 0 OR (SELECT c.relkind FROM pg_class c WHERE c.oid = y.typrelid) = 'c')"""

# By kind; each takes the parameters schemas (of the system, that were named) and oids, and answers like _in_schema.
OBJECTS: t.Final[dict[str, str]] = {
    "schema": _SCHEMAS,
    "table": _in_schema("pg_class", "c", "rel", where="c.relkind IN ('r', 'p', 'v', 'm', 'f')"),
    "sequence": _in_schema(
        "pg_class", "c", "rel", where="c.relkind = 'S'", joins=_LINKED_TABLE, extra="coalesce(lc.relname::text, '')"
    ),
    "routine": _in_schema(
        "pg_proc", "p", "pro",
        extra="(SELECT coalesce(string_agg(format_type(a.type, NULL), ', ' ORDER BY a.place), '')"
        " FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place))",
    ),
    "type": _in_schema("pg_type", "y", "typ", where=_GRANTABLE_TYPES),
    "language": _of_database("pg_language", "lan"),
    "foreign_data_wrapper": _of_database("pg_foreign_data_wrapper", "fdw"),
    "foreign_server": _of_database("pg_foreign_server", "srv"),
}  # fmt: skip

# Columns with an ACL, and all columns of tables whose names were asked for.
COLUMNS: t.Final = """
SELECT n.nspname::text, c.relname::text, a.attname::text, a.attacl::text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND (a.attacl IS NOT NULL OR c.relname = ANY (%(tables)s) OR %(all_tables)s)
"""

DEFAULT_ACLS: t.Final = """
SELECT pg_get_userbyid(d.defaclrole)::text, coalesce(n.nspname::text, ''), d.defaclobjtype::text, d.defaclacl::text
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
"""


def packed(query: str, width: int) -> str:
    """The same rows as one JSON text: a driver in pure Python spends most of its time on single cells.

    :param width: number of the query's columns.
    """
    names = ", ".join(f"c{number}" for number in range(width))
    return f"SELECT coalesce(json_agg(packed), '[]')::text FROM ({query}) packed ({names})"


def roles(*, verifiers: bool) -> str:
    if verifiers:
        return _ROLES.format(catalog="pg_authid", verifier="r.rolpassword")
    return _ROLES.format(catalog="pg_roles", verifier="NULL")


def memberships(*, options: bool) -> str:
    more = "m.inherit_option, m.set_option" if options else "NULL::boolean, NULL::boolean"
    return f"""
SELECT pg_get_userbyid(m.roleid)::text, pg_get_userbyid(m.member)::text, pg_get_userbyid(m.grantor)::text,
       m.admin_option, {more}
FROM pg_auth_members m
"""
