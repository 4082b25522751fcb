# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_roles under faults: DDL commits as it goes, so nobody loses what is to stay, and a second run finishes."""

from __future__ import annotations

import typing as t

import pytest
from killing import count_steps, kill_at, run_at_the_same_time, steps_to_try

from accounts_options import DEFAULTS, PASSWORD, account, declare, make_shop
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidDeclaration,
    ObservationFailed,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_roles import open_subject
from private_mariadb import PrivateMariaDB


def hierarchy() -> dict[str, t.Any]:
    """The account "app" moves from grants of its own to a role's; others come and go."""
    return {
        "exclusive": True,
        "roles": [{"name": "reader"}, {"name": "writer", "member_of": ["reader"]}],
        "accounts": [
            account("app", password=PASSWORD, member_of=["writer"], default_role="writer", max_user_connections=9),
            account("alice", password=PASSWORD, tls="ssl", member_of=["reader"]),
            account("gone", "%", state="absent"),
        ],
        "databases": [
            {
                "name": "shop",
                "grants": [
                    {"to": ["reader"], "privileges": ["SELECT"]},
                    {"to": ["writer"], "type": "table", "names": ["*"], "privileges": ["INSERT"]},
                    {
                        "to": ["reader"],
                        "type": "table",
                        "names": ["orders"],
                        "columns": ["id"],
                        "privileges": ["UPDATE"],
                    },
                ],
            }
        ],
        "remove_anonymous": True,
        "remove_test_database": True,
    }


def prepare(server: PrivateMariaDB) -> None:
    """Back to the beginning."""
    server.sql(
        "DROP ROLE IF EXISTS reader, writer; DROP USER IF EXISTS app@localhost, alice@localhost, gone;"
        f"CREATE USER app@localhost IDENTIFIED BY '{PASSWORD}'; CREATE USER gone;"
        "GRANT SELECT, INSERT ON shop.* TO app@localhost, gone; GRANT UPDATE ON shop.orders TO app@localhost"
    )


def can_work(server: PrivateMariaDB) -> bool:
    """What the application could before, can afterwards, and has to be able to do at any moment."""
    sql = "INSERT INTO shop.orders VALUES (1, 'x'); SELECT COUNT(*) > 0 FROM shop.orders"
    return server.sql(sql, account="app", password=PASSWORD, check=False) == "1"


def assert_finished(server: PrivateMariaDB) -> None:
    declare(server, **hierarchy())
    assert declare(server, **hierarchy()).plan.summaries() == []
    assert can_work(server)
    assert "shop" not in server.sql("SHOW GRANTS FOR app@localhost").replace("writer", "")
    assert server.sql("SELECT COUNT(*) FROM mysql.global_priv WHERE User = 'gone'") == "0"


@pytest.fixture
def shop(mariadb: PrivateMariaDB) -> PrivateMariaDB:
    make_shop(mariadb)
    return mariadb


def test_killed_at_any_step_the_application_works_on_and_a_second_run_finishes(shop: PrivateMariaDB) -> None:
    prepare(shop)
    total = count_steps(lambda: declare(shop, **hierarchy()))
    killed = 0
    for step in steps_to_try(total, sample=12):
        prepare(shop)
        killed += kill_at(step, lambda: declare(shop, **hierarchy()))
        assert can_work(shop), f"killed at step {step}"
        assert_finished(shop)
    assert killed


def test_stopped_after_any_statement_the_application_works_on(shop: PrivateMariaDB) -> None:
    """Finer than the steps above: after each single statement."""
    prepare(shop)
    with open_subject(shop.connection, {**DEFAULTS, **hierarchy()}) as subject:
        statements = subject._dialect.statements(subject.plan(subject.observe()))
    for statement in statements:
        shop.sql(statement.sql)
        assert can_work(shop), statement.sql
        assert declare(shop, check_mode=True, **hierarchy()).plan or statement == statements[-1]
    assert_finished(shop)


def test_the_server_going_away_between_plan_and_apply_is_told(shop: PrivateMariaDB) -> None:
    prepare(shop)
    with open_subject(shop.connection, {**DEFAULTS, **hierarchy()}) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        shop.restart()
        with pytest.raises(ApplyFailed, match="statement 1 of") as caught:
            subject.apply(plan, observed)
    assert "A second run does what is left" in caught.value.hint
    assert_finished(shop)


def test_a_statement_that_fails_is_told_without_a_hash(shop: PrivateMariaDB) -> None:
    prepare(shop)
    with open_subject(shop.connection, {**DEFAULTS, **hierarchy()}) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        shop.sql("CREATE USER alice@localhost")
        with pytest.raises(
            ApplyFailed, match=r"CREATE USER `alice`@`localhost`: Operation CREATE USER failed"
        ) as caught:
            subject.apply(plan, observed)
    assert "IDENTIFIED" not in str(caught.value)
    assert_finished(shop)


def test_a_table_that_goes_away_meanwhile_is_told_and_a_second_run_finishes(shop: PrivateMariaDB) -> None:
    prepare(shop)
    with open_subject(shop.connection, {**DEFAULTS, **hierarchy()}) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        shop.sql("RENAME TABLE shop.orders TO shop.elsewhere")
        with pytest.raises(ApplyFailed, match=r"Table 'shop\.orders' doesn't exist"):
            subject.apply(plan, observed)
    shop.sql("RENAME TABLE shop.elsewhere TO shop.orders")
    assert_finished(shop)


def test_runs_at_the_same_time_follow_one_another(shop: PrivateMariaDB) -> None:
    prepare(shop)
    assert run_at_the_same_time(*[lambda: declare(shop, **hierarchy())] * 4) == [0, 0, 0, 0]
    assert_finished(shop)


def test_a_run_that_waits_too_long_says_for_whom(shop: PrivateMariaDB) -> None:
    prepare(shop)
    with open_subject(shop.connection, {**DEFAULTS, **hierarchy()}) as subject:
        subject.observe()
        with pytest.raises(ObservationFailed, match="another run manages accounts"):
            declare(shop, lock_timeout=1, **hierarchy())
    assert_finished(shop)


def test_a_contradiction_changes_nothing(shop: PrivateMariaDB) -> None:
    prepare(shop)
    before = shop.sql("SELECT * FROM mysql.global_priv; SELECT * FROM mysql.db")
    options = hierarchy()
    options["databases"][0]["grants"].append({"to": ["reader"], "privileges": ["SELECT"], "state": "absent"})
    with pytest.raises(InvalidDeclaration, match="are granted and revoked"):
        declare(shop, **options)
    assert shop.sql("SELECT * FROM mysql.global_priv; SELECT * FROM mysql.db") == before
