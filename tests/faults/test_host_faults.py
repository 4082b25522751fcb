# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole host that loses its power while the role runs, and the run with it: it boots, and another run finishes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from killed_playbook import Playbook, changes

ROOT = Path(__file__).resolve().parents[2]
NAME = "bulwark-faults"
SEED = 20261125
# In this order, each in a run of its own on what the one before left behind; the longest of them takes about so long.
TASKS = (
    "Install the certificate and that of the authority",
    "Set the server's parameters",
    "Set who may log in from where",
    "Mend owners and modes of files",
    "Bring the rules into force, with a timer that takes them back",
    "Take the rollback off and keep the rules over the next boot",
    "Confine services",
)
LONGEST = 3.0
BOOT_SECONDS = 60

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("BULWARK_ALL_FAULTS") != "1", reason="wants a host in a container: BULWARK_ALL_FAULTS=1 runs it"
    ),
    pytest.mark.timeout(1800),
]


def lab(verb: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "tools" / "lab.py"), verb, NAME, *arguments], check=True)


def on_host(*command: str) -> str:
    done = subprocess.run(["podman", "exec", NAME, *command], check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else f"{command[0]}: {done.stderr.strip()}"


def as_operator(sql: str) -> str:
    return on_host("runuser", "-u", "postgres", "--", "psql", "-XAtqc", sql)


@pytest.fixture
def host() -> t.Iterator[None]:
    lab("remove")
    lab("start", "--platform", os.environ.get("BULWARK_PLATFORM", "debian12"))
    yield
    lab("remove")


@pytest.fixture
def playbook(tmp_path: Path) -> Playbook:
    connection = {
        "ansible_connection": "podman_pipelined",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_user": "root",
        "bulwark_ca_dir": str(tmp_path / "ca"),
        "bulwark_trusted_networks": ["10.89.77.0/24"],
        "postgresql_hardening_allow_restart": True,
    }
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"postgresql": {"hosts": {NAME: connection}}}), encoding="utf-8")
    role = {"ansible.builtin.include_role": {"name": "bulwark.database.postgresql_hardening"}}
    play = tmp_path / "play.yml"
    play.write_text(
        yaml.safe_dump([{"hosts": "postgresql", "tasks": [{"name": "Harden it", **role}]}]), encoding="utf-8"
    )
    return Playbook(play, "-i", str(inventory))


def lose_power() -> None:
    subprocess.run(["podman", "kill", NAME], check=True, capture_output=True)
    subprocess.run(["podman", "wait", NAME], check=True, capture_output=True)
    lab("start")


def assert_up(after: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while as_operator("SELECT current_user") != "postgres":
        assert time.monotonic() < deadline, f"{after}: {as_operator('SELECT current_user')}"
        time.sleep(0.5)


def test_a_host_that_loses_its_power_again_and_again_boots_and_is_finished_by_the_run_after(
    host: None, playbook: Playbook
) -> None:
    chance = random.Random(SEED)
    for task in TASKS:
        assert playbook.kill(task, after=chance.uniform(0, LONGEST)), f"it did not get to: {task}"
        lose_power()
        assert_up(task)
    playbook.run()
    assert changes(playbook.run()) == 0
    lose_power()
    assert_up("the end")
    assert as_operator("SHOW ssl") == "on"
    assert on_host("systemctl", "is-active", "bulwark-packet-filter") == "active"
    assert "10.89.77.0/24" in on_host("nft", "list", "table", "inet", "bulwark")
