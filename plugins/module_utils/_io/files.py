# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reading and atomically replacing files of a server's configuration."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import secrets
import stat

from .._core.errors import ApplyFailed, ObservationFailed


@dataclasses.dataclass(frozen=True)
class FileContent:
    """A regular file as it was read: content and what a replacement has to keep.

    :param mode: permission bits.
    """

    data: bytes
    uid: int
    gid: int
    mode: int


def read_file(path: str) -> FileContent | None:
    """The file's content and ownership, None if there is none. Raises ObservationFailed for anything but a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ObservationFailed(f"{path} is not a regular file", "Move it away, or name another path")
        return FileContent(stream.read(), status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def free_bytes(directory: str) -> int:
    """What the file system has left for accounts other than root. Raises ObservationFailed."""
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise ObservationFailed(f"can't look at {directory}: {error.strerror}") from None
    return status.f_bavail * status.f_frsize


def replace_file(path: str, content: FileContent) -> None:
    """Put content in place atomically and durably: readers see the old file or the new one, never a part.

    A symbolic link at ``path`` is resolved first, so that the link stays and its target is replaced. The new file
    never is wider than ``content.mode``, not for a moment. Raises ApplyFailed with the old file untouched.
    """
    target = os.path.realpath(path)
    temporary = f"{target}.bulwark-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        _remove_leftovers(target)
        _write_new(temporary, content)
        os.rename(temporary, target)
        _sync_directory(os.path.dirname(target))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise ApplyFailed(f"can't write {path}: {error.strerror}", _hint(error) + "The old file is untouched") from None


def _remove_leftovers(target: str) -> None:
    """Take away what runs that were killed in the middle of a replacement left behind."""
    folder, name = os.path.split(target)
    leftover = re.compile(re.escape(f"{name}.bulwark-") + r"(\d+)-[0-9a-f]{8}")
    for entry in os.listdir(folder):
        match = leftover.fullmatch(entry)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, entry))


def remove_file(path: str) -> None:
    """Remove a file durably; one that is not there is fine. Raises ApplyFailed."""
    try:
        os.unlink(path)
        _sync_directory(os.path.dirname(path))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ApplyFailed(f"can't remove {path}: {error.strerror}") from None


def _write_new(path: str, content: FileContent) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        status = os.fstat(descriptor)
        if (status.st_uid, status.st_gid) != (content.uid, content.gid):
            os.fchown(descriptor, content.uid, content.gid)
        os.fchmod(descriptor, content.mode)
        stream.write(content.data)
        stream.flush()
        os.fsync(descriptor)


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hint(error: OSError) -> str:
    causes: dict[int | None, str] = {
        errno.ENOSPC: "Make room on the file system. ",
        errno.EDQUOT: "Raise the quota. ",
        errno.EROFS: "The file system is mounted read-only. ",
        errno.EACCES: "Run the task with become. ",
        errno.EPERM: "Run the task with become. ",
    }
    return causes.get(error.errno, "")
