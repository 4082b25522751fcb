# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The declared privileges on a MariaDB server: validated, normalised, as data."""

from __future__ import annotations

import dataclasses
import typing as t

from .account_declaration import ABSENT, PRESENT, DesiredAccount, parse_grantee
from .accounts_model import COLUMN, DATABASE, GLOBAL, ROUTINES, TABLE, Grantee
from .declared_fields import Fields
from .errors import InvalidDeclaration
from .names import shown

GRANT_TYPES: t.Final = (DATABASE, TABLE, *ROUTINES)
_DATABASE_KEYS = ("name", "pattern", "grants")
_GLOBAL_KEYS = ("to", "privileges", "grant_option", "state")
_GRANT_KEYS = (*_GLOBAL_KEYS, "type", "names", "columns")


class PrivilegeDialect(t.Protocol):
    """Privileges are bits; every kind of scope takes some of them."""

    grant_option: int

    def mask_of(self, privileges: t.Sequence[str], kind: str, where: str) -> int: ...

    def describe(self, mask: int, kind: str) -> str: ...

    def database_pattern(self, name: str) -> str: ...

    def fold(self, name: str) -> str: ...


@dataclasses.dataclass(frozen=True)
class DesiredGrant:
    """:param names: of tables or routines, with patterns. :param option: None leaves the grant option as it is."""

    where: str
    kind: str
    grantees: tuple[Grantee, ...]
    mask: int
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    option: bool | None = None
    state: str = PRESENT


@dataclasses.dataclass(frozen=True)
class DesiredDatabase:
    """:param stored: the name as the server stores it in grants on databases: a pattern, or with wildcards escaped."""

    name: str
    stored: str
    is_pattern: bool
    grants: tuple[DesiredGrant, ...] = ()


@dataclasses.dataclass(frozen=True)
class AccountsDeclaration:
    """:param accounts: roles, too.
    :param exclusive: what is not declared within reach of the declaration is revoked.
    """

    accounts: tuple[DesiredAccount, ...] = ()
    databases: tuple[DesiredDatabase, ...] = ()
    global_grants: tuple[DesiredGrant, ...] = ()
    exclusive: bool = False
    maximum_revocations: int = 50
    protected: frozenset[Grantee] = frozenset()
    remove_anonymous: bool = False
    remove_remote_root: bool = False
    remove_test_database: bool = False

    @property
    def present(self) -> dict[Grantee, DesiredAccount]:
        return {account.grantee: account for account in self.accounts if account.state == PRESENT}

    @property
    def absent(self) -> frozenset[Grantee]:
        return frozenset(account.grantee for account in self.accounts if account.state == ABSENT)

    def grants(self) -> t.Iterator[DesiredGrant]:
        yield from self.global_grants
        for database in self.databases:
            yield from database.grants


def parse_databases(entries: t.Sequence[t.Any], dialect: PrivilegeDialect) -> tuple[DesiredDatabase, ...]:
    return tuple(_parse_database(entry, index, dialect) for index, entry in enumerate(entries))


def parse_global_grants(entries: t.Sequence[t.Any], dialect: PrivilegeDialect) -> tuple[DesiredGrant, ...]:
    return tuple(
        _parse_grant(Fields(entry, where=f"global_grants[{index}]", known=_GLOBAL_KEYS), GLOBAL, dialect)
        for index, entry in enumerate(entries)
    )


def _parse_database(entry: t.Any, index: int, dialect: PrivilegeDialect) -> DesiredDatabase:
    fields = Fields(entry, where=f"databases[{index}]", known=_DATABASE_KEYS)
    name = dialect.fold(fields.required_text("name"))
    fields.where = f"database {shown(name)}"
    is_pattern = bool(fields.flag("pattern"))
    if len(name) > 64 or any(c == "\0" or ord(c) > 0xFFFF for c in name):
        raise InvalidDeclaration(f"{fields.where}: MariaDB takes no such name")
    stored = name if is_pattern else dialect.database_pattern(name)
    if len(stored) > 64:
        raise InvalidDeclaration(
            f"{fields.where}: with its wildcards escaped the name has {len(stored)} characters, grants take 64",
            "Say pattern true, if it may stand for other names, too",
        )
    grants = []
    for number, inner in enumerate(fields.items("grants")):
        grant = Fields(inner, where=f"{fields.where}: grants[{number}]", known=_GRANT_KEYS)
        kind = grant.choice("type", GRANT_TYPES, default=DATABASE)
        if is_pattern and kind != DATABASE:
            raise InvalidDeclaration(f"{grant.where}: only grants on databases take a pattern", "Name the database")
        grants.append(_parse_grant(grant, kind, dialect))
    return DesiredDatabase(name, stored, is_pattern, tuple(grants))


def _parse_grant(fields: Fields, kind: str, dialect: PrivilegeDialect) -> DesiredGrant:
    names, columns = fields.texts("names"), fields.texts("columns")
    names = tuple(map(dialect.fold, names)) if kind == TABLE else names
    if kind in (GLOBAL, DATABASE) and names:
        raise InvalidDeclaration(f"{fields.where}: names are for tables and routines", "Say which by type")
    if kind not in (GLOBAL, DATABASE) and not names:
        raise InvalidDeclaration(f"{fields.where} lacks names")
    if columns and kind != TABLE:
        raise InvalidDeclaration(f"{fields.where}: only tables have columns")
    option = fields.flag("grant_option")
    if columns and option is not None:
        raise InvalidDeclaration(
            f"{fields.where}: MariaDB knows no grant option on columns", "Declare it on the table, without columns"
        )
    grantees = tuple(
        dict.fromkeys(parse_grantee(entry, f"{fields.where}: to[{i}]") for i, entry in enumerate(fields.items("to")))
    )
    privileges = fields.texts("privileges")
    if not grantees or not privileges:
        raise InvalidDeclaration(f"{fields.where} lacks {'privileges' if grantees else 'to'}")
    state = fields.choice("state", (PRESENT, ABSENT), default=PRESENT)
    if state == ABSENT and option is not None:
        raise InvalidDeclaration(f"{fields.where}: grant_option has no meaning where privileges are revoked")
    mask = dialect.mask_of(privileges, COLUMN if columns else kind, fields.where)
    return DesiredGrant(fields.where, kind, grantees, mask, names, columns, option, state)
