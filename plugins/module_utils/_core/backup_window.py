# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""From when to when can any moment be restored? From full backups, segments, timelines and what is missing. Pure."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from .backup_manifest import Manifest, Sidecar
from .backup_moments import parse_moment
from .backup_segments import (
    DEFAULT_SEGMENT_BYTES,
    SEGMENT_SIZES,
    Segment,
    history_timeline,
    is_segment,
    parse_position,
    parse_segment,
    segment_before,
    segment_name,
)
from .binary_log_window import Chains, last_moment, missing_logs, read_chains

# A transaction takes its time of commit a little before it is in the log.
MARGIN_SECONDS: t.Final = 1


@dataclasses.dataclass(frozen=True)
class Interval:
    """Any moment from ``start`` to ``end`` (seconds since the epoch).

    Where both are the same there is no log beyond the full backup, and the state at its own end is what can be had.
    """

    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Gap:
    """Segments, or binary logs, that are missing between two that are there. These have no timeline, but 0."""

    timeline: int
    first: str
    last: str
    count: int


@dataclasses.dataclass(frozen=True)
class Log:
    """The segments that are there, for look-ups. Make it by :func:`read_log`.

    :param closed: moment of each segment's last write.
    :param histories: of each timeline but the first: earlier timelines with the position where each was left.
    :param numbers: of each timeline's segments, in order.
    :param chains: MariaDB's binary logs, by chain and number.
    """

    segment_bytes: int
    closed: t.Mapping[Segment, int]
    histories: t.Mapping[int, tuple[tuple[int, int], ...]]
    numbers: t.Mapping[int, tuple[int, ...]]
    chains: Chains = dataclasses.field(default_factory=dict)


def read_log(sidecars: t.Iterable[Sidecar]) -> Log:
    sidecars = list(sidecars)
    sizes = {sidecar.plain_bytes for sidecar in sidecars if is_segment(sidecar.name)}
    segment_bytes = max(sizes & SEGMENT_SIZES, default=DEFAULT_SEGMENT_BYTES)
    closed: dict[Segment, int] = {}
    histories: dict[int, tuple[tuple[int, int], ...]] = {}
    for sidecar in sidecars:
        timeline = history_timeline(sidecar.name)
        segment = parse_segment(sidecar.name, segment_bytes) if is_segment(sidecar.name) else None
        if timeline is not None:
            histories[timeline] = tuple((parent, parse_position(place)) for parent, place in sidecar.switches)
        elif segment is not None:
            closed[segment] = parse_moment(sidecar.closed)
    numbers: dict[int, list[int]] = {}
    for segment in closed:
        numbers.setdefault(segment.timeline, []).append(segment.number)
    return Log(
        segment_bytes,
        closed,
        histories,
        {key: tuple(sorted(found)) for key, found in numbers.items()},
        read_chains(sidecars),
    )


def restorable(
    manifests: t.Iterable[Manifest], sidecars: t.Iterable[Sidecar], *, since: t.Mapping[str, int] | None = None
) -> list[Interval]:
    """Oldest first; intervals that touch are one.

    :param since: of full backups, by id, a moment (seconds since the epoch) before which they count for nothing.
    """
    log, since = read_log(sidecars), since or {}
    return _merged(_since(_interval(manifest, log), since.get(manifest.id, 0)) for manifest in manifests)


def _since(found: Interval, moment: int) -> Interval:
    return Interval(max(found.start, moment), max(found.end, moment))


def gaps(manifests: t.Iterable[Manifest], sidecars: t.Iterable[Sidecar]) -> list[Gap]:
    """What is missing after the end of the oldest full backup: moments beyond it can't be restored by way of it."""
    log, manifests = read_log(sidecars), list(manifests)
    found: dict[str, Gap] = {
        missing.last: Gap(0, *missing)
        for missing in missing_logs((one for one in manifests if one.engine == "mariadb"), log.chains)
    }
    for manifest in manifests:
        if manifest.engine != "postgresql":
            continue
        for gap in _gaps_after(manifest, log):
            if gap.last not in found or gap.count > found[gap.last].count:  # one of several sets sees it as the longest
                found[gap.last] = gap
    return [found[name] for name in sorted(found)]


