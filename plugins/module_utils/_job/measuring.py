# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Metrics of everything that is expected on a host, in files that node_exporter collects."""

from __future__ import annotations

import json
import os
import time
import typing as t

from .._core.backup_deployment import job_file
from .._core.backup_job_file import BackupJob, parse_job
from .._core.backup_metrics import (
    Figures,
    MeasuredBackup,
    MeasuredCopies,
    MeasuredTest,
    Ping,
    begun_at,
    figures_of,
    parse_figures,
    render_backup,
    render_certificates,
    render_copies,
    render_figures,
    render_test,
)
from .._core.backup_monitor_file import Monitor
from .._core.backup_monitor_units import units_of, units_of_source
from .._core.backup_units import ENDINGS
from .._core.copies_look import NEVER, Look, look_file, parse_look
from .._core.errors import BulwarkError, ObservationFailed
from .._core.pgbackrest import DATABASE
from .._core.restore_test_file import RestoreTest, parse_restore_test
from .._core.restore_test_units import test_file
from .._io.backup_contents import count_waiting, look, sets_folder
from .._io.backup_measures import failed_units, first_expiry, modified, wal_state
from .._io.backup_store import PARTIAL, free_percent, is_locked, read_text, write_text
from .delivery import read_copies
from .state import lock_of, read_history

PING_STATE: t.Final = "/var/lib/private/bulwark-backup-ping"
# A week of WAL is some ten thousand files, whose reading takes a second or two.
LOOK_SECONDS: t.Final = 300
_BACKUP_FILE: t.Final = "bulwark_backup_{}.prom"
_TEST_FILE: t.Final = "bulwark_restore_test_{}.prom"
_COPIES_FILE: t.Final = "bulwark_copies_{}.prom"
_CERTIFICATES_FILE: t.Final = "bulwark_certificates.prom"
_READABLE_BY_ALL: t.Final = 0o644

T = t.TypeVar("T")


def write_metrics(monitor: Monitor, state: str) -> list[str]:
    """What could not be read, a line each. Raises BulwarkError if the metrics can't be written.

    :param state: a folder to remember in when a job was seen first.
    """
    complaints: list[str] = []
    failed = failed_units(units_of(monitor))
    texts = {
        _BACKUP_FILE.format(name): render_backup(_backup(name, state, failed, complaints)) for name in monitor.jobs
    }
    texts.update(
        {_TEST_FILE.format(name): render_test(_test(name, state, failed, complaints)) for name in monitor.restore_tests}
    )
    texts.update(
        {_COPIES_FILE.format(name): render_copies(_copies(name, state, failed, complaints)) for name in monitor.copies}
    )
    if monitor.certificates:
        expiries = {path: first_expiry(path) for path in monitor.certificates}
        texts[_CERTIFICATES_FILE] = render_certificates(expiries, time.time())
    for name, text in texts.items():
        write_text(os.path.join(monitor.metrics_folder, name), text, _READABLE_BY_ALL)
    _remove_others(monitor.metrics_folder, texts)
    return complaints


def _remove_others(folder: str, kept: t.Collection[str]) -> None:
    """Metrics of what is watched no more would be collected for ever."""
    of_each = (_BACKUP_FILE, _TEST_FILE, _COPIES_FILE)
    ours = (*(name.split("{", maxsplit=1)[0] for name in of_each), _CERTIFICATES_FILE)
    for name in os.listdir(folder):
        if name.startswith(ours) and name.endswith(".prom") and name not in kept:
            os.unlink(os.path.join(folder, name))


class Reading:
    """Reads one thing after the other. What fails is None and a complaint, and keeps none of the others away."""

    def __init__(self, what: str, complaints: list[str]) -> None:
        self._what = what
        self._complaints = complaints
        self.complete = True

    def of(self, read: t.Callable[[], T]) -> T | None:
        try:
            return read()
        except (BulwarkError, OSError, ValueError) as error:
            self.complete = False
            known = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            self._complaints.append(f"{self._what} can't be told of in full: {known}")
            return None


