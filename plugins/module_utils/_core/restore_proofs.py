# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Records of restore tests, as restore_test_info returns them, made what a control judges. Pure."""

from __future__ import annotations

import typing as t

from .backup_manifest import mark_of
from .backup_moments import parse_moment
from .errors import DidNotTakeEffect, InvalidDeclaration
from .observations import RestoreProof
from .restore_test_record import names_not_made

Json = t.Mapping[str, t.Any]
# One a week, and a day to mend what failed.
OLDEST_PROOF_DAYS: t.Final = 8
_DAY_SECONDS: t.Final = 86400


def restore_proofs(tests: t.Iterable[Json], *, now: float) -> tuple[RestoreProof, ...]:
    """Of tests that have run. Raises InvalidDeclaration for what restore_test_info did not write."""
    return tuple(_proof(test, now) for test in tests if test.get("record"))


def complaint_of_proof(proof: RestoreProof) -> str:
    """Why it proves nothing now; empty if it does."""
    if not proof.succeeded:
        return f"the restore test{f' of {proof.backup}' if proof.backup else ''} failed: {proof.error}"
    if not proof.signature_valid:
        return f"the record of the restore test of {proof.backup} has no valid signature"
    if proof.age > OLDEST_PROOF_DAYS * _DAY_SECONDS:
        return f"the last restore test was {proof.age / _DAY_SECONDS:.0f} days ago"
    return ""


def proof_of_another(proofs: t.Iterable[RestoreProof], *, cluster: str) -> RestoreProof:
    """By which the test of a node without backups may stand aside. Raises DidNotTakeEffect where no node's proves any.

    :param proofs: of the tests of the cluster's other nodes.
    """
    complaints = []
    for proof in proofs:
        complaint = complaint_of_proof(proof)
        if not complaint:
            return proof
        if proof.backup or proof.error:  # else it stood aside itself
            complaints.append(f"{proof.test}: {complaint}")
    raise DidNotTakeEffect(
        f"the source holds no full backup, and no test of another node of the cluster {cluster} proves one"
        f" ({complaints[0] if complaints else 'none has restored any'})",
        "Start the test of the node that makes the backups, then this one",
    )


def _proof(test: Json, now: float) -> RestoreProof:
    record = test["record"]
    try:
        backup = record["backup"] or {}
        return RestoreProof(
            test=str(test["name"]),
            host=str(record["host"]),
            age=max(0.0, now - parse_moment(record["finished"])),
            succeeded=record["outcome"] == "success",
            error=str(record["error"]),
            signature_valid=test["signature_valid"] is True,
            backup=str(backup.get("id", "")),
            files=frozenset(
                mark_of(str(file["sha256"]), str(backup.get("system_identifier", "")))
                for file in backup.get("files", ())
            ),
            summary=_summary(record, str(test.get("signer", ""))),
        )
    except (KeyError, TypeError, AttributeError, ValueError, InvalidDeclaration) as error:
        raise InvalidDeclaration(
            f"restore_tests: the test {test.get('name')!r} has no record of a restore test ({type(error).__name__})",
            "Give what restore_test_info returns as tests",
        ) from None


def _summary(record: Json, signer: str) -> str:
    backup, passed = record["backup"] or {}, sum(check["passed"] for check in record["checks"])
    left_out = names_not_made(record)
    seconds, loss = record["recovery_seconds"], record["data_loss_seconds"]
    parts = [
        f"restored {backup.get('id')} in {seconds:.1f} s" if seconds is not None else f"restored {backup.get('id')}",
        f"as of {record['moment']}" if record["moment"] else "",
        f"at most {loss:.0f} s would be lost" if loss is not None else "",
        f"{passed} checks passed",
        f"not made: {', '.join(left_out)}" if left_out else "",
        f"signed by {signer}" if signer else "",
    ]
    return ", ".join(filter(None, parts))
