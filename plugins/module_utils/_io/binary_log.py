# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""MariaDB's binary logs: streamed into a folder of the job's, and sealed from there into the store."""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import shutil
import time
import typing as t
import zlib

from .._core.backup_evidence import judge_statuses
from .._core.backup_job_file import BackupJob, MariaDBPlace
from .._core.backup_manifest import Sidecar
from .._core.backup_moments import is_id, render_moment
from .._core.binary_log import (
    HEADER_BYTES,
    IN_USE_BYTE,
    MAGIC,
    LogSummary,
    ServerLogs,
    StoredLog,
    parse_header,
    split_server_name,
)
from .._core.errors import ApplyFailed, DidNotTakeEffect, MissingRequirement, ObservationFailed
from .backup_pipe import run_pipe
from .backup_read_back import ReadBack
from .backup_seal import sealing_stages
from .backup_store import PARTIAL, Store, checksum, create_file, open_regular, rename, sync_file
from .commands import SYSTEM_PATH, run_command

CHECK_FOLDER: t.Final = "check"
# What a server says, or the client of one, that has not looked into the log at all.
_NO_ANSWER: t.Final = re.compile(r"Can't connect|Access denied|Lost connection|gone away|Too many connections")
_SEAL_SECONDS: t.Final = 3600.0
_BUFFER_BYTES: t.Final = 1024 * 1024


def ask_server(place: MariaDBPlace, statement: str) -> list[list[str]]:
    """Rows of fields. Raises ObservationFailed."""
    client = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=10"]
    done = run_command([*client, f"--socket={place.socket}", f"--user={place.user}"], text=f"{statement};\n")
    if not done.succeeded:
        raise ObservationFailed(f"can't ask the server: {done.complaint}", "Look at the server and at its account")
    return [line.split("\t") for line in done.output.splitlines()]


def observe_server_logs(place: MariaDBPlace) -> ServerLogs:
    """Raises ObservationFailed, also for a server without binary logs."""
    rows = ask_server(place, "SHOW MASTER STATUS")
    names = [row[0] for row in ask_server(place, "SHOW BINARY LOGS")] if rows else []
    if not names:
        raise ObservationFailed("the server keeps no binary logs", "Set log_bin, or point_in_time to false")
    return ServerLogs(tuple(names), int(rows[0][1]))


def stream_arguments(place: MariaDBPlace, first: str, folder: str, *, server_id: int = 0) -> list[str]:
    """The command that writes the server's logs from ``first`` on into the folder, under the server's names.

    :param server_id: go on for ever, as the replica of this number; without it the end is where the log is now.
    """
    endless = ["--stop-never", f"--stop-never-slave-server-id={server_id}"] if server_id else []
    return [
        *("mariadb-binlog", "--no-defaults", "--read-from-remote-server", "--raw", *endless),
        *(f"--socket={place.socket}", f"--user={place.user}", f"--result-file={folder}/", first),
    ]


def become(arguments: t.Sequence[str]) -> t.NoReturn:
    """Go on as another program, in the same process. Raises MissingRequirement if it is not there."""
    try:
        os.execvpe(arguments[0], list(arguments), {"PATH": SYSTEM_PATH, "LC_ALL": "C"})  # noqa: S606 - no shell
    except FileNotFoundError:
        raise MissingRequirement(
            f"the program {arguments[0]} is not there", "Install Debian's mariadb-client"
        ) from None


