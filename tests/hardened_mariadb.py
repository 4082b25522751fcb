# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hardened MariaDB server as clients and strangers meet it: what holds for one that is alone, and for nodes.

A scenario inherits from HardenedServers. It names the servers, and brings the fixture ``stranger``: the name of a host
in the trusted network with a client, the authority's certificate as OWN_AUTHORITY, and a stock server, which is the
counter-proof. Every server has the table shop.customers with 1000 rows, and the accounts WRITER and ANALYST.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
import subprocess
import time
import typing as t

import pytest
import testinfra
from failing_statements import MARIADB_STATEMENTS, MARIADB_TABLES, FailingStatement

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from testinfra.backend.base import CommandResult
    from testinfra.host import Host

WRITER = ("writer", "Molecule-Writer-1-secret")
ANALYST = ("analyst", "Molecule-7-quartz-harbour")
DATA = "/var/lib/mysql"
TLS = "/etc/mysql/tls"
KEYS = "/etc/mysql/encryption"
EXCHANGE = "/var/lib/mysql-files"
OWN_AUTHORITY = "/root/ca.crt"
CAP_IPC_LOCK = 1 << 14
# Of these the collection says itself that they hold in clear what is replicated; the mode of the folder guards them.
REPLICATION_BUFFERS = ("galera.cache", "gcache.page.*", "GRA_*.log")
# Where anything might write down what it was told.
LOGS = ("/var/log", "/run/log", "/tmp", "/var/tmp", "/root", DATA)


def host_of(name: str) -> Host:
    return testinfra.get_host(f"podman://{name}")


def address(name: str) -> str:
    return host_of(name).check_output("hostname --all-ip-addresses").split()[0]


def try_sql(name: str, statement: str, *options: str) -> CommandResult:
    """As root of the host, by the socket."""
    return host_of(name).run(
        f"mariadb --batch --skip-column-names {' '.join(options)} --execute {shlex.quote(statement)}"
    )


def sql(name: str, statement: str) -> str:
    done = try_sql(name, statement)
    assert done.rc == 0, done.stderr
    return str(done.stdout).strip()


def try_from_outside(
    client: str,
    target: str,
    account: tuple[str, str],
    statement: str,
    *,
    tls: bool = True,
    authority: str = OWN_AUTHORITY,
) -> CommandResult:
    """As a client of the network; with TLS it verifies the server's name."""
    transport = f"--ssl --ssl-ca={authority} --ssl-verify-server-cert" if tls else "--skip-ssl"
    user, password = account
    return host_of(client).run(
        f"MYSQL_PWD={shlex.quote(password)} mariadb --batch --skip-column-names --connect-timeout=15 {transport}"
        f" --host={target} --user={user} --execute {shlex.quote(statement)}"
    )


def bring_authority(server: str, client: str) -> None:
    text = host_of(server).file(f"{TLS}/ca.crt").content_string
    host_of(client).check_output(f"echo {shlex.quote(text)} > {OWN_AUTHORITY}")


def files_with(name: str, word: str, *places: str, without: t.Collection[str] = ()) -> list[str]:
    exceptions = " ".join(f"--exclude='{pattern}'" for pattern in without)
    found = host_of(name).run(
        "grep --recursive --text --fixed-strings --files-with-matches --no-messages"
        f" {exceptions} -e {word} {' '.join(places)}"
    )
    return found.stdout.split()


def journal(name: str) -> str:
    host_of(name).check_output("journalctl --sync")
    return str(host_of(name).check_output("journalctl --quiet --output cat"))


def open_files_with(name: str, word: str) -> list[str]:
    """Of the server: also files that have no name any more, as those for temporary data.

    Root of a container may not look at what a process has open, but the process's own account may.
    """
    host = host_of(name)
    process = host.check_output("systemctl show --property MainPID --value mariadb.service")
    script = (
        f"for fd in /proc/{process}/fd/*; do test -f $fd || continue; readlink $fd > /dev/null || exit 1;"
        f" grep --quiet --text --fixed-strings -e {word} $fd && readlink $fd; done; true"
    )
    return host.check_output(f"runuser -u mysql -- bash -c {shlex.quote(script)}").splitlines()


