# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a server says about its roles, databases and privileges, as data. Read by _io, judged by the planners."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .secrets import Secret


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who we are on which server.

    :param login: the role that logged in (session_user).
    :param bootstrap: name of the superuser with oid 10.
    :param now: the server's clock, so that nothing here needs one.
    :param reads_verifiers: whether pg_authid may be read.
    """

    login: str
    bootstrap: str
    now: datetime.datetime
    superuser: bool = True
    in_recovery: bool = False
    reads_verifiers: bool = True


@dataclasses.dataclass(frozen=True)
class ObservedRole:
    """:param attributes: all of role_declaration.ATTRIBUTES.
    :param valid_until: as role_declaration.moment_text makes it; None for never.
    """

    name: str
    attributes: t.Mapping[str, bool]
    connection_limit: int = -1
    valid_until: str | None = None
    comment: str = ""
    verifier: Secret | None = None

    @property
    def is_predefined(self) -> bool:
        return self.name.startswith("pg_")


class ObservedMembership(t.NamedTuple):
    """``inherit`` and ``set`` are None on servers that have no such options (before PostgreSQL 16)."""

    role: str
    member: str
    grantor: str
    admin: bool
    inherit: bool | None = None
    set: bool | None = None


class ServerObject(t.NamedTuple):
    """Something that privileges are granted on.

    :param arguments: of a routine, as the server prints them; types outside pg_catalog are qualified and quoted.
    :param acl: raw text; None where there is none yet and defaults hold.
    :param exempt: of the system or of an extension: wildcards and ``exclusive`` pass it by.
    :param linked_to: the table a sequence belongs to and changes its owner with.
    """

    kind: str
    schema: str
    name: str
    owner: str
    acl: str | None = None
    arguments: str = ""
    exempt: bool = False
    linked_to: str = ""


class DefaultAcl(t.NamedTuple):
    """What an owner grants on objects made from now on; an empty schema stands for the whole database."""

    owner: str
    schema: str
    kind: str


class Dependency(t.NamedTuple):
    """Something that keeps a role from being dropped. An empty database: it belongs to the whole cluster."""

    role: str
    database: str
    description: str


@dataclasses.dataclass(frozen=True)
class ObservedCluster:
    """:param settings: (database or empty, role) to parameter to value.
    :param databases: all of them, as objects.
    :param closed_databases: those that take no connections.
    :param parameters: every known parameter in lower case to its context; only read when settings are declared.
    :param dependencies: what roles to be dropped own, or hold in a way that only the user can undo.
    """

    identity: Identity
    roles: t.Mapping[str, ObservedRole]
    memberships: tuple[ObservedMembership, ...] = ()
    settings: t.Mapping[tuple[str, str], t.Mapping[str, str]] = dataclasses.field(default_factory=dict)
    databases: t.Mapping[str, ServerObject] = dataclasses.field(default_factory=dict)
    closed_databases: frozenset[str] = frozenset()
    parameters: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    dependencies: tuple[Dependency, ...] = ()


@dataclasses.dataclass(frozen=True)
class ObservedDatabase:
    """:param columns: (schema, table) to column to raw ACL; columns without an ACL are there only where asked for."""

    name: str
    objects: tuple[ServerObject, ...] = ()
    columns: t.Mapping[tuple[str, str], t.Mapping[str, str | None]] = dataclasses.field(default_factory=dict)
    defaults: t.Mapping[DefaultAcl, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ObservedRoles:
    """The whole: the cluster, and the databases that were looked into."""

    cluster: ObservedCluster
    databases: t.Mapping[str, ObservedDatabase] = dataclasses.field(default_factory=dict)
