# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Privileges and owners in a database: the declaration spread over the objects it means, compared with their ACLs."""

from __future__ import annotations

import typing as t

from .acl import AclItem, ObjectKind, change_owner
from .declaration import Declaration, protected_roles
from .errors import InvalidDeclaration
from .names import PUBLIC, is_pattern, literal, near_miss, shown
from .object_privileges import NOTHING_WANTED, Difference, Reach, Wanted, plan_column, plan_object, read_items
from .object_selection import ObjectIndex
from .observed_roles import DefaultAcl, ObservedCluster, ObservedDatabase, ObservedRoles, ServerObject
from .privilege_declaration import COLUMN, DesiredDatabase, DesiredDefault
from .role_declaration import ABSENT
from .role_steps import CLUSTER, Phase, PlanBuilder, Privileges, Statement

_Key = t.Union[ServerObject, DefaultAcl]


class OwnerDialect(t.Protocol):
    kinds: t.Mapping[str, ObjectKind]

    def alter_owner(self, target: ServerObject, owner: str) -> str: ...


def plan_privileges(
    declaration: Declaration, observed: ObservedRoles, *, dialect: OwnerDialect, builder: PlanBuilder
) -> None:
    """First the databases as objects of the cluster, then what is inside each of them."""
    cluster = observed.cluster
    matching = declaration.databases_matching(cluster.databases, cluster.closed_databases)
    _check_databases(declaration, cluster)
    protected = protected_roles(declaration, cluster)
    for name, target in cluster.databases.items():
        entries = matching.get(name, [])
        reach = Reach(declaration.exclusive and bool(entries), protected, declaration.absent)
        if entries or reach.absent:
            _plan_database_itself(target, entries, reach, dialect=dialect, builder=builder)
    for name, database in observed.databases.items():
        entries = matching.get(name, [])
        reach = Reach(declaration.exclusive and bool(entries), protected, declaration.absent)
        _DatabasePlanner(database, dialect, builder).plan(entries, reach)


def _check_databases(declaration: Declaration, cluster: ObservedCluster) -> None:
    for desired in declaration.databases:
        name = literal(desired.name)
        if is_pattern(desired.name):
            continue
        if name not in cluster.databases:
            raise InvalidDeclaration(
                f"there is no database {shown(name)}",
                near_miss(name, cluster.databases) or "Create it first: this module manages roles, not databases",
            )
        if name in cluster.closed_databases and desired.looks_inside:
            raise InvalidDeclaration(
                f"database {shown(name)} takes no connections, so nothing inside it can be managed",
                "Declare its owner and its own privileges only",
            )


def _plan_database_itself(
    target: ServerObject, entries: list[DesiredDatabase], reach: Reach, *, dialect: OwnerDialect, builder: PlanBuilder
) -> None:
    owners = {entry.owner for entry in entries if entry.owner}
    if len(owners) > 1:
        raise InvalidDeclaration(f"database {shown(target.name)} is given {len(owners)} owners: {', '.join(owners)}")
    wanted = Wanted()
    for entry in entries:
        for grant in entry.grants:
            if grant.objects.kind == "database":
                _spread(wanted, grant)
    label = f"database {shown(target.name)}"
    owner = next(iter(owners), target.owner)
    if owner != target.owner:
        statement = Statement(CLUSTER, Phase.OWN, dialect.alter_owner(target, owner))
        builder.add(f"{label}: owner", shown(target.owner), shown(owner), statement)
    kind = dialect.kinds["database"]
    items = change_owner(read_items(target.acl, kind, target.owner), target.owner, owner)
    _refuse_contradictions(wanted, kind, label)
    for difference in plan_object(items, owner, wanted, reach):
        _add(builder, difference, kind=kind, label=label, target=target, column="", database=CLUSTER)


class _Grantable(t.Protocol):
    """What a DesiredGrant and a DesiredDefault have in common."""

    @property
    def grantees(self) -> tuple[str, ...]: ...
    @property
    def mask(self) -> int: ...
    @property
    def grant_option(self) -> bool | None: ...
    @property
    def state(self) -> str: ...


