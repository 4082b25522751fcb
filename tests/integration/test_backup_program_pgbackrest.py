# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a real PostgreSQL server by pgBackRest, restored by following RESTORE.txt with stock tools."""

from __future__ import annotations

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

from backup_site import BackupSite, as_account
from pgbackrest_site import PgBackRestSite
from private_server import PrivateServer
from test_backup_program_postgresql import MARKER, Restored, owner_of, utc, wait_until_archived

CORRUPTIONS = int(os.environ.get("BULWARK_CORRUPTIONS", "6"))
TABLESPACE = "elsewhere"


@pytest.fixture
def site(server: PrivateServer, short_directory: Path) -> t.Iterator[PgBackRestSite]:
    site = PgBackRestSite(Path(tempfile.mkdtemp(prefix="p", dir=short_directory)), server)
    with site.serving():
        yield site
    shutil.rmtree(site.root)


def switch(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    wait_until_archived(server, server.psql("SELECT pg_walfile_name(pg_switch_wal())"))


def test_the_latest_state_a_moment_and_tablespaces_are_restored_by_restore_txt_alone(site: PgBackRestSite) -> None:
    server = t.cast("PrivateServer", site.server)
    folder = site.root / TABLESPACE
    folder.mkdir()
    shutil.chown(folder, "postgres")
    server.psql(f"CREATE TABLESPACE {TABLESPACE} LOCATION '{folder}'")
    server.psql(f"CREATE TABLE placed TABLESPACE {TABLESPACE} AS SELECT '{MARKER}' AS text FROM generate_series(1, 9)")
    server.psql("INSERT INTO written SELECT generate_series(1, 1000)")
    site.run("full")
    server.psql("INSERT INTO written SELECT generate_series(1001, 2000)")
    site.run("between")
    time.sleep(2.2)
    server.psql("INSERT INTO written VALUES (3000)")
    moment = float(server.psql("SELECT extract(epoch FROM clock_timestamp())"))
    time.sleep(1.1)
    server.psql("INSERT INTO written VALUES (4000)")
    time.sleep(2.2)
    switch(site)
    status = site.status()
    assert [one["id"][-1] for one in status["fulls"]] == ["F", "I"]
    assert [status["gaps"], status["damaged"], status["last_error"], len(status["restorable"])] == [[], [], None, 1]
    (window,) = status["restorable"]
    assert window["from"] < utc(moment) < window["to"], window
    with Restored(site) as restored:
        assert restored.ask("SELECT count(*), max(number) FROM written") == "2002|4000"
        assert restored.ask("SELECT count(*) FROM placed") == "9"
    with Restored(site, moment=utc(moment)) as restored:
        assert restored.ask("SELECT count(*), max(number) FROM written") == "2001|3000"
    site.run("verify", "--deep")


def test_nothing_in_the_store_is_readable(site: PgBackRestSite) -> None:
    server = t.cast("PrivateServer", site.server)
    server.psql(f"CREATE TABLE \"{MARKER}\" AS SELECT '{MARKER}' AS text FROM generate_series(1, 1000)")
    site.run("full")
    switch(site)
    secret = Path(site.repository.passphrase).read_text(encoding="utf-8").split("=")[1].strip().encode()
    files = [path for path in site.store.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 100
    for path in files:
        content = path.read_bytes()
        assert MARKER.encode() not in content, path
        assert secret not in content, path
        assert path.stat().st_mode & 0o077 == 0, path


def test_who_has_no_key_is_not_let_in_and_the_server_can_not_read_the_store(site: PgBackRestSite) -> None:
    site.run("full")
    command = ["pgbackrest", f"--config={site.repository.archive_configuration}", "--stanza=main", "repo-ls", "backup"]
    assert "main" in _run([*as_account("postgres"), *command]).stdout
    refused = _run([*as_account("nobody"), *command])
    assert refused.returncode != 0
    assert "client.key" in refused.stdout + refused.stderr
    for path in (site.files, Path(site.repository.passphrase)):
        assert _run([*as_account("postgres"), "cat", str(path)]).returncode != 0


def test_a_missing_segment_is_a_gap_and_no_success(site: PgBackRestSite) -> None:
    """pgBackRest's own verify passes it over."""
    site.run("full")
    for number in range(3):
        t.cast("PrivateServer", site.server).psql(f"INSERT INTO written VALUES ({number})")
        switch(site)
    assert "sound" in site.run("verify").stdout
    segments = sorted((site.files / "archive" / "main").rglob("*-*.zst"))
    segments[-2].unlink()
    assert "status: ok" in site.tool("verify", "--output=text", "--verbose").stdout
    assert "a gap of 1 segments" in site.refused("verify")
    assert len(site.status()["gaps"]) == 1


def test_corruption_is_found_though_the_tool_ends_with_zero(site: PgBackRestSite) -> None:
    site.run("full")
    switch(site)
    chance = random.Random(20261130)
    files = sorted(path for path in site.files.rglob("*") if path.is_file() and not path.is_symlink())
    needed = [path for path in files if "pg_data" in path.parts or path.suffix == ".zst"]
    for number in range(CORRUPTIONS):
        path = chance.choice(needed)
        good = path.read_bytes()
        kind = ("flip", "truncate", "remove")[number % 3]
        if kind == "flip":
            at = chance.randrange(len(good))
            path.write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        elif kind == "truncate":
            path.write_bytes(good[: chance.randrange(len(good))])
        else:
            path.unlink()
        failed = site.run("verify", "--deep", check=False)
        assert failed.returncode == 1, f"{kind} of {path}: {failed.stdout}"
        path.write_bytes(good)
        shutil.chown(path, *owner_of(site.files))
        path.chmod(0o600)
    site.run("verify", "--deep")


def test_a_backup_that_fails_prunes_nothing_and_says_why(site: PgBackRestSite) -> None:
    site.run("full")
    good = site.fulls()
    server = t.cast("PrivateServer", site.server)
    server.psql(f"REVOKE EXECUTE ON FUNCTION pg_backup_start(text,boolean) FROM {site.options['server']['user']}")
    text = site.refused("full")
    assert "pg_backup_start" in text
    assert site.fulls() == good
    assert "pg_backup_start" in site.status()["last_error"]


def test_a_killed_backup_leaves_the_good_ones_and_the_next_succeeds(site: PgBackRestSite) -> None:
    server = t.cast("PrivateServer", site.server)
    server.psql("INSERT INTO written SELECT generate_series(1, 300000)")
    site.run("full")
    good = site.fulls()
    chance = random.Random(3)
    for dummy in range(3):
        process = subprocess.Popen(site.command("full"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        time.sleep(chance.uniform(0.2, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.5)
        assert site.fulls()[: len(good)] == good
        site.run("verify", "--deep")
    site.run("full")
    assert site.status()["last_error"] is None


def _run(command: t.Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
