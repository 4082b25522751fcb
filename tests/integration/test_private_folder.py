# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders for a moment, on the real file system, with a run that is killed."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._io.private_folder import private_folder


@pytest.fixture(autouse=True)
def temporary_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(temporary_directory: Path) -> None:
    child = os.fork()
    if child == 0:
        with private_folder({}) as folder:
            Path(folder, "secret").write_text("x", encoding="ascii")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    (left,) = temporary_directory.iterdir()
    assert (left / "secret").exists()
    with private_folder({}) as outer:
        assert not left.exists()
        assert Path(outer).stat().st_mode & 0o777 == 0o700
        with private_folder({}) as inner:
            assert Path(outer).exists()
            assert inner != outer
    assert not list(temporary_directory.iterdir())


def test_what_somebody_else_puts_there_is_not_followed(temporary_directory: Path) -> None:
    treasure = temporary_directory / "treasure"
    treasure.mkdir()
    (temporary_directory / "bulwark-private-link").symlink_to(treasure)
    with private_folder({}):
        assert treasure.exists()
    assert (temporary_directory / "bulwark-private-link").is_symlink()


def _use_many() -> int:
    for dummy in range(300):
        with private_folder({}) as folder:
            Path(folder, "file").write_text("x", encoding="ascii")
            assert Path(folder, "file").exists()
    return 0


def test_runs_at_the_same_time_leave_each_others_folders_alone(temporary_directory: Path) -> None:
    children = []
    for dummy in range(4):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = _use_many()
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    assert not list(temporary_directory.iterdir())
