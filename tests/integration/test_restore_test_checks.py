# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore test judges of a real server that it restored: rows that went, and tools that are not there."""

from __future__ import annotations

import shutil
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import MARGIN_SECONDS
from backup_site import BackupSite
from private_server import PrivateServer
from restoring_host import RestoringHost
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
