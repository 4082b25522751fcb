# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""One restore test: from the source's newest backup to signed evidence, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import time
import typing as t

from .._core.backup_job_file import MARIADB, PGBACKREST, POSTGRESQL
from .._core.backup_manifest import Contents, Manifest, Sidecar
from .._core.backup_moments import render_id, render_moment
from .._core.backup_status import Run
from .._core.errors import ApplyFailed, BulwarkError, DidNotTakeEffect, ObservationFailed, first_of
from .._core.restore_proofs import proof_of_another, restore_proofs
from .._core.restore_script import engine_of, job_of, render_script, value_of
from .._core.restore_test_checks import (
    COUNTS,
    DATABASES,
    IN_RECOVERY,
    NEWEST_TRANSACTION,
    Check,
    Counted,
    Restored,
    binary_log_read,
    judge_binary_log,
    judge_counts,
    judge_integrity,
    judge_loss,
    judge_query,
    judge_recovery,
    judge_time,
    loss_between,
    not_made,
    parse_counts,
)
from .._core.restore_test_choice import Chance, Choice, choose, complaints, loss_objective, newest_moment, tools_needed
from .._core.restore_test_file import RestoreTest
from .._core.restore_test_record import (
    Findings,
    counts_before,
    describe_status,
    failed_check,
    outcome_line,
    outcome_of,
    render_record,
    sha256_of,
)
from .._core.sealing import GNUPG
from .._io.backup_store import Store, free_percent, read_text, write_text
from .._io.gnupg_keyring import throwaway_keyring
from .._io.restore_test_cluster import other_tests
from .._io.restore_test_evidence import latest_record, latest_records, write_evidence
from .._io.restore_test_scratch import Scratch, remove_leftovers
from .._io.restore_test_source import look_at_source
from .state import read_runs, remember_at

Say = t.Callable[[str], None]


def run_tests(test: RestoreTest, say: Say, chance: Chance, *, folder: str) -> None:
    """Only under the lock. Raises BulwarkError for the first backup that can't be proven restorable.

    There is a record for each, and for a source that can't be looked at.

    :param folder: of the files of all tests.
    """
    clear(test, say)
    failures: list[BulwarkError] = []
    findings = Findings(time.time())
    choices: list[Choice] = []
    with _recorded(test, findings, failures, say):
        if test.cluster and _never_had_a_backup(test):
            _stand_aside(test, findings, say, folder)
        else:
            contents = _look(test, findings)
            choices = choose(contents, with_older=test.with_older, chance=chance)
            _prove(test, contents, choices[0], findings, say)
    if not failures:
        for choice in choices[1:]:
            findings = Findings(
                time.time(),
                newest_moment=findings.newest_moment,
                loss_seconds=findings.loss_seconds,
                rpo_seconds=findings.rpo_seconds,
            )
            with _recorded(test, findings, failures, say):
                _prove(test, contents, choice, findings, say)
    if failures:
        raise failures[0]


def clear(test: RestoreTest, say: Say) -> None:
    """Only under the lock. A run that was killed gets its record, and what it left goes."""
    for name in remove_leftovers(test.scratch, test.name):
        say(f"{name} was left by a run that did not come to its end: removed")
    try:
        began = json.loads(read_text(_running(test)))
    except FileNotFoundError:
        return
    except ValueError:
        began = {}
    findings = Findings(float(began.get("started", time.time())), moment=str(began.get("moment", "")))
    error = "the run was ended from outside before it came to its end"
    try:
        say(f"{error}: {_record(test, findings, error)}")
    finally:
        _forget_running(test)


def status(test: RestoreTest) -> dict[str, t.Any]:
    return describe_status(test, read_runs(_history(test)), latest_record(test.evidence)[0])


@contextlib.contextmanager
def _recorded(test: RestoreTest, findings: Findings, failures: list[BulwarkError], say: Say) -> t.Iterator[None]:
    """Whatever ends it, there is a record."""
    _remember_running(test, findings)
    error = ""
    try:
        yield
    except (BulwarkError, OSError) as problem:
        known = problem if isinstance(problem, BulwarkError) else ApplyFailed(f"{problem.filename}: {problem.strerror}")
        failures.append(known)
        error = str(known)
    except BaseException as problem:
        error = f"ended by {type(problem).__name__}"
        raise
    finally:
        try:
            say(f"evidence: {_record(test, findings, error)}")
        finally:
            _forget_running(test)


def _never_had_a_backup(test: RestoreTest) -> bool:
    """A source that had one before has lost it."""
    contents = Store(test.source).look()
    there = contents.manifests or contents.damaged
    return os.path.isdir(test.source) and not there and not any(run.succeeded for run in read_runs(_history(test)))


