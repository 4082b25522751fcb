# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surplus packages and units come to. The tests run in this order: the first ones look, the later ones remove."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from testinfra.host import Host

    from conftest import Ansible

POLICY = {"denied_packages": ["netcat-openbsd", "libjson-perl", "openssh-server"]}
SURPLUS = {"strace", "make", "rpcbind", "default-mysql-client", "netcat-openbsd"}
UNIT = "postgresql@15-main.service"


def findings(answer: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {finding["name"]: finding for finding in answer["findings"]}


def test_without_being_told_to_enforce_the_role_removed_nothing(server: Host) -> None:
    assert all(server.package(name).is_installed for name in SURPLUS)
    assert server.service("rpcbind").is_enabled


def test_what_is_denied_is_reported_with_what_would_go_along(ansible: Ansible) -> None:
    answer = ansible.module("minimal_packages", POLICY)
    assert not answer["changed"]
    found = findings(answer)
    assert {name for name, finding in found.items() if finding["removable"]} >= SURPLUS
    assert found["mariadb-client-core"]["along"] == ["default-mysql-client", "mariadb-client"]


def test_what_the_database_and_ssh_need_is_kept_and_the_report_says_why(ansible: Ansible) -> None:
    found = findings(ansible.module("minimal_packages", POLICY))
    assert "postgresql-15" in found["libjson-perl"]["kept_because"]
    assert found["openssh-server"]["kept_because"] == "it is protected"


def test_a_listener_that_nobody_declared_is_reported_with_its_unit(ansible: Ansible) -> None:
    answer = ansible.module("minimal_packages", {"expected_listeners": [{"port": 5432, "process": "postgres"}]})
    names = [finding["name"] for finding in answer["findings"] if finding["kind"] == "listener"]
    assert "tcp 0.0.0.0:111 by systemd (rpcbind.socket)" in names
    assert not any(":5432" in name for name in names)


def test_more_than_the_limit_is_refused_and_everything_is_still_there(ansible: Ansible, server: Host) -> None:
    answer = ansible.module("minimal_packages", {**POLICY, "enforce": True, "removal_limit": 3})
    assert "more than the limit of 3" in answer["msg"]
    assert server.package("strace").is_installed


def test_an_interrupted_package_manager_is_an_error_that_says_what_to_do(ansible: Ansible, server: Host) -> None:
    server.check_output("apt-get download -q hello && dpkg --unpack ./hello_*.deb && rm ./hello_*.deb")
    answer = ansible.module("minimal_packages", {**POLICY, "enforce": True})
    server.check_output("dpkg --configure -a && dpkg --purge hello")
    assert "dpkg was interrupted: hello" in answer["msg"]
    assert "dpkg --configure -a" in answer["msg"]


def test_enforcement_does_what_check_mode_said_and_a_second_run_nothing(ansible: Ansible, server: Host) -> None:
    before = server.check_output(f"systemctl show -p MainPID --value {UNIT}")
    said = ansible.module("minimal_packages", {**POLICY, "enforce": True}, "--check")
    assert server.package("strace").is_installed
    done = ansible.module("minimal_packages", {**POLICY, "enforce": True})
    assert done["changes"] == said["changes"]
    assert not any(server.package(name).is_installed for name in SURPLUS)
    assert server.package("postgresql-15").is_installed
    assert server.package("openssh-server").is_installed
    assert not server.socket("tcp://0.0.0.0:111").is_listening
    assert server.check_output(f"systemctl show -p MainPID --value {UNIT}") == before
    assert not ansible.module("minimal_packages", {**POLICY, "enforce": True})["changed"]
