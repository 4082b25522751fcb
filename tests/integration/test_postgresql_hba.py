# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_hba against real servers."""

from __future__ import annotations

import typing as t
from pathlib import Path

import psycopg
import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_hba import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PORT, PrivateServer

PEER: dict[str, t.Any] = {"type": "local", "method": "peer"}
HOSTILE = ['a"b', "a b", "a,b", "all", "täble", "x'; DROP TABLE y; --", "#comment", "a\\", "+group", "@file"]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def declare(
    server: PrivateServer, journal: Path, rules: list, *, check_mode: bool = False, **options: t.Any
) -> Outcome:
    parameters = {
        "rules": rules,
        "ident_mappings": None,
        "must_admit": [],
        "journal_directory": str(journal),
        "reload_timeout": 10,
        **options,
    }
    with open_subject(server.connection, parameters) as subject:
        return converge(subject, check_mode=check_mode)


def hba_text(server: PrivateServer) -> str:
    return (server.data / "pg_hba.conf").read_text(encoding="utf-8")


def loaded_rules(server: PrivateServer) -> str:
    return server.psql("SELECT type, database, user_name, address, auth_method FROM pg_hba_file_rules")


def test_check_mode_says_what_a_run_does_and_a_second_run_does_nothing(server: PrivateServer, journal: Path) -> None:
    rules = [
        {**PEER, "comment": "local accounts"},
        {
            "type": "hostssl",
            "databases": ["shop"],
            "users": ["+people"],
            "address": "10.0.0.0/8",
            "method": "scram-sha-256",
        },
        {"type": "host", "address": "all", "method": "reject"},
    ]
    before = hba_text(server)
    announced = declare(server, journal, rules, check_mode=True)
    assert hba_text(server) == before
    done = declare(server, journal, rules)
    assert announced.result["diff"] == done.result["diff"]
    assert "# local accounts\nlocal" in hba_text(server)
    assert loaded_rules(server).splitlines()[1:] == [
        "hostssl|{shop}|{+people}|10.0.0.0|scram-sha-256",
        "host|{all}|{all}|all|reject",
    ]
    assert not declare(server, journal, rules).plan
    assert [path.suffix for path in journal.iterdir()] == [".lock"]
    assert not list(server.data.glob("*.bulwark-previous"))


def test_rules_that_would_lock_the_operator_out_are_refused(server: PrivateServer, journal: Path) -> None:
    before = hba_text(server)
    for rules in (
        [{"type": "local", "method": "reject"}, PEER],
        [{"type": "host", "address": "all", "method": "reject"}],
    ):
        with pytest.raises(RefusedForSafety, match="role postgres in database postgres on the unix"):
            declare(server, journal, rules)
    assert hba_text(server) == before
    assert server.psql("SELECT 1") == "1"


def test_a_login_that_only_a_real_attempt_shows_to_fail_is_rolled_back(server: PrivateServer, journal: Path) -> None:
    before = hba_text(server)
    # It matches, and the method exists; but the operator has no password.
    with pytest.raises(Exception, match="The former rules are in force again"):
        declare(server, journal, [{"type": "local", "method": "scram-sha-256"}])
    assert hba_text(server) == before
    assert server.psql("SELECT 1") == "1"
    assert [path.suffix for path in journal.iterdir()] == [".lock"]


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"type": "host", "address": "all", "method": "trust"}, "rule 2: the method trust is weak"),
        ({"type": "host", "address": "10.0.0.1/8", "method": "reject"}, "not a network"),
        ({"type": "host", "address": "all", "method": "telepathy"}, "no method 'telepathy'"),
        ({"type": "host", "method": "reject"}, "needs an address"),
        ({"type": "local", "address": "all", "method": "reject"}, "has no address"),
        ({"type": "host", "address": "all", "method": "peer"}, r"pg_hba.conf line \d+: peer authentication is only"),
        (
            {"type": "hostssl", "address": "all", "method": "scram-sha-256", "options": {"nonsense": "1"}},
            r"pg_hba.conf line \d+: unrecognized authentication option name",
        ),
        (
            {"type": "host", "users": ["a\nlocal all all trust"], "address": "all", "method": "reject"},
            "control character",
        ),
        ({**PEER, "comment": "reason: none"}, "Put that into the rule's reason"),
        ({**PEER, "comment": "a path C:\\"}, "ends with a backslash"),
        (
            {"type": "hostssl", "address": "all", "method": "ldap", "options": {"ldapbindpasswd": "S3cret-value"}},
            "Put it into the rule's secret_options",
        ),
    ],
)
def test_a_bad_rule_changes_nothing(
    shared_server: PrivateServer, journal: Path, rule: dict, message: str, *, check_mode: bool
) -> None:
    before = hba_text(shared_server)
    with pytest.raises(InvalidDeclaration, match=message):
        declare(shared_server, journal, [PEER, rule], check_mode=check_mode)
    assert hba_text(shared_server) == before