def _stand_aside(test: RestoreTest, findings: Findings, say: Say, folder: str) -> None:
    """Only where the test of another node proves a backup: or else nobody would, and nobody would say so."""
    proofs = restore_proofs(other_tests(test, folder), now=findings.started)
    proof = proof_of_another(proofs, cluster=test.cluster)
    detail = f"another node of the cluster has the backups: {proof.test} {proof.summary}"
    findings.checks.append(Check("another node", True, detail))
    findings.stood_aside = True
    say(detail)


def _look(test: RestoreTest, findings: Findings) -> Contents:
    job = job_of(_restore_text(test))
    with _scratch(test, findings) as scratch:
        contents = look_at_source(test, job=job, folder=scratch.path)
    findings.rpo_seconds = loss_objective(test, contents)
    findings.newest_moment = newest_moment(contents)
    if findings.newest_moment:
        findings.loss_seconds = loss_between(findings.newest_moment, findings.started)
    wrong = complaints(contents)
    if wrong:
        raise DidNotTakeEffect(first_of(wrong), "Look for another copy, and make a full backup now")
    strangers = {manifest.engine for manifest in contents.manifests} - {test.server}
    if strangers:
        raise ObservationFailed(f"{test.source} holds backups of {strangers.pop()}", "Correct source or engine")
    return contents


def _prove(test: RestoreTest, contents: Contents, choice: Choice, findings: Findings, say: Say) -> None:
    findings.manifest, findings.moment = choice.manifest, choice.moment
    _remember_running(test, findings)
    text = _restore_text(test)
    findings.restore_text_sha256 = sha256_of(text)
    plain = sum(file.plain_bytes for file in choice.manifest.files)
    if free_percent(test.scratch, plain) < 0:
        raise ApplyFailed(f"{test.scratch} has no room for {plain} bytes", "Make room, or name another scratch")
    say(f"restoring {choice.manifest.id} to {choice.moment}")
    needed = tools_needed(contents, choice.manifest)
    _refuse_without_keys(test, choice.manifest, needed)
    with _keyring(test, needed) as environment:
        _restore(test, text, choice, findings, environment, contents.sidecars)
    failed = failed_check(findings)
    if failed:
        raise DidNotTakeEffect(failed.detail, "The record tells of all checks")
    say(outcome_line(findings))


def _refuse_without_keys(test: RestoreTest, manifest: Manifest, needed: t.Iterable[str]) -> None:
    for tool in needed:
        if tool not in test.opens:
            raise ObservationFailed(
                f"{manifest.id} or its log is sealed by {tool}, and the test has no secret key of it",
                f"Set restore_test_sealing to {tool}, and seal backups to the key that is shown",
            )


@contextlib.contextmanager
def _keyring(test: RestoreTest, needed: t.Collection[str]) -> t.Iterator[dict[str, str]]:
    """What tells the commands of RESTORE.txt where GnuPG's secret key is; nothing where it is not needed."""
    if GNUPG not in needed:
        yield {}
        return
    with throwaway_keyring(test.gnupg_identity) as folder:
        yield {"GNUPGHOME": folder}


def _restore(
    test: RestoreTest,
    text: str,
    choice: Choice,
    findings: Findings,
    environment: t.Mapping[str, str],
    sidecars: t.Sequence[Sidecar],
) -> None:
    with _scratch(test, findings, environment) as scratch:
        began = time.monotonic()
        said = scratch.run_script(render_script(text, _values(test, scratch, choice)))
        findings.recovery_seconds = time.monotonic() - began
        if f"set: {choice.manifest.id}" not in said.splitlines():
            raise DidNotTakeEffect(f"RESTORE.txt did not restore {choice.manifest.id}, but another set")
        if test.server == MARIADB:
            findings.binary_log = binary_log_read(said) or ""
            findings.checks.append(judge_binary_log(said, choice.manifest, sidecars, choice.moment))
        binaries = test.binaries or value_of(text, "BINARIES")
        _check(test, scratch, Restored(test.server, scratch.data, binaries, test.administrator), findings)


@contextlib.contextmanager
def _scratch(
    test: RestoreTest, findings: Findings, environment: t.Mapping[str, str] | None = None
) -> t.Iterator[Scratch]:
    """For as long as it takes, and nothing of it stays."""
    deadline = time.monotonic() + test.deadline_seconds
    scratch = Scratch(test.scratch, test.name, render_id(findings.started), deadline=deadline, environment=environment)
    try:
        yield scratch
    finally:
        scratch.remove()


