# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a node's answers are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._dialects import mariadb_provider
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_galera import (
    is_enabled,
    mask_secrets,
    members_of_addresses,
    reached_without_quorum,
    read_node,
    replication_tls,
    short_identifier,
)

PROVIDER = {"wsrep_provider": "/usr/lib/galera/libgalera_smm.so"}


@pytest.mark.parametrize(
    ("status", "variables", "enabled"),
    [
        ({}, {}, False),  # a server that was built without
        ({}, {"wsrep_provider": "none", "wsrep_on": "OFF"}, False),
        ({}, {"wsrep_provider": "none", "wsrep_on": "ON"}, False),
        ({"wsrep_connected": "ON"}, {**PROVIDER, "wsrep_on": "ON"}, True),
        ({"wsrep_connected": "ON"}, {**PROVIDER, "wsrep_on": "OFF"}, True),  # switched off while it runs
        ({"wsrep_connected": "OFF"}, {**PROVIDER, "wsrep_on": "ON"}, True),
        ({"wsrep_connected": "OFF"}, {**PROVIDER, "wsrep_on": "OFF"}, False),
    ],
)
def test_a_node_is_told_from_a_server_alone(status: dict[str, str], variables: dict[str, str], enabled: bool) -> None:
    assert is_enabled(status, variables) is enabled


def test_a_server_that_says_nothing_is_no_sound_node() -> None:
    node = read_node({}, {})
    assert not node.is_primary
    assert not node.is_synced
    assert (node.size, node.weight, node.receive_limit) == (0, 1, 16)


def test_options_are_read_as_the_server_shows_them() -> None:
    text = "base_host = 127.0.0.1; gcomm.thread_prio = ; socket.ssl_cipher = A=B; odd = a\\;b; pc.weight = 2; "
    assert mariadb_provider.parse(text) == {
        "base_host": "127.0.0.1",
        "gcomm.thread_prio": "",
        "socket.ssl_cipher": "A=B",
        "odd": "a\\;b",
        "pc.weight": "2",
    }


names = st.text("abcdefgh._", min_size=1)
values = st.text(st.characters(exclude_characters=";\\", categories=["L", "N", "P", "S"]))


@given(st.dictionaries(names, values))
def test_options_survive_being_written_and_read(options: dict[str, str]) -> None:
    assert mariadb_provider.parse("; ".join(f"{name} = {value}" for name, value in options.items())) == options


def test_secrets_are_masked_and_paths_of_secrets_are_not() -> None:
    options = {"socket.ssl_password_file": "/path", "x.password": "secret", "y.secret": "", "socket.ssl_key": "/key"}
    assert mask_secrets(options) == {**options, "x.password": "********"}


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({}, "off"),
        ({"socket.ssl": "NO", "socket.ssl_cert": "/path"}, "off"),
        ({"socket.ssl": "YES"}, "required"),
        ({"socket.ssl": "YES", "socket.dynamic": "false"}, "required"),
        ({"socket.ssl": "YES", "socket.dynamic": "true"}, "optional"),
    ],
)
def test_how_far_traffic_between_nodes_is_encrypted(options: dict[str, str], answer: str) -> None:
    assert replication_tls(options) == answer


def test_addresses_of_members_do_for_their_names() -> None:
    found = members_of_addresses({"wsrep_incoming_addresses": "192.0.2.1:3306,,192.0.2.2:0"})
    assert [member.address for member in found] == ["192.0.2.1:3306", "192.0.2.2:0"]
    assert members_of_addresses({}) == []


# What a node logged that was started while the one was dead that the other had been with (MariaDB 10.11, Galera 26.4).
HELD_UP = """\
2026-11-25 19:47:29 0 [Note] WSREP: view(view_id(NON_PRIM,08b5d9cc-97f6,15) memb {
\t08b5d9cc-97f6,0
\tcd05d688-bdf6,0
} joined {
} left {
} partitioned {
\td8516216-ab7b,0
})
2026-11-25 19:47:54 0 [ERROR] WSREP: failed to open gcomm backend connection: 110: failed to reach primary view
"""
ALONE = "WSREP: view(view_id(NON_PRIM,08b5d9cc-97f6,1) memb {\n\t08b5d9cc-97f6,0\n} joined {\n} left {\n})\n"
WHOLE = HELD_UP.replace("NON_PRIM", "PRIM")


@pytest.mark.parametrize(
    ("journal", "together"),
    [
        (HELD_UP, ("08b5d9cc-97f6", "cd05d688-bdf6")),
        (ALONE, ()),  # it can't talk to the others: that may be its own fault
        (WHOLE, ()),
        (HELD_UP + WHOLE, ()),
        (WHOLE + HELD_UP, ("08b5d9cc-97f6", "cd05d688-bdf6")),
        (HELD_UP + ALONE, ()),
        ("", ()),
    ],
)
def test_the_last_view_says_whether_a_node_found_others_that_are_no_quorum(
    journal: str, together: tuple[str, ...]
) -> None:
    assert reached_without_quorum(journal) == together


def test_a_nodes_identifier_is_recognised_in_the_log() -> None:
    assert short_identifier("cd05d688-e908-11f1-bdf6-43a2c4655e68") == "cd05d688-bdf6"
    assert short_identifier("") == ""