def test_a_weak_method_with_a_reason_is_written_with_it(server: PrivateServer, journal: Path) -> None:
    rule = {"type": "host", "address": "10.9.9.9/32", "method": "md5", "reason": "the meter knows nothing better"}
    declare(server, journal, [PEER, rule])
    assert "# reason: the meter knows nothing better\nhost" in hba_text(server)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_reach_the_server_to_the_letter(shared_server: PrivateServer, journal: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    rule = {"type": "hostssl", "databases": [quoted], "users": [quoted], "address": "all", "method": "reject"}
    declare(shared_server, journal, [PEER, rule])
    # A name that is a key word or has a prefix comes back in the quotes that keep it a name.
    literal = "'" + name.replace("'", "''") + "'"
    found = shared_server.psql(
        f"SELECT btrim(database[1], '\"') IN ({literal}, replace({literal}, '\"', '\"\"'))"
        " FROM pg_hba_file_rules WHERE type = 'hostssl'"
    )
    assert found == "t", shared_server.psql("SELECT database FROM pg_hba_file_rules WHERE type = 'hostssl'")


def test_rules_decide_over_real_logins(stopped_server: PrivateServer, journal: Path) -> None:
    with (stopped_server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write("listen_addresses = '127.0.0.1'\n")
    stopped_server.start()
    stopped_server.psql("CREATE ROLE app LOGIN PASSWORD 'App-Secret-1'; CREATE DATABASE shop")
    rule = {
        "type": "host",
        "databases": ["shop"],
        "users": ["app"],
        "address": "127.0.0.1/32",
        "method": "scram-sha-256",
    }
    declare(stopped_server, journal, [PEER, rule])
    login = {"host": "127.0.0.1", "port": PORT, "user": "app", "password": "App-Secret-1"}
    psycopg.connect(dbname="shop", **login).close()
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(dbname="postgres", **login)


def test_mappings_let_an_account_in_as_another_role(server: PrivateServer, journal: Path) -> None:
    server.psql("CREATE ROLE dba LOGIN")
    rules = [{"type": "local", "users": ["dba"], "method": "peer", "options": {"map": "admins"}}, PEER]
    mappings = [{"map": "admins", "system_user": "postgres", "database_user": "dba", "comment": "the operator"}]
    declare(server, journal, rules, ident_mappings=mappings)
    assert server.psql("SELECT current_user", role="dba", database="postgres") == "dba"
    assert not declare(server, journal, rules, ident_mappings=mappings).plan


def test_a_file_changed_by_hand_is_replaced_and_one_not_loaded_is_loaded(server: PrivateServer, journal: Path) -> None:
    declare(server, journal, [PEER])
    text = hba_text(server)
    (server.data / "pg_hba.conf").write_text(text + "host all all all trust\n", encoding="utf-8")
    assert len(declare(server, journal, [PEER]).plan) == 1
    assert hba_text(server) == text
    (server.data / "pg_hba.conf").write_text(text, encoding="utf-8")
    assert (
        declare(server, journal, [PEER]).result["changes"][0].endswith("changed since the server last read it: loaded")
    )
    assert not declare(server, journal, [PEER]).plan


def test_shadowed_rules_and_rules_for_nobody_are_named(server: PrivateServer, journal: Path) -> None:
    rules = [
        PEER,
        {"type": "host", "address": "10.0.0.0/8", "method": "reject"},
        {"type": "hostssl", "users": ["nobody_here"], "address": "10.1.0.0/16", "method": "scram-sha-256"},
    ]
    warnings = declare(server, journal, rules).plan.warnings
    assert "rule 3 is never reached: rule 2 matches all that it matches" in warnings
    assert "rule 3 never matches while ssl is off" in warnings
    assert "rule 3 never matches: there is no role 'nobody_here'" in warnings


def test_a_login_that_must_be_admitted_is_checked(shared_server: PrivateServer, journal: Path) -> None:
    login = {"user": "app", "database": "shop", "connection": "ssl", "address": "10.0.0.5"}
    with pytest.raises(RefusedForSafety, match=r"no rule would admit role app in database shop from 10\.0\.0\.5"):
        declare(shared_server, journal, [PEER], must_admit=[login])


def test_a_secret_of_a_method_is_written_and_shown_nowhere(server: PrivateServer, journal: Path) -> None:
    ldap = {"type": "hostssl", "address": "10.0.0.0/8", "method": "ldap", "options": {"ldapserver": "ldap.example.org"}}
    secret = {"ldapbindpasswd": 'S3cret "value"'}
    declare(
        server,
        journal,
        [PEER, {**ldap, "options": {"ldapserver": "l", "ldapbasedn": "dc=x"}, "secret_options": secret}],
    )
    assert 'ldapbindpasswd=S3cret ""value""' in hba_text(server)
    outcome = declare(server, journal, [PEER])
    assert len(outcome.plan) == 1
    assert "S3cret" not in repr(outcome.result) + repr(outcome.plan.diff()) + repr(outcome.plan)
