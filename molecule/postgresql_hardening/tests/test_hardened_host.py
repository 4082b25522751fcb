# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hardened host by its behaviour, not by our own configuration files."""

from __future__ import annotations

import os
import shlex
import sys
import typing as t
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[3] / "tests")]

from failing_statements import FAILING_STATEMENTS, ROW_MARKER, TABLES

if t.TYPE_CHECKING:
    from testinfra.host import Host

testinfra_hosts = [f"podman://{os.environ.get('BULWARK_HOST', 'molecule-pg')}"]

APPLICATION_PASSWORD = "Molecule-App-1-secret"
PSQL = "psql -XAtq -v ON_ERROR_STOP=1"


def as_postgres(host: Host, sql: str, *, database: str = "postgres", check: bool = True) -> str:
    done = host.run(f"cd / && runuser -u postgres -- {PSQL} -d {database} -f - <<'BULWARK_END'\n{sql}\nBULWARK_END")
    if check:
        assert done.succeeded, done.stderr
    return (done.stdout if done.succeeded else done.stderr).strip()


def by_network(
    host: Host, sql: str, *, role: str = "app", password: str = APPLICATION_PASSWORD, ssl_mode: str = "require"
) -> tuple[bool, str]:
    """Log in over TCP at the host's own address, as a client of the network does."""
    target = f"host={address(host)} user={role} dbname=shop sslmode={ssl_mode} connect_timeout=5"
    done = host.run(f"PGPASSWORD={password} {PSQL} {shlex.quote(target)} -c {shlex.quote(sql)}")
    return done.succeeded, (done.stdout if done.succeeded else done.stderr).strip()


def address(host: Host) -> str:
    return host.check_output("hostname -I").split()[0]


def data_directory(host: Host) -> str:
    return as_postgres(host, "SHOW data_directory")


def test_the_data_and_settings_that_were_there_survive(host: Host) -> None:
    assert as_postgres(host, "SELECT count(*) FROM orders", database="shop") == "1000"
    assert as_postgres(host, "SHOW work_mem") == "5MB"


