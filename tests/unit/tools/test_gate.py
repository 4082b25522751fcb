# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate counts what happened: nothing that failed, ran too long or ran nothing looks like success."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import gate
import playbook

CASES = "<testsuite><testcase/><testcase><failure/></testcase><testcase><skipped/></testcase></testsuite>"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gate, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("written", "status", "expected"),
    [
        (CASES, 1, gate.Count(passed=1, failed=1, skipped=1)),
        ("<testsuite><testcase/></testsuite>", 0, gate.Count(passed=1)),
        ("<testsuite><testcase/></testsuite>", 124, gate.Count(passed=1, failed=1)),
        ("<testsuite/>", 0, gate.Count(failed=1)),
        ("<testsuite><test", 1, gate.Count(failed=1)),
        (None, 0, gate.Count(failed=1)),
    ],
)
def test_results_are_judged_by_what_they_say_and_by_the_exit_status(
    results: Path, written: str | None, status: int, expected: gate.Count
) -> None:
    if written is not None:
        (results / "unit.xml").write_text(written, encoding="utf-8")
    assert gate.judge(gate.Step("unit", ("true",), "unit.xml"), status) == expected


def test_the_end_names_what_failed(results: Path) -> None:
    case = (
        '<testcase classname="tests.test_sample" name="test_one"><failure message="assert 1 == 2&#10;more"/></testcase>'
    )
    command = f'echo "$0" > {results}/unit.xml; exit 1'
    written = f"<testsuite><testcase name='fine'/>{case}</testsuite>"
    failures: list[str] = []
    gate.run_stage(gate.Stage("sample", 1, (gate.Step("unit", ("sh", "-c", command, written), "unit.xml"),)), failures)
    assert failures == ["sample: unit: 1 passed, 1 failed", "  tests.test_sample::test_one: assert 1 == 2"]


def test_a_stage_goes_on_after_a_failure_and_ends_what_runs_too_long(results: Path) -> None:
    steps = (
        gate.Step("fails", ("false",)),
        gate.Step("is not there", ("bulwark-no-such-program",)),
        gate.Step("passes", ("true",)),
        gate.Step("can't run", ("false",), unless=lambda: "no such thing here"),
        gate.Step("hangs", ("sh", "-c", "sleep 60 & sleep 60")),
    )
    failures: list[str] = []
    started = time.monotonic()
    count = gate.run_stage(gate.Stage("sample", 1 / 60, steps), failures)
    assert count == gate.Count(passed=1, failed=3, skipped=1)
    assert len(failures) == 3
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("count", "text"),
    [(gate.Count(2, 0), "2 passed, 0 failed"), (gate.Count(2, 1, 3), "2 passed, 1 failed, 3 skipped")],
)
def test_the_last_line_says_only_the_counts(count: gate.Count, text: str) -> None:
    assert str(count) == text


def test_an_inventory_of_the_users_own_is_taken_instead_of_the_lab() -> None:
    given = {"INVENTORY": "mine.yml", "LIMIT": "db1", "CHECK": "1", "EXTRA": "-v --diff"}
    words = playbook.command("harden", given)
    assert words[1:3] == ["-i", "mine.yml"]
    assert [Path(word).name for word in words[3:5]] == ["harden.yml", "prove_backups.yml"]
    assert words[5:] == ["--limit", "db1", "--check", "--diff", "-v", "--diff"]
    assert "--check" not in playbook.command("harden", {"CHECK": "0"})


def test_a_stage_that_ran_alone_gets_a_new_line_and_the_others_keep_theirs() -> None:
    order = ("lint", "unit", "browser")
    page = ""
    for stage, text in (("browser", "old"), ("lint", "first"), ("browser", "new")):
        page = gate.merged_page(page, stage, f"| {stage} | {text} |", order=order)
    assert page.splitlines()[-2:] == ["| lint | first |", "| browser | new |"]
    assert page.startswith(gate.PAGE_HEAD)


def test_a_single_step_is_chosen_by_its_title_and_keeps_its_place_on_the_page() -> None:
    known = gate.stages(full=True)
    (chosen,) = gate.choose(["molecule: galera_hardening on debian13"], known)
    assert [step.title for step in chosen.steps] == ["molecule galera_hardening on debian13"]
    assert (chosen.images, chosen.limit > 0) == (True, True)
    order = gate.page_order(known)
    assert len(order) == len(set(order))
    assert order.index("molecule") < order.index(chosen.name) < order.index("lab")
    page = gate.merged_page("", "lab", "| lab | x |", order=order)
    page = gate.merged_page(page, chosen.name, f"| {chosen.name} | 1 |", order=order)
    page = gate.merged_page(page, "molecule", "| molecule | 2 |", order=order)
    assert [line.split("|")[1].strip() for line in page.splitlines()[-3:]] == ["molecule", chosen.name, "lab"]


def test_stages_are_chosen_in_order_and_unknown_ones_are_not() -> None:
    known = gate.stages(full=False)
    assert gate.choose([], known) == known
    assert [stage.name for stage in gate.choose(["unit", "lint"], known)] == ["lint", "unit"]
    with pytest.raises(KeyError):
        gate.choose(["molecule: nothing"], known)
