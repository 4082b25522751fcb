# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full backup that a broken chain of binary logs asks for is asked for once, and only where it can be made."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_election import Cluster, NodeState
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import BackupJob, MariaDBPlace
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import Contents
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.bulwark.database.plugins.module_utils._io.backup_store import Store
from ansible_collections.bulwark.database.plugins.module_utils._io.binary_log import Streamed
from ansible_collections.bulwark.database.plugins.module_utils._job import binary_log, cluster_turn
from sample_backups import full


class Looked(Store):
    """A store with a full backup that no log leads on from."""

    def look(self, *, contents: bool = False) -> Contents:
        return Contents((full(1000, engine="mariadb"),), (), ())


@pytest.fixture
def job(tmp_path: Path) -> BackupJob:
    place = MariaDBPlace("/run/mysqld/mysqld.sock", "bulwark-backup", "/etc/mysql/my.cnf", "/var/lib/mysql")
    chain = tmp_path / "stream" / "20261125T000000Z"
    chain.mkdir(parents=True)
    (chain / "bin.000001").touch()
    values: dict[str, t.Any] = {field.name: "" for field in dataclasses.fields(BackupJob)}
    values.update(
        name="main", engine="mariadb", store=str(tmp_path), state=str(tmp_path), stream=str(chain.parent), server=place,
        cluster=Cluster(nodes=("node1", "node2"), writers=("node1",), wait_seconds=1),
    )  # fmt: skip
    return BackupJob(**values)


@pytest.mark.parametrize("node", ["node1", "node2", "stranger"])
def test_a_node_that_may_not_make_it_does_not_ask_for_it(
    job: BackupJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    state = NodeState(node, "Synced", "Primary", ready=True)
    monkeypatch.setattr(binary_log, "observe_node", lambda dummy: state)
    binary_log._ask_for_a_full_backup(job, Looked(job.store), Streamed(job.stream), lambda dummy: None)
    assert (tmp_path / "full-wanted").exists() is (node == "node2")


def test_what_was_asked_for_is_tried_once_whatever_comes_of_it(
    job: BackupJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service that ends in -renew runs each minute as long as the file is there."""

    def nobody(*dummy: t.Any) -> None:
        raise ApplyFailed("no node of the cluster has made the full backup")

    monkeypatch.setattr(cluster_turn, "_take_lease", nobody)
    (tmp_path / "full-wanted").touch()
    with pytest.raises(ApplyFailed):
        cluster_turn.make_full_in_turn(job, lambda dummy: None)
    assert not (tmp_path / "full-wanted").exists()
