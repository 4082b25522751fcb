# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by pgBackRest on a hardened host, as its timers make them."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import testinfra

if t.TYPE_CHECKING:
    from testinfra.backend.base import CommandResult

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts
from on_hosts import commands_of

HOST = "molecule-pgbackrest"
SCENARIO = Path(__file__).resolve().parent.parent
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
KEYS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys"
STORE = "/var/backups/bulwark/main"
FOLDER = "/etc/bulwark/backup/main.pgbackrest"
UNIT = "bulwark-backup-main.service"
REPOSITORY = "bulwark-backup-main-repository.service"
ALERTS = "/run/molecule-alerts"
MARKER = "f1ndme-Bulwark-marker"
PATIENCE_SECONDS = 240
ROUTINES = (
    "pg_backup_start(text,boolean)",
    "pg_backup_stop(boolean)",
    "pg_switch_wal()",
    "pg_create_restore_point(text)",
)
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=1)
converge = functools.partial(on_hosts.converge, SCENARIO)


def run(command: str) -> CommandResult:
    return testinfra.get_host(f"podman://{HOST}").run(command)


def output(command: str) -> str:
    done = run(command)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def sql(statement: str, *, database: str = "shop") -> str:
    psql = f"cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d {database}"
    return output(f"{psql} -c {shlex.quote(statement)}")


def info() -> dict[str, t.Any]:
    found = on_hosts.module(HOST, "backup_info", {})
    assert not found.get("failed"), found
    return found


def archived(name: str) -> bool:
    return sql(f"SELECT coalesce(max(last_archived_wal), '') >= '{name}' FROM pg_stat_archiver") == "t"


def switch() -> None:
    name = sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(lambda: archived(name), f"{name} is archived")


def test_the_first_backup_is_there_and_the_next_ones_are_due() -> None:
    found = info()
    backup = found["backup"]
    assert [backup["engine"], backup["last_error"], backup["damaged"], backup["gaps"]] == ["pgbackrest", None, [], []]
    assert backup["fulls"][0]["id"].endswith("F")
    assert found["next_run"].endswith("00:00:00 UTC")
    between = output("systemctl show --value --property=TimersCalendar bulwark-backup-main-between.timer")
    assert all(f"{hour}:00:00 UTC" in between for hour in ("06", "12", "18"))
    assert output(f"systemctl is-active {REPOSITORY}") == "active"


def test_a_full_and_an_incremental_set_come_of_their_services() -> None:
    before = {one["id"] for one in info()["backup"]["fulls"]}
    assert run(f"systemctl start {UNIT}").rc == 0, output("journalctl -b --output=cat -n 30")
    sql("INSERT INTO written SELECT max(number) + 1 FROM written")
    assert run("systemctl start bulwark-backup-main-between.service").rc == 0, output(
        "journalctl -b --output=cat -n 30"
    )
    new = [one["id"] for one in info()["backup"]["fulls"] if one["id"] not in before]
    assert [label[-1] for label in new] == ["F", "I"]
    assert run("systemctl start bulwark-backup-main-verify.service").rc == 0, output("journalctl -b --output=cat -n 30")


def test_the_log_goes_on_whatever_happens_to_the_service_of_the_repository() -> None:
    switch()
    output(f"systemctl kill --signal=SIGKILL {REPOSITORY}")
    sql("INSERT INTO written SELECT max(number) + 1 FROM written")
    switch()
    assert output(f"systemctl is-active {REPOSITORY}") == "active"
    assert info()["backup"]["gaps"] == []


def test_the_repository_is_for_this_host_and_the_account_of_the_backup_alone() -> None:
    listening = output("ss -Hltn sport = :8432")
    assert [line.split()[3] for line in listening.splitlines()] == ["127.0.0.1:8432"]
    for path in (f"{STORE}/repository", f"{FOLDER}/secret/passphrase.conf", f"{FOLDER}/server.key"):
        assert run(f"runuser -u postgres -- test -r {path}").rc != 0, path
    assert run(f"runuser -u nobody -- test -r {FOLDER}/client.key").rc != 0
    opened = output(f"find {STORE} -not -type l '(' -perm /077 -o -not -user bulwark-backup ')'")
    assert opened == ""


def test_nothing_stored_can_be_read_without_the_passphrase_and_that_only_by_its_recipients() -> None:
    switch()
    assert run(f"grep -raq {MARKER} {STORE}").rc == 1
    secret = output(f"sed -n 's/^repo1-cipher-pass=//p' {FOLDER}/secret/passphrase.conf")
    assert len(secret) == 64
    assert run(f"grep -raqF {secret} {STORE} /etc/systemd /var/log/postgresql").rc == 1
    assert secret not in output("ps -eo args; journalctl -b --output=cat")
    assert output(f"head -n 1 {STORE}/passphrase.age") == "-----BEGIN AGE ENCRYPTED FILE-----"


