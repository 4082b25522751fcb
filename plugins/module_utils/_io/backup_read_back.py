# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A file that grows is read back from the disk while it grows, so that proving it costs hardly any time at the end.

A thread of its own: what is written is brought to the disk in parts, each part is dropped from the system's memory,
read again and hashed. Hashing and waiting for the disk let the other thread go on.
"""

from __future__ import annotations

import hashlib
import os
import threading
import typing as t

from .._core.errors import DidNotTakeEffect
from .backup_store import open_regular

_PART_BYTES: t.Final = 64 * 1024 * 1024
_BUFFER_BYTES: t.Final = 1024 * 1024
_PAGE_BYTES: t.Final = 65536  # the largest that Linux has


class ReadBack:
    """Start it when all processes have been started: a process that is forked beside a thread may hang."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._read = 0
        self._written = 0
        self._ended = False
        self._error: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def written(self, total: int) -> None:
        """So many bytes are in the file."""
        if total - self._written < _PART_BYTES:
            return
        with self._changed:
            self._written = total & -_PAGE_BYTES  # only whole pages can be dropped
            self._changed.notify()
        if not self._thread.is_alive() and not self._ended and self._error is None:
            self._thread.start()

    def finish(self, total: int) -> tuple[int, str]:
        """Size and SHA-256 of what is on the disk. Raises DidNotTakeEffect if it can't be read."""
        with self._changed:
            self._written, self._ended = total, True
            self._changed.notify()
        if self._thread.ident is None:
            self._work()
        else:
            self._thread.join()
        if self._error is not None:
            raise DidNotTakeEffect(
                f"can't read {self._path} back: {self._error.strerror}", "Look at the disk"
            ) from None
        return self._read, self._digest.hexdigest()

    def give_up(self) -> None:
        """Nobody wants to know any more."""
        with self._changed:
            self._written, self._ended = self._read, True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            descriptor = open_regular(self._path)
            try:
                while self._wait():
                    self._read_part(descriptor, self._written)
                self._read_part(descriptor, self._written, to_the_end=True)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._error = error

    def _wait(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._written > self._read)
            return not self._ended

    def _read_part(self, descriptor: int, until: int, *, to_the_end: bool = False) -> None:
        os.fdatasync(descriptor)
        os.posix_fadvise(descriptor, self._read, 0 if to_the_end else until - self._read, os.POSIX_FADV_DONTNEED)
        while self._read < until or to_the_end:
            count = os.preadv(descriptor, [self._buffer[: None if to_the_end else until - self._read]], self._read)
            if not count:
                return
            self._digest.update(self._buffer[:count])
            self._read += count
