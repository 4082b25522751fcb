# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore test judges of a real server that it restored: lost rows, a tool that is missing, the moment."""

from __future__ import annotations

import shutil
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import MARGIN_SECONDS
from backup_site import ACCOUNT, BackupSite
from private_mariadb import PrivateMariaDB
from private_server import PrivateServer
from restoring_host import RestoringHost
from test_backup_program_binary_log import PRIVILEGES, Stream, collect_until_sealed, names
from test_backup_program_postgresql import start_archiving, switch


@pytest.fixture
def site(server: PrivateServer, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server that archives, and its job."""
    site = BackupSite(Path(tempfile.mkdtemp(prefix="c", dir=short_directory)), "postgresql", server)
    start_archiving(site)
    yield site
    shutil.rmtree(site.root)


def backed_up(site: BackupSite) -> None:
    site.run("full")
    time.sleep(MARGIN_SECONDS + 2.2)  # its first moment is rounded up to a second, its last one down
    switch(site)


def test_rows_that_went_fail_the_test_until_it_is_told_that_they_went_on_purpose(site: BackupSite) -> None:
    server = t.cast("PrivateServer", site.server)
    server.psql("INSERT INTO written SELECT generate_series(1, 1000)")
    backed_up(site)
    host = RestoringHost(site, identity=site.offline)
    first = host.run()
    assert first.returncode == 0, first.stdout + first.stderr
    server.psql("TRUNCATE written")
    backed_up(site)
    host.fill(site)
    for dummy in range(2):  # the record of a failure lowers nothing
        assert "0 rows of all databases; there were 1000" in host.run().stderr
    assert host.run(smallest_share=0.0).returncode == 0
    assert host.run().returncode == 0
    outcomes = [record["outcome"] for record in host.records()]
    assert outcomes == ["success", "failure", "failure", "success", "success"]
    assert host.left() == []


def test_a_host_without_pg_amcheck_says_so_and_counts_no_check_for_it(site: BackupSite) -> None:
    backed_up(site)
    host = RestoringHost(site, identity=site.offline)
    programs = host.folder / "programs"
    programs.mkdir()
    for program in t.cast("PrivateServer", site.server).bin.iterdir():
        if program.name != "pg_amcheck":
            (programs / program.name).symlink_to(program)
    programs.chmod(0o755)
    done = host.run(binaries=str(programs))
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = host.records()
    (check,) = (check for check in record["checks"] if check["name"] == "pg_amcheck")
    assert (check["passed"], check["made"]) == (False, False)
    passed = sum(check["passed"] for check in record["checks"])
    assert f"{passed} checks passed; not made: pg_amcheck ({programs}/pg_amcheck is not installed here)" in done.stdout


@pytest.fixture
def mariadb_site(stopped_mariadb: PrivateMariaDB, short_directory: Path) -> t.Iterator[BackupSite]:
    """A server with binary logs, and its job, which follows them."""
    options = "[mariadbd]\nlog_bin = binlog\nserver_id = 7\n"
    (stopped_mariadb.drop_ins / "more.cnf").write_text(options, encoding="utf-8")
    stopped_mariadb.start()
    stopped_mariadb.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    stopped_mariadb.sql(f"GRANT {', '.join(PRIVILEGES)} ON *.* TO {ACCOUNT}@localhost")
    stopped_mariadb.sql("CREATE DATABASE d; CREATE TABLE d.written (number INT PRIMARY KEY) ENGINE=InnoDB")
    site = BackupSite(Path(tempfile.mkdtemp(prefix="m", dir=short_directory)), "mariadb", stopped_mariadb)
    site.configure(stream=str(site.state / "stream"))
    yield site
    shutil.rmtree(site.root)


def test_the_moment_of_mariadb_is_proven_by_the_binary_logs_that_were_read(mariadb_site: BackupSite) -> None:
    with Stream(mariadb_site):
        mariadb_site.run("full")
        for number in range(2):
            time.sleep(2)
            t.cast("PrivateMariaDB", mariadb_site.server).sql(f"INSERT INTO d.written VALUES ({number})")
            collect_until_sealed(mariadb_site)
    host = RestoringHost(mariadb_site, identity=mariadb_site.offline)
    done = host.run()
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = host.records()
    assert record["binary_log"] in names(mariadb_site)
    (check,) = (check for check in record["checks"] if check["name"] == "binary log")
    assert check["passed"]
    assert f"read up to {record['binary_log']}, opened 20" in check["detail"]
    assert host.left() == []
