# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""pgBackRest, run as the account of the backup: what its repository holds, and a new set in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
import typing as t

from .._core.backup_evidence import Complaint, StageEnd, judge_statuses
from .._core.backup_job_file import BackupJob
from .._core.backup_manifest import Contents
from .._core.errors import ApplyFailed, ObservationFailed
from .._core.pgbackrest import (
    COMPLETION,
    Repository,
    Stanza,
    arguments,
    contents_of,
    copies_of,
    first_error,
    histories_of,
    passphrase_of,
    read_info,
    read_log_listing,
    repository_path,
    wrong_in,
)
from .backup_pipe import Stage, run_pipe
from .backup_store import read_text
from .commands import Finished, run_command

_LOOK_SECONDS = 300
_VERIFY_SECONDS = 43200
_CHUNK_BYTES = 64 * 1024


class Stored(t.Protocol):
    """What has to be known of a job to look at its repository, or at a copy of it."""

    @property
    def name(self) -> str: ...
    @property
    def store(self) -> str: ...
    @property
    def recipients(self) -> tuple[str, ...]: ...


def look_at_repository(job: Stored, repository: Repository, *, contents: bool = False) -> Contents:
    """Everything there is. Raises ObservationFailed if the tool can't be asked.

    :param contents: have the tool read every byte, too.
    """
    return look_at_stanza(job, repository, observe_stanza(job, repository), contents=contents)


def look_at_stanza(job: Stored, repository: Repository, stanza: Stanza, *, contents: bool = False) -> Contents:
    """The same, where the tool was asked for its sets already."""
    damaged = _verify(job, repository) if contents and stanza.manifests else []
    if not stanza.archive:
        return contents_of(stanza, (), damaged)
    folder = f"archive/{job.name}/{stanza.archive}"
    listing = _ask(job, repository, f"repo-ls {folder}", "--output=json", "--recurse")
    histories = {name: _ask(job, repository, f"repo-get {folder}/{name}") for name in histories_of(listing)}
    sidecars, wrong = read_log_listing(listing, segment_bytes=repository.segment_bytes, histories=histories)
    return contents_of(stanza, sidecars, [*wrong, *damaged])


def observe_stanza(job: Stored, repository: Repository) -> Stanza:
    if not os.path.isdir(repository_path(job.store)):
        return Stanza()  # nothing has been made yet
    text = _ask(job, repository, "info", "--output=json")
    return read_info(text, job=job.name, recipients=job.recipients)


def differing_copies(job: Stored, repository: Repository, stanza: Stanza) -> list[str]:
    """What the repository holds twice and differs, or is not there: one of the two is damaged."""
    wrong = []
    for pair in copies_of(stanza, job.name):
        found = [_digest(arguments(repository, job.name, f"repo-get {path}")) for path in pair]
        if not all(found):
            wrong.append(f"{pair[0] if not found[0] else pair[1]} of the repository can't be read")
        elif found[0] != found[1]:
            wrong.append(f"{pair[0]} of the repository differs from its copy beside it")
    return wrong


def _digest(command: t.Sequence[str]) -> str:
    """SHA-256 of what it prints, which may be a lot; empty if it fails."""
    digest = hashlib.sha256()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tool:
        stream = t.cast("t.IO[bytes]", tool.stdout)
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return "" if tool.returncode else digest.hexdigest()


def create_stanza(job: BackupJob, repository: Repository) -> None:
    """Where there is one that fits the server, nothing happens. Raises ApplyFailed."""
    done = _run(job, repository, "stanza-create")
    if not done.succeeded:
        raise ApplyFailed(f"the repository of {job.name} can't be made ready: {_said(done)}")


def take_set(job: BackupJob, repository: Repository, kind: str) -> Complaint | None:
    """Of a kind as the tool calls it, pruning nothing. What went wrong, or None. Raises ApplyFailed at the deadline."""
    command = arguments(repository, job.name, "backup", f"--type={kind}", "--no-expire-auto")
    stages = run_pipe([Stage(command)], deadline=time.monotonic() + job.deadline_seconds)
    error = first_error(stages[0].lines)
    if error:
        return Complaint(error)
    return judge_statuses(stages) or _judge_completion(stages[0])


def expire(job: BackupJob, repository: Repository) -> str:
    """Remove what no moment of the window needs. The tool's own lines. Raises ApplyFailed."""
    done = _run(job, repository, "expire")
    if not done.succeeded:
        raise ApplyFailed(f"the repository of {job.name} can't be pruned: {_said(done)}")
    return done.errors


def read_passphrase(repository: Repository) -> str:
    """Of the repository. Raises ObservationFailed without a word of it."""
    try:
        return passphrase_of(read_text(repository.passphrase))
    except OSError as error:
        raise ObservationFailed(
            f"can't read {repository.passphrase}: {error.strerror}", "Run the role again, as the job's account needs it"
        ) from None


def _judge_completion(tool: StageEnd) -> Complaint | None:
    if any(COMPLETION in line for line in tool.lines):
        return None
    return Complaint(
        "pgbackrest ended without saying that it came to its end", "Look at what it printed, in the journal"
    )


def _verify(job: Stored, repository: Repository) -> list[str]:
    """Old versions print their report to the console alone, at the level of information."""
    done = _run(job, repository, "verify", "--output=text", "--verbose", seconds=_VERIFY_SECONDS)
    if not done.succeeded:
        return [f"pgbackrest verify: {_said(done)}"]
    return wrong_in(f"{done.output}\n{done.errors}")


def _ask(job: Stored, repository: Repository, command: str, *options: str) -> str:
    done = _run(job, repository, command, *options)
    if not done.succeeded:
        raise ObservationFailed(f"can't look into the repository of {job.name}: {_said(done)}")
    return done.output


def _run(job: Stored, repository: Repository, command: str, *options: str, seconds: float = _LOOK_SECONDS) -> Finished:
    return run_command(arguments(repository, job.name, command, *options), timeout=seconds)


def _said(done: Finished) -> str:
    return first_error(done.errors.splitlines()) or done.complaint
