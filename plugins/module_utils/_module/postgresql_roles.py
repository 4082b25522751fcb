# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of postgresql_roles: wires the pure planners to a live server."""

from __future__ import annotations

import contextlib
import gc
import typing as t

from .._core.declaration import Declaration
from .._core.errors import InvalidDeclaration
from .._core.observed_roles import ObservedRoles
from .._core.password_rules import SHORTEST_ALLOWED_MINIMUM, PasswordRules
from .._core.plan import Plan
from .._core.privilege_declaration import parse_databases
from .._core.role_declaration import ABSENT, ATTRIBUTES, parse_roles
from .._core.role_graph import FORMATS, render
from .._core.role_hierarchy import RolesPlan, hierarchy_graph, plan_hierarchy
from .._core.scram import DEFAULT_ITERATIONS
from .._dialects.postgresql_roles import PostgreSQLRolesDialect
from .._io.postgresql import ConnectionSettings, Session, open_session
from .._io.postgresql_roles import RolesServer

_GRANT_TYPES = (
    "database", "schema", "table", "sequence", "routine", "type", "language", "foreign_data_wrapper", "foreign_server",
)  # fmt: skip
_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_NAMES = {"type": "list", "elements": "str"}


def roles_options() -> dict[str, dict[str, t.Any]]:
    """The module's own options; kept in step with its documentation by sanity tests."""
    return {
        "roles": {"type": "list", "elements": "dict", "default": [], "options": _role_options()},
        "databases": {"type": "list", "elements": "dict", "default": [], "options": _database_options()},
        "exclusive": {"type": "bool", "default": False},
        "maximum_revocations": {"type": "int", "default": 50},
        "protected_roles": {**_NAMES, "default": []},
        "password_minimum_length": {"type": "int", "default": 12, "no_log": False},
        "password_minimum_classes": {"type": "int", "default": 3, "no_log": False},
        "scram_iterations": {"type": "int", "default": DEFAULT_ITERATIONS},
        "expiry_warning_days": {"type": "int", "default": 14},
        "lock_timeout": {"type": "int", "default": 60},
        "diagram": {"type": "str", "choices": list(FORMATS)},
    }


def _role_options() -> dict[str, dict[str, t.Any]]:
    return {
        "name": {"type": "str", "required": True},
        "state": _STATE,
        **{name: {"type": "bool"} for name in ATTRIBUTES},
        "connection_limit": {"type": "int"},
        "valid_until": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
        "passwordless": {"type": "bool", "default": False, "no_log": False},
        "human": {"type": "bool", "default": False},
        "comment": {"type": "str"},
        "settings": {"type": "dict"},
        "database_settings": {"type": "dict"},
        "member_of": {"type": "list", "elements": "raw"},
    }


def _database_options() -> dict[str, dict[str, t.Any]]:
    grant: dict[str, t.Any] = {
        "to": {**_NAMES, "required": True},
        "privileges": {**_NAMES, "required": True},
        "grant_option": {"type": "bool"},
        "state": _STATE,
    }
    place = {"schemas": _NAMES, "names": _NAMES}
    owner = {"type": "str", "required": True}
    types = [kind for kind in _GRANT_TYPES if kind != "database"]
    lists: dict[str, dict[str, t.Any]] = {
        "grants": {
            **grant,
            **place,
            "type": {"type": "str", "choices": list(_GRANT_TYPES), "default": "database"},
            "columns": _NAMES,
        },
        "default_privileges": {
            **grant,
            "owner": owner,
            "type": {"type": "str", "choices": ["table", "sequence", "routine", "type", "schema"], "required": True},
            "schemas": _NAMES,
        },
        "ownership": {**place, "owner": owner, "type": {"type": "str", "choices": types, "required": True}},
    }
    return {
        "name": {"type": "str", "required": True},
        "owner": {"type": "str"},
        **{name: {"type": "list", "elements": "dict", "options": options} for name, options in lists.items()},
    }


def read_declaration(options: t.Mapping[str, t.Any], dialect: PostgreSQLRolesDialect) -> Declaration:
    """Raises InvalidDeclaration before a server is asked anything but its version."""
    if options["password_minimum_length"] < SHORTEST_ALLOWED_MINIMUM:
        raise InvalidDeclaration(f"password_minimum_length is below {SHORTEST_ALLOWED_MINIMUM}")
    if not DEFAULT_ITERATIONS <= options["scram_iterations"] <= 10_000_000:
        raise InvalidDeclaration(f"scram_iterations has to be from {DEFAULT_ITERATIONS} to 10000000")
    rules = PasswordRules(options["password_minimum_length"], options["password_minimum_classes"])
    return Declaration(
        roles=parse_roles(options["roles"], check_name=dialect.check_name, rules=rules),
        databases=parse_databases(options["databases"], dialect),
        exclusive=options["exclusive"],
        maximum_revocations=options["maximum_revocations"],
        protected=frozenset(options["protected_roles"]),
        expiry_warning_days=options["expiry_warning_days"],
        iterations=options["scram_iterations"],
    )


class PostgreSQLRoles:
    """A role and privilege hierarchy of one cluster.

    :param options: the module's parameters, those of roles_options() at least.
    """

    def __init__(self, session: Session, options: t.Mapping[str, t.Any]) -> None:
        self._options = options
        self._dialect = PostgreSQLRolesDialect(session.version)
        self._declaration = read_declaration(options, self._dialect)
        self._server = RolesServer(session, self._dialect, lock_seconds=options["lock_timeout"])

    @property
    def names(self) -> list[str]:
        """Of the roles that are declared to be there."""
        return [role.name for role in self._declaration.roles if role.state != ABSENT]

    def observe(self) -> ObservedRoles:
        return self._server.observe(self._declaration)

    def plan(self, observed: ObservedRoles) -> RolesPlan:
        return plan_hierarchy(self._declaration, observed, self._dialect)

    def apply(self, plan: Plan, observed: ObservedRoles) -> None:  # noqa: ARG002  # all it takes is in the plan
        self._server.apply(plan, iterations=self._options["scram_iterations"])

    def result(self, observed: ObservedRoles, plan: Plan) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = {
            "planned_revocations": list(plan.revocations) if isinstance(plan, RolesPlan) else [],
        }
        if self._options["diagram"]:
            graph = hierarchy_graph(self._declaration, observed.cluster, self._dialect.kinds)
            answer["diagram"] = render(graph, self._options["diagram"])
        return answer


@contextlib.contextmanager
def open_subject(connection: ConnectionSettings, options: t.Mapping[str, t.Any]) -> t.Iterator[PostgreSQLRoles]:
    with no_garbage_collection(), open_session(connection) as session:
        yield PostgreSQLRoles(session, options)


@contextlib.contextmanager
def no_garbage_collection() -> t.Iterator[None]:
    """A large plan is a hundred thousand small tuples, none of them garbage; looking through them again and again takes
    a third of the time. Reference counting goes on, so only cycles wait."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
