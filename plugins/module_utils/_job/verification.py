# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Is everything there, and as it was written? Says all that is not."""

from __future__ import annotations

import dataclasses
import os
import time

from .._core.backup_job_file import BackupJob
from .._core.backup_manifest import Contents, Manifest
from .._core.backup_restore_text import is_as_rendered
from .._core.backup_segments import parse_segment
from .._core.backup_window import gaps, read_log, start_segment
from .._core.errors import BulwarkError, DidNotTakeEffect, first_of
from .._core.recipient_expiry import expiry_warnings
from .._io.backup_contents import look
from .._io.backup_log import receipts
from .._io.backup_store import read_text
from .binary_log import LAST_SEALED
from .console import Say
from .state import Done, history_complaint, read_history


def verify(job: BackupJob, say: Say, *, deep: bool) -> Done:
    """Raises DidNotTakeEffect that names the first thing and counts the others; all of them are said.

    That a recipient's key expires soon is said as well: it is no fault of what is there.

    :param deep: read every byte. Without it names, sizes and descriptions are compared.
    """
    contents = _look(job, deep=deep)
    if not contents.manifests and not contents.damaged and _stood_aside(job):
        say("another node of the cluster has the backups")
        return Done()
    wrong = [*contents.damaged, *_descriptions(job, contents), *_missing(job, contents), *_gaps(contents)]
    complaint = history_complaint(job)  # without it, what was there is not known
    wrong += [complaint] if complaint else []
    for line in wrong:
        say(line)
    if wrong:
        raise DidNotTakeEffect(first_of(wrong), "Make a full backup now, and look for another copy of what is damaged")
    for line in expiry_warnings(job.recipients_expire, time.time()):
        say(line)
    read = "every byte read" if deep else "names, sizes and descriptions compared"
    say(f"{len(contents.manifests)} full backups and {len(contents.sidecars)} segments are sound: {read}")
    return Done()


def _look(job: BackupJob, *, deep: bool) -> Contents:
    """Reading every byte takes hours, in which sets are made and pruned: what is there is what there is after that."""
    damaged = look(job, contents=True).damaged if deep else ()
    contents = look(job)
    return dataclasses.replace(contents, damaged=tuple(dict.fromkeys((*damaged, *contents.damaged))))


def _stood_aside(job: BackupJob) -> bool:
    fulls = [run for run in read_history(job) if run.command == "full"]
    return bool(fulls) and all(run.stood_aside for run in fulls)


def _descriptions(job: BackupJob, contents: Contents) -> list[str]:
    if not contents.manifests:
        return [] if contents.damaged else [f"{job.store} holds no full backup"]
    wrong = []
    for name in ("RESTORE.txt", "recipients.txt"):
        path = os.path.join(job.store, name)
        try:
            text = read_text(path)
        except (OSError, BulwarkError):
            wrong.append(f"{path} is not there, or can't be read")
            continue
        expected = "".join(f"{key}\n" for key in _newest(contents).recipients)
        if not (is_as_rendered(text) if name == "RESTORE.txt" else text == expected):
            wrong.append(f"{path} is not what was written")
    return wrong


def _newest(contents: Contents) -> Manifest:
    return max(contents.manifests, key=lambda manifest: manifest.id)


def _missing(job: BackupJob, contents: Contents) -> list[str]:
    """What we know to have been there, and did not prune ourselves."""
    there = {manifest.id for manifest in contents.manifests}
    damaged = " ".join(contents.damaged)
    made = [run.id for run in read_history(job) if run.command == "full" and run.succeeded]
    oldest = min(there, default="")
    wrong = [
        f"the full backup {identifier} is not there any more"
        for identifier in made
        if identifier not in there and identifier not in damaged and (identifier > oldest or identifier == made[-1])
    ]
    names = {sidecar.name for sidecar in contents.sidecars}
    wrong += [
        f"the segment {name} is not there any more"
        for name in _needed(job, contents)
        if name not in names and f"{name}." not in damaged
    ]
    return wrong


def _needed(job: BackupJob, contents: Contents) -> list[str]:
    if not contents.manifests:
        return []
    if job.stream:
        return _last_sealed(job)
    if not job.incoming:
        return []
    size = read_log(contents.sidecars).segment_bytes
    first = min(start_segment(manifest, size).number for manifest in contents.manifests)
    found = [(name, parse_segment(name, size)) for name in receipts(job)]
    return [name for name, segment in found if segment is None or segment.number >= first]


def _last_sealed(job: BackupJob) -> list[str]:
    try:
        return read_text(os.path.join(job.stream, LAST_SEALED)).split()
    except (OSError, BulwarkError):
        return []


def _gaps(contents: Contents) -> list[str]:
    return [
        f"the log has a gap of {gap.count} segments, from {gap.first} to {gap.last}"
        for gap in gaps(contents.manifests, contents.sidecars)
        if gap.first not in " ".join(contents.damaged)
    ]
