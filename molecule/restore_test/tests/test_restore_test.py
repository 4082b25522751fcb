# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore tests as a timer starts them: what can be restored is proven, what can't be is told, nothing stays behind."""

from __future__ import annotations

import hashlib
import sys
import typing as t
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from restoring_hosts import (
    ACCOUNT,
    ALERTS,
    HOST,
    KEYS,
    MARIADB,
    OF_MARIADB,
    OF_PGBACKREST,
    OF_POSTGRESQL,
    PGBACKREST,
    POSTGRESQL,
    SCENARIO,
    SCRATCH,
    Machine,
    RestoreTest,
    playbook,
    processes_of_account,
    psql,
    wait_until,
)


@pytest.fixture(scope="module", autouse=True)
def sources() -> None:
    """Two full backups of PostgreSQL with load before, between and after them, one of MariaDB; all carried over.

    The first one, of the deployment, goes: in its time the table was empty, and the test's queries want a row.
    """
    load(1)
    first = POSTGRESQL.output("ls /var/backups/bulwark/main/full")
    POSTGRESQL.output("systemctl start bulwark-backup-main.service")
    POSTGRESQL.output(f"rm -r /var/backups/bulwark/main/full/{first}")
    load(61)
    POSTGRESQL.output("systemctl start bulwark-backup-main.service")
    load(121)
    segment = psql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(
        lambda: POSTGRESQL.run(f"test -e /var/backups/bulwark/main/log/{segment}.json").rc == 0, f"{segment} stored"
    )
    OF_POSTGRESQL.fill(POSTGRESQL)
    OF_MARIADB.fill(MARIADB)


@pytest.fixture(scope="module", autouse=True)
def repository() -> None:
    """The set of the deployment, and one that builds upon it, with load before and after that; carried over."""
    load(1, PGBACKREST)
    PGBACKREST.output("systemctl start bulwark-backup-main-between.service")
    load(61, PGBACKREST)
    segment = psql("SELECT pg_walfile_name(pg_switch_wal())", PGBACKREST)
    archived = f"SELECT last_archived_wal >= '{segment}' FROM pg_stat_archiver"
    wait_until(lambda: psql(archived, PGBACKREST) == "t", f"{segment} archived")
    OF_PGBACKREST.fill(PGBACKREST)


def load(first: int, machine: Machine = POSTGRESQL) -> None:
    """Sixty rows in six seconds, each committed by itself."""
    statements = " ".join(
        f"-c 'INSERT INTO written VALUES ({number})' -c 'SELECT pg_sleep(0.1)'" for number in range(first, first + 60)
    )
    machine.output(f"cd / && runuser -u postgres -- psql -XAtq -d shop {statements}")


def answers(record: dict[str, t.Any]) -> dict[str, int]:
    """What the user's queries found."""
    return {
        check["name"].removeprefix("query "): int(check["detail"].split(",")[0])
        for check in record["checks"]
        if check["name"].startswith("query ")
    }


def assert_nothing_is_left() -> None:
    assert HOST.output(f"ls -A {SCRATCH}") == ""
    assert processes_of_account() == ""
    assert HOST.run("ls /var/lib/bulwark/restore-test/*/running.json").stdout == ""


def assert_it_fails(test: RestoreTest, complaint: str) -> dict[str, t.Any]:
    """Loudly: the unit, who is told, the signed record, the status; and nothing stays."""
    HOST.run(f"rm -f {ALERTS}")
    before = test.records()
    assert test.run().rc != 0, test.journal()
    assert HOST.output(f"systemctl show --value --property=ActiveState {test.unit}") == "failed"
    wait_until(lambda: test.unit in HOST.run(f"cat {ALERTS}").stdout, "the unit that tells of failures")
    (new,) = set(test.records()) - set(before)
    record = test.record(new)
    assert record["outcome"] == "failure"
    assert complaint in record["error"], record["error"]
    assert test.verify(new)
    assert test.status()["last_error"] == record["error"]
    assert_nothing_is_left()
    return record


@pytest.mark.parametrize(("test", "machine"), [(OF_POSTGRESQL, POSTGRESQL), (OF_PGBACKREST, PGBACKREST)])
def test_random_moments_are_restored_with_exactly_the_rows_committed_by_then(
    test: RestoreTest, machine: Machine
) -> None:
    with test.changed(with_older=True):
        for dummy in range(2):
            before = set(test.records())
            assert test.run().rc == 0, test.journal()
            new = set(test.records()) - before
            assert len({test.record(path)["backup"]["id"] for path in new}) == 2
            for path in new:
                assert_the_rows_are_those_of_the_moment(test.record(path), machine)
    assert_nothing_is_left()


