# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""How a full backup of PostgreSQL is taken: by one replication connection over the local socket."""

from __future__ import annotations

import dataclasses
import os
import time
import typing as t

from .._core.backup_evidence import COMPLETION, StageEnd, judge_statuses, postgresql_position
from .._core.backup_job_file import PostgreSQLPlace
from .._core.backup_segments import DEFAULT_SEGMENT_BYTES, Segment, parse_position, segment_name
from .._core.errors import ApplyFailed, ObservationFailed
from .backup_pipe import Stage, ask

_KEEP: t.Final = rf"{COMPLETION['postgresql']}|write-ahead log (start|end) point|error|FATAL"
_LONGEST_LOOK: t.Final = 60.0  # seconds
_UNITS: t.Final = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3}


def backup_stage(place: PostgreSQLPlace) -> Stage:
    return Stage(
        [
            *(os.path.join(place.binaries, "pg_basebackup"), "--pgdata=-", "--format=tar", "--wal-method=fetch"),
            *("--checkpoint=fast", "--verbose", "--no-password", "-h", place.socket, "-p", str(place.port)),
            *("-U", place.user),
        ],
        keep=_KEEP,
    )


@dataclasses.dataclass(frozen=True)
class Server:
    """What does not change while it is backed up."""

    segment_bytes: int
    version: str
    system_identifier: str
    tool_version: str


def look_at_server(place: PostgreSQLPlace, *, deadline: float) -> Server:
    """Raises ApplyFailed and ObservationFailed."""
    deadline = min(deadline, time.monotonic() + _LONGEST_LOOK)
    size, version, system = _ask(
        place, ("SHOW wal_segment_size", "SHOW server_version", "IDENTIFY_SYSTEM"), deadline=deadline
    )
    dummy, lines = ask([os.path.join(place.binaries, "pg_basebackup"), "--version"], deadline=deadline)
    return Server(_segment_bytes(size), version, system.split("|")[0], lines[0].strip() if lines else "")


def describe(server: Server, tool: StageEnd) -> dict[str, t.Any]:
    """What the manifest says of the server. Raises ObservationFailed if the tool did not say from where to where."""
    found = postgresql_position(tool.lines)
    if not found:
        raise ObservationFailed("pg_basebackup did not say between which positions of the log it worked")
    start = Segment(found["timeline"], parse_position(found["start_lsn"]) // server.segment_bytes)
    return {
        "position": {"start_wal": segment_name(start, server.segment_bytes), **found},
        "server_version": server.version,
        "system_identifier": server.system_identifier,
        "tool_version": server.tool_version,
    }


def _ask(place: PostgreSQLPlace, commands: t.Sequence[str], *, deadline: float) -> list[str]:
    """A line for each command of the replication protocol: the job's role may connect to no database."""
    arguments = [
        *(os.path.join(place.binaries, "psql"), "-X", "-A", "-t", "-w", "-h", place.socket),
        *("-p", str(place.port), "-U", place.user, "-d", "replication=true"),
        *(word for command in commands for word in ("-c", command)),
    ]
    end, lines = ask(arguments, deadline=deadline)
    complaint = judge_statuses([end])
    if complaint:
        raise ApplyFailed(f"can't ask the server: {complaint.cause}", complaint.hint)
    if len(lines) != len(commands):
        raise ObservationFailed(f"the server answers {' '.join(commands)} with {len(lines)} lines")
    return lines


def _segment_bytes(text: str) -> int:
    digits = text.rstrip("BkMG")
    return int(digits) * _UNITS.get(text[len(digits) :], 1) if digits.isdigit() else DEFAULT_SEGMENT_BYTES
