# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Finding candidates below a pinned directory with GNU find, which is several times faster than Python.

It only reads, never follows a link and walks by descriptors, so nobody can lead it out of the tree. See
docs/adr/0010-file-permissions-scan.md for the measurements behind the choice.
"""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import threading
import typing as t

from .._core.errors import ObservationFailed
from .._core.files import (
    DIRECTORY,
    FILE,
    PERMISSION_BITS,
    SHARED_WRITE,
    SOCKET,
    STICKY,
    Entry,
    Exclusion,
    NumericRule,
    pattern_bytes,
)
from .tree_root import TreeRoot
from .tree_scan import Candidate

_KINDS = {b"d": DIRECTORY, b"f": FILE, b"s": SOCKET, b"p": "pipe", b"b": "block device", b"c": "character device"}
_TYPE_TESTS = {
    DIRECTORY: [b"-type", b"d"],
    SOCKET: [b"-type", b"s"],
    FILE: [b"!", b"-type", b"d", b"!", b"-type", b"s"],
}
_CHUNK = 1 << 20


class Known(t.NamedTuple):
    """Users and groups that certainly exist: what a rule without owners or groups accepts at first sight."""

    users: tuple[int, ...]
    groups: tuple[int, ...]


@functools.cache
def gnu_find() -> str | None:
    """Path of GNU find, None where find is another one (busybox) or missing."""
    for path in ("/usr/bin/find", "/bin/find"):
        try:
            answer = subprocess.run([path, "--version"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        except OSError:
            continue
        if b"GNU findutils" in answer.stdout:
            return path
    return None


def scan_with_find(
    find: str,
    root: TreeRoot,
    rules: t.Sequence[NumericRule],
    *,
    known: Known,
    exclusion: Exclusion,
    one_file_system: bool,
) -> t.Iterator[Candidate]:
    """Let find select what the rules don't accept, so that only that passes through Python.

    The working directory of find is the pinned root itself, so it can't be exchanged under its hands.
    """
    command: list[bytes] = [find.encode(), b"-P", b"."]
    if one_file_system:
        command.append(b"-xdev")
    command += [b"-ignore_readdir_race", *_exclusion_arguments(exclusion)]
    filled = [
        dataclasses.replace(rule, owners=rule.owners or known.users, groups=rule.groups or known.groups)
        for rule in rules
    ]
    command += [b"!", b"-type", b"l", *_candidate_arguments(filled), b"-printf", b"%y %m %U %G %n %D %P\\0"]
    device = root.status.st_dev if one_file_system else None
    with subprocess.Popen(
        command,
        cwd=f"/proc/self/fd/{root.descriptor}",
        pass_fds=(root.descriptor,),
        env={"LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        complaints = _Complaints(t.cast("t.IO[bytes]", process.stderr))
        try:
            for record in _records(t.cast("t.IO[bytes]", process.stdout)):
                candidate = _parse_record(record, device)
                if candidate is not None:
                    yield candidate
        except BaseException:
            process.kill()
            raise
        finally:
            complaints.wait_for_end()
    complaints.judge(root.path, process.returncode)


def _records(stream: t.IO[bytes]) -> t.Iterator[bytes]:
    rest = b""
    while True:
        chunk = stream.read(_CHUNK)
        if not chunk:
            return
        records = (rest + chunk).split(b"\0")
        rest = records.pop()
        yield from records


def _parse_record(record: bytes, device: int | None) -> Candidate | None:
    kind, mode, uid, gid, links, found_device, path = record.split(b" ", 6)
    if kind not in _KINDS or (device is not None and int(found_device) != device):
        return None
    return path, Entry(_KINDS[kind], int(mode, 8), int(uid), int(gid), int(links))


def _exclusion_arguments(exclusion: Exclusion) -> list[bytes]:
    tests = [[b"-path", b"./" + _literal(path)] for path in sorted(exclusion.subtrees)]
    for pattern in exclusion.patterns:
        if pattern.startswith("/"):
            tests.append([b"-path", b"." + pattern_bytes(pattern)])
        else:
            tests.append([b"-name", pattern_bytes(pattern)])
    arguments: list[bytes] = []
    if tests:
        arguments += [b"!", b"-path", b".", *_any(tests), b"-prune", b"-o"]
    if exclusion.entries:
        arguments += [*_any([[b"-path", b"./" + _literal(path)] for path in sorted(exclusion.entries)]), b"-o"]
    return arguments


def _literal(path: bytes) -> bytes:
    return b"".join(b"\\" + bytes([byte]) if byte in b"*?[]\\" else bytes([byte]) for byte in path)


def _candidate_arguments(rules: t.Sequence[NumericRule]) -> list[bytes]:
    """Tests that hold for everything that no rule accepts; what they select besides, ``judge`` sorts out."""
    tests = []
    for kind, type_test in _TYPE_TESTS.items():
        refused_by_all = [_refused_arguments(rule, kind) for rule in rules]
        if all(refused_by_all):
            tests.append(type_test + [argument for refused in refused_by_all for argument in refused])
    return _any(tests)


def _refused_arguments(rule: NumericRule, kind: str) -> list[bytes]:
    tests = []
    for option, accepted in ((b"-uid", rule.owners), (b"-gid", rule.groups)):
        tests.append([b"!", *_any([[option, str(number).encode()] for number in accepted])])
    too_open = PERMISSION_BITS & ~rule.mode_max(kind) & ~STICKY
    if too_open:
        tests.append([b"-perm", b"/%04o" % too_open])
    if kind == DIRECTORY and rule.directory_mode_max & STICKY:
        tests.append([b"-perm", b"/%04o" % SHARED_WRITE, b"!", b"-perm", b"-%04o" % STICKY])
    return _any(tests)


def _any(tests: t.Sequence[t.Sequence[bytes]]) -> list[bytes]:
    arguments = [b"("]
    for index, test in enumerate(tests):
        arguments += [b"-o", *test] if index else list(test)
    return [*arguments, b")"]


class _Complaints:
    """What find says on standard error, drained as it comes; only the first lines are kept."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        self._lines: list[str] = []
        self._count = 0
        self._thread = threading.Thread(target=self._drain, args=(stream,), daemon=True)
        self._thread.start()

    def _drain(self, stream: t.IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", "backslashreplace").strip()
            # A live tree: what goes away while it is looked at, or is exchanged, is not what was to be mended.
            if not text.endswith(("No such file or directory", "Not a directory")):
                self._count += 1
                self._lines = [*self._lines, text][:3]

    def wait_for_end(self) -> None:
        """Before the stream is closed under the hands of the one who reads it."""
        self._thread.join()

    def judge(self, path: str, return_code: int) -> None:
        """Raise ObservationFailed if the scan may have missed something."""
        if self._lines:
            raise ObservationFailed(
                f"{self._count} places below {path} can't be looked at: " + "; ".join(self._lines),
                "Run the task with become",
            )
        if return_code not in (0, 1):
            raise ObservationFailed(f"the scan of {path} was ended with status {return_code}", "Run it again")
