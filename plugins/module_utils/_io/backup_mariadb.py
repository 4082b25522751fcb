# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""How a full backup of MariaDB is taken: by mariadb-backup over the local socket."""

from __future__ import annotations

import re
import typing as t

from .._core.backup_evidence import COMPLETION, StageEnd, mariadb_position
from .._core.backup_job_file import MariaDBPlace
from .backup_pipe import Stage

_KEEP: t.Final = (
    rf"{re.escape(COMPLETION['mariadb'])}|binlog position|Using server version|based on MariaDB server"
    r"|file_key_management_filename|ERROR|[Ee]rror:"
)
_KEY_FILE: t.Final = re.compile(r"--file_key_management_filename=(/[^']*)'")
_SERVER: t.Final = re.compile(r"Using server version (\S+)")
_TOOL: t.Final = re.compile(r"(mariadb-backup based on MariaDB server \S+)")


def backup_stage(place: MariaDBPlace, folder: str) -> Stage:
    """``folder``: where the tool would put files if it did not stream; it writes nothing there."""
    return Stage(
        [
            # the option file comes first, or it is not read
            *("mariadb-backup", f"--defaults-file={place.defaults_file}", "--backup", "--galera-info"),
            *("--stream=mbstream", f"--socket={place.socket}", f"--user={place.user}"),
            *(f"--datadir={place.datadir}", f"--target-dir={folder}"),
        ],
        keep=_KEEP,
    )


def describe(tool: StageEnd) -> dict[str, t.Any]:
    """What the manifest says of the server. Galera's position is in the set itself, the tool does not print it."""
    text = "\n".join(tool.lines)
    server, version = _SERVER.search(text), _TOOL.search(text)
    return {
        "position": {**mariadb_position(tool.lines), "galera_uuid": None, "galera_seqno": None},
        "server_version": server.group(1) if server else "",
        "system_identifier": "",
        "tool_version": version.group(1) if version else "",
    }


def key_file(tool: StageEnd) -> str:
    """Where the server keeps the keys of its encrypted tables; empty if it encrypts none."""
    found = _KEY_FILE.search("\n".join(tool.lines))
    return found.group(1) if found else ""
