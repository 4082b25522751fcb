# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""bulwark-backup: the program that a host's timers and its server's archive_command start. It knows no Ansible.

Each command imports what it needs itself. A server waits for ``archive`` at every segment of its log, and to read all
of our sources takes half of that time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import time
import types
import typing as t

from .._core.backup_job_file import BackupJob, parse_job
from .._core.errors import BulwarkError, InvalidDeclaration, ObservationFailed
from .._core.pgbackrest import DATABASE, FULL, REPOSITORY, Repository
from .._io.backup_store import Store, locked, read_text
from .console import complain, say
from .state import Done, describe_run, lock_of, read_history, remember, under_way

_PROGRAM: t.Final = "bulwark-backup"


class Ended(BaseException):
    """Somebody asked us to end: what was begun is taken back on the way out."""


def run(arguments: t.Sequence[str]) -> int:
    """The exit status: 0 for success and nothing else."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, _end)
    try:
        job = _read_job(options.job)
        if options.command in ("archive", "stream", "status"):
            _act_unrecorded(job, options)
        else:
            _recorded(job, options)
    except BulwarkError as error:
        return complain(_PROGRAM, str(error))
    except OSError as error:
        return complain(_PROGRAM, f"{error.filename or 'the system'}: {error.strerror}")
    except (Ended, KeyboardInterrupt):
        return complain(_PROGRAM, "ended from outside; what was begun was taken back. Start it again")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bulwark-backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    texts = {
        "full": "make a full backup, read it back, then prune",
        "between": "make a set between full ones (pgbackrest)",
        "prepare": "have a repository that the log can go to (pgbackrest)",
        "archive": "seal one segment of the log (archive_command)",
        "collect": "carry sealed segments, or MariaDB's binary logs, into the store",
        "stream": "follow MariaDB's binary logs",
        "deliver": "copy what is new to the host that keeps copies",
        "verify": "compare what there is with what was written",
        "status": "what there is, as JSON",
        "prune": "remove what the window does not need",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--job", required=True, metavar="FILE")
        if name == "archive":
            command.add_argument("path", metavar="PATH")
            command.add_argument("name", metavar="NAME")
        if name == "verify":
            command.add_argument("--deep", action="store_true", help="read every byte")
    return parser


def _read_job(path: str) -> BackupJob:
    try:
        return parse_job(read_text(path), where=path)
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}", "Run it as the job's account") from None


def _act_unrecorded(job: BackupJob, options: argparse.Namespace) -> None:
    """What is done too often, or for too long, for a line in the history, or is no deed."""
    if options.command == "archive":
        from .._io.backup_log import archive

        say(archive(job, options.path, options.name))
    elif options.command == "stream":
        from .binary_log import stream

        stream(job, say)
    else:
        from .job_status import status_of

        say(json.dumps(status_of(job), indent=1, sort_keys=True))


def _recorded(job: BackupJob, options: argparse.Namespace) -> None:
    """Run a command, and write into the history how it went, whatever ends it."""
    started = time.time()
    try:
        done = _act(job, options)
    except BaseException as error:
        text = str(error) if isinstance(error, BulwarkError) else f"ended by {type(error).__name__}"
        with contextlib.suppress(BulwarkError):  # the disk may be full; the error itself is what counts
            remember(job, describe_run(options.command, started, error=text))
        raise
    remember(job, describe_run(options.command, started, identifier=done.id, size=done.bytes, aside=done.aside))


def _act(job: BackupJob, options: argparse.Namespace) -> Done:
    if job.repository:
        return _act_on_repository(job, job.repository, options)
    if options.command == "full":
        from .cluster_turn import make_full_in_turn

        with locked(lock_of(job), what=f"a full backup of {job.name}"), under_way(job):
            return make_full_in_turn(job, say)
    if options.command == "prune":
        from .full_backup import prune

        with locked(lock_of(job), what=f"a full backup of {job.name}"):
            return prune(job, say, verified=_verified(job))
    if options.command == "collect":
        with _collecting(job):
            Store(job.store).make(with_log=True)
            return _collect(job)
    if options.command == "deliver":
        from .delivery import deliver

        with locked(os.path.join(job.state, "deliver.lock"), what=f"copying {job.name}"):
            return deliver(job, say)
    if options.command == "verify":
        from .verification import verify

        return verify(job, say, deep=options.deep)
    raise InvalidDeclaration(f"{options.command} is of no use for {job.name}", "It is for the engine pgbackrest")


def _collect(job: BackupJob) -> Done:
    if job.stream:
        from .binary_log import collect_binary_logs

        return collect_binary_logs(job, say)
    from .._io.backup_log import collect

    count, size = collect(job)
    if count:
        say(f"{count} segments carried into the store, {size} bytes")
    return Done(bytes=size)


def _collecting(job: BackupJob) -> t.ContextManager[None]:
    """Not under the lock of backups, which last for hours."""
    return locked(os.path.join(job.state, "collect.lock"), what=f"collecting for {job.name}")


def _act_on_repository(job: BackupJob, repository: Repository, options: argparse.Namespace) -> Done:
    from .pgbackrest_backup import collect_pushed, make_set, prepare, prune

    if repository.side == DATABASE:
        raise InvalidDeclaration(f"the repository of {job.name} is on {repository.address}", "Run it there")
    if options.command == "verify":
        from .verification import verify

        return verify(job, say, deep=options.deep)
    if options.command == "collect" and repository.side == REPOSITORY:
        with _collecting(job):
            return collect_pushed(job, repository, say)
    with locked(lock_of(job), what=f"a backup of {job.name}"):
        if options.command == "prepare":
            return prepare(job, repository, say)
        if options.command == "prune":
            return prune(job, repository, say, verified=_verified(job))
        kind = FULL if options.command == "full" else repository.between
        if options.command not in ("full", "between") or not kind:
            raise InvalidDeclaration(f"{options.command} is of no use for {job.name}", "See its job file")
        with under_way(job):
            return make_set(job, repository, kind, say)


def _verified(job: BackupJob) -> str:
    """The latest full backup that was read back, if nothing went wrong with a full backup since."""
    runs = [past for past in read_history(job) if past.command == "full" and not past.stood_aside]
    return runs[-1].id if runs and runs[-1].succeeded else ""


def _end(number: int, frame: types.FrameType | None) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the way out must not be interrupted
    raise Ended
