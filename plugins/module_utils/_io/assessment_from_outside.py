# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A running server that lets nobody in: where it lives, from its lock file, its process and its own binary."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

from .._core.errors import MissingRequirement, ObservationFailed
from .._dialects import postgresql_server as dialect
from .accounts import Accounts
from .postgresql import ConnectionSettings
from .postgresql_server import ServerLocation
from .processes import open_files, process_link, process_unit, read_process_file
from .server_owner import process_identity

_SOCKET_DIRECTORIES: t.Final = ("/run/postgresql", "/var/run/postgresql", "/tmp")  # noqa: S108 (libpq's defaults)
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
# What a binary does not tell beside a running server, because the server works it out as it starts.
_WORKED_OUT: t.Final = ("data_directory_mode", "server_version", "wal_segment_size")


def locate_from_outside(connection: ConnectionSettings) -> ServerLocation:
    """Where the server on this port lives. Raises MissingRequirement where no such server runs, or for who is not root.

    Databases, roles and what waits for a restart are not known; tablespaces are, by their links.
    """
    process, data = _lock_file(connection)
    arguments = [word for word in read_process_file(process, "cmdline").split("\0") if word]
    if not arguments:
        raise MissingRequirement(f"no server runs on port {connection.port}")
    program = process_link(process, "exe").replace(" (deleted)", "")
    command = [program, *arguments[1:]]
    settings = {name: _value(command, data, name) for name in dialect.SETTINGS if name not in _WORKED_OUT}
    status = os.stat(data)
    settings["data_directory"] = data
    # The server's own rule: a directory that its group may enter was made for the group.
    settings["data_directory_mode"] = "0750" if status.st_mode & 0o050 else "0700"
    for name in ("log_directory", "ssl_ca_file", "ssl_cert_file", "ssl_crl_file", "ssl_key_file"):
        settings[name] = os.path.join(data, settings[name]) if settings[name] else ""
    tablespaces = f"{data}/pg_tblspc"
    return ServerLocation(
        version=_version(program),
        settings=settings,
        os_user=Accounts().user_name(status.st_uid) or str(status.st_uid),
        bin_directory=os.path.dirname(program),
        process_id=process,
        unit=process_unit(process),
        output_file=_output(process),
        tablespaces=tuple(os.path.realpath(f"{tablespaces}/{name}") for name in sorted(os.listdir(tablespaces))),
        pending_restart=(),
        databases_open_to_public=(),
        login_roles=(),
    )


def _lock_file(connection: ConnectionSettings) -> tuple[int, str]:
    """Process and data directory from the lock file beside the unix socket."""
    directories = (connection.unix_socket,) if connection.unix_socket else _SOCKET_DIRECTORIES
    for directory in directories:
        try:
            with open(f"{directory}/.s.PGSQL.{connection.port}.lock", encoding="utf-8") as stream:
                process, data = stream.read().splitlines()[:2]
        except FileNotFoundError:
            continue
        if os.path.isdir(f"/proc/{int(process)}"):
            return int(process), data
    raise MissingRequirement(f"no server runs on port {connection.port}")


def _value(command: t.Sequence[str], data: str, name: str) -> str:
    """What the binary, started like the server, says of a parameter."""
    identity = process_identity(data)
    if identity is None:
        raise MissingRequirement("only root or the server's account can ask its binary")
    done = subprocess.run(
        [*command, "-C", name],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=10,
        cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        **identity,
    )
    if done.returncode:
        raise ObservationFailed(f"the server's binary does not say its {name}")
    return done.stdout.rstrip("\n")


def _version(program: str) -> int:
    done = subprocess.run([program, "--version"], check=False, capture_output=True, text=True, timeout=10)
    match = _VERSION.search(done.stdout)
    return int(match.group(1)) * 10000 + int(match.group(2) or 0) if match else 0


def _output(process: int) -> str:
    target = dict(open_files(process)).get(2, "")
    return target if target.startswith("/") and not target.startswith("/dev/") else ""
