# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls of backups: each promise that is broken is named, and what can't be seen never passes."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls
from ansible_collections.bulwark.database.plugins.module_utils._controls.model import MARIADB, POSTGRESQL
from ansible_collections.bulwark.database.plugins.module_utils._core.assessment import (
    FAIL,
    NOT_APPLICABLE,
    NOT_OBSERVABLE,
    PASS,
    Finding,
    Situation,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import SealedFile
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.observations import (
    BackupState,
    Observations,
    RestoreProof,
    Unobservable,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_proofs import restore_proofs
from sample_backups import full

CONTROLS = {control.id: control for control in controls() if control.category == "backup"}
SITUATION = Situation(datetime.date(2026, 11, 27))
HOUR = 3600.0
SUMS = frozenset({"a" * 64})
JOB = BackupState(
    name="main",
    success_age=HOUR,
    restorable_from="2026-11-20T00:00:00Z",
    newest_age=60,
    newest_limit=900,
    recipients=("age1one", "age1two"),
    fulls={"20261127T000000Z": SUMS},
    copies_host="offsite.example.org",
    copies_age=60,
)
ASIDE = dataclasses.replace(JOB, success_age=None, aside_age=HOUR, fulls={}, restorable_from="", newest_age=None)
PROOF = RestoreProof("shop", "restore1", HOUR, True, "", True, "20261127T000000Z", SUMS, "restored it")


def judge(name: str, *jobs: BackupState, proofs: t.Any = (PROOF,)) -> Finding:
    (check,) = CONTROLS[name].checks
    return check.judge(Observations(backups=jobs, restore_proofs=proofs), SITUATION)


def test_both_engines_are_held_to_them() -> None:
    assert len(CONTROLS) == 6
    assert all(control.engines == (POSTGRESQL, MARIADB) for control in CONTROLS.values())


@pytest.mark.parametrize("name", sorted(CONTROLS))
def test_a_job_that_keeps_its_promises_passes_and_none_is_not_observable(name: str) -> None:
    assert judge(name, JOB).verdict == PASS
    assert judge(name).verdict == NOT_OBSERVABLE
    blind = Observations(backups=Unobservable("the host is not booted by systemd"))
    assert CONTROLS[name].checks[0].judge(blind, SITUATION).verdict == NOT_OBSERVABLE


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("BKP-001", {"timer_runs": False}, "its timer does not run"),
        ("BKP-001", {"service_failed": True, "last_error": "no room"}, "the last run failed: no room"),
        ("BKP-001", {"success_age": None}, "no full backup has succeeded yet"),
        ("BKP-001", {"success_age": 27 * HOUR}, "the last full backup is 27 hours old"),
        ("BKP-004", {"damaged": ("the log has a gap from A to B",)}, "the log has a gap from A to B"),
        ("BKP-004", {"newest_age": None}, "no moment can be restored"),
        ("BKP-004", {"newest_age": 1000}, "the newest moment that can be restored is 17 minutes old"),
        ("BKP-005", {"unsealed": ("full/x/base.tar",)}, "full/x/base.tar is not encrypted"),
        ("BKP-005", {"recipients": ("age1one",)}, "who loses one key loses every backup"),
        ("BKP-008", {"opened": ("/var/backups/bulwark/main/full",)}, "/var/backups/bulwark/main/full"),
        ("BKP-013", {"copies_host": ""}, "no copies go to another host"),
        ("BKP-013", {"copies_age": None}, "offsite.example.org has never had everything"),
        ("BKP-013", {"copies_age": 27 * HOUR}, "offsite.example.org had everything 27 hours ago"),
    ],
)
def test_each_broken_promise_fails_and_is_named(name: str, change: dict[str, t.Any], said: str) -> None:
    found = judge(name, dataclasses.replace(JOB, **change))
    assert found.verdict == FAIL
    assert any(said in line for line in found.evidence), found


