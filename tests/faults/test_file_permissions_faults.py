# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""file_permissions when things go wrong: killed, refused by the file system, run twice at once, its scanner killed."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import random
import signal
import stat
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed, ObservationFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.files import Exclusion, NumericRule
from ansible_collections.bulwark.database.plugins.module_utils._io.tree_find import Known, scan_with_find
from ansible_collections.bulwark.database.plugins.module_utils._io.tree_root import opened_root
from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import FilePermissions
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge

ROOT = Path(__file__).resolve().parents[2]
UID = pwd.getpwnam("postgres").pw_uid
GID = grp.getgrnam("postgres").gr_gid
FILES = 4000

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts, which only root can")


def private(path: Path) -> dict[str, t.Any]:
    rule = {"owner": ["postgres"], "group": ["postgres"], "file_mode_max": "0600", "directory_mode_max": "0700"}
    return {"path": str(path), "recurse": True, **rule}


def run(*policies: dict[str, t.Any], check_mode: bool = False) -> Outcome:
    return converge(FilePermissions({"policies": list(policies), "report_limit": 10}), check_mode=check_mode)


def make_tree(path: Path, *, files: int = FILES) -> Path:
    path.mkdir()
    path.chmod(0o755)
    for number in range(files):
        if number % 1000 == 0:
            (path / f"d{number}").mkdir(mode=0o755)
        (path / f"d{number - number % 1000}" / f"f{number}").touch(0o644)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree")


def states(tree: Path) -> set[tuple[int, int, int]]:
    return {(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) for status in _statuses(tree) if _file(status)}


def _statuses(tree: Path) -> t.Iterator[os.stat_result]:
    return (path.lstat() for path in tree.rglob("*"))


def _file(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT / ".build" / "collections")!r})
from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import FilePermissions
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge
rule = {{"owner": ["postgres"], "group": ["postgres"], "file_mode_max": "0600", "directory_mode_max": "0700"}}
policy = {{"path": sys.argv[1], "recurse": True, **rule}}
print("started", flush=True)
print(len(converge(FilePermissions({{"policies": [policy], "report_limit": 10}}), check_mode=False).plan))
"""


def started(tree: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tree)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def test_killed_at_any_time_it_leaves_every_file_as_it_was_or_mended_and_a_second_run_finishes(tmp_path: Path) -> None:
    chance = random.Random(7)
    halfway = 0
    for number in range(12):
        tree = make_tree(tmp_path / f"tree{number}", files=2000)
        with started(tree) as process:
            time.sleep(chance.uniform(0.0, 0.12))
            process.send_signal(signal.SIGKILL)
        left = states(tree)
        # Permissions go before the owner, so in between a file is closed and still root's.
        assert left <= {(0, 0, 0o644), (0, 0, 0o600), (UID, GID, 0o600)}
        halfway += len(left) > 1
        run(private(tree))
        assert states(tree) == {(UID, GID, 0o600)}
        assert not run(private(tree)).plan
    assert halfway, "it was never killed on the way"


def test_two_runs_at_once_both_succeed(tree: Path) -> None:
    processes = [started(tree), started(tree)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert states(tree) == {(UID, GID, 0o600)}


def test_on_a_read_only_file_system_the_rest_is_mended_and_what_failed_is_named(tree: Path, tmp_path: Path) -> None:
    frozen = tmp_path / "frozen"
    frozen.mkdir()
    with mounted_tmpfs(frozen):
        make_tree(frozen / "tree", files=20)
        subprocess.run(["mount", "-o", "remount,ro", str(frozen)], check=True)
        with pytest.raises(ApplyFailed) as caught:
            run(private(frozen / "tree"), private(tree))
    assert caught.value.message.startswith(f"22 of {FILES + 4 + 1 + 22} could not be mended: {frozen}/tree")
    assert "(Read-only file system)" in caught.value.message
    assert caught.value.message.endswith("and 17 more")
    assert caught.value.hint.startswith("The file system is mounted read-only. The other ")
    assert states(tree) == {(UID, GID, 0o600)}


@contextlib.contextmanager
def mounted_tmpfs(path: Path) -> t.Iterator[None]:
    answer = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=False, capture_output=True, text=True)
    if answer.returncode:
        pytest.skip(f"mounting is not allowed here: {answer.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def test_an_immutable_file_is_named_and_the_rest_is_mended(tree: Path) -> None:
    frozen = tree / "d0" / "f0"
    if subprocess.run(["chattr", "+i", str(frozen)], check=False, capture_output=True).returncode:
        pytest.skip("the file system knows no immutable attribute")
    try:
        with pytest.raises(
            ApplyFailed, match=r"1 of 4005 could not be mended: .*/d0/f0 \(Operation not permitted\)"
        ) as caught:
            run(private(tree))
        assert "lsattr" in caught.value.hint
        assert "The other 4004 are mended" in caught.value.hint
    finally:
        subprocess.run(["chattr", "-i", str(frozen)], check=True)
    assert len(run(private(tree)).plan) == 1


def test_a_scanner_that_is_killed_is_an_error_and_not_a_clean_report(tmp_path: Path) -> None:
    tree = tmp_path / "wide"
    tree.mkdir()
    for number in range(12_000):  # more than one read, so that find waits for us in the middle
        (tree / f"{number:05}{'x' * 200}").touch(0o644)
    rule = NumericRule((0,), (0,), 0o600, 0o755)
    with opened_root(str(tree)) as root:
        assert root is not None
        exclusion = Exclusion()
        known = Known((0,), (0,))
        found = scan_with_find("/usr/bin/find", root, [rule], known=known, exclusion=exclusion, one_file_system=True)
        next(found)
        for child in subprocess.run(
            ["pgrep", "-P", str(os.getpid()), "find"], capture_output=True, text=True, check=True
        ).stdout.split():
            os.kill(int(child), signal.SIGKILL)
        with pytest.raises(ObservationFailed, match="was ended with status -9"):
            list(found)


def test_a_scan_that_nobody_reads_to_its_end_leaves_no_process_and_no_descriptor(tree: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    rule = NumericRule((0,), (0,), 0o600, 0o700)
    with opened_root(str(tree)) as root:
        assert root is not None
        found = scan_with_find(
            "/usr/bin/find", root, [rule], known=Known((0,), (0,)), exclusion=Exclusion(), one_file_system=True
        )
        next(found)
        t.cast("t.Generator[object, None, None]", found).close()
    run(private(tree))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert subprocess.run(["pgrep", "-P", str(os.getpid()), "find"], check=False, capture_output=True).stdout == b""


def test_without_proc_nothing_is_changed_and_the_reason_is_said(tree: Path) -> None:
    program = f"""
import os
os.system("umount -l /proc")
{PROGRAM}"""
    answer = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", program, str(tree)], capture_output=True, text=True, check=False
    )
    if "unshare failed" in answer.stderr:
        pytest.skip(f"no mount namespaces here: {answer.stderr.strip()}")
    assert "MissingRequirement: /proc is not mounted" in answer.stderr
    assert states(tree) == {(0, 0, 0o644)}
