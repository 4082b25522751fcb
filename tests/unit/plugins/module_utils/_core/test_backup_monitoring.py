# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of backups: metrics in a form that collectors take, notices without data, units that harm no backup."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_copies import Copies
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_deployment import FILE, Item, ObservedTimer
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import BackupJob, PostgreSQLPlace
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import Contents
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_metrics import (
    BACKUP_METRICS,
    CERTIFICATE_METRICS,
    COPIES_METRICS,
    RESTORE_METRICS,
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
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_moments import render_id, render_moment
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_monitor_file import (
    Mail,
    Monitor,
    check_mail,
    check_ping_url,
    check_url,
    parse_monitor,
    render_monitor,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_monitor_units import (
    CONFIGURATION,
    DROP_IN,
    PING_URL,
    TIMER,
    WEBHOOK_URL,
    Deployment,
    files_of,
    plan_absent,
    plan_present,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_notice import (
    Failure,
    render_document,
    render_text,
    safe_lines,
    what_to_do,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_status import Run
from ansible_collections.bulwark.database.plugins.module_utils._core.copies_look import (
    NEVER as NEVER_LOOKED,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.copies_look import (
    Look,
    look_file,
    parse_look,
    render_look,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.pgbackrest import DATABASE, Repository
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from sample_backups import full, segment

NOW = 1_790_000_000
JOB = BackupJob(
    name="main",
    engine="postgresql",
    store="/s",
    state="/t",
    incoming="/i",
    recipients=("age1x", "age1y"),
    keep_days=7,
    compression_level=1,
    deadline_seconds=21600,
    minimum_free_percent=10,
    smallest_share=0.5,
    server=PostgreSQLPlace("/run/postgresql", 5432, "bulwark-backup", "/usr/bin", "/data"),
)
NEVER = MeasuredBackup("main", NOW, NOW - 60, readable=False)
LINE = re.compile(r'(bulwark_[a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+)\})? (-?[0-9.e+-]+)')


def samples(text: str) -> dict[str, float]:
    """As a collector reads it: name and labels to value; refuses what it would refuse."""
    found: dict[str, float] = {}
    declared: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            assert line.split(" ", 3)[3]
        elif line.startswith("# TYPE "):
            name, kind = line.split(" ")[2:]
            assert kind == "gauge"
            assert name not in declared
            declared.add(name)
        else:
            match = LINE.fullmatch(line)
            assert match, line
            assert match.group(1) in declared
            key = line.rpartition(" ")[0]
            assert key not in found
            found[key] = float(match.group(3))
    assert text.endswith("\n")
    return found


def run(command: str, finished: int, *, seconds: float = 60, error: str = "") -> Run:
    outcome = "failure" if error else "success"
    return Run(command, render_moment(finished - 60), render_moment(finished), seconds, outcome, error)


def measured(**changes: t.Any) -> MeasuredBackup:
    contents = Contents(
        (full(NOW - 86400), full(NOW - 3600, start=2)),
        tuple(segment(number, NOW - 3600 + 60 * number) for number in range(2, 6)),
        (),
    )
    history = (run("full", NOW - 86400, seconds=50), run("full", NOW - 3600, seconds=70), run("collect", NOW - 60))
    base = MeasuredBackup(
        name="main",
        now=NOW,
        known_since=NOW - 90_000,
        readable=True,
        job=JOB,
        figures=figures_of(contents, looked=NOW - 5, full_folder=1),
        history=history,
        running_since=NOW - 30,
        units={"bulwark-backup-main.service": False},
        waiting=1,
        wal_ready=2,
        wal_bytes=3,
        free_ratio=0.5,
        ping=Ping(NOW - 3500, failing=False),
        copies=Copies("offsite.example.org", render_moment(NOW - 90), ("20261124T000000Z", "20261125T000000Z")),
    )
    return dataclasses.replace(base, **changes)


def value(found: MeasuredBackup, name: str, more: str = "") -> float:
    return samples(render_backup(found))[f'bulwark_backup_{name}{{backup="main"{more}}}']


def test_the_first_key_that_expires_is_a_moment_and_keys_without_an_end_are_0() -> None:
    expiries = {"A": render_moment(NOW + 200), "B": render_moment(NOW + 100)}
    ending = measured(
        job=dataclasses.replace(JOB, sealing="gnupg", recipients=("A", "B", "C"), recipients_expire=expiries)
    )
    assert value(ending, "recipients_expiry_timestamp_seconds") == NOW + 100
    assert value(measured(), "recipients_expiry_timestamp_seconds") == 0


def test_a_job_in_order_is_told_of_in_full() -> None:
    text = render_backup(measured())
    assert {name.partition("{")[0] for name in samples(text)} == set(BACKUP_METRICS)
    expected = {
        "last_success_timestamp_seconds": NOW - 3600,
        "last_success_age_seconds": 3600,
        "last_failure_timestamp_seconds": 0,
        "last_duration_seconds": 70,
        "median_duration_seconds": 50,
        "last_size_bytes": 10_000,
        "median_size_bytes": 10_000,
        "running_since_timestamp_seconds": NOW - 30,
        "keep_seconds": 7 * 86400,
        "full_sets": 2,
        "oldest_restorable_timestamp_seconds": NOW - 86400,
        "newest_restorable_timestamp_seconds": NOW - 3600 + 60 * 5 - 1,
        "log_waiting_segments": 1,
        "wal_ready_segments": 2,
        "store_minimum_free_ratio": 0.1,
        "ping_last_success_timestamp_seconds": NOW - 3500,
        "copies_last_success_timestamp_seconds": NOW - 90,
        "copies_full_sets": 2,
    }
    assert {name: value(measured(), name) for name in expected} == expected


def test_of_a_job_whose_repository_is_elsewhere_the_backlog_is_told_and_no_backup_is_missed() -> None:
    apart = Repository("/folder", side=DATABASE, address="192.0.2.1", source_address="192.0.2.2")
    job = dataclasses.replace(JOB, engine="pgbackrest", incoming="", repository=apart)
    found = samples(
        render_backup(MeasuredBackup("main", NOW, NOW - 60, readable=True, job=job, wal_ready=7, wal_bytes=9))
    )
    assert found['bulwark_backup_wal_ready_segments{backup="main"}'] == 7
    told = {name.split("{")[0] for name in found}
    assert (
        not {"bulwark_backup_last_success_timestamp_seconds", "bulwark_backup_failing", "bulwark_backup_full_sets"}
        & told
    )


def test_a_job_that_never_ran_or_is_not_there_has_what_alerts_feed_on() -> None:
    expected = {"last_success_timestamp_seconds": 0, "readable": 0, "last_success_age_seconds": -1}
    assert {name: value(NEVER, name) for name in expected} == expected
    assert value(NEVER, "known_since_timestamp_seconds") == NOW - 60
    assert value(NEVER, "metrics_timestamp_seconds") == NOW
    assert value(NEVER, "failing", ',command="full"') == 0


def test_copies_that_never_were_are_told_of_and_jobs_without_are_not() -> None:
    never = render_backup(measured(copies=Copies("offsite.example.org", None, ())))
    assert samples(never)['bulwark_backup_copies_last_success_timestamp_seconds{backup="main"}'] == 0
    assert "bulwark_backup_copies" not in render_backup(measured(copies=None))


@pytest.mark.parametrize(
    ("history", "failing"),
    [
        ((), False),
        ((run("full", NOW - 60, error="x"),), True),
        ((run("full", NOW - 60, error="x"), run("full", NOW)), False),
        ((run("full", NOW - 60), run("full", NOW, error="x")), True),
        ((run("full", NOW - 60, error="x"), run("collect", NOW)), True),
        ((run("verify", NOW, error="x"),), False),
    ],
)
def test_a_command_fails_until_it_succeeds_again(history: tuple[Run, ...], failing: bool) -> None:
    assert value(measured(history=history), "failing", ',command="full"') == failing


def test_a_lost_history_does_not_make_sets_that_are_there_unmade() -> None:
    assert value(measured(history=()), "last_success_timestamp_seconds") == NOW - 3600


def test_a_gap_and_damage_are_counted() -> None:
    manifests = (full(NOW - 86400),)
    contents = Contents(manifests, (segment(2, NOW - 80_000), segment(4, NOW - 70_000)), ("x is damaged",))
    found = measured(figures=figures_of(contents, looked=NOW, full_folder=1))
    assert value(found, "log_gaps") == 1
    assert value(found, "damaged_items") == 1


def test_figures_that_are_kept_are_the_same_and_age() -> None:
    figures = measured().figures
    assert figures is not None
    assert parse_figures(render_figures(figures)) == figures
    assert figures.is_fresh(NOW, 1, 300)
    assert not figures.is_fresh(NOW, 2, 300)
    assert not figures.is_fresh(NOW + 400, 1, 300)
    assert not figures.is_fresh(NOW - 400, 1, 300)  # somebody set the clock back
    for text in ("", "{}", "[]", '{"looked": 1, "finished": [], "sizes": []}'):
        assert parse_figures(text) is None


def test_labels_can_hold_anything() -> None:
    path = 'a "b"\\\nc'
    found = samples(render_certificates({path: 5.0, "/missing": None}, NOW))
    assert found[r'bulwark_certificate_expiry_timestamp_seconds{path="a \"b\"\\\nc"}'] == 5
    assert found['bulwark_certificate_readable{path="/missing"}'] == 0
    assert {name.partition("{")[0] for name in found} == set(CERTIFICATE_METRICS)


def test_a_restore_test_is_told_of_by_what_it_wrote() -> None:
    status = {
        "last_success": render_moment(NOW - 100),
        "last_failure": None,
        "last_error": None,
        "latest": {"recovery_seconds": 12.5, "data_loss_seconds": 40},
    }
    units = {"bulwark-restore-test-main.service": True}
    found = samples(render_test(MeasuredTest("main", NOW, NOW - 900, True, status, (3600, 900), units)))
    assert {name.partition("{")[0] for name in found} == set(RESTORE_METRICS)
    for name, expected in (
        ("last_success_timestamp_seconds", NOW - 100),
        ("recovery_duration_seconds", 12.5),
        ("recovery_objective_seconds", 3600),
        ("failing", 0),
    ):
        assert found[f'bulwark_restore_test_{name}{{test="main"}}'] == expected
    aside = {**status, "last_success": None, "last_aside": render_moment(NOW - 50)}
    found = samples(render_test(MeasuredTest("main", NOW, NOW - 900, True, aside, (3600, 900), units)))
    assert found['bulwark_restore_test_last_success_timestamp_seconds{test="main"}'] == NOW - 50
    decided = MeasuredTest("main", NOW, NOW - 900, True, {**status, "rpo_seconds": 90000}, (3600, 0), units)
    assert samples(render_test(decided))['bulwark_restore_test_loss_objective_seconds{test="main"}'] == 90000
    never = samples(render_test(MeasuredTest("main", NOW, NOW - 900, False)))
    assert never['bulwark_restore_test_last_success_timestamp_seconds{test="main"}'] == 0
    assert never['bulwark_restore_test_readable{test="main"}'] == 0


def test_the_moment_of_a_set_is_read_from_its_name() -> None:
    assert begun_at(render_id(NOW)) == NOW
    assert begun_at("other") is None


UNIT = "bulwark-backup-main.service"


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        ("bulwark-backup: the full backup of main failed: disk full. Make room\n", "disk full. Make room"),
        ('bulwark-backup: ERROR: key value "Jane Doe 4711" violates\n', "ERROR: key value *** violates"),
        ("bulwark-backup: password=hunter2 was refused", "password*** was refused"),
        ("bulwark-backup: https://user:hunter2@host/ was refused", "https://***@host/"),
        ("bulwark-backup: AGE-SECRET-KEY-1QQQ is no recipient", "*** is no recipient"),
    ],
)
def test_what_the_program_said_is_told_without_what_may_be_secret(journal: str, expected: str) -> None:
    (line,) = safe_lines(UNIT, journal)
    assert expected in line
    for secret in ("hunter2", "Jane", "4711", "QQQ"):
        assert secret not in line


def test_lines_of_other_tools_and_answers_of_restored_databases_stay_on_the_host() -> None:
    assert safe_lines(UNIT, "pg_basebackup: error: secret\nStarting\n") == ()
    line = "bulwark-restore-test: query failed: Jane Doe"
    assert safe_lines("bulwark-restore-test-main.service", line) == ()
    assert safe_lines("bulwark-restore-test-main.service", "bulwark-backup: x") == ()
    assert len(safe_lines(UNIT, "\n".join(f"bulwark-backup: {number}" for number in range(9)))) == 3
    assert len(safe_lines(UNIT, "bulwark-backup: " + "x" * 9999)[0]) == 300


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        (UNIT, "systemctl start bulwark-backup-main.service"),
        ("bulwark-backup-main-collect.service", "not carried into the store"),
        ("bulwark-backup-main-heartbeat.service", "idle server"),
        ("bulwark-restore-test-shop.service", "/var/lib/bulwark/restore-test/shop/status.json"),
        ("bulwark-restore-test-shop-pull.service", "/var/lib/bulwark/restore-test/shop/status.json"),
        ("bulwark-backup-metrics.service", "journalctl -u bulwark-backup-metrics.service"),
    ],
)
def test_a_notice_says_what_to_do(unit: str, says: str) -> None:
    failure = Failure(unit, "pg1", "exit-code", "1", render_moment(NOW), ("bulwark-backup: x",))
    assert says in what_to_do(unit)
    assert what_to_do(unit) in render_text(failure)
    document = render_document(failure)
    assert document["unit"] == unit
    assert "pg1" in document["text"]


def test_copies_are_told_of_by_what_the_last_look_of_each_kind_left() -> None:
    """What a look at every byte found is not undone by one at sizes alone, which comes each hour."""
    units = {"bulwark-copies-shop.service": False, "bulwark-copies-shop-deep.service": True}
    deep = Look(NOW - 9000, "x: its SHA-256 differs", 1)
    found = samples(render_copies(MeasuredCopies("shop", NOW, NOW - 90_000, True, Look(NOW - 60, "", 0), deep, units)))
    assert {name.partition("{")[0] for name in found} == set(COPIES_METRICS)
    for name, expected in (
        ("last_success_timestamp_seconds", NOW - 60),
        ("last_deep_success_timestamp_seconds", NOW - 9000),
        ("failing", 1),
        ("damaged_items", 1),
    ):
        assert found[f'bulwark_copies_{name}{{source="shop"}}'] == expected
    never = samples(render_copies(MeasuredCopies("shop", NOW, NOW - 900, False)))
    assert never['bulwark_copies_last_success_timestamp_seconds{source="shop"}'] == 0
    assert never['bulwark_copies_readable{source="shop"}'] == 0


def test_a_look_at_copies_is_read_as_it_was_written_and_keeps_the_last_success() -> None:
    good = NEVER_LOOKED.followed_by(NOW, [], 0)
    bad = good.followed_by(NOW + 3600, ["late", "damaged"], 1)
    assert (good, bad) == (Look(NOW, "", 0), Look(NOW, "late", 1))
    assert parse_look(render_look(bad)) == bad
    assert look_file("shop", deep=False) != look_file("shop", deep=True)
    for text in ("", "[]", "{}", '{"last_success": null, "error": "", "damaged": 0}'):
        with pytest.raises(ValueError, match=r"."):
            parse_look(text)


MAIL = Mail("mail.example.org", 587, "starttls", "backups@example.org", ("a@example.org",), has_login=True)
MONITOR = Monitor(
    metrics_folder="/var/lib/prometheus/node-exporter",
    jobs=("main",),
    restore_tests=("pg",),
    copies=("shop",),
    certificates=("/etc/x.crt",),
    mail=MAIL,
    webhook=True,
    ping=True,
    ca_file="",
    repeat_seconds=3600,
    timeout_seconds=15,
)
SECRETS = {"mail_login": Secret("hush-mail"), WEBHOOK_URL: Secret("hush-hook"), PING_URL: Secret("hush-ping")}


@pytest.mark.parametrize("monitor", [MONITOR, dataclasses.replace(MONITOR, mail=None, jobs=(), webhook=False)])
def test_what_is_declared_is_read_as_it_was_written(monitor: Monitor) -> None:
    assert parse_monitor(render_monitor(monitor), where="x") == monitor


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"tls": "none"}, "in clear"),
        ({"relay": "a b"}, "no name of a host"),
        ({"port": 0}, "port"),
        ({"recipients": ()}, "no recipients"),
        ({"recipients": ("a@example.org\nBcc: b@example.org",)}, "no address"),
    ],
)
def test_mail_that_can_not_be_sent_safely_is_refused(changes: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint):
        check_mail(dataclasses.replace(MAIL, **changes))
    assert check_mail(MAIL) == MAIL
    assert check_mail(dataclasses.replace(MAIL, tls="none", relay="localhost")).tls == "none"