@pytest.fixture
def a_copy() -> t.Iterator[str]:
    """What somebody has who holds the store and an identity, and none of our software."""
    folder = "/var/tmp/restore"
    output(f"install -d -m 0700 {folder} && cp -a {STORE} {folder}/store")
    subprocess.run(["podman", "cp", str(KEYS / "restore.txt"), f"{HOST}:{folder}/identity.txt"], check=True)
    output(f"chown -R postgres {folder}")
    yield folder
    run(f"runuser -u postgres -- sh -c '/usr/lib/postgresql/*/bin/pg_ctl stop -m immediate -D {folder}/data'")
    output(f"rm -r {folder}")


def test_restore_txt_alone_brings_everything_back_up_to_a_moment(a_copy: str) -> None:
    sql("INSERT INTO written VALUES (100001)")
    time.sleep(1.1)
    moment = sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    time.sleep(1.1)
    sql("INSERT INTO written VALUES (100002)")
    time.sleep(2.2)
    switch()
    output(f"cp -a {STORE}/. {a_copy}/store && chown -R postgres {a_copy}/store")
    values = {
        "STORE": f"{a_copy}/store",
        "IDENTITY": f"{a_copy}/identity.txt",
        "DATA": f"{a_copy}/data",
        "MOMENT": moment,
    }
    script = commands_of(output(f"cat {STORE}/RESTORE.txt"), **values)
    rows = '"$BINARIES/psql" -XAt -h "$DATA" -p 5432 -d shop -c '
    script += rows + "'SELECT max(number) FROM written'\n" + rows + "'SELECT text FROM placed'\n"
    done = run(f"cd / && runuser -u postgres -- sh -c {shlex.quote(script)}")
    assert done.rc == 0, done.stdout + done.stderr
    assert done.stdout.split()[-2:] == ["100001", MARKER], done.stdout


RIGHTS = (
    "EXECUTE ON FUNCTION pg_backup_start(text,boolean)",
    "EXECUTE ON FUNCTION pg_backup_stop(boolean)",
    "CONNECT ON DATABASE postgres",
    "pg_read_all_settings",
)


@pytest.mark.parametrize("right", RIGHTS)
def test_without_any_right_of_the_account_there_is_no_backup_and_somebody_is_told(right: str) -> None:
    """Two more, pg_switch_wal and pg_create_restore_point, it takes only where a segment was just begun."""
    run(f"rm -f {ALERTS}")
    good = {one["id"] for one in info()["backup"]["fulls"]}
    sql(f'REVOKE {right} FROM "bulwark-backup"', database="postgres")
    try:
        assert run(f"systemctl start {UNIT}").rc != 0
    finally:
        sql(f'GRANT {right} TO "bulwark-backup"', database="postgres")
    found = info()["backup"]
    assert "denied" in found["last_error"] or "unable" in found["last_error"], found["last_error"]
    assert {one["id"] for one in found["fulls"]} == good
    wait_until(lambda: UNIT in run(f"cat {ALERTS}").stdout, "somebody is told")


def test_the_account_has_no_other_right() -> None:
    role = "SELECT rolname FROM pg_roles WHERE oid"
    account = "(SELECT oid FROM pg_roles WHERE rolname = 'bulwark-backup')"
    assert sql(f"{role} IN (SELECT roleid FROM pg_auth_members WHERE member = {account})") == "pg_read_all_settings"
    granted = sql(
        "SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(p.proacl) AS a"
        f" WHERE a.grantee = {account} ORDER BY 1::text",
        database="postgres",
    )
    assert sorted(granted.split("\n")) == sorted(ROUTINES)
    flags = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
    assert sql(f"SELECT {flags} FROM pg_roles WHERE rolname = 'bulwark-backup'") == "f"


def test_a_lost_passphrase_is_refused_before_anything_changes() -> None:
    """A new one could not read what there is, and the log would go nowhere."""
    output(f"mv {FOLDER}/secret/passphrase.conf /root/passphrase.conf")
    try:
        done = converge()
        assert done.returncode != 0
        assert "identityofarecipient" in "".join((done.stdout + done.stderr).split())
    finally:
        output(f"mv /root/passphrase.conf {FOLDER}/secret/passphrase.conf")


def test_a_second_run_and_a_dry_one_change_nothing() -> None:
    assert run(f"systemctl start {UNIT}").rc == 0
    for flags in (("--check", "--diff"), ("--diff",)):
        done = converge(*flags)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "changed=0" in done.stdout, [line for line in done.stdout.splitlines() if "changed:" in line]
