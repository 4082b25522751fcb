# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of mariadb_roles: wires the pure planners to a live server."""

from __future__ import annotations

import contextlib
import typing as t

from .._core.account_declaration import LIMITS, TLS_KINDS, parse_accounts, parse_grantee
from .._core.account_grants import GRANT_TYPES, AccountsDeclaration, parse_databases, parse_global_grants
from .._core.account_hierarchy import account_graph, plan_account_hierarchy, weak_authentication
from .._core.accounts_model import ObservedServer
from .._core.errors import InvalidDeclaration
from .._core.mariadb_passwords import PASSWORD_PLUGINS
from .._core.password_rules import SHORTEST_ALLOWED_MINIMUM, PasswordRules
from .._core.plan import Plan
from .._core.role_graph import FORMATS, render
from .._core.role_hierarchy import RolesPlan
from .._dialects import mariadb_account_queries as queries
from .._dialects.mariadb_accounts import MariaDBAccountsDialect
from .._io.mariadb import MariaDBConnection, Session, open_session
from .._io.mariadb_roles import AccountsServer

_STATE = {"type": "str", "choices": ["present", "absent"], "default": "present"}
_NAMES = {"type": "list", "elements": "str"}
_RAW = {"type": "list", "elements": "raw"}
_OFF = {"type": "bool", "default": False}


def accounts_options() -> dict[str, dict[str, t.Any]]:
    """The module's own options; kept in step with its documentation by sanity tests."""
    role = {"name": {"type": "str", "required": True}, "state": _STATE, "member_of": _RAW}
    grant = {
        "to": {**_RAW, "required": True},
        "privileges": {**_NAMES, "required": True},
        "grant_option": {"type": "bool"},
        "state": _STATE,
    }
    of_database = {
        **grant,
        "type": {"type": "str", "choices": list(GRANT_TYPES), "default": "database"},
        "names": _NAMES,
        "columns": _NAMES,
    }
    database = {
        "name": {"type": "str", "required": True},
        "pattern": _OFF,
        "grants": {"type": "list", "elements": "dict", "default": [], "options": of_database},
    }
    lists = {"roles": role, "accounts": _account_options(), "global_grants": grant, "databases": database}
    return {
        **{
            name: {"type": "list", "elements": "dict", "default": [], "options": options}
            for name, options in lists.items()
        },
        "exclusive": _OFF,
        "maximum_revocations": {"type": "int", "default": 50},
        "protected_accounts": {**_RAW, "default": []},
        "remove_anonymous": _OFF,
        "remove_remote_root": _OFF,
        "remove_test_database": _OFF,
        "password_minimum_length": {"type": "int", "default": 12, "no_log": False},
        "password_minimum_classes": {"type": "int", "default": 3, "no_log": False},
        "lock_timeout": {"type": "int", "default": 60},
        "diagram": {"type": "str", "choices": list(FORMATS)},
    }


def _account_options() -> dict[str, dict[str, t.Any]]:
    texts = ("pam_service", "tls_subject", "tls_issuer", "tls_cipher", "default_role")
    return {
        "name": {"type": "str", "required": True},
        "host": {"type": "str", "default": "localhost"},
        "state": _STATE,
        "password": {"type": "str", "no_log": True},
        "password_hash": {"type": "str", "no_log": True},
        "password_plugin": {"type": "str", "choices": list(PASSWORD_PLUGINS), "no_log": False},
        "update_password": {"type": "str", "choices": ["always", "on_create"], "default": "always", "no_log": False},
        "passwordless": {**_OFF, "no_log": False},
        "unix_socket": {"type": "bool"},
        "locked": {"type": "bool"},
        "password_lifetime": {"type": "int", "no_log": False},
        "tls": {"type": "str", "choices": list(TLS_KINDS)},
        **{name: {"type": "str"} for name in texts},
        **{name: {"type": "float" if name == "max_statement_time" else "int"} for name in LIMITS},
        "member_of": _RAW,
    }


def read_declaration(options: t.Mapping[str, t.Any], dialect: MariaDBAccountsDialect) -> AccountsDeclaration:
    """Raises InvalidDeclaration before a server is asked anything but what it is."""
    if options["password_minimum_length"] < SHORTEST_ALLOWED_MINIMUM:
        raise InvalidDeclaration(f"password_minimum_length is below {SHORTEST_ALLOWED_MINIMUM}")
    rules = PasswordRules(options["password_minimum_length"], options["password_minimum_classes"])
    protected = options["protected_accounts"]
    return AccountsDeclaration(
        accounts=parse_accounts(options["roles"], options["accounts"], rules),
        databases=parse_databases(options["databases"], dialect),
        global_grants=parse_global_grants(options["global_grants"], dialect),
        exclusive=options["exclusive"],
        maximum_revocations=options["maximum_revocations"],
        protected=frozenset(parse_grantee(entry, f"protected_accounts[{i}]") for i, entry in enumerate(protected)),
        remove_anonymous=options["remove_anonymous"],
        remove_remote_root=options["remove_remote_root"],
        remove_test_database=options["remove_test_database"],
    )


class MariaDBRoles:
    """Accounts, roles and privileges of one server or cluster.

    :param options: the module's parameters, those of accounts_options() at least.
    """

    def __init__(self, session: Session, options: t.Mapping[str, t.Any]) -> None:
        self._options = options
        self._dialect = MariaDBAccountsDialect(session.version, folds_case=bool(session.value(queries.FOLDS_CASE)))
        self._declaration = read_declaration(options, self._dialect)
        self._server = AccountsServer(session, self._dialect, lock_seconds=options["lock_timeout"])

    def observe(self) -> ObservedServer:
        return self._server.observe(self._declaration)

    def plan(self, observed: ObservedServer) -> RolesPlan:
        return plan_account_hierarchy(self._declaration, observed, self._dialect)

    def apply(self, plan: Plan, observed: ObservedServer) -> None:  # noqa: ARG002  # all it takes is in the plan
        self._server.apply(plan)

    def result(self, observed: ObservedServer, plan: Plan) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = {
            "planned_revocations": list(plan.revocations) if isinstance(plan, RolesPlan) else [],
            "weak_authentication": weak_authentication(observed),
        }
        if self._options["diagram"]:
            graph = account_graph(self._declaration, observed, self._dialect)
            answer["diagram"] = render(graph, self._options["diagram"])
        return answer


@contextlib.contextmanager
def open_subject(connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> t.Iterator[MariaDBRoles]:
    with open_session(connection) as session:
        yield MariaDBRoles(session, options)