@pytest.mark.parametrize("url", ["http://x/secret", "https://user:secret@x/", "https://x/a secret", "secret"])
def test_addresses_that_would_give_their_secret_away_are_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InvalidDeclaration) as error:
        check_url("webhook_url", url)
    assert "secret" not in str(error.value)


def test_one_ping_for_several_jobs_would_hide_one_that_fails() -> None:
    check_ping_url("https://x/{job}", ["a", "b"])
    check_ping_url("https://x/a", ["a"])
    with pytest.raises(InvalidDeclaration, match="would hide"):
        check_ping_url("https://x/a", ["a", "b"])


def texts(monitor: Monitor = MONITOR, secrets: t.Mapping[str, Secret] | None = None) -> dict[str, str]:
    deployment = Deployment(monitor, SECRETS if secrets is None else secrets)
    return {item.path: item.data.decode() for item in files_of(deployment, b"program")}


def test_secrets_stand_in_their_own_files_alone() -> None:
    for item in files_of(Deployment(MONITOR, SECRETS), b"program"):
        if b"hush" in item.data:
            assert item.path.startswith(f"{CONFIGURATION}/")
            assert (item.owner, item.mode) == ("root", 0o600)
    assert sum("hush" in text for text in texts().values()) == 3


def test_failures_and_successes_hang_on_drop_ins() -> None:
    found = texts()
    of_full = found[f"/etc/systemd/system/{UNIT}.d/{DROP_IN}"]
    assert "OnFailure=bulwark-backup-notify@%n.service\nOnSuccess=bulwark-backup-ping@%n.service\n" in of_full
    for unit in (
        "bulwark-backup-main-collect",
        "bulwark-restore-test-pg",
        "bulwark-restore-test-pg-pull",
        "bulwark-copies-shop",
        "bulwark-copies-shop-deep",
    ):
        assert (
            "OnFailure=bulwark-backup-notify@%n.service\n" in found[f"/etc/systemd/system/{unit}.service.d/{DROP_IN}"]
        )
        assert "OnSuccess" not in found[f"/etc/systemd/system/{unit}.service.d/{DROP_IN}"]
    quiet = texts(dataclasses.replace(MONITOR, mail=None, webhook=False, ping=False), {})
    assert not any(DROP_IN in path or "notify" in path or "ping" in path for path in quiet)


