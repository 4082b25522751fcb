# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""The subject of postgresql_settings: wires the pure plan to a live server."""

from __future__ import annotations

import contextlib
import typing as t

from .._core.errors import ApplyFailed, BulwarkError, InvalidDeclaration, RefusedForSafety
from .._core.plan import RESTART, Plan
from .._core.setting_values import split_list, text_of
from .._core.settings import (
    ALTER_SYSTEM,
    INCLUDE_FILE,
    ServerSettings,
    SettingStep,
    choose_persistence,
    plan_settings,
    waiting_for_restart,
)
from .._dialects.postgresql_reload import RELOAD_STATEMENT
from .._io import postgresql_settings as edge
from .._io.files import FileContent, read_file, remove_file, replace_file
from .._io.postgresql import ConnectionSettings, Session, open_session
from .._io.postgresql_binary import value_complaints
from .._io.postgresql_reload import reload_and_wait
from .._io.postgresql_trial import missing_tls_files, start_complaint

_PRELOAD: t.Final = "shared_preload_libraries"


def settings_options() -> dict[str, dict[str, t.Any]]:
    """The module's own options; kept in step with their documentation by sanity tests."""
    return {
        "settings": {"type": "dict", "default": {}},
        "level": {"type": "str", "choices": ["essential", "strict"]},
        "log_policy": {"type": "str", "choices": ["privacy", "forensic"], "default": "privacy"},
        "preload_libraries": {"type": "list", "elements": "str", "default": []},
        "persist": {"type": "str", "choices": ["auto", "alter_system", "include_file"], "default": "auto"},
        "include_file": {"type": "path"},
        "reload_timeout": {"type": "float", "default": 10},
    }


