# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A service's drop-in, and its processes as they are."""

from __future__ import annotations

import glob
import os
import re
import typing as t

from .._core.sandbox import ProcessView, parse_exposure, parse_mounts
from .commands import run_command
from .files import FileContent, read_file, remove_file, replace_file
from .processes import is_open_for_writing, open_files, process_started, read_process_file, unit_processes
from .rescue import FallBack
from .units import reload_manager

_RESCUE_DIRECTORY: t.Final = "/run/bulwark"
_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")


def drop_in_path(unit: str) -> str:
    return f"/etc/systemd/system/{unit}.d/50-bulwark.conf"


def read_drop_in(unit: str) -> str | None:
    content = read_file(drop_in_path(unit))
    return None if content is None else content.data.decode("utf-8", "replace")


def put_drop_in(unit: str, text: str | None) -> None:
    """Write the drop-in, or remove it if there is to be none, and let systemd read it."""
    path = drop_in_path(unit)
    if text is None:
        remove_file(path)
    else:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        replace_file(path, FileContent(text.encode("utf-8"), 0, 0, 0o644))
    reload_manager()


def keep_drop_in(unit: str, former: str | None) -> FallBack:
    """The former drop-in in a file of its own, for the rescue."""
    os.makedirs(_RESCUE_DIRECTORY, mode=0o700, exist_ok=True)
    kept = f"{_RESCUE_DIRECTORY}/{unit}.conf"
    remove_file(kept)
    if former is not None:
        replace_file(kept, FileContent(former.encode("utf-8"), 0, 0, 0o644))
    return FallBack(drop_in_path(unit), kept)


def observe_process(process: int, unit: str) -> ProcessView:
    status = read_process_file(process, "status")
    capabilities = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    return ProcessView(
        no_new_privileges=re.search(r"^NoNewPrivs:\s*1", status, re.MULTILINE) is not None,
        capabilities=int(capabilities.group(1), 16) if capabilities else 0,
        read_only=parse_mounts(read_process_file(process, "mountinfo")),
        newer_than_drop_in=_written(drop_in_path(unit)) <= process_started(process),
    )


def observe_written(unit: str) -> tuple[str, ...]:
    """Files that processes of the unit have open for writing, and paths of the unix sockets they listen on."""
    sockets = _unix_socket_paths()
    found = set()
    for process in unit_processes(unit):
        for descriptor, link in open_files(process):
            match = _SOCKET_LINK.fullmatch(link)
            if match:
                found.add(sockets.get(match.group(1), ""))
            elif link.startswith("/") and not link.endswith(" (deleted)") and is_open_for_writing(process, descriptor):
                found.add(link)
    # "@" begins an abstract name, which is no path.
    return tuple(sorted({os.path.realpath(path) for path in found if path.startswith("/")}))


def observe_links(paths: t.Collection[str], patterns: t.Iterable[str]) -> list[str]:
    """Where the paths really are, and the directories that symbolic links below them lead to."""
    wanted = [f"{glob.escape(path)}/{pattern}" for path in paths for pattern in patterns]
    links = (link for pattern in wanted for link in sorted(glob.glob(pattern)) if os.path.islink(link))
    targets = [target for target in map(os.path.realpath, links) if os.path.isdir(target)]
    return [*map(os.path.realpath, paths), *targets]


def observe_exposure(unit: str) -> float | None:
    return parse_exposure(run_command(["systemd-analyze", "--no-pager", "security", unit]).output)


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")


def _unix_socket_paths() -> dict[str, str]:
    """Inode to path of the listening unix sockets."""
    found = {}
    with open("/proc/self/net/unix", encoding="utf-8", errors="surrogateescape") as stream:
        for line in stream:
            fields = line.split(maxsplit=7)
            if len(fields) == 8 and fields[3] == "00010000":
                found[fields[6]] = fields[7].rstrip("\n")
    return found
