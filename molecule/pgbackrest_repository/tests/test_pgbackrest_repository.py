# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups by pgBackRest into a repository on another host, which the database's host can't read and can't harm."""

from __future__ import annotations

import contextlib
import functools
import os
import re
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

DATABASE = "molecule-pgr-database"
SECOND = "molecule-pgr-second"
REPOSITORY = "molecule-pgr-repository"
SCENARIO = Path(__file__).resolve().parent.parent
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
KEYS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys"
STORE = "/var/backups/bulwark/shop"
FOLDER = "/etc/bulwark/backup/shop.pgbackrest"
UNIT = "bulwark-backup-shop.service"
ALERTS = "/run/molecule-alerts"
MARKER = "f1ndme-Bulwark-marker"
PATIENCE_SECONDS = 240
ANTEROOM = "/var/lib/bulwark/incoming/shop"
PUSHER = f"runuser -u postgres -- pgbackrest --config={FOLDER}/archive.conf --stanza=shop"
SECOND_PUSHER = PUSHER.replace("shop", "ledger")
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=1)
converge = functools.partial(on_hosts.converge, SCENARIO)


def run(command: str, host: str = DATABASE) -> CommandResult:
    return testinfra.get_host(f"podman://{host}").run(command)


def output(command: str, host: str = DATABASE) -> str:
    done = run(command, host)
    assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def sql(statement: str, host: str = DATABASE) -> str:
    psql = "cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d shop"
    return output(f"{psql} -c {shlex.quote(statement)}", host)


def ask(host: str, name: str = "shop") -> dict[str, t.Any]:
    return on_hosts.module(host, "backup_info", {"name": name})


def backup(name: str = "shop") -> dict[str, t.Any]:
    found = ask(REPOSITORY, name)
    assert not found.get("failed"), found
    return t.cast("dict[str, t.Any]", found["backup"])


def switch(host: str = DATABASE) -> str:
    return sql("SELECT pg_walfile_name(pg_switch_wal())", host)


def stored(name: str, store: str = STORE) -> bool:
    return bool(output(f"find {store}/repository/archive -name '{name}-*'", REPOSITORY))


def wait_until_stored(host: str = DATABASE, store: str = STORE) -> None:
    name = switch(host)
    wait_until(lambda: stored(name, store), f"{name} is in the repository")


def test_the_repository_s_host_makes_the_backup_and_tells_of_it() -> None:
    found = ask(REPOSITORY)
    first = found["backup"]
    assert [first["engine"], first["last_error"], first["damaged"], first["gaps"]] == ["pgbackrest", None, [], []]
    assert first["fulls"][0]["id"].endswith("F")
    assert found["next_run"].endswith("00:00:00 UTC")
    elsewhere = ask(DATABASE)
    assert "the backups of shop are on 10.89.77.234" in elsewhere["msg"]


def test_a_full_backup_under_writes_holds_and_can_be_verified() -> None:
    writer = 'for n in $(seq 2000000 2000400); do echo "INSERT INTO written VALUES ($n);"; done'
    writing = subprocess.Popen(
        ["podman", "exec", DATABASE, "sh", "-c", f"cd /; ({writer}) | runuser -u postgres -- psql -Xqd shop"]
    )
    assert run(f"systemctl start {UNIT}", REPOSITORY).rc == 0, output("journalctl -b --output=cat -n 30", REPOSITORY)
    assert writing.wait(timeout=120) == 0
    assert run("systemctl start bulwark-backup-shop-verify.service", REPOSITORY).rc == 0, output(
        "journalctl -b --output=cat -n 30", REPOSITORY
    )


