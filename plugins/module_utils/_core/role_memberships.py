# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Memberships: who is to be a member of what, with PostgreSQL 16's ADMIN, INHERIT and SET.

From 16 on a membership may have been granted several times, by different grantors, and every such row has options of
its own; what counts is their union. Rows granted by somebody who loses ADMIN OPTION have to go before it does.
"""

from __future__ import annotations

import typing as t

from .declaration import Declaration, protected_roles
from .errors import InvalidDeclaration
from .names import shown
from .observed_roles import ObservedCluster, ObservedMembership
from .role_declaration import DesiredMembership
from .role_graph import find_cycle
from .role_steps import CLUSTER, Phase, PlanBuilder, Statement

OPTIONS: t.Final = ("admin", "inherit", "set")
_Pair = tuple[str, str]


class MembershipDialect(t.Protocol):
    """``has_membership_options``: whether there are INHERIT and SET, and one row per grantor (16 and newer)."""

    has_membership_options: bool

    def grant_membership(self, role: str, member: str, options: t.Mapping[str, bool]) -> str: ...

    def revoke_membership(self, row: ObservedMembership, *, option: str = "") -> str: ...


def plan_memberships(
    declaration: Declaration, cluster: ObservedCluster, *, dialect: MembershipDialect, builder: PlanBuilder
) -> None:
    desired = desired_memberships(declaration)
    if not dialect.has_membership_options:
        _refuse_new_options(desired)
    rows = _rows_by_pair(cluster)
    exclusive = _exclusive_pairs(declaration, cluster, desired=desired)
    doomed = {row for pair in exclusive for row in rows[pair]}
    if dialect.has_membership_options:  # before, a grantor is only noted and may be dropped
        doomed |= {row for row in cluster.memberships if row.grantor in declaration.absent}
    implied = _undeclared_admins(declaration, cluster, desired=desired)
    weakened = _weakened(desired, rows, implied=implied)
    if dialect.has_membership_options:
        doomed |= _dependents(cluster.memberships, doomed, weakened)
    _check_cycles(desired, [row for row in cluster.memberships if (row.role, row.member) not in exclusive])
    depth = _depths(cluster.memberships)
    pairs = dict.fromkeys([*desired, *sorted((row.role, row.member) for row in doomed)])
    for pair in sorted(pairs, key=lambda pair: -max((depth[row] for row in rows.get(pair, ())), default=0)):
        gone = sorted((row for row in rows.get(pair, ()) if row in doomed), key=lambda row: -depth[row])
        # The server drops a role's memberships with the role, but for those that stand in the way of something else.
        is_kept = pair not in exclusive and not declaration.absent & set(pair)
        _plan_pair(
            pair, desired.get(pair), rows=rows.get(pair, []), gone=gone, builder=builder, dialect=dialect,
            weakened=[option for option in OPTIONS if (pair, option) in weakened],
            is_kept=is_kept,
        )  # fmt: skip
        if pair in exclusive:
            builder.revocations.append(f"membership of {shown(pair[1])} in {shown(pair[0])}")
        elif pair in implied and (pair, "admin") in weakened:
            builder.revocations.append(f"ADMIN OPTION of {shown(pair[1])} in {shown(pair[0])}")


def desired_memberships(declaration: Declaration) -> dict[_Pair, DesiredMembership]:
    return {
        (membership.role, role.name): membership
        for role in declaration.present.values()
        for membership in role.member_of
    }


def final_memberships(declaration: Declaration, cluster: ObservedCluster) -> set[_Pair]:
    """(role, member) as they will be after a run."""
    desired = desired_memberships(declaration)
    exclusive = _exclusive_pairs(declaration, cluster, desired=desired)
    observed = {(row.role, row.member) for row in cluster.memberships} - exclusive
    return {pair for pair in observed | set(desired) if not declaration.absent & set(pair)}


def _refuse_new_options(desired: t.Mapping[_Pair, DesiredMembership]) -> None:
    for (role, member), membership in desired.items():
        asked = [name for name in ("inherit", "set") if getattr(membership, name) is not None]
        if asked:
            raise InvalidDeclaration(
                f"membership of {shown(member)} in {shown(role)}: {' and '.join(asked)} need PostgreSQL 16 or newer",
                "Before 16 the member's own attribute inherit decides; memberships know admin only",
            )


def _rows_by_pair(cluster: ObservedCluster) -> dict[_Pair, list[ObservedMembership]]:
    rows: dict[_Pair, list[ObservedMembership]] = {}
    for row in cluster.memberships:
        rows.setdefault((row.role, row.member), []).append(row)
    return rows


def _exclusive_pairs(declaration: Declaration, cluster: ObservedCluster, *, desired: t.Collection[_Pair]) -> set[_Pair]:
    """Undeclared memberships that touch a declared role, as member or as group."""
    if not declaration.exclusive:
        return set()
    protected, present = protected_roles(declaration, cluster), declaration.present
    return {
        (row.role, row.member)
        for row in cluster.memberships
        if (row.role in present or row.member in present)
        and (row.role, row.member) not in desired
        and row.member not in protected
        and not declaration.absent & {row.role, row.member}
        and not _is_implicit(row, cluster)
    }


def _is_implicit(row: ObservedMembership, cluster: ObservedCluster) -> bool:
    """From 16 on whoever creates a role by CREATEROLE is given ADMIN on it by the bootstrap superuser, and no more."""
    member = cluster.roles.get(row.member)
    return bool(
        row.admin
        and row.inherit is False
        and row.set is False
        and row.grantor == cluster.identity.bootstrap
        and member
        and member.attributes.get("createrole")
    )


def _undeclared_admins(
    declaration: Declaration, cluster: ObservedCluster, *, desired: t.Mapping[_Pair, DesiredMembership]
) -> set[_Pair]:
    """Declared memberships that say nothing of ADMIN: with ``exclusive`` it goes."""
    if not declaration.exclusive:
        return set()
    protected = protected_roles(declaration, cluster)
    return {pair for pair, wanted in desired.items() if wanted.admin is None and pair[1] not in protected}


def _weakened(
    desired: t.Mapping[_Pair, DesiredMembership],
    rows: t.Mapping[_Pair, t.Sequence[ObservedMembership]],
    *,
    implied: t.Collection[_Pair],
) -> set[tuple[_Pair, str]]:
    """Options that are held and declared not to be, or implied not to be."""
    found = set()
    for pair, membership in desired.items():
        for option in OPTIONS:
            wanted = getattr(membership, option)
            if option == "admin" and pair in implied:
                wanted = False
            if wanted is False and any(getattr(row, option) for row in rows.get(pair, ())):
                found.add((pair, option))
    return found


def _dependents(
    memberships: t.Sequence[ObservedMembership],
    doomed: t.Collection[ObservedMembership],
    weakened: t.Collection[tuple[_Pair, str]],
) -> set[ObservedMembership]:
    """Rows that were granted on the strength of an ADMIN OPTION which goes."""
    losing = {(row.role, row.member) for row in doomed} | {pair for pair, option in weakened if option == "admin"}
    keeping = {
        (row.role, row.member)
        for row in memberships
        if row.admin and row not in doomed and ((row.role, row.member), "admin") not in weakened
    }
    found: set[ObservedMembership] = set()
    while True:
        more = {
            row
            for row in memberships
            if row not in found and (row.role, row.grantor) in losing and (row.role, row.grantor) not in keeping
        }
        if not more:
            return found
        found |= more
        losing |= {(row.role, row.member) for row in more}
        keeping -= {
            pair
            for pair in losing
            if not any(row.admin and (row.role, row.member) == pair for row in memberships if row not in found)
        }


def _depths(memberships: t.Sequence[ObservedMembership]) -> dict[ObservedMembership, int]:
    """How many grants a row stands on: the deepest are revoked first."""
    depths = dict.fromkeys(memberships, 0)
    for dummy in range(len(memberships)):
        changed = False
        by_pair: dict[_Pair, int] = {}
        for row, depth in depths.items():
            by_pair[row.role, row.member] = max(depth, by_pair.get((row.role, row.member), 0))
        for row in memberships:
            depth = by_pair.get((row.role, row.grantor), -1) + 1
            if depth != depths[row] and depth <= len(memberships):
                depths[row], changed = depth, True
        if not changed:
            break
    return depths


def _check_cycles(desired: t.Mapping[_Pair, DesiredMembership], remaining: t.Sequence[ObservedMembership]) -> None:
    edges = [(member, role) for role, member in desired] + [(row.member, row.role) for row in remaining]
    cycle = find_cycle(edges)
    if cycle:
        raise InvalidDeclaration(
            "memberships would form a circle: " + " is a member of ".join(shown(name) for name in cycle),
            "Take one of them out",
        )


def _plan_pair(
    pair: _Pair,
    membership: DesiredMembership | None,
    *,
    rows: list[ObservedMembership],
    gone: list[ObservedMembership],
    weakened: list[str],
    is_kept: bool,
    builder: PlanBuilder,
    dialect: MembershipDialect,
) -> None:
    """One Change with all it takes for one member of one role."""
    steps = [Statement(CLUSTER, Phase.LEAVE, dialect.revoke_membership(row)) for row in gone]
    kept = [row for row in rows if row not in gone]
    for option in weakened:
        steps.extend(
            Statement(CLUSTER, Phase.LEAVE, dialect.revoke_membership(row, option=option))
            for row in kept
            if getattr(row, option)
        )
    before = {option: any(getattr(row, option) for row in rows) for option in OPTIONS}
    # A grant by us is a row of its own, so it has to state every option: what it leaves out would get a default.
    wanted = {**(before if rows and is_kept else {}), **_declared_options(membership), **dict.fromkeys(weakened, False)}
    held = {option: option not in weakened and any(getattr(row, option) for row in kept) for option in OPTIONS}
    is_new = is_kept and not kept and (membership is not None or bool(rows))
    if is_new or any(value and not held[option] for option, value in wanted.items()):
        steps.append(Statement(CLUSTER, Phase.JOIN, dialect.grant_membership(*pair, wanted)))
    if steps:
        after = {**before, **wanted}
        builder.add(
            f"membership of {shown(pair[1])} in {shown(pair[0])}",
            _described(before, exists=bool(rows)),
            _described(after, exists=is_kept),
            *steps,
        )


def _declared_options(membership: DesiredMembership | None) -> dict[str, bool]:
    values = {option: getattr(membership, option) for option in OPTIONS} if membership else {}
    return {option: value for option, value in values.items() if value is not None}


def _described(options: t.Mapping[str, bool], *, exists: bool) -> str:
    if not exists:
        return ""
    named = [option.upper() for option in OPTIONS if options.get(option)]
    return "member" + (f" with {', '.join(named)}" if named else "")
