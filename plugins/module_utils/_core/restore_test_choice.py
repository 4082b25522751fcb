# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which backup is restored, and to which moment; and what of a source is no backup to begin with. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from .backup_job_file import POSTGRESQL
from .backup_manifest import Contents, Manifest
from .backup_moments import parse_moment, render_moment
from .backup_window import gaps, restorable
from .errors import DidNotTakeEffect
from .restore_test_file import RestoreTest
from .sealing import tool_of

# A number from 0 to below the one it is given.
_OF_LOG_SECONDS: t.Final = 900
# A full backup each day, and an hour to make it.
_OF_SETS_SECONDS: t.Final = 90000
Chance = t.Callable[[int], int]


@dataclasses.dataclass(frozen=True)
class Choice:
    """:param moment: within what this set and the log reach, and before the next set is complete, so that RESTORE.txt
    takes this set.
    """

    manifest: Manifest
    moment: str


def choose(contents: Contents, *, with_older: bool, chance: Chance) -> list[Choice]:
    """The newest set, and a random older one if that is wanted and there is one. Raises DidNotTakeEffect."""
    manifests = sorted(contents.manifests, key=lambda manifest: (manifest.consistent_from, manifest.id))
    if not manifests:
        raise DidNotTakeEffect("the source holds no full backup", "Look at what fills it, and at the backup itself")
    chosen = [len(manifests) - 1]
    older = [number for number in range(len(manifests) - 1) if _moments(contents, manifests, number)]
    if with_older and older:
        chosen.append(older[chance(len(older))])
    choices = []
    for number in chosen:
        moments = _moments(contents, manifests, number)
        choices.append(Choice(manifests[number], render_moment(moments[chance(len(moments))])))
    return choices


def complaints(contents: Contents) -> list[str]:
    """What is damaged or missing before anything is restored."""
    return [
        *contents.damaged,
        *(
            f"the log has a gap of {gap.count} segments, from {gap.first} to {gap.last}"
            for gap in gaps(contents.manifests, contents.sidecars)
        ),
    ]


def tools_needed(contents: Contents, manifest: Manifest) -> list[str]:
    """By which tools this set, and the log that follows it, are sealed. None of a set that pgBackRest encrypted."""
    begun = parse_moment(manifest.started)
    of_log = {sidecar.sealing for sidecar in contents.sidecars if parse_moment(sidecar.closed) >= begun}
    return sorted({tool_of(file.name) for file in manifest.files} - {""} | of_log)


def loss_objective(test: RestoreTest, contents: Contents) -> int:
    """Seconds that the newest moment may lie back. A log comes every few minutes, also from an idle server."""
    if test.rpo_seconds:
        return test.rpo_seconds
    return _OF_LOG_SECONDS if contents.sidecars or test.server == POSTGRESQL else _OF_SETS_SECONDS


def newest_moment(contents: Contents) -> str:
    """The newest moment that can be restored: what came after it would be lost."""
    intervals = restorable(contents.manifests, contents.sidecars)
    return render_moment(max(interval.end for interval in intervals)) if intervals else ""


def _moments(contents: Contents, manifests: t.Sequence[Manifest], number: int) -> range:
    """Seconds to choose from; none for a set that the next one hides."""
    (interval,) = restorable([manifests[number]], contents.sidecars)
    last = interval.end
    if number + 1 < len(manifests):
        last = min(last, parse_moment(manifests[number + 1].consistent_from) - 1)
    return range(interval.start, last + 1)
