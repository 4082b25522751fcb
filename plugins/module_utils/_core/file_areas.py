# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which part of a server a file belongs to, so that controls on keys, logs, data and programs are judged apart."""

from __future__ import annotations

import typing as t

from .file_plan import Finding, Survey
from .observations import Offenders

PRIVATE_KEY: t.Final = "private_key"
CONFIGURATION: t.Final = "configuration"
DATA: t.Final = "data"
LOG: t.Final = "log"
PROGRAM: t.Final = "program"
# What belongs to one server; programs are the host's.
SERVER_AREAS: t.Final = (PRIVATE_KEY, CONFIGURATION, DATA, LOG)

# Lines that are kept for each area; counts are exact.
_LINES: t.Final = 25


class Places(t.NamedTuple):
    """Paths of each area, links resolved; the most telling one decides. What is in none is configuration."""

    private_keys: tuple[str, ...] = ()
    configuration: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def area(self, path: str) -> str:
        if path in self.private_keys:
            return PRIVATE_KEY
        if path in self.configuration:
            return CONFIGURATION
        for area, places in ((LOG, self.logs), (DATA, self.data), (PROGRAM, self.programs)):
            if any(path == place or path.startswith(f"{place}/") for place in places):
                return area
        return CONFIGURATION


def offenders_by_area(survey: Survey, places: Places, areas: t.Iterable[str]) -> dict[str, Offenders]:
    """What a survey found, for each of the areas; what it only counted belongs where its policy's path does."""
    counts = dict.fromkeys(areas, 0)
    lines: dict[str, list[str]] = {area: [] for area in counts}
    for tree in survey.trees:
        described = [*tree.findings, *tree.refusals]
        for finding in described:
            area = places.area(finding.path)
            counts[area] = counts.get(area, 0) + 1
            lines.setdefault(area, []).append(_line(finding))
        beyond = tree.count + tree.refused_count - len(described)
        if beyond:
            area = places.area(tree.resolved)
            counts[area] = counts.get(area, 0) + beyond
    return {area: Offenders(count, tuple(lines[area][:_LINES])) for area, count in counts.items()}


def _line(finding: Finding) -> str:
    return f"{finding.path}: {finding.before} ({', '.join(finding.problems)})"
