# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""file_permissions on real trees, as root, with somebody hostile owning the tree."""

from __future__ import annotations

import contextlib
import grp
import json
import multiprocessing
import os
import pwd
import random
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.postgresql_files import file_policies
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    InvalidDeclaration,
    ObservationFailed,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.file_plan import Survey
from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import parse_policies
from ansible_collections.bulwark.database.plugins.module_utils._io.file_tree import find_violations
from ansible_collections.bulwark.database.plugins.module_utils._io.tree_find import gnu_find
from ansible_collections.bulwark.database.plugins.module_utils._io.tree_mend import mend
from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import FilePermissions
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge

ROOT = Path(__file__).resolve().parents[2]
OWNER = "postgres"
UID = pwd.getpwnam(OWNER).pw_uid
GID = grp.getgrnam(OWNER).gr_gid
NOBODY = pwd.getpwnam("nobody").pw_uid

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other accounts, which only root can")
both_scanners = pytest.mark.parametrize("use_find", [True, False], ids=["find", "python"])


def private(path: Path | str, **more: t.Any) -> dict[str, t.Any]:
    """A policy as a data directory has it."""
    rule = {"owner": [OWNER], "group": [OWNER], "file_mode_max": "0600", "directory_mode_max": "0700"}
    return {"path": str(path), "recurse": True, **rule, **more}


def run(*policies: dict[str, t.Any], check_mode: bool = False, report_limit: int = 200) -> Outcome:
    subject = FilePermissions({"policies": list(policies), "report_limit": report_limit})
    return converge(subject, check_mode=check_mode)


def survey(*policies: dict[str, t.Any], use_find: bool = True) -> Survey:
    return find_violations(parse_policies(policies), use_find=use_find, report_limit=10_000)


def put(path: Path, mode: int = 0o600, *, owner: int = UID, group: int = GID) -> Path:
    """Make a file, or with a mode of 0o040000 and more a directory, exactly so."""
    if mode & stat.S_IFDIR:
        path.mkdir()
    else:
        path.touch()
    os.chown(path, owner, group)
    path.chmod(stat.S_IMODE(mode))
    return path


