# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Backups as their store, their units and the records of restore tests show them."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import FAIL, NOT_APPLICABLE, PASS, Finding, Situation
from .._core.observations import BackupState, Observations, RestoreProof
from .._core.restore_proofs import OLDEST_PROOF_DAYS, complaint_of_proof
from .observed_check import NotSeen, ObservedCheck, seen

_HOUR: t.Final = 3600
# One a day, and the time that it takes.
OLDEST_FULL_HOURS: t.Final = 26
# The daily backup's own, so that one which takes hours to copy is not late.
OLDEST_COPIES_HOURS: t.Final = 26
_FEWEST_RECIPIENTS: t.Final = 2


def jobs_of(observations: Observations) -> tuple[BackupState, ...]:
    """Raises NotSeen where none is: whether another tool backs the host up can't be told from here."""
    jobs = seen(observations.backups)
    if not jobs:
        raise NotSeen("the host has no backup job of this collection; those of other tools are not looked at")
    return jobs


@dataclasses.dataclass(frozen=True)
class FullBackupCheck(ObservedCheck):
    """The daily full backup is due, and the last one succeeded, here or on the node that made it."""

    @property
    def expected(self) -> str:
        return f"the timer runs, and a full backup succeeded in the last {OLDEST_FULL_HOURS} hours"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        jobs = jobs_of(observations)
        wrong = tuple(line for job in jobs for line in _complaints_of_fulls(job))
        if wrong:
            return Finding(FAIL, f"{len(wrong)} of the backup's promises are not kept", self.expected, wrong)
        return Finding(PASS, "; ".join(map(_latest, jobs)), self.expected)


def _complaints_of_fulls(job: BackupState) -> t.Iterator[str]:
    if not job.timer_runs:
        yield f"job {job.name}: its timer does not run"
    if job.service_failed:
        yield f"job {job.name}: the last run failed{': ' if job.last_error else ''}{job.last_error}"
    age = _age_of_full(job)
    if age is None:
        yield f"job {job.name}: no full backup has succeeded yet"
    elif age > OLDEST_FULL_HOURS * _HOUR:
        yield f"job {job.name}: the last full backup is {age / _HOUR:.0f} hours old"


def _age_of_full(job: BackupState) -> float | None:
    ages = [age for age in (job.success_age, job.aside_age) if age is not None]
    return min(ages) if ages else None


def _latest(job: BackupState) -> str:
    hours = (_age_of_full(job) or 0) / _HOUR
    if job.stands_aside:
        return f"job {job.name}: another node made the last full backup {hours:.1f} hours ago"
    return f"job {job.name}: {len(job.fulls)} full backups, the last one {hours:.1f} hours ago"


@dataclasses.dataclass(frozen=True)
class MomentsCheck(ObservedCheck):
    """Nothing is missing between the oldest full backup and now."""

    @property
    def expected(self) -> str:
        return "the archived log has no gap up to minutes ago, and nothing of the store is damaged"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        jobs = [job for job in jobs_of(observations) if not job.stands_aside]
        if not jobs:
            return Finding(NOT_APPLICABLE, "another node of the cluster has the backups")
        wrong = tuple(line for job in jobs for line in _complaints_of_moments(job))
        if wrong:
            return Finding(FAIL, "not every moment can be restored", self.expected, wrong)
        since = (f"job {job.name}: any moment since {job.restorable_from}" for job in jobs)
        return Finding(PASS, "; ".join(since), self.expected)


def _complaints_of_moments(job: BackupState) -> t.Iterator[str]:
    yield from (f"job {job.name}: {line}" for line in job.damaged)
    if job.newest_age is None:
        yield f"job {job.name}: no moment can be restored"
    elif job.newest_age > job.newest_limit:
        yield f"job {job.name}: the newest moment that can be restored is {job.newest_age / 60:.0f} minutes old"


@dataclasses.dataclass(frozen=True)
class SealedCheck(ObservedCheck):
    """By the files' first bytes, not by their names."""

    @property
    def expected(self) -> str:
        return "every file of the newest backup and the log is encrypted, to two keys or more"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        jobs = jobs_of(observations)
        wrong = [f"job {job.name}: {name} is not encrypted" for job in jobs for name in job.unsealed]
        wrong += [
            f"job {job.name}: who loses one key loses every backup"
            for job in jobs
            if len(job.recipients) < _FEWEST_RECIPIENTS
        ]
        if wrong:
            return Finding(FAIL, "backups are not sealed as they should be", self.expected, tuple(wrong))
        keys = (f"job {job.name}: sealed to {len(job.recipients)} keys" for job in jobs)
        return Finding(PASS, "; ".join(keys), self.expected)


@dataclasses.dataclass(frozen=True)
class PrivateStoreCheck(ObservedCheck):
    """Nobody but the backup's account may read, list or change what is there."""

    @property
    def expected(self) -> str:
        return "folders 0700 and files 0600 or stricter, all of the backup's account"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        opened = tuple(path for job in jobs_of(observations) for path in job.opened)
        if opened:
            return Finding(FAIL, f"{len(opened)} files or folders are open to others", self.expected, opened)
        return Finding(PASS, "private", self.expected)


@dataclasses.dataclass(frozen=True)
class CopiesCheck(ObservedCheck):
    """Another host has said that it has everything. How far away it is can't be told from here."""

    @property
    def expected(self) -> str:
        return f"another host has had every file of the store in the last {OLDEST_COPIES_HOURS} hours"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        jobs = jobs_of(observations)
        wrong = tuple(f"job {job.name}: {complaint}" for job in jobs if (complaint := _complaint_of_copies(job)))
        if wrong:
            return Finding(FAIL, "backups are not on another host as they should be", self.expected, wrong)
        places = (f"job {job.name}: {job.copies_host} had all of it {_minutes(job)} minutes ago" for job in jobs)
        return Finding(PASS, "; ".join(places), self.expected)


def _complaint_of_copies(job: BackupState) -> str:
    if not job.copies_host:
        return "no copies go to another host by this collection"
    if job.copies_age is None:
        return f"{job.copies_host} has never had everything"
    if job.copies_age > OLDEST_COPIES_HOURS * _HOUR:
        return f"{job.copies_host} had everything {job.copies_age / _HOUR:.0f} hours ago"
    return ""


def _minutes(job: BackupState) -> str:
    return f"{(job.copies_age or 0) / 60:.0f}"


@dataclasses.dataclass(frozen=True)
class RestoreProofCheck(ObservedCheck):
    """A backup of this very host was restored somewhere else, not long ago, and somebody signed for it."""

    @property
    def expected(self) -> str:
        return f"a backup of this host was restored in the last {OLDEST_PROOF_DAYS} days, with a valid signature"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        jobs = jobs_of(observations)
        if all(job.stands_aside for job in jobs):
            return Finding(NOT_APPLICABLE, "another node of the cluster has the backups")
        mine = [proof for proof in seen(observations.restore_proofs) if any(_is_of(proof, job) for job in jobs)]
        if not mine:
            return Finding(FAIL, "no restore test of a backup of this host is known", self.expected)
        latest = min(mine, key=lambda proof: proof.age)
        complaint = complaint_of_proof(latest)
        if complaint:
            return Finding(FAIL, complaint, self.expected, (f"test {latest.test} on {latest.host}",))
        return Finding(PASS, f"{latest.host}: {latest.summary}", self.expected)


def _is_of(proof: RestoreProof, job: BackupState) -> bool:
    return bool(proof.files) and job.fulls.get(proof.backup) == proof.files
