# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Mending what a survey of files found, one thing at a time.

Everything is pinned by an O_PATH descriptor first and judged again on that descriptor, so that what is changed is what
was judged: whoever owns the tree may exchange names for links while this runs, and gains nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement
from .._core.file_plan import Survey, TreeSurvey
from .._core.files import SET_ID, Entry, Verdict, readable_path, refusal
from .accounts import Accounts
from .file_tree import Judging
from .tree_root import PINNED, PinnedDirectories, TreeRoot, opened_root
from .tree_scan import entry_of

_MOST_NAMED = 5
# The kernel stamps changes by a clock that ticks every 10 ms at most.
_CLOCK_GRAIN = 20_000_000
_MOST_WAITS = 3
# Gone or exchanged since the scan; the second observation looks at what is there now.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_HINTS = {
    errno.EROFS: "The file system is mounted read-only. ",
    errno.EPERM: "Run the task with become, and look for the immutable attribute with lsattr. ",
    errno.EACCES: "Run the task with become. ",
}


def mend(survey: Survey, *, accounts: Accounts | None = None) -> int:
    """Mend everything the survey noted; gives how many were changed.

    What fails does not keep the rest from being mended. Raises ApplyFailed at the end, naming the first failures.
    """
    if not os.path.isdir("/proc/self/fd"):
        raise MissingRequirement("/proc is not mounted, so nothing can be changed without a race", "Mount it")
    mender = _Mender(accounts or Accounts())
    for tree in survey.trees:
        if tree.count:
            mender.mend_tree(tree)
    mender.finish(survey.count)
    return mender.mended


class _Mender:
    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.mended = 0
        self._failed = 0
        self._failures: list[str] = []
        self._hint = ""

    def mend_tree(self, tree: TreeSurvey) -> None:
        judging = Judging(tree.policy, self._accounts)
        with opened_root(tree.policy.path) as root:
            if root is None:
                return
            if root.path != tree.resolved:
                raise ApplyFailed(
                    f"{tree.policy.path} led to {tree.resolved} when it was looked at, and now leads to {root.path}",
                    f"{self.mended} things were mended before; find out who changes links there",
                )
            with contextlib.closing(PinnedDirectories(root)) as directories:
                for path in _split(tree.to_mend):
                    self._mend_path(judging, root, directories, path=path)

    def finish(self, wanted: int) -> None:
        if self._failed:
            more = f"; and {self._failed - len(self._failures)} more" if self._failed > len(self._failures) else ""
            raise ApplyFailed(
                f"{self._failed} of {wanted} could not be mended: " + "; ".join(self._failures) + more,
                f"{self._hint}The other {self.mended} are mended",
            )

    def _mend_path(self, judging: Judging, root: TreeRoot, directories: PinnedDirectories, *, path: bytes) -> None:
        try:
            name = os.fsencode(root.path.rpartition("/")[2]) if not path else path.rpartition(b"/")[2]
            parent = directories.holding(path)
            with _pinned(name, parent) if path else contextlib.nullcontext(root.descriptor) as descriptor:
                self.mended += _mend_pinned(judging, root, _Place(parent, name, descriptor))
        except OSError as error:
            if error.errno not in _GONE:
                self._note_failure(os.fsencode(root.path) + b"/" + path, error)

    def _note_failure(self, path: bytes, error: OSError) -> None:
        self._failed += 1
        if len(self._failures) < _MOST_NAMED:
            self._failures.append(f"{readable_path(path.rstrip(b'/'))} ({error.strerror})")
            self._hint = self._hint or _HINTS.get(t.cast(int, error.errno), "")


def _split(paths: bytearray) -> t.Iterator[bytes]:
    """The NUL-terminated paths, without a second copy of them all."""
    start = 0
    while start < len(paths):
        end = paths.index(b"\0", start)
        yield bytes(paths[start:end])
        start = end + 1


class _Place(t.NamedTuple):
    """Something pinned, and where it was found."""

    parent: int
    name: bytes
    descriptor: int


@contextlib.contextmanager
def _pinned(name: bytes, parent: int) -> t.Iterator[int]:
    descriptor = os.open(name, PINNED, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mend_pinned(judging: Judging, root: TreeRoot, place: _Place) -> bool:
    """Judge what the descriptor pins and mend exactly that; whether anything was changed."""
    status = _settled_status(place.descriptor)
    entry = entry_of(status)
    if entry is None or (judging.policy.one_file_system and status.st_dev != root.status.st_dev):
        return False
    verdict = judging.verdict(entry)
    if verdict is None or not verdict.differs_from(entry):
        return False
    if refusal(entry, verdict, parent_uid=os.fstat(place.parent).st_uid) or not _is_still_there(place, status):
        return False
    _change(f"/proc/self/fd/{place.descriptor}", entry, verdict)
    return True


def _settled_status(descriptor: int) -> os.stat_result:
    """A status whose time of last change is so old that any later change will show in it."""
    status = os.fstat(descriptor)
    for dummy in range(_MOST_WAITS):
        # File systems that keep whole seconds show it by their zeros.
        grain = _CLOCK_GRAIN if status.st_ctime_ns % 1_000_000_000 else 1_000_000_000 + _CLOCK_GRAIN
        age = time.time_ns() - status.st_ctime_ns
        if stat.S_ISDIR(status.st_mode) or not 0 <= age < grain:
            break
        time.sleep((grain - age) / 1e9)
        status = os.fstat(descriptor)
    return status


def _is_still_there(place: _Place, status: os.stat_result) -> bool:
    """Whether what is pinned is still what its name leads to, and got and lost no name since its status was read.

    Without this the number of names proves nothing: a file of somebody else could be linked into the tree, pinned by
    us, and unlinked again before its names are counted. It would look like a file of the tree with one name.
    """
    if stat.S_ISDIR(status.st_mode):
        return True
    named = os.stat(place.name, dir_fd=place.parent, follow_symlinks=False)
    now = os.fstat(place.descriptor)
    same = (named.st_dev, named.st_ino) == (status.st_dev, status.st_ino)
    return same and (now.st_nlink, now.st_ctime_ns) == (status.st_nlink, status.st_ctime_ns)


def _change(pinned: str, entry: Entry, verdict: Verdict) -> None:
    """Permissions go first, so that a new owner never holds more than the policy gives, not for a moment.

    :param pinned: the descriptor's name below /proc, which leads to the pinned thing itself, whatever its path is now.
    """
    if verdict.mode != entry.mode:
        os.chmod(pinned, verdict.mode)
    if (verdict.uid, verdict.gid) != (entry.uid, entry.gid):
        os.chown(pinned, verdict.uid, verdict.gid)
        # A change of owner clears set-id bits; a maximum that has them keeps them.
        if verdict.mode & SET_ID and stat.S_IMODE(os.stat(pinned).st_mode) != verdict.mode:
            os.chmod(pinned, verdict.mode)