def assert_the_rows_are_those_of_the_moment(record: dict[str, t.Any], machine: Machine) -> None:
    assert record["outcome"] == "success", record
    moment = record["moment"].replace("Z", "+00")
    expected = psql(
        "SELECT count(*), coalesce(sum(number), 0), coalesce(max(number), 0) FROM written"
        f" WHERE pg_xact_commit_timestamp(xmin) <= '{moment}'",
        machine,
    )
    found = answers(record)
    assert f"{found['count']}|{found['sum']}|{found['newest']}" == expected, record
    newest = record["newest_transaction"]  # empty if none came after the set
    assert not newest or newest[:19] + "Z" <= record["moment"]
    assert 0 < record["recovery_seconds"] < record["rto_seconds"]
    assert 0 <= record["data_loss_seconds"] < record["rpo_seconds"]
    names = [check["name"] for check in record["checks"]]
    assert "pg_amcheck" in names
    assert "rows of shop" in names


def test_mariadb_is_restored_and_checked_in_memory_alone() -> None:
    assert OF_MARIADB.run().rc == 0, OF_MARIADB.journal()
    record = OF_MARIADB.record()
    assert record["outcome"] == "success"
    assert answers(record) == {"count": 1000}
    assert {check["name"]: check["detail"] for check in record["checks"]}["mariadb-check"] == "no damage found"
    assert OF_MARIADB.status()["last_success"] == record["finished"]
    assert OF_MARIADB.status()["last_error"] is None
    assert_nothing_is_left()


def test_a_record_that_is_changed_or_taken_away_is_found_out() -> None:
    paths = OF_POSTGRESQL.records()
    assert all(OF_POSTGRESQL.verify(path) for path in paths)
    HOST.output(f"cp -p {paths[-1]} /root/changed.json && cp -p {paths[-1]}.sig /root/changed.json.sig")
    assert OF_POSTGRESQL.verify("/root/changed.json")
    HOST.output('sed -i \'s/"recovery_seconds": [0-9]/"recovery_seconds": 0/\' /root/changed.json')
    assert not OF_POSTGRESQL.verify("/root/changed.json")
    texts = [HOST.run(f"cat {path}").stdout for path in paths]
    chain = ["", *(hashlib.sha256(text.encode()).hexdigest() for text in texts)]
    assert [OF_POSTGRESQL.record(path)["previous_sha256"] for path in paths] == chain[:-1]


BASE = "$(ls -d full/*Z | tail -n 1)/base.tar.zst.age"
DAMAGES = [
    (f"printf x | dd of={BASE} bs=1 seek=5000 conv=notrunc status=none", "damaged"),
    (f"truncate --size=-1 {BASE}", "bytes"),
    ("rm $(ls log/*.age | tail -n 1)", "can't read"),
    ("set -- $(ls log/*.age | tail -n 2 | head -n 1); rm $1 ${1%.zst.age}.json", "gap of 1 segments"),
    ("printf x | dd of=$(ls log/*.age | tail -n 1) bs=1 seek=900 conv=notrunc status=none", "damaged"),
    ("sed -i s/consistent_from/consistent_form/ $(ls -d full/*Z | tail -n 1)/manifest.json", "manifest.json"),
    ("rm -r full/*", "no full backup"),
    ("rm RESTORE.txt", "RESTORE.txt"),
]


@pytest.mark.parametrize(("command", "complaint"), DAMAGES, ids=[damage[0][:50] for damage in DAMAGES])
def test_a_source_that_is_not_as_it_was_written_fails_loudly(command: str, complaint: str) -> None:
    with OF_POSTGRESQL.damaged(command):
        assert_it_fails(OF_POSTGRESQL, complaint)


LARGEST = "$(ls -S repository/backup/main/*I/pg_data/base/*/*.zst | head -n 1)"


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (f"printf x | dd of={LARGEST} bs=1 seek=40 conv=notrunc status=none", "RESTORE.txt failed"),
        ("rm $(ls repository/archive/main/*/*/*.zst | tail -n 2 | head -n 1)", "gap of 1 segments"),
        ("rm passphrase.age", "can't open"),
        ("rm -r repository", "no full backup"),
    ],
)
def test_a_damaged_repository_of_pgbackrest_fails_loudly(command: str, complaint: str) -> None:
    with OF_PGBACKREST.damaged(command):
        assert_it_fails(OF_PGBACKREST, complaint)