def _spread(wanted: Wanted, grant: _Grantable) -> None:
    for grantee in grant.grantees:
        if grant.state == ABSENT:
            wanted.take(grantee, grant.mask)
        else:
            wanted.give(grantee, grant.mask, grant_option=grant.grant_option)


def _refuse_contradictions(wanted: Wanted, kind: ObjectKind, label: str) -> None:
    if not wanted.taken and not wanted.options:
        return
    for grantee, mask in wanted.contradictions().items():
        raise InvalidDeclaration(
            f"{label}: {kind.describe(mask)} for {shown(grantee or PUBLIC)} is declared both present and absent",
            "A wildcard may reach further than it was meant to",
        )


def _add(
    builder: PlanBuilder,
    difference: Difference,
    *,
    kind: ObjectKind,
    label: str,
    target: _Key,
    column: str,
    database: str,
) -> None:
    grantee = difference.grantee
    steps = [
        Privileges(
            database, Phase.REVOKE if revoke else Phase.GRANT, target, column, grantee, mask, option, acting_as, depth
        )
        for revoke, mask, option, acting_as, depth in difference.steps
    ]
    before, after = kind.describe(*difference.before), kind.describe(*difference.after)
    if before == after:
        after += " (granted anew)"
    who = shown(difference.grantee or PUBLIC)
    builder.add(f"{label}: privileges of {who}", before, after, *steps)
    if difference.is_exclusive:
        gone, options = (old & ~new for old, new in zip(difference.before, difference.after))
        parts = [kind.describe(gone)] if gone else []
        parts += [f"grant option for {kind.describe(options & ~gone)}"] if options & ~gone else []
        if parts:
            builder.revocations.append(f"{label}: {', '.join(parts)} from {who}")


