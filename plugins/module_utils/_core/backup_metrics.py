# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Backups, copies, restore tests and certificates as metrics in the text format that node_exporter collects. Pure.

A job that never ran has metrics too, with 0 for what never was: an alert that only success feeds is silent when it
matters most.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import typing as t

from .backup_copies import Copies
from .backup_job_file import BackupJob
from .backup_manifest import Contents
from .backup_moments import is_id, parse_moment
from .backup_segments import is_segment
from .backup_status import Run
from .backup_window import gaps, restorable
from .copies_look import NEVER, Look
from .pgbackrest import DATABASE
from .recipient_expiry import first_expiry

DAY_SECONDS: t.Final = 86400
# What runs by itself; the rest is somebody's own doing, and a failure of it was seen by whoever started it.
WATCHED_COMMANDS: t.Final = ("full", "collect", "deliver", "verify")

# Name to help. All are gauges: what they tell of is read anew each time, and nothing of it only grows.
BACKUP_METRICS: t.Final[t.Mapping[str, str]] = {
    "bulwark_backup_info": "The job as it is declared; always 1.",
    "bulwark_backup_readable": "Whether everything that is told of the job could be read (1) or not (0).",
    "bulwark_backup_known_since_timestamp_seconds": "When the job was seen for the first time.",
    "bulwark_backup_last_success_timestamp_seconds": "End of the last success, here or on another node; 0 if none.",
    "bulwark_backup_stood_aside_timestamp_seconds": "When it was last left to another node of the cluster; 0 if never.",
    "bulwark_backup_last_success_age_seconds": "Seconds since then, when this was written; -1 if there was none.",
    "bulwark_backup_last_failure_timestamp_seconds": "End of the last run that failed; 0 if there was none.",
    "bulwark_backup_failing": "Whether the last run of the command failed (1).",
    "bulwark_backup_unit_failed": "Whether systemd has the unit as failed (1).",
    "bulwark_backup_last_duration_seconds": "Duration of the last full backup that succeeded; 0 if there was none.",
    "bulwark_backup_median_duration_seconds": "Median of the successful full backups before it; 0 if there were none.",
    "bulwark_backup_last_size_bytes": "Size of the newest full backup, sealed; 0 if there is none.",
    "bulwark_backup_median_size_bytes": "Median of the full backups before it; 0 if there are none.",
    "bulwark_backup_running_since_timestamp_seconds": "Start of the full backup that is running; 0 if none is.",
    "bulwark_backup_deadline_seconds": "Seconds after which a full backup is ended.",
    "bulwark_backup_keep_seconds": "Length of the window in which any moment is to be restorable.",
    "bulwark_backup_full_sets": "Full backups that are there and as they were written.",
    "bulwark_backup_damaged_items": "Things in the store that are not as they were written.",
    "bulwark_backup_log_gaps": "Gaps in the archived log after the oldest full backup.",
    "bulwark_backup_restorable_intervals": "Unbroken spans of time in which any moment can be restored.",
    "bulwark_backup_oldest_restorable_timestamp_seconds": "Oldest moment that can be restored; 0 if there is none.",
    "bulwark_backup_newest_restorable_timestamp_seconds": "Newest moment that can be restored; 0 if there is none.",
    "bulwark_backup_log_waiting_segments": "Sealed segments that wait to be carried into the store.",
    "bulwark_backup_log_last_archived_timestamp_seconds": "When a segment was archived last; 0 if none was.",
    "bulwark_backup_wal_ready_segments": "Segments that wait for archive_command.",
    "bulwark_backup_wal_size_bytes": "Size of the server's pg_wal.",
    "bulwark_backup_store_free_ratio": "Free share of the store's file system, from 0 to 1.",
    "bulwark_backup_store_minimum_free_ratio": "Free share below which no full backup is begun.",
    "bulwark_backup_store_looked_at_timestamp_seconds": "When sets and log in the store were looked at.",
    "bulwark_backup_recipients": "Public keys that backups are sealed to.",
    "bulwark_backup_recipients_expiry_timestamp_seconds": "When the first of them expires; 0 if none does, as of age.",
    "bulwark_backup_copies_last_success_timestamp_seconds": "When the other host had everything last; 0 if never.",
    "bulwark_backup_copies_full_sets": "Full backups that the other host has whole.",
    "bulwark_backup_ping_last_success_timestamp_seconds": "When the watch outside was told last; 0 if never.",
    "bulwark_backup_ping_failing": "Whether telling it failed last time (1).",
    "bulwark_backup_metrics_timestamp_seconds": "When these metrics were written.",
}
RESTORE_METRICS: t.Final[t.Mapping[str, str]] = {
    "bulwark_restore_test_readable": "Whether everything that is told of the test could be read (1) or not (0).",
    "bulwark_restore_test_known_since_timestamp_seconds": "When the test was seen for the first time.",
    "bulwark_restore_test_last_success_timestamp_seconds": "End of the last success or standing aside; 0 if none.",
    "bulwark_restore_test_last_success_age_seconds": "Seconds since then, when this was written; -1 if there was none.",
    "bulwark_restore_test_last_failure_timestamp_seconds": "End of the last test that failed; 0 if there was none.",
    "bulwark_restore_test_failing": "Whether the last test failed (1).",
    "bulwark_restore_test_unit_failed": "Whether systemd has the unit as failed (1).",
    "bulwark_restore_test_recovery_duration_seconds": "How long the last recovery took; 0 if there was none.",
    "bulwark_restore_test_recovery_objective_seconds": "How long it may take (RTO).",
    "bulwark_restore_test_loss_seconds": "How far back the newest restorable moment lay; 0 if that is not known.",
    "bulwark_restore_test_loss_objective_seconds": "How far back it may lie (RPO).",
    "bulwark_restore_test_metrics_timestamp_seconds": "When these metrics were written.",
}
COPIES_METRICS: t.Final[t.Mapping[str, str]] = {
    "bulwark_copies_readable": "Whether everything that is told of the source could be read (1) or not (0).",
    "bulwark_copies_known_since_timestamp_seconds": "When the source was seen for the first time.",
    "bulwark_copies_last_success_timestamp_seconds": "End of the last look that found all well; 0 if there was none.",
    "bulwark_copies_last_deep_success_timestamp_seconds": "The same of looks at every byte.",
    "bulwark_copies_failing": "Whether the last look of either kind found copies damaged, late or not prunable (1).",
    "bulwark_copies_damaged_items": "Copies that are not as they were sent, as of the last look of either kind.",
    "bulwark_copies_unit_failed": "Whether systemd has the unit as failed (1).",
    "bulwark_copies_metrics_timestamp_seconds": "When these metrics were written.",
}
CERTIFICATE_METRICS: t.Final[t.Mapping[str, str]] = {
    "bulwark_certificate_readable": "Whether the file could be read as certificates (1) or not (0).",
    "bulwark_certificate_expiry_timestamp_seconds": "When the first certificate of the file expires; 0 if not known.",
    "bulwark_certificate_metrics_timestamp_seconds": "When these metrics were written.",
}
METRICS: t.Final[t.Mapping[str, str]] = {
    **BACKUP_METRICS,
    **RESTORE_METRICS,
    **COPIES_METRICS,
    **CERTIFICATE_METRICS,
}

