# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

"""A small model of what a server does with a plan's steps, so that planners are tested without one.

Its dialect writes statements as JSON that the model reads; what the model refuses, PostgreSQL refuses too.
"""

import dataclasses
import datetime
import json
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._core.acl import (
    BIT,
    AclItem,
    ObjectKind,
    change_owner,
    parse_acl,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.object_privileges import read_items
from ansible_collections.bulwark.database.plugins.module_utils._core.observed_roles import (
    DefaultAcl,
    Identity,
    ObservedCluster,
    ObservedDatabase,
    ObservedMembership,
    ObservedRole,
    ObservedRoles,
    ServerObject,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan
from ansible_collections.bulwark.database.plugins.module_utils._core.role_declaration import ATTRIBUTES
from ansible_collections.bulwark.database.plugins.module_utils._core.role_steps import (
    DropRole,
    Phase,
    Privileges,
    SetPassword,
    Statement,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.scram import make_verifier
from ansible_collections.bulwark.database.plugins.module_utils._dialects.postgresql_roles import (
    PostgreSQLRolesDialect,
)

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.timezone.utc)
IDENTITY = Identity("postgres", "postgres", NOW)


class ModelDialect(PostgreSQLRolesDialect):
    """Statements as JSON: [operation, arguments ...]."""

    def create_role(self, name: str, attributes: t.Mapping[str, bool], **rest: t.Any) -> str:
        return json.dumps(["create", name, dict(attributes), rest])

    def alter_role(self, name: str, attributes: t.Mapping[str, bool], **rest: t.Any) -> str:
        return json.dumps(["alter", name, dict(attributes), rest])

    def comment_on_role(self, name: str, comment: str) -> str:
        return json.dumps(["alter", name, {}, {"comment": comment}])

    def clear_password(self, name: str) -> str:
        return json.dumps(["clear", name])

    def set_for_role(self, role: str, parameter: str, value: t.Sequence[str] | None, *, database: str) -> str:
        return json.dumps(["set", role, parameter, value, database])

    def grant_membership(self, role: str, member: str, options: t.Mapping[str, bool]) -> str:
        return json.dumps(["join", role, member, dict(options)])

    def revoke_membership(self, row: ObservedMembership, *, option: str = "") -> str:
        return json.dumps(["leave", list(row), option])

    def alter_owner(self, target: ServerObject, owner: str) -> str:
        return json.dumps(["own", list(target), owner])


def role(name: str, **attributes: t.Any) -> ObservedRole:
    fields = {key: attributes.pop(key) for key in list(attributes) if key not in ATTRIBUTES}
    return ObservedRole(name, {**dict.fromkeys(ATTRIBUTES, False), "inherit": True, **attributes}, **fields)


def cluster(*roles: ObservedRole, **fields: t.Any) -> ObservedCluster:
    postgres = role("postgres", login=True, superuser=True, createrole=True, createdb=True, bypassrls=True)
    everyone = {one.name: one for one in (postgres, *roles)}
    databases = fields.pop("databases", {"shop": ServerObject("database", "", "shop", "postgres")})
    return ObservedCluster(fields.pop("identity", IDENTITY), everyone, databases=databases, **fields)


class Model:
    """The state of a server; ``observed()`` is what reading it would give."""

    def __init__(self, observed: ObservedRoles, dialect: ModelDialect) -> None:
        self.cluster = observed.cluster
        self.dialect = dialect
        self.roles = dict(observed.cluster.roles)
        self.memberships = list(observed.cluster.memberships)
        self.databases = dict(observed.cluster.databases)
        self.settings = {key: dict(value) for key, value in observed.cluster.settings.items()}
        self.inside = {
            name: (
                {item._replace(owner="", acl=None): item for item in database.objects},
                {key: dict(columns) for key, columns in database.columns.items()},
                dict(database.defaults),
            )
            for name, database in observed.databases.items()
        }

    def observed(self) -> ObservedRoles:
        after = dataclasses.replace(
            self.cluster,
            roles=dict(self.roles),
            memberships=tuple(self.memberships),
            databases=dict(self.databases),
            settings=self.settings,
        )
        inside = {
            name: ObservedDatabase(name, tuple(objects.values()), columns, defaults)
            for name, (objects, columns, defaults) in self.inside.items()
        }
        return ObservedRoles(after, inside)

    def apply(self, plan: Plan) -> None:
        steps = [step for change in plan for step in change.payload]
        drops = [step for step in steps if isinstance(step, DropRole)]
        rest = [step for step in steps if not isinstance(step, DropRole)]
        for step in sorted(rest, key=_order):
            if isinstance(step, Statement):
                operation, *arguments = json.loads(step.sql)
                getattr(self, f"_{operation}")(*arguments)
            elif isinstance(step, SetPassword):
                verifier = make_verifier(step.password, salt=b"0" * 16)
                self.roles[step.role] = dataclasses.replace(self.roles[step.role], verifier=verifier)
            else:
                self._privileges(step)
        for drop in drops:
            self._drop(drop.role)

    def _create(self, name: str, attributes: dict[str, bool], rest: dict[str, t.Any]) -> None:
        assert name not in self.roles
        self.roles[name] = role(name, **attributes)
        self._alter(name, {}, rest)

    def _alter(self, name: str, attributes: dict[str, bool], rest: dict[str, t.Any]) -> None:
        old = self.roles[name]
        given = {key: value for key, value in rest.items() if value is not None}
        if given.get("valid_until") == "infinity":
            given["valid_until"] = None
        self.roles[name] = dataclasses.replace(old, attributes={**old.attributes, **attributes}, **given)

    def _clear(self, name: str) -> None:
        self.roles[name] = dataclasses.replace(self.roles[name], verifier=None)

    def _set(self, name: str, parameter: str, value: list[str] | None, database: str) -> None:
        stored = self.settings.setdefault((database, name), {})
        if value is None:
            stored.pop(parameter, None)
        else:
            stored[parameter] = ", ".join(value)

    def _join(self, group: str, member: str, options: dict[str, bool]) -> None:
        assert group in self.roles
        assert member in self.roles
        if not self.dialect.has_membership_options:
            rows = [row for row in self.memberships if (row.role, row.member) == (group, member)]
            admin = options.get("admin", False) or any(row.admin for row in rows)
            self.memberships = [row for row in self.memberships if row not in rows]
            self.memberships.append(ObservedMembership(group, member, "postgres", admin))
            return
        found = [row for row in self.memberships if row[:3] == (group, member, "postgres")]
        old = found[0] if found else ObservedMembership(group, member, "postgres", False, True, True)
        self.memberships = [row for row in self.memberships if row not in found]
        self.memberships.append(old._replace(**options))

    def _leave(self, fields: list[t.Any], option: str) -> None:
        row = ObservedMembership(*fields)
        if not self.dialect.has_membership_options:
            row = next(other for other in self.memberships if other[:2] == row[:2])
        current = next(other for other in self.memberships if other[:3] == row[:3])
        self.memberships.remove(current)
        if option:
            self.memberships.append(current._replace(**{option: False}))
        if self.dialect.has_membership_options and option in ("", "admin"):
            admins = {other.member for other in self.memberships if other.role == row.role and other.admin}
            hanging = [
                other
                for other in self.memberships
                if other.role == row.role and other.grantor == row.member and other.grantor not in admins
            ]
            assert not hanging, f"dependent privileges exist: {hanging}"

    def _own(self, fields: list[t.Any], owner: str) -> None:
        target = ServerObject(*fields)
        assert owner in self.roles
        if target.kind == "database":
            self.databases[target.name] = self._with_owner(self.databases[target.name], owner)
            return
        for objects, columns, dummy in self.inside.values():
            key = target._replace(owner="", acl=None)
            if key in objects:
                objects[key] = self._with_owner(objects[key], owner)
                for column, acl in columns.get((target.schema, target.name), {}).items():
                    if acl is not None and target.kind == "table":
                        items = change_owner(parse_acl(acl), target.owner, owner)
                        columns[target.schema, target.name][column] = print_acl(items)

    def _with_owner(self, target: ServerObject, owner: str) -> ServerObject:
        acl = target.acl and print_acl(change_owner(parse_acl(target.acl), target.owner, owner))
        return target._replace(owner=owner, acl=acl)

    def _privileges(self, step: Privileges) -> None:
        if isinstance(step.target, DefaultAcl):
            defaults = self.inside[step.database][2]
            kind, owner = self.dialect.kinds[step.target.kind], step.target.owner
            missing = "{}" if step.target.schema else None
            defaults[step.target] = _changed(defaults.get(step.target, missing), kind, owner, step)
        elif step.target.kind == "database":
            old = self.databases[step.target.name]
            kind = self.dialect.kinds["database"]
            self.databases[step.target.name] = old._replace(acl=_changed(old.acl, kind, old.owner, step))
        else:
            self._object_privileges(step, step.target)

    def _object_privileges(self, step: Privileges, target: ServerObject) -> None:
        objects, columns, dummy = self.inside[step.database]
        key = target._replace(owner="", acl=None)
        of_table = columns.get((target.schema, target.name), {})
        owner = objects[key].owner
        if step.column:
            kind = self.dialect.kinds["column"]
            of_table[step.column] = _changed(of_table.get(step.column), kind, owner, step)
            return
        kind = self.dialect.kinds[target.kind]
        objects[key] = objects[key]._replace(acl=_changed(objects[key].acl, kind, owner, step))
        if target.kind == "table" and step.phase is Phase.REVOKE:
            for column, acl in of_table.items():
                if acl is not None:
                    of_table[column] = _changed(acl, self.dialect.kinds["column"], owner, step)

    def _drop(self, name: str) -> None:
        texts = [target.acl or "" for target in self.databases.values()]
        for objects, columns, defaults in self.inside.values():
            texts += [target.acl or "" for target in objects.values()]
            texts += [acl or "" for of_table in columns.values() for acl in of_table.values()]
            texts += list(defaults.values())
        left = [item for text in texts if text for item in parse_acl(text) if name in (item.grantee, item.grantor)]
        assert not left, f"role {name} still has privileges: {left}"
        assert all(row.grantor != name for row in self.memberships)
        self.memberships = [row for row in self.memberships if name not in (row.role, row.member)]
        del self.roles[name]


def _order(step: t.Any) -> tuple[int, int, int]:
    if isinstance(step, SetPassword):
        return (int(Phase.ALTER), 0, 0)
    depth = -getattr(step, "depth", 0)
    return (int(step.phase), depth, bool(getattr(step, "column", "")))


def _changed(acl: str | None, kind: ObjectKind, owner: str, step: Privileges) -> str:
    items = {(item.grantee, item.grantor): item for item in read_items(acl, kind, owner)}
    if acl is None and kind.name != "column":
        items[owner, owner] = AclItem(owner, kind.all_mask, 0, owner)
    grantor = step.acting_as or owner
    old = items.get((step.grantee, grantor), AclItem(step.grantee, 0, 0, grantor))
    if step.phase is Phase.REVOKE:
        mask = old.mask if step.option else old.mask & ~step.mask
        new = old._replace(mask=mask, options=old.options & ~step.mask)
    else:
        assert step.grantee or not step.option, "PUBLIC can't hold a grant option"
        new = old._replace(mask=old.mask | step.mask, options=old.options | (step.mask if step.option else 0))
    items[step.grantee, grantor] = new
    remaining = [item for item in items.values() if item.mask]
    if step.phase is Phase.REVOKE:
        held = {}
        for item in remaining:
            held[item.grantee] = held.get(item.grantee, 0) | item.options
        for item in remaining:
            if item.grantor != owner:
                assert not item.mask & ~held.get(item.grantor, 0), f"dependent privileges exist: {item}"
    return print_acl(tuple(remaining))


def print_acl(items: t.Iterable[AclItem]) -> str:
    """For plain names only."""
    texts = []
    for item in items:
        letters = "".join(
            letter + ("*" if item.options & bit else "") for letter, bit in BIT.items() if item.mask & bit
        )
        texts.append(f"{item.grantee}={letters}/{item.grantor}")
    return "{" + ",".join(texts) + "}"
