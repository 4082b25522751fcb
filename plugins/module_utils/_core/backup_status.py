# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What exists, from when to when any moment can be restored, and how the last runs went. Pure."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .backup_copies import Copies
from .backup_job_file import BackupJob
from .backup_manifest import Contents, Manifest, Sidecar
from .backup_moments import parse_moment, render_moment
from .backup_segments import is_segment
from .backup_window import gaps, restorable
from .binary_log import is_stored_log
from .errors import InvalidDeclaration

LONGEST_HISTORY: t.Final = 100
# Outcome of a full backup that another node of the cluster made.
ASIDE: t.Final = "aside"
_MANDATORY: t.Final = {"command", "started", "finished", "seconds", "outcome", "error", "id", "bytes"}


@dataclasses.dataclass(frozen=True)
class Run:
    """One entry of the history. ``error`` and ``id`` are empty where there is none."""

    command: str
    started: str
    finished: str
    seconds: float
    outcome: str
    error: str = ""
    id: str = ""
    bytes: int = 0

    @property
    def succeeded(self) -> bool:
        return self.outcome == "success"

    @property
    def stood_aside(self) -> bool:
        return self.outcome == ASIDE

    @property
    def failed(self) -> bool:
        return not self.succeeded and not self.stood_aside


def parse_history_file(text: str) -> tuple[Run, ...]:
    """Raises InvalidDeclaration for anything that :func:`render_history_file` would not have written."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and set(entry) == _MANDATORY for entry in entries
    ):
        raise InvalidDeclaration("it is not what was written")
    return tuple(Run(**entry) for entry in entries)


def render_history_file(history: t.Iterable[Run]) -> str:
    return json.dumps([dataclasses.asdict(run) for run in history], indent=1, sort_keys=True) + "\n"


def add_run(history: t.Sequence[Run], run: Run) -> tuple[Run, ...]:
    """The history with a run more. ``collect`` and ``deliver`` come every minute: only a change of their outcome is
    kept, so that they do not crowd out the full backups."""
    if run.stood_aside:  # it comes each night: the latest will do
        history = [past for past in history if not past.stood_aside]
    last = next((past for past in reversed(history) if past.command == run.command), None)
    if run.command in ("collect", "deliver"):
        if run.succeeded and (last is None or last.succeeded):
            return tuple(history)
        if last is not None and not run.succeeded and last.error == run.error:
            history = [past for past in history if past is not last]
    return (*history, run)[-LONGEST_HISTORY:]


def describe(
    *,
    job: BackupJob,
    contents: Contents,
    waiting: int,
    history: t.Sequence[Run],
    running: bool,
    copies: Copies | None = None,
) -> dict[str, t.Any]:
    """As ``status`` prints it and ``backup_info`` returns it."""
    seconds = {run.id: run.seconds for run in history if run.id}
    fulls = [run for run in history if run.command == "full"]
    failures = [run for run in history if run.failed]
    return {
        "job": job.name,
        "engine": job.engine,
        "fulls": [_full(manifest, seconds.get(manifest.id)) for manifest in contents.manifests],
        "restorable": [
            {"from": render_moment(found.start), "to": render_moment(found.end)}
            for found in restorable(contents.manifests, contents.sidecars)
        ],
        "last_success": next((run.finished for run in reversed(fulls) if run.succeeded), None),
        "last_aside": next((run.finished for run in reversed(fulls) if run.stood_aside), None),
        "last_failure": failures[-1].finished if failures else None,
        "last_error": _open_error(history),
        "running": running,
        "log": _log(contents.sidecars, waiting),
        "gaps": [dataclasses.asdict(gap) for gap in gaps(contents.manifests, contents.sidecars)],
        "damaged": list(contents.damaged),
        "sealing": job.sealing,
        "recipients": list(job.recipients),
        "recipients_expire": dict(job.recipients_expire),
        "copies": copies.described() if copies else None,
    }


def _full(manifest: Manifest, seconds: float | None) -> dict[str, t.Any]:
    if seconds is None:
        seconds = float(parse_moment(manifest.finished) - parse_moment(manifest.started))
    return {
        "id": manifest.id,
        "started": manifest.started,
        "finished": manifest.finished,
        "seconds": seconds,
        "bytes": manifest.bytes,
        "files": [dataclasses.asdict(file) for file in manifest.files],
    }


def _log(sidecars: t.Sequence[Sidecar], waiting: int) -> dict[str, t.Any]:
    closed = sorted(sidecar.closed for sidecar in sidecars if is_segment(sidecar.name) or is_stored_log(sidecar.name))
    return {
        "count": len(closed),
        "oldest": closed[0] if closed else None,
        "newest": closed[-1] if closed else None,
        "waiting": waiting,
        "bytes": sum(sidecar.bytes for sidecar in sidecars),
    }


def _open_error(history: t.Sequence[Run]) -> str | None:
    """The latest error that no later success of the same command has answered."""
    latest = {run.command: run for run in history}
    failed = [run for run in latest.values() if run.failed]
    return max(failed, key=lambda run: run.finished).error if failed else None
