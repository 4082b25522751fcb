# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with a backup is seen, said in one line, and harms no earlier set."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import (
    parse_manifest,
    render_manifest,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import (
    parse_moment,
    render_id,
    render_moment,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_segments import (
    DEFAULT_SEGMENT_BYTES,
    Segment,
    segment_name,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import end_segment
from backup_site import ACCOUNT, BackupSite, as_account
from private_server import PrivateServer
from random_faults import corruptions, kill_fulls, kills, leftovers, passed_corruptions, processes_of_the_job


@pytest.fixture(scope="module")
def job(shared_server: PrivateServer, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server whose log the tests hand over themselves."""
    shared_server.psql(f"CREATE ROLE {ACCOUNT} LOGIN REPLICATION")
    site = BackupSite(Path(tempfile.mkdtemp(prefix="f", dir=short_directory)), "postgresql", shared_server)
    yield site
    shutil.rmtree(site.root)


@pytest.fixture
def site(job: BackupSite) -> t.Iterator[BackupSite]:
    """The same with nothing stored yet."""
    before = dict(job.options)
    yield job
    job.options = before
    job.configure()
    for folder in (job.store, job.state, job.incoming):
        for path in folder.iterdir() if folder.exists() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def segment_of(site: BackupSite, content: str) -> Path:
    path = site.root / "segment"
    path.write_bytes(hashlib.sha256(content.encode()).digest() * (16 * 1024 * 1024 // 32))
    path.chmod(0o644)
    return path


def next_segments(site: BackupSite, count: int) -> list[str]:
    """Names of the segments that follow the newest full backup without a gap."""
    path = max((site.store / "full").glob("*Z")) / "manifest.json"
    manifest = parse_manifest(path.read_text(encoding="utf-8"), where=str(path))
    last = end_segment(manifest, DEFAULT_SEGMENT_BYTES)
    return [
        segment_name(Segment(last.timeline, last.number + 1 + more), DEFAULT_SEGMENT_BYTES) for more in range(count)
    ]


def filled(site: BackupSite) -> list[str]:
    """Two full backups, and the names of all segments since the end of the first."""
    site.run("full")
    first = next_segments(site, 1)[0]
    time.sleep(1.1)
    site.run("full")
    last = next_segments(site, 4)[-1]
    names = [f"{first[:8]}{number:016X}" for number in range(int(first[8:], 16), int(last[8:], 16) + 1)]
    for name in names:
        assert site.archive(segment_of(site, name), name).returncode == 0
    site.run("collect")
    return names


def test_every_corruption_of_a_file_that_a_restore_reads_is_found(site: BackupSite) -> None:
    filled(site)
    assert passed_corruptions(site, corruptions(30)) == []


def test_a_set_or_a_segment_that_vanished_as_a_whole_is_missed(site: BackupSite) -> None:
    names = filled(site)
    newest = site.store / "full" / site.fulls()[-1]
    newest.rename(site.root / "aside")
    assert f"{newest.name} is not there any more" in site.refused("verify")
    (site.root / "aside").rename(newest)
    site.run("verify")
    last = names[-1]
    for suffix in (".json", ".zst.age"):
        (site.store / "log" / f"{last}{suffix}").unlink()
    assert f"{last} is not there any more" in site.refused("verify")


def test_a_segment_that_lost_its_description_is_said_and_not_thrown_away(site: BackupSite) -> None:
    name = filled(site)[-1]
    (site.store / "log" / f"{name}.json").unlink()
    long_ago = time.time() - 700  # its description could still be on its way if it had just come
    os.utime(site.store / "log" / f"{name}.zst.age", (long_ago, long_ago))
    site.run("collect")
    site.run("prune")
    assert (site.store / "log" / f"{name}.zst.age").exists()
    assert f"{name}.zst.age has no description beside it" in site.refused("verify")
    assert len(site.status()["damaged"]) == 1


def test_a_history_that_got_damaged_is_kept_and_said_until_somebody_has_looked(site: BackupSite) -> None:
    filled(site)
    history, aside = site.state / "history.json", site.state / "history.json.damaged"
    history.write_text("[{", encoding="utf-8")
    assert "history.json is damaged" in site.status()["last_error"]
    assert "history.json is damaged" in site.refused("verify")
    assert aside.read_text(encoding="utf-8") == "[{"
    site.run("full")
    assert f"look at {aside}" in site.refused("verify")
    assert str(aside) in site.status()["last_error"]
    aside.unlink()
    site.run("verify")
    assert site.status()["last_error"] is None


def test_a_run_killed_at_any_moment_leaves_nothing_that_looks_complete(site: BackupSite) -> None:
    kill_fulls(site, kills(8))


def test_a_run_that_was_killed_is_a_failure_at_once_and_stays_one_in_the_history(site: BackupSite) -> None:
    """Nobody is left to write it down: the host may have gone down with it."""
    site.run("full")
    process = subprocess.Popen(site.command("full"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not list((site.store / "full").glob("*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)  # so that it does not end while we look
    assert site.status()["last_error"] is None
    process.kill()
    process.wait()
    status = site.status()
    assert "killed, or the host went down" in status["last_error"]
    assert status["last_failure"]
    time.sleep(1.1)
    site.run("full")
    status = site.status()
    assert status["last_error"] is None
    assert status["last_failure"]


def test_a_killed_archive_leaves_no_segment_and_the_next_one_succeeds(site: BackupSite) -> None:
    site.run("full")
    chance = random.Random(78)
    path = segment_of(site, "killed")
    command = [*as_account("postgres"), "/usr/bin/python3", "-I", str(site.program), "archive", str(path)]
    for name in next_segments(site, kills(8)):
        process = subprocess.Popen(
            [*command, name, "--job", str(site.job_file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.02, 0.4))
        process.kill()
        process.wait()
        site.run("collect")
        assert site.archive(path, name).returncode == 0
        site.run("collect")
        assert (site.store / "log" / f"{name}.json").exists()
    assert [path.name for path in site.incoming.iterdir() if ".partial" in path.name] == []
    assert "sound" in site.run("verify", "--deep").stdout


def test_somebody_who_ends_a_run_is_told_that_it_was_taken_back(site: BackupSite) -> None:
    tool = fake_tool(site, "sleep 60")
    process = subprocess.Popen(site.command("full"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    dummy, errors = process.communicate(timeout=20)
    assert (process.returncode, "taken back" in errors) == (1, True), errors
    assert [line for line in processes_of_the_job() if tool.name in line] == []
    assert leftovers(site) == []
    assert site.status()["last_error"].startswith("ended by")


def test_a_full_file_system_is_said_and_the_next_run_succeeds(site: BackupSite) -> None:
    site.run("full")
    good = site.fulls()
    time.sleep(1.1)
    # the least that every system can do: the process may write no file beyond this size
    done = subprocess.run(
        ["prlimit", "--fsize=1000000", *site.command("full")], check=False, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "a file may not become that large" in done.stderr
    assert site.fulls() == good
    assert leftovers(site) == []
    site.run("verify", "--deep")
    site.run("full")
    assert site.status()["last_error"] is None


def test_a_store_of_its_own_that_is_full_keeps_the_earlier_set(site: BackupSite) -> None:
    small = site.root / "small"
    small.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m,mode=0777", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        site.configure(store=str(small / "store"), minimum_free_percent=0)
        site.run("full")
        time.sleep(1.1)
        assert "the file system is full" in (message := site.refused("full")) or "the minimum" in message
        assert len(site.fulls()) == 1
        site.run("verify", "--deep")
        site.configure(minimum_free_percent=50)
        assert "50 % are the minimum" in site.refused("full")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def fake_tool(site: BackupSite, script: str) -> Path:
    """Beside the real binaries, a pg_basebackup that is none."""
    folder = site.root / "tools"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    real = t.cast("PrivateServer", site.server).bin
    for path in real.iterdir():
        (folder / path.name).symlink_to(path)
    tool = folder / "pg_basebackup"
    tool.unlink()
    tool.write_text(f"#!/bin/sh\nREAL={real}/pg_basebackup\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)
    site.configure(server={**site.options["server"], "binaries": str(folder)})
    return tool


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ('$REAL "$@" 2>&1 >&3 3>&- | grep -v "backup completed" >&2', "without saying"),
        ('$REAL "$@" | head -c 100000; exit 0', "without saying"),
        ('echo "pg_basebackup: base backup completed" >&2', "which no server's data fits in"),
        ('$REAL "$@"; exit 3', "ended with status 3"),
        ("kill -9 $$", "was ended by signal 9"),
        ("head -c 9000000 /dev/urandom; echo 'pg_basebackup: base backup completed' >&2", "between which positions"),
    ],
)
def test_a_tool_that_fails_in_whatever_way_makes_no_set(site: BackupSite, script: str, complaint: str) -> None:
    fake_tool(site, f"exec 3>&1\n{script}")
    assert complaint in site.refused("full")
    assert list((site.store / "full").iterdir()) == []


def test_a_set_far_smaller_than_the_ones_before_is_no_success(site: BackupSite) -> None:
    site.configure(smallest_share=1.0)
    site.run("full")
    good = site.fulls()
    tool = fake_tool(site, "")
    said = "write-ahead log start point: 0/2000028 on timeline 1\nwrite-ahead log end point: 0/2000100"
    tool.write_text(
        f"#!/bin/sh\necho '{said}\npg_basebackup: base backup completed' >&2\nhead -c 500000 /dev/urandom\n"
    )
    assert "(median)" in site.refused("full")
    assert site.fulls() == good


def test_a_tool_that_hangs_is_killed_at_the_deadline_with_all_it_started(site: BackupSite) -> None:
    fake_tool(site, "sleep 1234 & sleep 1234")
    site.configure(deadline_seconds=1)
    assert "deadline" in site.refused("full")
    assert [line for line in processes_of_the_job() if "1234" in line] == []


def test_recipients_that_are_none_and_recipients_of_somebody_else(site: BackupSite) -> None:
    first, second = site.recipients
    site.configure(recipients=[first, f"{second[:-1]}{'q' if second[-1] != 'q' else 'p'}"])
    assert "recipient" in site.refused("full")
    site.configure(recipients=[first])
    assert "at least 2 different ones" in site.refused("full")
    others = [BackupSite._new_identity(site.root / "offline" / f"stranger-{number}.txt") for number in range(2)]
    site.configure(recipients=others)
    site.run("full")
    sealed = next((site.store / "full").glob("*/base.tar.zst.age"))
    done = subprocess.run(
        ["age", "-d", "-i", str(site.offline), "-o", "/dev/null", str(sealed)], check=False, capture_output=True
    )
    assert b"no identity matched" in done.stderr


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "", "x", "000000010000000000000001/../x", "000000010000000000000001\n", "-rf", "$(id)",
     "000000010000000000000001.json", "000000010000000000000001.partial.json", "00000001000000000000000g"],
)  # fmt: skip
def test_a_hostile_name_is_no_segment(site: BackupSite, name: str) -> None:
    before = sorted(site.incoming.iterdir())
    done = site.archive(segment_of(site, "hostile"), name)
    assert done.returncode != 0
    assert [path for path in sorted(site.incoming.iterdir()) if path not in before] == []


def test_a_segment_that_comes_twice_is_accepted_when_it_is_the_same_and_refused_when_not(site: BackupSite) -> None:
    site.run("full")
    name = next_segments(site, 1)[0]
    for dummy in range(2):  # still in the anteroom, and then in the store
        assert site.archive(segment_of(site, "one"), name).returncode == 0
        assert "already" in site.archive(segment_of(site, "one"), name).stdout
        other = site.archive(segment_of(site, "another"), name)
        assert (other.returncode, "with other contents" in other.stderr) == (1, True)
        site.run("collect")
    assert site.status()["log"]["waiting"] == 0
    # without the receipt, the store itself still knows it
    (site.incoming / f"{name}.collected").unlink()
    assert site.archive(segment_of(site, "another"), name).returncode == 0
    assert "in the store already with other contents" in site.refused("collect")
    site.run("verify", "--deep")


def test_what_a_hostile_server_leaves_in_the_anteroom_is_not_followed(site: BackupSite) -> None:
    site.run("full")
    names = next_segments(site, 4)
    *names, forged = [names[1], names[2], names[0], names[3]]
    for name in names:
        assert site.archive(segment_of(site, name), name).returncode == 0
    link, changed = (site.incoming / f"{name}.zst.age" for name in names[:2])
    link.unlink()
    link.symlink_to("/etc/passwd")
    changed.write_bytes(changed.read_bytes()[:-1])
    (site.incoming / f"{forged}.json").write_text(json.dumps({"format": 1, "name": "../x"}))
    assert "(and 2 more)" in site.refused("collect")
    collected = sorted(path.name for path in (site.store / "log").iterdir())
    assert collected == [f"{names[2]}.json", f"{names[2]}.zst.age"]
    site.run("verify", "--deep")


def test_two_runs_at_once_are_one(site: BackupSite) -> None:
    fake_tool(site, 'sleep 8; exec $REAL "$@"')
    first = subprocess.Popen(site.command("full"), stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    first.stdout.readline()
    assert site.status()["running"] is True
    assert "running already" in site.refused("full")
    site.run("collect")  # the log goes on meanwhile
    first.communicate()
    assert first.returncode == 0
    assert len(site.fulls()) == 1


def test_only_what_the_window_does_not_need_is_pruned(site: BackupSite) -> None:
    site.configure(keep_days=1)
    filled(site)
    old = site.fulls()
    time.sleep(1.1)
    site.run("full")
    site.run("prune")
    assert len(site.fulls()) == 3
    for identifier, days in zip(old, (3, 2), strict=True):
        make_older(site, identifier, days)
    site.run("prune")
    kept = site.fulls()
    assert len(kept) == 2  # the one from before the window reaches its beginning
    site.run("verify", "--deep")
    fake_tool(site, "exit 1")
    site.refused("full")
    assert "not verified" in site.refused("prune")
    assert site.fulls() == kept


def make_older(site: BackupSite, identifier: str, days: int) -> None:
    """As if it had been made so many days earlier."""
    folder = site.store / "full" / identifier
    path = folder / "manifest.json"
    manifest = parse_manifest(path.read_text(encoding="utf-8"), where="it")
    moved = [parse_moment(text) - days * 86400 for text in (manifest.started, manifest.finished)]
    started, finished = (render_moment(moment) for moment in moved)
    older = dataclasses.replace(
        manifest, id=render_id(moved[0]), started=started, finished=finished, consistent_from=finished
    )
    path.write_text(render_manifest(older), encoding="utf-8")
    folder.rename(folder.with_name(older.id))
    history = site.state / "history.json"
    history.write_text(history.read_text(encoding="utf-8").replace(identifier, older.id), encoding="utf-8")
