# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The report as Markdown: for merge requests, wikis and tickets."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import (
    BETTER,
    FAIL,
    LABELS,
    NOT_OBSERVABLE,
    VERDICTS,
    WORSE,
    Control,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import ControlGroup, Report
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import counted, named, one_line

# What Markdown could take for its own inside a line: an underscore within a word and a colon without slashes are fine.
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)|:(?=//)")
# What starts a list, a heading or a quotation at the beginning of a block.
_OPENING = re.compile(r"^(\d*)([-+#=]|(?<=\d)[.)])")
# A mention is looked for in the rendered text, so that a backslash does not help; an empty comment does.
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_markdown(report: Report) -> str:
    """The whole document. Whatever comes from hosts is escaped: it makes no link, image, mention, table cell or tag."""
    blocks = [
        f"# {escaped(report.title)}",
        _summary(report),
        _hosts(report),
        _categories(report),
        *_changes(report),
        *_findings(report, FAIL, "Failed"),
        *_findings(report, NOT_OBSERVABLE, "Not observable"),
        *_waivers(report),
        *_notes(report),
        *_all_controls(report),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escaped(text: str) -> str:
    """The text as one line that Markdown shows literally."""
    text = _SPECIAL.sub(r"\\\g<0>", one_line(text)).translate(_ENTITIES)
    text = _OPENING.sub(r"\1\\\2", text)
    return _MENTION.sub("@<!-- -->", text)


def fenced(text: str) -> str:
    """A code block whose fence is longer than any run of back-quotes in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for dummy in head)} |"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _summary(report: Report) -> str:
    counts = ", ".join(f"{report.count(verdict)} {LABELS[verdict]}" for verdict in VERDICTS)
    before = f" (before: {report.before_score})" if report.before_score is not None else ""
    lines = [f"**Score {report.score} of 100**{before} on {counted(len(report.hosts), 'host')}: {counts}."]
    if report.not_assessed:
        lines.append(f"**Not assessed:** {', '.join(escaped(name) for name in report.not_assessed)}.")
    return "\n\n".join(lines)


def _hosts(report: Report) -> str:
    head = ("Host", "Score", "Before", "Server", "Level", "Log policy", "Assessed")
    return _table(
        head,
        (
            (
                escaped(host.name),
                str(host.score),
                _number(host.before_score),
                escaped(host.server),
                escaped(host.level),
                escaped(host.log_policy),
                escaped(host.assessed_at),
            )
            for host in report.hosts
        ),
    )


def _categories(report: Report) -> str:
    head = ("Category", "Score", "Before", *(LABELS[verdict].capitalize() for verdict in VERDICTS))
    return "## Score by category\n\n" + _table(
        head,
        (
            (
                escaped(category.title),
                _number(category.score),
                _number(category.before),
                *(str(category.counts.get(verdict, 0)) for verdict in VERDICTS),
            )
            for category in report.categories
        ),
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _changes(report: Report) -> list[str]:
    if not report.compared:
        return []
    heading = f"## What changed: {len(report.changed(BETTER))} better, {len(report.changed(WORSE))} worse"
    if not report.changes:
        return [heading, "No verdict differs from the assessment before."]
    rows = [
        (
            escaped(change.transition.id),
            escaped(change.transition.title),
            escaped(named(change.hosts, most=6)),
            LABELS.get(change.transition.before, "new"),
            LABELS[change.transition.after],
        )
        for change in report.changes
    ]
    return [heading, _table(("Control", "Title", "Hosts", "Before", "After"), rows)]


def _findings(report: Report, verdict: str, heading: str) -> list[str]:
    groups = [group for group in report.groups if any(entry.control.verdict == verdict for entry in group.findings)]
    return [f"## {heading}", *(_group(group, verdict) for group in groups)] if groups else []


def _group(group: ControlGroup, verdict: str) -> str:
    control = group.control
    blocks = [f"### {escaped(control.id)} {escaped(control.title)}", escaped(control.rationale)]
    for host, found in group.findings:
        if found.verdict == verdict:
            blocks += _finding(host.name, found)
    if control.references:
        blocks.append(f"References: {escaped(', '.join(control.references))}")
    return "\n\n".join(block for block in blocks if block)


def _finding(host: str, control: Control) -> list[str]:
    observed, expected = escaped(control.observed) or "nothing", escaped(control.expected) or "not stated"
    lines = [f"- **{escaped(host)}**: observed {observed}; expected {expected}"]
    if control.waiver_expired and control.waiver:
        lines.append(
            f"- The waiver of {escaped(control.waiver.owner)} expired {escaped(control.waiver.expires)}: "
            f"{escaped(control.waiver.reason)}"
        )
    blocks = ["\n".join(lines)]
    if control.evidence:
        blocks.append(fenced("\n".join(control.evidence)))
    if control.remedy:
        blocks += ["Remedy:", fenced(control.remedy)]
    return blocks


def _waivers(report: Report) -> list[str]:
    rows = []
    for host, control in report.waivers:
        waiver = control.waiver
        if waiver is not None:
            left = "expired" if waiver.expired else _number(waiver.days_left)
            texts = (control.id, host.name, waiver.reason, waiver.owner, waiver.expires or "never")
            rows.append((*(escaped(text) for text in texts), left))
    head = ("Control", "Host", "Reason", "Owner", "Expires", "Days left")
    return ["## Waivers", _table(head, rows)] if rows else []


def _notes(report: Report) -> list[str]:
    blocks = []
    if report.residuals:
        notes = [f"- {escaped(control.id)}: {escaped(note)}" for control, note in report.residuals]
        blocks += ["## What remains even so", "\n".join(notes)]
    if report.warnings:
        notes = [f"- {escaped(host)}: {escaped(text)}" for host, text in report.warnings]
        blocks += ["## Warnings", "\n".join(notes)]
    return blocks


def _all_controls(report: Report) -> list[str]:
    rows = [
        (
            escaped(host.name),
            escaped(control.id),
            escaped(control.title),
            LABELS[control.verdict],
            escaped(control.observed),
        )
        for host, control in report.findings()
    ]
    return ["## All controls", _table(("Host", "Control", "Title", "Verdict", "Observed"), rows)]
