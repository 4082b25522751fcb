# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Decide what has to change so that a server's parameters have the declared values. Pure.

A parameter has three places that can disagree: the files, what the running server has loaded, and what was asked
for. The plan closes both gaps; what only a restart can close is no change but reported as waiting.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing as t

from .errors import InvalidDeclaration
from .plan import RELOAD, RESTART, Change, Plan
from .setting_values import Meaning, UnusableValue, ValueType, split_list

ALTER_SYSTEM: t.Final = "alter_system"
INCLUDE_FILE: t.Final = "include_file"

# Where a running session's value can come from that a configuration file does not reach.
_SESSION_SOURCES = ("database", "user", "database user", "client", "session", "override")
_COMMAND_LINE_SOURCES = ("command line", "environment variable")


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One row of the server's catalogue.

    :param setting: the value in the observing session, in base units.
    :param context: who can change it when: ``internal``, ``postmaster``, ``sighup``, ``backend``, ``user`` ...
    """

    name: str
    value_type: ValueType
    context: str
    setting: str
    display: str
    source: str = "default"
    source_file: str = ""
    source_line: int = 0

    @property
    def origin(self) -> str:
        return f"{self.source_file} line {self.source_line}" if self.source_file else self.source


@dataclasses.dataclass(frozen=True)
class FileEntry:
    """One setting as it stands in a configuration file, in the order in which the server reads them."""

    file: str
    line: int
    name: str
    value: str


@dataclasses.dataclass(frozen=True)
class ServerSettings:
    """The observed state.

    :param parameters: the catalogue by name.
    :param entries: file entries in reading order: the last one of a name counts.
    :param automatic_file: path of postgresql.auto.conf.
    :param include_file: path of the file that this collection writes in ``include_file`` mode.
    :param unsettable: names that no file may hold; ``only_in_files``: those that ALTER SYSTEM refuses.
    :param preload_parameters: lists of libraries; ``quoted_lists``: lists whose words the server quotes one by one.
    :param available_libraries: of those asked about, which can be loaded.
    :param overrides: (name, "role x" or "database y" ...) for settings that a role or database overrides.
    """

    version: int
    parameters: t.Mapping[str, Parameter]
    entries: tuple[FileEntry, ...]
    automatic_file: str
    include_file: str
    unsettable: frozenset[str] = frozenset()
    only_in_files: frozenset[str] = frozenset()
    preload_parameters: frozenset[str] = frozenset()
    available_libraries: frozenset[str] = frozenset()
    quoted_lists: frozenset[str] = frozenset()
    overrides: tuple[tuple[str, str], ...] = ()
    may_alter_system: bool = True

    def entry(self, name: str, *, file: str | None = None) -> FileEntry | None:
        """The entry that counts, in all files or in one."""
        found = None
        for entry in self.entries:
            if entry.name == name and file in (None, entry.file):
                found = entry
        return found


@dataclasses.dataclass(frozen=True)
class SettingStep:
    """What the applying side does for one setting.

    :param value: the text to write; None to take our entry out.
    :param write_to: ``alter_system``, ``include_file``, or an empty string if the files are right and a reload is due.
    :param clear_automatic: take the name out of postgresql.auto.conf first, because that file is read last.
    :param is_placeholder: no such parameter is known yet: its library is not loaded.
    """

    name: str
    value: str | None
    write_to: str
    clear_automatic: bool = False
    is_placeholder: bool = False


@dataclasses.dataclass(frozen=True)
class WaitingForRestart:
    """A setting whose file has the declared value while the running server does not."""

    name: str
    running: str
    wanted: str
    set_by: str

    def as_dict(self) -> dict[str, str]:
        return dataclasses.asdict(self)


def choose_persistence(wish: str, desired: t.Mapping[str, str | None], observed: ServerSettings) -> str:
    """Where to write. Raises InvalidDeclaration where ALTER SYSTEM was asked for and can't be used."""
    closed = not observed.may_alter_system
    closing = (desired.get("allow_alter_system") or "").strip().lower() in ("off", "false", "no", "0")
    if wish == ALTER_SYSTEM and (closed or closing):
        raise InvalidDeclaration("persist=alter_system contradicts allow_alter_system=off", "Use persist=include_file")
    if wish == "auto":
        return INCLUDE_FILE if closed or closing else ALTER_SYSTEM
    return wish


def plan_settings(desired: t.Mapping[str, str | None], observed: ServerSettings, *, persistence: str) -> Plan:
    """The changes that give every named parameter its value.

    :param desired: value texts by name; None takes the parameter back to what other files or the default say.
    :raises InvalidDeclaration: with every problem of the declaration at once.
    """
    check_declaration(desired, observed, persistence=persistence)
    changes = []
    for name in sorted(desired):
        change = _plan_one(name, desired[name], observed, persistence)
        if change:
            changes.append(change)
    return Plan(tuple(changes), tuple(_override_warnings(desired, observed)))


def check_declaration(desired: t.Mapping[str, str | None], observed: ServerSettings, *, persistence: str) -> None:
    """Raise InvalidDeclaration that lists all that is wrong."""
    problems = [problem for name in sorted(desired) for problem in _problems(name, desired[name], observed, desired)]
    if persistence == ALTER_SYSTEM:
        problems += [problem for name in sorted(desired) for problem in _alter_system_problems(name, desired, observed)]
    if problems:
        raise InvalidDeclaration("; ".join(problems), "Nothing was changed")