def _restore_text(test: RestoreTest) -> str:
    path = os.path.join(test.source, "RESTORE.txt")
    try:
        text = read_text(path)
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}", "Fetch it with the backups") from None
    if engine_of(text) != test.engine:
        raise ObservationFailed(f"{path} is of another engine", "Correct source or engine")
    return text


def _values(test: RestoreTest, scratch: Scratch, choice: Choice) -> dict[str, str]:
    values = {"STORE": test.source, "DATA": scratch.data, "MOMENT": choice.moment}
    if test.identity:
        values["IDENTITY"] = test.identity
    if test.engine == MARIADB:
        return {**values, "ACCOUNT": _own_name()}
    own = {"BINARIES": test.binaries} if test.binaries else {}
    own.update({} if test.engine == PGBACKREST else {"VERIFY": "yes"})  # pgBackRest has compared each file
    return {**values, **own, "ADMINISTRATOR": test.administrator}


def _check(test: RestoreTest, scratch: Scratch, server: Restored, findings: Findings) -> None:
    """Every check is made, whatever the one before it found."""
    checks = findings.checks
    checks.append(judge_time(findings.recovery_seconds or 0, test.rto_seconds))
    checks.append(judge_loss(findings.loss_seconds or 0, findings.rpo_seconds))
    if test.server == POSTGRESQL:
        state = scratch.answer(server.client(""), IN_RECOVERY)
        findings.newest_transaction = scratch.answer(server.client(""), NEWEST_TRANSACTION).strip()
        checks.append(judge_recovery(state, findings.newest_transaction, findings.moment))
    for database in scratch.answer(server.client(""), DATABASES[test.server]).splitlines():
        findings.counts[database] = _count(scratch, server, database, checks)
    before = counts_before(test, latest_records(test.evidence), findings.moment)
    checks += judge_counts(findings.counts, before, smallest_share=test.smallest_share)
    for query in test.queries:
        status, answer = scratch.ask(server.client(query.database), query.query.rstrip().rstrip(";") + ";\n")
        if status:
            checks.append(Check(f"query {query.name}", False, f"{query.name} failed: {' '.join(answer.split())[:300]}"))
        else:
            checks.append(judge_query(query, answer))
    command = server.integrity_check(extended=test.extended_check)
    tool = os.path.basename(command[0])
    if command[0].startswith("/") and not os.access(command[0], os.X_OK):
        checks.append(not_made(tool, f"{command[0]} is not installed here"))
    else:
        checks.append(judge_integrity(tool, *scratch.ask(command)))


def _count(scratch: Scratch, server: Restored, database: str, checks: list[Check]) -> Counted | None:
    """None, and a failed check, where that is not possible."""
    try:
        answer = scratch.answer(server.client(database), COUNTS[server.engine])
        if server.engine != POSTGRESQL:
            answer = scratch.answer(server.client(database), answer)
        return parse_counts(answer)
    except (ApplyFailed, ValueError) as error:
        checks.append(Check(f"rows of {database}", False, f"the rows of {database} can't be counted: {error}"))
        return None


def _record(test: RestoreTest, findings: Findings, error: str) -> str:
    """Path of the record, with history and status brought up to date. Raises ApplyFailed if it can't be signed."""
    finished = time.time()
    text = render_record(
        test, findings, host=socket.gethostname(), finished=finished, error=error,
        previous=latest_record(test.evidence)[1],
    )  # fmt: skip
    run = Run(
        command="restore test",
        started=render_moment(findings.started),
        finished=render_moment(finished),
        seconds=round(finished - findings.started, 3),
        outcome=outcome_of(findings, error),
        error=error,
        id=findings.manifest.id if findings.manifest else "",
        bytes=findings.manifest.bytes if findings.manifest else 0,
    )
    try:
        return write_evidence(test.evidence, render_id(findings.started), text, key=test.signing_key)
    except BulwarkError as problem:
        run = Run(**{**run.__dict__, "outcome": "failure", "error": error or str(problem)})
        raise
    finally:
        remember_at(_history(test), run, 0o640)
        answer = describe_status(test, read_runs(_history(test)), json.loads(text))
        write_text(os.path.join(test.state, "status.json"), json.dumps(answer, indent=1, sort_keys=True) + "\n", 0o644)


def _history(test: RestoreTest) -> str:
    return os.path.join(test.state, "history.json")


def _running(test: RestoreTest) -> str:
    return os.path.join(test.state, "running.json")


def _remember_running(test: RestoreTest, findings: Findings) -> None:
    mark = {"started": findings.started, "moment": findings.moment}
    write_text(_running(test), json.dumps(mark) + "\n")


def _forget_running(test: RestoreTest) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_running(test))


def _own_name() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
