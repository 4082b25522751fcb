# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is refused because it would lock somebody out or lose something."""

from __future__ import annotations

import datetime
import typing as t

from .declaration import Declaration
from .errors import InvalidDeclaration, RefusedForSafety
from .names import near_miss, shown
from .observed_roles import ObservedCluster
from .role_declaration import ABSENT, NEVER_EXPIRES, DesiredRole


def check_roles(declaration: Declaration, cluster: ObservedCluster) -> None:
    """Raise RefusedForSafety or InvalidDeclaration before anything is planned."""
    for role in declaration.roles:
        if role.state == ABSENT:
            _check_drop(role, declaration, cluster)
        else:
            _check_demotion(role, cluster)
            _check_predefined(role, cluster)
    _check_references(declaration, cluster)


def _check_drop(role: DesiredRole, declaration: Declaration, cluster: ObservedCluster) -> None:
    observed = cluster.roles.get(role.name)
    if observed is None:
        return
    reasons = {
        "is the role in use": role.name == cluster.identity.login,
        "is the bootstrap superuser": role.name == cluster.identity.bootstrap,
        "is predefined by PostgreSQL": observed.is_predefined,
        "is protected (protected_roles)": role.name in declaration.protected,
        "is a replication role: a standby may need it": bool(observed.attributes.get("replication")),
    }
    for reason, applies in reasons.items():
        if applies:
            raise RefusedForSafety(f"{role.label} can't be dropped: it {reason}", "Take state absent away")
    found = [dependency for dependency in cluster.dependencies if dependency.role == role.name]
    if found:
        listed = "; ".join(
            (f"in database {shown(item.database)}: " if item.database else "") + item.description for item in found[:10]
        )
        raise RefusedForSafety(
            f"{role.label} can't be dropped, {len(found)} things depend on it: {listed}"
            + ("; ..." if found[10:] else ""),
            "Give them another owner first (ownership and owner in databases, or REASSIGN OWNED), then drop the role",
        )


def _check_demotion(role: DesiredRole, cluster: ObservedCluster) -> None:
    observed = cluster.roles.get(role.name)
    if observed is None:
        return
    lost = [name for name, wanted in role.attributes.items() if not wanted and observed.attributes.get(name)]
    if role.name in (cluster.identity.login, cluster.identity.bootstrap):
        which = "the role in use" if role.name == cluster.identity.login else "the bootstrap superuser"
        forbidden = [name for name in lost if name != "inherit"]
        if forbidden:
            raise RefusedForSafety(f"{role.label} is {which}, {', '.join(forbidden)} can't be taken from it")
        if _is_past(role.valid_until, cluster.identity.now):
            raise RefusedForSafety(f"{role.label} is {which}, it can't be made to expire in the past")
        if role.connection_limit == 0:
            raise RefusedForSafety(f"{role.label} is {which}, it can't be left without connections")
        if role.passwordless and observed.verifier:
            raise RefusedForSafety(f"{role.label} is {which}, its password can't be taken away")
    if observed.attributes.get("replication") and {"replication", "login"} & set(lost):
        raise RefusedForSafety(
            f"{role.label} is a replication role, replication and login can't be taken from it",
            "A standby may need it. If none does, say ALTER ROLE ... NOREPLICATION by hand first",
        )


def _is_past(moment: str | None, now: datetime.datetime) -> bool:
    return moment not in (None, NEVER_EXPIRES) and datetime.datetime.fromisoformat(str(moment)) <= now


def _check_predefined(role: DesiredRole, cluster: ObservedCluster) -> None:
    if role.name.startswith("pg_") or role.name in ("public", "none"):
        known = role.name in cluster.roles
        raise InvalidDeclaration(
            f"{role.label} is predefined by PostgreSQL and can't be managed"
            if known
            else f"{role.label}: PostgreSQL reserves this name",
            "Grant it by member_of" if known else "Choose another one",
        )


def _check_references(declaration: Declaration, cluster: ObservedCluster) -> None:
    """Every role that is named somewhere has to be there, or to be declared."""
    known = set(cluster.roles) | set(declaration.present)
    fine = (known - declaration.absent) | {""}
    for where, name in _references(declaration):
        if name in fine:
            continue
        if name in declaration.absent:
            raise InvalidDeclaration(f"{where} names role {shown(name)}, which is declared absent")
        raise InvalidDeclaration(
            f"{where} names role {shown(name)}, which is neither declared nor on the server",
            near_miss(name, known) or "Declare it in roles",
        )


def _references(declaration: Declaration) -> t.Iterator[tuple[str, str]]:
    for role in declaration.roles:
        for membership in role.member_of:
            yield role.label, membership.role
    for database in declaration.databases:
        yield f"database {shown(database.name)}", database.owner or ""
        for grant in database.grants:
            yield from ((grant.where, name) for name in grant.grantees)
        for default in database.default_privileges:
            yield from ((default.where, name) for name in (default.owner, *default.grantees))
        for ownership in database.ownership:
            yield ownership.where, ownership.owner
