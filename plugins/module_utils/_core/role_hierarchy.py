# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""One declaration against one server: the plan, in the order it is carried out, and the picture."""

from __future__ import annotations

import dataclasses
import typing as t

from .acl import ObjectKind
from .declaration import Declaration, check_revocations
from .errors import RefusedForSafety
from .names import shown
from .observed_roles import ObservedCluster, ObservedRoles
from .plan import Plan
from .privilege_declaration import COLUMN, DesiredGrant
from .privileges import plan_privileges
from .role_declaration import PRESENT
from .role_graph import RoleGraph, RoleNode
from .role_memberships import OPTIONS, desired_memberships, final_memberships, plan_memberships
from .role_safety import check_roles
from .role_steps import PlanBuilder
from .roles import plan_drops, plan_roles


@dataclasses.dataclass(frozen=True)
class RolesPlan(Plan):
    """A Plan that also knows what goes only because ``exclusive`` is on."""

    revocations: tuple[str, ...] = ()


def plan_hierarchy(declaration: Declaration, observed: ObservedRoles, dialect: t.Any) -> RolesPlan:
    """:param dialect: see RoleDialect, MembershipDialect and OwnerDialect.

    :raises InvalidDeclaration, RefusedForSafety: before anything is changed.
    """
    check_roles(declaration, observed.cluster)
    builder = PlanBuilder()
    plan_roles(declaration, observed.cluster, dialect=dialect, builder=builder)
    plan_memberships(declaration, observed.cluster, dialect=dialect, builder=builder)
    plan_privileges(declaration, observed, dialect=dialect, builder=builder)
    plan_drops(declaration, observed.cluster, builder)
    check_revocations(builder.revocations, declaration.maximum_revocations)
    if builder.changes and observed.cluster.identity.in_recovery:
        raise RefusedForSafety(
            f"this server is a standby and takes none of the {len(builder.changes)} changes", "Run it on the primary"
        )
    return RolesPlan(tuple(builder.changes), tuple(builder.warnings), tuple(builder.revocations))


def hierarchy_graph(declaration: Declaration, cluster: ObservedCluster, kinds: t.Mapping[str, ObjectKind]) -> RoleGraph:
    """The declared roles with all they are members of, as they will be; and what is declared for them in databases."""
    pairs = final_memberships(declaration, cluster)
    names = _reachable(set(declaration.present), pairs)
    desired = desired_memberships(declaration)
    edges = []
    for role, member in sorted(pair for pair in pairs if pair[1] in names and pair[0] in names):
        membership = desired.get((role, member))
        remarks = [
            option.upper() if getattr(membership, option) else f"no {option.upper()}"
            for option in OPTIONS
            if membership and getattr(membership, option) is not None
        ]
        edges.append((role, member, ", ".join(remarks)))
    grants = _grant_edges(declaration, kinds)
    names |= {grantee for grantee, dummy, dummy2 in grants if grantee}
    return RoleGraph(tuple(_node(name, declaration, cluster) for name in sorted(names)), tuple(edges), grants)


def _reachable(names: set[str], pairs: t.Collection[tuple[str, str]]) -> set[str]:
    """With everything the given roles are members of, at any distance."""
    found, fresh = set(names), set(names)
    while fresh:
        fresh = {role for role, member in pairs if member in fresh} - found
        found |= fresh
    return found


def _node(name: str, declaration: Declaration, cluster: ObservedCluster) -> RoleNode:
    declared, observed = declaration.present.get(name), cluster.roles.get(name)
    attributes = {**(observed.attributes if observed else {}), **(declared.attributes if declared else {})}
    return RoleNode(
        name,
        login=attributes.get("login", False),
        superuser=attributes.get("superuser", False),
        human=bool(declared and declared.human),
    )


def _grant_edges(declaration: Declaration, kinds: t.Mapping[str, ObjectKind]) -> tuple[tuple[str, str, str], ...]:
    """One edge per grantee and place: a picture with an edge per table would show nothing."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for database in declaration.databases:
        for grant in (grant for grant in database.grants if grant.state == PRESENT):
            text = _grant_text(grant, kinds)
            for place in [f"{shown(database.name)}.{shown(schema)}" for schema in _places(grant)] or [
                shown(database.name)
            ]:
                for grantee in grant.grantees:
                    found.setdefault((grantee, place), {})[text] = None
    return tuple((grantee, place, "; ".join(texts)) for (grantee, place), texts in sorted(found.items()))


def _places(grant: DesiredGrant) -> tuple[str, ...]:
    return grant.objects.names if grant.objects.kind == "schema" else grant.objects.schemas


def _grant_text(grant: DesiredGrant, kinds: t.Mapping[str, ObjectKind]) -> str:
    kind = COLUMN if grant.objects.columns else grant.objects.kind
    return f"{kind}: {kinds[kind].describe(grant.mask)}"
