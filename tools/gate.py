# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate: all stages in order, whatever fails on the way; the last line says how many passed and failed.

Usage: gate.py test | test-full [STAGE ...] | STAGE ...

A full run takes hours, so its stages can be run apart, and of a stage a single step by its title:
``gate.py test-full "molecule: galera_hardening on debian13"``. docs/test-full.md has a line for each, with the day and
the commit of its latest full run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import os
import signal
import subprocess
import sys
import time
import typing as t
from xml.etree import ElementTree

from layout import BUILD, LOGS, ROOT, TOOLS, tool_environment
from old_python import OLD_PYTHON, make_old_environment
from progress import StepFailed, answer, main_or_exit, say
from setup import set_up

RESULTS = BUILD / "results"
PAGE = ROOT / "docs" / "test-full.md"
PAGE_HEAD: t.Final = """<!--
Written by tools/gate.py ("make test-full"); don't edit.
-->
# The latest full run of each stage

`make test-full` runs all of them, `make test-full STAGES="molecule platforms"` some. A line with a colon is one step of
a stage, run by itself: `python3 tools/gate.py test-full "molecule: galera_hardening on debian13"`.

| stage | day | commit | seconds | result |
| --- | --- | --- | --- | --- |
"""
# Hypothesis with its own profile for gates: the same examples each time, and no complaint about a slow machine.
QUIET: t.Final = ("-q", "--hypothesis-profile=ci")
OTHER_PLATFORMS: t.Final = ("debian13", "debian-testing")
FAULTS: t.Final = {"BULWARK_ALL_FAULTS": "1"}
# The gate takes samples of these.
BACKUP_COUNTS: t.Final = {"BULWARK_KILLS": "50", "BULWARK_CORRUPTIONS": "200", "BULWARK_MOMENTS": "20"}
BACKUP_TESTS: t.Final = {
    **{
        name: f"tests/integration/test_backup_program_{name}.py"
        for name in ("faults", "postgresql", "mariadb", "binary_log", "gnupg", "pgbackrest")
    },
    "copies": "tests/integration/test_backup_copies.py",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """A command. ``results``: JUnit files that it leaves (a pattern below RESULTS); without, it counts as one check."""

    title: str
    command: tuple[str, ...]
    results: str = ""
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    unless: t.Callable[[], str] = str  # why it can't run here; empty: it can


@dataclasses.dataclass(frozen=True)
class Stage:
    """``limit`` is in minutes, for all its steps together."""

    name: str
    limit: float
    steps: tuple[Step, ...]
    images: bool = False

    def only(self, step: Step) -> Stage:
        return dataclasses.replace(self, name=self.name_of(step), steps=(step,))

    def name_of(self, step: Step) -> str:
        """Of a single step: the stage's name and the step's title, without saying the stage's name twice."""
        return f"{self.name}: {step.title.removeprefix(self.name).strip()}"


@dataclasses.dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: Count) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def pytest(title: str, *arguments: str, environment: t.Mapping[str, str] | None = None, timeout: int = 300) -> Step:
    results = f"{title.replace(' ', '-')}.xml"
    command = ("pytest", *QUIET, f"--timeout={timeout}", f"--junit-xml={RESULTS / results}", *arguments)
    return Step(title, command, results, environment or {})


def backup_counts(what: str) -> Step:
    return pytest(f"backups {what}", BACKUP_TESTS[what], environment=BACKUP_COUNTS, timeout=3600)


def molecule(scenario: str, host: str) -> Step:
    results = f"molecule-{scenario}-{host}.xml"
    environment = {"BULWARK_PLATFORM": host, "PYTEST_ADDOPTS": f"--junit-xml={RESULTS / results}"}
    return Step(f"molecule {scenario} on {host}", ("molecule", "test", "-s", scenario), results, environment)


def on_platform(title: str, host: str, *arguments: str, purpose: str = "postgresql") -> Step:
    """Tests inside a host of that platform: its Python, its driver, its server."""
    results = f"{title.replace(' ', '-')}-{host}.xml"
    where = ("--platform", host, "--purpose", purpose, "--results", str(RESULTS / results))
    return Step(f"{title} on {host}", ("python", "tools/tests_in_container.py", *where, "--", *arguments), results)


LINT: t.Final = (
    Step("ruff check", ("ruff", "check", ".")),
    Step("ruff format", ("ruff", "format", "--check", ".")),
    Step("mypy", ("mypy",)),
    Step("yamllint", ("yamllint", "-s", ".")),
    Step("ansible-lint", ("ansible-lint", "--offline", "-q")),
    Step("reuse", ("reuse", "lint", "--quiet")),
    Step("changelog", ("antsibull-changelog", "lint")),
    Step("generated pages", ("python", "tools/generate_docs.py", "--check")),
)
OLD_PYTHON_TESTS: t.Final = Step(
    "unit, Python 3.9",
    (
        *(str(OLD_PYTHON), "-m", "pytest", *QUIET, f"--junit-xml={RESULTS / 'unit-old-python.xml'}"),
        *(f"tests/unit/plugins/module_utils/{layer}" for layer in ("_core", "_dialects")),
    ),
    "unit-old-python.xml",
    unless=make_old_environment,
)
LAB: t.Final = (
    Step("harden the lab", ("make", "harden")),
    Step("assess the lab", ("make", "assess")),
    Step("remove the lab", ("make", "clean")),
)


