# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""The subject of postgresql_hba: the whole ordered rule set of one server."""

from __future__ import annotations

import contextlib
import typing as t

from .._core.hba import (
    declared_mappings,
    declared_rules,
    has_includes,
    render_mappings,
    render_rules,
    without_secrets,
)
from .._core.hba_analysis import Login, refuse_lockout, rules_that_never_match, shadowed_rules
from .._core.plan import RELOAD, Change, Plan
from .._dialects.postgresql_hba import PostgreSQLHbaGrammar
from .._io.postgresql import ConnectionSettings, Session
from .._io.postgresql_hba import HbaFiles, ObservedHba, observe_hba, open_hba_session, try_files

_NOT_LOADED: t.Final = "changed since the server last read it"


_KINDS: t.Final = ["local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"]
_RULE: t.Final = {
    "type": {"type": "str", "required": True, "choices": _KINDS},
    "databases": {"type": "list", "elements": "str", "default": ["all"]},
    "users": {"type": "list", "elements": "str", "default": ["all"]},
    "address": {"type": "str"},
    "method": {"type": "str", "required": True},
    "options": {"type": "dict", "default": {}},
    "secret_options": {"type": "dict", "default": {}, "no_log": True},
    "comment": {"type": "str"},
    "reason": {"type": "str"},
}
_MAPPING: t.Final = {
    "map": {"type": "str", "required": True},
    "system_user": {"type": "str", "required": True},
    "database_user": {"type": "str", "required": True},
    "comment": {"type": "str"},
}
_LOGIN: t.Final = {
    "user": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "connection": {"type": "str", "choices": ["local", "ssl", "gss", "plain"], "default": "ssl"},
    "address": {"type": "str"},
}


def hba_options() -> dict[str, dict[str, t.Any]]:
    """The module's own options; kept in step with their documentation by sanity tests."""
    return {
        "rules": {"type": "list", "elements": "dict", "required": True, "options": _RULE},
        "ident_mappings": {"type": "list", "elements": "dict", "options": _MAPPING},
        "must_admit": {"type": "list", "elements": "dict", "default": [], "options": _LOGIN},
        "journal_directory": {"type": "path", "default": "/var/lib/bulwark"},
        "reload_timeout": {"type": "float", "default": 10},
    }


class PostgreSQLHba:
    """pg_hba.conf, and pg_ident.conf if mappings are declared.

    :param options: the module's parameters.
    :param coming_roles: roles that will be there by the time the rules count; ``tls_is_coming``: so will TLS.
    """

    def __init__(
        self,
        session: Session,
        connection: ConnectionSettings,
        options: t.Mapping[str, t.Any],
        *,
        coming_roles: t.Collection[str] = (),
        tls_is_coming: bool = False,
    ) -> None:
        self._options = options
        self._coming_roles = coming_roles
        self._tls_is_coming = tls_is_coming
        self._session = session
        self._grammar = grammar = PostgreSQLHbaGrammar(session.version)
        self._rules = declared_rules(options["rules"], grammar)
        self._rules_text = render_rules(self._rules, grammar)
        mappings = options["ident_mappings"]
        self._mappings_text = None
        if mappings is not None:
            self._mappings_text = render_mappings(declared_mappings(mappings, grammar), grammar)
        self._logins = (managing_login(connection), *(_login(one) for one in options["must_admit"]))
        self._files = HbaFiles(
            session, connection, journal_directory=options["journal_directory"], timeout=options["reload_timeout"]
        )

    def observe(self) -> ObservedHba:
        return observe_hba(self._session)

    def plan(self, observed: ObservedHba) -> Plan:
        refuse_lockout(self._rules, self._logins)
        facts = observed.facts
        changes = [
            Change(path, without_secrets(before), without_secrets(after), activation=RELOAD, payload=after)
            for path, before, after in self._desired(observed)
            if before != after
        ]
        if changes:
            mappings = observed.mappings_text if self._mappings_text is None else self._mappings_text
            try_files(facts, rules=self._rules_text, mappings=mappings)
        elif not observed.loaded:
            changes = [Change(facts.hba_file, _NOT_LOADED, "loaded", activation=RELOAD)]
        never = rules_that_never_match(
            self._rules,
            ssl=facts.ssl or self._tls_is_coming,
            roles=[*facts.roles, *self._coming_roles],
            databases=facts.databases,
        )
        return Plan(tuple(changes), (*self._dropped_includes(observed), *shadowed_rules(self._rules), *never))

    def _dropped_includes(self, observed: ObservedHba) -> t.Iterator[str]:
        if has_includes(observed.rules_text, self._grammar):
            yield f"{observed.facts.hba_file} reads other files; their rules are gone with the declared set"

    def _desired(self, observed: ObservedHba) -> t.Iterator[tuple[str, str, str]]:
        if self._mappings_text is not None:
            yield observed.facts.ident_file, observed.mappings_text, self._mappings_text
        yield observed.facts.hba_file, observed.rules_text, self._rules_text

    def apply(self, plan: Plan, observed: ObservedHba) -> None:
        files = {change.subject: change.payload for change in plan if change.payload is not None}
        if files:
            self._files.put_in_place(observed.facts, files)
        else:
            self._files.reload()

    def result(self, observed: ObservedHba, plan: Plan) -> dict[str, t.Any]:
        return {
            "hba_file": observed.facts.hba_file,
            "ident_file": observed.facts.ident_file,
            "changes": [f"{change.subject}: {_what(change)}" for change in plan],
            "diff": [
                {
                    "before_header": change.subject,
                    "after_header": change.subject,
                    "before": change.before,
                    "after": change.after,
                }
                for change in plan
                if change.payload is not None
            ],
        }


def _what(change: Change) -> str:
    if change.payload is None:
        return f"{_NOT_LOADED}: loaded"
    before, after = set(change.before.splitlines()), set(change.after.splitlines())
    return f"{len(after - before)} lines added, {len(before - after)} removed"


def managing_login(connection: ConnectionSettings) -> Login:
    """How this very connection looks to the rules."""
    if connection.host is None:
        return Login(connection.user, connection.database)
    return Login(connection.user, connection.database, "ssl", connection.host)


def _login(declared: t.Mapping[str, t.Any]) -> Login:
    connection = declared["connection"]
    return Login(declared["user"], declared["database"], connection, declared.get("address") or "")


@contextlib.contextmanager
def open_subject(connection: ConnectionSettings, options: t.Mapping[str, t.Any]) -> t.Iterator[PostgreSQLHba]:
    with open_hba_session(connection, journal_directory=options["journal_directory"]) as session:
        yield PostgreSQLHba(session, connection, options)