Labels = t.Mapping[str, str]
# Metric, labels, value.
Sample = tuple[str, Labels, float]


@dataclasses.dataclass(frozen=True)
class Ping:
    """How telling the watch outside went; both are None where nothing is told."""

    last_success: float | None = None
    failing: bool | None = None


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a look into the store comes to: small enough to be kept, because the look itself takes a second or two.

    :param full_folder: the moment that sets came or went last, by which a new one is noticed (nanoseconds).
    :param finished: of each set, oldest first; and its size.
    """

    looked: float
    full_folder: int
    damaged: int
    gaps: int
    intervals: int
    oldest: int
    newest: int
    archived: int | None
    finished: tuple[int, ...]
    sizes: tuple[int, ...]

    def is_fresh(self, now: float, full_folder: int, seconds: float) -> bool:
        return self.full_folder == full_folder and 0 <= now - self.looked < seconds


def figures_of(contents: Contents, *, looked: float, full_folder: int) -> Figures:
    spans = restorable(contents.manifests, contents.sidecars)
    archived = [parse_moment(sidecar.archived) for sidecar in contents.sidecars if is_segment(sidecar.name)]
    manifests = sorted((one for one in contents.manifests if one.is_full), key=lambda manifest: manifest.id)
    return Figures(
        looked=looked,
        full_folder=full_folder,
        damaged=len(contents.damaged),
        gaps=len(gaps(contents.manifests, contents.sidecars)),
        intervals=len(spans),
        oldest=spans[0].start if spans else 0,
        newest=spans[-1].end if spans else 0,
        archived=max(archived, default=None),
        finished=tuple(parse_moment(manifest.finished) for manifest in manifests),
        sizes=tuple(manifest.bytes for manifest in manifests),
    )


def render_figures(figures: Figures) -> str:
    return json.dumps(dataclasses.asdict(figures), sort_keys=True) + "\n"


def parse_figures(text: str) -> Figures | None:
    """None for what another version wrote: then the store is looked at anew."""
    try:
        entry = json.loads(text)
        return Figures(**{**entry, "finished": tuple(entry["finished"]), "sizes": tuple(entry["sizes"])})
    except (ValueError, TypeError, KeyError):
        return None


@dataclasses.dataclass(frozen=True)
class MeasuredBackup:
    """What was found of a job. What could not be found is None, and then ``readable`` is false.

    :param job: None if its file can't be read.
    :param units: of the job, with whether systemd has it as failed.
    :param wal_ready: segments that wait for archive_command; None for engines without.
    :param copies: on another host; None for jobs without.
    :param log_archived: when a segment was archived last (seconds since the epoch).
    """

    name: str
    now: float
    known_since: float
    readable: bool
    job: BackupJob | None = None
    figures: Figures | None = None
    history: tuple[Run, ...] = ()
    running_since: float | None = None
    units: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)
    waiting: int | None = None
    wal_ready: int | None = None
    wal_bytes: int | None = None
    free_ratio: float | None = None
    ping: Ping = Ping()
    copies: Copies | None = None


@dataclasses.dataclass(frozen=True)
class MeasuredTest:
    """:param status: as the test writes it after each run; None if there is none.
    :param objectives: recovery and loss, from the test's file; None if that can't be read.
    """

    name: str
    now: float
    known_since: float
    readable: bool
    status: t.Mapping[str, t.Any] | None = None
    objectives: tuple[int, int] | None = None
    units: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class MeasuredCopies:
    """:param look: the last one at sizes, by which copies are pruned.
    :param deep: the last one at every byte.
    """

    name: str
    now: float
    known_since: float
    readable: bool
    look: Look = NEVER
    deep: Look = NEVER
    units: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)


def render_backup(found: MeasuredBackup) -> str:
    return _render(BACKUP_METRICS, _backup_samples(found))


def render_test(found: MeasuredTest) -> str:
    return _render(RESTORE_METRICS, _test_samples(found))


def render_copies(found: MeasuredCopies) -> str:
    return _render(COPIES_METRICS, _copies_samples(found))


def render_certificates(expiries: t.Mapping[str, float | None], now: float) -> str:
    """:param expiries: of each file, the first one in it; None if it can't be read."""
    samples: list[Sample] = [("bulwark_certificate_metrics_timestamp_seconds", {}, now)]
    for path, expiry in sorted(expiries.items()):
        samples.append(("bulwark_certificate_readable", {"path": path}, float(expiry is not None)))
        samples.append(("bulwark_certificate_expiry_timestamp_seconds", {"path": path}, expiry or 0.0))
    return _render(CERTIFICATE_METRICS, samples)


