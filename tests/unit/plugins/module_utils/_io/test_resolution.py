# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names to addresses. Nothing is asked of a name server: .invalid never resolves, and localhost is in /etc/hosts."""

from __future__ import annotations

import ipaddress

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._io.resolution import resolve, resolve_networks


def test_an_address_is_itself_and_a_name_what_the_host_says() -> None:
    assert resolve("192.0.2.7", what="offsite") == ("192.0.2.7",)
    assert resolve("2001:db8:0::7", what="offsite") == ("2001:db8::7",)
    assert "127.0.0.1" in resolve("localhost", what="offsite")


@pytest.mark.parametrize("name", ["nowhere.invalid", "", "x" * 300, "two words"])
def test_a_name_that_does_not_resolve_is_told_in_one_line(name: str) -> None:
    with pytest.raises(InvalidDeclaration, match="shop: from: this host can't resolve") as refused:
        resolve(name, what="shop: from")
    assert "\n" not in str(refused.value)
    assert "Correct the name, or write its address" in str(refused.value)


def test_networks_stay_and_hosts_become_networks_of_one() -> None:
    found = resolve_networks(["10.0.0.0/8", "192.0.2.7", "192.0.2.7", "2001:db8::7"], what="from")
    assert found == tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::7/128")))


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "name/24", "10.0.0.0/8,!"])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidDeclaration, match="shop: from: "):
        resolve_networks([text], what="shop: from")
