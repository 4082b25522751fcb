# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in no cluster that was hardened while somebody wrote to it. The last tests change it and harden it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[3] / "tests")]
pytest.register_assert_rewrite("hardened_mariadb")

from hardened_mariadb import (
    ANALYST,
    DATA,
    KEYS,
    TLS,
    HardenedServers,
    bring_authority,
    files_with,
    host_of,
    sql,
    try_from_outside,
)

SCENARIO = Path(__file__).resolve().parent.parent
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
SERVER, CLIENT = "molecule-mariadb", "molecule-client"
CLERK = ("clerk", "Molecule-8-amber-lantern")


@pytest.fixture(scope="module")
def stranger() -> str:
    bring_authority(SERVER, CLIENT)
    return CLIENT


# What the hardening was like


def test_every_acknowledged_row_and_what_was_there_before_is_still_there() -> None:
    record = host_of(CLIENT).check_output("cat /var/lib/molecule-writer/acknowledged").splitlines()
    acknowledged = [int(line.split()[0]) for line in record]
    assert len(acknowledged) > 100
    rows = sql(SERVER, f"SELECT id FROM shop.written WHERE id <= {acknowledged[-1]} ORDER BY id").split()
    assert [int(row) for row in rows] == acknowledged
    assert sql(SERVER, "SELECT count(*) FROM shop.customers") == "1000"
    assert sql(SERVER, "SELECT sum(amount) FROM shop.orders") == "500500"
    assert sql(SERVER, "SELECT @@innodb_buffer_pool_size") == str(64 << 20)


def test_the_writer_gets_on() -> None:
    before = int(sql(SERVER, "SELECT max(id) FROM shop.written"))
    time.sleep(2)
    assert int(sql(SERVER, "SELECT max(id) FROM shop.written")) > before + 10


def test_the_server_is_alone_and_was_given_nothing_that_nodes_have() -> None:
    assert sql(SERVER, "SELECT @@wsrep_on") == "0"
    assert host_of(SERVER).run(f"ls {TLS}/node.key").rc != 0
    assert host_of(SERVER).run("nft list ruleset | grep -E '4567|4568|4444'").rc != 0


def test_rows_that_were_there_before_are_encrypted_too() -> None:
    """In the tables and what the server makes anew; logs of before are the stated residual."""
    assert (
        files_with(SERVER, "customer42@example.org", DATA, without=("mariadb-bin.*", "general.log", "slow.log")) == []
    )


class TestHardenedServer(HardenedServers):
    servers = (SERVER,)


def test_the_clerk_may_do_what_was_granted_and_nothing_else(stranger: str) -> None:
    for statement in (
        "SELECT count(*) FROM shop.orders",
        "INSERT INTO shop.orders VALUES (5000, 'new', 0)",
        "UPDATE shop.orders SET state = 'paid' WHERE id = 5000",
        "CALL shop.tally()",
    ):
        done = try_from_outside(stranger, SERVER, CLERK, statement)
        assert done.rc == 0, f"{statement}: {done.stderr}"
    for statement, number in (
        ("UPDATE shop.orders SET amount = 1 WHERE id = 5000", 1143),
        ("DELETE FROM shop.orders WHERE id = 5000", 1142),
        ("SELECT * FROM shop.customers", 1142),
        ("CALL shop.wipe()", 1370),
        ("CREATE TABLE shop.mine (id int)", 1142),
        ("DROP TABLE shop.orders", 1142),
        ("SET ROLE reader", 1959),
        ("SET GLOBAL general_log = ON", 1227),
        ("SHOW GRANTS FOR analyst@'10.89.77.%'", 1044),
        ("KILL 1", 1094),
        ("SELECT LOAD_FILE('/var/lib/mysql-files/x') IS NULL FROM mysql.user", 1142),
    ):
        refused = try_from_outside(stranger, SERVER, CLERK, statement)
        assert f"ERROR {number}" in refused.stderr, f"{statement}: {refused.stderr}"
    sql(SERVER, "DELETE FROM shop.orders WHERE id = 5000")


def test_the_binary_log_still_serves_a_restore(stranger: str) -> None:
    """It is encrypted; the server itself reads it to whoever may replicate."""
    sql(SERVER, "DELETE FROM shop.orders WHERE id = 6000; INSERT INTO shop.orders VALUES (6000, 'new', 0)")
    last = sql(SERVER, "SHOW BINARY LOGS").splitlines()[-1].split()[0]
    read = host_of(SERVER).run(f"mariadb-binlog --read-from-remote-server --verbose {last}")
    assert "INSERT INTO shop.orders VALUES (6000" in read.stdout, read.stderr
    assert "INSERT INTO shop" not in host_of(SERVER).run(f"mariadb-binlog --verbose {DATA}/{last}").stdout
    sql(SERVER, "DELETE FROM shop.orders WHERE id = 6000")


