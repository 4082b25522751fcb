# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster that was hardened under its writer, as nodes, clients, eavesdroppers and strangers meet it.

The tests run in this order: the first ones look back at the hardening, the last ones stop a node.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
import testinfra

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testinfra.backend.base import CommandResult
    from testinfra.host import Host

SCENARIO = Path(__file__).resolve().parent.parent
LAB = SCENARIO.parent.parent / "tools" / "lab.py"
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
ESCROW = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "escrow"
PLATFORM = os.environ.get("BULWARK_PLATFORM", "debian12")
NODES = ("molecule-galera1", "molecule-galera2", "molecule-galera3")
FIRST, SECOND, LAST = NODES
STRANGER = "molecule-stranger"

WRITER = ("writer", "Molecule-Writer-1-secret")
ANALYST = ("analyst", "Molecule-7-quartz-harbour")
DATA = "/var/lib/mysql"
TLS = "/etc/mysql/tls"
GROUP_PORT, INCREMENT_PORT, TRANSFER_PORT = 4567, 4568, 4444
# Nothing is there; what is said on it in clear proves that the eavesdropper hears.
CLEAR_PORT = 4599
LONGEST_PAUSE = 30
# A watcher that the machine kept from looking for longer saw nothing.
LONGEST_BLINK = 6


def node(name: str) -> Host:
    return testinfra.get_host(f"podman://{name}")


def address(name: str) -> str:
    return node(name).check_output("hostname --all-ip-addresses").split()[0]


def try_sql(name: str, statement: str) -> CommandResult:
    """As root of the host, by the socket."""
    return node(name).run(f"mariadb --batch --skip-column-names -e {shlex.quote(statement)}")


def sql(name: str, statement: str) -> str:
    done = try_sql(name, statement)
    assert done.rc == 0, done.stderr
    return str(done.stdout).strip()


