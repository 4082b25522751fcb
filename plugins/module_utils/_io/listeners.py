# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which sockets listen on this host, and whose they are."""

from __future__ import annotations

import contextlib
import sys
import typing as t

from .._core.packages import Listener
from .._core.socket_tables import Socket, parse_socket_table
from .commands import run_command
from .processes import process_name, process_unit, socket_owners
from .units import is_booted

_TABLES: t.Final = (("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"))


def observe_sockets(protocols: t.Collection[str] = ("tcp", "udp")) -> list[Socket]:
    """All IP sockets of this network namespace."""
    found: list[Socket] = []
    for name, protocol in _TABLES:
        # Without IPv6 there is no tcp6.
        with contextlib.suppress(FileNotFoundError), open(f"/proc/self/net/{name}", encoding="ascii") as stream:
            if protocol in protocols:
                little = sys.byteorder == "little"
                found += parse_socket_table(stream.read(), protocol=protocol, little_endian=little)
    return found


def observe_listeners() -> tuple[Listener, ...]:
    """Listening sockets in order of port, with process and unit where they can be told."""
    owners = socket_owners()
    activated = _socket_units()
    found = set()
    for socket in observe_sockets():
        if socket.listening:
            process = owners.get(socket.inode)
            name = process_name(process) if process else ""
            unit = process_unit(process) if process else ""
            # systemd holds the socket of a unit that it starts on demand.
            if process == 1:
                unit = activated.get((socket.address, socket.port), unit)
            found.add(Listener(socket.protocol, socket.address, socket.port, name, unit))
    return tuple(sorted(found, key=lambda one: (one.port, one.protocol, one.address, one.process)))


def _socket_units() -> dict[tuple[str, int], str]:
    if not is_booted():
        return {}
    done = run_command(["systemctl", "--no-pager", "list-sockets", "--no-legend", "--full"])
    return parse_socket_units(done.output)


def parse_socket_units(listing: str) -> dict[tuple[str, int], str]:
    """(address, port) to unit, from ``systemctl list-sockets``."""
    found = {}
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) < 2:
            continue
        address, dummy, port = fields[0].rpartition(":")
        if port.isdigit():
            address = address.strip("[]")
            found["0.0.0.0" if address == "*" else address, int(port)] = fields[1]  # noqa: S104
    return found
