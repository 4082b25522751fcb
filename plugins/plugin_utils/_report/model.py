# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a report shows, read from the assessments of one or many hosts. Everything here is immutable and harmless text.

The renderers (terminal, JUnit, Markdown, HTML) know this model and nothing else, so they can't disagree.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import visible

SCHEMA: t.Final = 1

PASS: t.Final = "pass"  # noqa: S105 - a verdict
FAIL: t.Final = "fail"
WAIVED: t.Final = "waived"
NOT_APPLICABLE: t.Final = "not_applicable"
NOT_OBSERVABLE: t.Final = "not_observable"

# By the attention they want, the most urgent first.
VERDICTS: t.Final = (FAIL, NOT_OBSERVABLE, WAIVED, PASS, NOT_APPLICABLE)
LABELS: t.Final[dict[str, str]] = {
    FAIL: "failed",
    NOT_OBSERVABLE: "not observable",
    WAIVED: "waived",
    PASS: "passed",
    NOT_APPLICABLE: "not applicable",
}

BETTER: t.Final = "better"
WORSE: t.Final = "worse"
OTHER: t.Final = "other"

# A change between verdicts of one rank is neither better nor worse, nor is one from or to a verdict without a rank.
_RANKS = {FAIL: 0, NOT_OBSERVABLE: 0, WAIVED: 1, PASS: 2}
_ENGINES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "opengauss": "openGauss"}


@dataclasses.dataclass(frozen=True)
class Waiver:
    """:param expires: ISO date.  :param days_left: from the report to expiry, negative afterwards, None if unknown."""

    reason: str
    owner: str
    expires: str
    expired: bool
    days_left: int | None


@dataclasses.dataclass(frozen=True)
class Control:
    """What one control found on one host. Fields as in the assessment."""

    id: str
    title: str
    category: str
    level: str
    verdict: str
    rationale: str = ""
    observed: str = ""
    expected: str = ""
    remedy: str = ""
    activation: str = ""
    source: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    residual: tuple[str, ...] = ()
    deviation: bool = False
    waiver: Waiver | None = None

    @property
    def waiver_expired(self) -> bool:
        return self.waiver is not None and self.waiver.expired


@dataclasses.dataclass(frozen=True)
class Category:
    """:param score: 0 to 100, None where no control applies.  :param before: the score of the earlier assessment."""

    name: str
    title: str
    score: int | None
    before: int | None = None
    counts: t.Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Transition:
    """A control whose verdict differs from the earlier assessment. An empty ``before`` means: not assessed then."""

    host: str
    id: str
    title: str
    before: str
    after: str
    before_observed: str
    after_observed: str

    @property
    def direction(self) -> str:
        if self.before not in _RANKS or self.after not in _RANKS:
            return OTHER
        difference = _RANKS[self.after] - _RANKS[self.before]
        return BETTER if difference > 0 else WORSE if difference < 0 else OTHER


@dataclasses.dataclass(frozen=True)
class Host:
    """One host's assessment, compared with an earlier one where there is one (``before_score`` is not None)."""

    name: str
    engine: str
    server_version: str
    level: str
    log_policy: str
    assessed_at: str
    score: int
    categories: tuple[Category, ...]
    controls: tuple[Control, ...]
    warnings: tuple[str, ...] = ()
    before_score: int | None = None
    transitions: tuple[Transition, ...] = ()

    @property
    def server(self) -> str:
        return f"{_ENGINES.get(self.engine, self.engine)} {self.server_version}".strip()

    def count(self, verdict: str) -> int:
        return sum(control.verdict == verdict for control in self.controls)


def read_host(name: str, assessment: t.Mapping[str, t.Any], *, before: t.Any = None, today: datetime.date) -> Host:
    """The model of one assessment. Raises InvalidDeclaration naming the host and what its assessment lacks."""
    _check(name, assessment)
    controls = tuple(_control(name, result, today=today) for result in assessment["results"])
    if before:
        _check(name, before)
    return Host(
        name=visible(name),
        engine=_text(assessment, "engine"),
        server_version=_text(assessment, "server_version"),
        level=_text(assessment, "level"),
        log_policy=_text(assessment, "log_policy"),
        assessed_at=_text(assessment, "assessed_at"),
        score=_score(assessment.get("score")) or 0,
        categories=_categories(assessment, before or {}),
        controls=controls,
        warnings=_lines(assessment, "warnings"),
        before_score=_score(before.get("score")) if before else None,
        transitions=_transitions(name, controls, before["results"], today=today) if before else (),
    )


