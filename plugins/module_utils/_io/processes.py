# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Looking at processes through /proc."""

from __future__ import annotations

import contextlib
import os
import re
import time
import typing as t

_SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")
_UNIT_IN_CGROUP = re.compile(r"/([^/]+\.(?:service|scope|socket|mount))(?:/|$)")


def process_ids() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def open_files(process: int) -> list[tuple[int, str]]:
    """Descriptors of a process with what they lead to; empty if it has gone or may not be looked at."""
    with contextlib.suppress(OSError):
        try:
            return _descriptors(process)
        except PermissionError:
            with _seen_as_owner(process):
                return _descriptors(process)
    return []


def _descriptors(process: int) -> list[tuple[int, str]]:
    found = []
    for name in os.listdir(f"/proc/{process}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed since
            found.append((int(name), os.readlink(f"/proc/{process}/fd/{name}")))
    return found


def process_link(process: int, name: str) -> str:
    """Where a link below /proc/<process> leads, such as ``exe`` or ``fd/2``. Raises OSError where nobody may look."""
    path = f"/proc/{process}/{name}"
    try:
        return os.readlink(path)
    except PermissionError:
        with _seen_as_owner(process):
            return os.readlink(path)


def is_open_for_writing(process: int, descriptor: int) -> bool:
    match = re.search(r"^flags:\s*([0-7]+)", read_process_file(process, f"fdinfo/{descriptor}"), re.MULTILINE)
    return bool(match and int(match.group(1), 8) & os.O_ACCMODE)


def socket_owners() -> dict[str, int]:
    """Inode of each open socket to the process that has it: the oldest, where it was inherited."""
    owners: dict[str, int] = {}
    for process in process_ids():
        for dummy, link in open_files(process):
            match = _SOCKET_LINK.fullmatch(link)
            if match:
                owners.setdefault(match.group(1), process)
    return owners


def process_name(process: int) -> str:
    return read_process_file(process, "comm").strip()


def process_unit(process: int) -> str:
    """The systemd unit a process belongs to, from its control group; an empty string if none."""
    for line in read_process_file(process, "cgroup").splitlines():
        found = _UNIT_IN_CGROUP.findall(line.rpartition(":")[2])
        if found:
            return found[-1]
    return ""


def unit_processes(unit: str) -> list[int]:
    return [process for process in process_ids() if process_unit(process) == unit]


def process_started(process: int) -> float:
    """When a process was started, in seconds since the epoch, to a hundredth; 0 if it has gone."""
    fields = read_process_file(process, "stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return 0.0
    # The kernel counts from its boot, asleep or awake. Its "btime" has whole seconds only.
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def read_process_file(process: int, name: str) -> str:
    """A file below /proc/<process>; an empty string if it has gone or may not be read."""
    path = f"/proc/{process}/{name}"
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except PermissionError:
        with contextlib.suppress(OSError), _seen_as_owner(process), open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError:
        pass
    return ""


@contextlib.contextmanager
def _seen_as_owner(process: int) -> t.Iterator[None]:
    """Look at a process as its owner: in a container root may not look into others' processes, their owner may."""
    owner = os.stat(f"/proc/{process}")
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group = os.getegid()
    try:
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