def test_the_database_s_host_holds_nothing_of_the_repository() -> None:
    secret = output(f"sed -n 's/^repo1-cipher-pass=//p' {FOLDER}/secret/passphrase.conf", REPOSITORY)
    assert len(secret) == 64
    assert run(f"grep -rqF {secret} /etc /var /run /tmp /root").rc == 1
    assert run(f"test -e {STORE}").rc != 0
    assert run(f"test -e {FOLDER}/secret").rc != 0
    keys = output(f"cd {FOLDER} && ls *.key; sha256sum *.key | cut -c1-64").split()
    assert keys[:2] == ["client.key", "source.key"]
    for digest in keys[2:]:
        assert digest not in output(f"find {FOLDER} -name '*.key' | xargs sha256sum", REPOSITORY)


def test_what_pgbackrest_lets_its_clients_do_reaches_the_anteroom_alone() -> None:
    """As root of the database's host, with every option that the protocol hands on."""
    before = output(f"find {STORE} -type f | sort | xargs sha256sum", REPOSITORY)
    locks = "--lock-path=/var/lib/postgresql/locks"
    assert MARKER not in run(f"{PUSHER} repo-ls --recurse").stdout
    assert run(f"{PUSHER} repo-ls backup/shop").stdout.strip() == ""
    own = f"--repo1-host-config={FOLDER}/repository.conf --repo1-host-config-include-path={FOLDER}/secret"
    for attempt in (
        f"{PUSHER} {own} repo-ls backup/shop",
        f"{PUSHER} {own} info",
        f"{PUSHER} --repo1-path={STORE}/repository repo-get backup/shop/backup.info",
        f"{PUSHER} --repo1-path={STORE}/repository repo-ls --recurse",
        f"{PUSHER} --repo1-path=/proc repo-ls",
        f"{PUSHER} --repo1-path=/etc/bulwark/backup/shop.pgbackrest/secret repo-ls",
        f"{PUSHER} --repo1-path=/etc repo-get --raw shadow",
    ):
        said = run(attempt)
        assert not re.search(r"\d{8}-\d{6}F", said.stdout), f"{attempt}: {said.stdout}"
        assert "passphrase" not in said.stdout, attempt
    run(f"{PUSHER} {locks} stop")
    run(f"{PUSHER} {locks} --repo1-path={STORE}/repository --force stanza-delete")
    run(f"{PUSHER} {locks} --force stanza-delete")
    run(f"{PUSHER} {locks} start")
    after = output(f"find {STORE} -type f | sort | xargs sha256sum", REPOSITORY)
    assert set(before.splitlines()) <= set(after.splitlines())
    # what was its own to destroy is back by itself
    sql("INSERT INTO written SELECT max(number) + 1 FROM written")
    wait_until_stored()
    assert backup()["gaps"] == []


def test_what_runs_on_the_repository_s_host_is_not_looked_into() -> None:
    """The client names the paths, and /proc/PID/root of a process of the same account would lead out."""
    for group, seen in (("bulwark-incoming-8432", True), ("bulwark-backup", False)):
        name = f"molecule-seen-{seen}".lower()
        shape = f"-p User=bulwark-backup -p Group={group}"
        output(f"systemd-run --quiet --unit={name} {shape} sleep 600", REPOSITORY)
        process = output(f"systemctl show --value --property=MainPID {name}", REPOSITORY)
        listed = run(f"{PUSHER} --repo1-path=/proc/{process}/root{STORE} repo-ls").stdout
        output(f"systemctl stop {name}", REPOSITORY)
        assert ("RESTORE.txt" in listed) is seen, listed
    units = output("systemctl list-unit-files --no-legend 'bulwark-backup-*.service' | cut -d ' ' -f 1", REPOSITORY)
    groups = {
        unit: output(f"systemctl show --value --property=Group {unit}", REPOSITORY)
        for unit in units.split()
        if unit.startswith(("bulwark-backup-shop", "bulwark-backup-ledger"))
    }
    assert len(groups) == 8
    assert groups.pop("bulwark-backup-shop-repository.service") == "bulwark-incoming-8432"
    assert groups.pop("bulwark-backup-ledger-repository.service") == "bulwark-incoming-8435"
    assert set(groups.values()) == {"bulwark-backup"}


