# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as ansible-playbook makes it: files, modes, check mode, a second run, history."""

from __future__ import annotations

import copy
import json
import os
import re
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))

import sample_assessments
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed, InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge
from ansible_collections.bulwark.database.plugins.plugin_utils._report_io.folder import FILE_NAMES, ReportFolder
from ansible_collections.bulwark.database.plugins.plugin_utils._report_io.subject import ReportSubject, Wanted


def wanted(assessments: dict[str, t.Any], **options: t.Any) -> Wanted:
    plain: dict[str, t.Any] = {
        "before": {},
        "expected_hosts": (),
        "title": "Report",
        "formats": tuple(FILE_NAMES),
        "generated_at": "2026-11-22T03:05:00Z",
        "keep": 90,
    }
    return Wanted(assessments=assessments, **{**plain, **options})


def run(folder: Path, assessments: dict[str, t.Any], *, check_mode: bool = False, **options: t.Any) -> list[str]:
    """What changed, as the task would report it."""
    subject = ReportSubject(ReportFolder(str(folder)), wanted(assessments, **options))
    plan, dummy = converge(subject, check_mode=check_mode)
    if not plan and not check_mode:
        subject.refresh()
    return plan.summaries()


def at(moment: str, **fields: t.Any) -> dict[str, t.Any]:
    return {"pg1": {**sample_assessments.hardened(), "assessed_at": moment, **fields}}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_what_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "reports"
    old = os.umask(0)
    try:
        run(folder, at("2026-11-22T03:00:00Z"))
    finally:
        os.umask(old)
    assert (mode(folder), mode(folder / "history")) == (0o700, 0o700)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == len(FILE_NAMES) + 2
    assert {mode(path) for path in files} == {0o600}


def test_the_check_says_what_the_run_does_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    predicted = run(folder, at("2026-11-22T03:00:00Z"), check_mode=True)
    assert not folder.exists()
    assert run(folder, at("2026-11-22T03:00:00Z")) == predicted
    assert len(predicted) == 1 + len(FILE_NAMES)


def test_a_later_run_that_finds_the_same_is_no_change_yet_the_report_tells_its_time(tmp_path: Path) -> None:
    run(tmp_path, at("2026-11-22T03:00:00Z"))
    assert run(tmp_path, at("2026-11-23T04:00:00Z")) == []
    assert "2026-11-23 04:00 UTC" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert [point["score"] for point in json.loads((tmp_path / "report.json").read_text())["trend"]] == [93, 93]


def test_a_run_that_finds_something_else_is_a_change(tmp_path: Path) -> None:
    run(tmp_path, at("2026-11-22T03:00:00Z"))
    other = at("2026-11-22T03:00:00Z")
    other["pg1"]["results"][0]["verdict"] = "fail"
    assert len(run(tmp_path, other)) == len(FILE_NAMES)
    assert run(tmp_path, other) == []


def test_a_clock_that_went_back_does_not_keep_a_report_from_being_written(tmp_path: Path) -> None:
    run(tmp_path, at("2026-11-22T03:00:00Z"))
    assert len(run(tmp_path, at("2026-11-21T03:00:00Z", level="strict"))) == len(FILE_NAMES)
    assert run(tmp_path, at("2026-11-21T03:00:00Z", level="strict")) == []


def test_a_file_that_became_readable_or_went_away_is_put_right(tmp_path: Path) -> None:
    run(tmp_path, at("2026-11-22T03:00:00Z"))
    (tmp_path / "report.html").chmod(0o644)
    (tmp_path / "report.md").unlink()
    assert run(tmp_path, at("2026-11-22T03:00:00Z")) == [
        f"report {tmp_path}/report.html: 0644 -> 0600",
        f"report {tmp_path}/report.md: written",
    ]
    assert mode(tmp_path / "report.html") == 0o600


