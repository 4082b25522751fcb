# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_clients against a server with a real plaintext client and a real md5 verifier."""

from __future__ import annotations

import typing as t
from pathlib import Path

import psycopg
import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ObservationFailed, RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_clients import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PORT, PrivateServer


def clients(server: PrivateServer, record: Path, **options: t.Any) -> Outcome:
    parameters = {"stage": "observe", "hours": 1, "record_file": str(record), "accept": [], **options}
    with open_subject(server.connection, parameters) as subject:
        return converge(subject, check_mode=False)


@pytest.fixture
def busy_server(stopped_server: PrivateServer) -> PrivateServer:
    """Listens in plaintext on loopback, logs connections, and has an md5 login."""
    with (stopped_server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write(
            "listen_addresses = '127.0.0.1'\nlog_connections = on\nlog_line_prefix = '%m [%p] %q%u@%d '\n"
            "password_encryption = md5\n"
        )
    hba = stopped_server.data / "pg_hba.conf"
    hba.write_text("local all all peer\nhost all all 127.0.0.1/32 md5\n")
    stopped_server.start()
    stopped_server.psql("CREATE ROLE old LOGIN PASSWORD 'Old-Secret-1'; CREATE DATABASE shop")
    return stopped_server


def connect(role: str = "old") -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=PORT, user=role, password="Old-Secret-1", dbname="shop", sslmode="disable"
    )


def test_a_client_that_came_and_went_is_recorded_once_and_blocks_enforcement(
    busy_server: PrivateServer, tmp_path: Path
) -> None:
    record = tmp_path / "state" / "clients.json"
    connect().close()
    assert busy_server.wait_for_log("connection authorized: user=old database=shop")
    first = clients(busy_server, record)
    assert first.plan.summaries() == [
        "sighting md5_password: role old: recorded",
        "sighting plaintext: role old in database shop from 127.0.0.1: recorded",
    ]
    assert record.stat().st_mode & 0o777 == 0o600
    assert not clients(busy_server, record).plan
    with pytest.raises(RefusedForSafety, match="would lock out 2 clients"):
        clients(busy_server, record, stage="enforce")
    accepted = [{"problem": problem, "role": "old"} for problem in ("plaintext", "md5_password")]
    assert not clients(busy_server, record, stage="enforce", accept=accepted).plan


def test_a_session_of_this_moment_is_seen_without_a_log(busy_server: PrivateServer, tmp_path: Path) -> None:
    busy_server.psql("ALTER SYSTEM SET log_connections = off; SELECT pg_reload_conf()")
    busy_server.restart()
    with connect():
        outcome = clients(busy_server, tmp_path / "clients.json")
    assert "sighting plaintext: role old in database shop from 127.0.0.1: recorded" in outcome.plan.summaries()
    assert "log_connections is off" in outcome.plan.warnings[0]


def test_a_foreign_file_is_not_overwritten(busy_server: PrivateServer, tmp_path: Path) -> None:
    record = tmp_path / "clients.json"
    record.write_text("not ours")
    with pytest.raises(ObservationFailed, match="is no record of client sightings"):
        clients(busy_server, record)
    assert record.read_text() == "not ours"