class PostgreSQLSettings:
    """A whole set of parameters of one server.

    :param options: the module's parameters.
    :param connection: how to open further sessions: what a reload changed is seen by new sessions only.
    """

    def __init__(self, session: Session, connection: ConnectionSettings, options: t.Mapping[str, t.Any]) -> None:
        self._session = session
        self._connection = connection
        self._options = options
        self._facts = edge.read_facts(session)
        self._declared = declared_settings(options, version=session.version)
        self._additions: tuple[str, ...] = tuple(options["preload_libraries"] or ())
        if _PRELOAD not in {str(name).lower() for name in options["settings"]}:
            # The baseline wants libraries among those that are there; the user's own value is the whole list.
            self._additions += split_list(self._declared.pop(_PRELOAD, None) or "")

    def declares(self, name: str, value: str) -> bool:
        return self._declared.get(name) == value

    def observe(self) -> ServerSettings:
        return edge.observe_settings(
            self._session,
            self._facts,
            desired=self._declared,
            include_file=self._options["include_file"],
            libraries=self._additions,
        )

    def desired(self, observed: ServerSettings) -> dict[str, str | None]:
        """The declaration with the libraries to add merged into the list that is there."""
        desired = dict(self._declared)
        if self._additions:
            entry = observed.entry(_PRELOAD)
            base = desired.get(_PRELOAD) or (entry.value if entry else observed.parameters[_PRELOAD].setting)
            desired[_PRELOAD] = text_of(list(dict.fromkeys((*split_list(base), *self._additions))))
        return desired

    def plan(self, observed: ServerSettings) -> Plan:
        desired = self.desired(observed)
        plan = plan_settings(desired, observed, persistence=self._persistence(desired, observed))
        self._ask_the_binaries(plan)
        return plan

    def _persistence(self, desired: t.Mapping[str, str | None], observed: ServerSettings) -> str:
        return choose_persistence(self._options["persist"], desired, observed)

    def _ask_the_binaries(self, plan: Plan) -> None:
        """What only the server's own code can judge is refused before anything changes: values (time zones, key

        words), and a change for the next start with which there would be no next start.
        """
        if not plan or self._connection.host:
            return
        values = {change.payload.name: change.payload.value for change in plan}
        facts = self._facts
        given = {name: value for name, value in values.items() if value is not None}
        complaints = value_complaints(given, binary_directory=facts.bin_directory, data_directory=facts.data_directory)
        if complaints:
            raise InvalidDeclaration("; ".join(complaints), "Nothing was changed")
        if plan.activation != RESTART:
            return
        complaint = start_complaint(
            values,
            config_file=facts.config_file,
            data_directory=facts.data_directory,
            bin_directory=facts.bin_directory,
        )
        if complaint:
            raise RefusedForSafety(
                f"with these settings the server would not start: {complaint}", "Nothing was changed"
            )

    def apply(self, plan: Plan, observed: ServerSettings) -> None:
        steps: list[SettingStep] = [change.payload for change in plan]
        self._require_tls_files({step.name: step.value for step in steps})
        with self._put_back_on_failure(observed):
            self._write(steps, observed)
            reload_and_wait(self._session, self._open_another, timeout=self._options["reload_timeout"])
        # Settings of context "backend" never change in a running session: look again through a new one.
        self._session.reopen()

    def _require_tls_files(self, values: t.Mapping[str, str | None]) -> None:
        """By now they have to be there: a server that can't read them goes on without, and does not start again."""
        if self._connection.host:
            return
        missing = missing_tls_files(values, self._facts.data_directory)
        if missing:
            raise RefusedForSafety("; ".join(missing), "Bring the files first; nothing was changed")

    def _write(self, steps: t.Sequence[SettingStep], observed: ServerSettings) -> None:
        cleared = [step.name for step in steps if step.clear_automatic]
        if cleared:
            edge.clear_automatic_entries(
                self._session, observed.automatic_file, cleared, by_file=not observed.may_alter_system
            )
        to_file = {step.name: step.value for step in steps if step.write_to == INCLUDE_FILE}
        if to_file:
            self._write_include_file(to_file, observed)
        for step in steps:
            if step.write_to == ALTER_SYSTEM:
                edge.write_by_alter_system(self._session, step.name, step.value, is_placeholder=step.is_placeholder)

    def _write_include_file(self, values: t.Mapping[str, str | None], observed: ServerSettings) -> None:
        config_file = self._facts.config_file
        edge.write_include_file(observed.include_file, values, like=config_file)
        edge.ensure_included(config_file, observed.include_file)
        now = edge.observe_settings(self._session, self._facts, desired=values, include_file=observed.include_file)
        for name, value in values.items():
            entry = now.entry(name)
            if value is not None and entry is not None and entry.file != observed.include_file:
                raise ApplyFailed(
                    f"{entry.file} line {entry.line} sets {name} after {observed.include_file} is read",
                    "Remove that line, or declare include_file so that it is read last",
                )

    @contextlib.contextmanager
    def _put_back_on_failure(self, observed: ServerSettings) -> t.Iterator[None]:
        """Files as they were, and reloaded, if anything fails on the way."""
        config_file = self._facts.config_file
        paths = [observed.automatic_file, observed.include_file, config_file]
        local = read_file(config_file) is not None
        snapshots = {path: read_file(path) for path in paths} if local else {}
        try:
            yield
        except BulwarkError as error:
            with contextlib.suppress(BulwarkError):
                _restore(snapshots)
                self._session.execute(RELOAD_STATEMENT)
            done = "The configuration files were put back" if local else "Changes made before the failure stand"
            raise ApplyFailed(error.message, f"{done}. {error.hint}".strip()) from None

    def _open_another(self) -> t.ContextManager[Session]:
        return open_session(self._connection)

    def result(self, observed: ServerSettings, plan: Plan) -> dict[str, t.Any]:
        desired = self.desired(observed)
        persistence = self._persistence(desired, observed)
        return {
            "persisted_in": observed.automatic_file if persistence == ALTER_SYSTEM else observed.include_file,
            "activation": plan.activation,
            "restart_required": [one.as_dict() for one in waiting_for_restart(desired, observed)],
        }


def declared_settings(options: t.Mapping[str, t.Any], *, version: int) -> dict[str, str | None]:
    """Baseline of the level, if one is given, with the user's own settings on top. Names in lower case."""
    declared: dict[str, str | None] = {}
    if options["level"]:
        # The catalogue takes a tenth of a second to import, and most declarations bring their own values.
        from .._controls.baseline import postgresql_settings  # noqa: PLC0415

        declared.update(postgresql_settings(level=options["level"], log_policy=options["log_policy"], version=version))
    seen: set[str] = set()
    for name, value in options["settings"].items():
        lowered = str(name).lower()
        if lowered in seen:
            raise InvalidDeclaration(f"setting {lowered} is declared twice", "Upper and lower case do not matter")
        if isinstance(value, dict):
            raise InvalidDeclaration(f"setting {lowered} has a mapping as its value", "Give a string, number or list")
        seen.add(lowered)
        declared[lowered] = None if value is None else text_of(value)
    return declared


def _restore(snapshots: t.Mapping[str, FileContent | None]) -> None:
    for path, content in snapshots.items():
        if content is None:
            remove_file(path)
        elif read_file(path) != content:
            replace_file(path, content)


@contextlib.contextmanager
def open_subject(connection: ConnectionSettings, options: t.Mapping[str, t.Any]) -> t.Iterator[PostgreSQLSettings]:
    with open_session(connection) as session:
        yield PostgreSQLSettings(session, connection, options)
