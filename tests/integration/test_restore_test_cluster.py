# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore tests of a cluster's nodes: that of a node without backups relies on another's proof, and on nothing less."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

import pytest

from backup_site import ACCOUNT, BackupSite
from private_mariadb import PrivateMariaDB
from restoring_host import ACCOUNT as RESTORING
from restoring_host import RestoringHost

NO_PROOF = "the source holds no full backup, and no test of another node of the cluster shop proves one"


class Nodes:
    """A restore host with a test for each of two nodes. All backups are of the second one."""

    def __init__(self, site: BackupSite) -> None:
        self.site = site
        self.host = RestoringHost(site, identity=site.offline)
        public = Path(f"{self.host.options['signing_key']}.pub").read_text(encoding="ascii")
        for node in ("node1", "node2"):
            for folder in (self.state(node), self.source(node)):
                folder.mkdir()
                shutil.chown(folder, RESTORING)
            signers = self.state(node) / "allowed_signers"
            signers.write_text(f'restorer namespaces="bulwark-restore-test" {public}', encoding="ascii")
        self.fill("node2")

    def state(self, node: str) -> Path:
        return self.host.folder / f"state-{node}"

    def source(self, node: str) -> Path:
        return self.host.folder / f"source-{node}"

    def fill(self, node: str) -> None:
        self.empty(node)
        shutil.copytree(self.site.store, self.source(node), dirs_exist_ok=True)
        subprocess.run(["chown", "-R", RESTORING, str(self.source(node))], check=True)

    def empty(self, node: str) -> None:
        for path in self.source(node).iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def run(self, node: str, **changes: t.Any) -> subprocess.CompletedProcess[str]:
        place = {"source": str(self.source(node)), "state": str(self.state(node))}
        return self.host.run(file=f"{node}.json", name=node, cluster="shop", **place, **changes)

    def status(self, node: str) -> dict[str, t.Any]:
        text = (self.state(node) / "status.json").read_text(encoding="utf-8")
        return t.cast("dict[str, t.Any]", json.loads(text))

    def records(self, node: str) -> list[Path]:
        found = (self.state(node) / "evidence").glob("*.json")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture
def nodes(stopped_mariadb: PrivateMariaDB, short_directory: Path) -> t.Iterator[Nodes]:
    root = Path(tempfile.mkdtemp(prefix="c", dir=short_directory))
    root.chmod(0o755)
    stopped_mariadb.start()
    stopped_mariadb.sql(f"CREATE USER {ACCOUNT}@localhost IDENTIFIED VIA unix_socket")
    stopped_mariadb.sql(f"GRANT RELOAD, PROCESS, BINLOG MONITOR ON *.* TO {ACCOUNT}@localhost")
    stopped_mariadb.sql("CREATE DATABASE d; CREATE TABLE d.t (number INT) ENGINE=InnoDB")
    site = BackupSite(root, "mariadb", stopped_mariadb)
    site.run("full")
    yield Nodes(site)
    shutil.rmtree(root)


def test_a_node_without_backups_leaves_the_proof_to_another_s_test_and_to_nothing_less(nodes: Nodes) -> None:
    alone = nodes.run("node1")
    assert alone.returncode == 1
    assert f"{NO_PROOF} (none has restored any)" in alone.stderr

    proven = nodes.run("node2")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    identifier = nodes.site.fulls()[0]
    aside = nodes.run("node1")
    assert aside.returncode == 0, aside.stdout + aside.stderr
    assert f"another node of the cluster has the backups: node2 restored {identifier}" in aside.stdout
    record = json.loads(nodes.records("node1")[-1].read_text(encoding="utf-8"))
    assert [record["outcome"], record["error"], record["backup"]] == ["aside", "", None]
    status = nodes.status("node1")
    assert status["last_aside"] == record["finished"]
    assert [status["last_success"], status["last_error"]] == [None, None]

    latest = nodes.records("node2")[-1]
    signature = Path(f"{latest}.sig")
    kept = signature.read_bytes()
    signature.write_bytes(b"")
    assert f"{NO_PROOF} (node2: the record of the restore test of {identifier} has no valid signature)" in (
        nodes.run("node1").stderr
    )
    signature.write_bytes(kept)

    nodes.empty("node2")
    assert nodes.run("node2").returncode == 1  # it had a backup before, whatever the other says
    assert f"{NO_PROOF} (node2: the restore test failed: can't read" in nodes.run("node1").stderr

    nodes.fill("node2")
    assert nodes.run("node2").returncode == 0
    assert nodes.run("node1").returncode == 0
    (nodes.host.folder / "node2.json").unlink()  # that test was taken away
    assert f"{NO_PROOF} (none has restored any)" in nodes.run("node1").stderr


def test_a_source_that_had_a_backup_has_lost_it_and_one_that_is_damaged_never_stands_aside(nodes: Nodes) -> None:
    assert nodes.run("node2").returncode == 0
    (nodes.source("node1") / "full").mkdir()
    (nodes.source("node1") / "full" / "strange").mkdir()
    damaged = nodes.run("node1")
    assert damaged.returncode == 1
    assert NO_PROOF not in damaged.stderr
    nodes.fill("node1")
    proven = nodes.run("node1")
    assert proven.returncode == 0, proven.stdout + proven.stderr
    nodes.empty("node1")
    assert nodes.run("node1").returncode == 1