def test_a_plan_applied_twice_is_empty_and_all_of_it_can_go() -> None:
    deployment = Deployment(MONITOR, SECRETS)
    plan = plan_present(deployment, b"program", {}, {})
    assert plan
    assert "hush" not in repr(plan.diff()) + repr(plan.summaries())
    there: dict[str, Item] = {
        change.payload[1].path: change.payload[1] for change in plan if change.payload[0] == "put"
    }
    timers = {TIMER: ObservedTimer(True, True, False)}
    assert not plan_present(deployment, b"program", there, timers)
    assert plan_present(deployment, b"program", there, {})
    assert plan_present(deployment, b"other", there, timers)
    fewer = plan_present(Deployment(dataclasses.replace(MONITOR, ping=False), {}), b"program", there, timers)
    gone = {change.payload[1] for change in fewer if change.payload[0] == "remove"}
    assert f"{CONFIGURATION}/{PING_URL}" in gone
    assert "/etc/systemd/system/bulwark-backup-ping@.service" in gone
    absent = {change.payload[1] for change in plan_absent(there, timers) if change.payload[0] == "remove"}
    assert absent == {path for path, item in there.items() if item.kind == FILE}


def test_a_node_that_left_the_backup_to_another_is_neither_stale_nor_failing() -> None:
    aside = Run("full", render_moment(NOW - 30), render_moment(NOW - 10), 20, "aside")
    found = samples(render_backup(measured(history=(run("full", NOW - 90000), aside), figures=None)))
    label = '{backup="main"}'
    assert found[f"bulwark_backup_last_success_timestamp_seconds{label}"] == NOW - 10
    assert found[f"bulwark_backup_stood_aside_timestamp_seconds{label}"] == NOW - 10
    assert found[f"bulwark_backup_last_failure_timestamp_seconds{label}"] == 0
    assert found['bulwark_backup_failing{backup="main",command="full"}'] == 0
    assert found['bulwark_backup_info{backup="main",engine="postgresql",point_in_time="true"}'] == 1
