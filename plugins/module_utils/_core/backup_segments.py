# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Names, numbers and timelines of PostgreSQL's WAL segments. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .binary_log import is_stored_log
from .errors import InvalidDeclaration

DEFAULT_SEGMENT_BYTES: t.Final = 16 * 1024 * 1024
# What initdb accepts; a sidecar comes from a server, and may say anything.
SEGMENT_SIZES: t.Final = frozenset(2**power for power in range(20, 31))
_SEGMENT: t.Final = re.compile(r"[0-9A-F]{24}")
_HISTORY: t.Final = re.compile(r"([0-9A-F]{8})\.history")
# Everything that a server hands to its archive_command, and nothing else: names become paths.
_ARCHIVED: t.Final = re.compile(r"[0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
_HISTORY_LINE: t.Final = re.compile(r"\s*(\d+)\s+([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})(?:\s|$)")


@dataclasses.dataclass(frozen=True)
class Segment:
    """A complete segment: its timeline, and its number within the whole log."""

    timeline: int
    number: int


def check_archived_name(name: str) -> str:
    """The name back. Raises InvalidDeclaration for a name that no server gives."""
    if not _ARCHIVED.fullmatch(name):
        raise InvalidDeclaration(
            f"{name!r} is no name of a WAL file", 'The archive_command hands over PATH and NAME as "%p" "%f"'
        )
    return name


def is_archived_name(name: str) -> bool:
    return bool(_ARCHIVED.fullmatch(name))


def is_stored_name(name: str) -> bool:
    """Whether a store's log may hold it: a WAL file, or a binary log of MariaDB."""
    return is_archived_name(name) or is_stored_log(name)


def is_segment(name: str) -> bool:
    return bool(_SEGMENT.fullmatch(name))


def history_timeline(name: str) -> int | None:
    """The timeline whose history this file is."""
    match = _HISTORY.fullmatch(name)
    return int(match.group(1), 16) if match else None


def parse_segment(name: str, segment_bytes: int) -> Segment | None:
    """Of a complete segment; also of what begins with a segment's name (its label of a backup, its part)."""
    if not _SEGMENT.fullmatch(name[:24]):
        return None
    timeline, log, low = (int(name[start : start + 8], 16) for start in (0, 8, 16))
    return Segment(timeline, log * (2**32 // segment_bytes) + low)


def segment_name(segment: Segment, segment_bytes: int) -> str:
    log, low = divmod(segment.number, 2**32 // segment_bytes)
    return f"{segment.timeline:08X}{log:08X}{low:08X}"


def parse_position(text: str) -> int:
    """A position in the log, ``0/3000028``, in bytes. Raises InvalidDeclaration."""
    match = re.fullmatch(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})", text)
    if not match:
        raise InvalidDeclaration(f"{text!r} is no position in the log")
    return int(match.group(1), 16) * 2**32 + int(match.group(2), 16)


def segment_before(position: int, segment_bytes: int) -> int:
    """Number of the segment that holds the byte before a position: the last one needed to reach it."""
    return max(position - 1, 0) // segment_bytes


def parse_history(text: str) -> tuple[tuple[int, str], ...]:
    """What a timeline's history says: each earlier timeline and the position where it was left, oldest first."""
    found = (_HISTORY_LINE.match(line) for line in text.splitlines())
    return tuple((int(match.group(1)), match.group(2).upper()) for match in found if match)
