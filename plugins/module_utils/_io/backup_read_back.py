# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A file that grows is read back from the disk while it grows, so that proving it costs hardly any time at the end.

What is written is brought to the disk in parts. Of each part the contents that the system has in its memory are read,
dropped, and read again, now from the disk: both have to be the same. Where the file system knows direct reading, the
disk is asked past the system's memory, which costs half the time. A thread of its own does that, with what time the
tools that make the file leave it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import mmap
import os
import threading
import typing as t

from .._core.errors import DidNotTakeEffect
from .backup_store import open_regular

_PART_BYTES: t.Final = 8 * 1024 * 1024
_PIECE_BYTES: t.Final = 1024 * 1024  # whole pages, whatever their size: no others can be dropped
_LOOK_SECONDS: t.Final = 0.05
_NICENESS: t.Final = 10  # a tenth of the weight that the tools have


class ReadBack:
    """Of a file that is there, and only grows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._digest = hashlib.sha256()
        self._in_memory = bytearray(_PIECE_BYTES)
        self._on_disk = mmap.mmap(-1, _PIECE_BYTES)  # begins at a page, as direct reading wants it
        self._proven = 0
        self._ended = threading.Event()
        self._given_up = False
        self._error = ""
        self._thread = threading.Thread(target=self._work_beside, daemon=True)

    def start(self) -> None:
        """When all processes have been started, not before: one that is forked beside a thread may hang."""
        self._thread.start()

    def finish(self) -> tuple[int, str]:
        """Size and SHA-256 of what is on the disk, when nobody writes any more.

        Raises DidNotTakeEffect if it can't be read, or is not what was written.
        """
        self._ended.set()
        if self._thread.ident is None:
            self._work()
        else:
            self._thread.join()
        if self._error:
            raise DidNotTakeEffect(self._error, "Look at the disk")
        return self._proven, self._digest.hexdigest()

    def give_up(self) -> None:
        """Nobody wants to know any more."""
        self._given_up = True
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _work_beside(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)  # of this thread alone, on Linux
        self._work()

    def _work(self) -> None:
        try:
            with _opened(self._path) as descriptor, _opened(self._path) as disk:
                _set_direct(disk, True)
                self._follow(descriptor, disk)
        except OSError as error:
            self._error = f"can't read {self._path} back: {error.strerror}"

    def _follow(self, descriptor: int, disk: int) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            size = os.fstat(descriptor).st_size
            if size - self._proven >= _PART_BYTES:
                self._prove(descriptor, disk, size - size % _PIECE_BYTES)
        self._prove(descriptor, disk, os.fstat(descriptor).st_size)

    def _prove(self, descriptor: int, disk: int, until: int) -> None:
        os.fdatasync(descriptor)
        while self._proven < until and not self._given_up and not self._error:
            length = min(_PIECE_BYTES, until - self._proven)
            written = _read(descriptor, self._in_memory, self._proven, length)
            _drop(descriptor, self._proven, length)
            found = _read_disk(disk, self._on_disk, self._proven, length)
            _drop(descriptor, self._proven, length)
            if not written == found == length or not _same(self._in_memory, self._on_disk, length):
                self._error = f"{self._path} reads back differently from what was written"
            self._digest.update(memoryview(self._on_disk)[:found])
            self._proven += length


@contextlib.contextmanager
def _opened(path: str) -> t.Iterator[int]:
    descriptor = open_regular(path)
    try:
        # nothing is read beyond what is asked for: it would not come from the disk when its turn comes
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        yield descriptor
    finally:
        os.close(descriptor)


def _set_direct(descriptor: int, wanted: bool) -> None:
    """Whether it is read past the system's memory, if the file system can: tmpfs, for one, can't before Linux 6.6."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    with contextlib.suppress(OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT)


def _read(descriptor: int, buffer: bytearray | mmap.mmap, offset: int, length: int) -> int:
    """How much was read: as much as asked for, or what there is."""
    view, filled = memoryview(buffer), 0
    while filled < length:
        # the whole rest is asked for: who reads directly has to ask for whole blocks
        count = os.preadv(descriptor, [view[filled:]], offset + filled)
        if not count:
            break
        filled += count
    return min(filled, length)


def _read_disk(descriptor: int, buffer: mmap.mmap, offset: int, length: int) -> int:
    try:
        return _read(descriptor, buffer, offset, length)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    _set_direct(descriptor, False)  # it can't after all, or not in this place
    return _read(descriptor, buffer, offset, length)


def _same(written: bytearray, found: mmap.mmap, length: int) -> bool:
    # the bytearray stands on the left: two views would be compared byte by byte, in six times the time
    return (written if length == len(written) else written[:length]) == memoryview(found)[:length]


def _drop(descriptor: int, offset: int, length: int) -> None:
    """From the system's memory."""
    to_the_end = length != _PIECE_BYTES  # then the last page goes, too, though it is not whole
    os.posix_fadvise(descriptor, offset, 0 if to_the_end else length, os.POSIX_FADV_DONTNEED)
