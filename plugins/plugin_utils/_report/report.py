# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The report over all hosts: totals, controls grouped across hosts, what changed, what is waived, what remains."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import (
    BETTER,
    NOT_APPLICABLE,
    OTHER,
    VERDICTS,
    WORSE,
    Category,
    Control,
    Host,
    Transition,
    read_host,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import visible
from ansible_collections.bulwark.database.plugins.plugin_utils._report.trend import TrendPoint, trend_of


class Finding(t.NamedTuple):
    """What one control found on one host."""

    host: Host
    control: Control


@dataclasses.dataclass(frozen=True)
class ControlGroup:
    """One control with what it found on every host, so that a fleet's report states its rationale once."""

    findings: tuple[Finding, ...]

    @property
    def control(self) -> Control:
        """Any of the controls, for what all hosts share: id, title, category, level, rationale, references."""
        return self.findings[0].control

    @property
    def verdict(self) -> str:
        """The verdict that wants the most attention."""
        return min((finding.control.verdict for finding in self.findings), key=VERDICTS.index)

    def shared(self, field: str) -> t.Any:
        """The field's value where all hosts agree on it, else None."""
        values = [getattr(finding.control, field) for finding in self.findings]
        return values[0] if all(value == values[0] for value in values) else None


class Change(t.NamedTuple):
    """One transition, on however many hosts it happened alike.

    :param same_values: whether the observed values of ``transition`` hold for all of them.
    """

    transition: Transition
    hosts: tuple[str, ...]
    same_values: bool


@dataclasses.dataclass(frozen=True)
class Report:
    """:param generated_at: ISO time stamp in UTC.  :param not_assessed: hosts that should have been assessed."""

    title: str
    generated_at: str
    hosts: tuple[Host, ...]
    not_assessed: tuple[str, ...] = ()
    trend: tuple[TrendPoint, ...] = ()

    @property
    def score(self) -> int:
        """The mean of the hosts' scores, rounded down."""
        return _mean(host.score for host in self.hosts) or 0

    @property
    def before_score(self) -> int | None:
        """The mean before, if every host was assessed before: anything else would compare different things."""
        return _mean_of_all(host.before_score for host in self.hosts)

    @property
    def transitions(self) -> tuple[Transition, ...]:
        return tuple(transition for host in self.hosts for transition in host.transitions)

    @property
    def compared(self) -> bool:
        return any(host.before_score is not None for host in self.hosts)

    def changed(self, direction: str) -> tuple[Transition, ...]:
        return tuple(transition for transition in self.transitions if transition.direction == direction)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Transitions with those of all hosts taken together: what got worse first, then better, then the rest."""
        gathered: dict[tuple[int, str, str, str], list[Transition]] = {}
        for transition in self.transitions:
            order = (WORSE, BETTER, OTHER).index(transition.direction)
            gathered.setdefault((order, transition.id, transition.before, transition.after), []).append(transition)
        return tuple(_change(gathered[key]) for key in sorted(gathered))

    def count(self, verdict: str) -> int:
        return sum(host.count(verdict) for host in self.hosts)

    @property
    def applicable(self) -> int:
        return sum(len(host.controls) - host.count(NOT_APPLICABLE) for host in self.hosts)

    def findings(self, verdict: str = "") -> tuple[Finding, ...]:
        """All findings, or those with this verdict, ordered by control and host."""
        found = [Finding(host, control) for host in self.hosts for control in host.controls]
        found = [finding for finding in found if not verdict or finding.control.verdict == verdict]
        return tuple(sorted(found, key=lambda finding: (finding.control.id, finding.host.name)))

    @property
    def waivers(self) -> tuple[Finding, ...]:
        """Findings with a waiver, in force or expired, the next to expire first."""
        found = [finding for finding in self.findings() if finding.control.waiver]
        return tuple(
            sorted(found, key=lambda finding: finding.control.waiver.expires if finding.control.waiver else "")
        )

    @property
    def groups(self) -> tuple[ControlGroup, ...]:
        """Controls across hosts, those that want attention first."""
        gathered: dict[str, list[Finding]] = {}
        for finding in self.findings():
            gathered.setdefault(finding.control.id, []).append(finding)
        groups = [ControlGroup(tuple(findings)) for findings in gathered.values()]
        return tuple(sorted(groups, key=lambda group: (VERDICTS.index(group.verdict), group.control.id)))

    @property
    def residuals(self) -> tuple[tuple[Control, str], ...]:
        """What controls can't keep out even where they pass: each note once."""
        seen: dict[tuple[str, str], tuple[Control, str]] = {}
        for finding in self.findings():
            if finding.control.verdict != NOT_APPLICABLE:
                for note in finding.control.residual:
                    seen.setdefault((finding.control.id, note), (finding.control, note))
        return tuple(seen.values())

    @property
    def warnings(self) -> tuple[tuple[str, str], ...]:
        return tuple((host.name, warning) for host in self.hosts for warning in host.warnings)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The hosts' categories taken together: mean scores, summed counts."""
        gathered: dict[str, list[Category]] = {}
        for host in self.hosts:
            for category in host.categories:
                gathered.setdefault(category.name, []).append(category)
        return tuple(_together(categories) for categories in gathered.values())


def read_report(
    assessments: t.Mapping[str, t.Any],
    *,
    title: str,
    generated_at: str,
    before: t.Mapping[str, t.Any] | None = None,
    not_assessed: t.Iterable[str] = (),
    history: t.Iterable[t.Mapping[str, t.Any]] = (),
) -> Report:
    """The report over these assessments.

    :param assessments: host name -> assessment, as bulwark.database.assessment_info returns it.
    :param generated_at: ISO time stamp in UTC; waivers' days are counted from it.
    :param before: earlier assessments of some or all of the hosts, to compare with.
    :param not_assessed: hosts that gave no assessment; the report names them rather than leaving them out.
    :param history: points of earlier runs as trend.point_of makes them.
    """
    if not assessments:
        raise InvalidDeclaration(
            "there is no assessment to report on",
            "Run bulwark.database.assessment_info on at least one host first; every host may have failed before it",
        )
    today = datetime.date.fromisoformat(generated_at[:10])
    earlier = before or {}
    hosts = tuple(
        read_host(name, assessments[name], before=earlier.get(name), today=today) for name in sorted(assessments)
    )
    missing = tuple(sorted(visible(name) for name in not_assessed if name not in assessments))
    return Report(visible(title), generated_at, hosts, missing, trend_of(history, assessments=assessments))


def _change(alike: list[Transition]) -> Change:
    values = {(transition.before_observed, transition.after_observed) for transition in alike}
    return Change(alike[0], tuple(transition.host for transition in alike), len(values) == 1)


def _together(categories: list[Category]) -> Category:
    first = categories[0]
    scored = [category for category in categories if category.score is not None]
    return Category(
        name=first.name,
        title=first.title,
        score=_mean(category.score for category in scored),
        before=_mean_of_all(category.before for category in scored),
        counts={verdict: sum(category.counts.get(verdict, 0) for category in categories) for verdict in VERDICTS},
    )


def _mean(scores: t.Iterable[int | None]) -> int | None:
    known = [score for score in scores if score is not None]
    return sum(known) // len(known) if known else None


def _mean_of_all(scores: t.Iterable[int | None]) -> int | None:
    listed = list(scores)
    return None if None in listed else _mean(listed)
