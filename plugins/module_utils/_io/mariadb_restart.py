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

from .commands import run_command
from .files import FileContent, read_file, remove_file, replace_file
from .units import reload_manager

_RESCUE_DIRECTORY: t.Final = "/run/bulwark"
_LAST_LINES: t.Final = 200
# Each file goes back to what it was; the server is started if it does not run.
_RESCUE_SCRIPT: t.Final = """systemctl is-active --quiet -- "$1" && exit 0
unit=$1; shift
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
    """What brings the server back with its former files if nobody is left to do it. Does nothing where it runs."""
    os.makedirs(_RESCUE_DIRECTORY, mode=0o700, exist_ok=True)
    script = f"{_RESCUE_DIRECTORY}/{rescue_timer(unit)}.sh"
    replace_file(script, FileContent(_RESCUE_SCRIPT.encode(), 0, 0, 0o700))
    pairs = [part for one in files for part in (one.path, one.copy)]
    return ["/bin/sh", script, unit, *pairs]


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


def last_error(unit: str) -> str:
    """The last error that the server wrote to the journal, or the last line where it called none an error."""
    done = run_command(["journalctl", "--quiet", "--output=cat", f"--lines={_LAST_LINES}", f"--unit={unit}"])
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    errors = [line.partition("[ERROR] ")[2] for line in lines if "[ERROR] " in line and "Aborting" not in line]
    return (errors or lines or ["it wrote nothing to the journal"])[-1]