def _backup_samples(found: MeasuredBackup) -> t.Iterator[Sample]:
    labels = {"backup": found.name}
    # Another host makes its backups, and tells of them.
    is_source = found.job is not None and found.job.side == DATABASE
    values: dict[str, float | None] = {
        "readable": float(found.readable),
        "known_since_timestamp_seconds": found.known_since,
        "metrics_timestamp_seconds": found.now,
        "running_since_timestamp_seconds": found.running_since or 0.0,
        "log_waiting_segments": found.waiting,
        "wal_ready_segments": found.wal_ready,
        "wal_size_bytes": found.wal_bytes,
        "store_free_ratio": found.free_ratio,
        "ping_last_success_timestamp_seconds": found.ping.last_success,
        "ping_failing": None if found.ping.failing is None else float(found.ping.failing),
        **({} if is_source else _of_runs(found)),
        **({} if is_source else _of_job(found.job)),
        **_of_store(found.figures),
        **_of_copies(found.copies),
    }
    for name, value in values.items():
        if value is not None:
            yield f"bulwark_backup_{name}", labels, value
    if found.job:
        yield "bulwark_backup_info", _info_labels(labels, found.job), 1.0
    for command, failing in ({} if is_source else _failing(found)).items():
        yield "bulwark_backup_failing", {**labels, "command": command}, float(failing)
    for unit, failed in sorted(found.units.items()):
        yield "bulwark_backup_unit_failed", {**labels, "unit": unit}, float(failed)


