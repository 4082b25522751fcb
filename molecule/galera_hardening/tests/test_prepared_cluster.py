# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that is to be hardened: it stands, somebody writes, and galera_info sees it on each node."""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t

import pytest
import testinfra

if t.TYPE_CHECKING:
    from testinfra.host import Host

INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
NODES = ("molecule-galera1", "molecule-galera2", "molecule-galera3")


def galera_info(**options: t.Any) -> dict[str, dict[str, t.Any]]:
    """The module through Ansible on all nodes; what each returned."""
    options = {"expected_size": len(NODES), **options}
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    command = ["ansible", "-i", INVENTORY, "galera", "-m", "bulwark.database.galera_info", "-a", json.dumps(options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    hosts = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]
    return {name: answer["galera"] for name, answer in hosts.items()}


def node(name: str) -> Host:
    return testinfra.get_host(f"podman://{name}")


def sql(name: str, statement: str) -> str:
    return node(name).check_output(f"mariadb --batch --skip-column-names -e {json.dumps(statement)}")


def test_each_node_says_that_it_is_one_of_three() -> None:
    found = galera_info()
    assert sorted(found) == sorted(NODES)
    for name, answer in found.items():
        assert (answer["name"], answer["status"], answer["size"], answer["state"]) == (name, "Primary", 3, "Synced")
        assert [member["name"] for member in answer["members"]] == list(NODES)
        assert answer["replication_tls"] == "off"
        assert (answer["certificate"], answer["allowlist"], answer["sst_method"]) == (None, [], "rsync")
        # It can't know this by itself.
        assert not answer["may_stop"]
        assert "nothing is known of 2 of the other nodes" in answer["reasons_against_stopping"][0]
    assert len({answer["cluster_uuid"] for answer in found.values()}) == 1


def test_with_the_answers_of_all_each_may_be_stopped() -> None:
    answers = list(galera_info().values())
    for answer in galera_info(members=answers).values():
        assert answer["reasons_against_stopping"] == []
        assert answer["may_stop"]


@pytest.mark.parametrize("name", NODES)
def test_every_acknowledged_row_is_on_every_node(name: str) -> None:
    record = node(NODES[-1]).check_output("cat /var/lib/molecule-writer/acknowledged")
    acknowledged = [int(line.split()[0]) for line in record.splitlines()]
    assert len(acknowledged) > 10
    question = f"SELECT count(*) FROM shop.written WHERE id <= {acknowledged[-1]}"
    # Answered only when the node has applied what was committed elsewhere.
    assert int(sql(name, f"SET SESSION wsrep_sync_wait = 15; {question}")) == len(acknowledged)
    assert sql(name, "SELECT count(*) FROM shop.customers") == "1000"


def test_the_writer_gets_on() -> None:
    before = int(sql(NODES[0], "SELECT max(id) FROM shop.written"))
    time.sleep(2)
    assert int(sql(NODES[0], "SELECT max(id) FROM shop.written")) > before + 10


@pytest.mark.parametrize("name", NODES)
def test_systemd_does_not_hold_the_servers_port(name: str) -> None:
    assert node(name).run("systemctl is-enabled mariadb.socket").stdout.strip() == "disabled"
    assert node(name).check_output("systemctl is-active mariadb.service") == "active"
