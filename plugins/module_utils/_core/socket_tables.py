# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reading the kernel's tables of sockets, /proc/net/tcp and its kin."""

from __future__ import annotations

import ipaddress
import typing as t

_ESTABLISHED: t.Final = "01"
_TCP_LISTEN: t.Final = "0A"
# A UDP socket that is bound but connected to nobody.
_UDP_BOUND: t.Final = "07"


class Socket(t.NamedTuple):
    """A line of such a table.

    :param listening: waits for connections, or for UDP: is bound and open to anybody.
    :param inode: what /proc/<pid>/fd calls it.
    """

    protocol: str
    address: str
    port: int
    peer_address: str
    inode: str
    listening: bool
    established: bool


def parse_socket_table(text: str, *, protocol: str, little_endian: bool) -> list[Socket]:
    """Sockets from the text of /proc/net/tcp, tcp6, udp or udp6.

    :param protocol: ``tcp`` or ``udp``.
    :param little_endian: byte order of the host that wrote the table: addresses are in it, ports are not.
    """
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10:
            continue
        address, port = _endpoint(fields[1], little_endian=little_endian)
        peer, dummy = _endpoint(fields[2], little_endian=little_endian)
        state, inode = fields[3], fields[9]
        listening = state == (_TCP_LISTEN if protocol == "tcp" else _UDP_BOUND)
        found.append(Socket(protocol, address, port, peer, inode, listening, state == _ESTABLISHED))
    return found


def _endpoint(text: str, *, little_endian: bool) -> tuple[str, int]:
    address, dummy, port = text.partition(":")
    raw = bytes.fromhex(address)
    if little_endian:
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    parsed = ipaddress.ip_address(raw)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(parsed), int(port, 16)
