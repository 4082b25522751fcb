# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Files that a MariaDB server falls back to, and what its journal says."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .._core.errors import ObservationFailed
from .commands import run_command
from .files import FileContent, read_file, remove_file, replace_file
from .units import reload_manager, unit_properties

_RESCUE_DIRECTORY: t.Final = "/run/bulwark"
_LAST_LINES: t.Final = 1000
# Each file goes back to what it was, and the server is started, if it failed. One on its way is left alone: it may be
# getting a full copy. One that runs, or that somebody stopped on purpose, needs this no more. It is not tried for ever.
_RESCUE_SCRIPT: t.Final = """timer=$1; unit=$2; shift 2
echo >> "$0.tries"
[ "$(wc -l < "$0.tries")" -gt 100 ] && exec systemctl stop -- "$timer.timer"
case $(systemctl show --property=ActiveState --value -- "$unit") in
    failed) ;;
    active | inactive) systemctl stop -- "$timer.timer"; exit 0 ;;
    *) exit 0 ;;
esac
while [ $# -gt 1 ]; do
    if [ -f "$2" ]; then cp -- "$2" "$1"; else rm -f -- "$1"; fi
    shift 2
done
systemctl daemon-reload; systemctl reset-failed -- "$unit"; systemctl restart -- "$unit"
"""


@dataclasses.dataclass(frozen=True)
class FallBack:
    """A file, and the one that holds what it was; an empty ``copy``: there was none."""

    path: str
    copy: str


def rescue_timer(unit: str) -> str:
    return f"bulwark-restart-rescue-{re.sub('[^A-Za-z0-9]', '-', unit)}"


def rescue_command(unit: str, files: t.Sequence[FallBack]) -> list[str]:
    """What brings a server that failed back with its former files. Does nothing where it runs."""
    os.makedirs(_RESCUE_DIRECTORY, mode=0o700, exist_ok=True)
    timer = rescue_timer(unit)
    script = f"{_RESCUE_DIRECTORY}/{timer}.sh"
    replace_file(script, FileContent(_RESCUE_SCRIPT.encode(), 0, 0, 0o700))
    remove_file(f"{script}.tries")
    pairs = [part for one in files for part in (one.path, one.copy)]
    return ["/bin/sh", script, timer, unit, *pairs]


def put_back(files: t.Sequence[FallBack]) -> None:
    """Give each file its former content, with its present owner and mode; one that was not there goes."""
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


def free_bytes(directory: str) -> int:
    """What the file system has left for accounts other than root."""
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise ObservationFailed(f"can't look at {directory}: {error.strerror}") from None
    return status.f_bavail * status.f_frsize


def read_journal(unit: str) -> str:
    """What the unit's present start, or its last one, said."""
    invocation = unit_properties(unit, "InvocationID")["InvocationID"]
    wanted = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else [f"--unit={unit}"]
    return run_command(["journalctl", "--quiet", "--output=cat", f"--lines={_LAST_LINES}", *wanted]).output


def last_error(unit: str) -> str:
    """The last error that the server wrote to the journal, or the last line where it called none an error."""
    lines = [line.strip() for line in read_journal(unit).splitlines() if line.strip()]
    errors = [line.partition("[ERROR] ")[2] for line in lines if "[ERROR] " in line and "Aborting" not in line]
    return (errors or lines or ["it wrote nothing to the journal"])[-1]