def restart_anteroom() -> str:
    """That of the first database; its process, by whose root it could be looked into."""
    output("systemctl daemon-reload && systemctl restart bulwark-backup-shop-repository.service", REPOSITORY)
    return output("systemctl show --value --property=MainPID bulwark-backup-shop-repository.service", REPOSITORY)


def test_of_two_databases_neither_reaches_what_is_the_other_s() -> None:
    """As root of the second database's host, by all ways into the anteroom of the first."""
    output("systemctl stop bulwark-backup-shop-collect.timer", REPOSITORY)
    drop_in = "/run/systemd/system/bulwark-backup-shop-repository.service.d"
    try:
        process = restart_anteroom()
        before = output(f"find {ANTEROOM} -type f -name '*.info*' | sort | xargs sha256sum", REPOSITORY)
        assert len(before.splitlines()) == 2
        locks = "--lock-path=/var/lib/postgresql/locks"
        for root in ("", f"/proc/{process}/root"):
            path = f"--repo1-path={root}{ANTEROOM}"
            for command in ("repo-ls", "repo-ls --recurse", "repo-get --raw archive/shop/archive.info"):
                said = run(f"{SECOND_PUSHER} {path} {command}", SECOND)
                assert "archive" not in said.stdout, said.stdout
            secret = f"{root}{FOLDER}/anteroom/secret"
            said = run(f"{SECOND_PUSHER} --repo1-path={secret} repo-get --raw passphrase.conf", SECOND)
            assert "cipher" not in said.stdout
            run(f"echo forged | {SECOND_PUSHER} {path} repo-put archive/shop/forged", SECOND)
            run(f"{SECOND_PUSHER} {locks} stop; {SECOND_PUSHER} {path} {locks} --force stanza-delete", SECOND)
            run(f"{SECOND_PUSHER} {locks} start", SECOND)
        # another stanza is not this certificate's, and the other port is not this address's
        said = run(f"{SECOND_PUSHER.replace('--stanza=ledger', '--stanza=shop')} repo-ls", SECOND)
        assert said.rc != 0, said.stdout
        assert "access denied" in said.stdout + said.stderr, said.stdout + said.stderr
        assert run("timeout 5 bash -c 'echo > /dev/tcp/10.89.77.234/8435'", SECOND).rc == 0
        assert run("timeout 5 bash -c 'echo > /dev/tcp/10.89.77.234/8432'", SECOND).rc != 0
        assert output(f"find {ANTEROOM} -type f -name '*.info*' | sort | xargs sha256sum", REPOSITORY) == before
        assert output(f"find {ANTEROOM} -name forged", REPOSITORY) == ""
        # were both servers of one group, all that would be reached
        output(
            f"mkdir -p {drop_in} && printf '[Service]\nGroup=bulwark-incoming-8435\n' > {drop_in}/one.conf", REPOSITORY
        )
        path = f"--repo1-path=/proc/{restart_anteroom()}/root{ANTEROOM}"
        assert "archive/shop/archive.info" in run(f"{SECOND_PUSHER} {path} repo-ls --recurse", SECOND).stdout
        run(f"echo forged | {SECOND_PUSHER} {path} repo-put archive/shop/forged", SECOND)
        assert output(f"find {ANTEROOM} -name forged -delete -print", REPOSITORY) != ""
    finally:
        output(f"rm -rf {drop_in}", REPOSITORY)
        restart_anteroom()
        output("systemctl start bulwark-backup-shop-collect.timer", REPOSITORY)


def test_nobody_else_is_let_in() -> None:
    def port_is_open(host: str, address: str, port: int) -> bool:
        return run(f"timeout 5 bash -c 'echo > /dev/tcp/{address}/{port}'", host).rc == 0

    assert port_is_open(DATABASE, "10.89.77.234", 8432)
    assert port_is_open(REPOSITORY, "10.89.77.233", 8433)
    probe = (
        "import socket,sys; s=socket.socket(); s.settimeout(4); sys.exit(s.connect_ex((sys.argv[1], int(sys.argv[2]))))"
    )
    for address, port in (("10.89.77.234", "8432"), ("10.89.77.233", "8433")):
        assert subprocess.run(["python3", "-c", probe, address, port], check=False).returncode != 0
    # without the certificate it is of no use either
    said = run(f"runuser -u nobody -- {PUSHER[20:]} info")
    assert "shop" not in said.stdout.replace("shop.pgbackrest", "")


