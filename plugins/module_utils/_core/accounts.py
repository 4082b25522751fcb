# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Accounts and roles: what has to change in how they log in, what they need for it, and what they are members of."""

from __future__ import annotations

import typing as t

from .account_declaration import PRESENT, DesiredAccount
from .account_grants import AccountsDeclaration
from .account_methods import describe, has_password, target_methods, wanted_password
from .account_safety import dropped_grantees, protected_grantees
from .account_steps import AccountPlanBuilder, Phase, SetPassword, Statement
from .accounts_model import AccountOptions, Grantee, Identity, Membership, Method, ObservedAccount, ObservedServer
from .errors import InvalidDeclaration, MissingRequirement
from .mariadb_passwords import ED25519, NATIVE
from .names import shown
from .role_graph import find_cycle
from .secrets import Secret


class AccountDialect(t.Protocol):
    """The statements this planner asks for; every name arrives unquoted."""

    def create_role(self, grantee: Grantee) -> str: ...

    def create_user(self, grantee: Grantee, methods: t.Sequence[Method], options: AccountOptions) -> str: ...

    def authenticate(self, grantee: Grantee, methods: t.Sequence[Method]) -> str: ...

    def alter_user(self, grantee: Grantee, options: AccountOptions) -> str: ...

    def default_role(self, grantee: Grantee, role: str) -> str: ...

    def grant_role(self, role: str, member: Grantee, *, admin: bool) -> str: ...

    def revoke_role(self, role: str, member: Grantee, *, admin_only: bool) -> str: ...


def plan_accounts(
    declaration: AccountsDeclaration, server: ObservedServer, *, dialect: AccountDialect, builder: AccountPlanBuilder
) -> None:
    """Safety is not judged here: account_safety comes first."""
    for account in declaration.accounts:
        observed = server.accounts.get(account.grantee)
        if account.state != PRESENT:
            continue
        if account.grantee.is_role:
            if observed is None:
                builder.add(account.label, "", "created", Statement(Phase.CREATE, dialect.create_role(account.grantee)))
            continue
        if observed is None:
            _plan_creation(account, server.identity, dialect=dialect, builder=builder)
        else:
            _plan_methods(account, observed, server.identity, dialect=dialect, builder=builder)
            _plan_options(account, observed, dialect=dialect, builder=builder)
        _plan_default_role(account, observed, dialect=dialect, builder=builder)


def _options(account: DesiredAccount) -> AccountOptions:
    return AccountOptions(account.tls, account.limits, account.lifetime, account.locked)


def _plan_creation(
    account: DesiredAccount, identity: Identity, *, dialect: AccountDialect, builder: AccountPlanBuilder
) -> None:
    methods = target_methods(account, None, identity)
    options = _options(account)
    if account.password is not None and methods[0].plugin == NATIVE and account.password_plugin is None:
        builder.warnings.append(f"{account.label} is given mysql_native_password: the server has not loaded {ED25519}")
    step: Statement | SetPassword = Statement(Phase.CREATE, dialect.create_user(account.grantee, methods, options))
    if identity.refuses_hashes and any(method.plugin in (ED25519, NATIVE) for method in methods):
        step = _by_password(account, methods, verb="CREATE")._replace(phase=Phase.CREATE, options=options)
    described = [f"authentication by {describe(methods)}", *(text for dummy, text in _described(options))]
    builder.add(account.label, "", "created with " + ", ".join(described), step)


def _by_password(account: DesiredAccount, methods: tuple[Method, ...], *, verb: str) -> SetPassword:
    """Where the server's password rules refuse hashes."""
    stored = [method for method in methods if method.plugin in (ED25519, NATIVE)]
    if account.password_hash is not None or (verb == "ALTER" and account.password is None) or len(stored) > 1:
        raise MissingRequirement(
            f"{account.label}: the server takes no password hashes while strict_password_validation is on and a plugin "
            "checks passwords",
            "Declare the password itself, so that the server can check it",
        )
    rest = tuple(method for method in methods if method not in stored)
    return SetPassword(Phase.ALTER, verb, account.grantee, stored[0].plugin, account.password or Secret(""), rest)


def _plan_methods(
    account: DesiredAccount,
    observed: ObservedAccount,
    identity: Identity,
    *,
    dialect: AccountDialect,
    builder: AccountPlanBuilder,
) -> None:
    methods = target_methods(account, observed, identity)
    if any(method.plugin == NATIVE and has_password(method) for method in methods):
        builder.warnings.append(f"{account.label} uses mysql_native_password: password_plugin {ED25519} moves it")
    if methods == observed.methods:
        return
    before, after = describe(observed.methods), describe(methods)
    if before == after:
        before, after = f"{before} (another password)", f"{after} (the declared password)"
    step: Statement | SetPassword = Statement(Phase.ALTER, dialect.authenticate(account.grantee, methods))
    if identity.refuses_hashes and any(method.plugin in (ED25519, NATIVE) for method in methods):
        is_in_place = observed.methods[0].plugin == methods[0].plugin and observed.methods[1:] == methods[1:]
        is_password = wanted_password(account, observed, identity) is not None
        step = _by_password(account, methods, verb="" if is_in_place and is_password else "ALTER")
    builder.add(f"{account.label}: authentication", before, after, step)