def start_stock_server(name: str) -> None:
    """One that was not hardened, to show that the same test finds there what it looks for."""
    host_of(name).check_output("systemctl start mariadb.service")
    sql(name, "CREATE DATABASE IF NOT EXISTS shop")


def write_and_flush(name: str, word: str) -> None:
    sql(
        name,
        "CREATE TABLE shop.notes (id int PRIMARY KEY, text varchar(200));"
        f" INSERT INTO shop.notes SELECT seq, '{word}' FROM shop.seq_1_to_1000;"
        f" UPDATE shop.notes SET text = CONCAT(text, 'x') WHERE id <= 500;"
        " FLUSH TABLES shop.notes FOR EXPORT; UNLOCK TABLES; FLUSH LOCAL BINARY LOGS",
    )


class HardenedServers:
    """Tests that a scenario inherits."""

    servers: t.ClassVar[tuple[str, ...]] = ()
    # The files of which the collection says itself that they hold data in clear.
    stated_in_clear: t.ClassVar[tuple[str, ...]] = ()
    in_a_cluster: t.ClassVar[bool] = False

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "name" in metafunc.fixturenames:
            metafunc.parametrize("name", metafunc.cls.servers)

    @pytest.fixture
    def word(self) -> str:
        """Something that is nowhere else."""
        return f"marker{random_text(24)}"

    @pytest.fixture
    def first(self) -> str:
        return self.servers[0]

    # Clients

    def test_a_client_gets_in_with_tls_and_not_without(self, name: str, stranger: str) -> None:
        cipher = try_from_outside(stranger, name, WRITER, "SHOW STATUS LIKE 'Ssl_version'")
        assert cipher.stdout.split()[-1:] == ["TLSv1.3"], cipher.stderr
        refused = try_from_outside(stranger, name, WRITER, "SELECT 1", tls=False)
        assert refused.rc != 0
        assert "ERROR 3159" in refused.stderr or "ERROR 1045" in refused.stderr
        assert refused.stdout == ""

    def test_a_client_can_tell_the_server_from_another_one(self, name: str, stranger: str) -> None:
        """The counter-proof of the test above: with an authority that did not sign for it, nobody gets in."""
        host_of(stranger).check_output(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=other"
            " -keyout /root/other.key -out /root/other.crt 2>/dev/null"
        )
        refused = try_from_outside(stranger, name, WRITER, "SELECT 1", authority="/root/other.crt")
        assert "ERROR 2026" in refused.stderr

    def test_the_analyst_reads_the_one_column_that_was_granted_and_nothing_else(self, name: str, stranger: str) -> None:
        question = "SELECT count(id) FROM shop.customers WHERE id <= 1000"
        assert try_from_outside(stranger, name, ANALYST, question).stdout.strip() == "1000"
        for statement, number in (
            ("SELECT email FROM shop.customers", 1143),
            ("SELECT * FROM shop.customers", 1142),
            ("INSERT INTO shop.customers (id) VALUES (100000)", 1142),
            ("SELECT id FROM shop.written", 1142),
            ("SELECT User FROM mysql.global_priv", 1142),
            ("CREATE USER other@localhost", 1227),
            ("SHOW DATABASES", 1227),
            ("SELECT 1 INTO OUTFILE '/var/lib/mysql-files/x'", 1227),
        ):
            refused = try_from_outside(stranger, name, ANALYST, statement)
            assert f"ERROR {number}" in refused.stderr, f"{statement}: {refused.stderr}"

    def test_what_an_old_stock_server_lets_strangers_in_with_is_gone(self, name: str) -> None:
        assert sql(name, "SELECT count(*) FROM mysql.user WHERE User = '' AND is_role = 'N'") == "0"
        assert sql(name, "SELECT DISTINCT Host FROM mysql.user WHERE User = 'root'") == "localhost"
        assert sql(name, "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'test'") == "0"
        assert sql(name, "SELECT count(*) FROM mysql.db WHERE Db LIKE 'test%'") == "0"

    def test_a_forgotten_session_ends(self, name: str, stranger: str) -> None:
        question = "SELECT @@wait_timeout, @@idle_transaction_timeout, @@max_statement_time"
        idle, idle_in_transaction, running = try_from_outside(stranger, name, ANALYST, question).stdout.split()
        assert 0 < int(idle) <= 3600
        assert 0 < int(idle_in_transaction) <= 3600
        assert 0 < float(running) <= 86400
        assert 0 < int(sql(name, "SELECT @@GLOBAL.interactive_timeout")) <= 1800

    # Passwords

    @pytest.mark.parametrize(
        ("password", "refused_by"),
        [
            ("Quartz-7-harb", "simple_password_check"),
            ("quartz-7-harbour", "simple_password_check"),
            ("Quartz7Harbour77", "simple_password_check"),
            ("Quartz-Harbour-Lane", "simple_password_check"),
            ("Aa1!Aa1!Aa1!Aa1!", "cracklib_password_check"),
            ("Constantinople-1", "cracklib_password_check"),
        ],
    )
    def test_a_weak_password_is_refused(self, first: str, password: str, refused_by: str) -> None:
        refused = try_sql(first, f"CREATE USER weakling@localhost IDENTIFIED BY '{password}'")
        assert "ERROR 1819" in refused.stderr
        assert f"({refused_by})" in refused.stderr
        assert sql(first, "SELECT count(*) FROM mysql.user WHERE User = 'weakling'") == "0"

    def test_a_password_is_not_used_again(self, first: str) -> None:
        passwords = [f"Molecule-{random_text(12)}-Qz" for dummy in range(2)]
        sql(first, f"CREATE USER forgetful@localhost IDENTIFIED BY '{passwords[0]}'")
        try:
            sql(first, f"ALTER USER forgetful@localhost IDENTIFIED BY '{passwords[1]}'")
            for password in passwords:
                refused = try_sql(
                    first, f"ALTER USER forgetful@localhost IDENTIFIED BY '{password}'", "--show-warnings"
                )
                assert refused.rc != 0
                assert "(password_reuse_check)" in refused.stdout + refused.stderr
        finally:
            sql(first, "DROP USER forgetful@localhost")

    def test_an_old_password_expires_but_not_that_of_a_service(self, first: str, stranger: str) -> None:
        password = f"Molecule-{random_text(12)}-Qz"
        people = ("sleeper", "PASSWORD EXPIRE DEFAULT"), ("daemon", "PASSWORD EXPIRE NEVER")
        for user, rule in people:
            own = f"{password}-{user}"
            sql(first, f"CREATE USER {user}@'10.89.77.%' IDENTIFIED BY '{own}' REQUIRE SSL {rule}")
        try:
            # A hundred days ago, as far as this server is concerned.
            sql(
                first,
                "UPDATE mysql.global_priv SET priv = JSON_SET(priv, '$.password_last_changed',"
                " UNIX_TIMESTAMP() - 100 * 86400) WHERE user IN ('sleeper', 'daemon'); FLUSH PRIVILEGES",
            )
            expired = try_from_outside(stranger, first, ("sleeper", f"{password}-sleeper"), "SELECT 1")
            assert "ERROR 1862" in expired.stderr
            service = try_from_outside(stranger, first, ("daemon", f"{password}-daemon"), "SELECT 1")
            assert service.stdout.strip() == "1", service.stderr
        finally:
            sql(first, "DROP USER sleeper@'10.89.77.%', daemon@'10.89.77.%'")

    def test_whoever_guesses_too_often_is_locked_out_and_it_is_on_record(self, first: str, stranger: str) -> None:
        victim = ("victim", f"Molecule-Victim-{random_text(8)}-9")
        sql(first, f"CREATE USER victim@'10.89.77.%' IDENTIFIED BY '{victim[1]}' REQUIRE SSL")
        try:
            assert try_from_outside(stranger, first, victim, "SELECT 1").rc == 0
            limit = int(sql(first, "SELECT @@GLOBAL.max_password_errors"))
            assert limit <= 10
            for dummy_guess in range(limit):
                assert "ERROR 1045" in try_from_outside(stranger, first, ("victim", "wrong"), "SELECT 1").stderr
            # The right one does not help any more, and whoever reads the audit learns of it.
            assert "ERROR 4150" in try_from_outside(stranger, first, victim, "SELECT 1").stderr
            assert any(line.split(",")[2:3] == ["victim"] and line.endswith(",4150") for line in audit_records(first))
            sql(first, "FLUSH PRIVILEGES")
            assert try_from_outside(stranger, first, victim, "SELECT 1").rc == 0
        finally:
            sql(first, "DROP USER victim@'10.89.77.%'")

    def test_a_service_that_comes_from_a_named_host_is_not_locked_out_from_another(
        self, first: str, stranger: str
    ) -> None:
        service = ("cashier", f"Molecule-Cashier-{random_text(8)}-9")
        account = f"cashier@'{address(stranger)}'"
        sql(first, f"CREATE USER {account} IDENTIFIED BY '{service[1]}' REQUIRE SSL")
        try:
            for dummy_guess in range(int(sql(first, "SELECT @@GLOBAL.max_password_errors")) + 1):
                # From the server's own host, by TCP.
                elsewhere = try_from_outside(first, first, ("cashier", "wrong"), "SELECT 1", authority=f"{TLS}/ca.crt")
                assert "Access denied for user 'cashier'" in elsewhere.stderr
            assert try_from_outside(stranger, first, service, "SELECT 1").stdout.strip() == "1"
        finally:
            sql(first, f"DROP USER {account}")

    # What statements may do

    def test_statements_read_and_write_files_in_one_folder_only(self, name: str, stranger: str) -> None:
        load = "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE shop.lines"
        load = f"CREATE TEMPORARY TABLE shop.lines (line text); {load}"
        assert "ERROR 4166" in try_sql(name, load, "--local-infile=1").stderr
        assert "ERROR 1290" in try_sql(name, "SELECT 1 INTO OUTFILE '/srv/x'").stderr
        assert sql(name, "SELECT LOAD_FILE('/etc/passwd') IS NULL") == "1"
        try:
            sql(name, f"SELECT 'text' INTO OUTFILE '{EXCHANGE}/written'")
            assert sql(name, f"SELECT LOAD_FILE('{EXCHANGE}/written')") == "text\\n"
        finally:
            host_of(name).check_output(f"rm -f {EXCHANGE}/written")
        # The counter-proof
        start_stock_server(stranger)
        assert try_sql(stranger, load, "--local-infile=1").rc == 0
        assert sql(stranger, "SELECT LOAD_FILE('/etc/passwd') IS NULL") == "0"

    def test_a_table_is_put_nowhere_else_by_a_link(self, name: str, stranger: str) -> None:
        make = "CREATE TABLE shop.elsewhere (id int) ENGINE=Aria TRANSACTIONAL=0 DATA DIRECTORY='{}'"
        start_stock_server(stranger)
        for server, folder, links in ((name, EXCHANGE, ""), (stranger, "/var/lib/mysql-elsewhere", "elsewhere.MAD")):
            host_of(server).check_output(f"install -d -o mysql -g mysql -m 0700 {folder}")
            sql(server, make.format(folder))
            try:
                found = f"find {DATA}/shop -type l -name 'elsewhere*' -printf '%f\\n'"
                assert host_of(server).check_output(found) == links
            finally:
                sql(server, "DROP TABLE shop.elsewhere")

    def test_bad_data_is_refused_and_not_cut(self, name: str) -> None:
        table = "CREATE TEMPORARY TABLE shop.strict (code varchar(3), amount int) ENGINE=Aria; "
        for values, number in (("('abcd', 1)", 1406), ("('abc', 1), ('abc', 'x')", 1366), ("('abc', 1 / 0)", 1365)):
            refused = try_sql(name, f"{table} INSERT INTO shop.strict VALUES {values}")
            assert f"ERROR {number}" in refused.stderr, values
        assert "ERROR 1286" in try_sql(name, "CREATE TABLE shop.typo (id int) ENGINE=InoDB").stderr

    # What is kept, and where

    def test_no_log_has_the_text_of_a_statement_or_what_it_held(self, name: str, stranger: str, word: str) -> None:
        statements = [one for one in MARIADB_STATEMENTS if not (self.in_a_cluster and one.on_accounts)]
        results = run_statements(name, statements, word)
        assert results == {one.name: one.succeeds for one in statements}
        for server in self.servers:
            assert files_with(server, word, *LOGS, without=self.stated_in_clear) == []
            assert word not in journal(server)
        # The counter-proof: a server with a talkative log has them all, and what is said to the journal is found.
        start_stock_server(stranger)
        sql(stranger, "SET GLOBAL general_log_file = 'general.log', GLOBAL general_log = ON")
        try:
            run_statements(stranger, statements, word)
        finally:
            sql(stranger, "SET GLOBAL general_log = OFF")
        text = host_of(stranger).check_output(f"cat {DATA}/general.log")
        assert [one.name for one in statements if f"{word}{one.name}" not in text] == []
        host_of(name).check_output(f"logger {word}")
        assert word in journal(name)

    def test_the_audit_says_who_came_and_what_was_touched_and_no_more(
        self, name: str, stranger: str, word: str
    ) -> None:
        try_from_outside(stranger, name, ANALYST, f"SELECT id, '{word}' FROM shop.customers LIMIT 1")
        try_from_outside(stranger, name, ("analyst", word), "SELECT 1")
        sql(name, "FLUSH PRIVILEGES")  # that guess is forgotten
        records = [line.split(",") for line in audit_records(name)]
        client = address(stranger)
        seen = {tuple(record[6:9]) for record in records if record[2:4] == ["analyst", client]}
        assert ("CONNECT", "", "") in seen
        assert ("DISCONNECT", "", "") in seen
        assert ("READ", "shop", "customers") in seen
        assert ("FAILED_CONNECT", "", "") in seen
        assert not any(word in part for record in records for part in record)

    def test_what_is_in_a_row_is_in_clear_in_no_file(self, name: str, stranger: str, word: str) -> None:
        write_and_flush(name, word)
        try:
            for server in self.servers:
                wait = "SET SESSION wsrep_sync_wait = 1;" if self.in_a_cluster else ""
                assert sql(server, f"{wait} SELECT count(*) FROM shop.notes WHERE text LIKE '{word}%'") == "1000"
                sql(server, "FLUSH TABLES shop.notes FOR EXPORT; UNLOCK TABLES")
                assert files_with(server, word, DATA, "/var/log", without=self.stated_in_clear) == []
                question = (
                    "SELECT name FROM information_schema.innodb_tablespaces_encryption WHERE encryption_scheme = 0"
                )
                assert sql(server, question) == ""
        finally:
            sql(name, "DROP TABLE shop.notes")
        # The counter-proof: a server that was not hardened keeps it so that it is found.
        start_stock_server(stranger)
        write_and_flush(stranger, word)
        found = files_with(stranger, word, DATA)
        sql(stranger, "DROP TABLE shop.notes")
        assert {f"{DATA}/shop/notes.ibd", f"{DATA}/ib_logfile0"} <= set(found)

    def test_temporary_data_is_in_clear_in_no_file(self, name: str, stranger: str, word: str) -> None:
        start_stock_server(stranger)
        with temporary_data(name, word):
            assert open_files_with(name, word) == []
        with temporary_data(stranger, word):
            assert any(path.startswith("/tmp/") for path in open_files_with(stranger, word))

    def test_data_and_keys_are_for_the_server_alone(self, name: str) -> None:
        host = host_of(name)
        assert host.check_output(f"stat --format '%U %a' {DATA}") == "mysql 700"
        keys = host.check_output(f"ls {TLS}/*.key").split()
        assert f"{TLS}/server.key" in keys
        for path in keys:
            assert host.check_output(f"stat --format '%U %a' {path}") == "mysql 600"
        for path in (f"{KEYS}/keys.enc", f"{KEYS}/passphrase"):
            assert host.check_output(f"stat --format '%U %a' {path}") in ("mysql 400", "mysql 600")
        for path in (DATA, TLS, KEYS, EXCHANGE):
            assert host.run(f"runuser -u nobody -- ls {path}").rc != 0
        for path in host.check_output("find /var/log/mysql* /var/log/mariadb* -type f 2>/dev/null; true").split():
            assert host.run(f"runuser -u nobody -- cat {path}").rc != 0
        assert host.run("runuser -u nobody -- journalctl --quiet --unit mariadb.service").stdout == ""

    # The host

    @pytest.mark.parametrize("path", ["/srv/open", "/var/lib/open", "/usr/local/open"])
    def test_the_server_can_not_write_where_its_own_account_could(self, name: str, stranger: str, path: str) -> None:
        assert "ERROR 1231" in try_to_log_into(name, path)
        # The counter-proof: a server that was not hardened can.
        if not path.startswith("/usr"):
            start_stock_server(stranger)
            assert try_to_log_into(stranger, path) == ""

    def test_the_server_runs_confined(self, name: str) -> None:
        host = host_of(name)
        identifier = host.check_output("systemctl show --property MainPID --value mariadb.service")
        status = host.check_output(f"cat /proc/{identifier}/status")
        assert "NoNewPrivs:\t1" in status
        assert "Seccomp:\t2" in status
        capabilities = [int(found, 16) for found in re.findall(r"Cap(?:Eff|Prm|Inh|Amb):\t([0-9a-f]+)", status)]
        assert len(capabilities) == 4
        assert not any(found & ~CAP_IPC_LOCK for found in capabilities)

    def test_systemd_does_not_hold_the_servers_port(self, name: str) -> None:
        assert host_of(name).run("systemctl is-enabled mariadb.socket").stdout.strip() in ("disabled", "masked")
        assert host_of(name).check_output("systemctl is-active mariadb.service") == "active"

    def test_declared_networks_alone_reach_the_servers_port(self, name: str, stranger: str) -> None:
        target = address(name)
        assert reaches(stranger, target, 3306)
        # Another network of the same host: an address outside of every declared one is refused by silence.
        host = host_of(name)
        host.run("ip netns del beyond; ip link del bw0")
        host.check_output(
            "ip netns add beyond && ip link add bw0 type veth peer name bw1 && ip link set bw1 netns beyond"
            " && ip addr add 192.0.2.1/24 dev bw0 && ip link set bw0 up"
            " && ip netns exec beyond ip addr add 192.0.2.2/24 dev bw1 && ip netns exec beyond ip link set bw1 up"
            " && ip netns exec beyond ip route add default via 192.0.2.1"
        )
        try:
            knock = f"ip netns exec beyond timeout 3 bash -c '</dev/tcp/{target}/3306'"
            assert host.run(knock).rc == 124
            rule = "nft --echo --handle insert rule inet bulwark input ip saddr 192.0.2.2 accept"
            handle = re.search(r"# handle (\d+)", host.check_output(rule))
            assert handle
            # The counter-proof: it was the filter.
            opened = host.run(knock).rc
            host.check_output(f"nft delete rule inet bulwark input handle {handle[1]}")
            assert opened == 0
        finally:
            host.run("ip netns del beyond; ip link del bw0")


