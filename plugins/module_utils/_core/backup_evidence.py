# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Is this run a success? Statuses, the tool's own words, the size beside that of earlier runs. Pure."""

from __future__ import annotations

import dataclasses
import re
import statistics
import typing as t

SIGPIPE_STATUS: t.Final = -13
# A set is judged by its size only beside this many earlier ones.
FEWEST_EARLIER: t.Final = 1
# age adds a header and 16 bytes for every 64 KiB, GnuPG no more; a sealed stream of nothing has some 200 bytes.
_EMPTY_BYTES: t.Final = 4096
_COMPRESSED: t.Final = re.compile(r"\(\s*(\d+)\s*(?:B|bytes)?\s*=>\s*(\d+)\s*(?:B|bytes)?")
_WAL_START: t.Final = re.compile(r"write-ahead log start point: ([0-9A-F]+/[0-9A-F]+) on timeline (\d+)")
_WAL_END: t.Final = re.compile(r"write-ahead log end point: ([0-9A-F]+/[0-9A-F]+)")
_BINLOG: t.Final = re.compile(
    r"binlog position: filename '([^']*)', position '?(\d+)'?(?:, GTID of the last change '([^']*)')?"
)
COMPLETION: t.Final = {"postgresql": "pg_basebackup: base backup completed", "mariadb": "completed OK!"}
# What the tools say, in small letters, and what it means for somebody who has to mend it.
_MEANINGS: t.Final = (
    (
        "can only write single tablespace to stdout",
        "the server has tablespaces of its own, which a sealed backup can't hold",
        "Move their tables to pg_default and drop them, or use the engine pgbackrest",
    ),
    (
        "exceeds max_wal_senders",
        "the server lets no further connection of replication in",
        "Raise max_wal_senders to 2 or more and restart the server",
    ),
    (
        "has already been removed",
        "the server removed a WAL segment that the backup still needed",
        "Raise wal_keep_size, so that it holds what is written during a full backup",
    ),
    ("no space left on device", "the file system is full", "Make room, or name another store"),
    ("disk quota exceeded", "the quota of the job's account is used up", "Make room, or raise the quota"),
    ("file too large", "a file may not become that large", "Raise the limit of the account or of the file system"),
    ("no pg_hba.conf entry for replication", "the server does not let the job in", "Run the role again"),
    ("malformed recipient", "a recipient is no public key of age", "Correct the recipients and run the role again"),
    (
        "unusable public key",
        "GnuPG can't encrypt to a recipient's key, because it has expired, for example",
        "Extend the key (gpg --quick-set-expire), and run the role with the renewed one",
    ),
)

# age's last words, whatever the error was.
_ASIDE: t.Final = "age: report unexpected or unhelpful errors at "


@dataclasses.dataclass(frozen=True)
class StageEnd:
    """How one process of a pipe ended.

    :param status: exit status, negative for a signal.
    :param lines: the lines of its standard error that were kept: those asked for, and the last ones.
    """

    name: str
    status: int
    lines: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Complaint:
    """Why a run is no success, and what to do."""

    cause: str
    hint: str = ""


def judge_statuses(stages: t.Sequence[StageEnd]) -> Complaint | None:
    """The first process that failed by itself is the cause; one that was ended by a broken pipe is a consequence."""
    failed = [stage for stage in stages if stage.status != 0]
    if not failed:
        return None
    culprit = next((stage for stage in failed if stage.status != SIGPIPE_STATUS), failed[0])
    for stage in [culprit, *failed]:
        for line in stage.lines:
            for pattern, cause, hint in _MEANINGS:
                if pattern in line.lower():
                    return Complaint(cause, hint)
    how = f"was ended by signal {-culprit.status}" if culprit.status < 0 else f"ended with status {culprit.status}"
    said = next((line for line in reversed(culprit.lines) if line.strip() and _ASIDE not in line), "")
    return Complaint(f"{culprit.name} {how}" + (f": {said.strip()}" if said else ""))


def judge_completion(engine: str, tool: StageEnd) -> Complaint | None:
    """An exit status of 0 is not enough: the tool has to say that it came to its end."""
    if any(COMPLETION[engine] in line for line in tool.lines):
        return None
    return Complaint(
        f"{tool.name} ended without saying {COMPLETION[engine]!r}", "Look at what it printed, in the journal"
    )


def judge_size(size: int, earlier: t.Sequence[int], smallest_share: float) -> Complaint | None:
    """``earlier``: sizes of the full backups that there are."""
    if size < _EMPTY_BYTES:
        return Complaint(f"the sealed file has {size} bytes, which no server's data fits in")
    if len(earlier) < FEWEST_EARLIER:
        return None
    median = statistics.median(earlier)
    if size < median * smallest_share:
        return Complaint(
            f"the sealed file has {size} bytes, earlier ones have {int(median)} (median)",
            "If that much was deleted on purpose, lower smallest_share for one run",
        )
    return None


def compressed_bytes(lines: t.Iterable[str]) -> tuple[int, int]:
    """What zstd says it read and wrote; zeros if it does not say."""
    for line in lines:
        match = _COMPRESSED.search(line)
        if match:
            return int(match.group(1)), int(match.group(2))
    return 0, 0


def postgresql_position(lines: t.Iterable[str]) -> dict[str, t.Any]:
    """From what ``pg_basebackup --verbose`` says; empty if it lacks a part."""
    text = "\n".join(lines)
    start, end = _WAL_START.search(text), _WAL_END.search(text)
    if not start or not end:
        return {}
    return {"timeline": int(start.group(2)), "start_lsn": start.group(1), "end_lsn": end.group(1)}


def mariadb_position(lines: t.Iterable[str]) -> dict[str, t.Any]:
    """From what mariadb-backup says; a server without binary log has none, and the fields are None."""
    match = _BINLOG.search("\n".join(lines))
    if not match:
        return {"binlog_file": None, "binlog_position": None, "gtid": None}
    return {"binlog_file": match.group(1), "binlog_position": int(match.group(2)), "gtid": match.group(3)}
