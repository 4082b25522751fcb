# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The evidence record of a restore test, and what its last runs come to. Pure.

Each record names the SHA-256 of the one before it: one that is taken away is missed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t

from .backup_manifest import Manifest
from .backup_moments import render_moment
from .backup_status import ASIDE, Run
from .restore_test_checks import Check, Counted
from .restore_test_file import RestoreTest

FORMAT: t.Final = 1
# What a signature is good for: ssh-keygen calls it the namespace.
NAMESPACE: t.Final = "bulwark-restore-test"


@dataclasses.dataclass
class Findings:
    """What is known of a run; filled as it goes on, so that a failure has what was found before it."""

    started: float
    manifest: Manifest | None = None
    moment: str = ""
    newest_moment: str = ""
    newest_transaction: str = ""
    binary_log: str = ""
    restore_text_sha256: str = ""
    recovery_seconds: float | None = None
    loss_seconds: float | None = None
    rpo_seconds: int = 0
    checks: list[Check] = dataclasses.field(default_factory=list)
    stood_aside: bool = False
    counts: dict[str, Counted | None] = dataclasses.field(default_factory=dict)


def failed_check(findings: Findings) -> Check | None:
    return next((check for check in findings.checks if check.made and not check.passed), None)


def outcome_line(findings: Findings) -> str:
    """Of a backup that was restored, and what was looked at."""
    passed = sum(check.passed for check in findings.checks)
    left_out = [f"{check.name} ({check.detail})" for check in findings.checks if not check.made]
    identifier = findings.manifest.id if findings.manifest else ""
    line = f"{identifier} is restorable: {findings.recovery_seconds or 0:.1f} s, {passed} checks passed"
    return f"{line}; not made: {', '.join(left_out)}" if left_out else line


def counts_before(test: RestoreTest, records: t.Iterable[t.Mapping[str, t.Any]], moment: str) -> dict[str, Counted]:
    """What the database held at the latest proven moment that is not later; empty if no record tells.

    An older backup is so held against what there was by then, and a failure does not lower what the next test wants.
    """
    proven = [
        record
        for record in records
        if record.get("outcome") == "success"
        and record.get("engine") == test.engine
        and record.get("rows")
        and record["moment"] <= moment
    ]
    latest = max(proven, key=lambda record: str(record["moment"]), default={})
    return {name: Counted(one["tables"], one["rows"]) for name, one in latest.get("rows", {}).items()}


def names_not_made(record: t.Mapping[str, t.Any]) -> list[str]:
    """Of the checks of a record; earlier versions did not say."""
    return [check["name"] for check in record.get("checks", ()) if not check.get("made", True)]


def outcome_of(findings: Findings, error: str) -> str:
    return "failure" if error else ASIDE if findings.stood_aside else "success"


def render_record(
    test: RestoreTest, findings: Findings, *, host: str, finished: float, error: str, previous: str
) -> str:
    """:param error: empty for a success.
    :param previous: SHA-256 of the record before it; empty for the first.
    """
    manifest = findings.manifest
    record = {
        "format": FORMAT,
        "kind": NAMESPACE,
        "test": test.name,
        "host": host,
        "engine": test.engine,
        "source": test.source,
        "started": render_moment(findings.started),
        "finished": render_moment(finished),
        "outcome": outcome_of(findings, error),
        "error": error,
        "backup": manifest
        and {
            "id": manifest.id,
            "job": manifest.job,
            "server_version": manifest.server_version,
            "system_identifier": manifest.system_identifier,
            "files": [dataclasses.asdict(file) for file in manifest.files],
        },
        "restore_text_sha256": findings.restore_text_sha256,
        "moment": findings.moment,
        "newest_restorable_moment": findings.newest_moment,
        "newest_transaction": findings.newest_transaction,
        "binary_log": findings.binary_log,
        "recovery_seconds": _rounded(findings.recovery_seconds),
        "rto_seconds": test.rto_seconds,
        "data_loss_seconds": _rounded(findings.loss_seconds),
        "rpo_seconds": findings.rpo_seconds or test.rpo_seconds,
        "rows": {name: counted._asdict() for name, counted in findings.counts.items() if counted},
        "checks": [dataclasses.asdict(check) for check in findings.checks],
        "previous_sha256": previous,
    }
    return json.dumps(record, indent=1, sort_keys=True) + "\n"


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def describe_status(test: RestoreTest, history: t.Sequence[Run], record: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What is watched: when a test last succeeded, and how the latest went.

    :param record: the latest one; empty if there is none.
    """
    succeeded = [run for run in history if run.succeeded]
    asides = [run for run in history if run.stood_aside]
    failed = [run for run in history if run.failed]
    kept = ("outcome", "error", "started", "finished", "moment", "newest_restorable_moment", "recovery_seconds")
    latest = {key: record.get(key) for key in (*kept, "data_loss_seconds")}
    return {
        "format": FORMAT,
        "test": test.name,
        "engine": test.engine,
        "last_success": succeeded[-1].finished if succeeded else None,
        "last_aside": asides[-1].finished if asides else None,
        "last_failure": failed[-1].finished if failed else None,
        "last_error": history[-1].error or None if history else None,
        "backup": (record.get("backup") or {}).get("id"),
        "not_made": names_not_made(record),
        "rto_seconds": test.rto_seconds,
        "rpo_seconds": test.rpo_seconds or record.get("rpo_seconds", 0),
        "latest": latest,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
