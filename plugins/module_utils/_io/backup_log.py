# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The log's way into the store: ``archive`` seals a segment into the anteroom, ``collect`` carries it on.

``archive`` runs as the server's account, ``collect`` as the job's. What lies in the anteroom is the server's, and taken
for no more than that: names, kinds of files, sizes and checksums are looked at before anything is carried on.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .._core.backup_evidence import StageEnd, compressed_bytes, judge_statuses
from .._core.backup_job_file import BackupJob
from .._core.backup_manifest import Sidecar, parse_sidecar, render_sidecar
from .._core.backup_moments import render_moment
from .._core.backup_segments import check_archived_name, history_timeline, is_archived_name, parse_history
from .._core.errors import ApplyFailed, BulwarkError, ObservationFailed, RefusedForSafety, first_of
from .._core.sealing import TOOLS, sealed_name, stem_of, tool_of
from .backup_pipe import run_pipe
from .backup_seal import sealing_stages
from .backup_store import (
    PARTIAL,
    Store,
    checksum,
    create_file,
    is_locked,
    locked,
    open_regular,
    read_text,
    rename,
    sync_file,
    write_text,
)

# The sidecar of what was carried on stays here under this name: by it a segment that comes again is known.
RECEIPT: t.Final = ".collected"
_ARCHIVE_SECONDS: t.Final = 600.0
# The job's group reads them, and nobody else gets into the folder.
_MODE: t.Final = 0o640
_TWO_SERVERS: t.Final = (
    "Two servers write to one archive, or the server went back to an earlier state: give it a job of its own"
)


def archive(job: BackupJob, path: str, name: str) -> str:
    """Seal one segment; when this returns it is on disk. The answer says what was done."""
    check_archived_name(name)
    with locked(os.path.join(job.incoming, ".archive.lock"), what=f"archiving for {job.name}", seconds=60, mode=_MODE):
        plain_bytes, plain_sha256, closed = _measure(path)
        known = _known(job, name)
        if known is not None:
            if known.plain_sha256 == plain_sha256:
                return f"{name} is archived already"
            raise RefusedForSafety(
                f"the segment {name} is archived already with other contents",
                _TWO_SERVERS,
            )
        sidecar = Sidecar(
            name=name,
            **_seal(job, path, name, (plain_bytes, plain_sha256)),
            plain_sha256=plain_sha256,
            plain_bytes=plain_bytes,
            archived=render_moment(time.time()),
            closed=render_moment(closed),
            switches=parse_history(read_text(path)) if history_timeline(name) is not None else (),
            sealing=job.sealing,
        )
        write_text(os.path.join(job.incoming, f"{name}.json"), render_sidecar(sidecar), _MODE)
    return f"{name} archived, {sidecar.bytes} bytes"


def _measure(path: str) -> tuple[int, str, float]:
    """Size, SHA-256 and time of the last write."""
    try:
        size, digest = checksum(path)
        return size, digest, os.stat(path).st_mtime
    except OSError as error:
        raise ObservationFailed(f"can't read the segment {path}: {error.strerror}") from None


