# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The store on a local file system: what was written, flushed and renamed is there; all else is no backup."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import shutil
import stat
import time
import typing as t

from .._core.backup_manifest import MANIFEST, Contents, Manifest, Sidecar, parse_manifest, parse_sidecar, render_sidecar
from .._core.backup_moments import is_id
from .._core.backup_segments import is_stored_name
from .._core.errors import ApplyFailed, BulwarkError, ObservationFailed, RefusedForSafety
from .._core.sealing import TOOLS, sealed_name, stem_of, tool_of

PARTIAL: t.Final = ".partial"
_LONGEST_TEXT: t.Final = 1024 * 1024
# A sealed file gets its name before its description is written, or comes from another host, and whoever looks then has
# no lock. Between the two is a write to a disk, or a line that broke off, which the next minute's run makes up for.
_SETTLING_SECONDS: t.Final = 600
_BUFFER_BYTES: t.Final = 1024 * 1024


def open_folder(path: str, mode: int = 0o700) -> None:
    """Make a folder of ours where there is none."""
    with _told(f"can't make {path}"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, mode)
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder")


@contextlib.contextmanager
def locked(path: str, *, what: str, seconds: float = 5, mode: int = 0o600) -> t.Iterator[None]:
    """Hold a lock that ends with our process, however that ends. Raises RefusedForSafety if another run has it.

    :param seconds: how long to wait for it: somebody who asks whether it is taken has it for a moment.
    """
    with _told(f"can't open {path}"):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, mode)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise RefusedForSafety(f"{what} is running already", "Wait for it, or end it") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def is_locked(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # whoever may not look leaves alone what is there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def create_file(path: str, mode: int = 0o600) -> int:
    """A new file, open for writing; one that is there is an error."""
    with _told(f"can't make {path}"):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchmod(descriptor, mode)  # whatever the caller's mask: a server's archive_command has 0077
        return descriptor


def write_text(path: str, text: str, mode: int = 0o600) -> None:
    """Put a text in place, whole and on disk, or leave what was there."""
    temporary = f"{path}{PARTIAL}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    descriptor = create_file(temporary, mode)
    with _told(f"can't write {path}"), os.fdopen(descriptor, "wb") as stream:
        stream.write(text.encode("utf-8"))
        stream.flush()
        os.fsync(descriptor)
    rename(temporary, path)


def sync_file(descriptor: int, path: str) -> None:
    with _told(f"can't write {path} to the disk"):
        os.fsync(descriptor)


def rename(old: str, new: str) -> None:
    """Give a file or folder its final name, durably."""
    with _told(f"can't rename {old}"):
        os.rename(old, new)
    sync_folder(os.path.dirname(new))


def sync_folder(path: str) -> None:
    with _told(f"can't write the folder {path} to the disk"):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def open_regular(path: str) -> int:
    """For reading. Never through a symbolic link, and never anything but a file: others may have put it there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return descriptor


def read_text(path: str, *, longest: int = _LONGEST_TEXT) -> str:
    """Raises OSError, and ObservationFailed for a file that is too long or no text.

    :param longest: in bytes.
    """
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(longest + 1)
    try:
        if len(data) <= longest:
            return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise ObservationFailed(f"{path} is not what was written")


def checksum(path: str, *, from_disk: bool = False) -> tuple[int, str]:
    """Size and SHA-256 of a file. Raises OSError.

    :param from_disk: drop what the system holds in memory first, so that it is the disk that is read.
    """
    descriptor = open_regular(path)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        if from_disk:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        digest, total, buffer = hashlib.sha256(), 0, memoryview(bytearray(_BUFFER_BYTES))
        while True:
            count = stream.readinto(buffer)
            if not count:
                return total, digest.hexdigest()
            digest.update(buffer[:count])
            total += count


def free_percent(path: str, needed_bytes: int) -> float:
    """How much of the file system would be free after so many bytes more."""
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize - needed_bytes
    return 100 * free / (status.f_blocks * status.f_frsize or 1)


class Store:
    """Folders ``full`` and ``log`` below one folder of ours."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.full = os.path.join(path, "full")
        self.log = os.path.join(path, "log")

    def make(self, *, with_log: bool) -> None:
        for path in (self.path, self.full, *([self.log] if with_log else [])):
            open_folder(path)

    def begin_full(self, identifier: str) -> str:
        """A new folder that is no backup yet; what killed runs left goes first. Only under the lock."""
        self.remove_leftovers()
        path = os.path.join(self.full, identifier)
        if os.path.lexists(path):
            raise ApplyFailed(f"{path} is there already", "Start the job again a second later")
        with _told(f"can't make {path}{PARTIAL}"):
            os.mkdir(f"{path}{PARTIAL}", 0o700)
        return f"{path}{PARTIAL}"

    def finish_full(self, partial: str) -> None:
        sync_folder(partial)
        rename(partial, partial[: -len(PARTIAL)])

    def remove_leftovers(self) -> None:
        with _told(f"can't clear up {self.full}"):
            for name in os.listdir(self.full):
                if name.endswith(PARTIAL):
                    shutil.rmtree(os.path.join(self.full, name))

    def remove_full(self, identifier: str) -> None:
        """It ceases to be a backup before the first of its files goes."""
        path = os.path.join(self.full, identifier)
        rename(path, f"{path}{PARTIAL}")
        with _told(f"can't remove {path}{PARTIAL}"):
            shutil.rmtree(f"{path}{PARTIAL}")

    def segment_path(self, name: str, sealing: str) -> str:
        return os.path.join(self.log, sealed_name(name, sealing))

    def sidecar_path(self, name: str) -> str:
        return os.path.join(self.log, f"{name}.json")

    def sidecar(self, name: str) -> Sidecar | None:
        """Of a segment that is there."""
        try:
            return parse_sidecar(read_text(self.sidecar_path(name)), where=self.sidecar_path(name))
        except FileNotFoundError:
            return None

    def add_sidecar(self, sidecar: Sidecar) -> None:
        """From now on the segment is there. What another tool began to seal of it, before a kill, is not it."""
        for tool in TOOLS:
            if tool != sidecar.sealing:
                with _told(f"can't clear up {self.log}"), contextlib.suppress(FileNotFoundError):
                    os.unlink(self.segment_path(sidecar.name, tool))
        write_text(self.sidecar_path(sidecar.name), render_sidecar(sidecar))

    def remove_segment(self, name: str) -> None:
        with _told(f"can't remove the segment {name}"):
            for path in (self.sidecar_path(name), *(self.segment_path(name, tool) for tool in TOOLS)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def remove_parts(self) -> None:
        """Parts of segments that killed runs left. Only under the lock."""
        with _told(f"can't clear up {self.log}"):
            for name in os.listdir(self.log):
                if name.endswith(PARTIAL):
                    os.unlink(os.path.join(self.log, name))

    def orphans(self) -> list[str]:
        """Sealed segments that nothing describes. They are no use as they are, and no reason to throw them away."""
        return sorted({stem_of(name) for name in self._undescribed()})

    def _undescribed(self) -> list[str]:
        """Names of their files."""
        names = set(_names(self.log))
        sealed = [name for name in sorted(names) if tool_of(name)]
        return [name for name in sealed if is_stored_name(stem_of(name)) and f"{stem_of(name)}.json" not in names]

    def look(self, *, contents: bool = False) -> Contents:
        """Everything there is, judged by names, sizes and checksums of the descriptions.

        :param contents: read every byte of the sealed files too.
        """
        damaged: list[str] = []
        manifests = [
            manifest for name in _names(self.full) if (manifest := self._full(name, damaged, contents=contents))
        ]
        sidecars = [
            sidecar for name in self._segments(damaged) if (sidecar := self._segment(name, damaged, contents=contents))
        ]
        return Contents(tuple(manifests), tuple(sidecars), tuple(damaged))

    def arrived(self, contents: Contents) -> dict[str, int]:
        """When each description was written here, in seconds since the epoch, by a set's id or a segment's name.

        On a host that keeps copies that is when it came: unlike what it says, it is not up to who sends it.
        """
        paths = {one.id: os.path.join(self.full, one.id, MANIFEST) for one in contents.manifests}
        paths.update({one.name: self.sidecar_path(one.name) for one in contents.sidecars})
        found = {}
        for name, path in paths.items():
            with contextlib.suppress(OSError):  # pruned in the meantime
                found[name] = math.ceil(os.lstat(path).st_mtime)
        return found

    def _full(self, name: str, damaged: list[str], *, contents: bool) -> Manifest | None:
        path = os.path.join(self.full, name)
        if name.endswith(PARTIAL):
            return None
        try:
            if not is_id(name):
                raise ObservationFailed(f"{path} is no backup of ours")
            manifest = parse_manifest(read_text(os.path.join(path, MANIFEST)), where=os.path.join(path, MANIFEST))
            if manifest.id != name:
                raise ObservationFailed(f"{path} holds the backup {manifest.id}")
            expected = {MANIFEST, *(file.name for file in manifest.files)}
            if set(os.listdir(path)) != expected:
                raise ObservationFailed(f"{path} does not hold exactly {', '.join(sorted(expected))}")
            for file in manifest.files:
                _check(os.path.join(path, file.name), file.bytes, file.sha256, contents=contents)
        except (OSError, BulwarkError) as error:
            if os.path.lexists(path):  # else it was pruned while we looked
                damaged.append(_line(path, error))
            return None
        return manifest

    def _segments(self, damaged: list[str]) -> list[str]:
        names = _names(self.log)
        there = {name[: -len(".json")] for name in names if name.endswith(".json")}
        for name in names:
            stem = stem_of(name) if tool_of(name) else name.removesuffix(".json")
            if not is_stored_name(stem) and not name.endswith(PARTIAL):
                damaged.append(f"{os.path.join(self.log, name)} is no segment of ours")
        undescribed = [os.path.join(self.log, name) for name in self._undescribed()]
        damaged += [f"{path} has no description beside it" for path in undescribed if not _is_settling(path)]
        return sorted(name for name in there if is_stored_name(name))

    def _segment(self, name: str, damaged: list[str], *, contents: bool) -> Sidecar | None:
        path = self.sidecar_path(name)
        try:
            sidecar = self.sidecar(name)
            if sidecar is None:
                return None
            path = self.segment_path(name, sidecar.sealing)
            if sidecar.name != name:
                raise ObservationFailed(f"{self.sidecar_path(name)} describes {sidecar.name}")
            _check(path, sidecar.bytes, sidecar.sha256, contents=contents)
        except (OSError, BulwarkError) as error:
            if os.path.lexists(self.sidecar_path(name)):
                damaged.append(_line(path, error))
            return None
        return sidecar


def _is_settling(path: str) -> bool:
    """Also one that has gone since. A time to come is none that a file of ours has."""
    try:
        return abs(time.time() - os.lstat(path).st_mtime) < _SETTLING_SECONDS
    except OSError:
        return not os.path.lexists(path)


def _check(path: str, size: int, expected: str, *, contents: bool) -> None:
    if contents:
        found = checksum(path, from_disk=True)
        if found != (size, expected):
            raise ObservationFailed(f"{path} is not what was written: its SHA-256 differs")
        return
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        raise ObservationFailed(f"{path} has {status.st_size} bytes, {size} were written")


def _line(path: str, error: OSError | BulwarkError) -> str:
    if isinstance(error, BulwarkError):
        return error.message
    return f"can't read {error.filename or path}: {error.strerror}"


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}") from None


@contextlib.contextmanager
def _told(what: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "Make room, or name another store" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
        raise ApplyFailed(f"{what}: {error.strerror}", hint) from None
