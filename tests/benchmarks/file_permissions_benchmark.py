# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""file_permissions beside ``find -printf '%m %U %G %p\\0'`` on the same tree, warm, medians of alternating runs.

Our side is a whole process each time: interpreter, imports, scan, judging and plan.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import conftest  # noqa: F401 # pylint: disable=unused-import # makes the checkout importable

PYTHON = "/usr/bin/python3"
AIM = 2.5
FILES_IN_A_DIRECTORY = 1000
SCAN, SCAN_IN_PYTHON, MEND = "scan", "scan-in-python", "mend"


def make_tree(root: Path, files: int) -> None:
    """Like a data directory: databases with many relations each, all of them private."""
    for number in range(0, files, FILES_IN_A_DIRECTORY):
        directory = root / f"base{number // FILES_IN_A_DIRECTORY % 10}" / str(16384 + number)
        directory.mkdir(mode=0o700, parents=True)
        directory.parent.chmod(0o700)
        descriptor = os.open(directory, os.O_RDONLY)
        for file in range(number, min(number + FILES_IN_A_DIRECTORY, files)):
            os.close(os.open(str(file), os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=descriptor))
        os.close(descriptor)


def ours(root: Path, what: str, *, file_mode: str = "0600") -> dict[str, float]:
    command = [PYTHON, str(Path(__file__).resolve()), "--child", what, str(root), file_mode]
    started = time.monotonic()
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return {**json.loads(answer.stdout), "seconds": time.monotonic() - started}


def raw_find(root: Path) -> float:
    started = time.monotonic()
    subprocess.run(["find", str(root), "-printf", "%m %U %G %p\\0"], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def child(what: str, root: str, file_mode: str) -> None:
    """Our side, in a process of its own."""
    from ansible_collections.bulwark.database.plugins.module_utils._core.file_plan import plan_mending
    from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import parse_policies
    from ansible_collections.bulwark.database.plugins.module_utils._io.file_tree import find_violations
    from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import FilePermissions
    from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge

    policy = {"path": root, "recurse": True, "file_mode_max": file_mode, "directory_mode_max": "0700"}
    policy.update({"owner": ["root"], "group": ["root"]})
    if what == MEND:
        result = converge(FilePermissions({"policies": [policy], "report_limit": 200}), check_mode=False).result
        found = result["violation_count"]
    else:
        survey = find_violations(parse_policies([policy]), use_find=what == SCAN)
        plan_mending(survey)
        found = survey.count
    print(json.dumps({"found": found, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def alternate(root: Path, repeats: int) -> dict[str, list[float]]:
    """Seconds of each side, in turns, so that a disturbance hits all of them."""
    raw_find(root)
    seconds: dict[str, list[float]] = {"find": [], SCAN: [], SCAN_IN_PYTHON: []}
    for dummy in range(repeats):
        seconds["find"].append(raw_find(root))
        for what in (SCAN, SCAN_IN_PYTHON):
            answer = ours(root, what)
            assert answer["found"] == 0
            seconds[what].append(answer["seconds"])
    return seconds


def report(root: Path, files: int, repeats: int) -> bool:
    medians = {name: statistics.median(values) for name, values in alternate(root, repeats).items()}
    ratio = medians[SCAN] / medians["find"]
    print(f"| file_permissions, {files:,} files, median of {repeats} | seconds | times find -printf | aim |")
    print("| --- | --- | --- | --- |")
    print(f"| find -printf '%m %U %G %p\\0' | {medians['find']:.2f} | 1 | |")
    print(f"| a run that changes nothing | {medians[SCAN]:.2f} | {ratio:.2f} | {AIM} |")
    in_python = medians[SCAN_IN_PYTHON] / medians["find"]
    print(f"| the same without GNU find | {medians[SCAN_IN_PYTHON]:.2f} | {in_python:.2f} | {AIM} |")
    answer = ours(root, MEND, file_mode="0400")
    assert answer["found"] == files
    mending = answer["seconds"] / medians["find"]
    print(
        f"| a run that mends every file (two scans, {answer['megabytes']:.0f} MB) "
        f"| {answer['seconds']:.2f} | {mending:.2f} | |"
    )
    return max(ratio, in_python) <= AIM


def main() -> int:
    """Exit status 1 when the promise is not kept."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=int, nargs="?", default=500_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bw-files-") as name:
        make_tree(Path(name), arguments.files)
        return 0 if report(Path(name), arguments.files, arguments.repeats) else 1


if __name__ == "__main__":
    sys.exit(main())