def test_nothing_stored_can_be_read_without_the_passphrase() -> None:
    wait_until_stored()
    assert run(f"grep -raq {MARKER} {STORE} /var/lib/bulwark", REPOSITORY).rc == 1
    opened = output(f"find {STORE} -not -type l '(' -perm /077 -o -not -user bulwark-backup ')'", REPOSITORY)
    assert opened == ""
    assert output(f"head -n 1 {STORE}/passphrase.age", REPOSITORY) == "-----BEGIN AGE ENCRYPTED FILE-----"


def test_while_the_repository_s_host_is_down_the_log_waits_and_nothing_is_lost() -> None:
    output("systemctl stop bulwark-backup-shop-repository.timer bulwark-backup-shop-collect.timer", REPOSITORY)
    try:
        for dummy in range(3):
            sql("INSERT INTO written SELECT max(number) + 1 FROM written")
            name = switch()
        wait_until(lambda: int(sql("SELECT failed_count FROM pg_stat_archiver")) > 0, "archiving fails")
        waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
        assert int(sql(waiting)) >= 3
        assert sql("SELECT 1") == "1"
    finally:
        output("systemctl start bulwark-backup-shop-repository.timer bulwark-backup-shop-collect.timer", REPOSITORY)
    wait_until(lambda: stored(name), "what waited is in the repository")
    assert backup()["gaps"] == []


def test_a_backup_of_a_database_that_can_not_be_reached_fails_and_somebody_is_told() -> None:
    good = {one["id"] for one in backup()["fulls"]}
    output("systemctl stop bulwark-backup-shop-source.timer")
    run(f"rm -f {ALERTS}", REPOSITORY)
    try:
        assert run(f"systemctl start {UNIT}", REPOSITORY).rc != 0
    finally:
        output("systemctl start bulwark-backup-shop-source.timer bulwark-backup-shop-source.service")
    assert {one["id"] for one in backup()["fulls"]} == good
    wait_until(lambda: UNIT in run(f"cat {ALERTS}", REPOSITORY).stdout, "somebody is told")
    output(f"systemctl start {UNIT}", REPOSITORY)
    assert backup()["last_error"] is None


@contextlib.contextmanager
def copied(store: str) -> t.Iterator[str]:
    """What somebody has who holds the store and an identity, and none of our software."""
    folder = "/var/tmp/restore"
    output(f"install -d -m 0700 {folder} && cp -a {store} {folder}/store", REPOSITORY)
    subprocess.run(["podman", "cp", str(KEYS / "restore.txt"), f"{REPOSITORY}:{folder}/identity.txt"], check=True)
    output(f"chown -R postgres {folder}", REPOSITORY)
    try:
        yield folder
    finally:
        stop = f"/usr/lib/postgresql/*/bin/pg_ctl stop -m immediate -D {folder}/data"
        run(f"runuser -u postgres -- sh -c '{stop}'", REPOSITORY)
        output(f"rm -r {folder}", REPOSITORY)


