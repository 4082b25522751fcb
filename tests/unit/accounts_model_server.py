# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

"""A small model of what a MariaDB server does with a plan's steps, so that planners are tested without one.

Its dialect writes account statements as JSON that the model reads; privileges arrive as the steps they are. What the
model refuses, MariaDB refuses too.
"""

import dataclasses
import json
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._core.account_steps import PrivilegeStep, Statement
from ansible_collections.bulwark.database.plugins.module_utils._core.accounts_model import (
    BITS,
    COLUMN,
    GLOBAL,
    TABLE,
    AccountOptions,
    Grantee,
    Identity,
    Membership,
    Method,
    ObservedAccount,
    ObservedServer,
    Scope,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_accounts import (
    MariaDBAccountsDialect,
)

ROOT = Grantee("root", "localhost")
PLUGINS = frozenset({"ed25519", "mysql_native_password", "unix_socket", "pam"})
IDENTITY = Identity(ROOT, plugins=PLUGINS)
SOCKET = (Method("unix_socket"),)


class ModelDialect(MariaDBAccountsDialect):
    """Statements as JSON: [operation, arguments ...]."""

    def create_role(self, grantee: Grantee) -> str:
        return json.dumps(["create", grantee, [], None])

    def create_user(self, grantee: Grantee, methods: t.Sequence[Method], options: AccountOptions) -> str:
        return json.dumps(["create", grantee, _methods(methods), _options(options)])

    def authenticate(self, grantee: Grantee, methods: t.Sequence[Method]) -> str:
        return json.dumps(["authenticate", grantee, _methods(methods)])

    def alter_user(self, grantee: Grantee, options: AccountOptions) -> str:
        return json.dumps(["alter", grantee, _options(options)])

    def default_role(self, grantee: Grantee, role: str) -> str:
        return json.dumps(["default", grantee, role])

    def drop(self, grantee: Grantee) -> str:
        return json.dumps(["drop", grantee])

    def grant_role(self, role: str, member: Grantee, *, admin: bool) -> str:
        return json.dumps(["join", role, member, admin])

    def revoke_role(self, role: str, member: Grantee, *, admin_only: bool) -> str:
        return json.dumps(["leave", role, member, admin_only])


def _methods(methods: t.Sequence[Method]) -> list[tuple[str, str]]:
    return [(method.plugin, method.text.reveal()) for method in methods]


def _options(options: AccountOptions) -> dict[str, t.Any]:
    return {"limits": dict(options.limits), "lifetime": options.lifetime, "locked": options.locked}


def server(*grantees: Grantee, **fields: t.Any) -> ObservedServer:
    accounts = {ROOT: ObservedAccount(ROOT, SOCKET)}
    accounts.update({one: ObservedAccount(one, () if one.is_role else SOCKET) for one in grantees})
    everything = {Scope(GLOBAL): {ROOT: sum(BITS.values())}}
    return ObservedServer(
        fields.pop("identity", IDENTITY),
        {**accounts, **fields.pop("accounts", {})},
        fields.pop("memberships", {}),
        {**everything, **fields.pop("held", {})},
        databases=fields.pop("databases", frozenset({"shop"})),
        objects={("table", "shop"): {"t", "u"}, ("function", "shop"): {"f"}},
        columns={("shop", "t"): {"a", "b"}, ("shop", "u"): {"a"}},
        **fields,
    )


class Model:
    """The state of a server; ``observed`` is what reading it would give."""

    def __init__(self, observed: ObservedServer) -> None:
        self._first = observed
        self.accounts = dict(observed.accounts)
        self.memberships = dict(observed.memberships)
        self.held = {scope: dict(by_grantee) for scope, by_grantee in observed.held.items()}

    @property
    def observed(self) -> ObservedServer:
        held = {scope: {who: mask for who, mask in found.items() if mask} for scope, found in self.held.items()}
        return dataclasses.replace(
            self._first, accounts=dict(self.accounts), memberships=dict(self.memberships), held=held
        )

    def apply(self, plan: Plan) -> Model:
        """Steps in the order of the dialect's statements."""
        steps = [step for change in plan for step in change.payload]
        for step in sorted(steps, key=lambda step: step.phase):
            if isinstance(step, PrivilegeStep):
                self._privilege(step)
            else:
                assert isinstance(step, Statement)
                operation, *arguments = json.loads(step.sql)
                getattr(self, f"_{operation}")(*arguments)
        return self

    def _privilege(self, step: PrivilegeStep) -> None:
        by_grantee = self.held.setdefault(step.scope, {})
        assert step.grantee in self.accounts or step.grantee == Grantee("PUBLIC")
        have = by_grantee.get(step.grantee, 0)
        if not step.revoke:
            by_grantee[step.grantee] = have | step.mask
            return
        assert have & step.mask == step.mask, "There is no such grant defined"
        by_grantee[step.grantee] = have & ~step.mask
        if step.scope.kind == TABLE:  # takes the same privileges on columns along
            for scope, found in self.held.items():
                if scope.kind == COLUMN and scope[1:3] == step.scope[1:3]:
                    found[step.grantee] = found.get(step.grantee, 0) & ~step.mask

    def _create(self, entry: list[str], methods: list[list[str]], options: dict[str, t.Any] | None) -> None:
        grantee = Grantee(*entry)
        assert grantee not in self.accounts
        self.accounts[grantee] = ObservedAccount(grantee, _read_methods(methods))
        if options:
            self._alter(entry, options)

    def _authenticate(self, entry: list[str], methods: list[list[str]]) -> None:
        grantee = Grantee(*entry)
        self.accounts[grantee] = dataclasses.replace(self.accounts[grantee], methods=_read_methods(methods))

    def _alter(self, entry: list[str], options: dict[str, t.Any]) -> None:
        grantee = Grantee(*entry)
        present = self.accounts[grantee]
        given = {key: value for key, value in options.items() if value is not None and key != "limits"}
        limits = {**present.limits, **options["limits"]}
        self.accounts[grantee] = dataclasses.replace(present, limits=limits, **given)

    def _default(self, entry: list[str], role: str) -> None:
        grantee = Grantee(*entry)
        assert not role or Membership(role, grantee) in self.memberships, "has not been granted role"
        self.accounts[grantee] = dataclasses.replace(self.accounts[grantee], default_role=role)

    def _drop(self, entry: list[str]) -> None:
        grantee = Grantee(*entry)
        del self.accounts[grantee]
        for found in self.held.values():
            found.pop(grantee, None)
        self.memberships = {
            pair: admin for pair, admin in self.memberships.items() if grantee not in (pair.member, Grantee(pair.role))
        }

    def _join(self, role: str, entry: list[str], admin: bool) -> None:
        assert Grantee(role) in self.accounts
        pair = Membership(role, Grantee(*entry))
        self.memberships[pair] = self.memberships.get(pair, False) or admin

    def _leave(self, role: str, entry: list[str], admin_only: bool) -> None:
        pair = Membership(role, Grantee(*entry))
        assert pair in self.memberships
        if admin_only:
            self.memberships[pair] = False
        else:
            del self.memberships[pair]


def _read_methods(methods: list[list[str]]) -> tuple[Method, ...]:
    return tuple(Method(plugin, Secret(text)) for plugin, text in methods)
