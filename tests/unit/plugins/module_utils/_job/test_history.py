# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A history that got damaged is neither an empty one nor written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_status import Run
from ansible_collections.bulwark.database.plugins.module_utils._job.state import read_runs, remember_at

FULL = Run("full", "2026-11-25T00:00:00Z", "2026-11-25T00:01:00Z", 60.0, "success", id="20261125T000000Z")
VERIFY = Run("verify", "2026-11-25T01:00:00Z", "2026-11-25T01:01:00Z", 60.0, "success")


@pytest.mark.parametrize("damage", ["", "{broken", "{}", "[1]", '[{"command": "full"}]', "[" * 100_000])
def test_a_damaged_history_is_kept_and_told_of_until_somebody_has_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path, aside = tmp_path / "history.json", tmp_path / "history.json.damaged"
    assert read_runs(str(path)) == ()
    remember_at(str(path), FULL)
    assert read_runs(str(path)) == (FULL,)
    path.write_text(damage, encoding="utf-8")
    (told,) = read_runs(str(path))
    assert told.failed
    assert f"{path} is damaged" in told.error
    assert path.read_text(encoding="utf-8") == damage
    assert capsys.readouterr().out == ""
    remember_at(str(path), VERIFY)
    assert aside.read_text(encoding="utf-8") == damage
    assert str(aside) in capsys.readouterr().out
    told, *rest = read_runs(str(path))
    assert told.failed
    assert str(aside) in told.error
    assert rest == [VERIFY]
    aside.unlink()
    assert read_runs(str(path)) == (VERIFY,)


def test_a_history_that_can_not_be_read_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "history.json"
    path.mkdir()
    assert "can't read" in read_runs(str(path))[0].error
    remember_at(str(path), FULL)
    assert (tmp_path / "history.json.damaged").is_dir()
    assert read_runs(str(path))[1:] == (FULL,)
