# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real cluster of three nodes, each with the job: one makes the full backup, and somebody says so if none does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest
import yaml

from backup_site import ACCOUNT, BackupSite
from private_galera import PrivateGalera

ROLE_VARS = Path(__file__).parents[2] / "roles" / "encrypted_backup" / "vars" / "main.yml"
PRIVILEGES = ["RELOAD", "PROCESS", "BINLOG MONITOR"]
# Nodes start seconds apart on a busy machine, and each asks for a second or more; the role waits for 30. With 5 a
# writer gave up while the second node was just about to take over.
WAIT_SECONDS = 15


@pytest.fixture
def sites(galera: PrivateGalera, short_directory: Path) -> t.Iterator[list[BackupSite]]:
    """The job on node1, node2 and node3. The last one is the first of the list, node1 is the writer."""
    root = Path(tempfile.mkdtemp(prefix="c", dir=short_directory))
    root.chmod(0o755)
    role = yaml.safe_load(ROLE_VARS.read_text(encoding="utf-8"))
    first = galera.nodes[0]
    first.sql(role["__encrypted_backup_leases_table"])
    first.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    first.sql(f"GRANT {', '.join(PRIVILEGES)} ON *.* TO {ACCOUNT}@localhost")
    needed = ", ".join(role["__encrypted_backup_leases_privileges"])
    first.sql(f"GRANT {needed} ON bulwark_backup.leases TO {ACCOUNT}@localhost")
    sites = [BackupSite(root / node.name, "mariadb", node) for node in galera.nodes]
    for site in sites:
        site.configure(cluster=cluster())
    yield sites
    first.sql(f"DROP USER {ACCOUNT}@localhost; DROP DATABASE bulwark_backup")
    shutil.rmtree(root)


def cluster(*, writers: t.Sequence[str] = ("node1",), wait: int = WAIT_SECONDS) -> dict[str, t.Any]:
    return {
        "nodes": ["node3", "node2", "node1"],
        "writers": list(writers),
        "wait_seconds": wait,
        "late_seconds": 0,
    }


def run_all(sites: t.Sequence[BackupSite]) -> list[subprocess.CompletedProcess[str]]:
    """As their timers do, at the same time."""
    pipes: dict[str, t.Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": "/"}
    started = [subprocess.Popen(site.command("full"), **pipes) for site in sites]
    return [
        subprocess.CompletedProcess(process.args, process.wait(), *texts)
        for process, texts in [(process, process.communicate(timeout=120)) for process in started]
    ]


def outcomes(site: BackupSite) -> list[str]:
    history = json.loads((site.state / "history.json").read_text(encoding="utf-8"))
    return [run["outcome"] for run in history if run["command"] == "full"]


def test_the_first_of_the_list_makes_it_and_the_others_stand_aside(sites: list[BackupSite]) -> None:
    first, second, third = run_all(sites)
    assert [first.returncode, second.returncode, third.returncode] == [0, 0, 0], (first, second, third)
    assert [len(site.fulls()) for site in sites] == [0, 0, 1]
    assert "node3 makes the full backup for the cluster" in third.stdout
    for done in (first, second):
        assert re.search(r"stands aside: node3 (makes it|has made it)", done.stdout), done.stdout
    assert [outcomes(site) for site in sites] == [["aside"], ["aside"], ["success"]]
    assert sites[0].status()["last_aside"]
    assert "another node of the cluster has the backups" in sites[0].run("verify", "--deep").stdout
    assert not sites[0].status()["last_failure"]


def test_one_that_can_not_leaves_it_to_the_next(galera: PrivateGalera, sites: list[BackupSite]) -> None:
    galera.nodes[2].sql("SET GLOBAL wsrep_desync = ON")
    first, second, third = run_all(sites)
    assert [first.returncode, second.returncode, third.returncode] == [0, 0, 0], (first, second, third)
    assert "node3 is Donor/Desynced, not Synced" in third.stdout
    assert [len(site.fulls()) for site in sites] == [0, 1, 0]


def test_one_that_fails_is_replaced_and_fails_itself(sites: list[BackupSite]) -> None:
    sites[2].configure(minimum_free_percent=90)
    first, second, third = run_all(sites)
    assert [first.returncode, second.returncode, third.returncode] == [0, 0, 1], (first, second, third)
    assert "are the minimum" in third.stderr
    assert [len(site.fulls()) for site in sites] == [0, 1, 0]


def test_one_that_was_killed_is_replaced_after_its_deadline(sites: list[BackupSite]) -> None:
    """Its row stays, as a killed process leaves it."""
    server = sites[0].server
    leased = "job = 'main', node = 'node3', version = 1, started = UNIX_TIMESTAMP(), outcome = 'running'"
    server.sql(f"INSERT INTO bulwark_backup.leases SET {leased}, deadline = UNIX_TIMESTAMP() + 600")
    assert "stands aside: node3 makes it" in sites[1].run("full").stdout
    server.sql("UPDATE bulwark_backup.leases SET deadline = UNIX_TIMESTAMP() - 1")
    assert "node2 makes the full backup" in sites[1].run("full").stdout


def test_nobody_is_an_error_on_every_node(galera: PrivateGalera, sites: list[BackupSite]) -> None:
    for node in galera.nodes[1:]:
        node.sql("SET GLOBAL wsrep_desync = ON")
    for site in sites:
        site.configure(cluster=cluster(wait=1))
    done = run_all(sites)
    assert [run.returncode for run in done] == [1, 1, 1]
    for run, reason in zip(done, ("node1 is a writer", "node2 is Donor/Desynced", "node3 is Donor/Desynced")):
        assert "no node of the cluster has made the full backup of main" in run.stderr
        assert reason in run.stderr
        assert len(run.stderr.splitlines()) == 1


def test_two_that_reach_for_it_in_the_same_moment_make_one(sites: list[BackupSite]) -> None:
    """Each believes that it is the first, as with lists that differ."""
    for number in range(3):
        for site, order in zip(sites[1:], (["node2", "node3", "node1"], ["node3", "node2", "node1"])):
            site.configure(cluster={**cluster(), "nodes": order})
        before = [len(site.fulls()) for site in sites]
        sites[0].server.sql("DELETE FROM bulwark_backup.leases")
        done = run_all(sites[1:])
        assert [run.returncode for run in done] == [0, 0], done
        made = [len(site.fulls()) - count for site, count in zip(sites, before)]
        assert sorted(made) == [0, 0, 1], f"round {number}: {made}"


@pytest.mark.parametrize("missing", ["SELECT", "INSERT", "UPDATE"])
def test_each_privilege_on_the_table_is_needed(sites: list[BackupSite], missing: str) -> None:
    sites[0].server.sql(f"REVOKE {missing} ON bulwark_backup.leases FROM {ACCOUNT}@localhost")
    line = sites[2].refused("full")
    assert "bulwark_backup.leases" in line
    assert f"{missing} command denied" in line.replace("INSERT, ", "")
    assert not sites[2].fulls()


def test_a_server_without_a_cluster_is_told(sites: list[BackupSite], mariadb: t.Any, tmp_path: Path) -> None:
    del sites, tmp_path
    root = Path(tempfile.mkdtemp(prefix="o", dir=mariadb.socket.parent))
    mariadb.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    site = BackupSite(root, "mariadb", mariadb)
    site.configure(cluster=cluster())
    assert "no node of a Galera cluster" in site.refused("full")
