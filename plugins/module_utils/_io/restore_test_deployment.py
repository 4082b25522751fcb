# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The files and the timer of a restore test on this host, as they are."""

from __future__ import annotations

import os
import stat
import typing as t

from .._core.backup_deployment import FILE, Item, ObservedTimer
from .._core.backup_units import UNIT_FOLDER
from .._core.errors import ObservationFailed
from .._core.restore_test_units import PROGRAM, test_file, unit_names
from .accounts import Accounts
from .commands import run_command
from .files import read_file
from .units import unit_properties


def observe_files(name: str) -> dict[str, Item]:
    paths = [PROGRAM, test_file(name), *(f"{UNIT_FOLDER}/{unit}" for unit in unit_names(name))]
    return {path: item for path in paths if (item := observe_file(path, Accounts()))}


def observe_timers(name: str) -> dict[str, ObservedTimer]:
    return observe_timer(unit_names(name)[-1].rpartition(".")[0])


def observe_timer(unit: str) -> dict[str, ObservedTimer]:
    """By its name; nothing where systemd does not know it.

    :param unit: name of timer and service without what follows the dot.
    """
    timer, service = f"{unit}.timer", f"{unit}.service"
    found = unit_properties(timer, "LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload")
    if found["LoadState"] not in ("loaded", "error", "bad-setting"):
        return {}
    outdated = "yes" in (found["NeedDaemonReload"], unit_properties(service, "NeedDaemonReload")["NeedDaemonReload"])
    return {timer: ObservedTimer(found["UnitFileState"] == "enabled", found["ActiveState"] == "active", outdated)}


def calendar_complaint(calendar: str) -> str:
    """Why systemd does not take it; empty if it does."""
    done = run_command(["systemd-analyze", "calendar", calendar])
    return "" if done.succeeded else done.complaint


def missing_folders(paths: t.Iterable[str]) -> list[str]:
    return [path for path in paths if not os.path.isdir(path)]


def observe_file(path: str, accounts: Accounts) -> Item | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ObservationFailed(f"can't look at {path}: {error.strerror}", "Run the module as root") from None
    if not stat.S_ISREG(status.st_mode):
        raise ObservationFailed(f"{path} is no file", "Move it away")
    content = read_file(path)
    return Item(
        FILE,
        path,
        accounts.user_name(status.st_uid) or str(status.st_uid),
        accounts.group_name(status.st_gid) or str(status.st_gid),
        stat.S_IMODE(status.st_mode),
        content.data if content else b"",
    )
