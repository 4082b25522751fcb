# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What there is of a job, as the program's ``status`` prints it and backup_info returns it."""

from __future__ import annotations

import typing as t

from .._core.backup_job_file import BackupJob
from .._core.backup_status import describe
from .._core.errors import ObservationFailed
from .._core.pgbackrest import DATABASE
from .._io.backup_contents import count_waiting, look
from .._io.backup_store import is_locked
from .delivery import read_copies
from .state import lock_of, read_history


def status_of(job: BackupJob) -> dict[str, t.Any]:
    """Of the store as it is now. Raises ObservationFailed where that is on another host."""
    if job.repository and job.side == DATABASE:
        raise ObservationFailed(f"the backups of {job.name} are on {job.repository.address}", "Ask there")
    return describe(
        job=job,
        contents=look(job),
        waiting=count_waiting(job),
        history=read_history(job),
        running=is_locked(lock_of(job)),
        copies=read_copies(job),
    )
