# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where copies go: an address that is connected to, under the name that its key is known by."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_deployment import outgoing_of
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import BackupJob, MariaDBPlace
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.offsite import Offsite

PLACE = Offsite("copies.example.org", 22, "bulwark-copies", "/k/key", "/k/known_hosts", ("192.0.2.7", "2001:db8::7"))
JOB = BackupJob(
    name="main",
    engine="mariadb",
    store="/store",
    state="/state",
    incoming="",
    recipients=("one", "two"),
    keep_days=7,
    compression_level=1,
    deadline_seconds=60,
    minimum_free_percent=1,
    smallest_share=0.5,
    server=MariaDBPlace("/socket", "account", "/etc/my.cnf", "/data"),
)
OTHER = dataclasses.replace(PLACE, host="elsewhere.example.org", port=2222, addresses=("198.51.100.1",))


def test_ssh_is_given_the_address_and_knows_the_host_by_its_name() -> None:
    command = PLACE.command("2001:db8::7")
    assert command[-2:] == ["--", "2001:db8::7"]
    assert "HostKeyAlias=copies.example.org" in command
    assert "copies.example.org" not in command
    assert "HostKeyAlias=[elsewhere.example.org]:2222" in OTHER.command("198.51.100.1")


@pytest.mark.parametrize("addresses", [(), ("copies.example.org",), ("-oProxyCommand=x",), ("192.0.2.0/24",)])
def test_a_place_without_an_address_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(InvalidDeclaration, match="Run the role again, it looks them up"):
        dataclasses.replace(PLACE, addresses=addresses)


def test_the_account_may_reach_what_any_of_its_jobs_needs() -> None:
    third = dataclasses.replace(PLACE, addresses=("192.0.2.8", "192.0.2.7"))
    assert outgoing_of([]) == []
    jobs = [dataclasses.replace(JOB, offsite=place) for place in (PLACE, OTHER, third)]
    assert outgoing_of(jobs) == [
        {"port": 22, "networks": ["192.0.2.7", "192.0.2.8", "2001:db8::7"]},
        {"port": 2222, "networks": ["198.51.100.1"]},
    ]
