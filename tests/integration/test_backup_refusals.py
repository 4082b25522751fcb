# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook that proves backups deploys, and what it and the role refuse before they do anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
OF_PGBACKREST = {"bulwark_backup_engine": "pgbackrest", "bulwark_backup_recipients": [RECIPIENT]}


class Played(t.NamedTuple):
    """``tasks``: those that somebody ran, in order; ``told``: the message of the last failure."""

    tasks: list[str]
    told: str


def play(playbook: Path, home: Path, variables: t.Mapping[str, t.Any], *, restoring: bool = True) -> Played:
    """On hosts that nobody has: what gets through without a refusal is found to be out of reach."""
    unreachable = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    groups = {"postgresql": {"hosts": {"db1": dict(variables)}}}
    if restoring:
        groups["restore_test"] = {"hosts": {"restore1": {}}}
    inventory = home / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"all": {"vars": unreachable, "children": groups}}), encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "LC_ALL": "C.UTF-8",
    }
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(playbook), "-i", str(inventory)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    tasks = [task for one in json.loads(done.stdout[done.stdout.index("{") :])["plays"] for task in one["tasks"]]
    ran = {task["task"]["name"]: list(task["hosts"].values()) for task in tasks}
    told = [str(one["msg"]) for answers in ran.values() for one in answers if "msg" in one and not one.get("skipped")]
    return Played([name for name, answers in ran.items() if not all(one.get("skipped") for one in answers)], told[-1])


def prove(home: Path, variables: t.Mapping[str, t.Any], *, restoring: bool = True) -> Played:
    return play(ROOT / "playbooks" / "prove_backups.yml", home, variables, restoring=restoring)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({}, "Set restore_test_pull_command for all hosts"),
        (
            {"restore_test_pull_command": ["/bin/true"], "encrypted_backup_repository_host": "backup1"},
            "the backups of db1 are on backup1 (encrypted_backup_repository_host)",
        ),
    ],
    ids=["not handed over", "on another host"],
)
def test_what_can_not_be_proven_is_refused_before_any_host_is_reached(
    tmp_path: Path, more: dict[str, t.Any], complaint: str
) -> None:
    done = prove(tmp_path, {**OF_PGBACKREST, **more})
    assert complaint in done.told
    assert done.told.endswith("nothing was changed")
    assert "\n" not in done.told
    assert all(task.startswith("Refuse") for task in done.tasks)


@pytest.mark.parametrize(
    ("variables", "restoring"),
    [
        (OF_PGBACKREST, False),
        ({**OF_PGBACKREST, "restore_test_pull_command": ["/bin/true", "{{ restore_test_name }}"]}, True),
        ({"bulwark_backup_recipients": [RECIPIENT]}, True),
        ({"bulwark_backup_engine": "pgbackrest"}, True),
    ],
    ids=["nobody restores", "fetched", "sealed", "not backed up"],
)
def test_what_can_be_proven_gets_to_the_hosts(tmp_path: Path, variables: dict[str, t.Any], restoring: bool) -> None:
    assert "Connection refused" in prove(tmp_path, variables, restoring=restoring).told


@pytest.mark.parametrize("engine", ["", "pgbackrest"])
def test_backup_and_test_are_of_the_engine_that_the_variable_names(tmp_path: Path, engine: str) -> None:
    """The playbook's own expressions, shown instead of handed to the roles."""
    shown = {
        "restore_test": ("Deploy a test for each server", "restore_test_engine", {"tested": "db1"}),
        "postgresql": ("Deploy the backup and take the first one", "encrypted_backup_engine", {}),
    }
    written = yaml.safe_load((ROOT / "playbooks" / "prove_backups.yml").read_text(encoding="utf-8"))
    tasks = [task for one in written for task in one["tasks"]]
    tasks = [inner for task in tasks for inner in task.get("block", [task])]
    for hosts, (name, variable, more) in shown.items():
        (task,) = (task for task in tasks if task["name"] == name)
        given = {variable: task["vars"][variable], "postgresql": ["db1"], **more}
        debug = {"name": "Show it", "ansible.builtin.debug": {"msg": f"{{{{ {variable} }}}}"}, "vars": given}
        path = tmp_path / "play.yml"
        path.write_text(yaml.safe_dump([{"name": "Show", "hosts": hosts, "gather_facts": False, "tasks": [debug]}]))
        assert play(path, tmp_path, {"bulwark_backup_engine": engine} if engine else {}).told == (
            engine or "postgresql"
        )


def test_gnupg_for_pgbackrest_is_refused_before_the_role_looks_at_the_host(tmp_path: Path) -> None:
    path = tmp_path / "play.yml"
    options = {
        "encrypted_backup_engine": "pgbackrest",
        "encrypted_backup_sealing": "gnupg",
        "encrypted_backup_recipients": ["E0310B2F3251813B539001E258BC8A9D830E3334"],
        "encrypted_backup_escrow_recipients": ["9A72A195DDA462775987C7F98AD6D53A982265F8"],
    }
    entry = {"name": "Role", "ansible.builtin.include_role": {"name": "bulwark.database.encrypted_backup"}}
    tasks = [{**entry, "vars": options}]
    path.write_text(
        yaml.safe_dump([{"name": "Back up", "hosts": "postgresql", "gather_facts": False, "tasks": tasks}]),
        encoding="utf-8",
    )
    told = play(path, tmp_path, {}).told
    assert "encrypted_backup_sealing is gnupg" in told
    assert "Set encrypted_backup_sealing to age" in told
    assert told.endswith("nothing was changed")
    assert "\n" not in told
