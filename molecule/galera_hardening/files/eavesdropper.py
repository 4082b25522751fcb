# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens to all that goes over this host's network, until its input ends, for a word in clear.

Then it says, as JSON: the bytes that it saw of each TCP port, the ports on which the word was, and the packets that
were too many for it. A packet belongs to the lower of its two ports, which is the one that is listened on.
"""

from __future__ import annotations

import collections
import json
import select
import socket
import struct
import sys
import typing as t

ALL_PROTOCOLS = 3
IPV4 = 0x0800
TCP = 6
ETHERNET_BYTES = 14
LARGEST_PACKET = 1 << 18
BUFFER_BYTES = 64 << 20
# The socket module does not name these.
RECEIVE_BUFFER_FORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6

Flow = tuple


def take_apart(packet: bytes) -> tuple[Flow, bytes] | None:
    """The two ends of the connection, and what was said; nothing for what is not TCP."""
    if len(packet) < ETHERNET_BYTES + 20 or struct.unpack_from("!H", packet, 12)[0] != IPV4:
        return None
    begin = ETHERNET_BYTES + (packet[ETHERNET_BYTES] & 15) * 4
    if packet[ETHERNET_BYTES + 9] != TCP:
        return None
    source, target = (
        packet[ETHERNET_BYTES + 12 : ETHERNET_BYTES + 16],
        packet[ETHERNET_BYTES + 16 : ETHERNET_BYTES + 20],
    )
    ports = struct.unpack_from("!HH", packet, begin)
    return (source, target, *ports), packet[begin + (packet[begin + 12] >> 4) * 4 :]


def listen(wire: socket.socket, word: bytes) -> dict[str, t.Any]:
    seen: dict[int, int] = collections.defaultdict(int)
    ends: dict[Flow, bytes] = collections.defaultdict(bytes)
    marked = set()
    while True:
        ready = select.select([wire, sys.stdin], [], [])[0]
        if wire not in ready:
            break
        parts = take_apart(wire.recv(LARGEST_PACKET))
        if parts is None:
            continue
        flow, said = parts
        port = min(flow[2:])
        seen[port] += len(said)
        # The word may lie across two packets.
        said = ends[flow] + said
        if word in said:
            marked.add(port)
        ends[flow] = said[-len(word) + 1 :]
    lost = struct.unpack("II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
    return {"seen": seen, "marked": sorted(marked), "lost": lost}


def main() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)) as wire:
        wire.setsockopt(socket.SOL_SOCKET, RECEIVE_BUFFER_FORCE, BUFFER_BYTES)
        wire.bind(("eth0", 0))
        print("listening", flush=True)
        print(json.dumps(listen(wire, sys.argv[1].encode())), flush=True)


if __name__ == "__main__":
    main()
