# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What backup_info returns: what the job's own program says of its store, and what systemd says of its units."""

from __future__ import annotations

import json
import typing as t

from .._core.backup_deployment import check_name, job_file
from .._core.backup_units import ACCOUNT, PROGRAM, PYTHON
from .._core.errors import MissingRequirement, ObservationFailed
from .._io.commands import run_command
from .._io.files import read_file
from .._io.units import require_booted, unit_properties

_STATUS_SECONDS: t.Final = 120
_BUSY: t.Final = ("active", "activating", "reloading")


def gather(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    require_booted()
    name = check_name(options["name"])
    document = _document(job_file(name))
    unit = f"bulwark-backup-{name}"
    service = unit_properties(f"{unit}.service", "ActiveState", "Result")
    timer = unit_properties(f"{unit}.timer", "ActiveState", "UnitFileState", "NextElapseUSecRealtime")
    return {
        "backup": _status(job_file(name)),
        "store": document["store"],
        "running": service["ActiveState"] in _BUSY,
        "failed": service["ActiveState"] == "failed",
        "timer_enabled": timer["UnitFileState"] == "enabled" and timer["ActiveState"] == "active",
        "next_run": timer["NextElapseUSecRealtime"],
    }


def _document(path: str) -> dict[str, t.Any]:
    content = read_file(path)
    if content is None:
        raise MissingRequirement(f"there is no backup job {path}", "Deploy it with backup_job, or correct the name")
    try:
        return t.cast("dict[str, t.Any]", json.loads(content.data))
    except ValueError as error:
        raise ObservationFailed(f"{path} is not what backup_job wrote: {error}", "Deploy the job again") from None


def _status(path: str) -> dict[str, t.Any]:
    """As the job's own account, which is who may read the store."""
    done = run_command(
        ["runuser", "-u", ACCOUNT, "--", PYTHON, "-I", PROGRAM, "status", "--job", path], timeout=_STATUS_SECONDS
    )
    if not done.succeeded:
        raise ObservationFailed(f"the state of the job can't be read: {done.complaint}", "Run the module as root")
    try:
        return t.cast("dict[str, t.Any]", json.loads(done.output))
    except ValueError:
        raise ObservationFailed("the program's state is no JSON", "Deploy the job again") from None
