# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups as a host's timers make them: real, by an account that can do nothing else, restorable by stock tools."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from backed_hosts import (
    ALERTS,
    BARE,
    BOTH,
    KEYS,
    MARIADB,
    PLAYBOOKS,
    POSTGRESQL,
    SCENARIO,
    STORE,
    UNIT,
    Backed,
    fingerprint,
    playbook,
    public_key,
    wait_until,
)
from on_hosts import commands_of

each = pytest.mark.parametrize("server", BOTH, ids=lambda server: server.engine)
ACCOUNT = "bulwark-backup"
LOGIN = f"`{ACCOUNT}`@localhost"


def as_account(server: Backed, command: str) -> tuple[bool, str]:
    """What the job's account is let do outside its services."""
    done = server.run(f"cd / && runuser -u {ACCOUNT} -- /bin/sh -c {shlex.quote(command)}")
    return done.rc == 0, done.stdout + done.stderr


@each
def test_the_first_backup_is_there_and_the_next_one_is_due_at_midnight(server: Backed) -> None:
    found = server.info()
    assert len(found["backup"]["fulls"]) >= 1
    assert found["timer_enabled"]
    assert found["next_run"].endswith("00:00:00 UTC")
    assert found["backup"]["recipients"] == [public_key("restore"), public_key("escrow")]
    assert found["backup"]["last_error"] is None


@each
def test_the_service_takes_a_real_backup_and_says_how_it_goes(server: Backed) -> None:
    before = set(server.ids())
    assert server.back_up().rc == 0, server.journal()
    (new,) = set(server.ids()) - before
    assert "read back" in server.journal()
    assert f"{new} is complete" in server.journal()
    assert new in [full["id"] for full in server.info()["backup"]["fulls"]]


def test_wal_reaches_the_store_without_anybody_asking() -> None:
    POSTGRESQL.sql("INSERT INTO orders VALUES (2001, 'archived')")
    segment = POSTGRESQL.sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(lambda: POSTGRESQL.run(f"test -e {STORE}/log/{segment}.json").rc == 0, f"{segment} in the store")
    assert POSTGRESQL.sql("SELECT failed_count FROM pg_stat_archiver") == "0"


def test_the_heartbeat_commits_a_transaction_on_an_idle_server() -> None:
    def next_transaction() -> int:
        return int(POSTGRESQL.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())"))

    before = next_transaction()
    POSTGRESQL.output("systemctl start bulwark-backup-main-heartbeat.service")
    assert next_transaction() > before


@each
def test_the_account_has_no_shell_no_password_and_no_further_group(server: Backed) -> None:
    account = server.output(f"getent passwd {ACCOUNT}").split(":")
    assert account[-1] == "/usr/sbin/nologin"
    assert server.output(f"getent shadow {ACCOUNT}").split(":")[1].startswith(("!", "*"))
    assert server.output(f"id --groups --name {ACCOUNT}") == ACCOUNT
    assert server.run(f"su - {ACCOUNT} -c true").rc != 0


@each
def test_the_account_reads_neither_the_data_nor_what_is_secret(server: Backed) -> None:
    data = "/var/lib/postgresql/15/main/PG_VERSION" if server is POSTGRESQL else "/var/lib/mysql/ibdata1"
    for path in (data, "/etc/shadow"):
        readable, answer = as_account(server, f"cat {path}")
        assert not readable
        assert "Permission denied" in answer
    assert not as_account(server, "touch /etc/bulwark/backup/main.json")[0]
    login = "/usr/bin/psql -d shop -c" if server is POSTGRESQL else "mariadb -e"
    let, answer = as_account(server, f"{login} 'SELECT * FROM {'' if server is POSTGRESQL else 'shop.'}orders'")
    assert not let
    assert "denied" in answer


@each
def test_other_accounts_can_not_look_into_the_store(server: Backed) -> None:
    for path in (STORE, "/var/lib/bulwark/backup/main", "/var/lib/bulwark"):
        assert server.run(f"runuser -u nobody -- ls {path}").rc != 0
    modes = server.output(f"find {STORE} -type f ! -perm 0600 -o -type d ! -perm 0700")
    assert modes == ""


