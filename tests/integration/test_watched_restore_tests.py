# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which restore tests are watched, and expected by Prometheus, where the inventory names none: those that there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = """\
all:
  vars: {ansible_connection: local, ansible_python_interpreter: /usr/bin/python3}
  children:
    restore_test: {hosts: {restore1: , restore2: {backup_monitoring_restore_tests: [stated]}}}
    postgresql: {hosts: {db1: }}
    prometheus: {hosts: {watcher: }}
"""
WATCHED = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: bulwark.database.backup_monitoring
        tasks_from: found_restore_tests.yml
        public: true
    - ansible.builtin.copy:
        content: "{{ backup_monitoring_restore_tests | to_json }}"
        dest: "{{ folder }}/{{ inventory_hostname }}.json"
        mode: "0600"
"""
EXPECTED = """\
- hosts: prometheus
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: bulwark.database.backup_monitoring, tasks_from: server.yml}
"""


def play(folder: Path, playbook: str) -> None:
    (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (folder / "playbook.yml").write_text(playbook, encoding="utf-8")
    given = {
        "folder": str(folder),
        "__backup_monitoring_tests_folder": str(folder / "tests"),
        "backup_monitoring_rules_file": str(folder / "rules.yml"),
        "backup_monitoring_examples_folder": str(folder / "examples"),
        "backup_monitoring_reload_unit": "",
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run(
        [program, "-i", str(folder / "inventory.yml"), str(folder / "playbook.yml"), "-e", json.dumps(given)],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "LC_ALL": "C.UTF-8",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def put_tests(folder: Path, *names: str) -> None:
    (folder / "tests").mkdir()
    for name in names:
        (folder / "tests" / f"{name}.json").write_text("{}", encoding="utf-8")
    (folder / "tests" / "identity.txt").write_text("", encoding="utf-8")


def test_a_host_watches_the_tests_that_it_has(tmp_path: Path) -> None:
    put_tests(tmp_path, "galera", "db1")
    play(tmp_path, WATCHED)
    found = {host: json.loads((tmp_path / f"{host}.json").read_text()) for host in ("restore1", "restore2")}
    assert found == {"restore1": ["db1", "galera"], "restore2": ["stated"]}


def test_a_restoring_host_without_tests_misses_one_and_another_host_none(tmp_path: Path) -> None:
    play(tmp_path, WATCHED)
    found = {host: json.loads((tmp_path / f"{host}.json").read_text()) for host in ("restore1", "restore2", "db1")}
    assert found == {"restore1": ["main"], "restore2": ["stated"], "db1": []}


@pytest.mark.parametrize(("there", "expected"), [(("galera", "db1"), ["db1", "galera"]), ((), ["main"])])
def test_prometheus_expects_the_tests_that_the_restoring_hosts_have(
    tmp_path: Path, there: tuple[str, ...], expected: list[str]
) -> None:
    put_tests(tmp_path, *there)
    play(tmp_path, EXPECTED)
    rules = (tmp_path / "rules.yml").read_text(encoding="utf-8")
    names = [*expected, "stated"]
    for name in ("main", "galera", "db1", "stated"):
        assert (f'test="{name}"' in rules) is (name in names), name
