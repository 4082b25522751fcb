# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The store is copied to a host or a bucket that keeps copies, and what was copied is remembered."""

from __future__ import annotations

import json
import os
import time
import typing as t

from .._core.backup_copies import Copies, copied_fulls
from .._core.backup_job_file import BackupJob
from .._core.backup_moments import render_moment
from .._core.errors import DidNotTakeEffect, MissingRequirement, first_of
from .._core.object_storage import ObjectStorage
from .._core.offsite import Offered, to_offer
from .._io.backup_store import Store, checksum, read_text, write_text
from .._io.object_storage import put
from .._io.offsite_receiving import texts_of
from .._io.offsite_sending import send
from .console import Say
from .state import Done

_SAVE_EVERY: t.Final = 100
# A week of segments, one each minute, takes 2 MB, and 5 MB where they are in a bucket.
_LONGEST_STATE: t.Final = 256 * 1024 * 1024


def deliver(job: BackupJob, say: Say) -> Done:
    """Only under the lock. Raises BulwarkError if something could not be copied.

    After each full backup everything is offered again, so that what the other side lost is noticed; in between what it
    said that it has.
    """
    if job.offsite is None:
        raise MissingRequirement(f"the job {job.name} has no place for copies", "Run the role again")
    offered = _offered(job)
    newest = max((one.full for one in offered), default="")
    before = read_delivered(job)
    known = before["files"] if before["full"] == newest else {}
    new = [one for one in offered if known.get(one.path) != one.sha256]
    here = {one.path for one in offered}
    delivered = {path: sha256 for path, sha256 in known.items() if path in here}
    seen = {path: entry for path, entry in before["seen"].items() if path in here}
    refused: list[str] = []
    count, size = 0, 0
    try:
        if new:

            def stored(one: Offered) -> None:
                nonlocal count, size
                delivered[one.path] = one.sha256
                count, size = count + 1, size + one.bytes
                if count % _SAVE_EVERY == 0:
                    _write(job, {**before, "full": newest, "files": delivered, "seen": seen})

            if isinstance(job.offsite, ObjectStorage):
                refused = put(job.store, new, job.offsite, keep_days=job.keep_days, seen=seen, stored=stored)
            else:
                refused = send(job.store, new, job.offsite, stored)
    finally:
        complete = not refused and len(delivered) == len(here)
        moment = render_moment(time.time()) if complete else before["last_success"]
        _write(job, {"full": newest, "files": delivered, "last_success": moment, "seen": seen})
    if refused:
        raise DidNotTakeEffect(
            f"copies with {job.offsite.host}: {first_of(refused)}", "Look at the file here and there"
        )
    if count:
        say(f"{count} files are with {job.offsite.host}, {size} bytes")
    return Done(bytes=size)


def undelivered(job: BackupJob) -> list[str]:
    """Paths of what the other side is not known to have."""
    files = read_delivered(job)["files"]
    return [one.path for one in _offered(job) if files.get(one.path) != one.sha256]


def read_delivered(job: BackupJob) -> dict[str, t.Any]:
    """``files``: SHA-256 by path; ``full``: the newest backup then; ``last_success``: when nothing was left over;
    ``seen``: of a bucket, what was read back; ``place``: whose all that is. What another place has is of no use."""
    place = _place(job)
    nothing: dict[str, t.Any] = {"full": None, "files": {}, "last_success": None, "seen": {}, "place": place}
    try:
        found = json.loads(read_text(_path(job), longest=_LONGEST_STATE))
    except (OSError, ValueError):
        return nothing
    is_of_place = isinstance(found, dict) and found.get("place", place) == place
    return {**nothing, **found} if is_of_place else nothing


def read_copies(job: BackupJob) -> Copies | None:
    """None for a job whose backups are copied nowhere."""
    if job.offsite is None:
        return None
    found = read_delivered(job)
    return Copies(job.offsite.host, found["last_success"], copied_fulls(found["files"]))


def _offered(job: BackupJob) -> list[Offered]:
    return to_offer(Store(job.store).look(), lambda path: checksum(os.path.join(job.store, path)), texts_of(job.store))


def _write(job: BackupJob, document: t.Mapping[str, t.Any]) -> None:
    write_text(_path(job), json.dumps({**document, "place": _place(job)}, sort_keys=True) + "\n")


def _place(job: BackupJob) -> str:
    return job.offsite.name if job.offsite else ""


def _path(job: BackupJob) -> str:
    return os.path.join(job.state, "delivered.json")
