# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What backup_info returns: what a job's store and history say, and what systemd says of its units."""

from __future__ import annotations

import os
import typing as t

from .._core.backup_deployment import check_name, job_file
from .._core.backup_job_file import BackupJob, parse_job
from .._core.backup_status import describe
from .._core.errors import MissingRequirement
from .._io.backup_log import waiting
from .._io.backup_store import Store, is_locked
from .._io.files import read_file
from .._io.units import require_booted, unit_properties
from .._job.state import read_history

_BUSY: t.Final = ("active", "activating", "reloading")


def gather(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    require_booted()
    name = check_name(options["name"])
    job = _read_job(job_file(name))
    unit = f"bulwark-backup-{name}"
    service = unit_properties(f"{unit}.service", "ActiveState")
    timer = unit_properties(f"{unit}.timer", "ActiveState", "UnitFileState", "NextElapseUSecRealtime")
    return {
        "backup": _status(job),
        "store": job.store,
        "running": service["ActiveState"] in _BUSY,
        # Not "failed": Ansible takes that for a failure of the task.
        "service_failed": service["ActiveState"] == "failed",
        "timer_enabled": timer["UnitFileState"] == "enabled" and timer["ActiveState"] == "active",
        "next_run": timer["NextElapseUSecRealtime"],
    }


def _read_job(path: str) -> BackupJob:
    content = read_file(path)
    if content is None:
        raise MissingRequirement(f"there is no backup job {path}", "Deploy it with backup_job, or correct the name")
    return parse_job(content.data.decode("utf-8", "replace"), where=path)


def _status(job: BackupJob) -> dict[str, t.Any]:
    """Of the store as it is now, in the words of the program's own ``status``."""
    contents = Store(job.store).look()
    return describe(
        job=job,
        contents=contents,
        waiting=len(waiting(job)),
        history=read_history(job),
        running=is_locked(os.path.join(job.state, "lock")),
    )
