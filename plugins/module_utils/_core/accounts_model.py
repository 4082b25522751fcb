# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Accounts, roles and what they are granted on a MariaDB server: the nouns of declaration, observation and plan."""

from __future__ import annotations

import dataclasses
import typing as t

from .names import PUBLIC, shown
from .secrets import Secret

GLOBAL: t.Final = "global"
DATABASE: t.Final = "database"
TABLE: t.Final = "table"
COLUMN: t.Final = "column"
ROUTINES: t.Final = ("function", "procedure", "package", "package_body")

# In the order of the server's own bits, as mysql.global_priv holds them under "access".
PRIVILEGES: t.Final = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "SHUTDOWN", "PROCESS", "FILE", "GRANT OPTION",
    "REFERENCES", "INDEX", "ALTER", "SHOW DATABASES", "SUPER", "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE",
    "REPLICATION SLAVE", "BINLOG MONITOR", "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER",
    "EVENT", "TRIGGER", "CREATE TABLESPACE", "DELETE HISTORY", "SET USER", "FEDERATED ADMIN", "CONNECTION ADMIN",
    "READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "BINLOG ADMIN", "BINLOG REPLAY",
    "SLAVE MONITOR", "SHOW CREATE ROUTINE",
)  # fmt: skip
BITS: t.Final = {name: 1 << index for index, name in enumerate(PRIVILEGES)}


class Grantee(t.NamedTuple):
    """An account, or a role, which has no host."""

    name: str
    host: str = ""

    @property
    def is_role(self) -> bool:
        return not self.host

    @property
    def text(self) -> str:
        return shown(self.name) if self.is_role else f"{shown(self.name)}@{_shown_host(self.host)}"

    @property
    def label(self) -> str:
        if self == EVERYBODY:
            return PUBLIC
        return f"{'role' if self.is_role else 'account'} {self.text}"


EVERYBODY: t.Final = Grantee(PUBLIC)


def _shown_host(host: str) -> str:
    is_plain = host.isascii() and all(character.isalnum() or character in ".:%_-/" for character in host)
    return host if is_plain else shown(host)


class Scope(t.NamedTuple):
    """Where a privilege holds. ``database`` is a pattern as the server stores it for the kind ``database`` only."""

    kind: str
    database: str = ""
    name: str = ""
    column: str = ""

    @property
    def label(self) -> str:
        if self.kind == GLOBAL:
            return "global"
        place = f"database {shown(self.database)}"
        if self.kind == DATABASE:
            return place
        if self.kind == COLUMN:
            return f"{place}: table {shown(self.name)} column {shown(self.column)}"
        return f"{place}: {self.kind.replace('_', ' ')} {shown(self.name)}"


class Method(t.NamedTuple):
    """One way to authenticate. :param text: what the plugin is told: a hash, a PAM service, nothing."""

    plugin: str
    text: Secret = Secret("")


@dataclasses.dataclass(frozen=True)
class Tls:
    """What a login has to bring. :param kind: ``none``, ``ssl``, ``x509`` or ``specified``."""

    kind: str = "none"
    subject: str = ""
    issuer: str = ""
    cipher: str = ""

    @property
    def text(self) -> str:
        details = {"SUBJECT": self.subject, "ISSUER": self.issuer, "CIPHER": self.cipher}
        given = [f"{name} {value!r}" for name, value in details.items() if value]
        return " AND ".join(given) if given else self.kind.upper()


@dataclasses.dataclass(frozen=True)
class AccountOptions:
    """What an account has besides its methods; None for what is not spoken of.

    :param lifetime: of the password in days; 0 never expires, -1 is the server's own.
    """

    tls: Tls | None = None
    limits: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    lifetime: int | None = None
    locked: bool | None = None


@dataclasses.dataclass(frozen=True)
class ObservedAccount:
    """A row of mysql.global_priv."""

    grantee: Grantee
    methods: tuple[Method, ...] = ()
    tls: Tls = Tls()
    locked: bool = False
    lifetime: int = -1
    limits: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    default_role: str = ""


class Membership(t.NamedTuple):
    role: str
    member: Grantee


class Definition(t.NamedTuple):
    """Something that runs with the rights of an account. :param text: such as ``view shop.v``."""

    definer: Grantee
    text: str


@dataclasses.dataclass(frozen=True)
class Identity:
    """:param login: the account that the server takes this session for.
    :param is_encrypted: whether the session uses TLS.
    :param is_galera: whether the server replicates by wsrep.
    :param plugins: names of the authentication plugins that are loaded.
    :param refuses_hashes: strict_password_validation is on and there is a plugin that wants to see passwords.
    """

    login: Grantee
    is_encrypted: bool = False
    is_galera: bool = False
    plugins: frozenset[str] = frozenset()
    refuses_hashes: bool = False


@dataclasses.dataclass(frozen=True)
class ObservedServer:
    """:param objects: (kind, database) to the names of its tables or routines.
    :param columns: (database, table) to the names of its columns.
    """

    identity: Identity
    accounts: t.Mapping[Grantee, ObservedAccount]
    memberships: t.Mapping[Membership, bool]
    held: t.Mapping[Scope, t.Mapping[Grantee, int]]
    databases: frozenset[str] = frozenset()
    objects: t.Mapping[tuple[str, str], t.Collection[str]] = dataclasses.field(default_factory=dict)
    columns: t.Mapping[tuple[str, str], t.Collection[str]] = dataclasses.field(default_factory=dict)
    definitions: tuple[Definition, ...] = ()
    test_objects: tuple[str, ...] = ()

    def with_definitions(self, definitions: t.Iterable[Definition]) -> ObservedServer:
        return dataclasses.replace(self, definitions=tuple(definitions))
