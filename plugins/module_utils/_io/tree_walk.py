# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Finding candidates below a pinned directory in Python: where find is not GNU find."""

from __future__ import annotations

import os
import stat
import typing as t

from .._core.errors import ObservationFailed
from .._core.files import Entry, Exclusion
from .tree_root import TreeRoot
from .tree_scan import Candidate, entry_of


def scan_with_python(
    root: TreeRoot, accepted: t.Callable[[Entry], bool], *, exclusion: Exclusion, one_file_system: bool
) -> t.Iterator[Candidate]:
    """Everything that ``accepted`` denies; it is asked once per combination of kind, mode and ids."""
    walk = _PythonWalk(root, accepted, exclusion, one_file_system=one_file_system)
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root.descriptor)
    yield from walk.judge(b"", root.status)
    yield from walk.below(descriptor, b"")


class _PythonWalk:
    def __init__(
        self,
        root: TreeRoot,
        accepted: t.Callable[[Entry], bool],
        exclusion: Exclusion,
        *,
        one_file_system: bool,
    ) -> None:
        self._root = root
        self._accepted = accepted
        self._excluded = exclusion.matcher()
        self._entries = exclusion.entries
        self._device = root.status.st_dev if one_file_system else None
        self._known: dict[tuple[int, int, int], bool] = {}

    def below(self, descriptor: int, prefix: bytes) -> t.Iterator[Candidate]:
        """Everything below an open directory, which is closed when done. Depth is bounded by descriptors, and said."""
        pending: list[tuple[int, bytes, list[bytes]]] = [(descriptor, prefix, [])]
        try:
            yield from self._list(*pending[-1])
            while pending:
                parent, prefix, names = pending[-1]
                if not names:
                    os.close(pending.pop()[0])
                    continue
                name = names.pop()
                child = self._open(name, parent, prefix)
                if child is not None:
                    pending.append((child, prefix + name + b"/", []))
                    yield from self._list(*pending[-1])
        finally:
            for open_descriptor, dummy_prefix, dummy_names in pending:
                os.close(open_descriptor)

    def judge(self, path: bytes, status: os.stat_result) -> t.Iterator[Candidate]:
        key = (status.st_mode, status.st_uid, status.st_gid)
        verdict = self._known.get(key)
        if verdict is None:
            entry = entry_of(status)
            verdict = self._known[key] = entry is None or self._accepted(entry)
        if not verdict and path not in self._entries:
            entry = entry_of(status)
            if entry is not None:
                yield path, entry

    def _list(self, descriptor: int, prefix: bytes, directories: list[bytes]) -> t.Iterator[Candidate]:
        known, excluded, device = self._known, self._excluded, self._device
        with os.scandir(descriptor) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                is_directory = stat.S_ISDIR(status.st_mode)
                if excluded is None and not is_directory and known.get((status.st_mode, status.st_uid, status.st_gid)):
                    continue
                name = os.fsencode(entry.name)
                path = prefix + name
                if (excluded and excluded(name, path)) or (device is not None and status.st_dev != device):
                    continue
                if is_directory:
                    directories.append(name)
                yield from self.judge(path, status)

    def _open(self, name: bytes, parent: int, prefix: bytes) -> int | None:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return os.open(name, flags, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            where = os.fsdecode(prefix + name)
            raise ObservationFailed(f"can't look at {self._root.path}/{where}: {error.strerror}") from None
