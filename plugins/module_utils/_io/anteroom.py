# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The anteroom of a pgBackRest repository: what a database's host may reach of it, and the way on into the repository.

It is a repository of its own with another passphrase, and holds nothing but what was pushed a moment ago. Its log is
encrypted by the repository's own key of the log, so that files are carried on as they are. What lies in it is the
database host's, and taken for no more than that: names and kinds of files are looked at, links are not followed, and
nothing that is in the repository is ever replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import typing as t

from .._core.backup_job_file import BackupJob
from .._core.errors import ApplyFailed, BulwarkError, RefusedForSafety, first_of
from .._core.pgbackrest import Repository, arguments, is_archive_folder, is_segment_folder, pushed_name, repository_path
from .backup_store import create_file, rename
from .commands import run_command

_INFO: t.Final = ("archive.info", "archive.info.copy")
# pgBackRest's own name for what is not whole yet: its other commands pass it over.
_TEMPORARY: t.Final = ".pgbackrest.tmp"
_FOLDER_FLAGS: t.Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS: t.Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def is_open(job: BackupJob) -> bool:
    """Whether anything can be pushed."""
    return os.path.isfile(os.path.join(job.incoming, "archive", job.name, _INFO[0]))


def open_anteroom(job: BackupJob, repository: Repository) -> None:
    """Give it the repository's identity and its key of the log, under its own passphrase. Raises ApplyFailed."""
    os.makedirs(os.path.join(job.incoming, "archive", job.name), mode=0o700, exist_ok=True)
    for name in _INFO:
        path = f"archive/{job.name}/{name}"
        own = _run(arguments(repository, job.name, f"repo-get {path}"), job)
        known = run_command(arguments(repository.anteroom, job.name, f"repo-get {path}"))
        if not known.succeeded or known.output != own:
            _run(arguments(repository.anteroom, job.name, f"repo-put {path}"), job, text=own)


def _run(command: t.Sequence[str], job: BackupJob, *, text: str = "") -> str:
    done = run_command(command, text=text)
    if not done.succeeded:
        raise ApplyFailed(
            f"can't open the anteroom of {job.name}: {done.complaint}", "Look at its passphrase and folders"
        )
    return done.output


def pushed(job: BackupJob) -> int:
    """How many files wait to be carried on."""
    return sum(len(names) for dummy_folder, names in _found(job))


def carry(job: BackupJob) -> tuple[int, int]:
    """Carry everything on: how many files, how many bytes. One that can't be carried on keeps none of the others.

    Raises ApplyFailed.
    """
    count = size = 0
    failures: list[BulwarkError] = []
    for folder, names in _found(job):
        target = os.path.join(repository_path(job.store), folder)
        os.makedirs(target, mode=0o700, exist_ok=True)
        there = {pushed_name(name): name for name in os.listdir(target)}
        with _opened(job.incoming, folder) as descriptor:
            for name in names:
                try:
                    size += _carry(descriptor, name, target, there)
                    count += 1
                except OSError as error:
                    failures.append(ApplyFailed(f"can't carry {name} into the repository: {error.strerror}"))
                except BulwarkError as error:
                    failures.append(error)
    if failures:
        raise ApplyFailed(first_of([one.message for one in failures]), failures[0].hint)
    return count, size


def _carry(source: int, name: str, target: str, there: t.Mapping[str, str]) -> int:
    """A copy, because who pushed the file may still have it open."""
    known = there.get(pushed_name(name), name)
    if known != name:
        raise RefusedForSafety(
            f"{pushed_name(name)} is in the repository already with other contents",
            "Two servers write to one archive, or the server went back to an earlier state: give it a job of its own",
        )
    size = 0
    if name not in there.values():
        temporary = os.path.join(target, f"{name}{_TEMPORARY}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        pushed_file = os.open(name, _FILE_FLAGS, dir_fd=source)
        with os.fdopen(pushed_file, "rb") as stream, os.fdopen(create_file(temporary), "wb") as copy:
            shutil.copyfileobj(stream, copy, 1024 * 1024)
            copy.flush()
            os.fsync(copy.fileno())
            size = copy.tell()
        rename(temporary, os.path.join(target, name))
    os.unlink(name, dir_fd=source)
    return size


def _found(job: BackupJob) -> t.Iterator[tuple[str, list[str]]]:
    """Folders within the anteroom, with the names of what was pushed whole into them; oldest first."""
    top = f"archive/{job.name}"
    for folder in _names(job.incoming, top, stat.S_ISDIR):
        if not is_archive_folder(folder):
            continue
        inner = [name for name in _names(job.incoming, f"{top}/{folder}", stat.S_ISDIR) if is_segment_folder(name)]
        for path in (f"{top}/{folder}", *(f"{top}/{folder}/{name}" for name in inner)):
            names = [name for name in _names(job.incoming, path, stat.S_ISREG) if pushed_name(name)]
            if names:
                yield path, names


def _names(root: str, path: str, is_kind: t.Callable[[int], bool]) -> list[str]:
    """Of that kind, in order; none where there is no such folder."""
    try:
        with _opened(root, path) as descriptor:
            names = sorted(os.listdir(descriptor))
            return [name for name in names if is_kind(os.lstat(name, dir_fd=descriptor).st_mode)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ApplyFailed(f"can't look into {root}/{path}: {error.strerror}") from None


@contextlib.contextmanager
def _opened(root: str, path: str) -> t.Iterator[int]:
    """A folder below ``root``, none of whose parts is a link."""
    descriptor = os.open(root, _FOLDER_FLAGS)
    try:
        for step in path.split("/"):
            inner = os.open(step, _FOLDER_FLAGS, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
