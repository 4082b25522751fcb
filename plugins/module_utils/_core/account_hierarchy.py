# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""From one declaration of accounts, roles and privileges to one plan; and the hierarchy as a picture."""

from __future__ import annotations

import typing as t

from .account_declaration import PRESENT
from .account_grants import AccountsDeclaration, PrivilegeDialect
from .account_methods import has_password, is_open
from .account_privileges import plan_privileges
from .account_safety import check_accounts, dropped_grantees, is_anonymous
from .account_steps import AccountPlanBuilder, Phase, Statement
from .accounts import final_memberships, plan_accounts, plan_memberships
from .accounts_model import COLUMN, EVERYBODY, GLOBAL, Grantee, ObservedServer, Scope
from .declaration import check_revocations
from .mariadb_passwords import NATIVE
from .names import shown
from .role_graph import RoleGraph, RoleNode
from .role_hierarchy import RolesPlan


def plan_account_hierarchy(declaration: AccountsDeclaration, server: ObservedServer, dialect: t.Any) -> RolesPlan:
    """:param dialect: see AccountDialect and PrivilegeDialect.

    :raises InvalidDeclaration, RefusedForSafety: before anything is changed.
    """
    check_accounts(declaration, server, has_public=dialect.has_public)
    builder = AccountPlanBuilder()
    plan_accounts(declaration, server, dialect=dialect, builder=builder)
    plan_memberships(declaration, server, dialect=dialect, builder=builder)
    plan_privileges(declaration, server, dialect=dialect, builder=builder)
    for grantee in sorted(dropped_grantees(declaration, server)):
        builder.add(grantee.label, "present", "", Statement(Phase.DROP, dialect.drop(grantee)))
    check_revocations(builder.revocations, declaration.maximum_revocations)
    return RolesPlan(tuple(builder.changes), tuple(builder.warnings), tuple(builder.revocations))


def weak_authentication(server: ObservedServer) -> list[str]:
    """Accounts that let in too easily. One with unix_socket or PAM and no password is not among them."""
    found = []
    for grantee, account in sorted(server.accounts.items()):
        if grantee.is_role or account.locked:
            continue
        reasons = ["anonymous"] if is_anonymous(grantee) else []
        if any(is_open(method) for method in account.methods):
            reasons.append("no password")
        elif any(method.plugin == NATIVE and has_password(method) for method in account.methods):
            reasons.append(NATIVE)
        if reasons:
            found.append(f"{grantee.label}: {', '.join(reasons)}")
    return found


def account_graph(declaration: AccountsDeclaration, server: ObservedServer, dialect: PrivilegeDialect) -> RoleGraph:
    """What is declared with all it is a member of, as it will be; and what is declared for it in databases."""
    final = final_memberships(declaration, server)
    reached, fresh = set(declaration.present), set(declaration.present)
    while fresh:
        fresh = {Grantee(pair.role) for pair in final if pair.member in fresh} - reached
        reached |= fresh
    edges = [
        (_key(Grantee(pair.role)), _key(pair.member), "ADMIN" if admin else "")
        for pair, admin in sorted(final.items())
        if pair.member in reached
    ]
    grants: dict[tuple[Grantee, str], dict[str, None]] = {}
    places = [(f"{shown(database.name)}", grant) for database in declaration.databases for grant in database.grants]
    for place, grant in [*(("all databases", grant) for grant in declaration.global_grants), *places]:
        kind = COLUMN if grant.columns else grant.kind
        for grantee in grant.grantees if grant.state == PRESENT else ():
            grants.setdefault((grantee, place), {})[f"{kind}: {dialect.describe(grant.mask, kind)}"] = None
            reached.add(grantee)
    administrators = server.held.get(Scope(GLOBAL), {})
    everything = dialect.mask_of(["ALL"], GLOBAL, "")
    nodes = tuple(
        RoleNode(
            _key(grantee),
            login=not grantee.is_role,
            superuser=administrators.get(grantee, 0) & everything == everything,
        )
        for grantee in sorted(reached - {EVERYBODY})
    )
    lines = tuple((_key(grantee), place, "; ".join(texts)) for (grantee, place), texts in sorted(grants.items()))
    return RoleGraph(nodes, tuple(edges), lines)


def _key(grantee: Grantee) -> str:
    """The graph's name of it; PUBLIC is empty there."""
    if grantee == EVERYBODY:
        return ""
    return grantee.name if grantee.is_role else f"{grantee.name}@{grantee.host}"