@each
def test_the_service_can_write_to_its_folders_alone_and_has_no_network(server: Backed) -> None:
    """Its own sandbox, with a command of ours in it."""
    folder = f"/run/systemd/system/{UNIT}.d"
    attempt = (
        f"for path in /etc /usr/local /var/tmp/.. /var/lib {STORE}; do "
        "touch $$path/molecule-probe 2>/dev/null && echo wrote $$path; done; "
        "rm -f */molecule-probe; tail -n +3 /proc/net/dev | cut -d: -f1; grep NoNewPrivs /proc/self/status"
    )
    text = f'[Service]\nExecStart=\nExecStart=/bin/sh -c "{attempt}"\n'
    server.output(
        f"mkdir -p {folder} && printf '%s' {shlex.quote(text)} > {folder}/probe.conf && systemctl daemon-reload"
    )
    try:
        assert server.back_up().rc == 0, server.journal()
        said = server.journal().split("\n")
    finally:
        server.output(f"rm -r {folder} {STORE}/molecule-probe; systemctl daemon-reload")
    assert [line for line in said if line.startswith("wrote")] == [f"wrote {STORE}"]
    assert [line.strip() for line in said if line.strip() in ("lo", "eth0")] == ["lo"]
    assert "NoNewPrivs:\t1" in said


# What takes a right away, what gives it back, and the service that can't do without.
RIGHTS = [
    (POSTGRESQL, 'ALTER ROLE "bulwark-backup" NOREPLICATION', 'ALTER ROLE "bulwark-backup" REPLICATION', UNIT),
    (POSTGRESQL, 'ALTER ROLE "bulwark-backup" NOLOGIN', 'ALTER ROLE "bulwark-backup" LOGIN', UNIT),
    (
        POSTGRESQL,
        'REVOKE CONNECT ON DATABASE postgres FROM "bulwark-backup"',
        'GRANT CONNECT ON DATABASE postgres TO "bulwark-backup"',
        "bulwark-backup-main-heartbeat.service",
    ),
    *(
        (MARIADB, f"REVOKE {right} ON *.* FROM {LOGIN}", f"GRANT {right} ON *.* TO {LOGIN}", UNIT)
        for right in ("RELOAD", "PROCESS", "BINLOG MONITOR")
    ),
]


@pytest.mark.parametrize(("server", "take", "give", "unit"), RIGHTS, ids=[right[1][:40] for right in RIGHTS])
def test_no_right_in_the_database_is_too_many_and_a_failure_is_loud(
    server: Backed, take: str, give: str, unit: str
) -> None:
    if server is POSTGRESQL:  # on a stock server PUBLIC may connect; where it may not, the grant counts
        server.sql("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")
    server.run(f"rm -f {ALERTS}")
    before = server.ids()
    server.sql(take)
    try:
        assert server.run(f"systemctl start {unit}").rc != 0
        assert server.output(f"systemctl show --value --property=ActiveState {unit}") == "failed"
        wait_until(lambda: unit in server.run(f"cat {ALERTS}").stdout, "the unit that tells of failures")
        assert server.ids() == before
        if unit == UNIT:
            found = server.info()
            assert found["service_failed"]
            assert found["backup"]["last_error"]
    finally:
        server.sql(give)
    assert server.run(f"systemctl start {unit}").rc == 0, server.journal(unit)
    if unit == UNIT:  # what collects the logs may have missed the right, too, and runs again each minute
        wait_until(lambda: server.info()["backup"]["last_error"] is None, "no error is left")


def job_options(server: Backed, **changes: t.Any) -> dict[str, t.Any]:
    """The job as it is deployed."""
    job = json.loads(server.output("cat /etc/bulwark/backup/main.json"))
    place = {name: value for name, value in job["server"].items() if name not in ("user", "datadir")}
    place.setdefault("data_directory", job["server"].get("datadir"))
    if server is POSTGRESQL:
        place.update(unit="postgresql@15-main.service", heartbeat_database="postgres")
    keys = {"recipients": job["recipients"][:1], "escrow_recipients": job["recipients"][1:]}
    hooks = {"on_failure_units": ["molecule-alert@%n.service"]}
    return {"engine": server.engine, "server": place, **keys, **hooks, **changes}


