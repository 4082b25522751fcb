# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Bringing a service back with its former files, also when nobody is left to do it."""

from __future__ import annotations

import dataclasses
import os
import re
import time
import typing as t

from .files import FileContent, read_file, remove_file, replace_file
from .units import STOP_SECONDS, arm_timer, cancel_timer, reload_manager, reset_failed

# A rescue comes later than the module itself would have acted, or two would start the service at once.
_MARGIN: t.Final = 30
_DIRECTORY: t.Final = "/run/bulwark"
# Nothing where the service runs; else each file goes back to what it was. It is written in place: that needs no room on
# a full file system, and leaves owner and mode alone. A start that never came to its end is stopped as ``end_start``
# does it, also where somebody has asked for that before; a server that ran, and takes its time to stop, is waited for.
_SCRIPT: t.Final = """unit=$1; patience=$2; shift 2
of() { systemctl show --property="$1" --value -- "$unit"; }
systemctl is-active --quiet -- "$unit" && exit 0
while [ $# -gt 1 ]; do
    if [ ! -f "$2" ]; then rm -f -- "$1"; elif [ -f "$1" ]; then cp -- "$2" "$1"; else cp -p -- "$2" "$1"; fi
    shift 2
done
systemctl daemon-reload
if [ "$(of ActiveEnterTimestampMonotonic)" -lt "$(of InactiveExitTimestampMonotonic)" ]; then
    timeout "$patience" systemctl stop -- "$unit"
    [ "$(of ActiveState)" = deactivating ] && systemctl kill --signal=KILL -- "$unit"
fi
systemctl reset-failed -- "$unit"; systemctl restart -- "$unit"
"""
# A service on its way is left alone: it may be getting a full copy. One that runs needs this no more, nor does one that
# was stopped on purpose.
_START_SCRIPT: t.Final = """timer=$1; unit=$2; end=$3
[ "$(date +%s)" -gt "$end" ] && exec systemctl stop -- "$timer"
case $(systemctl show --property=ActiveState --value -- "$unit") in
    failed) systemctl reset-failed -- "$unit"; exec systemctl start -- "$unit" ;;
    active | inactive) exec systemctl stop -- "$timer" ;;
esac
"""
_START_PAUSE: t.Final = 20
_START_FOR: t.Final = 86400


@dataclasses.dataclass(frozen=True)
class FallBack:
    """A file, and the one that holds what it was; where that is not there, or ``copy`` is empty, there was none."""

    path: str
    copy: str


def rescue_timer(purpose: str, unit: str) -> str:
    return f"bulwark-{purpose}-rescue-{re.sub('[^A-Za-z0-9]', '-', unit)}"


def arm_rescue(purpose: str, unit: str, files: t.Sequence[FallBack], *, deadline: int) -> None:
    """Have the unit brought back with its former files, unless it is cancelled or the unit runs by then.

    :param deadline: seconds that each of two starts has, the one with the new files and the one with the former.
    """
    pairs = [part for one in files for part in (one.path, one.copy)]
    timer = rescue_timer(purpose, unit)
    command = ["/bin/sh", _keep(timer, _SCRIPT), unit, str(STOP_SECONDS), *pairs]
    arm_timer(timer, command, seconds=2 * deadline + _MARGIN)


def keep_starting(purpose: str, unit: str) -> None:
    """Have a unit that failed started again and again, instead: what holds it up may end when nobody looks."""
    timer = rescue_timer(purpose, unit)
    end = str(int(time.time()) + _START_FOR)
    command = ["/bin/sh", _keep(timer, _START_SCRIPT), f"{timer}.timer", unit, end]
    arm_timer(timer, command, seconds=_START_PAUSE, again=_START_PAUSE)


def _keep(timer: str, script: str) -> str:
    """In a file: systemd 252 adds backslashes to a script in a transient unit at the next daemon-reload."""
    os.makedirs(_DIRECTORY, mode=0o700, exist_ok=True)
    path = f"{_DIRECTORY}/{timer}.sh"
    replace_file(path, FileContent(script.encode("utf-8"), 0, 0, 0o600))
    return path


def cancel_rescue(purpose: str, unit: str) -> None:
    cancel_timer(rescue_timer(purpose, unit))


def put_back(unit: str, files: t.Sequence[FallBack]) -> None:
    """Give each file its former content, with its present owner and mode; one that was not there goes.

    The unit may be started again then, however often that was tried. Raises ApplyFailed.
    """
    for one in files:
        before = read_file(one.copy) if one.copy else None
        present = read_file(one.path)
        if before is None:
            remove_file(one.path)
        elif present is None:
            replace_file(one.path, before)
        else:
            replace_file(one.path, dataclasses.replace(present, data=before.data))
    reload_manager()
    reset_failed(unit)
