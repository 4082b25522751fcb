# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The files and the timer of monitoring on this host, as they are."""

from __future__ import annotations

import glob
import os
import stat

from .._core.backup_deployment import FILE, FOLDER, Item, ObservedTimer
from .._core.backup_monitor_units import DROP_IN, METRICS_UNIT, TIMER, fixed_paths, folders_of
from .._core.backup_units import UNIT_FOLDER
from .._core.errors import ObservationFailed
from .accounts import Accounts
from .files import read_file
from .units import unit_properties


def observe_monitor() -> dict[str, Item]:
    """What there is of it, by path; drop-ins of jobs that are watched no more too."""
    accounts = Accounts()
    drop_ins = [
        path
        for kind in ("backup", "restore-test", "copies")
        for path in glob.glob(f"{UNIT_FOLDER}/bulwark-{kind}-*.service.d/{DROP_IN}")
    ]
    paths = [*(item.path for item in folders_of()), *fixed_paths(), *sorted(drop_ins)]
    return {path: item for path in paths if (item := _observe(path, accounts))}


def observe_timer() -> dict[str, ObservedTimer]:
    found = unit_properties(TIMER, "LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload")
    if found["LoadState"] not in ("loaded", "error", "bad-setting"):
        return {}
    of_service = unit_properties(f"{METRICS_UNIT}.service", "NeedDaemonReload")
    outdated = "yes" in (found["NeedDaemonReload"], of_service["NeedDaemonReload"])
    return {TIMER: ObservedTimer(found["UnitFileState"] == "enabled", found["ActiveState"] == "active", outdated)}


def is_folder(path: str) -> bool:
    return os.path.isdir(path)


def _observe(path: str, accounts: Accounts) -> Item | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ObservationFailed(f"can't look at {path}: {error.strerror}", "Run the module as root") from None
    is_file = stat.S_ISREG(status.st_mode)
    if not is_file and not stat.S_ISDIR(status.st_mode):
        raise ObservationFailed(f"{path} is neither file nor folder", "Move it away")
    content = read_file(path) if is_file else None
    return Item(
        FILE if is_file else FOLDER,
        path,
        accounts.user_name(status.st_uid) or str(status.st_uid),
        accounts.group_name(status.st_gid) or str(status.st_gid),
        stat.S_IMODE(status.st_mode),
        content.data if content else b"",
    )
