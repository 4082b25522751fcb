# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Where a MariaDB server lives on its host: asked of the server and its process, not of a table of distributions."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import ssl
import typing as t

from .._core.mariadb_place import BINARY_LOGS, DATA_DIRECTORIES, LOG_FILES, ServerFiles
from .._dialects import mariadb_galera as galera_dialect
from .._dialects.mariadb_option_files import Option, Reading, read_options
from .._dialects.mariadb_server import TABLESPACES_QUERY, place_settings, server_files
from .._dialects.mariadb_settings import LOAD, ServerOptions, canonical_option, waiting_for_restart
from .._dialects.mariadb_values import Variable
from . import mariadb_settings as edge
from .accounts import Accounts
from .galera import ask
from .mariadb import Session, served_certificate
from .processes import open_files, process_unit
from .units import observe_socket_units

# A confined service gets one of its own.
_SYSTEMS_TEMPORARY: t.Final = ("/tmp", "/var/tmp")  # noqa: S108 (paths to compare with, nothing is written there)

# The kernel tells the start of a process no finer.
_TICK: t.Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass(frozen=True)
class ServerTLS:
    """The server's TLS for clients.

    :param files_loaded: whether what clients are shown is what the files say; None where that can't be told.
    """

    active: bool
    cert: str
    key: str
    ca: str
    files_loaded: bool | None


@dataclasses.dataclass(frozen=True)
class MariaDBLocation:
    """What a host's other tools have to know of the server.

    :param settings: paths and the like as the server says them; relative paths made absolute, unused ones empty.
    :param started: when its process was started, in seconds of the epoch.
    :param unit: the systemd unit that the process runs in; an empty string without one.
    :param socket_unit: the systemd unit that holds the server's port or socket, or will from the next boot on.
    :param output_file: the file that standard error goes to; empty where the journal or nobody has it.
    :param files: its option files, keys and certificates, links resolved.
    :param tablespaces: folders of tables that lie apart from the data directory.
    :param galera: it is a node of a cluster.
    :param pending_restart: options in the files that the server does not run with, and takes at a start only.
    """

    version: str
    settings: dict[str, str]
    os_user: str
    os_group: str
    binary: str
    process_id: int
    started: float
    unit: str
    socket_unit: str
    output_file: str
    files: ServerFiles
    tablespaces: tuple[str, ...]
    galera: bool
    pending_restart: tuple[str, ...]
    tls: ServerTLS

    @property
    def log_files(self) -> list[str]:
        """Files of logs that people read, in use or not: a log can be switched on at any time."""
        return sorted({self.settings[name] for name in LOG_FILES if self.settings[name]} | {self.output_file} - {""})

    @property
    def writable_paths(self) -> list[str]:
        """Folders that the server has to write, wherever links lead: data, logs, sockets, temporary files.

        The system's folders for temporary files are left out.
        """
        settings = self.settings
        folders = [*_data_folders(settings), *self.tablespaces]
        folders += [*settings["tmpdir"].split(":"), settings["innodb_tmpdir"], settings["slave_load_tmpdir"]]
        folders += [settings["secure_file_priv"]]
        folders += [os.path.dirname(path) for path in (settings["socket"], settings["pid_file"], *self.log_files)]
        real = {os.path.realpath(path) for path in folders if path.startswith("/")}
        there = {path for path in real if path not in _SYSTEMS_TEMPORARY and os.path.isdir(path)}
        return sorted(path for path in there if not any(path.startswith(f"{other}/") for other in there - {path}))


def locate(session: Session) -> MariaDBLocation:
    """Ask the server and its process. Raises MissingRequirement where it runs on another host."""
    variables = edge.observe_variables(session)
    plugins, libraries = edge.observe_plugins(session)
    process = edge.find_process(variables, libraries)
    reading = read_options(process.files, edge.FilesOnDisk())
    observed = ServerOptions(
        variables=variables,
        options=tuple(_of_server(reading, process, variables, plugins)),
        libraries=libraries,
        plugins=plugins,
        provider=edge.running_provider(variables),
    )
    settings = place_settings({name: variable.value for name, variable in variables.items()})
    tablespaces = _tablespaces(session, settings["datadir"])
    output_file = _output_file(process.process_id)
    logs = [os.path.dirname(path) for path in (*(settings[name] for name in LOG_FILES), output_file)]
    own = _owned((*_data_folders(settings), *tablespaces, *logs), process.uid)
    answer = ask(session)
    user, group = _account(process)
    return MariaDBLocation(
        version=".".join(map(str, session.version)),
        settings=settings,
        os_user=user,
        os_group=group,
        binary=process.binary,
        process_id=process.process_id,
        started=process.started,
        unit=process_unit(process.process_id),
        socket_unit=_socket_unit(settings),
        output_file=output_file,
        files=dataclasses.replace(_files(settings, reading, process.groups), own_directories=own),
        tablespaces=tablespaces,
        galera=galera_dialect.is_enabled(answer.status, answer.variables),
        pending_restart=_pending(observed, process.started),
        tls=_tls(session, settings, process.started),
    )


