# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job files, manifests, evidence, the history and RESTORE.txt."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_evidence import (
    StageEnd,
    compressed_bytes,
    judge_completion,
    judge_size,
    judge_statuses,
    mariadb_position,
    postgresql_position,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import (
    parse_job,
    refuse_tablespaces,
    refuse_too_few_senders,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import (
    Contents,
    parse_manifest,
    parse_sidecar,
    render_manifest,
    render_sidecar,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_restore_text import (
    command_blocks,
    is_as_rendered,
    render_restore_text,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_status import (
    Run,
    add_run,
    describe,
    parse_history_file,
    render_history_file,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from sample_backups import full, history, segment

KEYS = [f"age1{'q' * 57}{last}" for last in "pz"]
POSTGRESQL: dict[str, t.Any] = {
    "format": 1,
    "name": "main",
    "engine": "postgresql",
    "store": "/var/backups/bulwark/main",
    "state": "/var/lib/bulwark/backup/main",
    "incoming": "/var/lib/bulwark/incoming/main",
    "recipients": KEYS,
    "keep_days": 7,
    "compression_level": 1,
    "deadline_seconds": 21600,
    "minimum_free_percent": 10,
    "smallest_share": 0.5,
    "server": {
        "socket": "/var/run/postgresql",
        "port": 5432,
        "user": "bulwark-backup",
        "binaries": "/usr/lib/postgresql/15/bin",
        "data_directory": "/var/lib/postgresql/15/main",
    },
}
MARIADB = {
    **{key: value for key, value in POSTGRESQL.items() if key != "incoming"},
    "engine": "mariadb",
    "server": {
        "socket": "/run/mysqld/mysqld.sock",
        "user": "bulwark-backup",
        "defaults_file": "/etc/mysql/my.cnf",
        "datadir": "/var/lib/mysql",
    },
}


FINGERPRINTS = ["A" * 40, "B" * 40]
BY_GNUPG = {
    **POSTGRESQL,
    "sealing": "gnupg",
    "recipients": FINGERPRINTS,
    "recipient_keys": "/etc/bulwark/backup/main.recipients",
    "recipients_expire": {FINGERPRINTS[0]: "2027-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("entry", [POSTGRESQL, MARIADB])
def test_a_job_file_of_either_engine_is_read(entry: dict[str, t.Any]) -> None:
    job = parse_job(json.dumps(entry))
    assert (job.name, job.engine, job.recipients) == ("main", entry["engine"], tuple(KEYS))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 2}, "has format 2"),
        ({"name": "../x"}, "name"),
        ({"engine": "oracle"}, "engine"),
        ({"store": "relative"}, "store"),
        ({"store": "/a/../b"}, "store"),
        ({"store": "/a\nb"}, "store"),
        ({"incoming": None}, "lacks incoming"),
        ({"recipients": KEYS[:1]}, "at least 2"),
        ({"recipients": [KEYS[0], KEYS[0]]}, "at least 2"),
        ({"recipients": [*KEYS, "AGE-SECRET-KEY-1"]}, "no public key of age"),
        ({"keep_days": 0}, "keep_days"),
        ({"keep_days": True}, "keep_days"),
        ({"smallest_share": 2}, "smallest_share"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"sealing": "zip"}, "sealing"),
        ({"sealing": "gnupg", "recipient_keys": "/k"}, "no fingerprint of OpenPGP"),
        ({**BY_GNUPG, "recipient_keys": None}, "lacks recipient_keys"),
        ({**BY_GNUPG, "recipients": FINGERPRINTS[:1]}, "at least 2"),
        ({**BY_GNUPG, "recipients": [*FINGERPRINTS, "AGE-SECRET-KEY-1"]}, "no fingerprint of OpenPGP"),
        ({**BY_GNUPG, "recipients": [*FINGERPRINTS, KEYS[0]]}, "no fingerprint of OpenPGP"),
        ({**BY_GNUPG, "recipients_expire": {FINGERPRINTS[0]: "soon"}}, "no moment"),
        ({"server": {}}, "lacks user"),
        ({"server": {**POSTGRESQL["server"], "user": "a b"}}, "user"),
    ],
)
def test_a_job_file_with_a_mistake_is_refused_by_name(change: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(InvalidDeclaration) as error:
        parse_job(json.dumps({**POSTGRESQL, **change}))
    assert complaint in str(error.value)
    assert "AGE-SECRET-KEY" not in str(error.value)


def test_a_job_that_gnupg_seals_is_read_with_its_keys() -> None:
    job = parse_job(json.dumps(BY_GNUPG))
    assert (job.sealing, job.recipients) == ("gnupg", tuple(FINGERPRINTS))
    assert job.recipient_keys == "/etc/bulwark/backup/main.recipients"
    assert job.recipients_expire == {FINGERPRINTS[0]: "2027-01-01T00:00:00Z"}
    assert parse_job(json.dumps(POSTGRESQL)).sealing == "age"


@pytest.mark.parametrize("tool", ["age", "gnupg"])
def test_a_manifest_and_a_sidecar_say_what_seals_them(tool: str) -> None:
    manifest = full(10**9, sealing=tool)
    assert parse_manifest(render_manifest(manifest), where="it") == manifest
    sidecar = segment(7, 10**9, sealing=tool)
    assert parse_sidecar(render_sidecar(sidecar), where="it") == sidecar
    ending = {"age": ".zst.age", "gnupg": ".zst.gpg"}[tool]
    assert [file.name for file in manifest.files] == [f"base.tar{ending}"]
    assert sidecar.file == f"{sidecar.name}{ending}"
    # what was written before there was another tool stays valid
    assert ("sealing" in render_sidecar(sidecar)) is (tool == "gnupg")


def test_a_server_that_sealed_backups_can_not_hold_is_refused_at_deployment() -> None:
    refuse_tablespaces([])
    refuse_too_few_senders(1)
    with pytest.raises(InvalidDeclaration, match="tablespaces of its own \\(a, b\\)"):
        refuse_tablespaces(["b", "a"])
    with pytest.raises(InvalidDeclaration, match="max_wal_senders is 0"):
        refuse_too_few_senders(0)


@given(st.integers(0), st.integers(0, 255))
def test_a_changed_byte_of_a_manifest_or_sidecar_is_seen(place: int, value: int) -> None:
    for text, parse in (
        (render_manifest(full(10**9)), parse_manifest),
        (render_sidecar(segment(7, 10**9)), parse_sidecar),
        (render_sidecar(segment(7, 10**9, sealing="gnupg")), parse_sidecar),
        (render_sidecar(history(2, (1, "0/3000000"))), parse_sidecar),
    ):
        parse(text, where="it")
        data = bytearray(text.encode())
        at = place % len(data)
        if data[at] == value:
            continue
        data[at] = value
        with pytest.raises(InvalidDeclaration):
            parse(data.decode("latin-1"), where="it")


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists)))
def test_whatever_lies_in_place_of_a_description_is_refused_and_nothing_worse(entry: dict[str, t.Any]) -> None:
    for parse in (parse_manifest, parse_sidecar):
        for text in (json.dumps(entry), json.dumps({"format": 1, "engine": "postgresql", **entry}), "[" * 50_000):
            with pytest.raises(InvalidDeclaration):
                parse(text, where="it")