def end_segment(manifest: Manifest, segment_bytes: int) -> Segment:
    """The last segment that the full backup itself holds."""
    place = parse_position(str(manifest.position["end_lsn"]))
    return Segment(int(manifest.position["timeline"]), segment_before(place, segment_bytes))


def start_segment(manifest: Manifest, segment_bytes: int) -> Segment:
    """The first segment that a recovery of the full backup reads."""
    place = parse_position(str(manifest.position["start_lsn"]))
    return Segment(int(manifest.position["timeline"]), place // segment_bytes)


def _interval(manifest: Manifest, log: Log) -> Interval:
    start = parse_moment(manifest.consistent_from)
    if manifest.engine == "mariadb":
        last = last_moment(manifest, log.chains)
        return Interval(start, start if last is None else max(start, last - MARGIN_SECONDS))
    end = start
    for segment in _path(manifest, log):
        if segment not in log.closed:
            break
        end = max(end, log.closed[segment] - MARGIN_SECONDS)
    return Interval(start, end)


def _path(manifest: Manifest, log: Log) -> t.Iterator[Segment]:
    """The segments beyond the full backup that a recovery along the latest timeline asks for, without an end."""
    for timeline, first, beyond in _ranges(manifest, log):
        for number in itertools.count(first) if beyond is None else range(first, beyond):
            yield Segment(timeline, number)


def _ranges(manifest: Manifest, log: Log) -> list[tuple[int, int, int | None]]:
    """That path as (timeline, first number, number beyond the last); the last one is open."""
    end = end_segment(manifest, log.segment_bytes)
    switches = _switches(manifest, log)
    first, timeline = end.number + 1, end.timeline
    if switches and switches[0][1] <= end.number:
        first = end.number  # the timeline was left in the very segment in which the backup ended
    ranges: list[tuple[int, int, int | None]] = []
    for successor, switched_in in switches:
        beyond = max(switched_in, first)
        ranges.append((timeline, first, beyond))
        timeline, first = successor, beyond
    return [*ranges, (timeline, first, None)]


def _switches(manifest: Manifest, log: Log) -> list[tuple[int, int]]:
    """The later timelines that the latest one came by, each with the segment in which it begins, oldest first."""
    own = int(manifest.position["timeline"])
    end = parse_position(str(manifest.position["end_lsn"]))
    for latest in sorted(log.histories, reverse=True):
        history = log.histories[latest]
        timelines = [timeline for timeline, dummy in history]
        if own not in timelines or dict(history)[own] < end:
            continue
        since = timelines.index(own)
        successors = [*timelines[since + 1 :], latest]
        return [
            (successor, place // log.segment_bytes) for successor, (dummy, place) in zip(successors, history[since:])
        ]
    return []


def _gaps_after(manifest: Manifest, log: Log) -> t.Iterator[Gap]:
    """Between what is there, so that a number out of the way costs nothing."""
    ranges = _ranges(manifest, log)
    there = [
        [number for number in log.numbers.get(timeline, ()) if number >= first and (beyond is None or number < beyond)]
        for timeline, first, beyond in ranges
    ]
    newest = max((numbers[-1] for numbers in there if numbers), default=-1)
    for (timeline, first, beyond), numbers in zip(ranges, there):
        wanted = first
        for number in [*numbers, min(newest + 1, newest + 1 if beyond is None else beyond)]:
            if number > wanted:
                yield _gap(Segment(timeline, wanted), Segment(timeline, number - 1), log)
            wanted = number + 1


def _gap(first: Segment, last: Segment, log: Log) -> Gap:
    names = [segment_name(segment, log.segment_bytes) for segment in (first, last)]
    return Gap(first.timeline, names[0], names[1], last.number - first.number + 1)


def _merged(intervals: t.Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for interval in sorted(intervals, key=lambda item: (item.start, item.end)):
        if merged and interval.start <= merged[-1].end:
            merged[-1] = Interval(merged[-1].start, max(merged[-1].end, interval.end))
        else:
            merged.append(interval)
    return merged
