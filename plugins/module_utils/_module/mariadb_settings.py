# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of mariadb_settings: wires the pure plan to a live server."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._core.errors import ApplyFailed, BulwarkError, InvalidDeclaration, MissingRequirement, RefusedForSafety
from .._core.plan import Plan
from .._core.secrets import HIDDEN
from .._dialects import mariadb_provider as provider
from .._dialects.mariadb import Version, quote_literal
from .._dialects.mariadb_galera import is_enabled
from .._dialects.mariadb_option_files import HEADER, Reading, normalised, read_options, set_options
from .._dialects.mariadb_settings import (
    LOAD,
    SECRETS,
    ServerOptions,
    SettingStep,
    canonical_option,
    library_of,
    plan_settings,
    waiting_for_restart,
)
from .._dialects.mariadb_values import Variable
from .._io import mariadb_settings as edge
from .._io.files import FileContent, read_file, remove_file, replace_file
from .._io.mariadb import MariaDBConnection, Session, open_session
from .._io.mariadb_paths import path_complaints

if t.TYPE_CHECKING:
    from .._controls.baseline import MariaDBBaseline

DEFAULT_NAME: t.Final = "z-bulwark.cnf"
# Stands where our file's entries stand among all the others while they are read.
_MARKER: t.Final = "bulwark_stands_here"
_FILE_MODE: t.Final = 0o640
# SST scripts and older tools read this group; so do all servers.
_GROUP: t.Final = "mysqld"


