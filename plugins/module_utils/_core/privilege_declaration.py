# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The declared databases with their grants, default privileges and owners: validated, normalised, as data."""

from __future__ import annotations

import dataclasses
import typing as t

from .acl import BIT, PUBLIC_GRANTEE, ObjectKind
from .declared_fields import Fields
from .errors import InvalidDeclaration
from .names import PUBLIC, is_pattern, near_miss, shown
from .role_declaration import ABSENT, PRESENT

ALL: t.Final = "ALL"
COLUMN: t.Final = "column"

_DATABASE_KEYS = ("name", "owner", "grants", "default_privileges", "ownership")
_GRANT_KEYS = ("to", "privileges", "type", "schemas", "names", "columns", "grant_option", "state")
_DEFAULT_KEYS = ("owner", "to", "privileges", "type", "schemas", "grant_option", "state")
_OWNERSHIP_KEYS = ("owner", "type", "schemas", "names")


@dataclasses.dataclass(frozen=True)
class ObjectSelection:
    """Which objects are meant. ``schemas`` and ``names`` may hold patterns; ``columns`` never."""

    kind: str
    schemas: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class DesiredGrant:
    """:param grantees: role names; an empty one is PUBLIC.
    :param mask: privileges as bits of the kind, or of its columns.
    :param grant_option: None leaves it as it is.
    """

    where: str
    objects: ObjectSelection
    grantees: tuple[str, ...]
    mask: int
    grant_option: bool | None = None
    state: str = PRESENT


@dataclasses.dataclass(frozen=True)
class DesiredDefault:
    """What is granted on objects that ``owner`` makes from now on. ``schemas`` empty: in all of the database."""

    where: str
    owner: str
    kind: str
    grantees: tuple[str, ...]
    mask: int
    schemas: tuple[str, ...] = ()
    grant_option: bool | None = None
    state: str = PRESENT


@dataclasses.dataclass(frozen=True)
class DesiredOwnership:
    where: str
    owner: str
    objects: ObjectSelection


@dataclasses.dataclass(frozen=True)
class DesiredDatabase:
    """:param name: a name, or a pattern with ``*``."""

    name: str
    owner: str | None = None
    grants: tuple[DesiredGrant, ...] = ()
    default_privileges: tuple[DesiredDefault, ...] = ()
    ownership: tuple[DesiredOwnership, ...] = ()

    @property
    def looks_inside(self) -> bool:
        """Whether a connection to the database itself is needed."""
        return bool(self.default_privileges or self.ownership) or any(
            grant.objects.kind != "database" for grant in self.grants
        )


class PrivilegeDialect(t.Protocol):
    """What the parser asks a dialect."""

    kinds: t.Mapping[str, ObjectKind]

    def check_name(self, name: str) -> None: ...

    def explain_missing_privilege(self, kind: str, privilege: str) -> str: ...


def parse_databases(entries: t.Sequence[t.Any], dialect: PrivilegeDialect) -> tuple[DesiredDatabase, ...]:
    """Raises InvalidDeclaration for the first mistake found."""
    databases: dict[str, DesiredDatabase] = {}
    for index, entry in enumerate(entries):
        database = _parse_database(Fields(entry, where=f"databases[{index}]", known=_DATABASE_KEYS), dialect)
        if database.name in databases:
            raise InvalidDeclaration(f"database {shown(database.name)} is declared twice", "Merge both entries")
        databases[database.name] = database
    return tuple(databases.values())


def _parse_database(fields: Fields, dialect: PrivilegeDialect) -> DesiredDatabase:
    name = fields.required_text("name")
    if not is_pattern(name):
        dialect.check_name(name)
    fields.where = f"database {shown(name)}"

    def parsed(key: str, known: tuple[str, ...], parse: t.Callable[..., t.Any]) -> tuple[t.Any, ...]:
        return tuple(
            parse(Fields(entry, where=f"{fields.where}: {key}[{index}]", known=known), dialect)
            for index, entry in enumerate(fields.items(key))
        )

    owner = fields.text("owner")
    return DesiredDatabase(
        name,
        owner=_role_name(owner, dialect, where=fields.where) if owner else None,
        grants=parsed("grants", _GRANT_KEYS, _parse_grant),
        default_privileges=parsed("default_privileges", _DEFAULT_KEYS, _parse_default),
        ownership=parsed("ownership", _OWNERSHIP_KEYS, _parse_ownership),
    )


def _parse_grant(fields: Fields, dialect: PrivilegeDialect) -> DesiredGrant:
    grantable = [kind for kind in dialect.kinds if kind != COLUMN]
    objects = _parse_selection(fields, dialect, kind=fields.choice("type", grantable, default="database"))
    state = fields.choice("state", (PRESENT, ABSENT), default=PRESENT)
    return DesiredGrant(
        where=fields.where,
        objects=objects,
        grantees=_parse_grantees(fields, dialect),
        mask=_parse_privileges(fields, dialect, kind=COLUMN if objects.columns else objects.kind),
        grant_option=_parse_grant_option(fields, state),
        state=state,
    )


