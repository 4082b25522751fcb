# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import typing as t

import pytest

import sample_assessments
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Report, read_report
from ansible_collections.bulwark.database.plugins.plugin_utils._report.terminal import render_terminal
from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import width

ESCAPES = re.compile(r"\x1b\[\d+m")


def report_on(assessments: t.Any, **options: t.Any) -> Report:
    return read_report(assessments, title="Report", generated_at="2026-11-22T03:05:00Z", **options)


def fleet() -> Report:
    assessments = sample_assessments.fleet()
    wide = assessments["pg2"]["results"][0]
    wide.update(title="東京" * 60, remedy="x" * 300, observed="ü" * 200)
    assessments["pg2"]["warnings"] = ["a warning " * 60]
    names = {"pg1": "a", "pg2": "b" * 80, "pg3": "データベース"}
    before = {names[host]: sample_assessments.stock() for host in assessments}
    return report_on(
        {names[host]: found for host, found in assessments.items()}, before=before, not_assessed=["z" * 200]
    )


@pytest.mark.parametrize("columns", [10, 60, 79, 100, 120, 500])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    lines = render_terminal(fleet(), columns=columns)
    assert max(width(line) for line in lines) <= max(60, min(columns, 120))


def test_colour_adds_escapes_and_nothing_else() -> None:
    plain, coloured = render_terminal(fleet()), render_terminal(fleet(), colour=True)
    assert not any("\x1b" in line for line in plain)
    assert any("\x1b[31m" in line for line in coloured)
    assert [ESCAPES.sub("", line) for line in coloured] == plain


def test_evidence_cannot_steer_the_terminal() -> None:
    assessment = sample_assessments.stock()
    assessment["results"][0].update(title="\x1b]0;title\x07", observed="\x1b[2J", remedy="a\nb\rc")
    lines = render_terminal(report_on({"\x1b[31m": assessment}))
    assert not any(ord(character) < 32 for line in lines for character in line)


def test_every_failed_control_is_there_with_its_remedy_in_a_line() -> None:
    text = render_terminal(report_on({"pg1": sample_assessments.stock()}))
    for result in sample_assessments.stock()["results"]:
        if result["verdict"] == "fail":
            place = next(number for number, line in enumerate(text) if line.startswith(f"  ✗ {result['id']} "))
            assert text[place + 1].lstrip().startswith(f"→ {result['remedy'][:20].splitlines()[0]}")


def test_what_changed_what_is_waived_what_remains_and_where_it_lies_are_said() -> None:
    report = report_on({"pg1": sample_assessments.hardened()}, before={"pg1": sample_assessments.stock()})
    text = "\n".join(render_terminal(report, html_path="/srv/report.html", listed=3))
    assert "Changed since before: 21 better, 0 worse" in text
    assert "    and 18 more" in text
    assert "until 2027-01-31 (70 days left), platform@example.org" in text
    assert "Remains even so\n  ! PG-LOG-001" in text
    assert text.endswith("Report  /srv/report.html")


def test_an_expired_waiver_stands_with_what_failed() -> None:
    text = "\n".join(render_terminal(report_on({"pg3": sample_assessments.fleet()["pg3"]})))
    assert "Only needed packages are installed [waiver expired]" in text
    assert "\nWaived" not in text


def test_a_run_without_a_change_says_so() -> None:
    same = {"pg1": sample_assessments.hardened()}
    assert "Nothing changed since before" in render_terminal(report_on(same, before=same))


def test_of_many_hosts_the_lowest_scores_are_shown() -> None:
    hosts = {f"pg{number:02d}": {**sample_assessments.hardened(), "score": 100 - number} for number in range(30)}
    lines = render_terminal(report_on(hosts))
    assert lines[1].startswith("  pg29  ")
    assert "  and 10 hosts with higher scores" in lines


@pytest.mark.parametrize(("score", "drawn"), [(0, "░" * 40), (100, "█" * 40), (50, "█" * 20 + "░" * 20)])
def test_the_bar_is_as_long_as_the_score(score: int, drawn: str) -> None:
    lines = render_terminal(report_on({"pg1": {**sample_assessments.hardened(), "score": score}}))
    assert next(line for line in lines if line.startswith("  Score ")).endswith(drawn)
