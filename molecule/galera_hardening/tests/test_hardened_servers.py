# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each node of the hardened cluster, as a server that clients and strangers meet."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests")]
pytest.register_assert_rewrite("hardened_mariadb")

from hardened_mariadb import REPLICATION_BUFFERS, HardenedServers, bring_authority

LAB = ROOT / "tools" / "lab.py"
PLATFORM = os.environ.get("BULWARK_PLATFORM", "debian12")
NODES = ("molecule-galera1", "molecule-galera2", "molecule-galera3")
STRANGER = "molecule-stranger"


@pytest.fixture(scope="module")
def stranger() -> t.Iterator[str]:
    """A host in the trusted network that is no member: with a server and a client, nothing hardened."""
    start = ("start", STRANGER, "--platform", PLATFORM, "--purpose", "mariadb")
    subprocess.run([sys.executable, LAB, *start], check=True, capture_output=True)
    bring_authority(NODES[0], STRANGER)
    yield STRANGER
    subprocess.run([sys.executable, LAB, "remove", STRANGER], check=True, capture_output=True)


class TestEachNode(HardenedServers):
    servers = NODES
    stated_in_clear = REPLICATION_BUFFERS
    in_a_cluster = True
