# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets and segments as tests need them."""

from __future__ import annotations

import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import (
    Manifest,
    SealedFile,
    Sidecar,
    data_file,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import render_id, render_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_segments import Segment, segment_name

SIZE = 16 * 1024 * 1024


def position(number: int, *, into: int = 0x100) -> str:
    """A place within a segment."""
    place = number * SIZE + into
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


def full(
    moment: int,
    *,
    start: int = 1,
    end: int | None = None,
    timeline: int = 1,
    engine: str = "postgresql",
    sealing: str = "age",
) -> Manifest:
    """A full backup from within segment ``start`` to within segment ``end``."""
    place: dict[str, t.Any] = {
        "start_wal": segment_name(Segment(timeline, start), SIZE),
        "timeline": timeline,
        "start_lsn": position(start, into=0x28),
        "end_lsn": position(start if end is None else end),
    }
    if engine == "mariadb":
        place = dict.fromkeys(("binlog_file", "binlog_position", "gtid", "galera_uuid", "galera_seqno"))
    return Manifest(
        id=render_id(moment),
        job="main",
        engine=engine,
        started=render_moment(moment - 10),
        finished=render_moment(moment),
        consistent_from=render_moment(moment),
        position=place,
        server_version="15.18",
        tool_version="pg_basebackup 15.18",
        system_identifier="7",
        files=(SealedFile(data_file(engine, sealing), 10_000, "ab" * 32, 50_000),),
        recipients=("age1x", "age1y"),
    )


def segment(number: int, closed: int, *, timeline: int = 1, sealing: str = "age") -> Sidecar:
    name, moment = segment_name(Segment(timeline, number), SIZE), render_moment(closed)
    return Sidecar(name, 1000, "cd" * 32, "ef" * 32, SIZE, moment, moment, sealing=sealing)


def history(timeline: int, *switches: tuple[int, str]) -> Sidecar:
    moment = render_moment(0)
    return Sidecar(f"{timeline:08X}.history", 300, "cd" * 32, "ef" * 32, 40, moment, moment, switches)