@each
def test_what_was_changed_by_hand_is_mended_as_announced(server: Backed) -> None:
    assert not server.module("backup_job", job_options(server))["changed"]
    timer = "bulwark-backup-main.timer"
    server.output(
        f"chmod 0755 {STORE}; usermod --shell /bin/bash --append --groups adm {ACCOUNT};"
        f" systemctl disable --now {timer};"
        f" sed -i s/^Nice=.*/Nice=-20/ /etc/systemd/system/{UNIT}; systemctl daemon-reload"
    )
    announced = server.module("backup_job", job_options(server), "--check", "--diff")
    done = server.module("backup_job", job_options(server), "--diff")
    assert done["changes"] == announced["changes"]
    assert done["diff"] == announced["diff"]
    assert len(done["changes"]) == 4
    assert server.output(f"stat --format=%a {STORE}") == "700"
    assert server.output(f"getent passwd {ACCOUNT}").endswith(":/usr/sbin/nologin")
    assert server.output(f"id --groups --name {ACCOUNT}") == ACCOUNT
    assert server.output(f"systemctl is-active {timer}") == "active"
    assert server.output(f"systemctl show --value --property=Nice {UNIT}") == "10"
    assert not server.module("backup_job", job_options(server))["changed"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"escrow_recipients": []}, "escrow_recipients names nobody"),
        ({"recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q"]}, "checksum is wrong"),
        ({"sealing": "gnupg"}, "is a key of age, and the job seals by gnupg"),
        ({"store": "/var/lib/mysql/backup"}, "one within the other"),
        ({"store": "/var/lib"}, "one within the other"),
        ({"store": "backup"}, "not an absolute path"),
        ({"time_zone": "Mars/Phobos"}, "does not take the schedule"),
    ],
)
def test_what_can_not_work_is_refused_and_nothing_is_left_behind(changes: dict[str, t.Any], complaint: str) -> None:
    refused = MARIADB.module("backup_job", job_options(MARIADB, name="refused", **changes))
    assert refused["failed"]
    assert complaint in refused["msg"]
    assert MARIADB.run("ls /etc/bulwark/backup/refused.json /etc/systemd/system/bulwark-backup-refused.*").stdout == ""


def test_a_tablespace_is_refused() -> None:
    POSTGRESQL.output("install -d -o postgres -m 0700 /srv/fast")
    POSTGRESQL.sql("CREATE TABLESPACE fast LOCATION '/srv/fast'")
    try:
        refused = POSTGRESQL.module("backup_job", job_options(POSTGRESQL))
    finally:
        POSTGRESQL.sql("DROP TABLESPACE fast")
    assert refused["error"] == "RefusedForSafety"
    assert "/srv/fast" in refused["msg"]


def test_a_job_that_goes_leaves_its_backups() -> None:
    other = job_options(MARIADB, name="other")
    assert MARIADB.module("backup_job", other)["changed"]
    MARIADB.output("systemctl start bulwark-backup-other.service")
    kept = MARIADB.output("ls /var/backups/bulwark/other/full")
    gone = MARIADB.module("backup_job", {"name": "other", "state": "absent"})
    assert gone["changed"], gone
    assert MARIADB.output("systemctl list-units --all --plain --no-legend 'bulwark-backup-other*'") == ""
    assert MARIADB.run("ls /etc/bulwark/backup/other.json /etc/systemd/system/bulwark-backup-other*").stdout == ""
    assert MARIADB.output("ls /var/backups/bulwark/other/full") == kept
    assert not MARIADB.module("backup_job", {"name": "other", "state": "absent"})["changed"]
    assert MARIADB.output("systemctl is-active bulwark-backup-main.timer") == "active"


def test_an_account_that_pg_hba_rejects_is_told_with_the_line_that_is_missing() -> None:
    file = "/etc/postgresql/15/main/pg_hba.conf"
    POSTGRESQL.output(f"cp -a {file} {file}.kept && sed -i '1i local replication {ACCOUNT} reject' {file}")
    POSTGRESQL.sql("SELECT pg_reload_conf()")
    try:
        done = playbook(SCENARIO / "converge.yml", "--limit", POSTGRESQL.name)
    finally:
        POSTGRESQL.output(f"mv {file}.kept {file}")
        POSTGRESQL.sql("SELECT pg_reload_conf()")
    assert done.returncode != 0
    told = " ".join((done.stdout + done.stderr).split())
    assert "local replication bulwark-backup peer" in told, told[-3000:]
    assert "bulwark_encrypted_backup" in told


