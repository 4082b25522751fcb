# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a real PostgreSQL server by pgBackRest, restored by following RESTORE.txt with stock tools."""

from __future__ import annotations

import contextlib
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

from backup_site import BackupSite, as_account
from pgbackrest_site import PgBackRestSite
from private_server import PrivateServer
from random_faults import corruptions, end_the_rest, kills, moments, wait_until_ended
from restoring_host import RestoringHost
from test_backup_program_postgresql import MARKER, Load, Restored, owner_of, restore_each, utc, wait_until_archived

# Each takes a restore.
RESTORED_CORRUPTIONS = corruptions(6) // 2
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
    for number in range(corruptions(6)):
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
    started = time.monotonic()
    site.run("full")
    usual = time.monotonic() - started
    good = site.fulls()
    chance = random.Random(3)
    for dummy in range(kills(3)):
        process = subprocess.Popen(site.command("full"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
        time.sleep(chance.uniform(0, usual))
        process.send_signal(signal.SIGKILL)
        process.wait()
        end_the_rest(site, beside="server")
        wait_until_ended(beside=["server"])
        status = site.status()
        assert status["running"] is False
        sets = [entry["id"] for entry in status["fulls"]]
        assert sets[: len(good)] == good
        site.run("verify", "--deep")
        good = sets
    site.run("full")
    assert site.status()["last_error"] is None
    assert len(site.fulls()) == len(good) + 1


def test_each_moment_under_load_restores_exactly_the_rows_committed_by_then(site: PgBackRestSite) -> None:
    with Load(t.cast("PrivateServer", site.server)):
        site.run("full")
        for dummy in range(2):
            time.sleep(2)
            switch(site)
    restore_each(site, moments(1))


def proven(site: PgBackRestSite) -> RestoringHost:
    """A restoring host with a store of three sets, of which each builds upon the one before it."""
    server = t.cast("PrivateServer", site.server)
    for kind in ("full", "between", "between"):
        server.psql("INSERT INTO written SELECT generate_series(1, 1000)")
        site.run(kind)
        time.sleep(2.2)  # a set's first moment is rounded up to a second
    switch(site)
    return RestoringHost(site, identity=site.offline)


def test_a_restore_test_proves_the_newest_set_and_an_older_one_and_leaves_nothing(site: PgBackRestSite) -> None:
    host = proven(site)
    query = {"name": "rows", "database": "postgres", "query": "SELECT count(*) FROM written", "minimum": "1000"}
    done = host.run(with_older=True, queries=[query], extended_check=True)
    assert done.returncode == 0, done.stdout + done.stderr
    newest, older = host.records()
    labels = site.fulls()
    assert newest["backup"]["id"] == labels[-1]
    assert older["backup"]["id"] in labels[:-1]
    for record in (newest, older):
        assert [record["engine"], record["outcome"]] == ["pgbackrest", "success"]
        checks = {one["name"]: one["detail"] for one in record["checks"]}
        assert {"recovery", "pg_amcheck", "rows of postgres", "recovery time", "data loss"} < set(checks)
        rows = 1000 * (labels.index(record["backup"]["id"]) + 1)
        assert int(checks["query rows"].split(",")[0]) in (rows, rows + 1000)
        newest_transaction = record["newest_transaction"]  # empty if there is none after the set
        assert not newest_transaction or newest_transaction[:19] + "Z" <= record["moment"]
    secret = Path(site.repository.passphrase).read_text(encoding="utf-8").split("=")[1].strip()
    assert secret not in done.stdout + done.stderr + str(host.records())
    assert host.left() == []


def test_a_restore_test_that_can_not_open_the_repository_says_why(site: PgBackRestSite) -> None:
    host = proven(site)
    site._new_identity(site.root / "stranger.txt")
    host.put_secret("identity", (site.root / "stranger.txt").read_text(encoding="ascii"))
    assert "no identity matched any of the recipients" in host.run().stderr
    host.put_secret("identity", site.offline.read_text(encoding="ascii"))
    assert "names no identity of age" in host.run(identity="", gnupg_identity=host.options["identity"]).stderr
    assert "is of another engine" in host.run(engine="postgresql").stderr
    seal_another_passphrase(site, host, "of another repository")
    assert "the repository can't be used" in host.run().stderr
    # what somebody would add who can write to the source and knows a recipient
    seal_another_passphrase(site, host, "x\nrepo1-host=evil.example.org")
    assert "passphrase.age holds no passphrase" in host.run().stderr
    host.fill(site)
    assert host.run().returncode == 0
    assert host.left() == []


def seal_another_passphrase(site: PgBackRestSite, host: RestoringHost, text: str) -> None:
    command = ["age", "--encrypt", "--armor", "--recipient", site.recipients[0]]
    sealed = subprocess.run(command, input=text, text=True, check=True, capture_output=True).stdout
    (host.source / "passphrase.age").write_text(sealed, encoding="ascii")


def test_a_copy_without_the_times_of_its_files_tells_no_loss_of_data(site: PgBackRestSite) -> None:
    """It would look as new as the copy is, and a source that nothing fills any more would never be noticed."""
    host = proven(site)
    later = time.time() + 900
    for path in host.source.rglob("*"):
        os.utime(path, (later, later), follow_symlinks=False)
    assert "came without their times" in host.run().stderr


def test_a_restore_test_that_is_killed_leaves_nothing_in_clear(site: PgBackRestSite) -> None:
    host = proven(site)
    scratch = host.folder / "scratch"
    for pattern in ("*/secret/passphrase.conf", "*/data/PG_VERSION", "*/data/restore.log"):
        host.killed(lambda pattern=pattern: any(scratch.glob(pattern)))  # type: ignore[misc]
        assert host.left() == []
        assert "ended from outside" in host.records()[-1]["error"]
    assert host.run().returncode == 0


@pytest.fixture
def memory() -> t.Iterator[Path]:
    """A scratch folder as restore_test_scratch_size makes it: pgBackRest has each file written to the disk."""
    folder = Path(tempfile.mkdtemp(prefix="bulwark-", dir="/dev/shm"))
    shutil.chown(folder, "postgres")
    yield folder
    shutil.rmtree(folder)


def test_a_restore_test_finds_every_corruption_of_what_it_reads(site: PgBackRestSite, memory: Path) -> None:
    """Nothing is committed after the newest set, so that each recovery reads the log to its end."""
    server = t.cast("PrivateServer", site.server)
    server.psql("ALTER SYSTEM SET autovacuum = off")
    server.psql("SELECT pg_reload_conf()")
    site.run("full")
    server.psql("INSERT INTO written SELECT generate_series(1, 1000)")
    site.run("between")
    for dummy in range(3):
        time.sleep(1.1)
        server.psql("SELECT pg_logical_emit_message(false, 'marker', repeat('x', 100000))")
        switch(site)
    host = RestoringHost(site, identity=site.offline)
    # all of them take longer than the ten minutes after which any store would fail for its age alone
    allowed: dict[str, t.Any] = {"scratch": str(memory), "rpo_seconds": 86400}
    assert host.run().returncode == 0
    chance = random.Random(20261201)
    groups = files_read(site, host.source)
    assert [len(group) > 3 for group in groups] == [True, True, True]
    passed = []
    for number in range(RESTORED_CORRUPTIONS):
        # the log and what describes the sets come up as often as the many files of the server
        group = groups[number % len(groups)]
        path = chance.choice(sorted(group))
        with damaged(path, group, chance) as kind:
            done = host.run(**allowed)
        assert "without their times" not in done.stderr
        if done.returncode != 1 or len(done.stderr.splitlines()) != 1:
            passed.append(f"{kind} of {path}: {done.stdout}{done.stderr}")
    assert passed == []
    assert [*memory.iterdir(), *host.left()] == []
    assert host.run(**allowed).returncode == 0


@contextlib.contextmanager
def damaged(path: Path, group: dict[Path, str], chance: random.Random) -> t.Iterator[str]:
    """For a while, by a kind of damage. As on a disk, the file's times stay: a late one is found by them alone."""
    good, before = path.read_bytes(), path.stat()
    kind = chance.choice(["flip", "flip", "truncate", "remove", "swap"])
    if kind == "flip":
        at = chance.randrange(len(good))
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
    elif kind == "truncate":
        path.write_bytes(good[: chance.randrange(len(good))])
    elif kind == "remove":
        path.unlink()
    else:
        path.write_bytes(chance.choice(sorted(peer for peer in group if group[peer] != group[path])).read_bytes())
    times = (before.st_atime_ns, before.st_mtime_ns)
    if path.exists():
        os.utime(path, ns=times)
    yield kind
    path.write_bytes(good)
    os.chown(path, before.st_uid, before.st_gid)
    os.utime(path, ns=times)


def files_read(site: PgBackRestSite, source: Path) -> tuple[dict[Path, str], dict[Path, str], dict[Path, str]]:
    """By a restore of the newest set: of the log, of descriptions, of the server; each with what tells its contents."""
    (entry,) = json.loads(site.tool("info", "--output=json").stdout)
    newest = entry["backup"][-1]
    repository = source / "repository"
    log = {
        path: path.name
        for path in repository.glob("archive/main/*/*/*-*.zst")
        if path.name[:24] >= newest["archive"]["start"]
    }
    described = [*repository.glob("*/main/*.info*"), *repository.glob("backup/main/*/backup.manifest*")]
    # of the two copies of a file, each holds what the other does
    describing = {path: str(path).removesuffix(".copy") for path in [*described, source / "passphrase.age"]}
    data = {}
    text = site.tool("repo-get", f"backup/main/{newest['label']}/backup.manifest").stdout
    for line in text.partition("[target:file]\n")[2].partition("\n\n")[0].splitlines():
        name, dummy, description = line.partition("={")
        file = json.loads(f"{{{description}")
        if file["size"]:  # what is empty is made, and not read
            folder = repository / "backup" / "main" / file.get("reference", newest["label"])
            data[folder / f"{name}.zst"] = file["checksum"]
    assert all(path.is_file() for path in data)
    return log, describing, data


def _run(command: t.Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd="/")
