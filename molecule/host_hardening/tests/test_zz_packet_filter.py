# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through to the declared port. Last of all, because the host is restarted here."""

from __future__ import annotations

import subprocess
import time
import typing as t

import pytest
import yaml

if t.TYPE_CHECKING:
    from pathlib import Path

    from testinfra.host import Host

    from conftest import Ansible

TABLE = "inet bulwark"


def gets_through(client: Host, address: str) -> bool:
    return client.run("pg_isready --quiet --timeout=2 --host=%s", address).succeeded


def until(condition: t.Callable[[], bool], *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def test_the_declared_client_gets_through_and_another_does_not(friend: Host, stranger: Host, address: str) -> None:
    assert gets_through(friend, address)
    assert not gets_through(stranger, address)


def test_without_our_table_the_other_would_get_through(server: Host, stranger: Host, address: str) -> None:
    server.check_output(f"nft delete table {TABLE}")
    assert gets_through(stranger, address)
    server.check_output("systemctl restart bulwark-packet-filter")
    assert not gets_through(stranger, address)


def test_a_rule_removed_by_hand_is_seen_and_put_back(ansible: Ansible, server: Host, friend: Host) -> None:
    options = {"ports": [{"port": 5432, "comment": "PostgreSQL", "networks": _addresses(friend)}]}
    assert not ansible.module("packet_filter", options)["changed"]
    server.check_output(f"nft flush chain {TABLE} input")
    said = ansible.module("packet_filter", options, "--check")
    done = ansible.module("packet_filter", options)
    assert said["changes"] == done["changes"]
    assert len(done["changes"]) == 4
    assert done["confirmation_pending"]
    assert ansible.module("packet_filter", {**options, "stage": "persistent"})["saved"]


@pytest.mark.parametrize("action", ["start", "reload", "restart", "stop"])
def test_a_flush_of_everything_by_nftables_service_leaves_us_closed(
    server: Host, stranger: Host, address: str, action: str
) -> None:
    server.check_output(f"systemctl {action} nftables.service")
    assert not gets_through(stranger, address)


def test_tables_of_others_are_not_touched(ansible: Ansible, server: Host, friend: Host) -> None:
    server.check_output("nft add table ip others; nft add chain ip others own")
    options = {"ports": [{"port": 5432, "networks": [*_addresses(friend), "192.0.2.0/24"]}], "rollback_after": 10}
    assert ansible.module("packet_filter", options)["changed"]
    assert until(lambda: "192.0.2.0" not in server.check_output(f"nft list table {TABLE}"), seconds=20)
    assert "chain own" in server.check_output("nft list table ip others")
    server.check_output("nft delete table ip others")


def test_rules_that_nobody_confirms_are_taken_back(ansible: Ansible, friend: Host, address: str) -> None:
    answer = ansible.module("packet_filter", {"ports": [{"port": 5432, "networks": []}], "rollback_after": 10})
    assert answer["confirmation_pending"]
    assert not gets_through(friend, address)
    assert until(lambda: gets_through(friend, address), seconds=20)
    late = ansible.module("packet_filter", {"ports": [{"port": 5432, "networks": []}], "stage": "persistent"})
    assert "were not confirmed in time" in late["msg"]
    assert gets_through(friend, address)


def test_somebody_who_is_connected_is_not_shut_out_unannounced(ansible: Ansible, friend: Host, address: str) -> None:
    mine = _addresses(friend)[0]
    with subprocess.Popen(
        ["podman", "exec", "-i", friend.backend.name, "bash", "-c", f"exec 3<>/dev/tcp/{address}/5432; read -t 60"],
        stdin=subprocess.PIPE,
    ) as session:
        time.sleep(1.5)
        answer = ansible.module("packet_filter", {"ports": [{"port": 5432, "networks": []}]})
        session.kill()
    assert f"in no declared network: tcp port 5432 from {mine}" in answer["msg"]
    assert gets_through(friend, address)


def test_an_operator_who_shuts_himself_out_is_let_in_again(
    ansible: Ansible, server: Host, address: str, tmp_path: Path
) -> None:
    """By ssh, as on a real host: the play loses its host, the timer brings it back."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    server.check_output("install -d -m 0700 /root/.ssh")
    server.check_output("printf %s > /root/.ssh/authorized_keys", key.with_suffix(".pub").read_text())
    inventory = tmp_path / "inventory.yml"
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=2"
    host = {
        "ansible_connection": "ssh",
        "ansible_host": address,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": options,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    inventory.write_text(yaml.safe_dump({"all": {"hosts": {"over-ssh": host}}}))
    ssh = ["ssh", *options.split(), "-i", str(key), f"root@{address}", "true"]
    assert subprocess.run(ssh, check=False, capture_output=True).returncode == 0
    before = server.check_output(f"nft --stateless list table {TABLE}")
    done = ansible.playbook("lockout.yml", inventory=str(inventory))
    assert done.returncode != 0
    assert "Come back over a new one" in done.stdout
    assert until(lambda: subprocess.run(ssh, check=False, capture_output=True).returncode == 0, seconds=40)
    assert server.check_output(f"nft --stateless list table {TABLE}") == before
    assert "22" not in server.file("/etc/bulwark/packet_filter.nft").content_string.replace("5432", "")


def test_the_rules_are_back_after_a_boot(
    ansible: Ansible, server: Host, friend: Host, stranger: Host, server_name: str
) -> None:
    subprocess.run(["podman", "restart", "--time=20", server_name], check=True, capture_output=True)
    assert until(lambda: server.run("systemctl is-active -q bulwark-packet-filter").succeeded, seconds=30)
    address = server.check_output("hostname --all-ip-addresses").split()[0]
    assert until(lambda: gets_through(friend, address), seconds=30)
    assert not gets_through(stranger, address)
    again = ansible.playbook("converge.yml", "-e", "enforce=true")
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout


def _addresses(client: Host) -> list[str]:
    return client.check_output("hostname --all-ip-addresses").split()
