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

sys.path[:0] = [str(Path(__file__).resolve().parents[3] / "tests")]

from hardened_mariadb import (
    DATA,
    REPLICATION_BUFFERS,
    TLS,
    address,
    bring_authority,
    files_with,
    reaches,
    sql,
    try_sql,
)
from hardened_mariadb import host_of as node

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCENARIO = Path(__file__).resolve().parent.parent
LAB = SCENARIO.parent.parent / "tools" / "lab.py"
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
ESCROW = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "escrow"
PLATFORM = os.environ.get("BULWARK_PLATFORM", "debian12")
NODES = ("molecule-galera1", "molecule-galera2", "molecule-galera3")
FIRST, SECOND, LAST = NODES
STRANGER = "molecule-stranger"

GROUP_PORT, INCREMENT_PORT, TRANSFER_PORT = 4567, 4568, 4444
# Nothing is there; what is said on it in clear proves that the eavesdropper hears.
CLEAR_PORT = 4599
LONGEST_PAUSE = 30
# A watcher that the machine kept from looking for longer saw nothing.
LONGEST_BLINK = 6


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
    bring_authority(FIRST, STRANGER)
    yield STRANGER
    subprocess.run([sys.executable, LAB, "remove", STRANGER], check=True, capture_output=True)


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


# Accounts


@pytest.mark.parametrize("name", NODES)
def test_the_account_that_makes_transfers_may_do_no_more_than_that(name: str) -> None:
    grants = [line for line in sql(name, "SHOW GRANTS FOR mysql@localhost").splitlines() if " ON *.* " in line]
    assert len(grants) == 1
    privileges = grants[0].partition(" ON ")[0][len("GRANT ") :].split(", ")
    assert sorted(privileges) == ["BINLOG MONITOR", "LOCK TABLES", "PROCESS", "RELOAD"]
    assert "WITH GRANT OPTION" not in grants[0]


# What is kept, and where


def test_what_nodes_log_of_a_failing_ddl_is_the_stated_residual(word: str) -> None:
    """No setting keeps it out: MDB-LOG-001 and the role's README say so. Where this fails, the server has mended it."""
    refused = try_sql(FIRST, f"CREATE USER root@localhost IDENTIFIED BY '{word}-Aq7-Zx'")
    assert "ERROR 1396" in refused.stderr
    node(SECOND).check_output("journalctl --sync")
    assert word in node(SECOND).check_output("journalctl --quiet --output cat")


@pytest.mark.parametrize("name", NODES)
def test_rows_that_could_not_be_applied_are_removed_before_a_week_is_over(name: str) -> None:
    host = node(name)
    old, young, other = (f"{DATA}/{one}" for one in ("GRA_4711_1.log", "GRA_4711_2.log", "not_GRA_4711.log"))
    host.check_output(f"touch -d '6 days ago' {old} {other} && touch {young}")
    assert host.check_output("systemctl is-active bulwark-galera-failed-writes.timer") == "active"
    host.check_output("systemctl start bulwark-galera-failed-writes.service")
    assert host.check_output(f"ls -d {DATA}/*GRA_4711*").split() == [young, other]
    host.check_output(f"rm {young} {other}")


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
    assert files_with(SECOND, word, DATA, without=REPLICATION_BUFFERS) == []
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