def test_archiving_goes_on_in_a_sandboxed_server() -> None:
    """The drop-in lets archive_command into the anteroom; the rest of /var/lib/bulwark stays closed to the server."""
    sandbox = {"unit": "postgresql@15-main.service", "profile": "postgresql", "allow_restart": True}
    confined = POSTGRESQL.module("service_sandbox", {**sandbox, "read_write_paths": ["/var/lib/postgresql/15/main"]})
    assert confined.get("confined"), confined
    assert not POSTGRESQL.module("backup_job", job_options(POSTGRESQL))["restart_pending"]
    before = int(POSTGRESQL.sql("SELECT archived_count FROM pg_stat_archiver"))
    POSTGRESQL.sql("INSERT INTO orders VALUES (2002, 'sandboxed')")
    POSTGRESQL.sql("SELECT pg_switch_wal()")
    wait_until(
        lambda: int(POSTGRESQL.sql("SELECT archived_count FROM pg_stat_archiver")) > before, "an archived segment"
    )
    assert POSTGRESQL.sql("SELECT failed_count FROM pg_stat_archiver") == "0"


@each
def test_a_backup_is_fetched_as_it_is_sealed(server: Backed, tmp_path: Path) -> None:
    done = playbook(PLAYBOOKS / "backup.yml", "--limit", server.name, "-e", f"backup_fetch_dir={tmp_path}")
    assert done.returncode == 0, done.stdout
    fetched = tmp_path / server.name
    newest = server.info()["backup"]["fulls"][-1]["id"]
    manifest = json.loads((fetched / "full" / newest / "manifest.json").read_text())
    for file in manifest["files"]:
        data = (fetched / "full" / newest / file["name"]).read_bytes()
        assert data.startswith(b"age-encryption.org/v1")
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
    assert (fetched / "RESTORE.txt").read_text() == server.output(f"cat {STORE}/RESTORE.txt") + "\n"
    assert list(fetched.glob("log/*.zst.age"))
    assert server.run("ls -d /var/tmp/bulwark-fetch-*").stdout == ""


def wait_until_the_log_is_stored(server: Backed) -> None:
    """All that was written so far; the server's timers do it."""
    if server is POSTGRESQL:
        name = server.sql("SELECT pg_walfile_name(pg_switch_wal())")
    else:
        name = f"*-{server.sql('SHOW MASTER STATUS').split()[0].rpartition('.')[2]}"
    wait_until(lambda: server.run(f"ls {STORE}/log/{name}.json").rc == 0, f"{name} in the store")


def test_binary_logs_are_followed_and_reach_the_store_without_anybody_asking() -> None:
    stream = "bulwark-backup-main-stream.service"
    MARIADB.sql("INSERT INTO orders VALUES (2001, 'logged')")
    wait_until_the_log_is_stored(MARIADB)
    wait_until(lambda: bool(MARIADB.info()["backup"]["restorable"]), "a moment that can be restored")
    (interval,) = MARIADB.info()["backup"]["restorable"]
    assert interval["from"] < interval["to"]
    MARIADB.output(f"systemctl kill --signal=KILL {stream}")
    MARIADB.sql("INSERT INTO orders VALUES (2002, 'after the stream was killed')")
    wait_until_the_log_is_stored(MARIADB)
    assert MARIADB.info()["backup"]["gaps"] == []
    assert MARIADB.run("ls -R /var/lib/bulwark/backup/main/stream | grep -c '[.]0'").stdout.strip() in ("1", "2")
    done = MARIADB.run("cd / && runuser -u nobody -- ls /var/lib/bulwark/backup/main/stream")
    assert done.rc != 0


