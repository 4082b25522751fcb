# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary logs of a real MariaDB server: followed, sealed, and any moment restored by RESTORE.txt alone."""

from __future__ import annotations

import contextlib
import datetime
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import parse_moment
from backup_site import ACCOUNT, BackupSite, as_account
from private_mariadb import PrivateMariaDB
from random_faults import corruptions, kills, leftovers, moments, passed_corruptions, wait_until_ended

PRIVILEGES = ["RELOAD", "PROCESS", "BINLOG MONITOR", "REPLICATION SLAVE"]
MARKER = "f1ndme-Bulwark-binlog"
ROWS = "SELECT GROUP_CONCAT(number ORDER BY number) FROM d.written"


class Stream:
    """The service that follows the server's logs: started again whenever it ends, as systemd does."""

    def __init__(self, site: BackupSite) -> None:
        self.site = site
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self) -> None:
        while not self.ended.is_set():
            with (self.site.root / "stream.log").open("ab") as log:
                self.process = subprocess.Popen(self.site.command("stream"), cwd="/", stdout=log, stderr=log)
            while self.process.poll() is None and not self.ended.is_set():
                time.sleep(0.05)
            self.kill()
            self.ended.wait(0.2)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Stream:  # noqa: PYI034
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()


@pytest.fixture
def site(stopped_mariadb: PrivateMariaDB, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server that encrypts its tables and its binary logs."""
    root = Path(tempfile.mkdtemp(prefix="l", dir=short_directory))
    root.chmod(0o755)
    keys = root / "keys"
    keys.write_text(f"1;{'5a' * 32}\n", encoding="utf-8")
    stopped_mariadb.chown(keys)
    keys.chmod(0o400)
    (stopped_mariadb.drop_ins / "more.cnf").write_text(
        "[mariadbd]\nlog_bin = it-is-binlog\nserver_id = 7\nencrypt_binlog = ON\n"
        "plugin_load_add = file_key_management\n"
        f"file_key_management_filename = {keys}\ninnodb_encrypt_tables = FORCE\ninnodb_encrypt_log = ON\n",
        encoding="utf-8",
    )
    stopped_mariadb.start()
    stopped_mariadb.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    stopped_mariadb.sql(f"GRANT {', '.join(PRIVILEGES)} ON *.* TO {ACCOUNT}@localhost")
    stopped_mariadb.sql(
        "CREATE DATABASE d; CREATE TABLE d.written (number INT PRIMARY KEY, at DATETIME(6) DEFAULT UTC_TIMESTAMP(6),"
        " text LONGTEXT) ENGINE=InnoDB"
    )
    site = BackupSite(root, "mariadb", stopped_mariadb)
    site.configure(stream=str(site.state / "stream"))
    yield site
    shutil.rmtree(root)


def server_of(site: BackupSite) -> PrivateMariaDB:
    return t.cast("PrivateMariaDB", site.server)


def names(site: BackupSite) -> list[str]:
    return sorted(path.stem for path in (site.store / "log").glob("*.json"))


def changed(site: BackupSite) -> None:
    """Something was written, so that the next ``collect`` has the server begin a new log."""
    server_of(site).sql("CREATE OR REPLACE TABLE d.sign (a INT)")


def collect_until_sealed(site: BackupSite, *, seconds: float = 60) -> None:
    """As the timer does, until all that was written so far is in the store."""
    number = server_of(site).sql("SHOW MASTER STATUS").split("\t")[0].rpartition(".")[2]
    deadline = time.monotonic() + seconds
    while not any(name.endswith(f"-{number}") and name >= chain_of_stream(site) for name in names(site)):
        assert time.monotonic() < deadline, (site.root / "stream.log").read_text(encoding="utf-8")
        changed(site)
        site.run("collect")
        time.sleep(0.3)


def chain_of_stream(site: BackupSite) -> str:
    return max((path.name for path in (site.state / "stream").glob("2*Z")), default="")


def whole_second() -> None:
    """Events know seconds only: what comes after this is later than what was before."""
    time.sleep(1.1 - time.time() % 1)


class Restored:
    """What a restore by RESTORE.txt brings."""

    def __init__(self, site: BackupSite, moment: str = "") -> None:
        folder = Path(tempfile.mkdtemp(prefix="r", dir=site.root))
        folder.chmod(0o755)
        self.data = folder / "it's data"
        self.done = site.restore(self.data, moment=moment)

    def ask(self, sql: str) -> str:
        command = ["mariadb", "--no-defaults", f"--socket={self.data}/restore.sock", "-BN", "-e"]
        return subprocess.run([*command, sql], check=True, capture_output=True, text=True).stdout.strip()

    def __enter__(self) -> Restored:  # noqa: PYI034
        assert self.done.returncode == 0, self.done.stdout + self.done.stderr
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.ask("SHUTDOWN")
        wait_for(lambda: not (self.data / "restore.pid").exists(), "the restored server does not end")


class Load:
    """Somebody who commits a row every few milliseconds."""

    def __init__(self, server: PrivateMariaDB) -> None:
        self.server = server
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self) -> None:
        number = 0
        while not self.ended.is_set():
            rows = [f"INSERT INTO d.written (number, text) VALUES ({number + more}, '{MARKER}');" for more in range(40)]
            self.server.sql("\n".join(f"{row} DO SLEEP(0.003);" for row in rows))
            number += 40

    def __enter__(self) -> Load:  # noqa: PYI034
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()


def moment_of(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_each_moment_under_load_restores_exactly_the_rows_written_by_then(site: BackupSite) -> None:
    server = server_of(site)
    with Stream(site), Load(server):
        site.run("full")
        for dummy in range(3):
            time.sleep(2)
            collect_until_sealed(site)
        site.run("full")
        time.sleep(2)
        collect_until_sealed(site)
    (interval,) = site.status()["restorable"]
    first, last = (parse_moment(interval[key]) for key in ("from", "to"))
    assert last - first >= 6
    assert site.status()["gaps"] == []
    site.run("verify", "--deep")
    data = b"".join(path.read_bytes() for path in site.store.rglob("*") if path.is_file())
    assert MARKER.encode() not in data
    chance = random.Random(5)
    for moment in [chance.randint(first, last) for dummy in range(moments(3))] + [first, last]:
        text = moment_of(moment)
        expected = server.sql(f"SET group_concat_max_len = 10000000; {ROWS} WHERE at < '{text[:-1]}'")
        with Restored(site, text) as restored:
            assert restored.ask(f"SET group_concat_max_len = 10000000; {ROWS}") == expected, text


def test_the_latest_state_goes_on_where_the_set_ends(site: BackupSite) -> None:
    server = server_of(site)
    with Stream(site):
        server.sql("INSERT INTO d.written (number) VALUES (1)")
        site.run("full")
        with Restored(site) as restored:  # without any log yet
            assert restored.ask(ROWS) == "1"
        server.sql("INSERT INTO d.written (number, text) VALUES (2, CONCAT('a\\r\\n\\0', CHAR(26), '€ü''\"\\\\'))")
        server.sql("BEGIN; INSERT INTO d.written (number) VALUES (3); ROLLBACK")
        server.sql("CREATE USER later@localhost IDENTIFIED BY 'x'; GRANT SELECT ON d.* TO later@localhost")
        server.sql("INSTALL SONAME 'auth_ed25519'; CREATE USER e@localhost IDENTIFIED VIA ed25519 USING PASSWORD('x')")
        collect_until_sealed(site)
        site.seal_by_gnupg()  # a job may be moved; what age sealed stays
        server.restart()
        server.sql("INSERT INTO d.written (number) VALUES (4)")
        collect_until_sealed(site)
        site.run("verify", "--deep")
    wanted = server.sql("SELECT HEX(text) FROM d.written WHERE number = 2")
    with Restored(site) as restored:
        assert restored.ask(ROWS) == "1,2,4"
        assert restored.ask("SELECT HEX(text) FROM d.written WHERE number = 2") == wanted
        assert (
            restored.ask("SELECT GROUP_CONCAT(user ORDER BY user) FROM mysql.user WHERE user IN ('e', 'later')")
            == "e,later"
        )
    assert len({name.split("-")[0] for name in names(site)}) == 1  # a restart is no new chain
    assert {path.suffix for path in (site.store / "log").glob("*.zst.*")} == {".age", ".gpg"}


def test_an_idle_server_is_restorable_up_to_a_moment_after_its_last_commit(site: BackupSite) -> None:
    """Here by GnuPG alone, set and log."""
    server = server_of(site)
    site.seal_by_gnupg()
    site.offline.unlink()
    with Stream(site):
        site.run("full")
        server.sql("INSERT INTO d.written (number) VALUES (1)")
        collect_until_sealed(site)
        wait_for(lambda: server.sql("SHOW MASTER STATUS").split()[0] == newest_streamed(site).name, "not streamed")
        run_until(
            lambda: site.run("collect"), lambda: is_quiet(site), "the server is asked for new logs again and again"
        )
    with Restored(site, moment_of(int(time.time()))) as restored:
        assert restored.ask(ROWS) == "1"
    (site.state / "stream" / "rotated").unlink()  # as if it were long ago
    before = server.sql("SHOW MASTER STATUS").split()[0]
    site.run("collect")
    assert server.sql("SHOW MASTER STATUS").split()[0] > before


def is_quiet(site: BackupSite) -> bool:
    """Nothing is written, and so a few minutes need no new log."""
    before = server_of(site).sql("SHOW MASTER STATUS").split()[0]
    for dummy in range(3):
        site.run("collect")
    return server_of(site).sql("SHOW MASTER STATUS").split()[0] == before


def test_a_stream_and_a_collection_that_are_killed_go_on_without_a_gap(site: BackupSite) -> None:
    """One after the other: what the stream left is collected, and a collection is ended while the stream goes on."""
    server = server_of(site)
    chance = random.Random(6)
    count = kills(6)
    with Stream(site) as stream:
        site.run("full")
        for number in range(count):
            server.sql(f"INSERT INTO d.written (number, text) VALUES ({number}, REPEAT('x', 100000))")
            time.sleep(chance.uniform(0, 0.5))
            stream.kill()
            changed(site)
            started = time.monotonic()
            site.run("collect")
            usual = time.monotonic() - started
            changed(site)
            killed = subprocess.Popen(site.command("collect"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, usual))
            killed.kill()
            killed.wait()
            wait_until_ended(beside=["stream", "mariadb-binlog"])
            site.run("verify", "--deep")  # whatever has a final name is whole
        collect_until_sealed(site)
    assert leftovers(site) == []
    assert site.status()["gaps"] == []
    site.run("verify", "--deep")
    with Restored(site) as restored:
        assert restored.ask(ROWS) == ",".join(map(str, range(count)))


def test_every_corruption_of_a_set_or_a_log_is_found(site: BackupSite) -> None:
    with Stream(site):
        for number in range(2):
            site.run("full")
            server_of(site).sql(f"INSERT INTO d.written (number) VALUES ({number})")
            collect_until_sealed(site)
    assert len(names(site)) > 1
    assert passed_corruptions(site, corruptions(8)) == []


@pytest.mark.parametrize("how", ["RESET MASTER", "lost end"])
def test_a_server_that_begins_anew_makes_a_new_chain_and_asks_for_a_full_backup(site: BackupSite, how: str) -> None:
    server = server_of(site)
    wanted = site.state / "full-wanted"
    with Stream(site):
        site.run("full")
        server.sql("INSERT INTO d.written (number) VALUES (1)")
        collect_until_sealed(site)
        assert not wanted.exists()
        whole_second()
        if how == "RESET MASTER":
            server.sql("RESET MASTER")
        else:  # as after a crash of the host: the server's file ends before what we have of it
            server.sql("INSERT INTO d.written (number) VALUES (2)")
            newest = newest_streamed(site)
            size = newest.stat().st_size
            server.sql("INSERT INTO d.written (number, text) VALUES (3, REPEAT('y', 5000))")
            wait_for(lambda: newest.stat().st_size > size + 4000, "the row was not streamed")
            server.stop()
            lose_the_end(server, newest.name)
            server.start()
        server.sql("INSERT INTO d.written (number) VALUES (4)")
        wait_for(
            lambda: len(list((site.state / "stream").glob("2*Z"))) + len({n[:16] for n in names(site)}) > 2,
            "no new chain",
        )
        run_until(lambda: site.run("collect", check=False), wanted.exists, "no full backup was asked for")
        whole_second()
        site.run("full")
        assert not wanted.exists()
        server.sql("INSERT INTO d.written (number) VALUES (5)")
        collect_until_sealed(site)
        site.run("collect")
        assert not wanted.exists()
    status = site.status()
    assert status["gaps"] == []
    assert len({name.split("-")[0] for name in names(site)}) == 2
    rows = server.sql(ROWS)
    with Restored(site) as restored:
        assert restored.ask(ROWS) == rows


def newest_streamed(site: BackupSite) -> Path:
    return max((site.state / "stream").glob("2*Z/*.0*"), key=lambda path: (path.parent.name, path.name))


def lose_the_end(server: PrivateMariaDB, name: str) -> None:
    """Encrypted logs can't be cut where an event ends: the file is taken back to an empty one of its kind."""
    path = server.data / name
    path.write_bytes(path.read_bytes()[:256])


def wait_for(condition: t.Callable[[], bool], complaint: str, seconds: float = 30) -> None:
    run_until(lambda: None, condition, complaint, seconds)


def run_until(
    action: t.Callable[[], object], condition: t.Callable[[], bool], complaint: str, seconds: float = 30
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        action()
        if condition():
            return
        assert time.monotonic() < deadline, complaint
        time.sleep(0.2)


def test_a_log_that_is_damaged_or_missing_keeps_a_restore_from_passing(site: BackupSite) -> None:
    with Stream(site):
        site.run("full")
        for number in range(3):
            server_of(site).sql(f"INSERT INTO d.written (number) VALUES ({number})")
            collect_until_sealed(site)
    logs = names(site)
    victim = site.store / "log" / f"{logs[-2]}.zst.age"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-1])
    assert "was written" in site.refused("verify", "--deep") or "bytes" in site.refused("verify")
    failed = Restored(site)
    assert failed.done.returncode != 0
    assert "damaged" in failed.done.stdout
    failed.__exit__()
    victim.unlink()
    victim.with_suffix("").with_suffix(".json").unlink()
    assert [gap["count"] for gap in site.status()["gaps"]] == [1]
    failed = Restored(site)
    assert failed.done.returncode != 0
    failed.__exit__()
    newest = site.store / "log" / f"{logs[-1]}.zst.age"
    newest.unlink()
    newest.with_suffix("").with_suffix(".json").unlink()
    assert f"{logs[-1]} is not there any more" in site.run("verify", check=False).stdout


