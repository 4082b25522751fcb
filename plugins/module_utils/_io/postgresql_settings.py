# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Observe and write PostgreSQL's settings: catalogue, files, ALTER SYSTEM, reload."""

from __future__ import annotations

import os
import typing as t

from .._core.errors import ApplyFailed, InvalidDeclaration, ObservationFailed
from .._core.options_file import includes_file, set_entries, with_include
from .._core.setting_values import split_list
from .._core.settings import FileEntry, Parameter, ServerSettings
from .._dialects import postgresql_settings as dialect
from .files import FileContent, read_file, replace_file
from .postgresql import ServerRefused, Session

# What pg_file_settings says of a good value that waits for a restart; every other error makes the server ignore the
# whole file at the next reload.
_WAITS_FOR_RESTART = "setting could not be applied"


def read_facts(session: Session) -> dialect.Facts:
    """What does not change while a server runs: where it lives, and what the login may do."""
    return dialect.Facts(*session.rows(dialect.FACTS_QUERY)[0])


def observe_settings(
    session: Session,
    facts: dialect.Facts,
    *,
    desired: t.Mapping[str, str | None],
    include_file: str | None = None,
    libraries: t.Iterable[str] = (),
) -> ServerSettings:
    """The catalogue, the files' entries in reading order, and what else a plan needs, in four queries.

    :param libraries: names to look for besides those that the declaration and the files preload.
    :raises ObservationFailed: when a file has an error that would make the server ignore its reload.
    """
    parameters = {row[0]: _parameter(row) for row in session.rows(dialect.PARAMETERS_QUERY)}
    entries = _file_entries(session, desired)
    settable = parameters.get("allow_alter_system")
    return ServerSettings(
        version=session.version,
        parameters=parameters,
        entries=entries,
        automatic_file=f"{facts.data_directory}/postgresql.auto.conf",
        include_file=include_file or default_include_file(facts.config_file),
        unsettable=dialect.UNSETTABLE_PARAMETERS
        | _not_permitted(session, desired, parameters, superuser=facts.is_superuser),
        only_in_files=dialect.ONLY_IN_FILES,
        preload_parameters=dialect.PRELOAD_PARAMETERS,
        quoted_lists=dialect.QUOTED_LIST_PARAMETERS,
        available_libraries=_available_libraries(
            session, {*libraries, *_named(desired, entries)}, facts.library_directory
        ),
        overrides=tuple(
            (name, _where(role, database)) for name, role, database in session.rows(dialect.OVERRIDES_QUERY)
        ),
        may_alter_system=settable is None or settable.setting == "on",
    )


def default_include_file(config_file: str) -> str:
    """Debian reads conf.d beside postgresql.conf; elsewhere a line that includes it is added."""
    return os.path.join(os.path.dirname(config_file), "conf.d", "bulwark.conf")


def write_by_alter_system(session: Session, name: str, value: str | None, *, is_placeholder: bool) -> None:
    for statement in dialect.alter_system(name, value, is_placeholder=is_placeholder):
        session.execute(statement)


def write_include_file(path: str, values: t.Mapping[str, str | None], *, like: str) -> None:
    """Merge the values into the include file.

    A new one gets the ownership of ``like`` (postgresql.conf) and is no wider: 0600 in a data directory.
    """
    present = read_file(path)
    if present is None:
        model = read_file(like)
        if model is None:
            raise ApplyFailed(f"{like} is not on this host", "Run the module on the database host itself")
        present = FileContent(b"", model.uid, model.gid, model.mode & 0o640)
        _ensure_directory(os.path.dirname(path), model)
    text = set_entries(present.data.decode("utf-8"), values)
    replace_file(path, FileContent(text.encode("utf-8"), present.uid, present.gid, present.mode))


def ensure_included(config_file: str, include_file: str) -> None:
    """Make postgresql.conf read the include file, by one added line where neither it nor its folder is named."""
    configuration = read_file(config_file)
    if configuration is None:
        raise ApplyFailed(f"{config_file} is not on this host", "Run the module on the database host itself")
    text = configuration.data.decode("utf-8", "surrogateescape")
    if includes_file(text, path=include_file, directory=os.path.dirname(config_file)):
        return
    changed = with_include(text, include_file).encode("utf-8", "surrogateescape")
    replace_file(config_file, FileContent(changed, configuration.uid, configuration.gid, configuration.mode))


