# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Where a PostgreSQL server lives on its host: asked of the server and its process, not of a table of distributions."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import typing as t

from .._core.errors import ObservationFailed
from .._dialects import postgresql_server as dialect
from .postgresql import Session
from .processes import open_files, process_unit

_TLS_FILES: t.Final = ("ssl_ca_file", "ssl_cert_file", "ssl_crl_file", "ssl_key_file")


@dataclasses.dataclass(frozen=True)
class ServerLocation:
    """What a host's other tools have to know of the server.

    :param settings: paths and port as the server says them; relative paths made absolute.
    :param os_user: owner of the data directory, the account that the server runs as.
    :param process_id: of the postmaster; None when it can't be read.
    :param tls_files_loaded: the server has read its TLS files since they were last written; True where nobody can ask.
    :param output_file: the file that standard error goes to (Debian's log without a collector); empty without one.
    :param unit: the systemd unit that the postmaster runs in; an empty string without one.
    """

    version: int
    settings: dict[str, str]
    os_user: str
    bin_directory: str
    process_id: int | None
    unit: str
    output_file: str
    tablespaces: tuple[str, ...]
    pending_restart: tuple[str, ...]
    databases_open_to_public: tuple[str, ...]
    login_roles: tuple[str, ...]
    tls_files_loaded: bool = True

    @property
    def writable_paths(self) -> list[str]:
        """Folders that the server has to write: its data, WAL and tablespaces wherever links lead, logs, sockets."""
        data = self.settings["data_directory"]
        logs = [self.settings["log_directory"]] if self.settings["logging_collector"] == "on" else []
        sockets = [path.strip() for path in self.settings["unix_socket_directories"].split(",")]
        run_files = [os.path.dirname(path) for path in (self.settings["external_pid_file"], self.output_file)]
        paths = [data, f"{data}/pg_wal", *self.tablespaces, *logs, *sockets, *run_files]
        real = {os.path.realpath(path) for path in paths if path.startswith("/")}
        return sorted(path for path in real if not any(path.startswith(f"{other}/") for other in real - {path}))


def locate(session: Session) -> ServerLocation:
    """Ask the server and its process. Raises ObservationFailed where the server runs on another host."""
    settings: dict[str, str] = dict(session.rows(dialect.SETTINGS_QUERY, [list(dialect.SETTINGS)]))
    data = settings["data_directory"]
    for name in ("log_directory", *_TLS_FILES):
        if settings[name]:
            settings[name] = os.path.join(data, settings[name])
    process_id = _process_id(data)
    return ServerLocation(
        version=session.version,
        settings=settings,
        os_user=_owner(data),
        bin_directory=session.value(dialect.BINARIES_QUERY),
        process_id=process_id,
        unit=process_unit(process_id) if process_id else "",
        output_file=_output_file(process_id) if process_id else "",
        tablespaces=_names(session, dialect.TABLESPACES_QUERY),
        pending_restart=_names(session, dialect.PENDING_QUERY),
        tls_files_loaded=session.value(dialect.LOAD_TIME_QUERY) >= _last_changed(settings[name] for name in _TLS_FILES),
        databases_open_to_public=_names(session, dialect.OPEN_TO_PUBLIC_QUERY),
        login_roles=_names(session, dialect.LOGIN_ROLES_QUERY),
    )


def _last_changed(paths: t.Iterable[str]) -> float:
    """Of files that are there, in seconds of the epoch."""
    found = 0.0
    for path in filter(None, paths):
        with contextlib.suppress(OSError):
            found = max(found, os.stat(path).st_mtime)
    return found


def _names(session: Session, query: str) -> tuple[str, ...]:
    return tuple(name for (name,) in session.rows(query))


def _output_file(process_id: int) -> str:
    target = dict(open_files(process_id)).get(2, "")
    return target if target.startswith("/") and not target.startswith("/dev/") else ""


def _process_id(data_directory: str) -> int | None:
    try:
        with open(os.path.join(data_directory, "postmaster.pid"), encoding="ascii", errors="replace") as stream:
            return int(stream.readline())
    except (OSError, ValueError):
        return None


def _owner(data_directory: str) -> str:
    try:
        uid = os.stat(data_directory).st_uid
    except OSError as error:
        raise ObservationFailed(
            f"can't look at the data directory {data_directory}: {error.strerror}",
            "Run the module as root on the database host itself",
        ) from None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
