# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_server against a real server: three declarations in one, none of them half done."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    BulwarkError,
    InvalidDeclaration,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_server import (
    open_subject,
    server_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PrivateServer
from through_ansible import through_ansible

PEER = {"type": "local", "method": "peer"}
PASSWORD = "Correct-horse-9"
APP_RULE = {"type": "host", "users": ["app"], "address": "127.0.0.1/32", "method": "scram-sha-256"}
EVERYTHING: dict[str, t.Any] = {
    "roles": [{"name": "app", "login": True, "password": PASSWORD}],
    "databases": [{"name": "postgres", "grants": [{"to": ["app"], "privileges": ["CONNECT"]}]}],
    "settings": {"work_mem": "16MB", "shared_buffers": "64MB"},
    "rules": [PEER, APP_RULE],
}


def with_defaults(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """As Ansible fills them in, in lists of mappings too."""

    def fill(spec: dict[str, t.Any], given: dict[str, t.Any]) -> dict[str, t.Any]:
        filled = {}
        for name, option in spec.items():
            value = given.get(name, option.get("default"))
            if "options" in option and value is not None:
                value = [fill(option["options"], one) for one in value]
            filled[name] = value
        return filled

    return fill(server_options(), options)


def declare(server: PrivateServer, journal: Path, *, check_mode: bool = False, **options: t.Any) -> Outcome:
    declared = with_defaults({**options, "journal_directory": str(journal)})
    with open_subject(server.connection, declared) as subject:
        return converge(subject, check_mode=check_mode)


def test_check_mode_says_what_a_run_does_and_a_second_run_does_nothing(server: PrivateServer, tmp_path: Path) -> None:
    announced = declare(server, tmp_path, check_mode=True, **EVERYTHING)
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == "0"
    done = declare(server, tmp_path, **EVERYTHING)
    assert announced.result["changes"] == done.result["changes"]
    assert announced.result["diff"] == done.result["diff"]
    kinds = [line.split()[0] for line in done.result["changes"]]
    assert list(dict.fromkeys(kinds)) == ["role", "database", "setting", f"{server.data}/pg_hba.conf:"]
    assert [one["name"] for one in done.result["settings"]["restart_required"]] == ["shared_buffers"]
    assert server.psql("SHOW work_mem") == "16MB"
    assert "app" in (server.data / "pg_hba.conf").read_text(encoding="utf-8")
    assert not declare(server, tmp_path, **EVERYTHING).plan


def test_a_rule_for_a_role_that_the_same_declaration_makes_is_no_cause_for_a_warning(
    server: PrivateServer, tmp_path: Path
) -> None:
    assert declare(server, tmp_path, check_mode=True, **EVERYTHING).plan.warnings == ()
    stranger = {**EVERYTHING, "rules": [PEER, {**APP_RULE, "users": ["stranger"]}]}
    assert "stranger" in declare(server, tmp_path, check_mode=True, **stranger).plan.warnings[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {"work_memm": "16MB"}},
        {"rules": [PEER, {**APP_RULE, "address": "127.0.0.1/99"}]},
        {"databases": [{"name": "nowhere", "grants": [{"to": ["app"], "privileges": ["CONNECT"]}]}]},
    ],
)
def test_what_is_wrong_with_one_part_is_refused_before_any_part_changes(
    server: PrivateServer, tmp_path: Path, wrong: dict[str, t.Any]
) -> None:
    before = (server.data / "pg_hba.conf").read_bytes(), (server.data / "postgresql.auto.conf").read_bytes()
    for check_mode in (True, False):
        with pytest.raises(InvalidDeclaration):
            declare(server, tmp_path, check_mode=check_mode, **{**EVERYTHING, **wrong})
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == "0"
    assert (
        (server.data / "pg_hba.conf").read_bytes(),
        (server.data / "postgresql.auto.conf").read_bytes(),
    ) == before


def test_a_part_that_fails_undoes_itself_and_says_what_stays(server: PrivateServer, tmp_path: Path) -> None:
    # It passes every check on paper, and the operator, who has no password, can't log in with it.
    lockout = {**EVERYTHING, "rules": [{"type": "local", "method": "scram-sha-256"}]}
    rules = (server.data / "pg_hba.conf").read_bytes()
    with pytest.raises(ApplyFailed, match=r"rules: can't log in .*Applied before: roles, settings\. The former rules"):
        declare(server, tmp_path, **lockout)
    assert (server.data / "pg_hba.conf").read_bytes() == rules
    assert [line.split()[0] for line in declare(server, tmp_path, **EVERYTHING).result["changes"]] == [
        f"{server.data}/pg_hba.conf:"
    ]


def test_ansible_runs_it_and_shows_no_password(server: PrivateServer, tmp_path: Path) -> None:
    options = {**server.login_options(), **EVERYTHING, "journal_directory": str(tmp_path / "journal")}
    first = through_ansible("postgresql_server", options, "--diff", home=tmp_path)
    assert first["changed"]
    assert {one.get("before_header") for one in first["diff"]} == {"roles", "settings", f"{server.data}/pg_hba.conf"}
    assert PASSWORD not in json.dumps(first)
    assert not through_ansible("postgresql_server", options, home=tmp_path)["changed"]


def test_errors_are_of_one_kind(server: PrivateServer, tmp_path: Path) -> None:
    server.stop()
    with pytest.raises(BulwarkError, match="can't log in to PostgreSQL"):
        declare(server, tmp_path, **EVERYTHING)