class MariaDBSettings:
    """A whole set of options of one server.

    :param options: the module's parameters.
    """

    def __init__(self, session: Session, options: t.Mapping[str, t.Any]) -> None:
        self._session = session
        self._declared = declared_settings(options)
        self._load = _libraries(options["settings"])
        self._install = tuple(library_of(str(library)) for library in options["plugins"])
        self._secrets = {str(value) for value in options["secret_settings"].values() if value}
        variables = edge.observe_variables(session)
        plugins, libraries = edge.observe_plugins(session)
        if options["level"]:
            self._add(baseline_for(options, session.version, variables, {*libraries, *self._load, *self._install}))
        self._find_process(variables, plugins, libraries)
        self.option_file = options["option_file"] or self._default_file()

    def _add(self, baseline: MariaDBBaseline) -> None:
        """What is declared wins over the baseline."""
        self._declared = {**baseline.settings, **self._declared}
        loaded_anyway = {*self._load, *self._install}
        self._install += tuple(library for library in baseline.libraries if library not in loaded_anyway)

    def _find_process(
        self, variables: t.Mapping[str, Variable], plugins: t.Iterable[str], libraries: frozenset[str]
    ) -> None:
        self._process = edge.find_process(variables, libraries)
        self._libraries = libraries
        self._groups = self._process.groups
        # The binary hides the option of a plugin that is FORCE_PLUS_PERMANENT.
        self._known = self._process.known | variables.keys() | set(plugins)

    @property
    def previous_file(self) -> str:
        """What our option file was when the server was started; no server reads it by this name."""
        return f"{self.option_file}.previous"

    def _default_file(self) -> str:
        directories = read_options(self._process.files, edge.FilesOnDisk()).directories
        if not directories:
            raise MissingRequirement(
                f"the option files {', '.join(self._process.files) or '(none)'} read no folder",
                "Name option_file, or add an !includedir line",
            )
        return f"{directories[-1].rstrip('/')}/{DEFAULT_NAME}"

    def observe(self) -> ServerOptions:
        variables, plugins, libraries = edge.observe_variables_with_plugins(self._session)
        if libraries != self._libraries:  # what the binary knows depends on them
            self._find_process(variables, plugins, libraries)
        before, later = self._options(_text(self.option_file))
        return ServerOptions(
            variables=variables,
            options=(*before, *later),
            later=later,
            option_file=self.option_file,
            known=self._process.known,
            libraries=libraries,
            available=edge.plugin_libraries(variables["plugin_dir"].value),
            plugins=plugins,
            provider=edge.running_provider(variables),
            started_with=self._started_with(),
        )

    def _started_with(self) -> dict[str, str | None] | None:
        if not edge.is_newer(self.option_file, self._process.started):
            return None
        before, later = self._options(_text(self.previous_file))
        return {option.name: option.value for option in (*before, *later)}

    def _reading(self, text: str) -> Reading:
        return read_options(self._process.files, edge.FilesOnDisk((self.option_file, text)))

    def _options(self, text: str) -> tuple[tuple[t.Any, ...], tuple[t.Any, ...]]:
        """What the server reads up to the end of our file, and after it, with canonical names."""
        group = _GROUP if _GROUP in self._groups else self._groups[0]
        reading = self._reading(f"{text}\n[{group}]\n{_MARKER}\n")
        found = [option for option in reading.options if option.group in self._groups]
        found += edge.command_line_options(self._process)
        marks = [index for index, option in enumerate(found) if option.name == _MARKER]
        if not marks:
            raise InvalidDeclaration(
                f"the server does not read {self.option_file}",
                f"It reads {', '.join(reading.files)} and folders {', '.join(reading.directories)} (names end in .cnf)",
            )
        named = []
        for option in found:
            name, value = canonical_option(option.name, option.value, self._known)
            named.append(dataclasses.replace(option, name=name, value=value))
        self._secrets |= {option.value for option in named if option.name in SECRETS and option.value}
        return tuple(named[: marks[-1]]), tuple(one for one in named[marks[-1] + 1 :] if one.name != _MARKER)

    def plan(self, observed: ServerOptions) -> Plan:
        plan = plan_settings(self._declared, observed, load=self._load, install=self._install, quote=quote_literal)
        if any(change.payload.lines is not None for change in plan):
            self._ask_the_binary(self._candidate(plan))
        return plan

    def _candidate(self, plan: Plan) -> str:
        """Our option file as the plan wants it."""
        steps: list[SettingStep] = [change.payload for change in plan]
        return set_options(
            _text(self.option_file),
            {step.name: step.lines for step in steps if step.lines is not None},
            group=_GROUP if _GROUP in self._groups else self._groups[0],
            groups=self._groups,
            canonical=lambda name: canonical_option(name, None, self._known)[0],
        )

    def _ask_the_binary(self, candidate: str) -> None:
        reading = self._reading(candidate)
        found = edge.complaints(self._process, [one for one in reading.options if one.group in self._groups])
        if found:
            raise InvalidDeclaration(
                self._hide(f"the server's binary refuses these options: {'; '.join(found)}"), "Nothing was changed"
            )

    def _hide(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return text

    def apply(self, plan: Plan, observed: ServerOptions) -> None:
        self._require_paths(plan, observed)
        undo: list[t.Callable[[], None]] = []
        try:
            self._write(plan, undo)
            self._set_live(plan, undo)
            # Last, because a plugin that is declared FORCE_PLUS_PERMANENT can't be unloaded again.
            if self._install_libraries(plan, undo):
                # It has read its variables from our file, unless it was loaded before with other values.
                self._set_live(self.plan(self.observe()), undo)
        except BulwarkError as error:
            for step in reversed(undo):
                with contextlib.suppress(BulwarkError):
                    step()
            raise ApplyFailed(
                self._hide(error.message), f"The option file and the variables set so far were put back. {error.hint}"
            ) from None

    def _require_paths(self, plan: Plan, observed: ServerOptions) -> None:
        """By now they have to be there: the binary passes over them, and the next start would fail."""
        values = {change.payload.name: change.payload.lines[-1] for change in plan if change.payload.lines}
        complaints = path_complaints(
            values, data_directory=observed.variables["datadir"].value, uid=self._process.uid, gid=self._process.gid
        )
        if complaints:
            raise RefusedForSafety("; ".join(complaints), "Bring the files first; nothing was changed")

    def _write(self, plan: Plan, undo: list[t.Callable[[], None]]) -> None:
        if all(change.payload.lines is None for change in plan):
            return
        before = read_file(self.option_file)
        owner, group = (0, self._process.gid) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        mode = before.mode & _FILE_MODE if before else _FILE_MODE
        text = self._candidate(plan)
        newer = edge.is_newer(self.option_file, self._process.started)
        if not newer or read_file(self.previous_file) is None:
            old = before.data if before and not newer else HEADER.encode("utf-8")
            replace_file(self.previous_file, FileContent(old, owner, group, _FILE_MODE))
        undo.append(lambda: _put_back(self.option_file, before))
        replace_file(self.option_file, FileContent(text.encode("utf-8", "surrogateescape"), owner, group, mode))

    def _install_libraries(self, plan: Plan, undo: list[t.Callable[[], None]]) -> bool:
        libraries = [library for change in plan for library in change.payload.install]
        for library in libraries:
            literal = quote_literal(library)
            edge.install_library(self._session, literal)
            undo.append(lambda literal=literal: edge.uninstall_library(self._session, literal))  # type: ignore[misc]
        return bool(libraries)

    def _set_live(self, plan: Plan, undo: list[t.Callable[[], None]]) -> None:
        for change in plan:
            step: SettingStep = change.payload
            if step.live is None:
                continue
            edge.set_global(self._session, step.name, step.live)
            if step.back is not None:
                undo.append(lambda one=step: edge.set_global(self._session, one.name, one.back))  # type: ignore[misc]

    def result(self, observed: ServerOptions, plan: Plan) -> dict[str, t.Any]:
        return {
            "option_file": self.option_file,
            "previous_file": self.previous_file,
            "activation": plan.activation,
            "restart_required": waiting_for_restart(self._declared, observed, load=(*self._load, *self._install)),
        }


def baseline_for(
    options: t.Mapping[str, t.Any],
    version: Version,
    variables: t.Mapping[str, Variable],
    libraries: t.Collection[str],
) -> MariaDBBaseline:
    """What the controls of the level ask for on this server, less what is left. Raises InvalidDeclaration.

    :param libraries: that are loaded, or about to be.
    """
    # The catalogue takes a tenth of a second to import, and most declarations bring their own values.
    from .._controls.baseline import mariadb_settings, without  # noqa: PLC0415
    from .._controls.setting_check import CERTIFICATE, KEYS  # noqa: PLC0415
    from .._controls.versions import version_number  # noqa: PLC0415

    given = {normalised(str(name)): value for name, value in options["settings"].items()}
    has = [KEYS] if any(library.endswith("_key_management") for library in libraries) else []
    if given.get("ssl_cert", variables["ssl_cert"].value):
        has.append(CERTIFICATE)
    found = mariadb_settings(
        level=options["level"],
        log_policy=options["log_policy"],
        version=version_number(version),
        galera=is_enabled({}, {name: one.value for name, one in variables.items()}),
        has=has,
    )
    return without(found, [normalised(str(name)) for name in options["leave"]])


def declared_settings(options: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    """Both kinds of settings as texts, names in the server's spelling. Raises InvalidDeclaration."""
    declared: dict[str, str | None] = {}
    for kind in ("settings", "secret_settings"):
        for written, value in options[kind].items():
            name = normalised(str(written))
            if name in declared:
                raise InvalidDeclaration(f"option {name} is declared twice", "Case, dashes and loose_ do not matter")
            if name in SECRETS and kind == "settings":
                raise InvalidDeclaration(f"{name} is a secret", "Give it in secret_settings, which no log shows")
            declared[name] = None if value is None else _text_of(name, value)
    if declared.get(LOAD) is not None:
        del declared[LOAD]  # libraries are added to those that are there
    return declared


def _text_of(name: str, value: t.Any) -> str:
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    if isinstance(value, dict):
        if name != provider.NAME:
            raise InvalidDeclaration(f"option {name} has a mapping as its value", "Give a string, number or list")
        return provider.render({str(key): _provider_text(part) for key, part in value.items()})
    if isinstance(value, (list, tuple)):
        return ",".join(str(part) for part in value)
    return str(value)


def _provider_text(value: t.Any) -> str:
    if value is None:
        raise InvalidDeclaration(
            f"{provider.NAME} has a key without a value", "Turn it off with false, or give a value"
        )
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _libraries(settings: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    for written, value in settings.items():
        if normalised(str(written)) == LOAD and value is not None:
            parts = value if isinstance(value, list) else str(value).split(";")
            return tuple(library_of(str(part)) for part in parts)
    return ()


def _text(path: str) -> str:
    content = read_file(path)
    return content.data.decode("utf-8", "surrogateescape") if content else ""


def _put_back(path: str, content: FileContent | None) -> None:
    if content is None:
        remove_file(path)
    else:
        replace_file(path, content)


@contextlib.contextmanager
def open_subject(connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> t.Iterator[MariaDBSettings]:
    if connection.host:
        raise MissingRequirement(
            "option files can't be written over TCP",
            "Run the module on the database host and log in by the unix socket",
        )
    with open_session(connection) as session:
        yield MariaDBSettings(session, options)
