# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The controls of the HTML report: the filter bar and one foldable card per control, with what every host showed."""

from __future__ import annotations

import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_graphics import icon
from ansible_collections.bulwark.database.plugins.plugin_utils._report.markup import Markup, joined, tag
from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import (
    LABELS,
    PASS,
    VERDICTS,
    Category,
    Control,
    Waiver,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import ControlGroup, Finding, Report
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import counted

_ACTIVATIONS = {"live": "at once", "reload": "after a reload", "restart": "after a restart of the server"}


def pill(verdict: str, text: str = "") -> Markup:
    return tag(
        "span", text or LABELS.get(verdict, "new"), class_=f"pill v-{verdict if verdict in VERDICTS else 'none'}"
    )


def controls_section(report: Report) -> Markup:
    groups = report.groups
    titles = {category.name: category.title for category in report.categories}
    sections = []
    for verdict in VERDICTS:
        cards = [_card(group, report, titles) for group in groups if group.verdict == verdict]
        if cards:
            heading = tag(
                "h3",
                LABELS[verdict].capitalize(),
                " ",
                tag("span", str(len(cards)), class_="num muted"),
                class_="section",
            )
            sections.append(joined(heading, tag("div", cards)))
    nothing = tag("p", "No control matches these filters.", class_="empty", id="f-empty", hidden=True)
    return tag("section", _toolbar(report, groups), sections, nothing, id="controls", aria_labelledby="h-controls")


def _toolbar(report: Report, groups: tuple[ControlGroup, ...]) -> Markup:
    levels = sorted({group.control.level for group in groups if group.control.level})
    toggles = [
        tag(
            "button",
            icon(verdict),
            LABELS[verdict].capitalize(),
            " ",
            tag("span", str(report.count(verdict)), class_="num"),
            type="button",
            value=verdict,
            aria_pressed="false",
            class_=f"toggle v-{verdict}",
        )
        for verdict in VERDICTS
        if report.count(verdict)
    ]
    return tag(
        "div",
        tag(
            "div",
            tag("h2", "Controls", id="h-controls"),
            tag("span", counted(len(groups), "control"), id="f-count", class_="muted small", role="status"),
            tag("button", "Expand all", type="button", id="f-unfold", aria_pressed="false", class_="quiet filters"),
            tag("button", "Reset", type="button", id="f-reset", class_="quiet filters"),
            class_="row",
        ),
        tag(
            "div",
            tag(
                "label",
                tag("span", "Search controls", class_="sr"),
                tag(
                    "input",
                    type="search",
                    id="f-text",
                    placeholder="Search  ( / )",
                    autocomplete="off",
                    spellcheck="false",
                ),
            ),
            _select("category", "All categories", [(entry.name, entry.title) for entry in report.categories]),
            _select("level", "All levels", [(level, level.capitalize()) for level in levels])
            if len(levels) > 1
            else None,
            _select("host", "All hosts", [(host.name, host.name) for host in report.hosts])
            if len(report.hosts) > 1
            else None,
            class_="row filters",
        ),
        tag("div", toggles, class_="row filters", role="group", aria_label="Filter by verdict"),
        class_="toolbar",
    )


def _select(name: str, everything: str, options: list[tuple[str, str]]) -> Markup:
    choices = [tag("option", everything, value="")] + [tag("option", title, value=value) for value, title in options]
    return tag("label", tag("span", f"Filter by {name}", class_="sr"), tag("select", choices, id=f"f-{name}"))


def _card(group: ControlGroup, report: Report, titles: dict[str, str]) -> Markup:
    control = group.control
    summary = tag(
        "summary",
        tag(
            "span",
            icon(group.verdict),
            tag("span", LABELS[group.verdict], class_="sr"),
            class_=f"mark v-{group.verdict}",
        ),
        tag("span", control.id, class_="id"),
        tag("span", control.title, class_="title"),
        tag("span", _tags(group, report, titles), class_="tags"),
        icon("chevron", class_="icon chevron"),
    )
    several = len(report.hosts) > 1
    body = tag(
        "div",
        tag(
            "div",
            tag("p", control.rationale, class_="lead") if control.rationale else None,
            [_finding(finding, group, several=several) for finding in group.findings],
            _remedy(control.remedy) if group.shared("remedy") and _wants_remedy(group) else None,
            [tag("div", tag("strong", "Remains even so. "), note, class_="box v-waived") for note in _notes(group)],
        ),
        _facts(control, titles),
        class_="body",
    )
    return tag(
        "details",
        summary,
        body,
        class_="control",
        id=control.id,
        data_category=control.category,
        data_level=control.level,
        data_verdict=group.verdict,
    )


def _tags(group: ControlGroup, report: Report, titles: dict[str, str]) -> list[Markup]:
    found = []
    affected = sum(finding.control.verdict == group.verdict for finding in group.findings)
    if len(report.hosts) > 1 and group.verdict != PASS:
        found.append(pill(group.verdict, f"{affected} of {counted(len(group.findings), 'host')}"))
    if any(finding.control.waiver_expired for finding in group.findings):
        found.append(pill("waived", "waiver expired"))
    if any(finding.control.deviation for finding in group.findings):
        found.append(tag("span", "override", class_="tag"))
    if group.control.level and group.control.level != "essential":
        found.append(tag("span", group.control.level, class_="tag"))
    found.append(tag("span", titles.get(group.control.category, group.control.category), class_="tag"))
    return found


def _finding(finding: Finding, group: ControlGroup, *, several: bool) -> Markup:
    host, control = finding
    own_remedy = control.remedy if group.shared("remedy") is None and control.verdict != PASS else ""
    return tag(
        "div",
        tag("p", host.name, pill(control.verdict), class_="host") if several else None,
        tag(
            "div",
            _value("Observed", control.observed or "nothing", class_=f"value v-{control.verdict}"),
            _value("Expected", control.expected or "not stated", class_="value"),
            class_="pair",
        ),
        _waiver(control.waiver) if control.waiver else None,
        tag("div", tag("h4", "Evidence"), tag("pre", "\n".join(control.evidence))) if control.evidence else None,
        _remedy(own_remedy) if own_remedy else None,
        class_="finding",
        data_host=host.name,
        data_verdict=control.verdict,
    )


def _value(title: str, value: str, *, class_: str) -> Markup:
    return tag("div", tag("h4", title), tag("p", value), class_=class_)


def _waiver(waiver: Waiver) -> Markup:
    kind = "fail" if waiver.expired else "waived"
    until = (
        f"Waiver expired {waiver.expires}. "
        if waiver.expired
        else f"Waived until {waiver.expires or 'no stated date'}. "
    )
    return tag(
        "div",
        tag("strong", until),
        waiver.reason,
        " ",
        tag("span", waiver_terms(waiver), class_="muted"),
        class_=f"box v-{kind}",
    )


def waiver_terms(waiver: Waiver) -> str:
    """Who answers for the waiver and how long it still holds: ``Owner dba@example.org, 70 days left``."""
    owner = f"Owner {waiver.owner}" if waiver.owner else "No owner"
    if waiver.days_left is None:
        return owner
    if waiver.days_left < 0:
        return f"{owner}, {counted(-waiver.days_left, 'day')} overdue"
    return f"{owner}, {counted(waiver.days_left, 'day')} left"


def _remedy(remedy: str) -> Markup:
    button = tag("button", "Copy", type="button", class_="copy", aria_label="Copy remedy")
    return tag("div", tag("h4", "Remedy"), tag("pre", remedy), button, class_="remedy")


def _wants_remedy(group: ControlGroup) -> bool:
    return bool(group.control.remedy)


def _notes(group: ControlGroup) -> list[str]:
    return list(dict.fromkeys(note for finding in group.findings for note in finding.control.residual))


def _facts(control: Control, titles: dict[str, str]) -> Markup:
    facts: list[tuple[str, t.Sequence[str]]] = [
        ("Category", [titles.get(control.category, control.category)]),
        ("Level", [control.level]),
        ("A change works", [_ACTIVATIONS.get(control.activation, control.activation)]),
        ("Source", [", ".join(control.source)]),
        ("References", control.references),
    ]
    entries = [tag("div", tag("dt", name), [tag("dd", line) for line in lines]) for name, lines in facts if any(lines)]
    return tag("dl", entries, class_="facts")


def category_note(category: Category) -> str:
    """What keeps a category from 100: ``2 failed, 1 not observable``; empty where nothing does."""
    parts = [
        f"{category.counts[verdict]} {LABELS[verdict]}" for verdict in VERDICTS[:3] if category.counts.get(verdict)
    ]
    return ", ".join(parts)