def _problems(
    name: str, value: str | None, observed: ServerSettings, desired: t.Mapping[str, str | None]
) -> t.Iterator[str]:
    parameter = observed.parameters.get(name)
    if parameter is None:
        if not _awaits_its_library(name, desired, observed) and value is not None:
            yield _unknown(name, observed)
        return
    if parameter.context == "internal" or name in observed.unsettable:
        yield f"{name} can't be set (it is fixed when the server is built, initialised or started)"
        return
    if value is None:
        return
    if parameter.source in _COMMAND_LINE_SOURCES and not _same(parameter, parameter.setting, value):
        yield f"{name} is set to {parameter.display} on the server's {parameter.source}, which no file can override"
    try:
        parameter.value_type.meaning(value)
    except UnusableValue as error:
        yield f"{name}: {error}"
        return
    if name in observed.preload_parameters:
        missing = [library for library in split_list(value) if library not in observed.available_libraries]
        if missing:
            yield f"{name}: the server has no library {', '.join(missing)}; it would not start again"


def _alter_system_problems(name: str, desired: t.Mapping[str, str | None], observed: ServerSettings) -> t.Iterator[str]:
    value = desired[name]
    if value is not None and "\n" in value:
        yield f"{name}: ALTER SYSTEM takes no value with a line break"
    if value is not None and name in observed.quoted_lists and not split_list(value):
        # The server would store it as a list of one empty word, and not start again.
        yield f"{name}: ALTER SYSTEM can't store an empty list; reset it with null, or use persist=include_file"


def _unknown(name: str, observed: ServerSettings) -> str:
    near = difflib.get_close_matches(name, observed.parameters, n=3, cutoff=0.75)
    return f"there is no parameter {name!r}" + (f", did you mean {' or '.join(near)}?" if near else "")


def _awaits_its_library(name: str, desired: t.Mapping[str, str | None], observed: ServerSettings) -> bool:
    """Parameters of a library come to exist when it is loaded; until then they are taken unchecked."""
    prefix = name.partition(".")[0]
    if prefix == name:
        return False
    values = [desired.get(list_name) for list_name in observed.preload_parameters]
    values += [entry.value for entry in observed.entries if entry.name in observed.preload_parameters]
    return any(prefix in split_list(value) for value in values if value)


def _plan_one(name: str, value: str | None, observed: ServerSettings, persistence: str) -> Change | None:
    write_to = INCLUDE_FILE if name in observed.only_in_files else persistence
    home = observed.automatic_file if write_to == ALTER_SYSTEM else observed.include_file
    parameter = observed.parameters.get(name)
    effective, ours = observed.entry(name), observed.entry(name, file=home)
    automatic = observed.entry(name, file=observed.automatic_file)
    if value is None:
        if ours is None:
            return None
        step = SettingStep(name, None, write_to, is_placeholder=parameter is None)
    elif effective is None and parameter is not None and _is_default(parameter, value):
        return None
    elif effective is None or not _same(parameter, effective.value, value):
        in_the_way = write_to == INCLUDE_FILE and automatic is not None
        step = SettingStep(name, value, write_to, clear_automatic=in_the_way, is_placeholder=parameter is None)
    elif parameter is not None and _needs_reload(parameter, value):
        step = SettingStep(name, value, "")
    else:
        return None
    return Change(
        f"setting {name}",
        before=_before(parameter, effective),
        after="(reset)" if value is None else _shown(value),
        activation=RESTART if parameter is not None and parameter.context == "postmaster" else RELOAD,
        payload=step,
    )


def _before(parameter: Parameter | None, effective: FileEntry | None) -> str:
    if effective is not None:
        return f"{_shown(effective.value)} ({effective.file} line {effective.line})"
    return f"{_shown(parameter.display)} ({parameter.source})" if parameter is not None else ""


def _shown(value: str) -> str:
    return value or "''"


def _is_default(parameter: Parameter, value: str) -> bool:
    """No file names it, and the server runs with it anyway."""
    return parameter.source == "default" and _same(parameter, parameter.setting, value)


def _needs_reload(parameter: Parameter, value: str) -> bool:
    if parameter.context == "postmaster" or parameter.source in _SESSION_SOURCES:
        return False
    return not _same(parameter, parameter.setting, value)


def waiting_for_restart(desired: t.Mapping[str, str | None], observed: ServerSettings) -> tuple[WaitingForRestart, ...]:
    """Declared settings that are in the files and that only a restart makes live."""
    waiting = []
    for name in sorted(desired):
        parameter, entry, value = observed.parameters.get(name), observed.entry(name), desired[name]
        if value is None or entry is None:
            continue
        set_by = f"{entry.file} line {entry.line}"
        if parameter is None:
            waiting.append(WaitingForRestart(name, "(library not loaded)", value, set_by))
        elif parameter.context == "postmaster" and not _same(parameter, parameter.setting, value):
            waiting.append(WaitingForRestart(name, parameter.display, value, set_by))
    return tuple(waiting)


def _override_warnings(desired: t.Mapping[str, str | None], observed: ServerSettings) -> t.Iterator[str]:
    for name, where in observed.overrides:
        if name in desired:
            yield f"{where} overrides {name}: the declared value does not hold there"


def _same(parameter: Parameter | None, one: str, other: str) -> bool:
    if parameter is None:
        return one == other
    return _meaning(parameter, one) == _meaning(parameter, other)


def _meaning(parameter: Parameter, text: str) -> Meaning:
    try:
        return parameter.value_type.meaning(text)
    except UnusableValue:  # a broken entry in a file is different from every good value
        return ("unusable", text)
