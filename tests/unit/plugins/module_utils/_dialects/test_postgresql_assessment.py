# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an assessment asks: queries wrapped, options read, secrets left out."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._dialects.postgresql_assessment import (
    command_line_settings,
    hba_query,
    offenders_query,
    without_secrets,
)


@pytest.mark.parametrize("written", ["x LIKE 'pg_%'", "x LIKE 'pg_%%'"])
def test_a_per_cent_sign_is_literal_however_it_is_written(written: str) -> None:
    assert "x LIKE 'pg_%%'" in offenders_query(f"SELECT x FROM t WHERE {written};", limit=5)


def test_a_named_parameter_stays_one() -> None:
    assert "ANY (%(names)s::text[])" in offenders_query("SELECT 1 WHERE x = ANY (%(names)s::text[])", limit=5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('postgres "-D" "/data" "-c" "log_statement=all"', {"log_statement": "all"}),
        ('postgres "--log-statement=a b" "-i"', {"log_statement": "a b"}),
        ('postgres "-c" "Search_Path=a=b"', {"search_path": "a=b"}),
        ('postgres "unbalanced', {}),
        ("", {}),
    ],
)
def test_parameters_of_the_command_line_are_read(options: str, expected: dict[str, str]) -> None:
    assert command_line_settings(options) == expected


@pytest.mark.parametrize(
    ("option", "shown"),
    [("ldapbindpasswd=x", "ldapbindpasswd=***"), ("radiussecrets=a=b", "radiussecrets=***"), ("map=ops", "map=ops")],
)
def test_secrets_of_a_rule_are_not_shown(option: str, shown: str) -> None:
    assert without_secrets(option) == shown


def test_included_files_are_asked_for_where_the_server_knows_them() -> None:
    assert "file_name" not in hba_query(150018)
    assert "file_name" in hba_query(160000)