def state(path: Path) -> tuple[int, int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


GOOD_FILE = (UID, GID, 0o600)
GOOD_DIRECTORY = (UID, GID, 0o700)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return put(tmp_path / "tree", 0o040700)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Something of root's that no policy may ever touch."""
    directory = put(tmp_path / "outside", 0o040755, owner=0, group=0)
    put(directory / "shadow", 0o644, owner=0, group=0)
    return directory


@contextlib.contextmanager
def untouched(path: Path) -> t.Iterator[None]:
    before = {place: state(place) for place in [path, *path.rglob("*")]}
    yield
    assert {place: state(place) for place in before} == before


def test_what_is_too_open_is_mended_and_a_second_run_changes_nothing(tree: Path) -> None:
    put(tree / "open", 0o644)
    put(tree / "of_root", 0o600, owner=0, group=0)
    put(tree / "stricter", 0o400)
    put(tree / "deep", 0o040777)
    put(tree / "deep" / "program", 0o4755)
    checked = run(private(tree), check_mode=True)
    assert state(tree / "open") == (UID, GID, 0o644)
    outcome = run(private(tree))
    assert outcome.plan.summaries() == checked.plan.summaries()
    assert outcome.result == checked.result
    assert outcome.result["violation_count"] == len(outcome.plan) == 4
    assert [state(tree / name) for name in ("open", "of_root", "deep/program")] == [GOOD_FILE] * 2 + [(UID, GID, 0o600)]
    assert state(tree / "stricter") == (UID, GID, 0o400)
    assert state(tree / "deep") == GOOD_DIRECTORY
    assert not run(private(tree)).plan


def test_a_report_names_state_before_and_after(tree: Path) -> None:
    put(tree / "open", 0o644, owner=0, group=0)
    violation = run(private(tree), check_mode=True).result["violations"][0]
    assert violation == {
        "policy": str(tree),
        "path": f"{tree}/open",
        "kind": "file",
        "problems": ["owner", "group", "group may read", "others may read"],
        "before": "root:root 0644",
        "after": "postgres:postgres 0600",
    }


def test_beyond_the_report_limit_everything_is_still_mended_and_counted(tree: Path) -> None:
    files = [put(tree / str(number), 0o644) for number in range(50)]
    outcome = run(private(tree), report_limit=3)
    assert outcome.result["violation_count"] == 50
    assert len(outcome.result["violations"]) == 3
    assert len(outcome.plan) == 4
    assert {state(path) for path in files} == {GOOD_FILE}


@both_scanners
def test_both_scanners_find_the_same_as_judging_every_single_file(tree: Path, use_find: bool) -> None:
    chance = random.Random(20261122)
    directories = [tree]
    for number in range(400):
        parent = chance.choice(directories)
        mode = chance.choice([0o600, 0o640, 0o644, 0o700, 0o2770, 0o1777, 0o4755, 0o000, chance.randrange(0o10000)])
        owner, group = chance.choice([0, UID, NOBODY, 54321]), chance.choice([0, GID, 65534, 54321])
        path = put(parent / f"n{number}", mode | chance.choice([0, 0, stat.S_IFDIR]), owner=owner, group=group)
        if path.is_dir():
            directories.append(path)
    policies = [
        private(tree),
        private(tree, owner=[OWNER, "root"], group=None, directory_mode_max="1770"),
        private(tree, accept=[{"owner": ["root"], "group": ["root"], "file_mode_max": "0640"}, {"owner": ["nobody"]}]),
        {"path": str(tree), "recurse": True},
        private(tree, exclude=["n1*", "/n2*/n3*"], file_mode_max="0755"),
    ]
    for policy in policies:
        found = survey(policy, use_find=use_find)
        listed = {finding.path for finding in [*found.findings, *found.refusals]}
        assert len(listed) == found.count + found.refused_count
        one_by_one = {path for path in _everything(tree, policy) if _is_refused_alone(path, policy)}
        assert listed == one_by_one


def _everything(tree: Path, policy: dict[str, t.Any]) -> t.Iterator[str]:
    excluded = bool(policy.get("exclude"))
    for directory, names, files in os.walk(tree):
        place = Path(directory).relative_to(tree)
        if excluded:
            names[:] = [name for name in names if not _is_excluded(place, name)]
        yield directory
        yield from (f"{directory}/{name}" for name in files if not excluded or not _is_excluded(place, name))


def _is_excluded(place: Path, name: str) -> bool:
    path = str(place / name)
    return name.startswith("n1") or (path.startswith("n2") and "/n3" in path)


def _is_refused_alone(path: str, policy: dict[str, t.Any]) -> bool:
    found = survey({**policy, "path": path, "recurse": False})
    return bool(found.count + found.refused_count)


@both_scanners
def test_a_link_in_the_tree_is_neither_followed_nor_changed(tree: Path, outside: Path, use_find: bool) -> None:
    for name, target in (
        ("to_file", outside / "shadow"),
        ("to_directory", outside),
        ("dangling", "nowhere"),
        ("up", ".."),
    ):
        (tree / name).symlink_to(target)
        os.chown(tree / name, NOBODY, NOBODY, follow_symlinks=False)
    with untouched(outside):
        assert survey(private(tree), use_find=use_find).count == 0
        assert not run(private(tree)).plan


def test_a_link_of_root_on_the_way_is_followed(tree: Path, tmp_path: Path) -> None:
    put(tree / "open", 0o644)
    (tmp_path / "link").symlink_to("tree")
    outcome = run(private(tmp_path / "link"))
    assert outcome.result["violations"][0]["path"] == f"{tree}/open"
    assert state(tree / "open") == GOOD_FILE


def test_a_link_is_followed_to_what_belongs_to_its_own_owner(tree: Path, tmp_path: Path) -> None:
    home = put(tmp_path / "home", 0o040755)
    put(tree / "open", 0o644)
    (home / "data").symlink_to("../tree")
    os.chown(home / "data", UID, GID, follow_symlinks=False)
    assert len(run(private(home / "data")).plan) == 1


def test_a_link_that_leads_to_somebody_elses_is_refused(outside: Path, tmp_path: Path) -> None:
    home = put(tmp_path / "home", 0o040755)
    for name, target in (("data", outside), ("key", outside / "shadow"), ("parent", tmp_path)):
        (home / name).symlink_to(target)
        os.chown(home / name, UID, GID, follow_symlinks=False)
    (home / "chain").symlink_to("data")  # root's own link, but it leads through the hostile one
    with untouched(outside):
        for name in ("data", "key", "parent/outside", "chain", "data/shadow"):
            with pytest.raises(RefusedForSafety, match="is a symbolic link of user"):
                run(private(home / name))


def test_links_in_a_circle_are_an_error_and_no_endless_walk(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ObservationFailed, match="Too many levels of symbolic links"):
        run(private(tmp_path / "a"))


def test_a_link_to_a_shared_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(RefusedForSafety, match="/etc is shared by the whole system"):
        run(private(tmp_path / "link"))


@both_scanners
def test_a_file_of_somebody_else_linked_into_the_tree_is_left_alone_and_reported(
    tree: Path, outside: Path, use_find: bool
) -> None:
    (tree / "trap").hardlink_to(outside / "shadow")
    with untouched(outside):
        found = survey(private(tree), use_find=use_find)
        assert (found.count, found.refused_count) == (0, 1)
        outcome = run(private(tree))
    assert not outcome.plan
    refused = outcome.result["refused"][0]
    assert refused["path"] == f"{tree}/trap"
    assert refused["refused"] == "it has 2 names (hard links), so its owner and group are not changed"
    assert "left alone" in outcome.plan.warnings[0]


def test_a_linked_file_of_root_does_not_even_lose_permissions(tree: Path, outside: Path) -> None:
    (tree / "trap").hardlink_to(outside / "shadow")
    with untouched(outside):
        outcome = run(private(tree, owner=[OWNER, "root"], group=[OWNER, "root"]))
    assert outcome.result["refused_count"] == 1


def test_a_policy_for_one_file_is_not_led_astray_by_a_hard_link(tree: Path, outside: Path) -> None:
    (tree / "server.key").hardlink_to(outside / "shadow")
    with untouched(outside):
        assert run(private(tree / "server.key", recurse=False)).result["refused_count"] == 1


def test_files_that_a_cluster_shares_with_its_predecessor_are_tightened(tree: Path) -> None:
    """pg_upgrade --link leaves files with two names, both of the server's account in its own directories."""
    put(tree / "old", 0o644)
    (tree / "new").hardlink_to(tree / "old")
    assert len(run(private(tree)).plan) == 2
    assert state(tree / "old") == GOOD_FILE


def test_nothing_below_a_mount_point_is_touched(tree: Path, outside: Path) -> None:
    file_system, bound = put(tree / "tmpfs", 0o040700), put(tree / "bound", 0o040700)
    with mounted("-t", "tmpfs", "-o", "mode=0777", "tmpfs", file_system), mounted("--bind", outside, bound):
        put(file_system / "open", 0o666)
        with untouched(outside), untouched(file_system):
            assert not run(private(tree)).plan
            assert survey(private(tree), use_find=False).count == 0
        assert survey(private(tree, one_file_system=False)).count == 4
        assert survey(private(tree, one_file_system=False), use_find=False).count == 4
        assert survey(private(file_system)).count == 2


@contextlib.contextmanager
def mounted(*arguments: str | Path) -> t.Iterator[None]:
    answer = subprocess.run(["mount", *map(str, arguments)], check=False, capture_output=True, text=True)
    if answer.returncode:
        pytest.skip(f"mounting is not allowed here: {answer.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(arguments[-1])], check=True)


@both_scanners
def test_pipes_sockets_and_devices_are_judged_without_being_opened(tree: Path, use_find: bool) -> None:
    os.mkfifo(tree / "pipe", 0o666)
    (tree / "pipe").chmod(0o666)
    os.mknod(tree / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tree / "socket"))
    (tree / "socket").chmod(0o777)
    for name in ("null", "socket"):
        os.chown(tree / name, UID, GID)
    started = time.monotonic()
    found = survey(private(tree), use_find=use_find)
    assert sorted(finding.kind for finding in found.findings) == ["character device", "pipe"]
    run(private(tree))
    assert time.monotonic() - started < 5, "a pipe or device was opened and waited for"
    assert state(tree / "pipe") == GOOD_FILE
    assert state(tree / "socket") == (UID, GID, 0o777)


HOSTILE_NAMES = [
    b"\xff\xfe",
    b"new\nline",
    b"-rf",
    b"'q\"`$(id)",
    b"back\\slash",
    b" ",
    b"*",
    b"[a]?",
    "日本\u202e".encode(),
]


@both_scanners
def test_hostile_names_are_found_mended_and_shown_on_one_line(tree: Path, use_find: bool) -> None:
    for name in [*HOSTILE_NAMES, b"x" * 255]:
        directory = tree / os.fsdecode(name)
        directory.mkdir(0o777)
        (directory / os.fsdecode(name)).touch()
    found = survey(private(tree), use_find=use_find)
    assert found.count == 2 * (len(HOSTILE_NAMES) + 1)
    assert all(finding.path.isprintable() for finding in found.findings)
    mend(found)
    assert survey(private(tree), use_find=use_find).count == 0
    json.dumps([finding.as_dict() for finding in found.findings]).encode("utf-8")


@both_scanners
def test_a_policy_of_a_longer_path_holds_alone_even_if_its_name_is_full_of_wildcards(
    tree: Path, use_find: bool
) -> None:
    for name in ("log*", "log1", "key[1]", "key1"):
        put(tree / name, 0o040755)
        put(tree / name / "file", 0o640)
    policies = [
        private(tree),
        private(tree / "log*", file_mode_max="0640", directory_mode_max="0755"),
        private(tree / "key[1]", recurse=False, directory_mode_max="0755"),
    ]
    found = survey(*policies, use_find=use_find)
    assert {finding.path.rpartition("tree/")[2] for finding in found.findings} == {
        "log1",
        "log1/file",
        "key[1]/file",
        "key1",
        "key1/file",
    }


def test_what_is_excluded_is_left_alone_with_all_below(tree: Path) -> None:
    put(tree / "keep", 0o040755)
    put(tree / "keep" / "a", 0o644)
    put(tree / "b.lock", 0o644)
    put(tree / "c", 0o644)
    outcome = run(private(tree, exclude=["/keep", "*.lock"]))
    assert [violation["path"] for violation in outcome.result["violations"]] == [f"{tree}/c"]


def test_the_very_path_of_a_policy_is_never_excluded(tree: Path) -> None:
    tree.chmod(0o755)
    put(tree / "a", 0o644)
    assert run(private(tree, exclude=["*"])).result["violation_count"] == 1


def test_a_tree_deeper_than_a_path_may_be_long_is_mended_to_its_end(tree: Path) -> None:
    descriptor = os.open(tree, os.O_RDONLY)
    for dummy in range(40):
        os.mkdir("d" * 200, 0o777, dir_fd=descriptor)
        deeper = os.open("d" * 200, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.fchmod(descriptor, 0o755)
    outcome = run(private(tree))
    assert outcome.result["violation_count"] == 40
    assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o700
    assert os.fstat(descriptor).st_uid == UID
    os.close(descriptor)
    subprocess.run(["rm", "-rf", str(tree)], check=True)


def test_an_unknown_owner_is_reported_where_no_policy_says_whose_it_should_be(tree: Path) -> None:
    put(tree / "orphan", 0o600, owner=54321, group=54322)
    outcome = run({"path": str(tree), "recurse": True})
    assert not outcome.plan
    assert outcome.result["refused"][0]["before"] == "54321:54322 0600"
    assert outcome.result["refused"][0]["problems"] == ["owner unknown to this host", "group unknown to this host"]
    assert run(private(tree)).result["violation_count"] == 1


def test_a_missing_path_is_an_error_unless_it_need_not_exist(tree: Path) -> None:
    with pytest.raises(ObservationFailed, match="does not exist"):
        run(private(tree / "missing"))
    assert run(private(tree / "missing", required=False)).result["missing"] == [f"{tree}/missing"]


def test_accounts_that_do_not_exist_are_refused_before_anything_changes(tree: Path) -> None:
    put(tree / "open", 0o644)
    with pytest.raises(InvalidDeclaration, match="nosuchuser"):
        run(private(tree, owner=["nosuchuser"]))
    with pytest.raises(InvalidDeclaration, match="nosuchgroup"):
        run(private(tree, group=["nosuchgroup"]))
    assert state(tree / "open") == (UID, GID, 0o644)


def test_an_alternative_of_accounts_that_do_not_exist_is_passed_over(tree: Path) -> None:
    put(tree / "open", 0o644)
    assert len(run(private(tree, accept=[{"owner": ["nosuchuser"]}, {"group": ["nosuchgroup"]}])).plan) == 1


def test_two_names_of_one_place_are_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("tree")
    with pytest.raises(InvalidDeclaration, match="are the same place"):
        run(private(tree), private(tmp_path / "link"))


def test_a_stranger_who_may_not_look_gets_an_error_and_no_empty_report(tree: Path) -> None:
    closed = put(tree / "closed", 0o040700, owner=0)
    tree.chmod(0o755)
    program = f"""
import os, sys
sys.path.insert(0, {str(ROOT / ".build" / "collections")!r})
from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import parse_policies
from ansible_collections.bulwark.database.plugins.module_utils._io.file_tree import find_violations
find = sys.argv[1] == "find"
os.chdir("/")
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
find_violations(parse_policies([{{"path": {str(tree)!r}, "recurse": True}}]), use_find=find)
"""
    reachable(tree)
    for scanner in ("find", "python"):
        answer = subprocess.run(
            ["/usr/bin/python3", "-c", program, scanner], capture_output=True, text=True, check=False
        )
        assert "ObservationFailed" in answer.stderr, answer.stderr
        assert closed.name in answer.stderr


def reachable(path: Path) -> None:
    for parent in path.parents:
        if parent != Path(parent.anchor) and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)


def test_what_is_swapped_for_a_link_while_mending_runs_is_never_touched(tree: Path, outside: Path) -> None:
    """Somebody who owns the tree exchanges names for links, soft and hard, as fast as they can, for three seconds."""
    put(tree / "directory", 0o040755)
    attacks = [
        (_swap, (tree / "file", outside / "shadow")),
        (_swap, (tree / "directory" / "shadow", outside / "shadow")),
        (_swap_directory, (tree / "exchanged", outside)),
    ]
    with attacked(attacks), untouched(outside):
        seen = 0
        until = time.monotonic() + 3
        while time.monotonic() < until or (seen <= 10 and time.monotonic() < until + 60):  # slow machines take longer
            found = survey(private(tree))
            seen += found.count
            mend(found)
    assert seen > 10, "the race was never run"


def test_a_link_of_the_policys_own_path_that_is_swapped_is_never_touched(tree: Path, outside: Path) -> None:
    with attacked([(_swap, (tree / "server.key", outside / "shadow"))]), untouched(outside):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            with contextlib.suppress(RefusedForSafety):
                mend(survey(private(tree / "server.key", recurse=False, required=False)))


@contextlib.contextmanager
def attacked(attacks: t.Sequence[tuple[t.Callable[..., None], tuple[Path, Path]]]) -> t.Iterator[None]:
    processes = [multiprocessing.Process(target=attack, args=arguments, daemon=True) for attack, arguments in attacks]
    for process in processes:
        process.start()
    try:
        yield
        assert all(process.is_alive() for process in processes), "an attacker gave up"
    finally:
        for process in processes:
            process.kill()
            process.join()


def _swap(path: Path, target: Path) -> None:
    new, soft, hard = (path.with_name(f"{path.name}.{name}") for name in ("new", "soft", "hard"))
    while True:
        new.touch(0o666)
        os.chown(new, UID, GID)
        new.rename(path)
        soft.symlink_to(target)
        os.chown(soft, UID, GID, follow_symlinks=False)
        soft.rename(path)
        hard.hardlink_to(target)
        hard.rename(path)
        path.unlink()


def _swap_directory(path: Path, target: Path) -> None:
    while True:
        path.mkdir(0o777)
        (path / "shadow").touch(0o666)
        shutil.rmtree(path)
        path.symlink_to(target)
        path.unlink()


def test_a_tree_that_changes_while_it_is_scanned_is_no_error(tree: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=_churn, args=(tree, stop))
    thread.start()
    try:
        for dummy in range(30):
            survey(private(tree))
            survey(private(tree), use_find=False)
    finally:
        stop.set()
        thread.join()


def _churn(tree: Path, stop: threading.Event) -> None:
    while not stop.is_set():
        for number in range(20):
            directory = tree / f"d{number}"
            directory.mkdir(exist_ok=True)
            (directory / "file").touch()
        for number in range(20):
            shutil.rmtree(tree / f"d{number}")


def test_twenty_thousand_files_take_seconds_and_little_memory(tree: Path) -> None:
    for number in range(20):
        directory = put(tree / str(number), 0o040700)
        descriptor = os.open(directory, os.O_RDONLY)
        for file in range(1000):
            os.close(os.open(str(file), os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=descriptor))
        os.close(descriptor)
    started = time.monotonic()
    assert run(private(tree), report_limit=10).result["violation_count"] == 20_000
    assert time.monotonic() - started < 20
    started = time.monotonic()
    assert not run(private(tree)).plan
    assert time.monotonic() - started < 5


def test_gnu_find_is_what_scans_on_debian() -> None:
    assert gnu_find() == "/usr/bin/find"


def test_a_clusters_own_policies_are_met_and_the_server_still_starts(server: t.Any) -> None:
    settings = dict(
        line.split("|", 1)
        for line in server.psql(
            "SELECT name || '|' || setting FROM pg_settings WHERE setting NOT LIKE E'%\\n%'"
        ).splitlines()
    )
    (server.data / "server.key").touch(0o644)
    (server.data / "postgresql.conf").chmod(0o644)
    (server.data / "base").chmod(0o700)
    policies = file_policies(settings, os_user=server.account, output_file=str(server.log))
    outcome = run(*policies)
    assert {violation["path"] for violation in outcome.result["violations"]} >= {
        f"{server.data}/server.key",
        f"{server.data}/postgresql.conf",
    }
    assert not run(*policies).plan
    server.stop()
    server.start()
    assert server.psql("SELECT 1").strip() == "1"
    assert not run(*policies).plan


def test_the_module_itself_checks_runs_and_rests(tree: Path, tmp_path: Path) -> None:
    put(tree / "open", 0o644)
    arguments = {"policies": [private(tree)], "report_limit": 5}
    predicted = ansible(arguments, "--check", "--diff", home=tmp_path)
    assert state(tree / "open") == (UID, GID, 0o644)
    assert predicted["changed"] is True
    assert predicted["diff"]["before"] == f"file {tree}/open: postgres:postgres 0644\n"
    done = ansible(arguments, "--diff", home=tmp_path)
    assert done == predicted
    assert state(tree / "open") == GOOD_FILE
    assert ansible(arguments, home=tmp_path)["changed"] is False
    refused = ansible({"policies": [{"path": str(tree), "file_mode_max": 0o640}]}, home=tmp_path)
    assert "Quote it: '0640'" in refused["msg"]


def ansible(arguments: dict[str, t.Any], *flags: str, home: Path) -> dict[str, t.Any]:
    """Run the module by a real playbook; gives what a task registers, diff included."""
    answer = home / "answer.json"
    keep = {"content": "{{ registered | to_json }}", "dest": str(answer), "mode": "0600"}
    tasks = [
        {"bulwark.database.file_permissions": arguments, "register": "registered", "ignore_errors": True},
        {"ansible.builtin.copy": keep, "check_mode": False, "diff": False},
    ]
    playbook = home / "playbook.json"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(playbook), *flags, "-e", _INTERPRETER],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(home / "ansible"),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return t.cast("dict[str, t.Any]", json.loads(answer.read_text(encoding="utf-8")))


_INTERPRETER = f"ansible_python_interpreter={sys.executable}"