class Streamed:
    """The folder that logs are streamed into: a folder for each chain, in it files as the server calls them."""

    def __init__(self, path: str) -> None:
        self.path = path

    def chains(self) -> list[str]:
        """Oldest first."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(name for name in os.listdir(self.path) if is_id(name))
        return []

    def folder(self, chain: str) -> str:
        return os.path.join(self.path, chain)

    def logs(self, chain: str) -> list[tuple[StoredLog, str]]:
        """What is there of a chain, oldest first, with the path of each."""
        found = []
        for name in os.listdir(self.folder(chain)):
            parts = split_server_name(name)
            if parts:
                found.append((StoredLog(chain, parts[1], parts[2]), os.path.join(self.folder(chain), name)))
        return sorted(found)

    def newest(self) -> tuple[StoredLog, str] | None:
        """The log that is being written."""
        for chain in reversed(self.chains()):
            logs = self.logs(chain)
            if logs:
                return logs[-1]
        return None

    def closed(self) -> list[tuple[StoredLog, str]]:
        """All others, oldest first: the server is done with them."""
        newest = self.newest()
        found = [log for chain in self.chains() for log in self.logs(chain)]
        return [log for log in found if newest and log[0] != newest[0]]

    def begin(self, chain: str) -> str:
        path = self.folder(chain)
        with _told(f"can't make {path}"):
            os.makedirs(path, 0o700, exist_ok=True)
        return path

    def remove_empty(self) -> None:
        for chain in self.chains()[:-1]:
            with contextlib.suppress(OSError):
                os.rmdir(self.folder(chain))


def is_same_log(place: MariaDBPlace, streamed: Streamed, path: str) -> bool:
    """Whether the server's log of that name begins with all that was streamed of it.

    A server that lost the end of its log in a crash, or has another one of the same name, is found by that.
    """
    folder = os.path.join(streamed.path, CHECK_FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    with _told(f"can't make {folder}"):
        os.makedirs(folder, 0o700)
    try:
        done = run_command(stream_arguments(place, os.path.basename(path), folder), timeout=_SEAL_SECONDS)
        if not done.succeeded and _NO_ANSWER.search(done.errors):
            raise ObservationFailed(f"can't read the server's logs: {done.complaint}", "Look at the server")
        copy = os.path.join(folder, os.path.basename(path))
        length = summarize(path).length
        if not done.succeeded or not os.path.exists(copy) or os.path.getsize(copy) < length:
            return False
        for file in (copy, path):
            _settle(file, length)
        return filecmp.cmp(path, copy, shallow=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settle(path: str, length: int) -> None:
    """Without what is no whole event yet, and without the mark of a log that is open."""
    os.truncate(path, length)
    if length > IN_USE_BYTE:
        with open(path, "r+b") as stream:
            stream.seek(IN_USE_BYTE)
            flags = stream.read(1)[0]
            stream.seek(IN_USE_BYTE)
            stream.write(bytes([flags & ~1]))


def summarize(path: str) -> LogSummary:
    """Walk over all events, and compare the checksum of each. Raises ObservationFailed for what is no binary log."""
    summary = LogSummary()
    with os.fdopen(open_regular(path), "rb", buffering=_BUFFER_BYTES) as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise ObservationFailed(f"{path} is no binary log", "It is streamed anew when it is removed")
        while True:
            header = stream.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES:
                return summary
            try:
                event = parse_header(header)
            except ObservationFailed as error:
                raise ObservationFailed(f"{path}: {error.message}", error.hint) from None
            if not _skip(stream, event.length - HEADER_BYTES):
                return summary
            summary.add(event)


def _skip(stream: t.BinaryIO, count: int) -> bool:
    """Whether so much was there."""
    while count > 0:
        data = stream.read(min(count, _BUFFER_BYTES))
        if not data:
            return False
        count -= len(data)
    return True


def seal_log(job: BackupJob, store: Store, log: StoredLog, path: str) -> Sidecar:
    """Into the store; what was streamed goes when that is on disk. Raises BulwarkError, and then it stays."""
    there = store.sidecar(log.name)
    if there is None:
        summary = summarize(path)
        with _told(f"can't cut {path}"):
            os.truncate(path, summary.length)
        there = _seal(job, store, log, path, summary)
    elif there.plain_sha256 != checksum(path)[1]:
        raise DidNotTakeEffect(
            f"the binary log {log.name} is in the store already with other contents",
            f"Move {path} away, and make a full backup",
        )
    with _told(f"can't remove {path}"):
        os.unlink(path)
    return there


def _seal(job: BackupJob, store: Store, log: StoredLog, path: str, summary: LogSummary) -> Sidecar:
    final = store.segment_path(log.name, job.sealing)
    partial = f"{final}{PARTIAL}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)
    plain = checksum(path)
    source, sink = open_regular(path), create_file(partial)
    try:
        stages = run_pipe(sealing_stages(job), deadline=time.monotonic() + _SEAL_SECONDS, sink=sink, source=source)
        complaint = judge_statuses(stages)
        if complaint:
            raise ApplyFailed(f"can't seal the binary log {log.name}: {complaint.cause}", complaint.hint)
        sync_file(sink, partial)
    finally:
        os.close(source)
        os.close(sink)
    size, sha256 = ReadBack(partial).finish()
    rename(partial, final)
    sidecar = Sidecar(
        name=log.name,
        bytes=size,
        sha256=sha256,
        plain_sha256=plain[1],
        plain_bytes=plain[0],
        archived=render_moment(time.time()),
        closed=render_moment(summary.closed),
        opened=render_moment(summary.opened),
        sealing=job.sealing,
    )
    store.add_sidecar(sidecar)
    return sidecar


def replica_number(name: str) -> int:
    """A number of its own for each job, above those that people give to replicas."""
    return 0x80000000 | zlib.crc32(name.encode("utf-8")) >> 1


@contextlib.contextmanager
def _told(what: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ApplyFailed(f"{what}: {error.strerror}", "Look at the disk and at who owns the folder") from None