def test_a_process_that_failed_by_itself_is_the_cause() -> None:
    ends = [StageEnd("pg_basebackup", -13, ("x",)), StageEnd("zstd", -13, ()), StageEnd("age", 1, ("no recipients",))]
    complaint = judge_statuses(ends)
    assert complaint is not None
    assert complaint.cause == "age ended with status 1: no recipients"
    assert judge_statuses([StageEnd("age", 0, ("said something",))]) is None
    killed = judge_statuses([StageEnd("zstd", -9, ())])
    assert killed is not None
    assert killed.cause == "zstd was ended by signal 9"


def test_what_age_says_last_is_no_cause() -> None:
    """As age 1.1 ends on a full file system, and on what it has no words for."""
    last = "age: report unexpected or unhelpful errors at https://filippo.io/age/report"
    full = judge_statuses([StageEnd("age", 1, ("age: error: write /dev/stdout: no space left on device", last))])
    assert full is not None
    assert full.cause == "the file system is full"
    other = judge_statuses([StageEnd("age", 1, ("age: error: something", last))])
    assert other is not None
    assert other.cause == "age ended with status 1: age: error: something"


def test_success_needs_the_tools_own_word() -> None:
    assert judge_completion("mariadb", StageEnd("mariadb-backup", 0, ("[00] 2026 completed OK!",))) is None
    assert judge_completion("mariadb", StageEnd("mariadb-backup", 0, ("[00] done",)))
    assert judge_completion("postgresql", StageEnd("pg_basebackup", 0, ()))


@pytest.mark.parametrize(
    ("size", "earlier", "plausible"),
    [
        (213, [], False),
        (50_000, [], True),
        (50_000, [100_000], True),
        (49_999, [100_000], False),
        (50_000, [10, 100_000, 10_000_000], True),
    ],
)
def test_a_size_is_judged_by_the_median_of_earlier_ones(size: int, earlier: list[int], *, plausible: bool) -> None:
    assert (judge_size(size, earlier, 0.5) is None) is plausible


@pytest.mark.parametrize(
    ("engine", "key", "value"),
    [
        ("postgresql", "timeline", "x"),
        ("postgresql", "timeline", None),
        ("postgresql", "timeline", -1),
        ("postgresql", "timeline", 2**63),
        ("postgresql", "start_lsn", "0/2; rm"),
        ("postgresql", "end_lsn", 7),
        ("postgresql", "end_lsn", None),
        ("postgresql", "start_wal", "../x"),
        ("postgresql", "start_wal", ["x"]),
        ("mariadb", "binlog_file", 7),
        ("mariadb", "binlog_position", "x"),
        ("mariadb", "gtid", {}),
    ],
)
def test_a_position_that_is_none_is_told_in_a_line(engine: str, key: str, value: t.Any) -> None:
    """Its checksum is right: whoever took the host over wrote it."""
    manifest = full(1000, engine=engine)
    text = render_manifest(dataclasses.replace(manifest, position={**manifest.position, key: value}))
    assert parse_manifest(render_manifest(manifest), where="m") == manifest
    with pytest.raises(InvalidDeclaration, match=r"^m: position"):
        parse_manifest(text, where="m")


