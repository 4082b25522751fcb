# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The HTML report: one file, no request, readable without scripts."""

from __future__ import annotations

import base64
import hashlib
import typing as t

from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_controls import (
    category_note,
    controls_section,
    pill,
    waiver_terms,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_graphics import (
    brand,
    icon,
    icon_definitions,
    ring,
    score_bar,
    sparkline,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_script import SCRIPT
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_style import STYLE
from ansible_collections.bulwark.database.plugins.plugin_utils._report.markup import Markup, joined, tag
from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import (
    BETTER,
    FAIL,
    LABELS,
    NOT_OBSERVABLE,
    VERDICTS,
    WORSE,
    Host,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Change, Report
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import counted, named, shortened

_LISTED_CHANGES: t.Final = 6


def render_html(report: Report) -> str:
    """The whole page. Styles and script are admitted by their hashes, everything else is forbidden."""
    style, script = Markup(STYLE), Markup(SCRIPT)
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"{report.score} · {report.title}"),
        tag("style", style),
    )
    body = tag(
        "body",
        tag("a", "Skip to the controls", href="#controls", class_="skip"),
        icon_definitions(),
        tag("div", _header(report), tag("main", _main(report)), _footer(report), class_="wrap"),
        tag("script", script),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang="en") + "\n"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _main(report: Report) -> Markup:
    return joined(
        _not_assessed(report),
        _hero(report),
        _statistics(report),
        _hosts(report),
        tag("div", _categories(report), _changes(report), class_="grid two"),
        _waivers(report),
        _notes(report),
        controls_section(report),
    )


def _header(report: Report) -> Markup:
    shared = [
        report.hosts[0].server if len({host.server for host in report.hosts}) == 1 else "",
        _shared(report, "level", "Level"),
        _shared(report, "log_policy", "Log policy"),
        f"Assessed {moment(max(host.assessed_at for host in report.hosts))}",
    ]
    return tag(
        "header",
        brand(),
        tag("div", tag("h1", report.title), tag("div", [tag("span", part) for part in shared if part], class_="meta")),
        class_="top",
    )


def _shared(report: Report, field: str, label: str) -> str:
    values = {getattr(host, field) for host in report.hosts}
    return f"{label} {values.pop()}" if len(values) == 1 and all(values) else ""


def moment(timestamp: str) -> str:
    """``2026-11-22T03:04:12Z`` as people read it: ``2026-11-22 03:04 UTC``."""
    return f"{timestamp[:10]} {timestamp[11:16]} UTC" if timestamp.endswith("Z") and len(timestamp) >= 17 else timestamp


def _not_assessed(report: Report) -> Markup | None:
    if not report.not_assessed:
        return None
    text = f"{counted(len(report.not_assessed), 'host')} not assessed: {', '.join(report.not_assessed)}. "
    return tag(
        "div", icon("warning"), tag("p", text, "This report says nothing about them."), class_="alert", role="note"
    )


def _hero(report: Report) -> Markup:
    label = f"Score {report.score} of 100"
    several = len(report.hosts) > 1
    return tag(
        "section",
        ring(report.score, before=report.before_score, label=label),
        tag(
            "div",
            tag("p", headline(report), class_="headline"),
            tag("p", f"Mean of {len(report.hosts)} hosts", class_="muted small") if several else None,
            _delta(report.score, report.before_score),
        ),
        tag("div", tag("h3", "Score over time"), sparkline(report.trend), class_="trend")
        if len(report.trend) > 1
        else None,
        class_="card wide hero",
        aria_label="Overall score",
    )


def headline(report: Report) -> str:
    """The result in one sentence."""
    failed, blind = report.count(FAIL), report.count(NOT_OBSERVABLE)
    where = f"on {report.hosts[0].name}" if len(report.hosts) == 1 else f"on {counted(len(report.hosts), 'host')}"
    if not failed and not blind:
        return f"Every control that applies holds or is waived {where}"
    hold = report.applicable - failed - blind
    tail = f", {blind} can't be observed" if blind else ""
    return f"{hold} of {report.applicable} checks hold {where}, {failed} {'fails' if failed == 1 else 'fail'}{tail}"


def _delta(score: int, before: int | None) -> Markup | None:
    if before is None:
        return None
    difference = score - before
    kind = "better" if difference > 0 else "worse" if difference < 0 else "other"
    arrow = {"better": "up", "worse": "down", "other": "arrow"}[kind]
    return tag(
        "p",
        icon(arrow),
        f"{difference:+d} since before (was {before})" if difference else f"Still {before}",
        class_=f"delta {kind} num",
    )


def _statistics(report: Report) -> Markup:
    tiles = [
        tag(
            "a",
            tag("b", str(report.count(verdict))),
            tag("span", icon(verdict), LABELS[verdict].capitalize()),
            href=f"#verdict={verdict}",
            class_=f"stat v-{verdict}{'' if report.count(verdict) else ' zero'}",
        )
        for verdict in VERDICTS
    ]
    return tag("section", tiles, class_="stats", aria_label="Verdicts")


def _hosts(report: Report) -> Markup | None:
    if len(report.hosts) < 2:
        return None
    head = [tag("th", name) for name in ("Score", "Host", "Server", "Level")]
    head += [
        tag("th", name, class_="right") for name in ("Failed", "Not observable", "Waived", "Passed", "Since before")
    ]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", [_host_row(host) for host in report.hosts]))
    return tag("section", tag("h2", "Hosts"), tag("div", table, class_="scroll"), class_="card wide")


def _host_row(host: Host) -> Markup:
    delta = "" if host.before_score is None else f"{host.score - host.before_score:+d}".replace("+0", "0")
    link = tag("a", host.name, href=f"#host={_quoted(host.name)}")
    counts = [tag("td", str(host.count(verdict)), class_="right num") for verdict in VERDICTS[:4]]
    return tag(
        "tr",
        tag("td", ring(host.score, little=True, label=f"Score {host.score}")),
        tag("td", link),
        tag("td", host.server),
        tag("td", host.level),
        counts,
        tag("td", delta, class_="right num"),
    )


def _quoted(value: str) -> str:
    return "".join(f"%{byte:02X}" if not chr(byte).isalnum() or byte > 127 else chr(byte) for byte in value.encode())


def _categories(report: Report) -> Markup:
    rows = []
    for category in report.categories:
        note = category_note(category)
        rows.append(
            tag(
                "a",
                tag("span", category.title),
                score_bar(category.score, before=category.before),
                tag("span", "-" if category.score is None else str(category.score), class_="num"),
                tag("span", note, class_="why") if note else None,
                href=f"#category={_quoted(category.name)}",
            )
        )
    legend = tag("p", tag("i"), "Score before", class_="legend") if report.before_score is not None else None
    return tag("section", tag("h2", "Score by category"), tag("div", rows, class_="bars"), legend, class_="card")


def _changes(report: Report) -> Markup | None:
    if not report.compared:
        return None
    counts = f"{len(report.changed(BETTER))} better · {len(report.changed(WORSE))} worse"
    rows = [_change(change, several=len(report.hosts) > 1) for change in report.changes]
    body: list[Markup] = [tag("ul", rows[:_LISTED_CHANGES], class_="changes")]
    if len(rows) > _LISTED_CHANGES:
        rest = rows[_LISTED_CHANGES:]
        body.append(
            tag("details", tag("summary", f"Show {len(rest)} more"), tag("ul", rest, class_="changes"), class_="more")
        )
    if not rows:
        body = [tag("p", "No verdict differs from the assessment before.", class_="muted")]
    title = tag("h2", "What changed", tag("span", counts, class_="muted"))
    return tag("section", title, body, class_="card")


def _change(change: Change, *, several: bool) -> Markup:
    transition = change.transition
    move = tag(
        "span",
        pill(transition.before),
        icon("arrow"),
        tag("span", "became", class_="sr"),
        pill(transition.after),
        class_="move",
    )
    values = None
    if change.same_values and transition.before_observed != transition.after_observed:
        before, after = shortened(transition.before_observed, 60), shortened(transition.after_observed, 60)
        values = tag("span", tag("del", before or "nothing"), " → ", tag("ins", after or "nothing"), class_="values")
    place = tag("span", " " + named(change.hosts, most=4), class_="muted small") if several else None
    link = tag("a", transition.title, href=f"#{transition.id}")
    return tag("li", tag("span", link, place), move, values)


def _waivers(report: Report) -> Markup | None:
    if not report.waivers:
        return None
    head = tag("tr", [tag("th", name) for name in ("Control", "Host", "Reason", "Owner", "Expires")])
    rows = []
    for host, control in report.waivers:
        waiver = control.waiver
        if waiver is None:
            continue
        days = waiver_terms(waiver).rpartition(", ")[2] if waiver.days_left is not None else ""
        urgency = "fail" if waiver.expired else "waived"
        expires = joined(waiver.expires or "never", " ", pill(urgency, days) if days else None)
        cells = [tag("a", control.title, href=f"#{control.id}"), host.name, waiver.reason, waiver.owner, expires]
        rows.append(tag("tr", [tag("td", cell) for cell in cells]))
    table = tag("table", tag("thead", head), tag("tbody", rows))
    return tag("section", tag("h2", "Waivers"), tag("div", table, class_="scroll"), class_="card wide")


def _notes(report: Report) -> Markup | None:
    cards = []
    if report.residuals:
        notes = [
            tag(
                "li",
                tag("span", note),
                tag("a", f"{control.id} {control.title}", href=f"#{control.id}", class_="small"),
            )
            for control, note in report.residuals
        ]
        cards.append(tag("section", tag("h2", "What remains even so"), tag("ul", notes, class_="notes"), class_="card"))
    if report.warnings:
        notes = [
            tag("li", tag("span", text), tag("span", host, class_="small muted")) for host, text in report.warnings
        ]
        cards.append(tag("section", tag("h2", "Warnings"), tag("ul", notes, class_="notes"), class_="card"))
    return tag("div", cards, class_="grid two") if cards else None


def _footer(report: Report) -> Markup:
    text = (
        f"Written {moment(report.generated_at)} by bulwark.database. The score is the share of applicable controls "
        "that pass or are waived. A control that can't be observed never counts as passed."
    )
    return tag("footer", tag("p", text))
