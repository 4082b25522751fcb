# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""MariaDB's binary logs in a store: names, chains, and what their events tell. Pure.

A server numbers its logs on and on, until it begins anew: after RESET MASTER, with a data directory from another node
(SST), or when it lost the end of its log in a crash. Each beginning is a chain, named after the moment at which it was
first seen; a log is called ``CHAIN-NUMBER``, with the number as the server writes it.
"""

from __future__ import annotations

import dataclasses
import re
import struct
import typing as t

from .errors import ObservationFailed

MAGIC: t.Final = b"\xfebin"
HEADER_BYTES: t.Final = 19
# Of the first event, whose lowest bit says that the server writes to the log.
IN_USE_BYTE: t.Final = len(MAGIC) + 17
_HEADER: t.Final = struct.Struct("<IBIIIH")
_STOP: t.Final = 3
_ROTATE: t.Final = 4
_FORMAT_DESCRIPTION: t.Final = 15
# Events that no statement is behind: the format, checkpoint, GTID list, start of encryption, and the end.
_HOUSEKEEPING: t.Final = frozenset({_STOP, _ROTATE, _FORMAT_DESCRIPTION, 161, 163, 164})
_STORED: t.Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-([0-9]{6,10})")
_SERVER_NAME: t.Final = re.compile(r"(.+)\.([0-9]{6,10})")


class StoredLog(t.NamedTuple):
    """A log of a store: the chain, its number, and the number as text. In order of time."""

    chain: str
    number: int
    digits: str

    @property
    def name(self) -> str:
        return f"{self.chain}-{self.digits}"


def parse_stored(name: str) -> StoredLog | None:
    match = _STORED.fullmatch(name)
    return StoredLog(match.group(1), int(match.group(2)), match.group(2)) if match else None


def is_stored_log(name: str) -> bool:
    return bool(_STORED.fullmatch(name))


def split_server_name(name: str) -> tuple[str, int, str] | None:
    """``mariadb-bin.000012``: what is the same for all, the number, and the number as text."""
    match = _SERVER_NAME.fullmatch(name)
    return (match.group(1), int(match.group(2)), match.group(2)) if match else None


class Event(t.NamedTuple):
    """The header of an event. ``timestamp``: seconds since the epoch."""

    timestamp: int
    kind: int
    length: int


def parse_header(data: bytes) -> Event:
    """Raises ObservationFailed."""
    timestamp, kind, dummy_server, length, dummy_next, dummy_flags = _HEADER.unpack(data)
    if length < HEADER_BYTES:
        raise ObservationFailed("it holds what is no event of a binary log")
    return Event(timestamp, kind, length)


@dataclasses.dataclass
class LogSummary:
    """What a walk over all events of a log finds.

    :ivar length: bytes up to the end of the last whole event.
    :ivar opened: when the server began the log.
    :ivar closed: time of the latest event.
    :ivar ended: the server came to its end: it began the next one, or was stopped.
    :ivar changes: events with changes.
    """

    length: int = len(MAGIC)
    opened: int = 0
    closed: int = 0
    ended: bool = False
    changes: int = 0

    def add(self, event: Event) -> None:
        if event.kind == _FORMAT_DESCRIPTION and not self.opened:
            self.opened = event.timestamp
        # Events from elsewhere carry their origin's time, and nodes differ: what counts is when this log went on.
        self.closed = max(self.closed, event.timestamp)
        self.ended = event.kind in (_ROTATE, _STOP)
        self.changes += event.kind not in _HOUSEKEEPING
        self.length += event.length


@dataclasses.dataclass(frozen=True)
class ServerLogs:
    """``names``: oldest first. ``position``: how far the newest is written."""

    names: tuple[str, ...]
    position: int

    @property
    def newest(self) -> str:
        return self.names[-1]


def first_wanted(server: ServerLogs, position_file: str | None) -> str:
    """Where a new chain begins: with the log in which the newest full backup ends if the server still has it."""
    return position_file if position_file in server.names else server.newest
