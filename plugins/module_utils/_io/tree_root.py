# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Opening the path of a policy without being led astray by whoever owns a directory on the way."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import stat
import typing as t

from .._core.errors import ObservationFailed, RefusedForSafety

_MOST_LINKS = 40  # what the kernel allows on one path

# An O_PATH descriptor pins a thing without opening it: no device is woken, no pipe blocks, no permission is needed.
PINNED: t.Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
PINNED_DIRECTORY: t.Final = PINNED | os.O_DIRECTORY


@dataclasses.dataclass(frozen=True)
class TreeRoot:
    """The path of a policy, pinned: whatever happens to the path, the descriptor stays with what was found there.

    :param path: with its links resolved.
    :param descriptor: O_PATH.
    :param status: of the thing itself; never a symbolic link.
    :param parent: the directory that holds it, pinned too.
    """

    path: str
    descriptor: int
    status: os.stat_result
    parent: int


@contextlib.contextmanager
def opened_root(path: str) -> t.Iterator[TreeRoot | None]:
    """Walk to an absolute path by descriptors, following links that may be trusted; None if there is nothing.

    A link is followed if it is root's, or its owner's who also owns what it leads to: otherwise the owner of a
    directory could point a policy at files of somebody else. Raises RefusedForSafety for any other link and
    ObservationFailed for what can't be looked at.
    """
    with contextlib.ExitStack() as stack:
        walk = _Walk(stack)
        try:
            walk.to(path)
        except FileNotFoundError:
            yield None
            return
        except NotADirectoryError:
            yield None
            return
        except OSError as error:
            hint = "Run the task with become" if error.errno in (errno.EACCES, errno.EPERM) else ""
            raise ObservationFailed(f"can't look at {path}: {error.strerror}", hint) from None
        yield TreeRoot(walk.path, walk.descriptor, os.fstat(walk.descriptor), walk.parent)


class _Walk:
    """A chain of pinned directories from / to where the walk is, so that '..' needs no path."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._chain: list[tuple[str, int]] = [("", self._pin("/", None))]

    @property
    def descriptor(self) -> int:
        return self._chain[-1][1]

    @property
    def path(self) -> str:
        return "/".join(name for name, dummy in self._chain) or "/"

    @property
    def parent(self) -> int:
        return self._chain[-2 if len(self._chain) > 1 else -1][1]

    def to(self, path: str) -> None:
        self._through(path, links=0)

    def _through(self, path: str, *, links: int) -> int:
        """Walk a path from here; gives the number of links followed so far."""
        if path.startswith("/"):
            del self._chain[1:]
        for name in [part for part in path.split("/") if part not in ("", ".")]:
            if name == "..":
                del self._chain[max(1, len(self._chain) - 1) :]
                continue
            descriptor = self._pin(name, self.descriptor)
            status = os.fstat(descriptor)
            if stat.S_ISLNK(status.st_mode):
                links = self._follow(name, descriptor, owner=status.st_uid, links=links + 1)
            else:
                self._chain.append((name, descriptor))
        return links

    def _follow(self, name: str, descriptor: int, *, owner: int, links: int) -> int:
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        link = f"{self.path.rstrip('/')}/{name}"
        target = os.readlink("", dir_fd=descriptor)
        links = self._through(target, links=links)
        reached = os.fstat(self.descriptor).st_uid
        if owner not in (0, reached):
            raise RefusedForSafety(
                f"{link} is a symbolic link of user {owner} that leads to {self.path}, which belongs to user {reached}",
                f"Name {self.path} in the policy, or give the link to root: chown -h root {link}",
            )
        return links

    def _pin(self, name: str, parent: int | None) -> int:
        descriptor = os.open(name, PINNED, dir_fd=parent)
        self._stack.callback(os.close, descriptor)
        return descriptor


class PinnedDirectories:
    """Pinned directories below a root, reached one component at a time without following a link. Keeps the last one,
    because a scan lists a directory's entries together."""

    def __init__(self, root: TreeRoot) -> None:
        self._root = root
        self._prefix: bytes | None = None
        self._descriptor = -1

    def close(self) -> None:
        self._forget()

    def holding(self, path: bytes) -> int:
        """Descriptor of the directory that holds ``path``. Raises OSError if the way there is not directories only."""
        if not path:
            return self._root.parent
        prefix = path.rpartition(b"/")[0]
        if not prefix:
            return self._root.descriptor
        if prefix != self._prefix:
            self._forget()
            self._descriptor = self._walk(prefix)
            self._prefix = prefix
        return self._descriptor

    def _walk(self, prefix: bytes) -> int:
        descriptor = os.dup(self._root.descriptor)
        for name in prefix.split(b"/"):
            try:
                child = os.open(name, PINNED_DIRECTORY, dir_fd=descriptor)
            finally:
                os.close(descriptor)
            descriptor = child
        return descriptor

    def _forget(self) -> None:
        if self._prefix is not None:
            os.close(self._descriptor)
            self._prefix = None
