# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.socket_tables import parse_socket_table

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(local: str, remote: str, state: str) -> str:
    return (
        f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000   102        0 4711 1 0 100 0 0 10 0\n"
    )


@pytest.mark.parametrize(
    ("local", "little", "address", "port"),
    [
        ("0100007F:1538", True, "127.0.0.1", 5432),
        ("7F000001:1538", False, "127.0.0.1", 5432),
        ("00000000:0016", True, "0.0.0.0", 22),
        ("00000000000000000000000001000000:1538", True, "::1", 5432),
        ("0000000000000000FFFF00000100000A:1538", True, "10.0.0.1", 5432),
        ("B80D0120000000000000000001000000:1538", True, "2001:db8::1", 5432),
    ],
)
def test_addresses_are_read_in_the_byte_order_of_the_host(local: str, little: bool, address: str, port: int) -> None:
    text = HEADER + line(local, "00000000:0000", "0A")
    (socket,) = parse_socket_table(text, protocol="tcp", little_endian=little)
    assert (socket.address, socket.port, socket.inode, socket.listening) == (address, port, "4711", True)


@pytest.mark.parametrize(
    ("protocol", "state", "listening", "established"),
    [("tcp", "0A", True, False), ("tcp", "01", False, True), ("udp", "07", True, False), ("udp", "01", False, True)],
)
def test_states_mean_what_the_protocol_makes_of_them(
    protocol: str, state: str, listening: bool, established: bool
) -> None:
    text = HEADER + line("0100007F:1538", "0200000A:C350", state)
    (socket,) = parse_socket_table(text, protocol=protocol, little_endian=True)
    assert (socket.listening, socket.established, socket.peer_address) == (listening, established, "10.0.0.2")


def test_a_line_that_is_cut_short_is_left_out() -> None:
    assert parse_socket_table(HEADER + "   0: 0100007F:1538 00000", protocol="tcp", little_endian=True) == []