class _DatabasePlanner:
    """Plans the inside of one database."""

    def __init__(self, database: ObservedDatabase, dialect: OwnerDialect, builder: PlanBuilder) -> None:
        self._database = database
        self._dialect = dialect
        self._builder = builder
        self._index = ObjectIndex(database)
        self._prefix = f"database {shown(database.name)}: "
        self._owners: dict[ServerObject, str] = {}
        self._wanted: dict[ServerObject, Wanted] = {}
        self._columns: dict[tuple[str, str], dict[str, Wanted]] = {}

    def plan(self, entries: list[DesiredDatabase], reach: Reach) -> None:
        self._plan_owners(entries)
        for entry in entries:
            for grant in entry.grants:
                if grant.objects.kind != "database":
                    self._spread_grant(grant)
        for target, wanted in self._wanted.items():
            if wanted.taken or wanted.options:
                _refuse_contradictions(wanted, self._dialect.kinds[target.kind], self._label(target))
        everything = reach.exclusive or bool(reach.absent)
        for target in self._database.objects if everything else self._wanted:
            self._plan_object(target, reach)
        self._plan_defaults([default for entry in entries for default in entry.default_privileges], reach)

    def _label(self, target: ServerObject, column: str = "") -> str:
        return self._prefix + (f"column {shown(column)} of " if column else "") + self._index.label(target)

    def _plan_owners(self, entries: list[DesiredDatabase]) -> None:
        for ownership in (ownership for entry in entries for ownership in entry.ownership):
            for target, is_literal in self._index.select(ownership.objects, where=ownership.where):
                if target.linked_to:
                    if is_literal:
                        raise InvalidDeclaration(
                            f"{ownership.where}: {self._index.label(target)} is table {shown(target.linked_to)}'s",
                            "Its owner is always the table's: declare the table",
                        )
                    continue
                if self._owners.setdefault(target, ownership.owner) != ownership.owner:
                    raise InvalidDeclaration(f"{self._label(target)} is given two owners")
        for target, owner in self._owners.items():
            if owner != target.owner:
                sql = self._dialect.alter_owner(target, owner)
                statement = Statement(self._database.name, Phase.OWN, sql)
                self._builder.add(f"{self._label(target)}: owner", shown(target.owner), shown(owner), statement)
        tables = {
            (target.schema, target.name): owner for target, owner in self._owners.items() if target.kind == "table"
        }
        for target in self._database.objects:
            if target.linked_to and (target.schema, target.linked_to) in tables:
                self._owners[target] = tables[target.schema, target.linked_to]

    def _spread_grant(self, grant: t.Any) -> None:
        # The inner loops run once per declared privilege: 20,000 times in a large declaration.
        columns = grant.objects.columns
        for target, dummy in self._index.select(grant.objects, where=grant.where):
            if not columns:
                wanted = self._wanted.get(target)
                if wanted is None:
                    wanted = self._wanted[target] = Wanted()
                _spread(wanted, grant)
                continue
            self._index.check_columns(target, columns, where=grant.where)
            of_table = self._columns.setdefault((target.schema, target.name), {})
            for column in columns:
                _spread(of_table.setdefault(column, Wanted()), grant)
            self._wanted.setdefault(target, Wanted())

    def _items(self, target: ServerObject, acl: str | None, kind: ObjectKind) -> tuple[tuple[AclItem, ...], str]:
        items = read_items(acl, kind, target.owner)
        owner = self._owners.get(target, target.owner)
        return (items if owner == target.owner else change_owner(items, target.owner, owner)), owner

    def _plan_object(self, target: ServerObject, reach: Reach) -> None:
        kind = self._dialect.kinds[target.kind]
        own_reach = Reach(False, reach.protected, reach.absent) if target.exempt else reach
        items, owner = self._items(target, target.acl, kind)
        differences = plan_object(items, owner, self._wanted.get(target, NOTHING_WANTED), own_reach)
        label = self._label(target) if differences else ""
        for difference in differences:
            _add(
                self._builder, difference, kind=kind, label=label, target=target, column="",
                database=self._database.name,
            )  # fmt: skip
        if target.kind == "table":
            self._plan_columns(target, own_reach, differences)

    def _plan_columns(self, table: ServerObject, reach: Reach, of_table: list[Difference]) -> None:
        """Revoking on a table takes the same privileges on its columns, so what was held is what is left of it."""
        key = (table.schema, table.name)
        declared, observed = self._columns.get(key, {}), self._database.columns.get(key, {})
        if not declared and not observed:
            return
        kind = self._dialect.kinds[COLUMN]
        for column in sorted({*declared, *(name for name, acl in observed.items() if acl is not None)}):
            wanted = declared.get(column, NOTHING_WANTED)
            label = self._label(table, column)
            _refuse_contradictions(wanted, kind, label)
            items, owner = self._items(table, observed.get(column), kind)
            for difference in plan_column(items, owner, wanted, reach=reach, of_table=of_table):
                _add(
                    self._builder, difference, kind=kind, label=label, target=table, column=column,
                    database=self._database.name,
                )  # fmt: skip

    def _plan_defaults(self, defaults: list[DesiredDefault], reach: Reach) -> None:
        wanted: dict[DefaultAcl, Wanted] = {}
        for default in defaults:
            for schema in self._default_schemas(default):
                _spread(wanted.setdefault(DefaultAcl(default.owner, schema, default.kind), Wanted()), default)
        observed = self._database.defaults
        keys = {**wanted, **observed} if reach.exclusive or reach.absent else wanted
        for key in sorted(keys):
            kind = self._dialect.kinds[key.kind]
            label = self._prefix + _default_label(key)
            _refuse_contradictions(wanted.get(key, NOTHING_WANTED), kind, label)
            acl = observed.get(key)
            items: tuple[AclItem, ...] = () if key.schema and acl is None else read_items(acl, kind, key.owner)
            for difference in plan_object(items, key.owner, wanted.get(key, NOTHING_WANTED), reach):
                _add(
                    self._builder, difference, kind=kind, label=label, target=key, column="",
                    database=self._database.name,
                )  # fmt: skip

    def _default_schemas(self, default: DesiredDefault) -> list[str]:
        return self._index.schemas(default.schemas, where=default.where) if default.schemas else [""]


def _default_label(key: DefaultAcl) -> str:
    place = f" in schema {shown(key.schema)}" if key.schema else ""
    return f"default privileges on future objects of type {key.kind} made by {shown(key.owner)}{place}"