def stages(*, full: bool) -> list[Stage]:
    faults = pytest(
        "faults", "-n", "2", "tests/faults", environment=FAULTS if full else {}, timeout=3600 if full else 300
    )
    hardening = ("postgresql_hardening", "mariadb_hardening", "galera_hardening")
    scenarios = [molecule(scenario, "debian12") for scenario in ("postgresql_hardening", "galera_hardening")]
    if full:
        scenarios += [molecule(scenario, "debian13") for scenario in hardening]
        scenarios.append(molecule("postgresql_hardening", "debian-testing"))
        scenarios.append(molecule("mariadb_hardening", "debian12"))
        longer_ways = ("host_hardening", "postgresql_transition", "galera_transition", "galera_faults")
        backups = ("encrypted_backup", "restore_test", "backup_repository", "object_storage", "backup_monitoring")
        backups_of_engines = ("pgbackrest_backup", "pgbackrest_repository", "galera_backup")
        several = (*longer_ways, *backups, *backups_of_engines)
        scenarios += [molecule(scenario, "debian12") for scenario in several]
    gate = [
        Stage("lint", 10, LINT),
        Stage(
            "sanity",
            10,
            (Step("ansible-test", ("python", "tools/sanity.py", "--results", str(RESULTS)), "ansible-test-*.xml"),),
        ),
        Stage("unit", 6, (pytest("unit", "-n", "2", "tests/unit"), OLD_PYTHON_TESTS)),
        Stage("package", 4, (pytest("package", "tests/package"),)),
        Stage("integration", 35, (pytest("integration", "-n", "2", "tests/integration"),)),
        Stage("faults", 120 if full else 8, (faults,), images=full),
        Stage("molecule", 20 * len(scenarios), tuple(scenarios), images=True),
        Stage("lab", 25, LAB, images=True),
    ]
    if not full:
        return gate
    others = [on_platform("integration", host, "-n", "2", "tests/integration") for host in OTHER_PLATFORMS]
    of_a_host = [f"tests/faults/test_{what}_faults.py" for what in ("packet_filter", "service_sandbox")]
    others.append(on_platform("faults of a host", "debian13", *of_a_host))
    restarts = ("tests/integration/test_mariadb_restart.py", "tests/faults/test_mariadb_restart_faults.py")
    others.append(on_platform("restarts of a MariaDB host", "debian13", *restarts, purpose="mariadb"))
    return [
        *gate,
        Stage("backups", 150, tuple(map(backup_counts, BACKUP_TESTS))),
        Stage("platforms", 75, tuple(others), images=True),
        Stage("control-host", 25, (pytest("ansible-core releases", "tests/control_host"),), images=True),
        Stage("browser", 10, (pytest("browser", "tests/browser"),)),
    ]


def choose(names: t.Sequence[str], known: t.Sequence[Stage]) -> list[Stage]:
    """Stages, and single steps as stages of their own, in order; all of them without names. Raises KeyError."""
    single = {stage.name_of(step): stage.only(step) for stage in known for step in stage.steps}
    if not names:
        return list(known)
    ordered = [one for stage in known for one in (stage, *(stage.only(step) for step in stage.steps))]
    for name in names:
        if name not in {stage.name for stage in known} and name not in single:
            raise KeyError(name)
    return [stage for stage in ordered if stage.name in names]


def page_order(known: t.Sequence[Stage]) -> list[str]:
    return [name for stage in known for name in (stage.name, *map(stage.name_of, stage.steps))]


def read_results(pattern: str) -> Count:
    """Sum of what JUnit files say. Cases are counted, for not every writer fills in the totals."""
    count = Count()
    for path in RESULTS.glob(pattern):
        try:
            cases = ElementTree.parse(path).iter("testcase")  # noqa: S314 - our own tools wrote it
        except ElementTree.ParseError as error:
            say(f"{path}: {error}")  # its writer was ended half-way
            count.failed += 1
            continue
        for case in cases:
            kinds = {child.tag for child in case}
            failed = bool(kinds & {"failure", "error"})
            count.add(Count(failed=1) if failed else Count(skipped=1) if "skipped" in kinds else Count(passed=1))
    return count


def failed_cases(pattern: str) -> list[str]:
    """Of each test that failed, its name and the first line of what it said: who sees only the end needs no more."""
    lines = []
    for path in RESULTS.glob(pattern):
        with contextlib.suppress(ElementTree.ParseError):
            for case in ElementTree.parse(path).iter("testcase"):  # noqa: S314 - our own tools wrote it
                for child in case:
                    if child.tag in ("failure", "error"):
                        said = (child.get("message") or "").strip().splitlines()[:1]
                        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
                        lines.append(": ".join((name, *(line[:300] for line in said))))
    return lines


