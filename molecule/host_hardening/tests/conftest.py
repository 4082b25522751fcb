# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario, and a way to run our modules and playbooks on them."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
import testinfra

if t.TYPE_CHECKING:
    from testinfra.host import Host

SCENARIO = Path(__file__).resolve().parent.parent
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]


def _host(name: str) -> Host:
    return testinfra.get_host(f"podman://{name}")


def _named(word: str) -> str:
    listing = subprocess.run(
        ["ansible-inventory", "-i", INVENTORY, "--list"], check=True, capture_output=True, text=True
    ).stdout
    return next(name for name in json.loads(listing)["_meta"]["hostvars"] if word in name)


@pytest.fixture(scope="session")
def server_name() -> str:
    return _named("server")


@pytest.fixture(scope="session")
def server(server_name: str) -> Host:
    return _host(server_name)


@pytest.fixture(scope="session")
def friend() -> Host:
    return _host(_named("friend"))


@pytest.fixture(scope="session")
def stranger() -> Host:
    return _host(_named("stranger"))


@pytest.fixture
def address(server: Host) -> str:
    """Asked anew each time: a container that was restarted has another one."""
    return server.check_output("hostname --all-ip-addresses").split()[0]


class Ansible:
    """Our modules and playbooks as users run them."""

    def __init__(self, host: str) -> None:
        self.host = host

    def module(self, name: str, options: dict[str, t.Any], *flags: str, host: str = "") -> dict[str, t.Any]:
        """What the module returned; ``failed`` is part of it."""
        command = ["ansible", "-i", INVENTORY, host or self.host, "-m", f"bulwark.database.{name}", "-a"]
        environment = {
            **os.environ,
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        done = subprocess.run(
            [*command, json.dumps(options), *flags], check=False, capture_output=True, text=True, env=environment
        )
        return json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][host or self.host]

    def playbook(self, name: str, *flags: str, inventory: str = INVENTORY) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", "-i", inventory, name, *flags]
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=SCENARIO)


@pytest.fixture(scope="session")
def ansible(server_name: str) -> Ansible:
    return Ansible(server_name)
