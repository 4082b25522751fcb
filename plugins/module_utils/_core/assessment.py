# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Verdicts: controls judged by what was observed, waivers, deviations, scores. Pure; the date is an argument."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .errors import InvalidDeclaration
from .observations import Observations

SCHEMA: t.Final = 1

ESSENTIAL: t.Final = "essential"
STRICT: t.Final = "strict"
LEVELS: t.Final = (ESSENTIAL, STRICT)
PRIVACY: t.Final = "privacy"
FORENSIC: t.Final = "forensic"
LOG_POLICIES: t.Final = (PRIVACY, FORENSIC)

PASS: t.Final = "pass"  # noqa: S105
FAIL: t.Final = "fail"
WAIVED: t.Final = "waived"
NOT_APPLICABLE: t.Final = "not_applicable"
NOT_OBSERVABLE: t.Final = "not_observable"
VERDICTS: t.Final = (PASS, FAIL, WAIVED, NOT_APPLICABLE, NOT_OBSERVABLE)

EVIDENCE_LINES: t.Final = 10
EVIDENCE_LENGTH: t.Final = 200
# The worst of several checks decides: one failure fails the control, one blind spot keeps it from passing.
_WORST_FIRST: t.Final = (FAIL, NOT_OBSERVABLE, PASS, NOT_APPLICABLE)


@dataclasses.dataclass(frozen=True)
class Situation:
    """What the operator declares: how strict to be, what was set on purpose, and what is right on this host.

    :param overrides: settings that the user gave another value than the baseline, by name.
    :param declared: lists that controls compare with, by name (see ``_controls/declared.py``).
    """

    today: datetime.date
    level: str = ESSENTIAL
    log_policy: str = PRIVACY
    overrides: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    declared: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    certificate_days: int = 14

    def declares(self, name: str) -> tuple[str, ...]:
        return tuple(self.declared.get(name, ()))


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check says.

    :param observed: the present state in a few words.  :param expected: what it should be.
    :param evidence: lines naming what is wrong: objects, never contents.
    :param settings: names of the parameters that fail, to tell a deliberate deviation from an oversight.
    """

    verdict: str
    observed: str = ""
    expected: str = ""
    evidence: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


class Check(t.Protocol):
    """One thing to look at."""

    def judge(self, observations: Observations, situation: Situation) -> Finding: ...

    def expected_text(self, *, level: str, log_policy: str) -> str: ...


class Assessable(t.Protocol):
    """What is assessed: a control of the catalogue. See ``_controls/model.py``."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def category(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def rationale(self) -> str: ...
    @property
    def source(self) -> tuple[str, ...]: ...
    @property
    def references(self) -> tuple[str, ...]: ...
    @property
    def checks(self) -> tuple[Check, ...]: ...
    @property
    def remedy(self) -> str: ...
    @property
    def activation(self) -> str: ...

    def residual_text(self, *, level: str, log_policy: str) -> list[str]: ...


@dataclasses.dataclass(frozen=True)
class Waiver:
    """Somebody answers for a control that is not kept, until a date (which is included)."""

    control: str
    reason: str
    owner: str
    expires: datetime.date

    def is_expired(self, today: datetime.date) -> bool:
        return today > self.expires

    def as_dict(self, today: datetime.date) -> dict[str, t.Any]:
        return {
            "reason": self.reason,
            "owner": self.owner,
            "expires": self.expires.isoformat(),
            "expired": self.is_expired(today),
        }


def parse_waivers(declared: t.Iterable[t.Mapping[str, t.Any]], *, known: t.Collection[str]) -> dict[str, Waiver]:
    """Waivers by control. Raises InvalidDeclaration for an unknown control, a missing field, or two for one control."""
    waivers: dict[str, Waiver] = {}
    for entry in declared:
        missing = [name for name in ("control", "reason", "owner", "expires") if not str(entry.get(name) or "").strip()]
        if missing:
            raise InvalidDeclaration(
                f"the waiver of {entry.get('control') or 'no control'} lacks {', '.join(missing)}",
                "A waiver names control, reason, owner and expires (YYYY-MM-DD)",
            )
        waiver = Waiver(entry["control"], str(entry["reason"]), str(entry["owner"]), _date(entry))
        if waiver.control not in known:
            raise InvalidDeclaration(f"there is no control {waiver.control!r} to waive", "docs/controls.md lists them")
        if waiver.control in waivers:
            raise InvalidDeclaration(f"two waivers for {waiver.control}", "Leave one of them out")
        waivers[waiver.control] = waiver
    return waivers


def _date(entry: t.Mapping[str, t.Any]) -> datetime.date:
    try:
        return datetime.date.fromisoformat(str(entry["expires"]))
    except ValueError:
        raise InvalidDeclaration(
            f"the waiver of {entry['control']} expires {entry['expires']!r}", "Write the date as YYYY-MM-DD"
        ) from None


