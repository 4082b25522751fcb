# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealed backups of a real PostgreSQL server, restored by following RESTORE.txt with stock tools."""

from __future__ import annotations

import datetime
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import parse_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import MARGIN_SECONDS
from backup_site import ACCOUNT, UNSAFE_NAME, BackupSite, as_account
from private_server import PrivateServer
from random_faults import moments

MARKER = "f1ndme-Bulwark-marker"
ROWS = "SELECT string_agg(number::text, ' ' ORDER BY number) FROM written"


@pytest.fixture
def site(server: PrivateServer, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server that archives, and its job."""
    site = BackupSite(Path(tempfile.mkdtemp(prefix="b", dir=short_directory)), "postgresql", server, folder=UNSAFE_NAME)
    start_archiving(site)
    yield site
    shutil.rmtree(site.root)


def start_archiving(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        command = f'/usr/bin/python3 -I {site.program} archive "%p" "%f" --job {site.job_file}'
        stream.write(f"archive_mode = on\narchive_command = '{command}'\ntrack_commit_timestamp = on\n")
        stream.write("wal_keep_size = '512MB'\n")
    server.restart()
    server.psql(f"CREATE ROLE {ACCOUNT} LOGIN REPLICATION; CREATE TABLE written (number int)")


def switch(site: BackupSite) -> None:
    """Everything written so far is archived and in the store."""
    server = t.cast("PrivateServer", site.server)
    name = server.psql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until_archived(server, name)
    site.run("collect")


def wait_until_archived(server: PrivateServer, name: str) -> None:
    deadline = time.monotonic() + 60
    while server.psql(f"SELECT coalesce(max(last_archived_wal), '') >= '{name}' FROM pg_stat_archiver") != "t":
        assert time.monotonic() < deadline, server.log_text()[-2000:]
        time.sleep(0.1)


class Restored:
    """A server that RESTORE.txt brought up."""

    def __init__(self, site: BackupSite, *, moment: str = "") -> None:
        folder = Path(tempfile.mkdtemp(prefix="r", dir=site.root))
        os.chown(folder, *owner_of(t.cast("PrivateServer", site.server).data))
        self.data = folder / "it's data"
        self.server = t.cast("PrivateServer", site.server)
        self.done = site.restore(self.data, moment=moment)

    def __enter__(self) -> Restored:  # noqa: PYI034
        log = self.data / "restore.log"
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        assert self.done.returncode == 0, self.done.stdout + self.done.stderr + text
        return self

    def __exit__(self, *error: object) -> None:
        self.server.run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.data), check=False)
        shutil.rmtree(self.data.parent)

    def ask(self, sql: str) -> str:
        done = self.server.run("psql", "-XAtq", "-h", str(self.data), "-p", "5432", "-d", "postgres", "-c", sql)
        return done.stdout.strip()


def owner_of(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_the_latest_state_is_restored_by_restore_txt_alone(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    server.psql(f"INSERT INTO written SELECT generate_series(1, 1000); CREATE TABLE \"{MARKER}\" AS SELECT '{MARKER}'")
    site.run("full")
    server.psql("INSERT INTO written SELECT generate_series(1001, 2000)")
    time.sleep(MARGIN_SECONDS + 2.2)  # its first moment is rounded up to a second, its last one down
    switch(site)
    with Restored(site) as restored:
        assert restored.ask("SELECT count(*), min(number), max(number) FROM written") == "2000|1|2000"
        assert restored.ask("SELECT pg_is_in_recovery()") == "f"
    status = site.status()
    assert [len(status["fulls"]), status["gaps"], status["last_error"]] == [1, [], None]
    assert status["restorable"][0]["from"] < status["restorable"][0]["to"]
    # no byte of the store shows what is in it, and only its owner may look at all
    data = b"".join(path.read_bytes() for path in site.store.rglob("*") if path.is_file())
    assert MARKER.encode() not in data
    assert len(data) > 100_000
    modes = {oct(path.stat().st_mode & 0o777) for path in site.store.rglob("*") if path.is_file()}
    folders = {oct(path.stat().st_mode & 0o777) for path in [site.store, *site.store.rglob("*")] if path.is_dir()}
    assert (modes, folders) == ({"0o600"}, {"0o700"})


class Load:
    """Somebody who commits a row every few milliseconds."""

    def __init__(self, server: PrivateServer) -> None:
        self.server = server
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        number = 0
        while not self.ended.is_set():
            inserts = [f"INSERT INTO written VALUES ({number + more});" for more in range(40)]
            self.server.psql("\n".join(f"{insert} SELECT pg_sleep(0.003);" for insert in inserts))
            number += 40

    def __enter__(self) -> Load:  # noqa: PYI034
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()


def test_each_moment_under_load_restores_exactly_the_rows_committed_by_then(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    with Load(server):
        site.run("full")
        for dummy in range(3):
            time.sleep(2)
            switch(site)
        site.run("full")
        time.sleep(2)
        switch(site)
    restore_each(site, moments(3))


def restore_each(site: BackupSite, number: int) -> None:
    """So many random moments of the window, and both its ends: the rows are exactly those committed by then."""
    server = t.cast("PrivateServer", site.server)
    intervals = site.status()["restorable"]
    assert len(intervals) == 1
    first, last = (parse_moment(intervals[0][key]) for key in ("from", "to"))
    chance = random.Random(4)
    for moment in [*(chance.uniform(first, last) for dummy in range(number)), first, last]:
        expected = server.psql(f"{ROWS} WHERE pg_xact_commit_timestamp(xmin) <= '{utc(moment)}'")
        with Restored(site, moment=utc(moment)) as restored:
            assert restored.ask(ROWS) == expected, utc(moment)


def test_an_idle_database_is_restored_to_a_moment_after_its_last_commit(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    site.run("full")
    server.psql("INSERT INTO written VALUES (1)")
    switch(site)
    time.sleep(1)
    with Restored(site, moment=utc(time.time())) as restored:
        assert restored.ask(ROWS) == "1"


def test_a_gap_and_a_damaged_segment_keep_a_restore_from_passing_for_the_latest_state(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    site.run("full")
    for number in range(3):
        server.psql(f"INSERT INTO written VALUES ({number})")
        switch(site)
    segments = sorted((site.store / "log").glob("*.zst.age"))
    victim = segments[-2]
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1])
    assert "not what was written" in site.refused("verify", "--deep")
    failed = Restored(site)
    assert failed.done.returncode != 0
    assert "damaged" in failed.done.stdout
    victim.unlink()
    Path(str(victim).replace(".zst.age", ".json")).unlink()
    assert "is not there any more" in site.refused("verify")
    assert [gap["count"] for gap in site.status()["gaps"]] == [1]
    with pytest.raises(AssertionError), Restored(site):
        pass


def test_what_the_host_holds_opens_nothing(site: BackupSite) -> None:
    site.run("full")
    sealed = next((site.store / "full").glob("*/base.tar.zst.age"))
    # every file below the site that one of the host's accounts can read, tried as an identity
    readable = [site.job_file, site.program, *site.state.rglob("*"), *site.incoming.rglob("*"), *site.store.rglob("*")]
    for path in readable:
        if path.is_file():
            done = subprocess.run(["age", "-d", "-i", str(path), str(sealed)], check=False, capture_output=True)
            assert done.returncode != 0, path
    for account in (ACCOUNT, "postgres"):
        done = subprocess.run([*as_account(account), "cat", str(site.offline)], check=False, capture_output=True)
        assert done.returncode != 0
    assert subprocess.run(
        ["age", "-d", "-i", str(site.offline), "-o", "/dev/null", str(sealed)], check=False
    ).returncode == 0  # fmt: skip


def test_tablespaces_and_a_server_without_senders_are_refused_in_one_clear_line(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    place = site.root / "space"
    place.mkdir()
    os.chown(place, *owner_of(server.data))
    server.psql(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
    assert "tablespaces of its own" in site.refused("full")
    server.psql("DROP TABLESPACE elsewhere")
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write("max_wal_senders = 0\n")
    server.restart()
    assert "Raise max_wal_senders" in site.refused("full")
    assert site.fulls() == []
    assert list((site.store / "full").iterdir()) == []


def test_the_log_goes_on_across_a_new_timeline(site: BackupSite) -> None:
    """As after a restore or a failover: the server is promoted, and goes on in a new timeline."""
    server = t.cast("PrivateServer", site.server)
    site.run("full")
    server.psql("INSERT INTO written VALUES (1)")
    server.stop()
    (server.data / "standby.signal").touch()
    os.chown(server.data / "standby.signal", *owner_of(server.data))
    server.start()
    server.psql("SELECT pg_promote()")
    server.psql("INSERT INTO written VALUES (2)")
    time.sleep(1.2)
    switch(site)
    time.sleep(1.2)
    server.psql("INSERT INTO written VALUES (3)")
    switch(site)
    assert (site.store / "log" / "00000002.history.json").exists()
    status = site.status()
    assert status["gaps"] == []
    assert len(status["restorable"]) == 1
    site.run("verify", "--deep")
    with Restored(site, moment=status["restorable"][0]["to"]) as restored:
        assert restored.ask(ROWS) == "1 2"
    with Restored(site) as restored:
        assert restored.ask(ROWS) == "1 2 3"