def _backup(name: str, state: str, failed: t.Mapping[str, bool], complaints: list[str]) -> MeasuredBackup:
    reading = Reading(f"the backup {name}", complaints)
    path = job_file(name)
    job = reading.of(lambda: parse_job(read_text(path), where=path))
    common: dict[str, t.Any] = {
        "name": name,
        "known_since": _known_since(state, f"backup-{name}"),
        "units": {unit: is_so for unit, is_so in failed.items() if unit in _units(name)},
        "ping": _last_ping(name),
    }
    if job is None:
        return MeasuredBackup(now=time.time(), readable=False, **common)
    if job.side == DATABASE:  # the repository's host tells of the rest
        ready, size = reading.of(lambda: wal_state(job)) or (None, None)
        return MeasuredBackup(
            now=time.time(), readable=reading.complete, job=job, wal_ready=ready, wal_bytes=size, **common
        )
    figures = reading.of(lambda: _figures(job, os.path.join(state, f"backup-{name}.figures")))
    wal = reading.of(lambda: wal_state(job)) or (None, None)
    free = reading.of(lambda: free_percent(job.store, 0) / 100)
    return MeasuredBackup(
        **common,
        now=time.time(),
        readable=reading.complete,
        job=job,
        figures=figures,
        history=read_history(job),
        running_since=_running_since(job),
        waiting=count_waiting(job) if job.incoming else None,
        wal_ready=wal[0],
        wal_bytes=wal[1],
        free_ratio=free,
        copies=reading.of(lambda: read_copies(job)),
    )


def _figures(job: BackupJob, kept: str) -> Figures:
    """From a look into the store, or from the last one if that is not long ago and no set came or went since."""
    now, folder = time.time(), sets_folder(job)
    full_folder = os.stat(folder).st_mtime_ns if os.path.isdir(folder) else 0
    try:
        figures = parse_figures(read_text(kept))
    except (OSError, BulwarkError):
        figures = None
    if figures is None or not figures.is_fresh(now, full_folder, LOOK_SECONDS):
        figures = figures_of(look(job), looked=now, full_folder=full_folder)
        write_text(kept, render_figures(figures))
    return figures


def _units(name: str) -> set[str]:
    return {f"bulwark-backup-{name}{end}.service" for end in ("", *ENDINGS)}


def _running_since(job: BackupJob) -> float | None:
    """By the set that it has begun; None for one that has begun none yet, or prunes."""
    if not is_locked(lock_of(job)):
        return None
    try:
        begun = [name for name in os.listdir(os.path.join(job.store, "full")) if name.endswith(PARTIAL)]
    except OSError:
        return None
    return max((moment for name in begun if (moment := begun_at(name[: -len(PARTIAL)]))), default=None)


def _last_ping(name: str) -> Ping:
    try:
        document = json.loads(read_text(os.path.join(PING_STATE, f"{name}.json")))
        return Ping(float(document["last_success"]), bool(document["failing"]))
    except (OSError, ValueError, KeyError, TypeError, BulwarkError):
        return Ping()


def _test(name: str, state: str, failed: t.Mapping[str, bool], complaints: list[str]) -> MeasuredTest:
    reading = Reading(f"the restore test {name}", complaints)
    path = test_file(name)
    test = reading.of(lambda: parse_restore_test(read_text(path), where=path))
    units = {f"bulwark-restore-test-{name}{end}.service" for end in ("", "-pull")}
    return MeasuredTest(
        name=name,
        now=time.time(),
        known_since=_known_since(state, f"test-{name}"),
        status=reading.of(lambda: _status(test)) if test else None,
        objectives=(test.rto_seconds, test.rpo_seconds) if test else None,
        units={unit: is_so for unit, is_so in failed.items() if unit in units},
        readable=reading.complete,
    )


def _status(test: RestoreTest) -> dict[str, t.Any]:
    """Empty for a test that never ran."""
    try:
        return dict(json.loads(read_text(os.path.join(test.state, "status.json"))))
    except FileNotFoundError:
        return {}


def _copies(name: str, state: str, failed: t.Mapping[str, bool], complaints: list[str]) -> MeasuredCopies:
    reading = Reading(f"the copies of {name}", complaints)
    units = {unit: failed[unit] for unit in units_of_source(name) if unit in failed}
    look = reading.of(lambda: _look_at_copies(name, deep=False)) or NEVER
    deep = reading.of(lambda: _look_at_copies(name, deep=True)) or NEVER
    reading.of(lambda: _expect_units(name, units))
    return MeasuredCopies(name, time.time(), _known_since(state, f"copies-{name}"), reading.complete, look, deep, units)


def _expect_units(name: str, found: t.Mapping[str, bool]) -> None:
    missing = [unit for unit in units_of_source(name) if unit not in found]
    if missing:
        raise ObservationFailed(f"systemd knows no {missing[0]}", "Run role backup_repository, or watch it no more")


def _look_at_copies(name: str, *, deep: bool) -> Look:
    """NEVER for copies that were not looked at yet."""
    try:
        return parse_look(read_text(look_file(name, deep=deep)))
    except FileNotFoundError:
        return NEVER


def _known_since(state: str, name: str) -> float:
    """The moment that a file of that name was made, which is now if there is none."""
    path = os.path.join(state, f"{name}.seen")
    found = modified(path)
    if found is None:
        write_text(path, "")
        found = modified(path)
    return found or time.time()