# Again


class Run(t.NamedTuple):
    """A whole ansible-playbook: its text, and the tasks that changed something."""

    text: str
    changed: list[str]


def harden(*options: str) -> Run:
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
    done = subprocess.run(
        ["ansible-playbook", "-i", INVENTORY, "converge.yml", *options],
        check=False, capture_output=True, text=True, cwd=SCENARIO, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    tasks = [task for play in json.loads(done.stdout)["plays"] for task in play["tasks"]]
    changed = [task["task"]["name"] for task in tasks if task["hosts"].get(SERVER, {}).get("changed")]
    return Run(done.stdout + done.stderr, changed)


def secrets_of_the_server() -> list[str]:
    host = host_of(SERVER)
    keys = host.check_output(
        f"openssl enc -d -aes-256-cbc -md sha1 -pass file:{KEYS}/passphrase -in {KEYS}/keys.enc 2>/dev/null"
    )
    private = host.check_output(f"sed -n 2p {TLS}/server.key")
    hashes = sql(SERVER, "SELECT JSON_VALUE(priv, '$.authentication_string') FROM mysql.global_priv").split()
    return [
        *(ANALYST[1], CLERK[1], private, host.check_output(f"cat {KEYS}/passphrase").strip()),
        *(line.partition(";")[2] for line in keys.split()),
        *(one for one in hashes if len(one) > 20),
    ]


BROKEN_STATEMENTS = """
SET GLOBAL local_infile = ON, GLOBAL max_password_errors = 4294967295, GLOBAL general_log = ON;
REVOKE SELECT (id) ON shop.customers FROM reader;
CREATE DATABASE test;
CREATE USER root@'%' IDENTIFIED VIA unix_socket;
ALTER USER clerk@'10.89.77.%' REQUIRE NONE
"""
BROKEN_FILES = f"""
sed -i '/^local_infile/d' /etc/mysql/mariadb.conf.d/z-bulwark.cnf
nft flush chain inet bulwark input
chmod 0755 {DATA} && chmod 0644 {TLS}/server.key
"""


def test_what_somebody_changed_by_hand_is_foreseen_mended_and_then_left_alone(stranger: str) -> None:
    host = host_of(SERVER)
    sql(SERVER, BROKEN_STATEMENTS)
    host.check_output(BROKEN_FILES)
    foreseen = harden("--check", "--diff")
    assert sql(SERVER, "SELECT @@local_infile, @@general_log") == "1\t1"
    assert host.check_output(f"stat --format %a {DATA}") == "755"
    done = harden("--diff")
    assert foreseen.changed == done.changed
    assert done.changed
    assert sql(SERVER, "SELECT @@local_infile, @@general_log, @@max_password_errors <= 10") == "0\t0\t1"
    assert host.check_output("grep ^local_infile /etc/mysql/mariadb.conf.d/z-bulwark.cnf") == "local_infile = OFF"
    assert sql(SERVER, "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'test'") == "0"
    assert sql(SERVER, "SELECT DISTINCT Host FROM mysql.user WHERE User = 'root'") == "localhost"
    assert "REQUIRE SSL" in sql(SERVER, "SHOW GRANTS FOR clerk@'10.89.77.%'")
    assert try_from_outside(stranger, SERVER, ANALYST, "SELECT count(id) FROM shop.customers").stdout.strip() == "1000"
    assert "3306" in host.check_output("nft list chain inet bulwark input")
    assert host.check_output(f"stat --format %a {DATA} {TLS}/server.key").split() == ["700", "600"]
    for run in (foreseen, done):
        assert [number for number, secret in enumerate(secrets_of_the_server()) if secret in run.text] == []
    assert harden("--diff").changed == []


def test_at_the_end_no_control_fails() -> None:
    environment = {**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"}
    command = ["ansible", "-i", INVENTORY, SERVER, "-m", "bulwark.database.assessment_info", "-a"]
    options = json.dumps({"engine": "mariadb", "level": "strict"})
    done = subprocess.run([*command, options], check=False, capture_output=True, text=True, env=environment)
    answer = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][SERVER]
    assert "assessment" in answer, answer
    failed = {one["id"]: one["evidence"] for one in answer["assessment"]["results"] if one["verdict"] == "fail"}
    # The scenario's own writer comes from anywhere, and keeps the hash that it came with.
    assert sorted(failed) == ["MDB-AUTH-002", "MDB-AUTH-003"], failed
    assert failed["MDB-AUTH-002"] == ["writer@%"]
