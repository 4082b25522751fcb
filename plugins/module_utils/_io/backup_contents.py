# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a job has stored, whichever engine stored it."""

from __future__ import annotations

import os

from .._core.backup_job_file import BackupJob
from .._core.backup_manifest import Contents
from .._core.pgbackrest import REPOSITORY, repository_path
from .anteroom import pushed
from .backup_log import waiting
from .backup_store import Store
from .pgbackrest import look_at_repository


def look(job: BackupJob, *, contents: bool = False) -> Contents:
    """:param contents: read every byte. Raises ObservationFailed if it can't be looked at."""
    if job.repository:
        return look_at_repository(job, job.repository, contents=contents)
    return Store(job.store).look(contents=contents)


def count_waiting(job: BackupJob) -> int:
    """Pieces of the log that wait to be carried into the store."""
    if job.repository:
        return pushed(job) if job.side == REPOSITORY else 0
    return len(waiting(job))


def sets_folder(job: BackupJob) -> str:
    """The folder that changes whenever a set comes or goes."""
    if job.repository:
        return os.path.join(repository_path(job.store), "backup", job.name)
    return Store(job.store).full