@pytest.mark.parametrize("privilege", ["RELOAD", "BINLOG MONITOR", "REPLICATION SLAVE"])
def test_each_privilege_for_the_log_is_needed(site: BackupSite, privilege: str) -> None:
    server = server_of(site)
    with Stream(site) as stream:
        site.run("full")
        collect_until_sealed(site)
        server.sql(f"REVOKE {privilege} ON *.* FROM {ACCOUNT}@localhost")
        stream.kill()
        run_until(lambda: write_on(site), lambda: site.run("collect", check=False).returncode == 1, "it went on")
        if privilege != "REPLICATION SLAVE":  # without that one, the stream falls behind
            assert privilege in site.refused("collect")


def write_on(site: BackupSite) -> None:
    changed(site)
    server_of(site).sql("FLUSH BINARY LOGS")
    changed(site)


def test_only_logs_that_no_full_backup_needs_are_pruned(site: BackupSite) -> None:
    with Stream(site):
        site.run("full")
        for dummy in range(3):
            collect_until_sealed(site)
        site.run("prune")
        before = names(site)
        assert len(before) >= 3  # all of them belong to the window
        whole_second()
        site.run("full")
        first, second = site.fulls()
        shutil.rmtree(site.store / "full" / first)  # as if it were older than the window
        collect_until_sealed(site)
        site.run("prune")
        assert site.fulls() == [second]
        assert before[0] not in names(site)
        server_of(site).sql("INSERT INTO d.written (number) VALUES (1)")
        collect_until_sealed(site)
    with Restored(site) as restored:
        assert restored.ask(ROWS) == "1"


def test_a_server_without_binary_logs_is_told(site: BackupSite) -> None:
    server = server_of(site)
    options = server.drop_ins / "more.cnf"
    options.write_text(re.sub("log_bin = .*\n", "", options.read_text(encoding="utf-8")), encoding="utf-8")
    server.restart()
    for command in ("stream", "collect"):
        assert "keeps no binary logs" in site.refused(command)


def test_what_is_streamed_is_the_jobs_alone(site: BackupSite) -> None:
    with Stream(site):
        site.run("full")
        collect_until_sealed(site)
        for path in [site.state / "stream", *(site.state / "stream").rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path
            done = subprocess.run([*as_account("nobody"), "ls", str(path)], check=False, capture_output=True)
            assert done.returncode != 0
