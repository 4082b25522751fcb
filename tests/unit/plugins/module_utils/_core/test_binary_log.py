# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary logs: what leads on from which full backup, where it breaks off, and what nothing needs any more."""

from __future__ import annotations

import dataclasses
import struct

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import Manifest, Sidecar
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import render_id, render_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_retention import plan_pruning
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import (
    Gap,
    Interval,
    gaps,
    restorable,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.binary_log import (
    LogSummary,
    ServerLogs,
    first_wanted,
    parse_header,
    parse_stored,
    split_server_name,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.binary_log_window import leads_into, read_chains
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ObservationFailed

T = 1_790_000_000
DAY = 86400
FIRST, SECOND = render_id(T - 100), render_id(T + 1000)


def full(at: int, log: str = "bin.000003") -> Manifest:
    position = {"binlog_file": log, "binlog_position": 4, "gtid": "", "galera_uuid": None, "galera_seqno": None}
    return Manifest(
        id=render_id(at), job="main", engine="mariadb", started=render_moment(at), finished=render_moment(at + 5),
        consistent_from=render_moment(at + 5), position=position, server_version="", tool_version="",
        system_identifier="", files=(), recipients=(),
    )  # fmt: skip


def log(number: int, closed: int, chain: str = FIRST) -> Sidecar:
    return Sidecar(
        name=f"{chain}-{number:06d}", bytes=1, sha256="0" * 64, plain_sha256="0" * 64, plain_bytes=1,
        archived=render_moment(closed), closed=render_moment(closed), opened=render_moment(closed - 60),
    )  # fmt: skip


def test_moments_reach_to_the_end_of_the_last_log_that_follows_without_a_break() -> None:
    logs = [log(3, T + 60), log(4, T + 120), log(6, T + 240)]
    assert restorable([full(T)], logs) == [Interval(T + 5, T + 119)]
    assert gaps([full(T)], logs) == [Gap(0, f"{FIRST}-000005", f"{FIRST}-000005", 1)]
    assert restorable([full(T)], [*logs, log(5, T + 180)]) == [Interval(T + 5, T + 239)]


def test_without_its_first_log_a_set_is_its_own_end() -> None:
    assert restorable([full(T)], [log(4, T + 120)]) == [Interval(T + 5, T + 5)]
    assert restorable([full(T, "")], [log(4, T + 120)]) == [Interval(T + 5, T + 5)]


def test_a_chain_that_began_later_leads_on_from_no_earlier_set() -> None:
    """Though its numbers are the same, as after RESET MASTER."""
    logs = [log(3, T + 60), *(log(number, T + 1000 + 60 * number, SECOND) for number in range(1, 5))]
    assert restorable([full(T)], logs) == [Interval(T + 5, T + 59)]
    assert not leads_into([full(T)], read_chains(logs), SECOND, [])
    later = full(T + 1100, "bin.000002")
    assert restorable([full(T), later], logs) == [Interval(T + 5, T + 59), Interval(T + 1105, T + 1239)]
    assert leads_into([later], read_chains(logs), SECOND, [])
    assert gaps([full(T), later], logs) == []


def test_the_first_chain_may_be_younger_than_the_first_set() -> None:
    """The job followed no logs yet when that was made."""
    assert leads_into([full(T - 200)], {}, FIRST, [3, 4])
    assert not leads_into([full(T - 200)], {}, FIRST, [4])


def test_logs_older_than_the_oldest_set_that_is_kept_are_pruned() -> None:
    sets = [full(T - 9 * DAY, "bin.000003"), full(T - 8 * DAY, "bin.000005"), full(T, "bin.000007")]
    chain = render_id(T - 20 * DAY)
    logs = [log(number, T - (10 - number) * DAY, chain) for number in range(1, 4)]
    logs += [log(number, T - 8 * DAY + 60 * number, chain) for number in range(4, 8)]
    plan = plan_pruning(sets, logs, verified=sets[-1].id, now=T + 10, keep_days=7)
    assert plan.fulls == (sets[0].id,)
    assert plan.segments == (f"{chain}-000001",)


def event(kind: int, *, at: int = T, length: int = 19) -> bytes:
    return struct.pack("<IBIIIH", at, kind, 1, length, 0, 0)


def test_a_walk_over_events_tells_when_a_log_was_begun_ended_and_whether_anything_changed() -> None:
    summary = LogSummary()
    for kind, at in ((15, T), (163, T), (161, T)):
        summary.add(parse_header(event(kind, at=at, length=50)))
    assert (summary.opened, summary.closed, summary.ended, summary.changes) == (T, T, False, 0)
    for kind, at in ((162, T + 9), (2, T + 3), (4, T + 8)):
        summary.add(parse_header(event(kind, at=at)))
    assert (summary.closed, summary.ended, summary.changes) == (T + 9, True, 2)
    assert summary.length == 4 + 3 * 50 + 3 * 19
    with pytest.raises(ObservationFailed):
        parse_header(event(2, length=5))


def test_a_new_chain_begins_where_the_newest_set_ends_if_the_server_still_has_that() -> None:
    server = ServerLogs(("bin.000002", "bin.000003", "bin.000004"), 300)
    assert first_wanted(server, "bin.000003") == "bin.000003"
    assert first_wanted(server, "bin.000001") == first_wanted(server, None) == "bin.000004"


def test_names_of_the_store_and_of_the_server() -> None:
    stored = parse_stored("20261127T031500Z-000099")
    assert stored is not None
    assert (stored.number, stored.name) == (99, "20261127T031500Z-000099")
    assert parse_stored("../20261127T031500Z-000099") is None
    assert split_server_name("it's.a.name.000012") == ("it's.a.name", 12, "000012")
    assert split_server_name("index") is None
    assert dataclasses.replace(log(1, T), opened="").opened == ""
