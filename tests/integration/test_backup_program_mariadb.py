# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealed full backups of a real MariaDB server with encrypted tables, restored by following RESTORE.txt."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from backup_site import ACCOUNT, UNSAFE_NAME, BackupSite, as_account
from private_mariadb import PrivateMariaDB
from random_faults import kill_fulls, kills

MARKER = "f1ndme-Bulwark-marker"
# What mariadb-backup --galera-info needs; each is tried without in a test.
PRIVILEGES = ["RELOAD", "PROCESS", "BINLOG MONITOR"]


@pytest.fixture
def site(stopped_mariadb: PrivateMariaDB, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server that encrypts its tables and keeps a binary log, and its job."""
    root = Path(tempfile.mkdtemp(prefix="g", dir=short_directory))
    root.chmod(0o755)
    keys = root / "keys"
    keys.write_text(f"1;{'5a' * 32}\n", encoding="utf-8")
    stopped_mariadb.chown(keys)
    keys.chmod(0o400)
    (stopped_mariadb.drop_ins / "more.cnf").write_text(
        "[mariadbd]\nlog_bin = binlog\nplugin_load_add = file_key_management\n"
        f"file_key_management_filename = {keys}\ninnodb_encrypt_tables = FORCE\ninnodb_encrypt_log = ON\n",
        encoding="utf-8",
    )
    stopped_mariadb.start()
    stopped_mariadb.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    stopped_mariadb.sql(f"GRANT {', '.join(PRIVILEGES)} ON *.* TO {ACCOUNT}@localhost")
    stopped_mariadb.sql("CREATE DATABASE d; CREATE TABLE d.`it's` (number INT, text TEXT) ENGINE=InnoDB")
    yield BackupSite(root, "mariadb", stopped_mariadb, folder=UNSAFE_NAME)
    shutil.rmtree(root)


def test_the_state_of_a_set_is_restored_by_restore_txt_alone(site: BackupSite) -> None:
    server = t.cast("PrivateMariaDB", site.server)
    server.sql(f"USE d; INSERT INTO `it's` SELECT seq, '{MARKER}' FROM seq_1_to_5000")
    site.run("full")
    server.sql("INSERT INTO d.`it's` VALUES (0, 'later')")
    site.run("verify", "--deep")
    status = site.status()
    (full,) = status["fulls"]
    assert full["files"][0]["plain_bytes"] > full["bytes"] > 10_000
    assert [interval["from"] == interval["to"] for interval in status["restorable"]] == [True]
    data = b"".join(path.read_bytes() for path in site.store.rglob("*") if path.is_file())
    assert MARKER.encode() not in data
    text = (site.store / "RESTORE.txt").read_text(encoding="utf-8")
    assert f"\n- {site.root}/keys\n" in text
    folder = Path(tempfile.mkdtemp(prefix="r", dir=site.root))
    folder.chmod(0o755)
    restored = folder / "it's data"
    done = site.restore(restored)
    try:
        log = restored / "restore.log"
        assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")
        assert ask(restored, "SELECT COUNT(*), MIN(number), MAX(text) FROM d.`it's`") == f"5000\t1\t{MARKER}"
    finally:
        shut_down(restored)


def ask(data: Path, sql: str) -> str:
    command = ["mariadb", "--no-defaults", f"--socket={data}/restore.sock", "-BN", "-e", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def shut_down(data: Path) -> None:
    subprocess.run(
        ["mariadb", "--no-defaults", f"--socket={data}/restore.sock", "-e", "SHUTDOWN"],
        check=False, capture_output=True,
    )  # fmt: skip


@pytest.mark.parametrize("privilege", PRIVILEGES)
def test_each_privilege_of_the_job_is_needed(site: BackupSite, privilege: str) -> None:
    server = t.cast("PrivateMariaDB", site.server)
    server.sql(f"REVOKE {privilege} ON *.* FROM {ACCOUNT}@localhost")
    site.refused("full")
    assert list((site.store / "full").iterdir()) == []
    assert site.status()["last_error"]


def test_a_server_that_goes_away_in_the_middle_makes_no_set(site: BackupSite) -> None:
    server = t.cast("PrivateMariaDB", site.server)
    site.run("full")
    good = site.fulls()
    server.stop()
    assert "mariadb-backup ended with status" in site.refused("full")
    assert site.fulls() == good
    site.run("verify", "--deep")


def test_a_run_killed_at_any_moment_leaves_nothing_that_looks_complete(site: BackupSite) -> None:
    kill_fulls(site, kills(3))


def test_the_account_can_not_read_the_servers_files_by_itself(site: BackupSite) -> None:
    """Reading them is the right of the job's service, not of the account."""
    server = t.cast("PrivateMariaDB", site.server)
    done = subprocess.run([*as_account(ACCOUNT), "cat", str(server.data / "ibdata1")], check=False, capture_output=True)
    assert done.returncode != 0
    assert (server.data / "ibdata1").stat().st_mode & 0o007 == 0