@dataclasses.dataclass(frozen=True)
class Result:
    """One control's verdict on this host."""

    control: Assessable
    finding: Finding
    verdict: str
    deviation: bool
    waiver: Waiver | None

    def as_dict(self, situation: Situation) -> dict[str, t.Any]:
        control, finding = self.control, self.finding
        return {
            "id": control.id,
            "title": control.title,
            "category": control.category,
            "level": control.level,
            "rationale": control.rationale,
            "source": list(control.source),
            "references": list(control.references),
            "verdict": self.verdict,
            "observed": finding.observed,
            "expected": finding.expected,
            "evidence": limited(finding.evidence),
            "remedy": control.remedy,
            "activation": control.activation,
            "deviation": self.deviation,
            "residual": control.residual_text(level=situation.level, log_policy=situation.log_policy),
            "waiver": self.waiver.as_dict(situation.today) if self.waiver else None,
        }


def assess(
    controls: t.Iterable[Assessable],
    observations: Observations,
    situation: Situation,
    *,
    waivers: t.Mapping[str, Waiver],
) -> list[Result]:
    """A result for every control of the chosen level."""
    chosen = [control for control in controls if situation.level == STRICT or control.level == ESSENTIAL]
    return [evaluate(control, observations, situation, waiver=waivers.get(control.id)) for control in chosen]


def evaluate(
    control: Assessable, observations: Observations, situation: Situation, *, waiver: Waiver | None = None
) -> Result:
    finding = combine([check.judge(observations, situation) for check in control.checks])
    # Deliberate: what is wrong is what the user set. Any other failing setting makes it an oversight again.
    deviation = bool(finding.settings) and set(finding.settings) <= set(situation.overrides)
    verdict = finding.verdict
    if waiver is not None and verdict in (FAIL, NOT_OBSERVABLE):
        if waiver.is_expired(situation.today):
            verdict = FAIL
            line = f"the waiver of {waiver.owner} expired on {waiver.expires.isoformat()}"
            finding = dataclasses.replace(finding, evidence=(line, *finding.evidence))
        else:
            verdict = WAIVED
    return Result(control, finding, verdict, deviation, waiver)


def combine(findings: t.Sequence[Finding]) -> Finding:
    """One finding of several: what is wrong first, what does not apply left out."""
    applicable = [finding for finding in findings if finding.verdict != NOT_APPLICABLE]
    if not applicable:
        return findings[0] if len(findings) == 1 else Finding(NOT_APPLICABLE, _joined(findings, "observed"))
    verdict = min((finding.verdict for finding in applicable), key=_WORST_FIRST.index)
    ordered = sorted(applicable, key=lambda finding: _WORST_FIRST.index(finding.verdict))
    shown = [finding for finding in ordered if finding.verdict == verdict] if verdict != PASS else ordered
    return Finding(
        verdict,
        _joined(shown, "observed"),
        _joined(shown, "expected"),
        tuple(line for finding in ordered for line in finding.evidence),
        tuple(name for finding in ordered for name in finding.settings),
    )


def _joined(findings: t.Iterable[Finding], field: str) -> str:
    texts = (getattr(finding, field) for finding in findings)
    return "; ".join(dict.fromkeys(text for text in texts if text))


def limited(lines: t.Sequence[str]) -> list[str]:
    """Evidence that people still read: a few lines, each of bearable length, with how many there are besides."""
    shown = [line if len(line) <= EVIDENCE_LENGTH else f"{line[: EVIDENCE_LENGTH - 3]}..." for line in lines]
    if len(shown) <= EVIDENCE_LINES:
        return shown
    return [*shown[: EVIDENCE_LINES - 1], f"and {len(shown) - EVIDENCE_LINES + 1} more"]


def score(verdicts: t.Sequence[str]) -> int | None:
    """Share of applicable controls that pass or are waived, in percent, rounded down; None where none applies."""
    applicable = [verdict for verdict in verdicts if verdict != NOT_APPLICABLE]
    kept = sum(verdict in (PASS, WAIVED) for verdict in applicable)
    return 100 * kept // len(applicable) if applicable else None


def summarise(results: t.Sequence[Result], *, titles: t.Mapping[str, str]) -> list[dict[str, t.Any]]:
    """Counts and score of each category, in the order of ``titles``."""
    names = {"passed": PASS, "failed": FAIL, WAIVED: WAIVED, NOT_APPLICABLE: NOT_APPLICABLE}
    names[NOT_OBSERVABLE] = NOT_OBSERVABLE
    summary = []
    for name, title in titles.items():
        verdicts = [result.verdict for result in results if result.control.category == name]
        counts = {key: verdicts.count(verdict) for key, verdict in names.items()}
        summary.append({"name": name, "title": title, "score": score(verdicts), **counts})
    return summary


def report(
    results: t.Sequence[Result],
    situation: Situation,
    *,
    engine: str,
    server_version: str,
    assessed_at: str,
    titles: t.Mapping[str, str],
    warnings: t.Sequence[str],
) -> dict[str, t.Any]:
    """The assessment as it is returned and rendered; JSON-serialisable."""
    return {
        "schema": SCHEMA,
        "engine": engine,
        "server_version": server_version,
        "level": situation.level,
        "log_policy": situation.log_policy,
        "assessed_at": assessed_at,
        "score": score([result.verdict for result in results]) or 0,
        "categories": summarise(results, titles=titles),
        "results": [result.as_dict(situation) for result in results],
        "warnings": list(warnings),
    }
