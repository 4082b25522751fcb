# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From when to when any moment can be restored, and that pruning takes none of it away."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import Manifest, Sidecar
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import parse_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_retention import plan_pruning
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_segments import (
    check_archived_name,
    parse_history,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import (
    Gap,
    Interval,
    gaps,
    restorable,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from sample_backups import full, history, position, segment

DAY = 86400


def test_a_full_backup_alone_restores_its_own_end() -> None:
    assert restorable([full(1000)], []) == [Interval(1000, 1000)]
    assert restorable([full(1000, engine="mariadb")], []) == [Interval(1000, 1000)]


def test_segments_without_a_gap_reach_to_the_last_ones_close() -> None:
    log = [segment(number, 1000 + 60 * number) for number in range(1, 6)]
    assert restorable([full(1000, start=1)], log) == [Interval(1000, 1299)]


def test_a_missing_segment_ends_the_interval_and_the_next_full_backup_begins_another() -> None:
    log = [segment(number, 1000 + 60 * number) for number in (1, 2, 3, 5, 6, 7)]
    sets = [full(1000, start=1), full(1320, start=5, end=5)]
    assert restorable(sets, log) == [Interval(1000, 1179), Interval(1320, 1419)]
    assert gaps(sets, log) == [Gap(1, "000000010000000000000004", "000000010000000000000004", 1)]


def test_overlapping_chains_are_one_interval() -> None:
    log = [segment(number, 1000 + 60 * number) for number in range(1, 9)]
    assert restorable([full(1000, start=1), full(1200, start=4)], log) == [Interval(1000, 1479)]


def test_a_new_timeline_is_followed_from_the_segment_in_which_it_begins() -> None:
    log = [segment(number, 1000 + 60 * number) for number in (1, 2, 3)]
    log += [segment(number, 1300 + 60 * number, timeline=2) for number in (3, 4)]
    switched = history(2, (1, position(3, into=0x5000)))
    assert restorable([full(1000)], [*log, switched]) == [Interval(1000, 1539)]
    # without its history nobody knows where it comes from
    assert restorable([full(1000)], log) == [Interval(1000, 1179)]
    # nor is the new timeline reached without its first segment
    assert restorable([full(1000)], [*log[:3], log[4], switched]) == [Interval(1000, 1119)]
    assert [gap.first for gap in gaps([full(1000)], [*log[:3], log[4], switched])] == ["000000020000000000000003"]


def test_a_full_backup_from_after_the_switch_is_not_on_the_new_timeline() -> None:
    """The old server went on for a while: what it wrote then belongs to no later state."""
    log = [segment(number, 1000 + 60 * number) for number in range(1, 8)]
    log += [segment(number, 2000 + 60 * number, timeline=2) for number in range(3, 9)]
    switched = history(2, (1, position(3, into=0x5000)))
    assert restorable([full(1350, start=5)], [*log, switched]) == [Interval(1350, 1419)]


def test_a_number_far_away_costs_no_time() -> None:
    far = segment(2**39, 5000)
    assert gaps([full(1000)], [segment(1, 1060), segment(2, 1120), far])[0].count == 2**39 - 3


def test_two_switches_are_followed() -> None:
    log = [segment(1, 1060), segment(2, 1120, timeline=2), segment(3, 1180, timeline=3), segment(4, 1240, timeline=3)]
    switches = ((1, position(2)), (2, position(3)))
    histories = [history(2, switches[0]), history(3, *switches)]
    assert restorable([full(1000)], [*log, *histories]) == [Interval(1000, 1239)]


def test_a_history_is_read_as_the_server_writes_it() -> None:
    text = "1\t0/3000A28\tno recovery target specified\n\n2\t1/FF000000\tbefore 2026-11-25 00:00:00+00\n"
    assert parse_history(text) == ((1, "0/3000A28"), (2, "1/FF000000"))


@pytest.mark.parametrize("name", ["", "../x", "00000001000000000000000", "0000000g.history", "00000001.HISTORY", "a\n"])
def test_only_names_that_a_server_gives_are_names(name: str) -> None:
    with pytest.raises(InvalidDeclaration):
        check_archived_name(name)


def test_the_set_from_before_the_window_stays_and_what_is_older_goes() -> None:
    sets = [full(day * DAY, start=1 + 10 * day) for day in range(1, 11)]
    log = [segment(number, number * DAY // 10) for number in range(1, 110)]
    plan = plan_pruning(sets, log, verified=sets[-1].id, now=10 * DAY + 60, keep_days=7)
    assert plan.fulls == (sets[0].id, sets[1].id)
    assert plan.segments[-1] == segment(30, 0).name
    assert len(plan.segments) == 30


def test_a_set_is_as_old_as_its_stay_here_whatever_it_says_of_itself() -> None:
    """Whoever takes the sender over adds one that says to be from just before the window, and to reach all of it."""
    sets = [full(day * DAY + DAY // 2, start=6 + 10 * day) for day in range(1, 10)]
    arrived = {one.id: parse_moment(one.consistent_from) + 600 for one in sets}
    log = [segment(number, number * DAY // 10) for number in range(1, 101)]
    now, junk = 10 * DAY, full(3 * DAY - 1, start=30)
    honest = plan_pruning(sets, log, verified=None, now=now, keep_days=7, arrived=arrived)
    assert honest.fulls == (sets[0].id,)
    assert honest.segments[-1] == segment(25, 0).name
    believed = plan_pruning([*sets, junk], log, verified=None, now=now, keep_days=7)
    assert believed.fulls == (sets[0].id, sets[1].id)
    arrived[junk.id] = now - 60
    assert plan_pruning([*sets, junk], log, verified=None, now=now, keep_days=7, arrived=arrived) == honest
    late = {**arrived, junk.id: now + 1}
    assert "clock" in plan_pruning([*sets, junk], log, verified=None, now=now, keep_days=7, arrived=late).reason


def test_a_set_counts_for_no_moment_before_it_came() -> None:
    log = [segment(number, 1000 + 60 * number) for number in range(1, 4)]
    assert restorable([full(1000)], log, since={full(1000).id: 1100}) == [Interval(1100, 1179)]
    assert restorable([full(1000)], log, since={full(1000).id: 2000}) == [Interval(2000, 2000)]


def test_nothing_goes_before_the_newest_set_is_verified() -> None:
    sets = [full(day * DAY) for day in range(1, 20)]
    for verified in ("", sets[0].id, "20990101T000000Z"):
        plan = plan_pruning(sets, [], verified=verified, now=30 * DAY, keep_days=1)
        assert (plan.fulls, plan.segments) == ((), ())
        assert plan.reason


def test_nothing_goes_while_sets_of_two_engines_are_there() -> None:
    sets = [full(DAY), full(20 * DAY), full(2 * DAY, engine="mariadb")]
    plan = plan_pruning(sets, [], verified=None, now=30 * DAY, keep_days=1)
    assert (plan.fulls, plan.segments) == ((), ())
    assert "two engines" in plan.reason


def test_nothing_goes_while_the_clock_is_behind_the_newest_set() -> None:
    sets = [full(day * DAY) for day in range(1, 20)]
    plan = plan_pruning(sets, [], verified=sets[-1].id, now=18 * DAY, keep_days=1)
    assert "clock" in plan.reason
    assert plan.fulls == ()


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[Manifest], list[Sidecar], int, int]:
    """Full backups over some days on one or two timelines, segments with gaps, now, and the days to keep."""
    days = draw(st.integers(1, 8))
    per_day = 6
    switch = draw(st.none() | st.integers(1, days * per_day))
    went_on = draw(st.booleans())  # the old server went on writing after the switch
    lost = draw(st.sets(st.integers(0, days * per_day * 2), max_size=4))
    log, moment_of = [], DAY // per_day
    for number in range(1, days * per_day + 1):
        if number not in lost and (switch is None or number <= switch or went_on):
            log.append(segment(number, number * moment_of))
        if switch is not None and number >= switch and number + days * per_day not in lost:
            log.append(segment(number, number * moment_of + 30, timeline=2))
    if switch is not None:
        log.append(history(2, (1, position(switch))))
    sets = {}
    for start in draw(st.sets(st.integers(1, days * per_day), min_size=1, max_size=6)):
        on = draw(st.sampled_from([1, 2])) if switch is not None and start > switch else 1
        manifest = full(start * moment_of - 5, start=start, end=start + draw(st.integers(0, 1)), timeline=on)
        sets[manifest.id] = manifest
    newest = max(parse_moment(manifest.consistent_from) for manifest in sets.values())
    now = draw(st.integers(newest, newest + 9 * DAY))
    return list(sets.values()), log, now, draw(st.integers(1, 4))


def covered(intervals: t.Iterable[Interval], horizon: int) -> list[Interval]:
    return [Interval(max(each.start, horizon), each.end) for each in intervals if each.end >= horizon]


@given(stores())
def test_pruning_takes_no_moment_of_the_window_away_and_is_done_once(
    store: tuple[list[Manifest], list[Sidecar], int, int],
) -> None:
    sets, log, now, keep_days = store
    newest = max(sets, key=lambda manifest: manifest.consistent_from).id
    plan = plan_pruning(sets, log, verified=newest, now=now, keep_days=keep_days)
    left = [manifest for manifest in sets if manifest.id not in plan.fulls]
    left_log = [sidecar for sidecar in log if sidecar.name not in plan.segments]
    horizon = now - keep_days * DAY
    assert newest in [manifest.id for manifest in left]
    assert covered(restorable(left, left_log), horizon) == covered(restorable(sets, log), horizon)
    again = plan_pruning(left, left_log, verified=newest, now=now, keep_days=keep_days)
    assert (again.fulls, again.segments) == ((), ())


@given(stores())
def test_the_window_can_be_reached_from_its_first_moment_if_it_ever_could(
    store: tuple[list[Manifest], list[Sidecar], int, int],
) -> None:
    """A set that is older than the window stays as long as none of the others begins before it."""
    sets, log, now, keep_days = store
    horizon = now - keep_days * DAY
    newest = max(sets, key=lambda manifest: manifest.consistent_from).id
    plan = plan_pruning(sets, log, verified=newest, now=now, keep_days=keep_days)
    old = [manifest for manifest in sets if parse_moment(manifest.consistent_from) <= horizon]
    if old:
        assert [manifest for manifest in old if manifest.id not in plan.fulls]