def _info_labels(labels: t.Mapping[str, str], job: BackupJob) -> dict[str, str]:
    follows_a_log = bool(job.incoming or job.stream)
    return {**labels, "engine": job.engine, "point_in_time": str(follows_a_log).lower()}


def _of_runs(found: MeasuredBackup) -> dict[str, float | None]:
    fulls = [run for run in found.history if run.command == "full" and run.succeeded]
    # The history may be lost; a set that is there is the better evidence.
    successes = [*(parse_moment(run.finished) for run in fulls), *(found.figures.finished if found.figures else ())]
    failures = [parse_moment(run.finished) for run in found.history if run.failed]
    asides = [parse_moment(run.finished) for run in found.history if run.command == "full" and run.stood_aside]
    seconds = [run.seconds for run in fulls]
    last = float(max([*successes, *asides], default=0))
    return {
        "last_success_timestamp_seconds": last,
        "last_success_age_seconds": found.now - last if last else -1.0,
        "stood_aside_timestamp_seconds": float(max(asides, default=0)),
        "last_failure_timestamp_seconds": float(max(failures, default=0)),
        "last_duration_seconds": seconds[-1] if seconds else 0.0,
        "median_duration_seconds": statistics.median(seconds[:-1]) if seconds[:-1] else 0.0,
    }


def _of_job(job: BackupJob | None) -> dict[str, float | None]:
    if job is None:
        return {}
    expiry = first_expiry(job.recipients_expire)
    return {
        "deadline_seconds": float(job.deadline_seconds),
        "keep_seconds": float(job.keep_days * DAY_SECONDS),
        "store_minimum_free_ratio": job.minimum_free_percent / 100,
        "recipients": float(len(job.recipients)),
        "recipients_expiry_timestamp_seconds": float(parse_moment(expiry)) if expiry else 0.0,
    }