def random_text(length: int) -> str:
    """What the rules take as part of a password: with a digit in any case, which one of fifty drawn at random lacked.

    Without neighbours in the alphabet: cracklib refuses one password of a hundred in hex, for "cba" and "89".
    """
    drawn = (secrets.choice("acegikmoqsuwy13579") for dummy in range(length - 1))
    return "".join((*drawn, secrets.choice("13579")))


def run_statements(name: str, statements: t.Iterable[FailingStatement], word: str) -> dict[str, bool]:
    """Whether each succeeded; then two sessions wait for each other. Where data stands is the word, and their names."""
    sql(name, MARIADB_TABLES.format(row=f"{word}row", other=f"{word}other"))
    try:
        results = {}
        for statement in statements:
            text = statement.sql.format(marker=f"{word}{statement.name}")
            results[statement.name] = bool(try_sql(name, f"USE failures; {text}").rc == 0)
        update = "UPDATE failures.person SET age = age + 1 WHERE email = '{}'; DO SLEEP(0.7);"
        mine, other = update.format(f"{word}row"), update.format(f"{word}other")
        both = " & ".join(f'mariadb --execute "BEGIN; {text} COMMIT" 2>&1' for text in (mine + other, other + mine))
        assert "ERROR 1213" in host_of(name).run(f"{both}; wait").stdout
        return results
    finally:
        sql(name, "DROP DATABASE failures; DROP USER IF EXISTS clerk2@localhost")