def test_a_client_with_tls_logs_in_and_one_in_plaintext_is_refused(host: Host) -> None:
    logged_in, answer = by_network(host, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert logged_in, answer
    assert answer in ("TLSv1.2", "TLSv1.3")
    logged_in, answer = by_network(host, "SELECT 1", ssl_mode="disable")
    assert not logged_in
    assert "no encryption" in answer or "rejects connection" in answer


def test_the_certificate_is_verified_by_name(host: Host) -> None:
    folder = as_postgres(host, "SHOW ssl_ca_file")
    target = f"host=localhost user=app dbname=shop sslmode=verify-full sslrootcert={folder}"
    done = host.run(f"PGPASSWORD={APPLICATION_PASSWORD} {PSQL} {shlex.quote(target)} -c 'SELECT 1'")
    assert done.succeeded, done.stderr


def old_protocol(host: Host, port: int) -> bool:
    """Whether a client that speaks TLS 1.1 at the most gets through the handshake."""
    done = host.run(
        f"openssl s_client -connect {address(host)}:{port} -starttls postgres -tls1_1"
        " -cipher 'DEFAULT@SECLEVEL=0' </dev/null 2>&1"
    )
    return "Protocol  : TLSv1.1" in done.stdout and "Cipher    : 0000" not in done.stdout


def test_tls_1_1_is_refused_and_would_get_through_on_a_weakened_server(host: Host) -> None:
    version = as_postgres(host, "SHOW server_version").split(".")[0].split(" ")[0]
    host.check_output(
        f"pg_createcluster -p 5499 {version} weak --start-conf manual"
        " -o ssl=on -o listen_addresses='*' -o ssl_min_protocol_version=TLSv1 -o ssl_ciphers=DEFAULT@SECLEVEL=0"
        f" -o ssl_cert_file={as_postgres(host, 'SHOW ssl_cert_file')}"
        f" -o ssl_key_file={as_postgres(host, 'SHOW ssl_key_file')}"
    )
    try:
        host.check_output(f"pg_ctlcluster --skip-systemctl-redirect {version} weak start")
        assert old_protocol(host, 5499), "the counter-proof does not connect, so the test could not fail"
        assert not old_protocol(host, 5432)
    finally:
        host.run(f"pg_dropcluster --stop {version} weak")


def test_an_md5_login_is_refused_although_its_password_is_right(host: Host) -> None:
    as_postgres(host, "DROP ROLE IF EXISTS legacy; CREATE ROLE legacy LOGIN; GRANT CONNECT ON DATABASE shop TO legacy")
    # md5 of 'Legacy-1-secretlegacy': put in as the verifier itself, so that no setting of ours turns it into SCRAM
    as_postgres(
        host,
        "SELECT format('ALTER ROLE legacy PASSWORD %L', 'md5' || md5('Legacy-1-secret' || 'legacy')) \\gexec",
    )
    try:
        logged_in, answer = by_network(host, "SELECT 1", role="legacy", password="Legacy-1-secret")
        assert not logged_in
        assert "password authentication failed" in answer
    finally:
        as_postgres(host, "REVOKE CONNECT ON DATABASE shop FROM legacy; DROP ROLE legacy")


def test_the_superuser_can_not_log_in_from_the_network(host: Host) -> None:
    logged_in, answer = by_network(host, "SELECT 1", role="postgres", password="whatever")
    assert not logged_in
    assert "rejects connection" in answer


@pytest.mark.parametrize("setting", ["data_directory", "config_file", "hba_file", "ssl_key_file"])
def test_a_stranger_reads_none_of_the_servers_files(host: Host, setting: str) -> None:
    path = as_postgres(host, f"SHOW {setting}")
    assert host.file(path).exists
    assert host.run(f"runuser -u nobody -- test -r {path}").failed
    assert host.run(f"runuser -u nobody -- ls {data_directory(host)}/base").failed


def test_a_stranger_reads_no_log(host: Host) -> None:
    logs = host.run("ls -d /var/log/postgresql/*.log").stdout.split()
    assert logs
    for path in logs:
        assert host.run(f"runuser -u nobody -- cat {path}").failed


def test_no_failing_statement_leaves_its_data_in_a_log_or_in_the_journal(host: Host) -> None:
    # Only what is written from now on counts: the host may have been at another level before.
    started = host.check_output("date +%s")
    written = int(host.check_output("cat /var/log/postgresql/*.log | wc -c"))
    as_postgres(host, "DROP DATABASE IF EXISTS failures")
    as_postgres(host, "CREATE DATABASE failures")
    as_postgres(host, TABLES.format(row=ROW_MARKER), database="failures")
    for statement in FAILING_STATEMENTS:
        as_postgres(host, statement.text, database="failures", check=False)
    as_postgres(host, "DROP DATABASE failures")
    strict = as_postgres(host, "SHOW log_min_messages") == "log"
    known = {one.marker for one in FAILING_STATEMENTS if one.in_primary_message and not strict}
    found = set()
    logs = f"cat /var/log/postgresql/*.log | tail -c +{written + 1}"
    everything = host.check_output(f"{logs}; journalctl --no-pager -o cat --since @{started}")
    for name in {ROW_MARKER, *(one.marker for one in FAILING_STATEMENTS)}:
        if name in everything:
            found.add(name)
    # At level essential what the server's own message quotes is named as residual by the assessment, and nothing else.
    assert found == known


def test_a_role_can_do_what_it_was_granted_and_nothing_else(host: Host) -> None:
    allowed = ["SELECT count(*) FROM orders", "UPDATE orders SET state = 'paid' WHERE id = 1"]
    refused = [
        "DELETE FROM orders",
        "UPDATE orders SET amount = 0 WHERE id = 1",
        "SELECT * FROM customers",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "SET ROLE postgres",
        "COPY orders TO '/tmp/orders'",
    ]
    for sql in allowed:
        done, answer = by_network(host, sql)
        assert done, f"{sql}: {answer}"
    for sql in refused:
        done, answer = by_network(host, sql)
        assert not done, f"{sql} was allowed"
        assert "permission denied" in answer or "must be" in answer, answer


def test_the_service_can_not_write_where_it_has_no_business(host: Host) -> None:
    """Seen from inside: the backend itself tries, in a folder that its account may write."""
    host.check_output("install -d -m 0777 /srv/open")
    try:
        host.check_output("runuser -u postgres -- touch /srv/open/by-hand")
        answer = as_postgres(host, "COPY (SELECT 1) TO '/srv/open/by-the-service'", check=False)
        assert "Read-only file system" in answer
        inside = f"{data_directory(host)}/by-the-service"
        as_postgres(host, f"COPY (SELECT 1) TO '{inside}'")
        host.check_output(f"rm {inside}")
    finally:
        host.run("rm -rf /srv/open")


def test_undeclared_networks_do_not_reach_the_port(host: Host) -> None:
    rules = host.check_output("nft list ruleset")
    assert "5432" in rules
    # Another network of the same host: an address outside of every declared one is refused by silence.
    host.run("ip netns del stranger")
    host.check_output(
        "ip netns add stranger && ip link add bw0 type veth peer name bw1 && ip link set bw1 netns stranger"
        " && ip addr add 192.0.2.1/24 dev bw0 && ip link set bw0 up"
        " && ip netns exec stranger ip addr add 192.0.2.2/24 dev bw1 && ip netns exec stranger ip link set bw1 up"
        " && ip netns exec stranger ip route add default via 192.0.2.1"
    )
    try:
        knock = f"timeout 3 bash -c 'exec 3<>/dev/tcp/{address(host)}/5432'"
        assert host.run(knock).succeeded, "the port is closed for this host itself"
        assert host.run(f"ip netns exec stranger {knock}").failed
    finally:
        host.run("ip netns del stranger; ip link del bw0")