def _parse_selection(fields: Fields, dialect: PrivilegeDialect, *, kind: str) -> ObjectSelection:
    selection = ObjectSelection(kind, fields.texts("schemas"), fields.texts("names"), fields.texts("columns"))
    in_schema = dialect.kinds[kind].in_schema
    if kind == "database":
        if selection.names or selection.schemas:
            raise InvalidDeclaration(f"{fields.where} grants on the database itself, so it takes no names or schemas")
    elif not selection.names:
        raise InvalidDeclaration(f"{fields.where} lacks names", 'Name the objects, or write ["*"] for all of them')
    if in_schema and not selection.schemas:
        raise InvalidDeclaration(f"{fields.where} lacks schemas", f"Objects of type {kind} live in a schema")
    if selection.schemas and not in_schema:
        raise InvalidDeclaration(f"{fields.where}: objects of type {kind} live in no schema", "Put the names in names")
    if selection.columns and kind != "table":
        raise InvalidDeclaration(f"{fields.where}: only objects of type table have columns")
    for name in (*selection.schemas, *selection.names, *selection.columns):
        # A routine may be written with its arguments, which makes it longer than a name may be.
        if not is_pattern(name) and kind != "routine":
            dialect.check_name(name)
    return selection


def _parse_default(fields: Fields, dialect: PrivilegeDialect) -> DesiredDefault:
    kinds = [name for name, kind in dialect.kinds.items() if kind.default_letter]
    kind = fields.choice("type", kinds)
    state = fields.choice("state", (PRESENT, ABSENT), default=PRESENT)
    schemas = fields.texts("schemas")
    if kind == "schema" and schemas:
        raise InvalidDeclaration(f"{fields.where}: default privileges on schemas can't be limited to schemas")
    owner, grantees = fields.required_text("owner"), _parse_grantees(fields, dialect)
    mask = _parse_privileges(fields, dialect, kind=kind)
    if state == ABSENT and schemas and PUBLIC_GRANTEE in grantees and mask & dialect.kinds[kind].public_default:
        raise InvalidDeclaration(
            f"{fields.where} can't take from PUBLIC in one schema what PUBLIC is given in all of them",
            "Leave schemas out: PostgreSQL adds per-schema default privileges to the global ones",
        )
    return DesiredDefault(
        fields.where,
        _role_name(owner, dialect, where=fields.where),
        kind,
        grantees,
        mask,
        schemas=schemas,
        grant_option=_parse_grant_option(fields, state),
        state=state,
    )


def _parse_ownership(fields: Fields, dialect: PrivilegeDialect) -> DesiredOwnership:
    ownable = [kind for kind in dialect.kinds if kind not in (COLUMN, "database")]
    kind = fields.choice("type", ownable)
    owner = _role_name(fields.required_text("owner"), dialect, where=fields.where)
    return DesiredOwnership(fields.where, owner, _parse_selection(fields, dialect, kind=kind))


def _parse_grantees(fields: Fields, dialect: PrivilegeDialect) -> tuple[str, ...]:
    names = fields.texts("to")
    if not names:
        raise InvalidDeclaration(f"{fields.where} lacks to", "Name roles, or PUBLIC")
    grantees = [
        PUBLIC_GRANTEE if name.upper() == PUBLIC else _role_name(name, dialect, where=fields.where) for name in names
    ]
    if PUBLIC_GRANTEE in grantees and fields.flag("grant_option"):
        raise InvalidDeclaration(f"{fields.where}: PUBLIC can't hold a grant option")
    return tuple(dict.fromkeys(grantees))


def _role_name(name: str, dialect: PrivilegeDialect, *, where: str) -> str:
    if name.upper() == PUBLIC:
        raise InvalidDeclaration(f"{where}: PUBLIC is no role, so it can't own anything")
    dialect.check_name(name)
    return name


def _parse_grant_option(fields: Fields, state: str) -> bool | None:
    option = fields.flag("grant_option")
    if option is not None and state == ABSENT:
        raise InvalidDeclaration(
            f"{fields.where} is absent, so it takes no grant_option",
            "To take the grant option alone: state present, grant_option false",
        )
    return option


def _parse_privileges(fields: Fields, dialect: PrivilegeDialect, *, kind: str) -> int:
    known = dialect.kinds[kind]
    mask = 0
    for text in fields.texts("privileges"):
        name = " ".join(text.upper().split())
        name = {"TEMP": "TEMPORARY", "ALL PRIVILEGES": ALL}.get(name, name)
        if name == ALL:
            mask |= known.all_mask
        elif name in known.privileges:
            mask |= BIT[known.privileges[name]]
        else:
            hint = dialect.explain_missing_privilege(kind, name) or near_miss(name, (*known.privileges, ALL))
            raise InvalidDeclaration(
                f"{fields.where}: there is no privilege {text!r} on a {kind}",
                hint or f"There are {', '.join(known.privileges)} and {ALL}",
            )
    if not mask:
        raise InvalidDeclaration(f"{fields.where} lacks privileges", f"Of {', '.join(known.privileges)}, or {ALL}")
    return mask