def test_only_the_formats_asked_for_are_written(tmp_path: Path) -> None:
    run(tmp_path, at("2026-11-22T03:00:00Z"), formats=("junit",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history", "report.junit.xml"]


def test_the_history_keeps_the_newest_and_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "notes.json").write_text("mine")
    for day in range(1, 8):
        run(tmp_path, at(f"2026-11-{day:02d}T03:00:00Z"), keep=3)
    assert sorted(path.name for path in (tmp_path / "history").iterdir()) == [
        "20261105T030000Z.json",
        "20261106T030000Z.json",
        "20261107T030000Z.json",
        "latest",
        "notes.json",
    ]
    assert run(tmp_path, at("2026-11-08T03:00:00Z"), keep=0) == []
    assert [path.name for path in (tmp_path / "history").glob("2026*")] == []


def test_the_assessment_before_is_a_point_of_the_trend(tmp_path: Path) -> None:
    before = {"pg1": sample_assessments.stock()}
    run(tmp_path, {"pg1": sample_assessments.hardened()}, before=before)
    trend = json.loads((tmp_path / "report.json").read_text())["trend"]
    assert [point["score"] for point in trend] == [28, 93]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema": 1}', b"[" * 100_000])
def test_a_damaged_history_is_named_and_survived(tmp_path: Path, content: bytes) -> None:
    run(tmp_path, at("2026-11-21T03:00:00Z"))
    damaged = tmp_path / "history" / "20261101T000000Z.json"
    damaged.write_bytes(content)
    subject = ReportSubject(ReportFolder(str(tmp_path)), wanted(at("2026-11-22T03:00:00Z")))
    plan, dummy = converge(subject, check_mode=False)
    assert plan.warnings == (f"{damaged} is not a result of an earlier run: ignored",)
    assert len(subject.report.trend) == 2


@pytest.mark.parametrize(
    "moment", ["", "../../../tmp/x", "2026-11-22T03:00:00+01:00", "2026-13-22T03:00:00Z", "x" * 20]
)
def test_a_time_that_is_none_never_becomes_a_file(tmp_path: Path, moment: str) -> None:
    with pytest.raises(InvalidDeclaration, match="not a time stamp"):
        run(tmp_path / "reports", at(moment))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ApplyFailed, match=f"can't make the report folder {tmp_path}/file/reports"):
        run(tmp_path / "file" / "reports", at("2026-11-22T03:00:00Z"))


def test_a_playbook_shows_the_summary_and_writes_the_files(tmp_path: Path) -> None:
    assessments = copy.deepcopy(sample_assessments.fleet())
    assessments["pg1"]["results"][0]["observed"] = "{{ 7 * 7 }} \x1b[31m"
    options = {
        "assessments": "{{ lookup('ansible.builtin.file', folder ~ '/assessments.json') | from_json }}",
        "hosts": ["pg1", "pg9"],
        "report_dir": "{{ folder }}/reports",
    }
    (tmp_path / "assessments.json").write_text(json.dumps(assessments))
    dry = playbook(tmp_path, options, "--check", "--diff")
    assert not (tmp_path / "reports").exists()
    assert f"+report {tmp_path}/reports/report.html: written" in dry.splitlines()
    first = playbook(tmp_path, options)
    assert "\n  ! 1 host not assessed: pg9\n" in first
    assert f"\nReport  {tmp_path}/reports/report.html\n" in first
    assert "\nchanged: [localhost]\n" in first
    assert "\x1b" not in first
    assert (tmp_path / "reports" / "summary.txt").read_text(encoding="utf-8") in first
    assert "{{ 7 * 7 }} \\x1b[31m" in (tmp_path / "reports" / "report.html").read_text(encoding="utf-8")
    second = playbook(tmp_path, {**options, "display": "false"})
    assert "\nok: [localhost]\n" in second
    assert "not assessed" not in second
    coloured = playbook(tmp_path, options, ANSIBLE_FORCE_COLOR="1", ANSIBLE_LOG_PATH=str(tmp_path / "log"))
    assert "\x1b[31m✗\x1b[0m" in coloured
    assert "\x1b" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_playbook_says_in_one_line_what_is_no_assessment(tmp_path: Path) -> None:
    options = {"assessments": {"pg1": {"schema": 9, "results": []}}, "report_dir": "{{ folder }}/reports"}
    said = playbook(tmp_path, options, fails=True)
    assert re.search(
        r"host pg1 has schema 9, this report reads schema 1\. Assess and report with the same version", said
    )
    assert not (tmp_path / "reports").exists()


def playbook(folder: Path, options: dict[str, t.Any], *flags: str, fails: bool = False, **environment: str) -> str:
    """What ansible-playbook prints for one task with these options."""
    task = {"name": "Report", "bulwark.database.assessment_report": options}
    play = [{"hosts": "localhost", "gather_facts": False, "vars": {"folder": str(folder)}, "tasks": [task]}]
    path = folder / "play.yml"
    path.write_text(json.dumps(play), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", str(path), *flags],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "LC_ALL": "C.UTF-8",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr
