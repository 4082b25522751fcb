# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a survey to a plan."""

from __future__ import annotations

from ansible_collections.bulwark.database.plugins.module_utils._core.file_plan import (
    Finding,
    Survey,
    TreeSurvey,
    described,
    plan_mending,
    total,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.files import Policy, Rule

POLICY = Policy("/data", (Rule(),), recurse=True)


def finding(name: str, refused: str = "") -> Finding:
    return Finding("/data", f"/data/{name}", "file", "root:root 0644", "root:root 0600", ("others may read",), refused)


def survey(count: int, *, limit: int, refused: int = 0) -> Survey:
    tree = TreeSurvey(POLICY, "/data", count=count, refused_count=refused)
    tree.findings = [finding(str(number)) for number in range(min(count, limit))]
    tree.refusals = [finding(str(number), "it has 2 names") for number in range(min(refused, limit))]
    return Survey((tree,), limit)


def test_a_survey_without_findings_is_an_empty_plan() -> None:
    assert not plan_mending(survey(0, limit=5))


def test_each_finding_is_a_change_with_before_and_after() -> None:
    plan = plan_mending(survey(2, limit=5))
    assert plan.diff() == {
        "before": "file /data/0: root:root 0644\nfile /data/1: root:root 0644\n",
        "after": "file /data/0: root:root 0600\nfile /data/1: root:root 0600\n",
    }
    assert total(plan) == 2


def test_beyond_the_limit_there_is_one_line_and_the_count_is_exact() -> None:
    plan = plan_mending(survey(1_000_000, limit=3))
    assert len(plan) == 4
    assert plan.summaries()[-1] == "999997 more below /data: too open -> as the policy says"
    assert len(described(plan)) == 3
    assert total(plan) == 1_000_000


def test_what_is_left_alone_is_a_warning_and_no_change() -> None:
    plan = plan_mending(survey(0, limit=10, refused=5))
    assert not plan
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith("5 not as their policy says, but left alone: /data/0 (others may read): it has")
    assert plan.warnings[0].endswith("; and 2 more")


def test_the_limit_holds_over_all_trees() -> None:
    trees = survey(3, limit=3).trees + survey(3, limit=3).trees
    both = Survey(trees, 3)
    assert (len(both.findings), both.count) == (3, 6)
    assert total(plan_mending(both)) == 6


def test_a_finding_is_returned_as_plain_data() -> None:
    assert finding("x").as_dict() == {
        "policy": "/data",
        "path": "/data/x",
        "kind": "file",
        "problems": ["others may read"],
        "before": "root:root 0644",
        "after": "root:root 0600",
    }
    assert finding("x", "why").as_dict()["refused"] == "why"
    assert "after" not in finding("x", "why").as_dict()
