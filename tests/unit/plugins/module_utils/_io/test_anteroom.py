# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database's host left in the anteroom is carried on whole, once, and never by a detour."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import BackupJob, PostgreSQLPlace
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.pgbackrest import Repository
from ansible_collections.bulwark.database.plugins.module_utils._io.anteroom import carry, pushed

FOLDER = "archive/main/15-1/0000000100000000"
NAME = f"000000010000000000000005-{'a' * 40}.zst"
OTHER = f"000000010000000000000005-{'b' * 40}.zst"
NEXT = f"000000010000000000000006-{'c' * 40}.zst"


@pytest.fixture
def job(tmp_path: Path) -> BackupJob:
    for name in ("store/repository", f"incoming/{FOLDER}"):
        (tmp_path / name).mkdir(parents=True)
    return BackupJob(
        name="main",
        engine="pgbackrest",
        store=str(tmp_path / "store"),
        state=str(tmp_path / "state"),
        incoming=str(tmp_path / "incoming"),
        recipients=("one", "two"),
        keep_days=7,
        compression_level=1,
        deadline_seconds=60,
        minimum_free_percent=1,
        smallest_share=0.5,
        server=PostgreSQLPlace("/run", 5432, "account", "/usr/bin", "/data"),
        repository=Repository("/folder", side="repository", address="192.0.2.1", source_address="192.0.2.2"),
    )


def anteroom(job: BackupJob, folder: str = FOLDER) -> Path:
    return Path(job.incoming) / folder


def repository(job: BackupJob, folder: str = FOLDER) -> Path:
    return Path(job.store) / "repository" / folder


def test_what_is_whole_is_carried_on_with_histories_and_the_rest_stays(job: BackupJob) -> None:
    (anteroom(job) / NAME).write_bytes(b"segment")
    (anteroom(job) / f"{NEXT}.pgbackrest.tmp").write_bytes(b"half")
    (anteroom(job, "archive/main/15-1") / "00000002.history").write_bytes(b"history")
    (anteroom(job, "archive/main") / "archive.info").write_bytes(b"info")
    assert pushed(job) == 2
    assert carry(job) == (2, len(b"segment") + len(b"history"))
    assert (repository(job) / NAME).read_bytes() == b"segment"
    assert (repository(job) / NAME).stat().st_mode & 0o777 == 0o600
    assert (repository(job, "archive/main/15-1") / "00000002.history").read_bytes() == b"history"
    assert sorted(path.name for path in anteroom(job).iterdir()) == [f"{NEXT}.pgbackrest.tmp"]
    assert not (repository(job, "archive/main") / "archive.info").exists()
    assert carry(job) == (0, 0)


def test_what_is_stored_is_never_replaced_and_keeps_nothing_else_back(job: BackupJob) -> None:
    (anteroom(job) / NAME).write_bytes(b"segment")
    carry(job)
    (anteroom(job) / NAME).write_bytes(b"forged!")
    (anteroom(job) / OTHER).write_bytes(b"other")
    (anteroom(job) / NEXT).write_bytes(b"next")
    with pytest.raises(ApplyFailed, match="is in the repository already with other contents"):
        carry(job)
    assert (repository(job) / NAME).read_bytes() == b"segment"
    assert (repository(job) / NEXT).read_bytes() == b"next"
    assert [path.name for path in anteroom(job).iterdir()] == [OTHER]


def test_no_link_is_followed(job: BackupJob, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / NAME).write_bytes(b"another job's")
    (anteroom(job) / NAME).symlink_to(elsewhere / NAME)
    (anteroom(job, "archive/main/15-1") / "0000000100000001").symlink_to(elsewhere)
    (anteroom(job, "archive/main") / "15-2").symlink_to(elsewhere)
    assert (pushed(job), carry(job)) == (0, (0, 0))
    assert (elsewhere / NAME).read_bytes() == b"another job's"
    aside = dataclasses.replace(job, name="aside")
    (Path(job.incoming) / "archive" / "aside").symlink_to(Path(job.incoming) / "archive" / "main")
    assert pushed(aside) == 0
