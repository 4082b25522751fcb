# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which copies may go. Never one that a moment of the window needs, and nothing before a verified success. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from .backup_manifest import Manifest, Sidecar
from .backup_moments import parse_moment
from .backup_segments import parse_segment
from .backup_window import Interval, read_log, restorable, start_segment
from .binary_log_window import read_chains, unneeded_logs

DAY_SECONDS: t.Final = 86400


@dataclasses.dataclass(frozen=True)
class Pruning:
    """What may be removed; ``reason`` says why it is nothing, where that is no matter of age."""

    fulls: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    reason: str = ""


def plan_pruning(
    manifests: t.Sequence[Manifest],
    sidecars: t.Sequence[Sidecar],
    *,
    verified: str | None,
    now: int,
    keep_days: int,
    orphans: t.Sequence[str] = (),
    arrived: t.Mapping[str, int] | None = None,
) -> Pruning:
    """What the last ``keep_days`` days don't need.

    :param manifests: of sound sets only: a damaged one covers no moment.
    :param orphans: names of segments without a sidecar, which a pruning that was killed may have left.
    :param verified: id of the full backup that was made and read back; everything else leans on it. None where each
        was compared with its checksum as it came.
    :param arrived: when each full backup came here, by id, in seconds since the epoch, where somebody else makes them:
        whoever takes that host over may write any time into a manifest, and none counts as older than its arrival.
    """
    since = {one.id: max(parse_moment(one.consistent_from), (arrived or {}).get(one.id, 0)) for one in manifests}
    ordered = sorted(manifests, key=lambda manifest: (since[manifest.id], manifest.id))
    if not ordered or verified not in (None, ordered[-1].id):
        return Pruning(reason="the newest full backup is not verified")
    if len({manifest.engine for manifest in ordered}) > 1:  # one of them is not of this server
        return Pruning(reason="there are full backups of two engines")
    if since[ordered[-1].id] > now:
        return Pruning(reason="the newest full backup is of a later time than the clock's")
    horizon = now - keep_days * DAY_SECONDS
    kept = _kept(ordered, sidecars, horizon, since)
    fulls = tuple(manifest.id for manifest in ordered if manifest not in kept)
    return Pruning(fulls, _segments(kept, sidecars, orphans))


def _kept(
    ordered: t.Sequence[Manifest], sidecars: t.Sequence[Sidecar], horizon: int, since: t.Mapping[str, int]
) -> list[Manifest]:
    """The newest one from which the window's first moment can be reached, and all that came later.

    One that lies on a timeline that was left covers less than an older one: then that one stays, too.
    """
    wanted = _within(restorable(ordered, sidecars, since=since), horizon)
    old_enough = sum(since[manifest.id] <= horizon for manifest in ordered)
    for first in range(max(old_enough - 1, 0), 0, -1):
        kept = list(ordered[first:])
        if _within(restorable(kept, sidecars, since=since), horizon) == wanted:
            return kept
    return list(ordered)


def _within(intervals: t.Iterable[Interval], horizon: int) -> list[Interval]:
    return [Interval(max(found.start, horizon), found.end) for found in intervals if found.end >= horizon]


def _segments(kept: t.Sequence[Manifest], sidecars: t.Sequence[Sidecar], orphans: t.Sequence[str]) -> tuple[str, ...]:
    """Those before the first segment of every full backup that is kept, on whichever timeline. Histories stay."""
    if kept[0].engine == "mariadb":
        return tuple(unneeded_logs(kept, read_chains(sidecars)))
    size = read_log(sidecars).segment_bytes
    first = min(start_segment(manifest, size).number for manifest in kept)
    names = []
    for name in (*(sidecar.name for sidecar in sidecars), *orphans):
        segment = parse_segment(name, size)
        if segment is not None and segment.number < first:
            names.append(name)
    return tuple(sorted(names))
