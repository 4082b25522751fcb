# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest

import sample_assessments
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_graphics import sparkline
from ansible_collections.bulwark.database.plugins.plugin_utils._report.trend import (
    TrendPoint,
    fingerprint,
    is_point,
    point_of,
    trend_of,
)


def assessment(day: int, score: int, **fields: t.Any) -> dict[str, t.Any]:
    return {**sample_assessments.hardened(), "assessed_at": f"2026-11-{day:02d}T03:00:00Z", "score": score, **fields}


def test_the_trend_is_in_order_of_time_and_ends_with_the_present() -> None:
    points = [point_of({"pg1": assessment(day, score)}) for day, score in ((9, 40), (2, 30))]
    trend = trend_of(points, assessments={"pg1": assessment(20, 90)})
    assert [(point.assessed_at[8:10], point.score) for point in trend] == [("02", 30), ("09", 40), ("20", 90)]


def test_only_hosts_in_the_present_report_count() -> None:
    points = [point_of({"pg1": assessment(2, 30), "gone": assessment(2, 90)}), point_of({"gone": assessment(3, 90)})]
    trend = trend_of(points, assessments={"pg1": assessment(20, 50), "new": assessment(20, 70)})
    assert [(point.score, point.hosts) for point in trend] == [(30, 1), (60, 2)]


def test_another_level_or_log_policy_is_not_compared() -> None:
    points = [
        point_of({"pg1": assessment(2, 30, level="strict")}),
        point_of({"pg1": assessment(3, 30, log_policy="forensic")}),
    ]
    assert len(trend_of(points, assessments={"pg1": assessment(20, 50)})) == 1


def test_the_same_moment_and_later_ones_are_not_in_the_past() -> None:
    points = [point_of({"pg1": assessment(20, 50)}), point_of({"pg1": assessment(21, 60)})]
    assert len(trend_of(points, assessments={"pg1": assessment(20, 50)})) == 1


def test_a_point_survives_its_file() -> None:
    point = point_of(sample_assessments.fleet())
    assert json.loads(json.dumps(point)) == point
    assert is_point(point)
    assert len(json.dumps(point)) < 6000


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {},
        {"schema": 2},
        {"schema": 1, "assessed_at": 3, "hosts": {}},
        {"schema": 1, "assessed_at": "", "hosts": []},
        {"schema": 1, "assessed_at": "", "hosts": {"a": {"score": "x"}}},
        {"schema": 1, "assessed_at": "", "hosts": {"a": 1}},
    ],
)
def test_what_is_no_point_is_told_apart(value: t.Any) -> None:
    assert not is_point(value)


def test_the_fingerprint_ignores_time_and_evidence_and_sees_the_rest() -> None:
    first, second = sample_assessments.hardened(), sample_assessments.hardened()
    second.update(assessed_at="2026-12-24T00:00:00Z", warnings=["other"])
    second["results"][0]["evidence"] = ["7 sessions"]
    assert fingerprint({"pg1": first}, title="") == fingerprint({"pg1": second}, title="")
    seen = {
        fingerprint({"pg1": first}, title=""),
        fingerprint({"pg1": first}, title="x"),
        fingerprint({"pg2": first}, title=""),
    }
    for change in ({"verdict": "fail"}, {"observed": "x"}, {"expected": "x"}, {"waiver": {"owner": "x"}}):
        other = sample_assessments.hardened()
        other["results"][0].update(change)
        seen.add(fingerprint({"pg1": other}, title=""))
    assert len(seen) == 7


@pytest.mark.parametrize(
    "moments",
    [
        ("2026-11-22T03:00:00Z", "2026-11-22T03:04:00Z"),
        ("2026-11-22T03:00:00Z", "2026-11-22T03:00:00Z"),
        ("", "nonsense"),
    ],
)
def test_a_sparkline_can_be_drawn_of_whatever_times_there_are(moments: tuple[str, ...]) -> None:
    drawn = sparkline([TrendPoint(moment, score, 1) for moment, score in zip(moments, (0, 100))])
    assert drawn.startswith("<svg")
    assert "nan" not in drawn