@pytest.mark.parametrize(
    ("proofs", "said"),
    [
        ((), "no restore test of a backup of this host is known"),
        (
            (dataclasses.replace(PROOF, files=frozenset({"b" * 64})),),
            "no restore test of a backup of this host is known",
        ),
        ((dataclasses.replace(PROOF, succeeded=False, error="a row is missing"),), "failed: a row is missing"),
        ((dataclasses.replace(PROOF, signature_valid=False),), "no valid signature"),
        ((dataclasses.replace(PROOF, age=9 * 24 * HOUR),), "9 days ago"),
        ((PROOF, dataclasses.replace(PROOF, age=60.0, succeeded=False, error="later")), "failed: later"),
    ],
)
def test_only_a_recent_signed_success_of_this_very_backup_proves_it(proofs: t.Any, said: str) -> None:
    found = judge("BKP-007", JOB, proofs=proofs)
    assert found.verdict == FAIL
    assert said in found.observed


def test_without_a_word_of_restore_tests_nothing_is_proven() -> None:
    assert judge("BKP-007", JOB, proofs=Unobservable("nobody was asked")).verdict == NOT_OBSERVABLE


def test_a_node_that_stands_aside_answers_for_its_timer_alone() -> None:
    verdicts = {name: judge(name, ASIDE, proofs=()).verdict for name in CONTROLS}
    assert verdicts == {
        "BKP-001": PASS,
        "BKP-004": NOT_APPLICABLE,
        "BKP-005": PASS,
        "BKP-007": NOT_APPLICABLE,
        "BKP-008": PASS,
        "BKP-013": PASS,
    }
    assert "another node made the last full backup 1.0 hours ago" in judge("BKP-001", ASIDE).observed


RECORD: dict[str, t.Any] = {
    "host": "restore1",
    "finished": "2026-11-27T03:00:00Z",
    "outcome": "success",
    "error": "",
    "backup": {"id": "20261127T000000Z", "files": [{"name": "base.tar.zst.age", "sha256": "a" * 64}]},
    "recovery_seconds": 12.34,
    "data_loss_seconds": 41.0,
    "moment": "2026-11-27T02:13:00Z",
    "checks": [
        {"name": "time", "passed": True},
        {"name": "rows", "passed": True},
        {"name": "pg_amcheck", "passed": False, "made": False},
    ],
}


def test_a_record_is_read_as_the_program_writes_it() -> None:
    test = {"name": "shop", "record": RECORD, "signature_valid": True, "signer": "restore1 (SHA256:x)"}
    never_ran = {"name": "new", "record": {}, "signature_valid": False, "signer": ""}
    (proof,) = restore_proofs([test, never_ran], now=1_795_748_400 + 60.0)
    assert (proof.host, proof.backup, proof.files, proof.succeeded) == ("restore1", "20261127T000000Z", SUMS, True)
    assert proof.summary == (
        "restored 20261127T000000Z in 12.3 s, as of 2026-11-27T02:13:00Z, at most 41 s would be lost, 2 checks passed,"
        " not made: pg_amcheck, signed by restore1 (SHA256:x)"
    )


def test_sets_of_one_second_on_two_hosts_are_not_taken_for_one_where_no_checksum_tells_them_apart() -> None:
    """pgBackRest names its sets by the second, and backups of many hosts begin at midnight."""
    label = "20261127-000000F"
    backup = {"id": label, "system_identifier": "7", "files": [{"name": label, "sha256": ""}]}
    test = {"name": "shop", "record": {**RECORD, "backup": backup}, "signature_valid": True, "signer": ""}
    proofs = restore_proofs([test], now=1_795_748_400 + 60.0)
    for system, verdict in (("7", PASS), ("8", FAIL)):
        files = (SealedFile(label, 1, "", 1),)
        manifest = dataclasses.replace(full(1000), id=label, system_identifier=system, files=files)
        job = dataclasses.replace(JOB, fulls={manifest.id: manifest.marks})
        assert judge("BKP-007", job, proofs=proofs).verdict == verdict


@pytest.mark.parametrize("record", [{**RECORD, "finished": "soon"}, {"outcome": "success"}, {**RECORD, "backup": "x"}])
def test_what_is_no_record_is_refused_by_name(record: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidDeclaration, match="shop"):
        restore_proofs([{"name": "shop", "record": record, "signature_valid": True}], now=0)