def judge(step: Step, status: int) -> Count:
    """What a finished step counts. One that failed counts a failure even if its results know of none."""
    count = read_results(step.results) if step.results else Count(passed=0 if status else 1)
    if status and not count.failed:
        count.failed = 1
    if not status and not count.passed and not count.skipped:
        count.failed = 1  # it ran nothing: that must not look like success
    return count


def execute(step: Step, *, seconds: float) -> int:
    """Exit status; what is still running after the time is ended, with its children."""
    environment = {**tool_environment(), **step.environment}
    try:
        process = subprocess.Popen(
            step.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        say(f"{step.title}: {error}")
        return 127
    try:
        return process.wait(timeout=max(seconds, 1))
    except subprocess.TimeoutExpired:
        say(f"{step.title}: the stage's time is over")
        return 124
    finally:
        if process.poll() is None:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End it and its children: politely, so that it can remove its servers, and after ten seconds at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run_stage(stage: Stage, failures: list[str]) -> Count:
    count, deadline = Count(), time.monotonic() + stage.limit * 60
    for step in stage.steps:
        say(f"--- {step.title}: {' '.join(step.command)}")
        reason = step.unless()
        if reason:
            say(f"--- {step.title}: skipped, {reason}")
            count.add(Count(skipped=1))
            continue
        for stale in RESULTS.glob(step.results) if step.results else ():
            stale.unlink()
        started = time.monotonic()
        result = judge(step, execute(step, seconds=deadline - started))
        say(f"--- {step.title}: {result} in {time.monotonic() - started:.0f} s")
        if result.failed:
            failures.append(f"{stage.name}: {step.title}: {result}")
            failures.extend(f"  {case}" for case in (failed_cases(step.results) if step.results else ()))
        count.add(result)
    return count


def build_images(chosen: t.Sequence[Stage]) -> subprocess.Popen[bytes] | None:
    """Base images are built beside the first stages, which need one core."""
    if not any(stage.images for stage in chosen):
        return None
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "images.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, str(TOOLS / "lab.py"), "image", "debian12"],
            cwd=ROOT,
            env=tool_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def run_stages(chosen: t.Sequence[Stage], *, after_each: t.Callable[[Stage, Count, float], None]) -> Count:
    """The sum, and a table on the terminal. ``after_each`` is told a stage's count and seconds when it ends."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    total, failures, table = Count(), list[str](), list[str]()
    images = build_images(chosen)
    for number, stage in enumerate(chosen, 1):
        say(f"\n==> {number}/{len(chosen)} {stage.name} (at most {stage.limit:.0f} min)")
        started = time.monotonic()
        if stage.images and images is not None and images.wait():
            say(f"base image: failed, see {LOGS / 'images.log'}")
        count = run_stage(stage, failures)
        seconds = time.monotonic() - started
        total.add(count)
        table.append(f"{stage.name:<12} {seconds:>6.0f} s   {count}")
        say(f"==> {table[-1]}")
        after_each(stage, count, seconds)
    if images is not None:
        images.wait()
    say("\n" + "\n".join([*table, *(f"FAILED {line}" for line in failures)]))
    return total


def merged_page(page: str, stage: str, row: str, *, order: t.Sequence[str]) -> str:
    """The page with a new line for a stage that ran, in the order of stages; the others keep theirs."""
    lines = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    lines[stage] = row
    return PAGE_HEAD + "".join(f"{lines[name]}\n" for name in order if name in lines)


def write_page(stage: Stage, count: Count, seconds: float) -> None:
    day = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    commit = answer(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]).strip()
    row = f"| {stage.name} | {day} | {commit} | {seconds:.0f} | {count} |"
    present = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    order = page_order(stages(full=True))
    PAGE.write_text(merged_page(present, stage.name, row, order=order), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", metavar="test|test-full|STAGE")
    what = parser.parse_args().what
    full = what[0] == "test-full"
    names = [name for name in what if name not in ("test", "test-full")]
    try:
        chosen = choose(names, stages(full=full))
    except KeyError as unknown:
        known = ", ".join(stage.name for stage in stages(full=True))
        parser.error(
            f"no stage {unknown.args[0]}; there are {known}, the last ones with test-full before them, and their steps,"
            ' such as "molecule: galera_hardening on debian12"'
        )
    started = time.monotonic()
    try:
        set_up(full=full)
    except StepFailed as error:
        say(f"{error}\n{Count(failed=1)}")
        return 1
    total = run_stages(chosen, after_each=write_page if full else lambda *dummy: None)
    say(f"took {(time.monotonic() - started) / 60:.1f} min\n{total}")
    return 1 if total.failed else 0


if __name__ == "__main__":
    main_or_exit(main)