def _check(host: str, assessment: t.Any) -> None:
    if not isinstance(assessment, t.Mapping) or not isinstance(assessment.get("results"), (list, tuple)):
        raise InvalidDeclaration(
            f"what is given for host {host} is not an assessment: it has no list 'results'",
            "Pass the value 'assessment' that bulwark.database.assessment_info returns",
        )
    if assessment.get("schema") != SCHEMA:
        raise InvalidDeclaration(
            f"the assessment of host {host} has schema {assessment.get('schema')!r}, this report reads schema {SCHEMA}",
            "Assess and report with the same version of the collection",
        )


def _control(host: str, result: t.Any, *, today: datetime.date) -> Control:
    verdict = result.get("verdict") if isinstance(result, t.Mapping) else None
    if verdict not in VERDICTS or not result.get("id"):
        raise InvalidDeclaration(
            f"the assessment of host {host} holds a result without an id or a known verdict: {result!r:.100}",
            f"Known verdicts: {', '.join(VERDICTS)}",
        )
    return Control(
        id=_text(result, "id"),
        title=_text(result, "title") or _text(result, "id"),
        category=_text(result, "category"),
        level=_text(result, "level"),
        verdict=verdict,
        rationale=_text(result, "rationale"),
        observed=_text(result, "observed"),
        expected=_text(result, "expected"),
        remedy=_text(result, "remedy"),
        activation=_text(result, "activation"),
        source=_lines(result, "source"),
        references=_lines(result, "references"),
        evidence=_lines(result, "evidence"),
        residual=_lines(result, "residual"),
        deviation=bool(result.get("deviation")),
        waiver=_waiver(result.get("waiver"), today=today),
    )


def _waiver(waiver: t.Any, *, today: datetime.date) -> Waiver | None:
    if not waiver:
        return None
    expires = _text(waiver, "expires")
    try:
        days_left = (datetime.date.fromisoformat(expires) - today).days
    except ValueError:
        days_left = None
    return Waiver(_text(waiver, "reason"), _text(waiver, "owner"), expires, bool(waiver.get("expired")), days_left)


def _categories(assessment: t.Mapping[str, t.Any], before: t.Mapping[str, t.Any]) -> tuple[Category, ...]:
    earlier = {entry.get("name"): _score(entry.get("score")) for entry in before.get("categories") or ()}
    counted = {FAIL: "failed", PASS: "passed", WAIVED: WAIVED, NOT_APPLICABLE: NOT_APPLICABLE}
    counted[NOT_OBSERVABLE] = NOT_OBSERVABLE
    return tuple(
        Category(
            name=_text(entry, "name"),
            title=_text(entry, "title") or _text(entry, "name"),
            score=_score(entry.get("score")),
            before=earlier.get(entry.get("name")),
            counts={verdict: int(entry.get(key) or 0) for verdict, key in counted.items()},
        )
        for entry in assessment.get("categories") or ()
    )


def _transitions(
    host: str, controls: tuple[Control, ...], earlier: t.Iterable[t.Any], *, today: datetime.date
) -> tuple[Transition, ...]:
    known = {control.id: control for control in (_control(host, result, today=today) for result in earlier)}
    found = []
    for control in controls:
        old = known.get(control.id)
        if old is None or old.verdict != control.verdict:
            before, observed = (old.verdict, old.observed) if old else ("", "")
            found.append(
                Transition(
                    visible(host), control.id, control.title, before, control.verdict, observed, control.observed
                )
            )
    return tuple(found)


def _score(value: t.Any) -> int | None:
    return None if value is None else max(0, min(100, int(value)))


def _text(mapping: t.Mapping[str, t.Any], key: str) -> str:
    value = mapping.get(key)
    return "" if value is None else visible(str(value)).strip()


def _lines(mapping: t.Mapping[str, t.Any], key: str) -> tuple[str, ...]:
    value = mapping.get(key) or ()
    return tuple(visible(str(line)) for line in ([value] if isinstance(value, str) else value))
