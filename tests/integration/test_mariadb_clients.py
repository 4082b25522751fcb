# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_clients against servers with real clients over TCP, with and without TLS and performance_schema."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import ssl
import subprocess
import threading
import typing as t
from pathlib import Path

import pymysql
import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    InvalidDeclaration,
    ObservationFailed,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import ServerRefused
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_clients import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_mariadb import PrivateMariaDB
from through_ansible import through_ansible

PASSWORD = "Old-Secret-1"


def free_port() -> int:
    """Below those that the kernel gives to outgoing connections, and not what another run on this machine has."""
    for port in range(20000 + os.getpid() % 3000, 24000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


PORT = free_port()


def clients(server: PrivateMariaDB, record: Path, *, check_mode: bool = False, **options: t.Any) -> Outcome:
    unset = {"stage": "observe", "seconds": 0, "days": 7, "password_lifetime": None, "exclude": [], "accept": []}
    with open_subject(server.connection, {**unset, "record_file": str(record), **options}) as subject:
        return converge(subject, check_mode=check_mode)


def connect(user: str = "writer", *, tls: bool = False) -> pymysql.connections.Connection:
    context = ssl.create_default_context() if tls else None
    if context:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    where: dict[str, t.Any] = {"host": "127.0.0.1", "port": PORT, "user": user, "password": PASSWORD}
    return pymysql.connect(**where, ssl=context, ssl_disabled=not tls)


def listen(server: PrivateMariaDB, options: str = "", *, tls: bool = True) -> None:
    """Start it on loopback, with an account for any host."""
    lines = [
        "[mariadbd]",
        "skip_networking = OFF",
        "bind_address = 127.0.0.1",
        f"port = {PORT}",
        "skip_name_resolve = ON",
        options,
    ]
    if tls:
        key, certificate = server.root / "key.pem", server.root / "certificate.pem"
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=private"]
        command = [*request, "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        server.chown(key, certificate)
        lines += [f"ssl_cert = {certificate}", f"ssl_key = {key}"]
    (server.drop_ins / "network.cnf").write_text("\n".join([*lines, ""]), encoding="utf-8")
    server.start()
    server.sql(f"DROP USER IF EXISTS ''@localhost; CREATE USER writer@'%' IDENTIFIED BY '{PASSWORD}'")


def problems(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(one["account"], one["host"], one["problem"]) for one in outcome.result["clients"]]


def test_a_client_in_plaintext_is_told_from_one_with_tls(stopped_mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    listen(stopped_mariadb, "performance_schema = ON")
    record = tmp_path / "state" / "clients.json"
    stopped_mariadb.sql(f"CREATE USER safe@'%' IDENTIFIED BY '{PASSWORD}'")
    with connect("safe", tls=True), by_the_socket(stopped_mariadb):
        assert not clients(stopped_mariadb, record).plan
        with connect():
            foreseen = clients(stopped_mariadb, record, check_mode=True)
            assert not record.exists()
            first = clients(stopped_mariadb, record)
            assert first.plan == foreseen.plan
            assert problems(first) == [("writer@%", "127.0.0.1", "plaintext")]
            assert not first.result["blind"]
            assert record.stat().st_mode & 0o777 == 0o600
            assert not clients(stopped_mariadb, record).plan
            with pytest.raises(RefusedForSafety, match=r"lock out 1 clients: plaintext: writer@% from 127\.0\.0\.1"):
                clients(stopped_mariadb, record, stage="enforce")


def by_the_socket(server: PrivateMariaDB) -> pymysql.connections.Connection:
    """A client on the unix socket, where nothing crosses a network."""
    return pymysql.connect(user="root", unix_socket=str(server.socket))


def test_a_recorded_client_counts_until_it_is_mended_or_accepted(
    stopped_mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    listen(stopped_mariadb, "performance_schema = ON")
    record = tmp_path / "clients.json"
    with connect():
        clients(stopped_mariadb, record)
    with pytest.raises(RefusedForSafety, match="Let the clients connect with TLS"):
        clients(stopped_mariadb, record, stage="enforce")
    clients(stopped_mariadb, record, stage="enforce", days=0)
    for account in ("writer@%", "*"):
        accepted = [{"account": account, "problem": "plaintext"}]
        assert not clients(stopped_mariadb, record, stage="enforce", accept=accepted).plan
    clients(stopped_mariadb, record, stage="enforce", exclude=["writer@%"])
    others = [{"account": "writer@localhost", "problem": "plaintext"}, {"account": "*", "problem": "password_expires"}]
    with pytest.raises(RefusedForSafety):
        clients(stopped_mariadb, record, stage="enforce", accept=others)
    stopped_mariadb.sql("ALTER USER writer@'%' REQUIRE SSL")
    assert not clients(stopped_mariadb, record, stage="enforce").plan


def test_a_server_without_tls_has_plaintext_clients_only(stopped_mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    listen(stopped_mariadb, tls=False)
    with connect():
        outcome = clients(stopped_mariadb, tmp_path / "clients.json")
    assert problems(outcome) == [("writer@%", "127.0.0.1", "plaintext")]
    assert not outcome.result["blind"]


def test_without_performance_schema_the_module_says_that_it_is_blind(
    stopped_mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    listen(stopped_mariadb)
    record = tmp_path / "clients.json"
    stopped_mariadb.sql(f"CREATE USER safe@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL")
    with connect(tls=True), connect("safe", tls=True):
        outcome = clients(stopped_mariadb, record)
    assert problems(outcome) == [("writer@%", "127.0.0.1", "plaintext_unknown")]
    assert outcome.result["blind"]
    assert outcome.plan.warnings == (outcome.result["blind_reason"],)
    with pytest.raises(RefusedForSafety, match="performance_schema=ON"):
        clients(stopped_mariadb, record, stage="enforce")
    accepted = [{"account": "writer@%", "problem": "plaintext_unknown"}]
    assert not clients(stopped_mariadb, record, stage="enforce", accept=accepted).plan


def test_once_plaintext_is_refused_nobody_is_left_to_lock_out(stopped_mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    listen(stopped_mariadb)
    record = tmp_path / "clients.json"
    with connect():
        clients(stopped_mariadb, record)
    stopped_mariadb.sql("SET GLOBAL require_secure_transport = ON")
    with connect(tls=True):
        outcome = clients(stopped_mariadb, record, stage="enforce", seconds=60)
    assert outcome.result["enforced"]
    assert not outcome.result["clients"]


def test_a_client_that_comes_while_sessions_are_looked_at_is_seen(
    stopped_mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    listen(stopped_mariadb, "performance_schema = ON")
    opened: list[pymysql.connections.Connection] = []
    later = threading.Timer(0.7, lambda: opened.append(connect()))
    later.start()
    outcome = clients(stopped_mariadb, tmp_path / "clients.json", seconds=2.0)
    later.join()
    opened[0].close()
    assert problems(outcome) == [("writer@%", "127.0.0.1", "plaintext")]


def test_passwords_older_than_the_lifetime_are_found_as_the_server_judges(
    stopped_mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    listen(stopped_mariadb, tls=False)
    age = "JSON_SET(Priv, '$.password_last_changed', UNIX_TIMESTAMP() - 40 * 86400)"
    names = ("old", "never", "longer", "fresh", "either", "shut", "empty", "batch")
    stopped_mariadb.sql(
        "".join(f"CREATE USER {name}@'%' IDENTIFIED BY '{PASSWORD}';" for name in names if name != "empty")
        + "CREATE USER empty@'%'; CREATE ROLE people; INSTALL SONAME 'auth_ed25519';"
        "ALTER USER never@'%' PASSWORD EXPIRE NEVER; ALTER USER longer@'%' PASSWORD EXPIRE INTERVAL 90 DAY;"
        f"ALTER USER either@'%' IDENTIFIED VIA unix_socket OR ed25519 USING PASSWORD('{PASSWORD}');"
        "ALTER USER shut@'%' ACCOUNT LOCK;"
        f"UPDATE mysql.global_priv SET Priv = {age} WHERE User NOT IN ('fresh', 'writer'); FLUSH PRIVILEGES;"
    )
    record = tmp_path / "clients.json"
    outcome = clients(stopped_mariadb, record, password_lifetime=30, exclude=["batch@%"])
    assert problems(outcome) == [(name, "", "password_expires") for name in ("either@%", "old@%")]
    assert not clients(stopped_mariadb, record, password_lifetime=41).plan
    with pytest.raises(RefusedForSafety, match="Set new passwords"):
        clients(stopped_mariadb, record, password_lifetime=30, stage="enforce")
    stopped_mariadb.sql("SET GLOBAL default_password_lifetime = 30; SET GLOBAL disconnect_on_expired_password = ON")
    for name in ("never", "longer", "fresh"):
        connect(name).close()
    with pytest.raises(pymysql.MySQLError, match="expired"):
        connect("old").close()


def test_what_no_server_can_answer_is_refused(mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    record = tmp_path / "clients.json"
    for wrong in ({"seconds": -1}, {"password_lifetime": 0}, {"accept": [{"account": "app", "problem": "plaintext"}]}):
        with pytest.raises(InvalidDeclaration):
            clients(mariadb, record, **t.cast("dict[str, t.Any]", wrong))
    record.write_text("not ours")
    with pytest.raises(ObservationFailed, match="is no record of client sightings"):
        clients(mariadb, record)
    assert record.read_text() == "not ours"


def test_an_account_that_does_not_see_the_sessions_of_others_is_refused(
    mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    mariadb.sql(f"CREATE USER half@localhost IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON *.* TO half@localhost")
    connection = dataclasses.replace(mariadb.connection, user="half", password=Secret(PASSWORD))
    options = {"stage": "enforce", "seconds": 0, "days": 7, "password_lifetime": None, "exclude": [], "accept": []}
    asked = {**options, "record_file": str(tmp_path / "clients.json")}
    with open_subject(connection, asked) as subject, pytest.raises(ServerRefused, match="PROCESS"):
        subject.observe()


def test_through_ansible(stopped_mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    listen(stopped_mariadb, tls=False)
    options = {**stopped_mariadb.login_options(), "record_file": str(tmp_path / "clients.json"), "seconds": 0}
    with connect():
        answer = through_ansible("mariadb_clients", options, "--diff", home=tmp_path)
    assert answer["changed"]
    assert answer["recorded"] == answer["clients"] == json.loads((tmp_path / "clients.json").read_text())
    assert PASSWORD not in str(answer)