def clear_automatic_entries(session: Session, path: str, names: t.Iterable[str], *, by_file: bool) -> None:
    """Take entries out of postgresql.auto.conf; by editing it where ALTER SYSTEM is switched off."""
    if not by_file:
        for name in names:
            write_by_alter_system(session, name, None, is_placeholder=False)
        return
    content = read_file(path)
    if content is None:
        return
    text = set_entries(content.data.decode("utf-8", "surrogateescape"), dict.fromkeys(names))
    replace_file(path, FileContent(text.encode("utf-8", "surrogateescape"), content.uid, content.gid, content.mode))


def _parameter(row: tuple) -> Parameter:
    name, kind, unit, minimum, maximum, choices, context, setting, display, source, file, line = row
    value_type = dialect.value_type_from_row(name, kind, unit, minimum, maximum, choices)
    shown = setting if display is None else display
    if name in dialect.SOCKET_PARAMETERS or setting == dialect.HIDDEN_VALUES.get(name):
        source = "session"
    return Parameter(name, value_type, context, setting or "", shown or "", source, file or "", line or 0)


def _file_entries(session: Session, desired: t.Mapping[str, str | None]) -> tuple[FileEntry, ...]:
    entries = []
    for file, line, name, value, error in session.rows(dialect.FILE_ENTRIES_QUERY):
        if error and error != _WAITS_FOR_RESTART and name not in desired:
            raise ObservationFailed(
                f"{file} line {line} has an error: {error}" + (f" ({name})" if name else ""),
                "The server ignores every change of its configuration until that line is mended",
            )
        if name:
            entries.append(FileEntry(file, line, name, value or ""))
    return tuple(entries)


def _not_permitted(
    session: Session, desired: t.Mapping[str, str | None], parameters: t.Mapping[str, Parameter], *, superuser: bool
) -> frozenset[str]:
    """Of the declared names, those that the login may not set (PostgreSQL 15 can grant single parameters)."""
    if superuser:
        return frozenset()
    if session.version < 150000:
        raise InvalidDeclaration(
            f"role {session.settings.user} is no superuser, so it can't change server settings", "Log in as a superuser"
        )
    query = (
        "SELECT name FROM pg_catalog.unnest(%s::text[]) AS name"
        " WHERE NOT pg_catalog.has_parameter_privilege(name, 'ALTER SYSTEM')"
    )
    return frozenset(name for (name,) in session.rows(query, [[name for name in desired if name in parameters]]))


def _named(desired: t.Mapping[str, str | None], entries: t.Iterable[FileEntry]) -> set[str]:
    values = [desired.get(name) or "" for name in dialect.PRELOAD_PARAMETERS]
    values += [entry.value for entry in entries if entry.name in dialect.PRELOAD_PARAMETERS]
    return {word for value in values for word in split_list(value)}


def _available_libraries(session: Session, names: set[str], library_directory: str) -> frozenset[str]:
    """Asked of the server itself, so that it is right from a distance too."""
    wanted = sorted(names)
    if not wanted:
        return frozenset()
    paths = [dialect.library_path(word, library_directory) for word in wanted]
    try:
        found = session.rows(dialect.LIBRARY_QUERY, [paths])
    except ServerRefused as error:
        raise ObservationFailed(f"can't check whether the libraries {', '.join(wanted)} exist: {error.text}") from None
    return frozenset(word for word, (exists,) in zip(wanted, found) if exists)


def _where(role: str | None, database: str | None) -> str:
    parts = [f"role {role}" if role else "", f"database {database}" if database else ""]
    return " in ".join(part for part in parts if part) or "every role and database"


def _ensure_directory(path: str, model: FileContent) -> None:
    try:
        os.mkdir(path, os.stat(os.path.dirname(path)).st_mode & 0o750)
        os.chown(path, model.uid, model.gid)
    except FileExistsError:
        return
    except OSError as error:
        raise ApplyFailed(f"can't make the folder {path}: {error.strerror}") from None