def audit_records(name: str) -> list[str]:
    path = sql(name, "SELECT @@GLOBAL.server_audit_file_path")
    return host_of(name).check_output(f"cd {DATA} && cat {path}").splitlines()


@contextlib.contextmanager
def temporary_data(name: str, word: str) -> Iterator[None]:
    """A session that keeps temporary tables, and a sort that does not fit into memory."""
    rows = f"SELECT seq, CONCAT('{word}', seq, REPEAT('x', 400)) AS text FROM shop.seq_1_to_20000"
    statement = (
        "SET SESSION sort_buffer_size = 32768;"
        f" CREATE TEMPORARY TABLE shop.a ENGINE=Aria {rows}; CREATE TEMPORARY TABLE shop.i ENGINE=InnoDB {rows};"
        " SELECT 'ready'; SELECT text, SLEEP(0.01) FROM shop.a ORDER BY text DESC"
    )
    process = subprocess.Popen(
        ["podman", "exec", name, "mariadb", "--unbuffered", "--batch", "--execute", statement],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        while process.stdout.readline() not in ("ready\n", ""):
            pass
        time.sleep(2)
        assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()
        sessions = (
            "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(0.01)%' AND id <> @@pseudo_thread_id"
        )
        for session in sql(name, sessions).split():
            sql(name, f"KILL {session}")


def try_to_log_into(name: str, path: str) -> str:
    """The server itself looks whether it could write there, with the rights of its process."""
    before = sql(name, "SELECT @@general_log_file")
    host_of(name).check_output(f"install -d -m 0777 {path}")
    try:
        host_of(name).check_output(f"runuser -u mysql -- touch {path}/account")
        return str(try_sql(name, f"SET GLOBAL general_log_file = '{path}/server.log'").stderr)
    finally:
        sql(name, f"SET GLOBAL general_log_file = '{before}'")
        host_of(name).check_output(f"rm -r {path}")


def reaches(origin: str, target: str, port: int) -> bool:
    return bool(host_of(origin).run(f"timeout 3 bash -c '</dev/tcp/{target}/{port}'").rc == 0)
