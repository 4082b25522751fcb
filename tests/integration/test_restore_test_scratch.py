# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore tests of one host share a folder by default, and begin at the same time of the night."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._io.restore_test_scratch import Scratch, remove_leftovers


def test_what_a_test_left_is_removed_and_another_that_runs_is_let_be(tmp_path: Path) -> None:
    """Each removed the other's server once, and both failed every night."""
    deadline = time.monotonic() + 60
    left = Scratch(str(tmp_path), "shop", "20261127T030000Z", deadline=deadline)
    other = Scratch(str(tmp_path), "shop-ledger", "20261127T030001Z", deadline=deadline)
    for scratch in (left, other):
        Path(scratch.data).mkdir()
    servers = [subprocess.Popen(["sleep", "60"], cwd=scratch.data) for scratch in (left, other)]
    try:
        assert remove_leftovers(str(tmp_path), "shop") == ["restored-shop.20261127T030000Z"]
        assert servers[0].wait(timeout=10) != 0
        assert servers[1].poll() is None
        assert [path.name for path in tmp_path.iterdir()] == ["restored-shop-ledger.20261127T030001Z"]
    finally:
        for server in servers:
            server.kill()
            server.wait()
