# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A set by pgBackRest: taken, judged by more than its exit status, and only then is anything pruned."""

from __future__ import annotations

import os
import re

from .._core.backup_evidence import judge_size
from .._core.backup_job_file import BackupJob
from .._core.backup_manifest import Manifest
from .._core.backup_restore_text import render_restore_text
from .._core.errors import ApplyFailed, RefusedForSafety
from .._core.pgbackrest import FULL, REPOSITORY, SEALED_PASSPHRASE, Repository, judge_new_set, repository_path
from .._io.anteroom import carry, is_open, open_anteroom
from .._io.backup_store import locked, open_folder, write_text
from .._io.commands import run_command
from .._io.pgbackrest import create_stanza, expire, observe_stanza, read_passphrase, take_set
from .console import Say
from .full_backup import check_room
from .state import Done, lock_of

_REMOVED = re.compile(r"INFO: (?:repo1: )?(expire .*|remove .*)")


def prepare(job: BackupJob, repository: Repository, say: Say) -> Done:
    """Have a repository that the server's log can go to. Only under the lock."""
    for path in (job.store, repository_path(job.store)):
        open_folder(path)
    create_stanza(job, repository)
    if repository.side == REPOSITORY:
        open_anteroom(job, repository)
    say(f"the repository of {job.name} is ready")
    return Done()


def collect_pushed(job: BackupJob, repository: Repository, say: Say) -> Done:
    """Carry the log from the anteroom into the repository; the first time, have both."""
    if not is_open(job):
        with locked(lock_of(job), what=f"a backup of {job.name}"):
            prepare(job, repository, say)
    count, size = carry(job)
    if count:
        say(f"{count} files of the log carried into the repository, {size} bytes")
    return Done(bytes=size)


def make_set(job: BackupJob, repository: Repository, kind: str, say: Say) -> Done:
    """Only under the lock. Raises BulwarkError; then nothing was pruned, and all earlier sets are there."""
    prepare(job, repository, say)
    before = observe_stanza(job, repository).manifests
    fulls = [one.bytes for one in before if one.is_full]
    check_room(job, fulls)
    kind = kind if fulls else FULL  # there is nothing yet to begin from
    say(f"pgbackrest backup --type={kind}, encrypted")
    complaint = take_set(job, repository, kind)
    after = observe_stanza(job, repository)
    complaint = complaint or judge_new_set({one.id for one in before}, after, kind)
    made: Manifest | None = max(after.manifests, key=lambda one: one.finished, default=None)
    if complaint is None and made is not None and kind == FULL:
        complaint = judge_size(made.bytes, fulls, job.smallest_share)
    if complaint or made is None:
        cause = complaint.cause if complaint else "there is no set"
        raise ApplyFailed(f"the {kind} backup of {job.name} failed: {cause}", complaint.hint if complaint else "")
    write_text(os.path.join(job.store, SEALED_PASSPHRASE), _sealed_passphrase(job, repository))
    write_text(os.path.join(job.store, "recipients.txt"), "".join(f"{key}\n" for key in job.recipients))
    write_text(os.path.join(job.store, "RESTORE.txt"), render_restore_text(job))
    say(f"{made.id} is complete: {made.bytes} bytes")
    _expire(job, repository, say)
    return Done(made.id, made.bytes)


def prune(job: BackupJob, repository: Repository, say: Say, *, verified: str) -> Done:
    """Only under the lock, and only after a success."""
    if not verified:
        raise RefusedForSafety("nothing was pruned: the latest backup was no success", "Make a full backup")
    _expire(job, repository, say)
    return Done()


def _expire(job: BackupJob, repository: Repository, say: Say) -> None:
    for line in expire(job, repository).splitlines():
        match = _REMOVED.search(line)
        if match:
            say(match.group(1))


def _sealed_passphrase(job: BackupJob, repository: Repository) -> str:
    """For those who restore without this host. It goes through a pipe: no argument and no file holds it in clear."""
    recipients = [word for recipient in job.recipients for word in ("--recipient", recipient)]
    done = run_command(["age", "--encrypt", "--armor", *recipients], text=read_passphrase(repository))
    if not done.succeeded:
        raise ApplyFailed(f"can't seal the passphrase of the repository: {done.complaint}", "Correct the recipients")
    return done.output