def _of_store(figures: Figures | None) -> dict[str, float | None]:
    if figures is None:
        return {}
    sizes = figures.sizes
    return {
        "store_looked_at_timestamp_seconds": figures.looked,
        "last_size_bytes": float(sizes[-1]) if sizes else 0.0,
        "median_size_bytes": float(statistics.median(sizes[:-1])) if sizes[:-1] else 0.0,
        "full_sets": float(len(sizes)),
        "damaged_items": float(figures.damaged),
        "log_gaps": float(figures.gaps),
        "restorable_intervals": float(figures.intervals),
        "oldest_restorable_timestamp_seconds": float(figures.oldest),
        "newest_restorable_timestamp_seconds": float(figures.newest),
        "log_last_archived_timestamp_seconds": None if figures.archived is None else float(figures.archived),
    }


def _of_copies(copies: Copies | None) -> dict[str, float | None]:
    if copies is None:
        return {}
    return {
        "copies_last_success_timestamp_seconds": _moment(copies.last_success),
        "copies_full_sets": float(len(copies.fulls)),
    }


def _failing(found: MeasuredBackup) -> dict[str, bool]:
    latest = {run.command: run for run in found.history}
    return {name: name in latest and latest[name].failed for name in WATCHED_COMMANDS}


def _test_samples(found: MeasuredTest) -> t.Iterator[Sample]:
    labels = {"test": found.name}
    status = found.status or {}
    latest = status.get("latest") or {}
    success, aside, failure = (_moment(status.get(key)) for key in ("last_success", "last_aside", "last_failure"))
    last = max(success, aside)
    values: dict[str, float] = {
        "readable": float(found.readable),
        "known_since_timestamp_seconds": found.known_since,
        "metrics_timestamp_seconds": found.now,
        "last_success_timestamp_seconds": last,
        "last_success_age_seconds": found.now - last if last else -1.0,
        "last_failure_timestamp_seconds": failure,
        "failing": float(bool(status.get("last_error"))),
        "recovery_duration_seconds": _number(latest.get("recovery_seconds")),
        "loss_seconds": _number(latest.get("data_loss_seconds")),
    }
    if found.objectives:
        recovery, loss = found.objectives
        values["recovery_objective_seconds"] = float(recovery)
        # The test decides on it where none is declared.
        values["loss_objective_seconds"] = loss or _number(status.get("rpo_seconds"))
    for name, value in values.items():
        yield f"bulwark_restore_test_{name}", labels, value
    for unit, failed in sorted(found.units.items()):
        yield "bulwark_restore_test_unit_failed", {**labels, "unit": unit}, float(failed)


def _copies_samples(found: MeasuredCopies) -> t.Iterator[Sample]:
    labels = {"source": found.name}
    values = {
        "readable": float(found.readable),
        "known_since_timestamp_seconds": found.known_since,
        "metrics_timestamp_seconds": found.now,
        "last_success_timestamp_seconds": found.look.last_success,
        "last_deep_success_timestamp_seconds": found.deep.last_success,
        "failing": float(bool(found.look.error or found.deep.error)),
        "damaged_items": float(max(found.look.damaged, found.deep.damaged)),
    }
    for name, value in values.items():
        yield f"bulwark_copies_{name}", labels, value
    for unit, failed in sorted(found.units.items()):
        yield "bulwark_copies_unit_failed", {**labels, "unit": unit}, float(failed)


def begun_at(identifier: str) -> float | None:
    """When the set of that id was begun."""
    if not is_id(identifier):
        return None
    day, time = identifier[:8], identifier[9:15]
    return float(parse_moment(f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z"))


def _moment(text: t.Any) -> float:
    return float(parse_moment(text)) if isinstance(text, str) and text else 0.0


def _number(value: t.Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _render(helps: t.Mapping[str, str], samples: t.Iterable[Sample]) -> str:
    """In the order of the table; a metric without samples is left out."""
    by_name: dict[str, list[str]] = {name: [] for name in helps}
    for name, labels, value in samples:
        by_name[name].append(f"{name}{_labels(labels)} {_value(value)}\n")
    return "".join(
        f"# HELP {name} {helps[name]}\n# TYPE {name} gauge\n{''.join(lines)}"
        for name, lines in by_name.items()
        if lines
    )


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items())) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _value(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))
