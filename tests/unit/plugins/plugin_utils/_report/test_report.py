# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

import sample_assessments
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import BETTER, OTHER, WORSE, Transition
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Report, read_report


def report_on(assessments: t.Any, **options: t.Any) -> Report:
    return read_report(assessments, title="Report", generated_at="2026-11-22T03:05:00Z", **options)


def with_scores(*scores: int) -> dict[str, dict[str, t.Any]]:
    return {f"pg{number}": {**sample_assessments.hardened(), "score": score} for number, score in enumerate(scores)}


def test_the_score_is_the_mean_rounded_down() -> None:
    assert report_on(with_scores(90, 91, 91)).score == 90
    assert report_on(with_scores(77)).score == 77


def test_there_is_no_score_before_unless_every_host_was_assessed_before() -> None:
    now = with_scores(90, 80)
    assert report_on(now, before=with_scores(10, 20)).before_score == 15
    assert report_on(now, before=with_scores(10)).before_score is None
    assert report_on(now).before_score is None


def test_a_category_in_which_nothing_applies_does_not_count() -> None:
    assessments = with_scores(90, 80)
    assessments["pg0"]["categories"][0]["score"] = None
    assessments["pg1"]["categories"][0]["score"] = 40
    assert report_on(assessments).categories[0].score == 40
    assessments["pg1"]["categories"][0]["score"] = None
    assert report_on(assessments).categories[0].score is None


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [
        ("fail", "pass", BETTER),
        ("fail", "waived", BETTER),
        ("waived", "pass", BETTER),
        ("not_observable", "pass", BETTER),
        ("pass", "fail", WORSE),
        ("waived", "fail", WORSE),
        ("pass", "not_observable", WORSE),
        ("fail", "not_observable", OTHER),
        ("fail", "not_applicable", OTHER),
        ("not_applicable", "fail", OTHER),
        ("", "fail", OTHER),
    ],
)
def test_a_change_of_verdict_has_a_direction(before: str, after: str, direction: str) -> None:
    assert Transition("pg1", "X", "x", before, after, "", "").direction == direction


def test_what_changed_is_told_once_for_all_hosts_alike_and_the_worse_first() -> None:
    hardened, stock = sample_assessments.hardened(), sample_assessments.stock()
    report = report_on({"a": hardened, "b": hardened, "c": stock}, before={"a": stock, "b": stock, "c": hardened})
    assert [change.transition.direction for change in report.changes] == [WORSE] * 21 + [BETTER] * 21
    assert report.changes[0].hosts == ("c",)
    assert report.changes[-1].hosts == ("a", "b")
    assert report.changes[-1].same_values


def test_groups_come_in_order_of_the_attention_they_want() -> None:
    groups = report_on({"a": sample_assessments.hardened(), "b": sample_assessments.stock()}).groups
    assert [group.verdict for group in groups] == ["fail"] * 22 + ["not_observable"] + ["pass"] * 9 + ["not_applicable"]
    assert [finding.host.name for finding in groups[0].findings] == ["a", "b"]


def test_a_host_that_was_not_assessed_is_named() -> None:
    assert report_on(with_scores(90), not_assessed=["pg0", "pg9", "pg8"]).not_assessed == ("pg8", "pg9")


def test_waivers_count_their_days_and_the_next_to_expire_comes_first() -> None:
    found = [
        (host.name, control.waiver.days_left, control.waiver.expired)
        for host, control in report_on(sample_assessments.fleet()).waivers
        if control.waiver
    ]
    assert found == [("pg3", -21, True), ("pg1", 70, False)]


def test_a_residual_is_named_once_and_not_where_its_control_does_not_apply() -> None:
    one = sample_assessments.hardened()
    assert len(report_on({"a": one, "b": one}).residuals) == 1
    for result in one["results"]:
        result["verdict"] = "not_applicable"
    assert report_on({"a": one}).residuals == ()


@pytest.mark.parametrize(
    ("assessments", "message"),
    [
        ({}, "there is no assessment"),
        ({"pg1": None}, "host pg1 is not an assessment"),
        ({"pg1": {"schema": 1}}, "host pg1 is not an assessment"),
        ({"pg1": {"schema": 2, "results": []}}, "host pg1 has schema 2"),
        ({"pg1": {"schema": 1, "results": [{"id": "X", "verdict": "maybe"}]}}, "host pg1 holds a result without"),
        ({"pg1": {"schema": 1, "results": ["X"]}}, "host pg1 holds a result without"),
    ],
)
def test_what_is_no_assessment_is_refused_by_name(assessments: t.Any, message: str) -> None:
    with pytest.raises(InvalidDeclaration, match=message):
        report_on(assessments)


def test_an_assessment_with_the_least_there_can_be_makes_a_report() -> None:
    report = report_on({"pg1": {"schema": 1, "results": [{"id": "X", "verdict": "pass"}]}})
    assert (report.score, report.applicable, report.groups[0].control.title) == (0, 1, "X")
