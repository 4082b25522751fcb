# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of postgresql_server: roles, settings and login rules of one server as one declaration.

Nothing is decided here. The three subjects plan as they do alone, all of them before any of them changes something.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._core.errors import ApplyFailed, BulwarkError
from .._core.plan import Plan
from .._io.postgresql import ConnectionSettings
from .._io.postgresql_hba import open_hba_session
from .postgresql_hba import PostgreSQLHba, hba_options
from .postgresql_roles import PostgreSQLRoles, no_garbage_collection, roles_options
from .postgresql_settings import PostgreSQLSettings, settings_options
from .runner import Subject

_Observed = dict[str, t.Any]


def server_options() -> dict[str, dict[str, t.Any]]:
    """Those of the three modules. What two of them have, such as ``reload_timeout``, means the same in both."""
    return {**settings_options(), **hba_options(), **roles_options()}


@dataclasses.dataclass(frozen=True)
class ServerPlan(Plan):
    """:ivar parts: the plan of each part, in the order in which they are applied."""

    parts: t.Mapping[str, Plan] = dataclasses.field(default_factory=dict)


class PostgreSQLServer:
    """:param parts: the subjects by name, in the order in which they are applied."""

    def __init__(self, parts: t.Mapping[str, Subject]) -> None:
        self._parts = parts

    def observe(self) -> _Observed:
        return {name: part.observe() for name, part in self._parts.items()}

    def plan(self, observed: _Observed) -> ServerPlan:
        """Whatever is wrong with any part is refused here, before anything changes."""
        plans = {name: part.plan(observed[name]) for name, part in self._parts.items()}
        changes = tuple(change for plan in plans.values() for change in plan)
        return ServerPlan(changes, tuple(text for plan in plans.values() for text in plan.warnings), plans)

    def apply(self, plan: Plan, observed: _Observed) -> None:
        done: list[str] = []
        for name, part in self._parts.items():
            own = _part_of(plan, name)
            if not own:
                continue
            try:
                part.apply(own, observed[name])
            except BulwarkError as error:
                before = f"Applied before: {', '.join(done)}. " if done else ""
                raise ApplyFailed(f"{name}: {error.message}", f"{before}{error.hint}".strip()) from None
            done.append(name)

    def result(self, observed: _Observed, plan: Plan) -> dict[str, t.Any]:
        """What each module alone would return stands under its part's name; changes and diffs of all come together."""
        answer: dict[str, t.Any] = {"changes": [], "diff": []}
        for name, part in self._parts.items():
            own = _part_of(plan, name)
            result = part.result(observed[name], own)
            answer["changes"] += result.pop("changes", own.summaries())
            diff = result.pop("diff", [own.diff(header=name)] if own else [])
            answer["diff"] += diff
            answer[name] = result
        return answer


def _part_of(plan: Plan, name: str) -> Plan:
    return plan.parts[name] if isinstance(plan, ServerPlan) else Plan()


@contextlib.contextmanager
def open_subject(connection: ConnectionSettings, options: t.Mapping[str, t.Any]) -> t.Iterator[PostgreSQLServer]:
    """One connection for all. Roles come first, because rules name them; rules last, once all else is in place."""
    journal = options["journal_directory"]
    with no_garbage_collection(), open_hba_session(connection, journal_directory=journal) as session:
        roles = PostgreSQLRoles(session, options)
        settings = PostgreSQLSettings(session, connection, options)
        rules = PostgreSQLHba(
            session, connection, options, coming_roles=roles.names, tls_is_coming=settings.declares("ssl", "on")
        )
        yield PostgreSQLServer({"roles": roles, "settings": settings, "rules": rules})