def galera_info(**options: t.Any) -> dict[str, dict[str, t.Any]]:
    """The module through Ansible on all nodes; what each returned."""
    options = {"expected_size": len(NODES), **options}
    environment = {**os.environ, "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    command = ["ansible", "-i", INVENTORY, "galera", "-m", "bulwark.database.galera_info", "-a", json.dumps(options)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    hosts = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]
    return {name: answer["galera"] for name, answer in hosts.items()}


def wait_until_synced(name: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if try_sql(name, "SHOW STATUS LIKE 'wsrep_local_state_comment'").stdout.split()[-1:] == ["Synced"]:
            return
        time.sleep(0.5)
    pytest.fail(f"{name} is not Synced")


@pytest.fixture
def word() -> str:
    """Something that is nowhere else."""
    return f"marker{secrets.token_hex(12)}"


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """A figure for whoever reads the run."""

    def _say(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}")

    return _say


@pytest.fixture(scope="module")
def stranger() -> Iterator[str]:
    """A host in the trusted network that is no member: with a server and a client, nothing hardened."""
    subprocess.run(
        [sys.executable, LAB, "start", STRANGER, "--platform", PLATFORM, "--purpose", "mariadb"],
        check=True,
        capture_output=True,
    )
    text = node(FIRST).file(f"{TLS}/ca.crt").content_string
    node(STRANGER).check_output(f"echo {shlex.quote(text)} > /root/ca.crt")
    yield STRANGER
    subprocess.run([sys.executable, LAB, "remove", STRANGER], check=True, capture_output=True)


def try_from_outside(
    account: tuple[str, str], statement: str, *, tls: bool = True, target: str = FIRST
) -> CommandResult:
    """As a client of the network; with TLS it verifies the server's name."""
    transport = "--ssl --ssl-ca=/root/ca.crt --ssl-verify-server-cert" if tls else "--skip-ssl"
    user, password = account
    return node(STRANGER).run(
        f"MYSQL_PWD={shlex.quote(password)} mariadb --batch --skip-column-names --connect-timeout=5 {transport}"
        f" --host={target} --user={user} -e {shlex.quote(statement)}"
    )


# What the hardening was like


@dataclasses.dataclass(frozen=True)
class Hardening:
    """When the prepared cluster was first watched, and when these tests first looked at the hardened one."""

    begin: float
    end: float


@pytest.fixture(scope="module")
def hardening() -> Hardening:
    folder = "/var/lib/molecule-watcher"
    host = node(FIRST)
    host.check_output(f"test -e {folder}/hardened || date +%s.%N > {folder}/hardened")
    begins = [float(node(name).check_output(f"head -n 1 {folder}/seen").split()[0]) for name in NODES]
    return Hardening(max(begins), float(host.check_output(f"cat {folder}/hardened")))


def test_each_node_says_that_it_is_one_of_three_that_speak_tls_alone() -> None:
    found = galera_info()
    assert sorted(found) == sorted(NODES)
    addresses = sorted(address(name) for name in NODES)
    for name, answer in found.items():
        assert (answer["name"], answer["status"], answer["size"], answer["state"]) == (name, "Primary", 3, "Synced")
        assert answer["replication_tls"] == "required"
        assert sorted(answer["allowlist"]) == addresses
        assert answer["sst_method"] == "mariabackup"
        assert answer["certificate"]
    assert len({answer["cluster_uuid"] for answer in found.values()}) == 1


def test_no_node_was_restarted_more_than_twice(hardening: Hardening, say: Callable[[str], None]) -> None:
    counts = {}
    for name in NODES:
        record = node(name).check_output(
            f"journalctl --unit mariadb.service --since @{hardening.begin:.3f} --until @{hardening.end:.3f}"
            " --output cat --quiet _PID=1"
        )
        counts[name] = sum(line.startswith("Starting mariadb.service") for line in record.splitlines())
    say(f"restarts: {counts}")
    assert max(counts.values()) <= 2
    assert min(counts.values()) >= 1


def looks(name: str) -> list[tuple[float, str, bool]]:
    lines = node(name).check_output("cat /var/lib/molecule-watcher/seen").splitlines()
    return [(float(moment), name, answer == "1") for moment, answer in map(str.split, lines)]


def test_at_every_moment_at_least_two_nodes_served(hardening: Hardening, say: Callable[[str], None]) -> None:
    history = sorted(look for name in NODES for look in looks(name))
    assert history[-1][0] > hardening.end - LONGEST_BLINK
    last: dict[str, float] = {}
    served: dict[str, bool] = {}
    away = dict.fromkeys(NODES, 0.0)
    for moment, name, answer in history:
        blink = moment - last.get(name, moment)
        assert blink < LONGEST_BLINK, f"{name} was not watched for {blink} s"
        away[name] += blink if not served.get(name, True) else 0
        last[name], served[name] = moment, answer
        if moment >= hardening.begin:
            assert sum(served.values()) >= 2, f"at {moment} served {served}"
    say(f"seconds in which a node did not serve: { {name: round(seconds, 1) for name, seconds in away.items()} }")
    # The counter-proof: the watchers did see the restarts.
    assert all(away.values())


@pytest.fixture(scope="module")
def acknowledged() -> list[tuple[int, float]]:
    """The rows that a server said were committed, and the seconds that each took."""
    record = node(LAST).check_output("cat /var/lib/molecule-writer/acknowledged")
    return [(int(number), float(pause)) for number, dummy_moment, pause in map(str.split, record.splitlines())]


@pytest.mark.parametrize("name", NODES)
def test_every_acknowledged_row_is_on_every_node(name: str, acknowledged: list[tuple[int, float]]) -> None:
    assert len(acknowledged) > 1000
    number = acknowledged[-1][0]
    # Answered only when the node has applied what was committed elsewhere.
    question = f"SET SESSION wsrep_sync_wait = 15; SELECT id FROM shop.written WHERE id <= {number} ORDER BY id"
    assert [int(row) for row in sql(name, question).split()] == [row for row, dummy_pause in acknowledged]
    assert sql(name, "SELECT count(*) FROM shop.customers WHERE id <= 1000") == "1000"


def test_the_writer_never_waited_long(acknowledged: list[tuple[int, float]], say: Callable[[str], None]) -> None:
    longest = max(pause for dummy_row, pause in acknowledged)
    say(f"the writer's longest pause: {longest:.1f} s, of {len(acknowledged)} rows")
    assert longest < LONGEST_PAUSE


def test_the_writer_gets_on() -> None:
    before = int(sql(FIRST, "SELECT max(id) FROM shop.written"))
    time.sleep(2)
    assert int(sql(FIRST, "SELECT max(id) FROM shop.written")) > before + 10


# Clients and accounts


def test_a_client_gets_in_with_tls_and_not_without(stranger: str) -> None:
    cipher = try_from_outside(WRITER, "SHOW STATUS LIKE 'Ssl_version'")
    assert cipher.stdout.split()[-1:] == ["TLSv1.3"], f"{stranger}: {cipher.stderr}"
    refused = try_from_outside(WRITER, "SELECT 1", tls=False)
    assert refused.rc != 0
    assert "ERROR 3159" in refused.stderr or "ERROR 1045" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.usefixtures("stranger")
def test_the_analyst_reads_the_one_column_that_was_granted_and_nothing_else() -> None:
    assert try_from_outside(ANALYST, "SELECT count(id) FROM shop.customers WHERE id <= 1000").stdout.strip() == "1000"
    for statement, number in (
        ("SELECT email FROM shop.customers", 1143),
        ("SELECT * FROM shop.customers", 1142),
        ("INSERT INTO shop.customers (id) VALUES (100000)", 1142),
        ("SELECT id FROM shop.written", 1142),
        ("SELECT User FROM mysql.global_priv", 1142),
        ("CREATE USER other@localhost", 1227),
    ):
        refused = try_from_outside(ANALYST, statement)
        assert f"ERROR {number}" in refused.stderr, statement


@pytest.mark.parametrize("name", NODES)
def test_anonymous_and_remote_roots_and_the_test_database_are_gone(name: str) -> None:
    assert sql(name, "SELECT count(*) FROM mysql.user WHERE User = '' AND is_role = 'N'") == "0"
    assert sql(name, "SELECT DISTINCT Host FROM mysql.user WHERE User = 'root'") == "localhost"
    assert sql(name, "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'test'") == "0"
    assert sql(name, "SELECT count(*) FROM mysql.db WHERE Db LIKE 'test%'") == "0"


@pytest.mark.parametrize("name", NODES)
def test_the_account_that_makes_transfers_may_do_no_more_than_that(name: str) -> None:
    grants = [line for line in sql(name, "SHOW GRANTS FOR mysql@localhost").splitlines() if " ON *.* " in line]
    assert len(grants) == 1
    privileges = grants[0].partition(" ON ")[0][len("GRANT ") :].split(", ")
    assert sorted(privileges) == ["BINLOG MONITOR", "LOCK TABLES", "PROCESS", "RELOAD"]
    assert "WITH GRANT OPTION" not in grants[0]


@pytest.mark.parametrize("password", ["secret", "lowercaseonlyword", "Short-1", "Password1234!"])
def test_a_weak_password_is_refused(password: str) -> None:
    refused = try_sql(FIRST, f"CREATE USER weakling@localhost IDENTIFIED BY '{password}'")
    assert "ERROR 1819" in refused.stderr
    assert sql(FIRST, "SELECT count(*) FROM mysql.user WHERE User = 'weakling'") == "0"


@pytest.mark.usefixtures("stranger")
def test_whoever_guesses_too_often_is_locked_out() -> None:
    victim = ("victim", f"Molecule-Victim-{secrets.token_hex(4)}-9")
    sql(FIRST, f"CREATE USER victim@'10.89.77.%' IDENTIFIED BY '{victim[1]}' REQUIRE SSL")
    try:
        assert try_from_outside(victim, "SELECT 1").rc == 0
        limit = int(sql(FIRST, "SELECT @@GLOBAL.max_password_errors"))
        assert limit <= 10
        for dummy_guess in range(limit):
            assert "ERROR 1045" in try_from_outside(("victim", "wrong"), "SELECT 1").stderr
        # The right one does not help any more.
        assert "ERROR 4150" in try_from_outside(victim, "SELECT 1").stderr
    finally:
        sql(FIRST, "DROP USER victim@'10.89.77.%'")


# What is kept, and where


# Of these the collection says itself that they hold in clear what is replicated; the mode of the folder guards them.
REPLICATION_BUFFERS = ("galera.cache", "gcache.page.*", "GRA_*.log")


def files_with(name: str, secret: str, *folders: str) -> list[str]:
    exceptions = " ".join(f"--exclude='{pattern}'" for pattern in REPLICATION_BUFFERS)
    found = node(name).run(
        f"grep --recursive --text --fixed-strings --files-with-matches {exceptions} {secret} {' '.join(folders)}"
    )
    return found.stdout.split()


def test_no_log_or_journal_has_the_text_of_a_failing_statement_or_a_password(word: str) -> None:
    password = f"{word}-Aq7-Zx"
    for name in NODES:
        for statement in (
            f"INSERT INTO shop.customers VALUES ('{word}', 'x')",
            f"INSERT INTO shop.customers VALUES (1, '{word}')",
            f"SELECT {word} FROM shop.customers",
            f"SELEC '{word}'",
            f"CREATE USER clerk@localhost IDENTIFIED BY '{word[:3]}'",
        ):
            assert try_sql(name, statement).rc != 0, statement
    sql(FIRST, f"CREATE USER clerk@localhost IDENTIFIED BY '{password}'")
    # Another one: nobody may take a password that was the account's before.
    sql(LAST, f"SET SESSION wsrep_sync_wait = 15; SET PASSWORD FOR clerk@localhost = PASSWORD('{password}-again')")
    sql(LAST, "DROP USER clerk@localhost")
    for name in NODES:
        node(name).check_output("journalctl --sync")
        assert files_with(name, word, "/var/log", "/run/log", "/tmp", "/var/tmp", "/root", DATA) == []
        assert word not in node(name).check_output("journalctl --quiet --output cat")
        # The counter-proof: what is said to the journal is found there.
        node(name).check_output(f"logger {word} && journalctl --sync")
        assert word in node(name).check_output("journalctl --quiet --output cat")


def test_what_nodes_log_of_a_failing_ddl_is_the_stated_residual(word: str) -> None:
    """No setting keeps it out: MDB-LOG-001 and the role's README say so. Where this fails, the server has mended it."""
    refused = try_sql(FIRST, f"CREATE USER root@localhost IDENTIFIED BY '{word}-Aq7-Zx'")
    assert "ERROR 1396" in refused.stderr
    node(SECOND).check_output("journalctl --sync")
    assert word in node(SECOND).check_output("journalctl --quiet --output cat")


def write_and_flush(name: str, word: str) -> None:
    sql(
        name,
        "CREATE DATABASE IF NOT EXISTS shop; CREATE TABLE shop.notes (id int PRIMARY KEY, text varchar(200));"
        f" INSERT INTO shop.notes SELECT seq, '{word}' FROM shop.seq_1_to_1000;"
        " FLUSH TABLES shop.notes FOR EXPORT; UNLOCK TABLES",
    )


def test_what_is_in_a_row_is_in_clear_in_no_file(stranger: str, word: str) -> None:
    write_and_flush(SECOND, word)
    for name in NODES:
        assert (
            sql(name, f"SET SESSION wsrep_sync_wait = 1; SELECT count(*) FROM shop.notes WHERE text = '{word}'")
            == "1000"
        )
        sql(name, "FLUSH TABLES shop.notes FOR EXPORT; UNLOCK TABLES")
        assert files_with(name, word, DATA) == []
        question = "SELECT count(*) FROM information_schema.innodb_tablespaces_encryption WHERE encryption_scheme = 0"
        assert sql(name, question) == "0"
    sql(SECOND, "DROP TABLE shop.notes")
    # The counter-proof: a server that was not hardened keeps it so that it is found.
    node(stranger).check_output("systemctl start mariadb.service")
    write_and_flush(stranger, word)
    assert f"{DATA}/shop/notes.ibd" in files_with(stranger, word, DATA)


@pytest.mark.parametrize("name", NODES)
def test_rows_that_could_not_be_applied_are_removed_before_a_week_is_over(name: str) -> None:
    host = node(name)
    old, young, other = (f"{DATA}/{one}" for one in ("GRA_4711_1.log", "GRA_4711_2.log", "not_GRA_4711.log"))
    host.check_output(f"touch -d '6 days ago' {old} {other} && touch {young}")
    assert host.check_output("systemctl is-active bulwark-galera-failed-writes.timer") == "active"
    host.check_output("systemctl start bulwark-galera-failed-writes.service")
    assert host.check_output(f"ls -d {DATA}/*GRA_4711*").split() == [young, other]
    host.check_output(f"rm {young} {other}")


@pytest.mark.parametrize("name", NODES)
def test_data_and_keys_are_for_the_server_alone(name: str) -> None:
    host = node(name)
    assert host.check_output(f"stat --format '%U %a' {DATA}") == "mysql 700"
    for path in (f"{TLS}/server.key", f"{TLS}/node.key"):
        assert host.check_output(f"stat --format '%U %a' {path}") == "mysql 600"
    for path in ("/etc/mysql/encryption/keys.enc", "/etc/mysql/encryption/passphrase"):
        assert host.check_output(f"stat --format '%U %a' {path}") in ("mysql 400", "mysql 600")
    assert host.run(f"runuser -u nobody -- ls {DATA} {TLS} /etc/mysql/encryption").stdout.strip() == ""


def test_the_nodes_share_their_keys_and_the_controller_has_them_sealed() -> None:
    kept = [path for path in ESCROW.rglob("*") if path.is_file()]
    assert len(kept) == 1
    assert kept[0].stat().st_mode & 0o777 == 0o600
    sealed = kept[0].read_bytes()
    assert sealed.startswith((b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----"))
    files = {
        node(name).check_output("sha256sum /etc/mysql/encryption/keys.enc /etc/mysql/encryption/passphrase")
        for name in NODES
    }
    assert len(files) == 1
    passphrase = node(FIRST).file("/etc/mysql/encryption/passphrase").content_string.strip()
    opened = node(FIRST).check_output(
        "openssl enc -d -aes-256-cbc -md sha1 -pass file:/etc/mysql/encryption/passphrase"
        " -in /etc/mysql/encryption/keys.enc 2>/dev/null"
    )
    keys = [line.partition(";")[2] for line in opened.splitlines()]
    assert all(len(key) in (32, 48, 64) for key in keys)
    assert not any(secret.encode() in sealed for secret in (passphrase, *keys))
    assert not any(bytes.fromhex(key) in sealed for key in keys)


# The host


def try_to_log_into(name: str, path: str) -> str:
    """The server itself looks whether it could write there, with the rights of its process."""
    before = sql(name, "SELECT @@general_log_file")
    node(name).check_output(f"install -d -m 0777 {path}")
    try:
        node(name).check_output(f"runuser -u mysql -- touch {path}/account")
        return str(try_sql(name, f"SET GLOBAL general_log_file = '{path}/server.log'").stderr)
    finally:
        sql(name, f"SET GLOBAL general_log_file = '{before}'")
        node(name).check_output(f"rm -r {path}")


@pytest.mark.parametrize("path", ["/srv/open", "/var/lib/open", "/usr/local/open"])
def test_the_server_can_not_write_where_its_own_account_could(stranger: str, path: str) -> None:
    for name in NODES:
        assert "ERROR 1231" in try_to_log_into(name, path)
    # The counter-proof: a server that was not hardened can.
    if not path.startswith("/usr"):
        node(stranger).check_output("systemctl start mariadb.service")
        assert try_to_log_into(stranger, path) == ""


@pytest.mark.parametrize("name", NODES)
def test_the_server_runs_confined_and_writes_files_for_nobody(name: str) -> None:
    host = node(name)
    assert "ERROR 1290" in try_sql(name, "SELECT 1 INTO OUTFILE '/srv/x'").stderr
    identifier = host.check_output("systemctl show --property MainPID --value mariadb.service")
    status = host.check_output(f"cat /proc/{identifier}/status")
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


@pytest.mark.parametrize("name", NODES)
def test_systemd_does_not_hold_the_servers_port(name: str) -> None:
    assert node(name).run("systemctl is-enabled mariadb.socket").stdout.strip() in ("disabled", "masked")
    assert node(name).check_output("systemctl is-active mariadb.service") == "active"


def reaches(origin: str, target: str, port: int) -> bool:
    return bool(node(origin).run(f"timeout 3 bash -c '</dev/tcp/{target}/{port}'").rc == 0)


@pytest.mark.parametrize("name", NODES)
def test_the_network_reaches_the_server_and_not_what_nodes_say_to_each_other(stranger: str, name: str) -> None:
    target = address(name)
    assert reaches(stranger, target, 3306)
    assert not reaches(stranger, target, GROUP_PORT)
    other = next(each for each in NODES if each != name)
    assert reaches(other, target, GROUP_PORT)


# Strangers


@contextlib.contextmanager
def let_through_the_packet_filter(visitor: str) -> Iterator[None]:
    """On every node, so that what stands behind the filter is met."""
    handles = {}
    for name in NODES:
        rule = f"nft --echo --handle insert rule inet bulwark input ip saddr {visitor} accept"
        # What it says ends with a line about itself.
        handles[name] = re.search(r"# handle (\d+)", node(name).check_output(rule))[1]
    try:
        yield
    finally:
        for name, handle in handles.items():
            node(name).check_output(f"nft delete rule inet bulwark input handle {handle}")


@contextlib.contextmanager
def listed_as_a_node(visitor: str) -> Iterator[None]:
    """The list is a table, which the nodes share and look into at each connection."""
    sql(FIRST, f"INSERT INTO mysql.wsrep_allowlist (ip) VALUES ('{visitor}')")
    try:
        yield
    finally:
        sql(FIRST, f"DELETE FROM mysql.wsrep_allowlist WHERE ip = '{visitor}'")


def try_to_join(name: str, **provider_options: str) -> str:
    """Starts a server that wants to become a node, and returns what it said until it gave up."""
    options = {"pc.wait_prim_timeout": "PT6S", "pc.announce_timeout": "PT1S", **provider_options}
    arguments = (
        "--no-defaults --user=mysql --wsrep-on=ON --wsrep-provider=/usr/lib/galera/libgalera_smm.so"
        f" --wsrep-cluster-name=shop --wsrep-cluster-address=gcomm://{','.join(map(address, NODES))}"
        " --binlog-format=ROW --wsrep-sst-method=mariabackup --socket=/run/mysqld/stranger.sock --skip-networking"
        f" --wsrep-node-name={name} --wsrep-node-address={address(name)}"
        f" --wsrep-provider-options='{';'.join(f'{key}={value}' for key, value in options.items())}'"
    )
    node(name).check_output("systemctl stop mariadb.service mariadb.socket; rm -f /var/lib/mysql/g*.dat")
    done = node(name).run(f"timeout 40 mariadbd {arguments} 2>&1")
    assert "gcomm: connecting to group 'shop'" in done.stdout, done.stdout
    return str(done.stdout)


def views() -> list[str]:
    """Changes with each member that comes or goes."""
    return [sql(name, "SHOW STATUS LIKE 'wsrep_cluster_conf_id'") for name in NODES]


CERTIFICATE_OF_ANOTHER_AUTHORITY = """
cd /root && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=foreign \
  -keyout foreign-ca.key -out foreign-ca.crt 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=molecule-galera2 \
  -keyout foreign.key -out foreign.csr 2>/dev/null
openssl x509 -req -in foreign.csr -CA foreign-ca.crt -CAkey foreign-ca.key -CAcreateserial -days 1 \\
  -out foreign.crt 2>/dev/null
install -d -o mysql -m 0700 /srv/foreign && install -o mysql -m 0600 foreign.crt foreign.key /srv/foreign
"""


@pytest.fixture(scope="module")
def pretender(stranger: str) -> str:
    """The stranger with papers: of another authority, and copies of those of a node."""
    host = node(stranger)
    host.check_output(CERTIFICATE_OF_ANOTHER_AUTHORITY)
    for name in ("cluster-ca.crt", "node.crt", "node.key"):
        text = node(SECOND).file(f"{TLS}/{name}").content_string
        host.check_output(f"echo {shlex.quote(text)} > /srv/foreign/{name}")
    host.check_output("chown mysql /srv/foreign/* && chmod 0600 /srv/foreign/*")
    return stranger


def papers(certificate: str, key: str) -> dict[str, str]:
    folder = "/srv/foreign"
    return {
        "socket.ssl": "yes",
        "socket.ssl_ca": f"{folder}/cluster-ca.crt",
        "socket.ssl_cert": f"{folder}/{certificate}",
        "socket.ssl_key": f"{folder}/{key}",
    }


@pytest.mark.parametrize(
    "options", [{}, papers("foreign.crt", "foreign.key")], ids=["plaintext", "foreign certificate"]
)
def test_a_stranger_can_not_join_even_from_an_address_of_a_node(pretender: str, options: dict[str, str]) -> None:
    before, visitor = views(), address(pretender)
    with let_through_the_packet_filter(visitor), listed_as_a_node(visitor):
        said = try_to_join(pretender, **options)
    assert "failed to reach primary view" in said
    assert views() == before


def test_stolen_papers_do_not_help_from_an_address_that_is_not_listed(pretender: str) -> None:
    before, visitor = views(), address(pretender)
    options = papers("node.crt", "node.key")
    with let_through_the_packet_filter(visitor):
        said = try_to_join(pretender, **options)
    assert "failed to reach primary view" in said
    assert views() == before


def test_only_papers_of_the_clusters_own_authority_are_taken(pretender: str) -> None:
    """The counter-proof: the nodes are reached, and a node's own papers are good."""
    visitor = address(pretender)
    with let_through_the_packet_filter(visitor), listed_as_a_node(visitor):
        for certificate, key, taken in (("node.crt", "node.key", True), ("foreign.crt", "foreign.key", False)):
            said = node(pretender).run(
                f"cd /srv/foreign && sleep 2 | openssl s_client -connect {address(FIRST)}:{GROUP_PORT}"
                f" -CAfile cluster-ca.crt -cert {certificate} -key {key} 2>&1 | tr -cd '[:print:]\\n'"
            )
            assert "Verify return code: 0 (ok)" in said.stdout
            assert ("alert" not in said.stdout) == taken


# What goes over the network


class Eavesdropper:
    """Hears all that goes to and from a host while it is open."""

    def __init__(self, name: str, word: str) -> None:
        program = (SCENARIO / "files" / "eavesdropper.py").read_text(encoding="utf-8")
        self._name, self._word = name, word
        self._process = subprocess.Popen(
            ["podman", "exec", "--interactive", name, "python3", "-c", program, word],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def finish(self) -> dict[int, int]:
        """The bytes heard on each port, when the word was in clear only where we said it so ourselves."""
        self._say_it_in_clear()
        answer = json.loads(self._process.communicate("", timeout=30)[0])
        assert answer["lost"] == 0
        assert answer["marked"] == [CLEAR_PORT]
        return {int(port): count for port, count in answer["seen"].items()}

    def _say_it_in_clear(self) -> None:
        server = f"import socket; s = socket.create_server(('', {CLEAR_PORT})); print(s.accept()[0].recv(100).decode())"
        with subprocess.Popen(
            ["podman", "exec", self._name, "timeout", "10", "python3", "-c", server], stdout=subprocess.PIPE, text=True
        ) as listener:
            other = next(name for name in NODES if name != self._name)
            target = f"/dev/tcp/{address(self._name)}/{CLEAR_PORT}"
            said = f"for n in $(seq 50); do echo {self._word} 2>/dev/null > {target} && exit; sleep 0.1; done; exit 1"
            node(other).check_output(f"bash -c {shlex.quote(said)}")
            assert self._word in listener.communicate(timeout=15)[0]


def write_marked_rows(name: str, word: str, first: int) -> None:
    sql(name, f"INSERT INTO shop.customers SELECT seq, CONCAT('{word}', seq) FROM shop.seq_{first}_to_{first + 99}")


def assert_marked_rows(name: str, word: str) -> None:
    question = f"SET SESSION wsrep_sync_wait = 1; SELECT count(*) FROM shop.customers WHERE email LIKE '{word}%'"
    assert sql(name, question) == "100"


@pytest.fixture
def first_row() -> Iterator[int]:
    """Rows for a test, from this one on; they are gone afterwards."""
    yield 1_000_000
    sql(FIRST, "DELETE FROM shop.customers WHERE id >= 1000000")


def test_a_written_row_goes_to_the_others_encrypted(word: str, first_row: int) -> None:
    eavesdropper = Eavesdropper(SECOND, word)
    write_marked_rows(FIRST, word, first_row)
    assert_marked_rows(SECOND, word)
    heard = eavesdropper.finish()
    assert heard[GROUP_PORT] > 100 * len(word)


def start_again(name: str, say: Callable[[str], None], meanwhile: Callable[[], object]) -> str:
    """Stops a node, does something, starts it and waits; what the server wrote into the journal since."""
    host = node(name)
    host.check_output("systemctl stop mariadb.service")
    meanwhile()
    begin = time.time()
    host.check_output("systemctl start mariadb.service")
    wait_until_synced(name)
    say(f"{name} was Synced {time.time() - begin:.1f} s after its start")
    host.check_output("journalctl --sync")
    return str(host.check_output(f"journalctl --unit mariadb.service --since @{begin - 1:.3f} --output cat --quiet"))


def test_a_node_that_was_away_gets_what_it_missed_encrypted(
    word: str, first_row: int, say: Callable[[str], None]
) -> None:
    eavesdropper = Eavesdropper(SECOND, word)
    record = start_again(SECOND, say, lambda: write_marked_rows(FIRST, word, first_row))
    assert_marked_rows(SECOND, word)
    heard = eavesdropper.finish()
    assert heard[INCREMENT_PORT] > 100 * len(word)
    assert heard.get(TRANSFER_PORT, 0) < 10_000
    assert "IST received" in record


def test_a_node_that_lost_its_data_gets_all_of_it_encrypted(
    word: str, first_row: int, say: Callable[[str], None]
) -> None:
    write_marked_rows(FIRST, word, first_row)
    eavesdropper = Eavesdropper(SECOND, word)
    remove = f"find {DATA} -mindepth 1 -delete"
    record = start_again(SECOND, say, lambda: node(SECOND).check_output(remove))
    assert_marked_rows(SECOND, word)
    heard = eavesdropper.finish()
    assert heard[TRANSFER_PORT] > 1_000_000
    assert "mariabackup SST completed" in record
    assert node(SECOND).check_output(f"stat --format '%U %a' {DATA}") == "mysql 700"
    assert files_with(SECOND, word, DATA) == []
    # Of accounts what counts: each node writes a time of its own to a grant.
    tables = (
        "SET SESSION wsrep_sync_wait = 1; CHECKSUM TABLE shop.customers;"
        " SELECT User, Host, JSON_VALUE(Priv, '$.access'), JSON_VALUE(Priv, '$.authentication_string')"
        " FROM mysql.global_priv ORDER BY User, Host;"
        " SELECT Host, Db, User, Table_name, Column_name, Column_priv FROM mysql.columns_priv ORDER BY 1, 2, 3, 4, 5"
    )
    assert sql(SECOND, tables) == sql(FIRST, tables)
    rows = "SET SESSION wsrep_sync_wait = 1; SELECT count(*) FROM shop.written WHERE id <= "
    last = sql(FIRST, "SELECT max(id) FROM shop.written")
    assert sql(SECOND, rows + last) == sql(FIRST, rows + last) == last


def test_after_all_of_this_the_cluster_is_whole_and_no_row_is_lost() -> None:
    answers = list(galera_info().values())
    for answer in galera_info(members=answers).values():
        assert answer["reasons_against_stopping"] == []
    record = node(LAST).check_output("tail -n 1 /var/lib/molecule-writer/acknowledged")
    number = record.split()[0]
    for name in NODES:
        assert (
            sql(name, f"SET SESSION wsrep_sync_wait = 15; SELECT count(*) FROM shop.written WHERE id <= {number}")
            == number
        )