def _files(settings: t.Mapping[str, str], reading: Reading, groups: t.Collection[str]) -> ServerFiles:
    found = server_files(settings, reading, groups=groups)
    return ServerFiles(**{kind: _real(paths) for kind, paths in vars(found).items()})


def _account(process: edge.ServerProcess) -> tuple[str, str]:
    accounts = Accounts()
    return accounts.user_name(process.uid) or str(process.uid), accounts.group_name(process.gid) or str(process.gid)


def _data_folders(settings: t.Mapping[str, str]) -> list[str]:
    files = [settings[name] for name in (*BINARY_LOGS, "gcache.name")]
    folders = [settings["datadir"], *(settings[name] for name in DATA_DIRECTORIES), *map(os.path.dirname, files)]
    return [path for path in folders if path]


def _owned(folders: t.Iterable[str], uid: int) -> tuple[str, ...]:
    found = []
    for path in sorted({path for path in folders if path}):
        with contextlib.suppress(OSError):
            if os.stat(path).st_uid == uid:
                found.append(path)
    return tuple(found)


def _tablespaces(session: Session, data: str) -> tuple[str, ...]:
    folders = {folder for (folder,) in session.rows(TABLESPACES_QUERY)}
    return tuple(sorted(folder for folder in folders if not f"{folder}/".startswith(f"{data}/")))


def _of_server(
    reading: Reading,
    process: edge.ServerProcess,
    variables: t.Mapping[str, Variable],
    plugins: t.Mapping[str, str],
) -> t.Iterator[Option]:
    """What the files say to the server, by the options' whole names."""
    known = process.known | variables.keys() | plugins.keys()
    for option in reading.options:
        if option.group in process.groups:
            name, value = canonical_option(option.name, option.value, known)
            yield dataclasses.replace(option, name=name, value=value)


def _changed(path: str) -> float:
    """When a file came to be what and where it is; 0 for one that is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return 0.0
    return max(status.st_mtime, status.st_ctime)


def _pending(observed: ServerOptions, started: float) -> tuple[str, ...]:
    """Options of files that changed since the server was started, and that it does not run with.

    Where it runs with something else than an older file says, it has bent the value to what it can use.
    """
    last = {option.name: option for option in observed.options if option.name != LOAD}
    newer = [option for option in last.values() if _changed(option.file) > started + _TICK]
    # An option that is named alone is on.
    wanted = {option.name: "ON" if option.value is None else option.value for option in newer}
    rows = waiting_for_restart(wanted, observed, load=observed.loads())
    return tuple(sorted({row["name"] for row in rows}))


def _tls(session: Session, settings: t.Mapping[str, str], started: float) -> ServerTLS:
    certificate, ca = settings["ssl_cert"], settings["ssl_ca"]
    active = settings["have_ssl"] == "YES"
    return ServerTLS(
        active=active,
        cert=certificate,
        key=settings["ssl_key"],
        ca=ca,
        files_loaded=_files_loaded(session, certificate, ca, started) if active and certificate else None,
    )


def _files_loaded(session: Session, certificate: str, ca: str, started: float) -> bool | None:
    """The certificate that clients are shown is that of the file, and the authorities are older than the server.

    Nothing tells which authorities FLUSH SSL has read: with a newer file the answer stays open.
    """
    shown = served_certificate(session.connection)
    try:
        with open(certificate, encoding="ascii", errors="replace") as stream:
            text = stream.read()
        end = "-----END CERTIFICATE-----"
        wanted = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN") : text.index(end) + len(end)])
    except (OSError, ValueError):
        return False
    if shown is None:
        return None
    if shown != wanted:
        return False
    return None if ca and edge.is_newer(ca, started + _TICK) else True


def _socket_unit(settings: t.Mapping[str, str]) -> str:
    wanted = {settings["port"], settings["socket"], os.path.realpath(settings["socket"])} - {"", "0"}
    return next((unit for unit, listens in sorted(observe_socket_units().items()) if wanted & listens), "")


def _output_file(process: int) -> str:
    target = dict(open_files(process)).get(2, "")
    return target if target.startswith("/") and not target.startswith("/dev/") else ""


def _real(paths: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))
