# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""One declaration: roles, databases, and how far its word goes."""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .errors import RefusedForSafety
from .names import is_pattern, literal, pattern
from .observed_roles import ObservedCluster
from .privilege_declaration import DesiredDatabase
from .role_declaration import ABSENT, DesiredRole
from .scram import DEFAULT_ITERATIONS

DEFAULT_MAXIMUM_REVOCATIONS: t.Final = 50
DEFAULT_EXPIRY_WARNING_DAYS: t.Final = 14


@dataclasses.dataclass(frozen=True)
class Declaration:
    """:param exclusive: what is not declared within reach of the declaration is revoked.
    :param maximum_revocations: more of them than this are refused.
    :param protected: roles that nothing is taken from, besides those that are protected always.
    :param iterations: of new SCRAM verifiers; a stored one with fewer is renewed.
    """

    roles: tuple[DesiredRole, ...] = ()
    databases: tuple[DesiredDatabase, ...] = ()
    exclusive: bool = False
    maximum_revocations: int = DEFAULT_MAXIMUM_REVOCATIONS
    protected: frozenset[str] = frozenset()
    expiry_warning_days: int = DEFAULT_EXPIRY_WARNING_DAYS
    iterations: int = DEFAULT_ITERATIONS

    @functools.cached_property
    def present(self) -> dict[str, DesiredRole]:
        return {role.name: role for role in self.roles if role.state != ABSENT}

    @functools.cached_property
    def absent(self) -> frozenset[str]:
        return frozenset(role.name for role in self.roles if role.state == ABSENT)

    def databases_matching(
        self, names: t.Collection[str], closed: t.Collection[str]
    ) -> dict[str, list[DesiredDatabase]]:
        """Database to the entries that speak of it. A pattern passes by databases that take no connections."""
        found: dict[str, list[DesiredDatabase]] = {}
        for desired in self.databases:
            if not is_pattern(desired.name):
                if literal(desired.name) in names:
                    found.setdefault(literal(desired.name), []).append(desired)
                continue
            expression = pattern(desired.name)
            for name in names:
                if name not in closed and expression.match(name):
                    found.setdefault(name, []).append(desired)
        return found


def protected_roles(declaration: Declaration, cluster: ObservedCluster) -> frozenset[str]:
    """Roles that ``exclusive`` takes nothing from: the login in use, the bootstrap superuser, predefined roles,
    replication roles and what the user named."""
    observed = {
        role.name for role in cluster.roles.values() if role.is_predefined or role.attributes.get("replication")
    }
    return frozenset({cluster.identity.login, cluster.identity.bootstrap} | observed | declaration.protected)


def check_revocations(revocations: t.Sequence[str], maximum: int) -> None:
    """Raise when ``exclusive`` would take more than was agreed to."""
    if len(revocations) > maximum:
        first = "; ".join(revocations[:10]) + ("; ..." if len(revocations) > 10 else "")
        raise RefusedForSafety(
            f"exclusive would make {len(revocations)} revocations, more than maximum_revocations={maximum}: {first}",
            f"Set maximum_revocations to {len(revocations)} or more to agree; check mode then lists them all",
        )