def _known(job: BackupJob, name: str) -> Sidecar | None:
    for suffix in (".json", RECEIPT):
        path = os.path.join(job.incoming, f"{name}{suffix}")
        try:
            return parse_sidecar(read_text(path), where=path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ObservationFailed(f"can't read {path}: {error.strerror}") from None
    return None


def _seal(job: BackupJob, path: str, name: str, plain: tuple[int, str]) -> dict[str, t.Any]:
    final = os.path.join(job.incoming, sealed_name(name, job.sealing))
    partial = f"{final}{PARTIAL}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(partial)
    source, sink = os.open(path, os.O_RDONLY | os.O_CLOEXEC), create_file(partial, _MODE)
    try:
        deadline = time.monotonic() + min(_ARCHIVE_SECONDS, job.deadline_seconds)
        _judge(run_pipe(sealing_stages(job), deadline=deadline, sink=sink, source=source), name, plain[0])
        sync_file(sink, partial)
    finally:
        os.close(source)
        os.close(sink)
    if _measure(path)[:2] != plain:
        raise ApplyFailed(
            f"the segment {name} was written to while it was sealed", "The server will hand it over again"
        )
    size, sha256 = checksum(partial)
    rename(partial, final)
    return {"bytes": size, "sha256": sha256}


def _judge(stages: t.Sequence[StageEnd], name: str, plain_bytes: int) -> None:
    complaint = judge_statuses(stages)
    if complaint:
        raise ApplyFailed(f"can't seal the segment {name}: {complaint.cause}", complaint.hint)
    read, dummy = compressed_bytes(stages[0].lines)
    if read not in (0, plain_bytes):
        raise ApplyFailed(f"can't seal the segment {name}: zstd read {read} of {plain_bytes} bytes")


def waiting(job: BackupJob) -> list[str]:
    """Names of sealed segments that wait to be carried on."""
    if not job.incoming:
        return []
    try:
        names = os.listdir(job.incoming)
    except OSError:
        return []
    found = [name[: -len(".json")] for name in names if name.endswith(".json")]
    return sorted(name for name in found if is_archived_name(name))


def receipts(job: BackupJob) -> list[str]:
    """Names of segments that were carried on and not pruned since."""
    with contextlib.suppress(OSError):
        names = (name[: -len(RECEIPT)] for name in os.listdir(job.incoming) if name.endswith(RECEIPT))
        return sorted(name for name in names if is_archived_name(name))
    return []


def collect(job: BackupJob) -> tuple[int, int]:
    """Carry everything on: how many segments, how many bytes. One that can't be carried on keeps none of the others."""
    store = Store(job.store)
    count = size = 0
    failures: list[BulwarkError] = []
    store.remove_parts()
    _remove_parts(job)
    for name in waiting(job):
        try:
            size += _carry(job, store, name)
            count += 1
        except BulwarkError as error:
            failures.append(error)
    if failures:
        raise ApplyFailed(first_of([one.message for one in failures]), failures[0].hint)
    return count, size


def _carry(job: BackupJob, store: Store, name: str) -> int:
    sidecar_path = os.path.join(job.incoming, f"{name}.json")
    try:
        sidecar = parse_sidecar(read_text(sidecar_path), where=sidecar_path)
        if sidecar.name != name:
            raise ObservationFailed(f"{sidecar_path} describes {sidecar.name}")
        there = store.sidecar(name)
        if there is None:
            sealed = os.path.join(job.incoming, sidecar.file)
            _copy(sealed, store.segment_path(name, sidecar.sealing), sidecar)
            store.add_sidecar(sidecar)
        elif there.plain_sha256 != sidecar.plain_sha256:
            raise RefusedForSafety(
                f"the segment {name} is in the store already with other contents",
                _TWO_SERVERS,
            )
        rename(sidecar_path, os.path.join(job.incoming, f"{name}{RECEIPT}"))
        for tool in TOOLS:  # one that was killed may have left another's
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(job.incoming, sealed_name(name, tool)))
    except OSError as error:
        raise ApplyFailed(f"can't carry the segment {name} into the store: {error.strerror}") from None
    return sidecar.bytes


def _copy(source: str, target: str, sidecar: Sidecar) -> None:
    """A copy, because the server's account could change its own file later; read back from the disk."""
    partial = f"{target}{PARTIAL}"
    descriptor = open_regular(source)
    with os.fdopen(descriptor, "rb") as stream:
        sink = create_file(partial)
        with os.fdopen(sink, "wb") as copy:
            left = sidecar.bytes + 1  # no more than was announced, whatever it is now
            while left > 0:
                data = stream.read(min(left, 1024 * 1024))
                if not data:
                    break
                copy.write(data)
                left -= len(data)
            copy.flush()
            os.fsync(sink)
    if checksum(partial, from_disk=True) != (sidecar.bytes, sidecar.sha256):
        os.unlink(partial)
        raise ApplyFailed(
            f"the sealed segment {sidecar.name} in the anteroom is not what was archived",
            f"Remove {source} and its sidecar; then a full backup starts a new chain",
        )
    rename(partial, target)


def _remove_parts(job: BackupJob) -> None:
    """What a killed ``archive`` left; not while one is at work."""
    if is_locked(os.path.join(job.incoming, ".archive.lock")):
        return
    with contextlib.suppress(OSError):
        for name in os.listdir(job.incoming):
            whole = name.removesuffix(PARTIAL)
            stem = stem_of(whole) if tool_of(whole) else whole.removesuffix(".json")
            if name != whole != stem and is_archived_name(stem):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(job.incoming, name))


def forget(job: BackupJob, names: t.Iterable[str]) -> None:
    """Receipts of segments that were pruned."""
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(job.incoming, f"{name}{RECEIPT}"))