def test_a_place_in_a_history_that_is_none_is_told_in_a_line() -> None:
    with pytest.raises(InvalidDeclaration, match=r"^s: 'x' is no position"):
        parse_sidecar(render_sidecar(history(2, (1, "x"))), where="s")


def test_more_bytes_than_a_disk_holds_are_no_count() -> None:
    sidecar = dataclasses.replace(segment(7, 1000), bytes=2**63)
    with pytest.raises(InvalidDeclaration, match="bytes is no count"):
        parse_sidecar(render_sidecar(sidecar), where="s")


def test_positions_are_read_from_what_the_tools_say() -> None:
    said = [
        "pg_basebackup: write-ahead log start point: 0/2000028 on timeline 3",
        "pg_basebackup: write-ahead log end point: 1/2000100",
    ]
    assert postgresql_position(said) == {"timeline": 3, "start_lsn": "0/2000028", "end_lsn": "1/2000100"}
    assert postgresql_position(said[:1]) == {}
    line = "[00] MySQL binlog position: filename 'on.000001', position '1107', GTID of the last change '0-1-5'"
    assert mariadb_position([line]) == {"binlog_file": "on.000001", "binlog_position": 1107, "gtid": "0-1-5"}
    assert mariadb_position([])["binlog_file"] is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/*stdin*\\            :100.00%   (50000001 B => 50001157 B, /*stdout*\\) ", (50000001, 50001157)),
        ("/*stdin*\\            :100.00%   (50000001 => 50001157 bytes, /*stdout*\\) ", (50000001, 50001157)),
        ("/*stdin*\\            :100.00%   (  47.7 MiB =>   47.7 MiB, /*stdout*\\) ", (0, 0)),
    ],
)
def test_what_zstd_read_and_wrote_is_known_where_it_says_so(line: str, expected: tuple[int, int]) -> None:
    assert compressed_bytes([line]) == expected


def a_run(command: str, outcome: str, *, error: str = "", number: int = 0) -> Run:
    return Run(command, "2026-11-25T00:00:00Z", f"2026-11-25T00:{number:02}:00Z", 1.0, outcome, error)


def test_collecting_every_minute_does_not_crowd_out_the_full_backups() -> None:
    runs: tuple[Run, ...] = (a_run("full", "success"),)
    for dummy in range(500):
        runs = add_run(runs, a_run("collect", "failure", error="the store is away"))
    assert len(runs) == 2
    for dummy in range(500):
        runs = add_run(runs, a_run("collect", "success"))
    assert [run.outcome for run in runs] == ["success", "failure", "success"]
    assert parse_history_file(render_history_file(runs)) == runs
    for damaged in ("{broken", "", "{}", "[1]"):
        with pytest.raises(InvalidDeclaration):
            parse_history_file(damaged)


def test_an_error_stands_until_a_success_of_the_same_command() -> None:
    def error_after(*runs: Run) -> str | None:
        found = describe(
            job=parse_job(json.dumps(BY_GNUPG)), contents=Contents((), (), ()), waiting=0, history=runs, running=False,
        )  # fmt: skip
        return t.cast("str | None", found["last_error"])

    failed = a_run("full", "failure", error="full disk", number=1)
    assert error_after(failed, a_run("collect", "success", number=2)) == "full disk"
    assert error_after(failed, a_run("full", "success", number=3)) is None


def test_a_job_tells_what_seals_it_and_when_that_ends() -> None:
    found = describe(
        job=parse_job(json.dumps(BY_GNUPG)), contents=Contents((), (), ()), waiting=0, history=(), running=False
    )
    assert (found["sealing"], found["recipients"]) == ("gnupg", FINGERPRINTS)
    assert found["recipients_expire"] == {FINGERPRINTS[0]: "2027-01-01T00:00:00Z"}


@pytest.mark.parametrize("entry", [POSTGRESQL, MARIADB])
def test_restore_txt_knows_when_it_was_changed_and_its_commands_are_shell(entry: dict[str, t.Any]) -> None:
    hostile = '/it\'s "a" $(id) `id` store'
    text = render_restore_text(parse_job(json.dumps({**entry, "store": hostile})), key_file="/etc/mysql/k'ey")
    assert is_as_rendered(text)
    for changed in (text.replace("age", "agf", 1), text[:-2], text + "\n", ""):
        assert not is_as_rendered(changed)
    script = "\n".join(command_blocks(text).values())
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    store = subprocess.run(
        ["sh"],
        input=script.partition("IDENTITY=")[0] + 'printf %s "$STORE"',
        text=True,
        check=True,
        capture_output=True,
    )
    assert store.stdout == hostile