@pytest.mark.parametrize(("host", "name"), [(DATABASE, "shop"), (SECOND, "ledger")])
def test_restore_txt_alone_brings_everything_of_its_database_back_up_to_a_moment_on_another_host(
    host: str, name: str
) -> None:
    store = f"/var/backups/bulwark/{name}"
    assert [backup(name)[what] for what in ("last_error", "damaged", "gaps")] == [None, [], []]
    sql(f"INSERT INTO placed VALUES ('of {name}')", host)
    sql("INSERT INTO written SELECT max(number) + 1 FROM written", host)
    time.sleep(1.1)
    moment = sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')", host)
    summed = "SELECT count(*) || ' ' || sum(number::bigint) FROM written"
    placed = "SELECT string_agg(text, ' ' ORDER BY text) FROM placed"
    wanted = [sql(summed, host), sql(placed, host)]
    assert wanted[1].endswith(f"of {name}")
    time.sleep(1.1)
    sql("INSERT INTO written SELECT max(number) + 1 FROM written", host)
    time.sleep(2.2)
    wait_until_stored(host, store)
    with copied(store) as folder:
        values = {
            "STORE": f"{folder}/store",
            "IDENTITY": f"{folder}/identity.txt",
            "DATA": f"{folder}/data",
            "MOMENT": moment,
        }
        script = commands_of(output(f"cat {store}/RESTORE.txt", REPOSITORY), **values)
        for statement in (summed, placed):
            script += f'"$BINARIES/psql" -XAt -h "$DATA" -p 5432 -d shop -c "{statement}"\n'
        done = run(f"cd / && runuser -u postgres -- sh -c {shlex.quote(script)}", REPOSITORY)
    assert done.rc == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-2:] == wanted, done.stdout


def test_another_database_s_job_of_that_name_is_refused_on_the_repository_s_host() -> None:
    done = converge("-e", "encrypted_backup_address=10.89.77.230")
    assert done.returncode != 0
    assert "thejobshopisherealready,for10.89.77.233" in "".join((done.stdout + done.stderr).split())


def test_a_certificate_that_is_lost_is_made_anew_and_known_to_the_other_side() -> None:
    output(f"rm {FOLDER}/client.crt")
    assert converge().returncode == 0
    sql("INSERT INTO written SELECT max(number) + 1 FROM written")
    wait_until_stored()


def test_a_second_run_and_a_dry_one_change_nothing() -> None:
    for flags in (("--check", "--diff"), ("--diff",)):
        done = converge(*flags)
        assert done.returncode == 0, done.stdout[-3000:]
        assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0"], [
            line for line in done.stdout.splitlines() if "changed:" in line
        ]


def test_a_job_is_taken_away_on_both_hosts_while_its_backups_stay_and_no_wal_piles_up() -> None:
    """The last one: the second database has no backups afterwards."""
    before = output("find /var/backups/bulwark/ledger -type f | sort | xargs sha256sum", REPOSITORY)
    assert "backup.manifest" in before
    other = {"settings": {"archive_command": "/bin/true"}}
    done = on_hosts.module(SECOND, "postgresql_settings", other)
    assert done.get("changed"), done
    gone = {"name": "ledger", "state": "absent"}
    for host in (SECOND, REPOSITORY):
        files = "find /etc/systemd/system /etc/bulwark/backup -name '*ledger*' -type f"
        present = output(files, host)
        dry = on_hosts.module(host, "backup_job", gone, "--check")
        assert [dry.get("failed", False), dry["changed"], output(files, host)] == [False, True, present], dry
        done = on_hosts.module(host, "backup_job", gone)
        assert done["changes"] == dry["changes"]
        assert output(files, host) == ""
        assert run("pgrep -f '[l]edger.pgbackrest'", host).rc == 1
        assert not on_hosts.module(host, "backup_job", gone)["changed"]
    assert run("timeout 5 bash -c 'echo > /dev/tcp/10.89.77.234/8435'", SECOND).rc != 0
    after = output("find /var/backups/bulwark/ledger -type f | sort | xargs sha256sum", REPOSITORY)
    assert set(before.splitlines()) <= set(after.splitlines())
    sql("INSERT INTO written SELECT max(number) + 1 FROM written", SECOND)
    switch(SECOND)
    waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"
    wait_until(lambda: sql(waiting, SECOND) == "0", "no WAL waits")
    # the job of the other database goes on
    sql("INSERT INTO written SELECT max(number) + 1 FROM written")
    wait_until_stored()
