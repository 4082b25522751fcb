# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_roles under faults: nothing half-done inside a database, nobody locked out, a second run finishes."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

import pytest
from killing import count_steps, kill_at, run_at_the_same_time, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidDeclaration,
    MissingRequirement,
    ObservationFailed,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._io.postgresql import open_session
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_roles import open_subject
from private_server import PrivateServer
from roles_options import DEFAULTS, PASSWORD, declare, make_shop

DATABASES = ("one", "two")


def hierarchy() -> dict[str, t.Any]:
    where = {"type": "table", "schemas": ["app"], "names": ["*"]}
    grants = [
        {"to": ["PUBLIC"], "privileges": ["ALL"], "state": "absent"},
        {"to": ["reader"], "type": "schema", "names": ["app"], "privileges": ["USAGE"]},
        {"to": ["reader"], **where, "privileges": ["SELECT"]},
        {"to": ["writer"], **where, "privileges": ["INSERT", "UPDATE"]},
    ]
    ownership = [{"owner": "owner", **where}]
    return {
        "roles": [
            {"name": "owner"},
            {"name": "reader"},
            {"name": "writer", "login": True, "password": PASSWORD, "member_of": ["reader"]},
            {"name": "gone", "state": "absent"},
        ],
        "databases": [{"name": name, "grants": grants, "ownership": ownership} for name in DATABASES],
    }


def prepare(server: PrivateServer) -> None:
    """Back to the beginning: roles and databases as they were before the module came."""
    for name in DATABASES:
        server.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    for role in ("owner", "reader", "writer", "gone"):
        server.psql(f"DROP ROLE IF EXISTS {role}")
    server.psql("CREATE ROLE gone")
    for name in DATABASES:
        make_shop(server, name)
        server.psql("GRANT SELECT ON app.orders TO gone", database=name)


def assert_each_database_is_whole(server: PrivateServer) -> None:
    """All of a database's changes, or none of them."""
    for name in DATABASES:
        granted = server.psql(
            "SELECT count(*) FILTER (WHERE relacl::text ~ 'reader=r'),"
            "       count(*) FILTER (WHERE relowner::regrole::text = 'owner'), count(*)"
            "FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'v')",
            database=name,
        )
        assert granted in ("0|0|3", "3|3|3"), f"database {name} is half-done: {granted}"


def assert_finished(server: PrivateServer) -> None:
    declare(server, **hierarchy())
    assert not declare(server, **hierarchy()).plan
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname IN ('owner', 'reader', 'writer', 'gone')") == "3"
    assert_each_database_is_whole(server)


def test_killed_at_any_step_every_database_is_whole_and_a_second_run_finishes(server: PrivateServer) -> None:
    prepare(server)
    total = count_steps(lambda: declare(server, **hierarchy()))
    killed = 0
    for step in steps_to_try(total, sample=8):
        prepare(server)
        killed += kill_at(step, lambda: declare(server, **hierarchy()))
        assert server.psql("SELECT 1") == "1"
        assert_each_database_is_whole(server)
        assert_finished(server)
    assert killed


def test_the_server_going_away_between_plan_and_apply_loses_nothing(server: PrivateServer) -> None:
    prepare(server)
    with open_subject(server.connection, {**DEFAULTS, **hierarchy()}) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        server.stop("immediate")
        server.start()
        with pytest.raises(ApplyFailed, match="rolled back"):
            subject.apply(plan, observed)
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname IN ('owner', 'reader', 'writer')") == "0"
    assert_finished(server)


def test_a_failing_second_database_is_told_with_what_was_committed(server: PrivateServer) -> None:
    prepare(server)
    options = {**DEFAULTS, **hierarchy()}
    with open_subject(server.connection, options) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        server.psql("DROP TABLE app.orders", database="two")
        with pytest.raises(ApplyFailed, match=r'database two: .*"app.orders" does not exist') as caught:
            subject.apply(plan, observed)
    assert "Committed before: database postgres" in caught.value.hint
    assert "database one" in caught.value.hint
    assert "A second run finishes the rest" in caught.value.hint
    declare(server, **options)
    assert not declare(server, **options).plan


def test_runs_at_the_same_time_follow_one_another(server: PrivateServer) -> None:
    prepare(server)
    codes = run_at_the_same_time(*[lambda: declare(server, **hierarchy())] * 4)
    assert codes == [0, 0, 0, 0]
    assert not declare(server, **hierarchy()).plan


def test_a_run_that_waits_too_long_says_for_whom(server: PrivateServer) -> None:
    prepare(server)
    with open_subject(server.connection, {**DEFAULTS, **hierarchy()}) as subject:
        subject.observe()
        with pytest.raises(ObservationFailed, match="another run manages roles"):
            declare(server, lock_timeout=1, **hierarchy())
    assert_finished(server)


def test_a_locked_table_ends_the_run_and_not_the_application(server: PrivateServer) -> None:
    prepare(server)
    reader = threading.Thread(
        target=lambda: server.psql("BEGIN; SELECT * FROM app.customers; SELECT pg_sleep(4)", database="one")
    )
    reader.start()
    time.sleep(1)
    with pytest.raises(ApplyFailed, match="lock timeout"):
        declare(server, lock_timeout=1, **hierarchy())
    reader.join()
    assert_each_database_is_whole(server)
    assert_finished(server)


def test_a_login_that_is_refused_is_told_in_one_line_without_the_password(server: PrivateServer) -> None:
    (server.data / "pg_hba.conf").write_text("local all postgres peer\nlocal all all scram-sha-256\n", encoding="utf-8")
    declare(server, roles=[{"name": "admin", "login": True, "superuser": True, "password": PASSWORD}])
    server.restart()
    wrong = dataclasses.replace(server.connection, user="admin", os_user=None, password=Secret("Wrong-password-1"))
    with pytest.raises(MissingRequirement, match="password authentication failed") as caught:
        declare(server, connection=wrong, roles=[])
    assert "Wrong-password-1" not in str(caught.value)
    right = dataclasses.replace(wrong, password=Secret(PASSWORD))
    assert not declare(server, connection=right, roles=[{"name": "admin", "password": PASSWORD}]).plan


def test_a_standby_is_left_alone(server: PrivateServer) -> None:
    prepare(server)
    (server.data / "standby.signal").touch()
    server.chown(server.data / "standby.signal")
    server.stop()
    server.run("pg_ctl", "-D", str(server.data), "-l", str(server.log), "-W", "start", check=False)
    deadline = time.monotonic() + 15
    while "ready to accept read-only" not in server.log_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    with open_session(server.connection) as session:
        assert session.value("SELECT pg_is_in_recovery()")
    with pytest.raises(RefusedForSafety, match="standby"):
        declare(server, **hierarchy())
    (server.data / "standby.signal").unlink()
    server.restart()
    assert_finished(server)


def test_a_database_without_connections_left_is_told_and_finished_later(server: PrivateServer) -> None:
    prepare(server)
    server.psql("ALTER DATABASE two ALLOW_CONNECTIONS false")
    options = hierarchy()
    with pytest.raises(InvalidDeclaration, match="database two takes no connections"):
        declare(server, **options)
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'owner'") == "0"
    server.psql("ALTER DATABASE two ALLOW_CONNECTIONS true")
    assert_finished(server)
