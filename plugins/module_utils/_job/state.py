# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The history of a job's runs, in a file, and the mark of one that is under way."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t

from .._core.backup_job_file import BackupJob
from .._core.backup_moments import parse_moment, render_moment
from .._core.backup_status import ASIDE, Run, add_run, parse_history_file, render_history_file
from .._core.errors import BulwarkError, ObservationFailed
from .._io.backup_store import is_locked, locked, read_text, rename, write_text
from .console import say

# A command that nobody starts: under this name a history tells of itself.
_HISTORY: t.Final = "history"
_DAMAGED: t.Final = ".damaged"


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command did, for the history.

    :param aside: nothing, because another node of the cluster did it.
    """

    id: str = ""
    bytes: int = 0
    aside: bool = False


def read_history(job: BackupJob) -> tuple[Run, ...]:
    """With a full backup that came to no end, because it was killed or the host went down, as a failure."""
    cut_off = None if is_locked(lock_of(job)) else _begun(job)
    return (*read_runs(_path(job)), *([cut_off] if cut_off else []))


def history_complaint(job: BackupJob) -> str:
    """What is wrong with the history's file, or was and has not been looked at; empty for nothing."""
    return next((run.error for run in read_runs(_path(job)) if run.command == _HISTORY), "")


def read_runs(path: str) -> tuple[Run, ...]:
    """What a history's file says. That it is damaged, or was, is a failure in it until somebody has seen to it."""
    aside = f"{path}{_DAMAGED}"
    try:
        written = _written(path)
    except ObservationFailed as error:
        return (_told_failure(path, f"{error.message}; the next run keeps it as {aside} and begins a new one"),)
    if os.path.lexists(aside):
        told = f"{path} was damaged and has begun anew: look at {aside}, then remove it"
        return (_told_failure(aside, told), *written)
    return written


def _told_failure(path: str, error: str) -> Run:
    """As old as the file."""
    try:
        moment = render_moment(os.lstat(path).st_mtime)
    except OSError:
        moment = render_moment(time.time())
    return Run(_HISTORY, moment, moment, 0.0, "failure", error)


def lock_of(job: BackupJob) -> str:
    """Of full backups and pruning."""
    return os.path.join(job.state, "lock")


@contextlib.contextmanager
def under_way(job: BackupJob) -> t.Iterator[None]:
    """A full backup, from its beginning to whatever end it comes to by itself. Only under the lock."""
    cut_off = _begun(job)
    with contextlib.suppress(BulwarkError):  # where it can't be written, the backup is worth more than the mark
        if cut_off:
            remember(job, cut_off)
        write_text(_mark(job), render_moment(time.time()) + "\n")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(_mark(job))


def _begun(job: BackupJob) -> Run | None:
    """The full backup that has left its mark, as the failure that it is if nobody is at it."""
    try:
        started = read_text(_mark(job)).strip()
        parse_moment(started)
    except (OSError, ValueError, BulwarkError):
        return None
    error = "ended from outside: it was killed, or the host went down. Start it again"
    return Run("full", started, started, 0.0, "failure", error)


def _written(path: str) -> tuple[Run, ...]:
    """Nothing where there is no file yet. Raises ObservationFailed for one that can't be read."""
    try:
        return parse_history_file(read_text(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}") from None
    except BulwarkError:
        raise ObservationFailed(f"{path} is damaged") from None


def remember(job: BackupJob, run: Run) -> None:
    with locked(os.path.join(job.state, "history.lock"), what="another run", seconds=30):
        remember_at(_path(job), run)


def remember_at(path: str, run: Run, mode: int = 0o600) -> None:
    """Add a run to a history's file. A damaged one is not written over: it gets another name, and is told of."""
    try:
        before = _written(path)
    except ObservationFailed as error:
        rename(path, f"{path}{_DAMAGED}")
        say(f"{error.message}; it is kept as {path}{_DAMAGED}: look at it, then remove it")
        before = ()
    after = add_run(before, run)
    if after != before:
        write_text(path, render_history_file(after), mode)


def describe_run(
    command: str, started: float, *, error: str = "", identifier: str = "", size: int = 0, aside: bool = False
) -> Run:
    finished = time.time()
    return Run(
        command=command,
        started=render_moment(started),
        finished=render_moment(finished),
        seconds=round(finished - started, 3),
        outcome="failure" if error else ASIDE if aside else "success",
        error=error,
        id=identifier,
        bytes=size,
    )


def _mark(job: BackupJob) -> str:
    return os.path.join(job.state, "begun")


def _path(job: BackupJob) -> str:
    return os.path.join(job.state, "history.json")
