# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A full backup, from the lock to the pruning. What is no success leaves nothing behind but its error."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
import typing as t

from .._core.backup_evidence import Complaint, StageEnd, compressed_bytes, judge_completion, judge_size, judge_statuses
from .._core.backup_job_file import BackupJob, MariaDBPlace, PostgreSQLPlace
from .._core.backup_manifest import MANIFEST, Manifest, SealedFile, data_file, render_manifest
from .._core.backup_moments import render_id, render_moment
from .._core.backup_restore_text import render_restore_text
from .._core.backup_retention import plan_pruning
from .._core.errors import ApplyFailed, BulwarkError, RefusedForSafety
from .._io import backup_mariadb, backup_postgresql
from .._io.backup_log import forget
from .._io.backup_pipe import run_pipe
from .._io.backup_read_back import ReadBack
from .._io.backup_seal import sealing_stages
from .._io.backup_store import Store, create_file, free_percent, sync_file, write_text
from .console import Say
from .state import Done

# In the job's state while somebody asks for a full backup at once: see the service that ends in -renew.
FULL_WANTED: t.Final = "full-wanted"


def make_full(job: BackupJob, say: Say) -> Done:
    """Only under the lock. Raises BulwarkError; then no set has come into being, and none has gone."""
    started = time.time()
    store = Store(job.store)
    store.make(with_log=bool(job.incoming or job.stream))
    earlier = [manifest.bytes for manifest in store.look().manifests]
    check_room(job, earlier)
    partial = store.begin_full(render_id(started))
    try:
        manifest, key_file = _fill(job, partial, started, earlier, say)
        store.finish_full(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    write_text(os.path.join(job.store, "recipients.txt"), "".join(f"{key}\n" for key in job.recipients))
    write_text(os.path.join(job.store, "RESTORE.txt"), render_restore_text(job, key_file=key_file))
    say(f"{manifest.id} is complete: {manifest.bytes} bytes")
    prune(job, say, verified=manifest.id)
    return Done(manifest.id, manifest.bytes)


def prune(job: BackupJob, say: Say, *, verified: str) -> Done:
    """Remove what the window does not need. Only under the lock."""
    store = Store(job.store)
    contents = store.look()
    plan = plan_pruning(
        contents.manifests,
        contents.sidecars,
        verified=verified,
        now=math.ceil(time.time()),
        keep_days=job.keep_days,
        orphans=store.orphans(),
    )
    if plan.reason:
        raise RefusedForSafety(f"nothing was pruned: {plan.reason}", "Make a full backup")
    for identifier in plan.fulls:
        store.remove_full(identifier)
        say(f"{identifier} is older than {job.keep_days} days and not needed any more: removed")
    for name in plan.segments:
        store.remove_segment(name)
    forget(job, plan.segments)
    if plan.segments:
        say(f"{len(plan.segments)} segments from {plan.segments[0]} to {plan.segments[-1]}: removed")
    return Done()


def check_room(job: BackupJob, earlier: t.Sequence[int]) -> None:
    """Raises ApplyFailed if a backup as large as the largest of the earlier ones would leave too little."""
    free = free_percent(job.store, max(earlier, default=0))
    if free < job.minimum_free_percent:
        raise ApplyFailed(
            f"{job.store} would have {max(free, 0):.0f} % free, {job.minimum_free_percent} % are the minimum",
            "Make room, or lower minimum_free_percent or keep_days",
        )


def _fill(job: BackupJob, partial: str, started: float, earlier: t.Sequence[int], say: Say) -> tuple[Manifest, str]:
    name = data_file(job.engine, job.sealing)
    path = os.path.join(partial, name)
    server = job.server
    stage = (
        backup_postgresql.backup_stage(server)
        if isinstance(server, PostgreSQLPlace)
        else backup_mariadb.backup_stage(server, partial)
    )
    say(f"{stage.name} through zstd and {job.sealing} to {len(job.recipients)} recipients")
    sink = create_file(path)
    read_back = ReadBack(path)
    deadline = time.monotonic() + job.deadline_seconds
    looked: list[backup_postgresql.Server] = []

    def begun() -> None:
        # while the server makes its checkpoint; where it can't be asked, the tool says better why
        with contextlib.suppress(BulwarkError):
            if isinstance(server, PostgreSQLPlace):
                looked.append(backup_postgresql.look_at_server(server, deadline=deadline))
        read_back.start()

    try:
        stages = run_pipe([stage, *sealing_stages(job)], deadline=deadline, sink=sink, begun=begun)
        recoverable = time.time()
        _judge(job, stages, os.fstat(sink).st_size, earlier)
        sync_file(sink, path)
        size, sha256 = read_back.finish()
    finally:
        read_back.give_up()
        os.close(sink)
    finished = time.time()
    tool = stages[0]
    if isinstance(server, MariaDBPlace):
        described, key_file = backup_mariadb.describe(tool), backup_mariadb.key_file(tool)
    else:
        found = looked[0] if looked else backup_postgresql.look_at_server(server, deadline=deadline)
        described, key_file = backup_postgresql.describe(found, tool), ""
    say(f"{size} bytes in {finished - started:.0f} seconds, on disk and read back")
    plain_bytes, dummy = compressed_bytes(stages[1].lines)
    manifest = Manifest(
        id=os.path.basename(partial).split(".")[0],
        job=job.name,
        engine=job.engine,
        started=render_moment(started),
        finished=render_moment(finished, round_up=True),
        consistent_from=render_moment(recoverable, round_up=True),
        files=(SealedFile(name, size, sha256, plain_bytes),),
        recipients=job.recipients,
        **described,
    )
    write_text(os.path.join(partial, MANIFEST), render_manifest(manifest))
    return manifest, key_file


def _judge(job: BackupJob, stages: t.Sequence[StageEnd], size: int, earlier: t.Sequence[int]) -> None:
    complaint: Complaint | None = (
        judge_statuses(stages)
        or judge_completion(job.engine, stages[0])
        or judge_size(size, earlier, job.smallest_share)
    )
    if complaint:
        raise ApplyFailed(f"the full backup of {job.name} failed: {complaint.cause}", complaint.hint)
