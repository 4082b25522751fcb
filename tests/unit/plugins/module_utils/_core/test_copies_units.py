# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that keeps copies: whose key may do what from where, and what of it is planned."""

from __future__ import annotations

import dataclasses
import ipaddress

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_deployment import (
    ENABLE,
    FOLDER,
    PUT,
    REMOVE,
    Item,
    ObservedTimer,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.copies_look import look_file
from ansible_collections.bulwark.database.plugins.module_utils._core.copies_units import (
    KEYS_FILE,
    PROGRAM,
    Repository,
    Source,
    plan_repository,
    render_authorized_keys,
    render_units,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl copies of db1"
SENDERS = (ipaddress.ip_network("192.0.2.7"), ipaddress.ip_network("2001:db8::/64"))
SHOP = Source("shop", KEY, SENDERS)
LEDGER = Source("ledger", "", SENDERS)
REPOSITORY = Repository("/srv/bulwark/copies", (SHOP, LEDGER))


def applied(plan: Plan, found: dict[str, Item]) -> tuple[dict[str, Item], dict[str, ObservedTimer]]:
    """What is there after the plan, which never names what is there already."""
    items, timers = dict(found), {}
    for change in plan:
        action, what = change.payload
        if action == PUT:
            items[what.path] = what
        elif action == REMOVE:
            del items[what]
        elif action == ENABLE:
            timers[what] = ObservedTimer(enabled=True, active=True)
    return items, timers


def test_a_key_may_run_one_command_from_its_senders_addresses_and_one_without_a_key_nothing() -> None:
    header, *lines = render_authorized_keys(REPOSITORY).splitlines()
    assert header.startswith("#")
    command = f"/usr/bin/python3 -I {PROGRAM} receive --store /srv/bulwark/copies/shop --minimum-free-percent 5"
    assert lines == [f'restrict,from="192.0.2.7,2001:db8::/64",command="{command}" {KEY}']


@pytest.mark.parametrize(
    "key",
    [
        f"{KEY}\nssh-ed25519 AAAAC3Nz",
        f'command="sh" {KEY}',
        "ssh-ed25519",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        f"{KEY}\r",
    ],
)
def test_what_is_not_one_public_key_on_one_line_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(InvalidDeclaration, match="shop: public_key is no public key of OpenSSH on one line") as refused:
        Source("shop", key, SENDERS)
    assert "PRIVATE" not in str(refused.value)


def test_a_source_that_may_come_from_nowhere_is_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="shop: from names nobody"):
        Source("shop", KEY, ())


def test_sources_of_one_cluster_are_looked_at_together() -> None:
    nodes = [dataclasses.replace(SHOP, name=f"node{number}", cluster="shop") for number in (1, 2)]
    units = render_units(Repository("/srv/bulwark/copies", (*nodes, LEDGER)))
    limits = "--keep-days 7 --oldest-hours 26"
    results = [f" --result {look_file(f'node{number}', deep=number == 2)}\n" for number in (1, 2)]
    first, second = (f"--beside /srv/bulwark/copies/node{number}" for number in (1, 2))
    assert f"/node1 {limits} {second}{results[0]}" in units["bulwark-copies-node1.service"]
    assert f"/node2 {limits} {first} --deep{results[1]}" in units["bulwark-copies-node2-deep.service"]
    assert "--beside" not in units["bulwark-copies-ledger.service"]


@pytest.mark.parametrize("root", ["copies", "/srv/../etc", '/srv/a"b', "/srv/a b", "/srv/copies/"])
def test_a_root_that_could_end_the_forced_command_is_refused(root: str) -> None:
    with pytest.raises(InvalidDeclaration, match="no plain absolute path"):
        Repository(root, (SHOP,))


def test_all_is_planned_on_a_bare_host_the_keys_after_what_takes_the_copies_and_then_nothing() -> None:
    plan = plan_repository(REPOSITORY, b"program", {}, {})
    puts = [change.payload[1].path for change in plan if change.payload[0] == PUT]
    assert puts[0] == "/srv"
    assert puts[-1] == KEYS_FILE
    assert PROGRAM in puts
    items, timers = applied(plan, {})
    assert (items[KEYS_FILE].owner, items[KEYS_FILE].mode) == ("root", 0o644)
    assert items["/srv/bulwark/copies"].access == "bulwark-copies:bulwark-copies 0700"
    assert not plan_repository(REPOSITORY, b"program", items, timers)


def test_folders_on_the_way_that_are_there_stay_as_they_are() -> None:
    own = Item(FOLDER, "/srv", "operator", "operator", 0o750)
    plan = plan_repository(REPOSITORY, b"program", {"/srv": own}, {})
    assert "folder /srv" not in [change.subject for change in plan]


def test_a_source_that_is_not_declared_any_more_loses_key_and_units_and_no_copy() -> None:
    items, timers = applied(plan_repository(REPOSITORY, b"program", {}, {}), {})
    fewer = dataclasses.replace(REPOSITORY, sources=(LEDGER,))
    plan = plan_repository(fewer, b"program", items, timers)
    removed = [change.payload[1] for change in plan if change.payload[0] == REMOVE]
    assert removed
    assert all("/bulwark-copies-shop" in path for path in removed)
    after, dummy_timers = applied(plan, items)
    assert KEY.encode() not in after[KEYS_FILE].data


def test_what_stands_in_the_place_of_a_file_is_not_replaced() -> None:
    link = Item("symbolic link", KEYS_FILE, "root", "root", 0o777)
    with pytest.raises(RefusedForSafety, match="is a symbolic link, a file is needed"):
        plan_repository(REPOSITORY, b"program", {KEYS_FILE: link}, {})