def _plan_options(
    account: DesiredAccount, observed: ObservedAccount, *, dialect: AccountDialect, builder: AccountPlanBuilder
) -> None:
    present = AccountOptions(
        observed.tls,
        {name: observed.limits.get(name, 0.0) for name in account.limits},
        observed.lifetime,
        observed.locked,
    )
    texts = dict(_described(present))
    for name, after in _described(_options(account)):
        if after != texts[name]:
            change = _only(account, name)
            statement = Statement(Phase.ALTER, dialect.alter_user(account.grantee, change))
            builder.add(f"{account.label}: {name}", texts[name], after, statement)


def _only(account: DesiredAccount, name: str) -> AccountOptions:
    if name in account.limits:
        return AccountOptions(limits={name: account.limits[name]})
    return {
        "tls": AccountOptions(tls=account.tls),
        "password lifetime": AccountOptions(lifetime=account.lifetime),
        "lock": AccountOptions(locked=account.locked),
    }[name]


def _described(options: AccountOptions) -> t.Iterator[tuple[str, str]]:
    if options.tls is not None:
        yield "tls", f"REQUIRE {options.tls.text}"
    for name, value in options.limits.items():
        yield name, f"{name} {number_text(value)}"
    if options.lifetime is not None:
        days = {-1: "the server's default", 0: "for ever"}.get(options.lifetime, f"{options.lifetime} days")
        yield "password lifetime", f"password lifetime {days}"
    if options.locked is not None:
        yield "lock", "locked" if options.locked else "not locked"


def number_text(value: float) -> str:
    """Without digits that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".")


def _plan_default_role(
    account: DesiredAccount, observed: ObservedAccount | None, *, dialect: AccountDialect, builder: AccountPlanBuilder
) -> None:
    present = observed.default_role if observed else ""
    if account.default_role is None or account.default_role == present:
        return
    before, after = (shown(role) if role else "none" for role in (present, account.default_role))
    statement = Statement(Phase.DEFAULT_ROLE, dialect.default_role(account.grantee, account.default_role))
    builder.add(f"{account.label}: default role", before, after, statement)


# Memberships


def final_memberships(declaration: AccountsDeclaration, server: ObservedServer) -> dict[Membership, bool]:
    """With their admin option, as they will be."""
    dropped = dropped_grantees(declaration, server)
    final = {
        membership: admin
        for membership, admin in server.memberships.items()
        if membership.member not in dropped and Grantee(membership.role) not in dropped
    }
    desired = _desired(declaration)
    if declaration.exclusive:
        protected = protected_grantees(declaration, server)
        for membership in list(final):
            if membership.member in protected or not _is_reached(membership, declaration):
                continue
            if membership in desired:
                final[membership] = False
            else:
                del final[membership]
    for membership, wanted in desired.items():
        final[membership] = final.get(membership, False) if wanted is None else wanted
    return final


def _desired(declaration: AccountsDeclaration) -> dict[Membership, bool | None]:
    return {
        Membership(role, account.grantee): admin
        for account in declaration.present.values()
        for role, admin in account.member_of.items()
    }


def _is_reached(membership: Membership, declaration: AccountsDeclaration) -> bool:
    present = declaration.present
    return membership.member in present or Grantee(membership.role) in present


def plan_memberships(
    declaration: AccountsDeclaration, server: ObservedServer, *, dialect: AccountDialect, builder: AccountPlanBuilder
) -> None:
    final = final_memberships(declaration, server)
    circle = find_cycle((pair.member.name, pair.role) for pair in final if pair.member.is_role)
    if circle:
        raise InvalidDeclaration(f"roles would be members of each other: {' -> '.join(map(shown, circle))}")
    for account in declaration.present.values():
        if account.default_role and Membership(account.default_role, account.grantee) not in final:
            raise InvalidDeclaration(
                f"{account.label} is no member of {shown(account.default_role)}, its default role",
                "Add it to member_of",
            )
    dropped = dropped_grantees(declaration, server)
    desired = _desired(declaration)
    for pair in sorted({*final, *server.memberships}):
        if pair.member in dropped or Grantee(pair.role) in dropped:
            continue
        before, after = server.memberships.get(pair), final.get(pair)
        if before == after:
            continue
        if after is None or (before and not after):
            sql = dialect.revoke_role(pair.role, pair.member, admin_only=after is not None)
            if declaration.exclusive and desired.get(pair) is None:
                what = "membership" if after is None else "ADMIN OPTION"
                builder.revocations.append(f"{what} of {pair.member.label} in {shown(pair.role)}")
            step = Statement(Phase.LEAVE, sql)
        else:
            step = Statement(Phase.JOIN, dialect.grant_role(pair.role, pair.member, admin=bool(after)))
        subject = f"membership of {pair.member.label} in {shown(pair.role)}"
        builder.add(subject, _membership_text(before), _membership_text(after), step)


def _membership_text(admin: bool | None) -> str:
    return {None: "", False: "member", True: "member with ADMIN OPTION"}[admin]
