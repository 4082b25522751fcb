# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The backup jobs of this collection on the host, as an assessment sees them."""

from __future__ import annotations

import os
import stat
import typing as t

from .._core.backup_deployment import job_file
from .._core.backup_job_file import POSTGRESQL, BackupJob, parse_job
from .._core.backup_moments import parse_moment
from .._core.backup_status import describe
from .._core.observations import BackupState
from .._core.pgbackrest import DATABASE
from .._io.backup_contents import look
from .._io.backup_store import read_text
from .._io.units import require_booted, unit_properties
from .._job.delivery import read_copies
from .._job.state import read_history

# Of the log that is sealed each minute; and of the daily full backup where there is none.
_MINUTES_OLD: t.Final = 900
_DAY_OLD: t.Final = 26 * 3600
# What age and OpenPGP files begin with: the latter with a session key for a public key (RFC 4880, 4.2).
_AGE: t.Final = b"age-encryption.org/v1"
_AGE_AS_TEXT: t.Final = b"-----BEGIN AGE ENCRYPTED FILE-----"
_OPENPGP: t.Final = (b"\x84", b"\x85", b"\x86", b"\xc1")
# And what pgBackRest encrypts, by OpenSSL's own way.
_OPENSSL: t.Final = b"Salted__"
# Beside what is sealed, in clear on purpose: checksums, positions, public keys, instructions.
_CLEAR: t.Final = (".json", ".txt")


def observe_backups(*, now: float) -> tuple[BackupState, ...]:
    """:param now: seconds since the epoch, which ages are counted from."""
    folder = os.path.dirname(job_file("main"))
    try:
        names = sorted(name[: -len(".json")] for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        return ()
    jobs = [parse_job(read_text(job_file(name)), where=job_file(name)) for name in names]
    # What another host makes and keeps is judged there.
    return tuple(_job(job, now) for job in jobs if job.side != DATABASE)


def _job(job: BackupJob, now: float) -> BackupState:
    require_booted()
    name = job.name
    contents, history = look(job), read_history(job)
    told = describe(
        job=job,
        contents=contents,
        waiting=0,
        history=history,
        running=False,
        copies=read_copies(job),
    )
    copies = told["copies"] or {}
    gaps = [f"the log has a gap from {gap['first']} to {gap['last']}" for gap in told["gaps"]]
    restorable = told["restorable"][-1:]
    opened, unsealed = audit_store(job.store)
    return BackupState(
        name=name,
        **_units(name),
        last_error=told["last_error"] or "",
        success_age=_age(told["last_success"], now),
        aside_age=_age(told["last_aside"], now),
        restorable_from=restorable[0]["from"] if restorable else "",
        newest_age=_age(restorable[0]["to"], now) if restorable else None,
        newest_limit=_limit(job),
        recipients=tuple(job.recipients),
        fulls={one.id: one.marks for one in contents.manifests},
        damaged=(*gaps, *contents.damaged),
        unsealed=unsealed,
        opened=opened,
        copies_host=copies.get("host", ""),
        copies_age=_age(copies.get("last_success"), now),
    )


def _units(name: str) -> dict[str, bool]:
    unit = f"bulwark-backup-{name}"
    timer = unit_properties(f"{unit}.timer", "ActiveState", "UnitFileState")
    service = unit_properties(f"{unit}.service", "ActiveState")
    return {
        "timer_runs": timer["UnitFileState"] == "enabled" and timer["ActiveState"] == "active",
        "service_failed": service["ActiveState"] == "failed",
    }


def _limit(job: BackupJob) -> float:
    return _MINUTES_OLD if job.engine == POSTGRESQL or job.stream else _DAY_OLD


def _age(moment: str | None, now: float) -> float | None:
    return None if moment is None else max(0.0, now - parse_moment(moment))


def audit_store(store: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What of the store others may read or own, and names of files that are not sealed. Raises OSError.

    Links are not followed, and nothing but a file's first bytes is read.
    """
    opened, unsealed = [], []
    owner = os.lstat(store).st_uid
    for folder, dummy, files in os.walk(store, onerror=_raise):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            status = os.lstat(path)
            is_open = not stat.S_ISLNK(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077
            if status.st_uid != owner or is_open or _leads_away(path, status.st_mode):
                opened.append(path)
            if stat.S_ISREG(status.st_mode) and not _may_be_clear(path) and not _is_sealed(path):
                unsealed.append(os.path.relpath(path, store))
    return tuple(sorted(opened)), tuple(sorted(unsealed))


def _leads_away(path: str, mode: int) -> bool:
    """pgBackRest has a link to the latest set beside it."""
    return stat.S_ISLNK(mode) and "/" in os.readlink(path)


def _may_be_clear(path: str) -> bool:
    """What is still being written is judged when it is done."""
    return path.endswith(_CLEAR) or ".partial" in path


def _is_sealed(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            start = stream.read(len(_AGE_AS_TEXT))
    except FileNotFoundError:  # pruned a moment ago
        return True
    return start.startswith((_AGE, _AGE_AS_TEXT, _OPENSSL)) or start[:1] in _OPENPGP


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