def test_a_damaged_backup_of_mariadb_fails_loudly() -> None:
    with OF_MARIADB.damaged("printf x | dd of=$(ls full/*/*.age) bs=1 seek=5000 conv=notrunc status=none"):
        assert_it_fails(OF_MARIADB, "RESTORE.txt failed")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"identity": f"{KEYS}/other.txt"}, "no identity matched"),
        ({"queries": [{"name": "q", "database": "shop", "query": "SELECT 4", "minimum": "5"}]}, "5 is the least"),
        ({"queries": [{"name": "q", "database": "shop", "query": "SELECT 1/0", "minimum": "1"}]}, "division by zero"),
        ({"rpo_seconds": 1}, "would be lost"),
        ({"signing_key": f"{KEYS}/none"}, "can't be signed"),
    ],
)
def test_what_the_test_asks_for_and_does_not_get_fails_loudly(changes: dict[str, t.Any], complaint: str) -> None:
    HOST.output(f"test -e {KEYS}/other.txt || age-keygen -o {KEYS}/other.txt; chown {ACCOUNT} {KEYS}/other.txt")
    with OF_POSTGRESQL.changed(**changes):
        if "signing_key" in changes:
            assert OF_POSTGRESQL.run().rc != 0
            assert complaint in OF_POSTGRESQL.status()["last_error"]
            assert_nothing_is_left()
            HOST.output(f"rm {OF_POSTGRESQL.records()[-1]}")
        else:
            assert_it_fails(OF_POSTGRESQL, complaint)


def test_a_recovery_that_takes_longer_than_it_may_fails_loudly() -> None:
    """One by pgBackRest takes more than a second: it has each of a thousand files written to the disk."""
    with OF_PGBACKREST.changed(rto_seconds=1):
        record = assert_it_fails(OF_PGBACKREST, "the recovery took too long")
    assert record["recovery_seconds"] > 1


def test_commands_that_somebody_put_into_the_source_are_not_run() -> None:
    """With a checksum that is right: what is run is what this version of the collection writes, and nothing else."""
    forge = (
        "import hashlib, sys; text = open('RESTORE.txt').read(); mark = '\\nSHA-256 of the lines above: ';"
        " body = text.partition(mark)[0].replace('## 2', '    touch /var/lib/bulwark/restore-test/pg/owned\\n\\n## 2');"
        " open('RESTORE.txt', 'w').write(body + mark + hashlib.sha256(body.encode()).hexdigest() + '\\n')"
    )
    with OF_POSTGRESQL.damaged(f'python3 -c "{forge}"'):
        assert_it_fails(OF_POSTGRESQL, "its commands were not run")
    assert HOST.run("test -e /var/lib/bulwark/restore-test/pg/owned").rc != 0


@pytest.mark.parametrize(("test", "victim"), [(OF_POSTGRESQL, "main"), (OF_POSTGRESQL, "all"), (OF_PGBACKREST, "main")])
def test_a_run_that_is_killed_leaves_a_record_and_nothing_else(test: RestoreTest, victim: str) -> None:
    before = test.records()
    HOST.output(f"systemctl start --no-block {test.unit}")
    wait_until(lambda: HOST.run(f"ls {SCRATCH}/restored-*/data/base").rc == 0, "a restore under way")
    HOST.output(f"systemctl kill --signal=KILL --kill-whom={victim} {test.unit}")
    is_over = f"systemctl show --value --property=ActiveState {test.unit} | grep -qx failed"
    wait_until(lambda: HOST.run(is_over).rc == 0, "the end of the run")
    (new,) = set(test.records()) - set(before)
    assert "ended from outside" in test.record(new)["error"]
    assert test.verify(new)
    assert_nothing_is_left()


def test_the_service_has_no_network_and_nobody_else_can_read_the_keys() -> None:
    shown = HOST.output(f"systemctl show --property=PrivateNetwork,User,NoNewPrivileges {OF_POSTGRESQL.unit}")
    assert set(shown.split()) == {"PrivateNetwork=yes", f"User={ACCOUNT}", "NoNewPrivileges=yes"}
    for key in ("identity.txt", "signing_key"):
        assert HOST.output(f"stat --format='%U %a' {KEYS}/{key}") == f"{ACCOUNT} 600"
    assert HOST.output(f"getent passwd {ACCOUNT}").endswith(":/usr/sbin/nologin")
    assert HOST.output("systemctl list-timers --no-legend 'bulwark-restore-test-*' | wc -l") == "3"


def test_the_next_run_of_the_role_changes_nothing() -> None:
    for flags in ((), ("--check",)):
        done = playbook(SCENARIO / "converge.yml", "--limit", HOST.name, *flags)
        assert done.returncode == 0, done.stdout
        assert "changed=0 " in done.stdout, done.stdout
