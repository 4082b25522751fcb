# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Failing statements of every kind against the baseline: what reaches the log, by level and policy."""

from __future__ import annotations

import typing as t

import psycopg
import pytest
from failing_statements import FAILING_STATEMENTS, ROW_MARKER, TABLES

from ansible_collections.bulwark.database.plugins.module_utils._io.identity import acting_as
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_settings import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge
from private_server import PORT, PrivateServer


def apply_baseline(server: PrivateServer, level: str, log_policy: str) -> None:
    options: dict[str, t.Any] = {
        "settings": {"ssl": "off"},
        "level": level,
        "log_policy": log_policy,
        "preload_libraries": [],
        "persist": "auto",
        "include_file": None,
        "reload_timeout": 10,
    }
    with open_subject(server.connection, options) as subject:
        converge(subject, check_mode=False)
    server.restart()


def fail_with_a_bound_parameter(server: PrivateServer) -> None:
    with acting_as("postgres"):
        connection = psycopg.connect(host=str(server.socket), port=PORT, user="postgres", autocommit=True)
    with connection, pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1/0 WHERE %b <> ''", ["bwmark_parameter"], prepare=True)


def markers_in_log(server: PrivateServer) -> set[str]:
    names = {one.marker for one in FAILING_STATEMENTS} | {"bwmark_parameter", ROW_MARKER}
    log = server.log_text()
    return {name for name in names if name in log}


def run_all(server: PrivateServer) -> None:
    server.psql(TABLES.format(row=ROW_MARKER))
    for statement in FAILING_STATEMENTS:
        server.psql(statement.text, check=False)
    fail_with_a_bound_parameter(server)
    server.psql("DO $$BEGIN RAISE LOG 'the end of the statements'; END$$")
    assert server.wait_for_log("the end of the statements")


def test_on_a_stock_server_every_marker_is_in_the_log(server: PrivateServer) -> None:
    """The counter-proof: without it the tests below could not fail."""
    run_all(server)
    expected = {one.marker for one in FAILING_STATEMENTS} | {"bwmark_parameter"}
    assert expected - {"bwmark_parameter"} <= markers_in_log(server)


def test_at_level_essential_only_primary_messages_quote_values(server: PrivateServer) -> None:
    apply_baseline(server, "essential", "privacy")
    run_all(server)
    assert markers_in_log(server) == {one.marker for one in FAILING_STATEMENTS if one.in_primary_message}


def test_at_level_strict_no_marker_is_in_the_log(server: PrivateServer) -> None:
    apply_baseline(server, "strict", "privacy")
    run_all(server)
    assert markers_in_log(server) == set()


def test_the_forensic_policy_records_failing_statements(server: PrivateServer) -> None:
    apply_baseline(server, "essential", "forensic")
    run_all(server)
    assert "bwmark_statement" in markers_in_log(server)
