# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The history of a job's runs, in a file."""

from __future__ import annotations

import os
import time

from .._core.backup_job_file import BackupJob
from .._core.backup_moments import render_moment
from .._core.backup_status import Run, add_run, parse_history_file, render_history_file
from .._core.errors import BulwarkError
from .._io.backup_store import locked, read_text, write_text


def read_history(job: BackupJob) -> tuple[Run, ...]:
    try:
        return parse_history_file(read_text(_path(job)))
    except (OSError, BulwarkError):
        return ()


def remember(job: BackupJob, run: Run) -> None:
    with locked(os.path.join(job.state, "history.lock"), what="another run", seconds=30):
        before = read_history(job)
        after = add_run(before, run)
        if after != before:
            write_text(_path(job), render_history_file(after))


def describe_run(command: str, started: float, *, error: str = "", identifier: str = "", size: int = 0) -> Run:
    finished = time.time()
    return Run(
        command=command,
        started=render_moment(started),
        finished=render_moment(finished),
        seconds=round(finished - started, 3),
        outcome="failure" if error else "success",
        error=error,
        id=identifier,
        bytes=size,
    )


def _path(job: BackupJob) -> str:
    return os.path.join(job.state, "history.json")