@each
def test_restore_by_the_text_beside_the_backups_brings_the_rows_back(server: Backed) -> None:
    """On the same host, into a throwaway folder, by the commands of RESTORE.txt and nothing else."""
    account = "postgres" if server is POSTGRESQL else "root"
    server.sql("CREATE TABLE IF NOT EXISTS late (id int PRIMARY KEY)")
    server.sql("INSERT INTO late VALUES (42)")
    wait_until_the_log_is_stored(server)  # it is followed to the end, so that no new backup is needed
    expected = server.sql("SELECT count(*), min(state), max(state) FROM orders")
    place = server.output("mktemp --directory --tmpdir=/srv restore-XXXXXX")
    values = {"STORE": f"{place}/store", "IDENTITY": f"{place}/identity.txt", "DATA": f"{place}/data"}
    script = commands_of(server.output(f"cat {STORE}/RESTORE.txt"), **values)
    identity = (KEYS / "escrow.txt").read_text()
    try:
        server.output(f"cp -r {STORE} {place}/store; printf %s {shlex.quote(identity)} > {place}/identity.txt")
        server.output(
            f"printf %s {shlex.quote(script)} > {place}/script; chown -R {account} {place}; chmod 0711 {place}"
        )
        done = server.run(f"cd {place} && runuser -u {account} -- sh {place}/script")
        assert done.rc == 0, f"{done.stdout}{done.stderr}"
        if server is POSTGRESQL:
            ask = f"runuser -u postgres -- psql -XAtq -h {place}/data -d shop -c"
        else:
            ask = f"mariadb --no-defaults --batch --skip-column-names --socket={place}/data/restore.sock shop -e"
        assert server.output(f"cd / && {ask} 'SELECT count(*), min(state), max(state) FROM orders'") == expected
        assert server.output(f"cd / && {ask} 'SELECT id FROM late'") == "42"
    finally:
        stop = f"runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl stop -m immediate -D {place}/data"
        if server is MARIADB:
            stop = f"mariadb-admin --no-defaults --socket={place}/data/restore.sock shutdown"
        server.run(f"cd / && {stop}")
        server.run(f"rm -rf {place}")


def test_what_gnupg_seals_is_restored_by_the_text_on_a_host_that_has_nothing_of_ours() -> None:
    """By one of two recipients, from the store alone."""
    names = ("restore", "escrow")
    known = [word for name in names for word in ("-e", f"fingerprint_of_{name}={fingerprint(name)}")]
    store = "/var/backups/bulwark/gnupg"
    place = "/srv/gnupg"
    socket = f"{place}/data/restore.sock"
    try:
        done = playbook(SCENARIO / "gnupg.yml", *known)
        assert done.returncode == 0, done.stdout
        expected = MARIADB.sql("SELECT count(*), min(state), max(state) FROM orders")
        sealed = MARIADB.output(f"find {store}/full -type f ! -name manifest.json").split()
        assert [Path(path).name for path in sealed] == ["data.mbstream.zst.gpg"]
        assert BARE.run("ls -d /etc/bulwark /usr/local/lib/bulwark /var/lib/bulwark").stdout == ""
        assert BARE.run("command -v age").rc != 0

        BARE.output(f"install -d -m 0711 {place} && install -d -m 0700 {place}/keyring")
        archive = subprocess.run(
            ["podman", "exec", MARIADB.name, "tar", "--create", f"--directory={store}", "full", "RESTORE.txt"],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        unpack = f"mkdir {place}/store && tar --extract --no-same-owner --directory={place}/store"
        into = ["podman", "exec", "--interactive", BARE.name, "sh", "-c"]
        subprocess.run([*into, unpack], input=archive, check=True)
        secret = (KEYS / "gnupg" / "escrow@example.org.secret").read_bytes()
        subprocess.run([*into, f"gpg --batch --quiet --homedir {place}/keyring --import"], input=secret, check=True)

        text = BARE.output(f"cat {place}/store/RESTORE.txt")
        script = commands_of(text, STORE=f"{place}/store", IDENTITY="/nowhere", DATA=f"{place}/data")
        subprocess.run([*into, f"cat > {place}/script"], input=script.encode(), check=True)
        restored = BARE.run(f"cd {place} && GNUPGHOME={place}/keyring sh {place}/script")
        assert restored.rc == 0, f"{restored.stdout}{restored.stderr}"
        ask = f"mariadb --no-defaults --batch --skip-column-names --socket={socket} shop -e"
        assert BARE.output(f"{ask} 'SELECT count(*), min(state), max(state) FROM orders'") == expected
    finally:
        BARE.run(f"mariadb-admin --no-defaults --socket={socket} shutdown")
        BARE.run(f"gpgconf --homedir {place}/keyring --kill gpg-agent; rm -rf {place}")
        MARIADB.module("backup_job", {"name": "gnupg", "state": "absent"})
        MARIADB.run(f"rm -rf {store} /var/lib/bulwark/backup/gnupg")
