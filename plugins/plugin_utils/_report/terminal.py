# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The summary for a terminal: width-aware, colour only where it is wanted, every line complete in itself."""

from __future__ import annotations

import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import (
    BETTER,
    FAIL,
    LABELS,
    NOT_OBSERVABLE,
    VERDICTS,
    WAIVED,
    WORSE,
    Category,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Change, Finding, Report
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import (
    counted,
    named,
    one_line,
    padded,
    shortened,
    width,
    wrapped,
)

LEAST_COLUMNS: t.Final = 60
MOST_COLUMNS: t.Final = 120

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35"}
_MARKS = {FAIL: "✗", NOT_OBSERVABLE: "?", WAIVED: "~"}
_COLOURS = {FAIL: "red", NOT_OBSERVABLE: "magenta", WAIVED: "yellow"}
_INDENT = 17
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class _Painter:
    """Colours, or none: all measuring is done on plain text before it is painted."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def __call__(self, name: str, text: str) -> str:
        return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if self._colour and name and text else text


def render_terminal(
    report: Report, *, columns: int = 100, colour: bool = False, html_path: str = "", listed: int = 12
) -> list[str]:
    """The summary's lines.

    :param columns: of the terminal; used between 60 and 120.
    :param html_path: where the HTML report lies, named in the last line.
    :param listed: how many entries of each list are shown before ``and 7 more``. Failed controls are always all shown.
    """
    columns = max(LEAST_COLUMNS, min(columns, MOST_COLUMNS))
    paint = _Painter(colour=colour)
    lines = [*_head(report, paint, columns), *_categories(report, paint, columns), "", *_counts(report, paint, columns)]
    lines += _changes(report, paint, columns, listed=listed)
    lines += _open_findings(report, paint, columns)
    lines += _waivers(report, paint, columns, listed=listed)
    lines += _notes(report, paint, columns, listed=listed)
    if html_path:
        lines += ["", f"{paint('bold', 'Report')}  {html_path}"]
    return lines


def _head(report: Report, paint: _Painter, columns: int) -> list[str]:
    lines = [paint("bold", shortened(report.title, columns))]
    shown = report.hosts if len(report.hosts) <= 20 else sorted(report.hosts, key=lambda host: host.score)[:20]
    name_columns = min(28, max(width(host.name) for host in shown))
    for host in shown:
        facts = f"{host.server} · level {host.level} · log policy {host.log_policy}"
        score = f"{host.score:>3}{_difference(host.score, host.before_score)}"
        room = columns - name_columns - 16
        lines.append(
            f"  {padded(host.name, name_columns)}  {paint(_band(host.score), padded(score, 10))}  "
            f"{paint('dim', shortened(facts, room))}"
        )
    if len(report.hosts) > len(shown):
        lines.append(f"  and {counted(len(report.hosts) - len(shown), 'host')} with higher scores")
    if report.not_assessed:
        names = ", ".join(report.not_assessed)
        text = f"  ! {counted(len(report.not_assessed), 'host')} not assessed: {names}"
        lines.append(paint("yellow", shortened(text, columns - 2)))
    return [*lines, ""]


def _categories(report: Report, paint: _Painter, columns: int) -> list[str]:
    total = Category("", "Score", report.score, report.before_score)
    rows = [total, *report.categories]
    title_columns = min(28, max(width(row.title) for row in rows))
    bar_columns = min(40, columns - title_columns - 28)
    lines = []
    for row in rows:
        score = "  -" if row.score is None else f"{row.score:>3}"
        drawn = _bar(row.score or 0, bar_columns)
        trouble = ", ".join(
            f"{row.counts[verdict]} {LABELS[verdict]}" for verdict in VERDICTS[:2] if row.counts.get(verdict)
        )
        difference = padded(_difference(row.score, row.before), 5)
        title = padded(row.title, title_columns)
        line = (
            f"  {paint('bold', title) if row is total else title}  {score}{difference} {paint(_band(row.score), drawn)}"
        )
        room = columns - title_columns - bar_columns - 15
        lines.append(f"{line}  {shortened(trouble, room)}".rstrip())
    return lines


def _bar(score: int, columns: int) -> str:
    eighths = columns * 8 * score // 100
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + (_EIGHTHS[rest] if rest else "")
    return drawn + "░" * (columns - len(drawn))


def _difference(score: int | None, before: int | None) -> str:
    return "" if score is None or before is None or score == before else f" {score - before:+d}"


def _band(score: int | None) -> str:
    if score is None:
        return "dim"
    return "green" if score >= 90 else "yellow" if score >= 70 else "red"


def _counts(report: Report, paint: _Painter, columns: int) -> list[str]:
    lines: list[str] = []
    used = columns
    for verdict in ("pass", *VERDICTS[:3], "not_applicable"):
        part = f"{report.count(verdict)} {LABELS[verdict]}"
        painted = paint(_COLOURS.get(verdict, "") if report.count(verdict) else "", part)
        if used + 3 + width(part) > columns:
            lines.append(f"  {painted}")
            used = 2 + width(part)
        else:
            lines[-1] += f" · {painted}"
            used += 3 + width(part)
    return lines


def _changes(report: Report, paint: _Painter, columns: int, *, listed: int) -> list[str]:
    if not report.compared:
        return []
    better, worse = len(report.changed(BETTER)), len(report.changed(WORSE))
    heading = f"Changed since before: {better} better, {worse} worse"
    lines = ["", paint("bold", heading if report.changes else "Nothing changed since before")]
    lines += [_change(change, paint, columns, several=len(report.hosts) > 1) for change in report.changes[:listed]]
    return lines + _rest(len(report.changes), listed)


def _change(change: Change, paint: _Painter, columns: int, *, several: bool) -> str:
    transition = change.transition
    colour, mark = {BETTER: ("green", "↑"), WORSE: ("red", "↓")}.get(transition.direction, ("", "·"))
    move = f"{LABELS.get(transition.before, 'new')} → {LABELS[transition.after]}"
    place = f" ({named(change.hosts, most=3)})" if several else ""
    text = f"{padded(transition.id, 12)} {transition.title}{place}"
    return f"  {paint(colour, mark)} {padded(text, columns - 4 - 20)}  {paint('dim', shortened(move, 18))}".rstrip()


def _open_findings(report: Report, paint: _Painter, columns: int) -> list[str]:
    lines = []
    for verdict, heading in ((FAIL, "Failed"), (NOT_OBSERVABLE, "Not observable")):
        groups = [group for group in report.groups if any(entry.control.verdict == verdict for entry in group.findings)]
        if groups:
            lines += ["", paint("bold", heading)]
        for group in groups:
            entries = [entry for entry in group.findings if entry.control.verdict == verdict]
            lines += _finding(entries, paint, columns, several=len(report.hosts) > 1)
    return lines


def _finding(entries: list[Finding], paint: _Painter, columns: int, *, several: bool) -> list[str]:
    control = entries[0].control
    hosts = [entry.host.name for entry in entries]
    place = f" ({named(hosts, most=4)})" if several else ""
    expired = " [waiver expired]" if any(entry.control.waiver_expired for entry in entries) else ""
    mark = paint(_COLOURS[control.verdict], _MARKS[control.verdict])
    room = columns - _INDENT
    title = shortened(control.title + place + expired, room)
    observed = shortened(f": {control.observed}", room - width(title)) if control.observed else ""
    lines = [f"  {mark} {padded(control.id, 12)} {title}{paint('dim', observed)}"]
    if control.remedy:
        lines.append(f"{' ' * _INDENT}{shortened(f'→ {one_line(control.remedy)}', room)}")
    return lines


def _waivers(report: Report, paint: _Painter, columns: int, *, listed: int) -> list[str]:
    found = [finding for finding in report.waivers if finding.control.verdict == WAIVED]
    if not found:
        return []
    lines = ["", paint("bold", "Waived")]
    for host, control in found[:listed]:
        waiver = control.waiver
        if waiver is None:
            continue
        place = f" ({host.name})" if len(report.hosts) > 1 else ""
        days = "" if waiver.days_left is None else f" ({counted(waiver.days_left, 'day')} left)"
        lines.append(
            f"  {paint('yellow', '~')} {padded(control.id, 12)} {shortened(control.title + place, columns - _INDENT)}"
        )
        terms = f"until {waiver.expires or 'no stated date'}{days}, {waiver.owner}: {waiver.reason}"
        lines += [paint("dim", f"{' ' * _INDENT}{line}") for line in wrapped(terms, columns - _INDENT, most=2)]
    return lines + _rest(len(found), listed)


def _notes(report: Report, paint: _Painter, columns: int, *, listed: int) -> list[str]:
    lines = []
    if report.residuals:
        lines += ["", paint("bold", "Remains even so")]
        for control, note in report.residuals[:listed]:
            lines += _note(padded(control.id, 12), note, columns)
        lines += _rest(len(report.residuals), listed)
    if report.warnings:
        lines += ["", paint("bold", "Warnings")]
        for host, text in report.warnings[:listed]:
            lines += _note(padded(host, 12), text, columns)
        lines += _rest(len(report.warnings), listed)
    return lines


def _note(name: str, note: str, columns: int) -> list[str]:
    first, *others = wrapped(note, columns - _INDENT, most=4)
    return [f"  ! {name} {first}", *(f"{' ' * _INDENT}{line}" for line in others)]


def _rest(number: int, listed: int) -> list[str]:
    return [f"    and {number - listed} more"] if number > listed else []
