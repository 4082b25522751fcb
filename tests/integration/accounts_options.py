# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driving mariadb_roles in tests: its options' defaults, a run, and a shop to manage."""

from __future__ import annotations

import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_roles import (
    accounts_options,
    open_subject,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_mariadb import PrivateMariaDB

_ACCOUNT = accounts_options()["accounts"]["options"]
DEFAULTS: dict[str, t.Any] = {name: option.get("default") for name, option in accounts_options().items()}
PASSWORD = "Correct-horse-9"
# Every kind of hostile name: quotes, unicode, SQL, the longest, what pattern and list syntax would like to see.
HOSTILE = [
    'qu"ote',
    "apo'strophe",
    "back\\slash",
    "tick`ed",
    "semi; DROP USER root@localhost; --",
    "ünï-cödé",
    "new\nline",
    " leading",
    "UPPER",
    "a,b",
    "%s {x}",
    "at@sign",
    "x" * 128,
    "root@localhost",
    "root",
]


def account(name: str, host: str = "localhost", **fields: t.Any) -> dict[str, t.Any]:
    """As Ansible would hand it over, with the defaults of the options that are left out."""
    given = {key: option.get("default") for key, option in _ACCOUNT.items()}
    return {**given, "name": name, "host": host, **fields}


def declare(server: PrivateMariaDB, *, check_mode: bool = False, connection: t.Any = None, **options: t.Any) -> Outcome:
    with open_subject(connection or server.connection, {**DEFAULTS, **options}) as subject:
        return converge(subject, check_mode=check_mode)


def twice(server: PrivateMariaDB, **options: t.Any) -> Outcome:
    """Check mode, a run, another run: the first two say the same, the last one nothing. Answers the run."""
    announced = declare(server, check_mode=True, **options)
    done = declare(server, **options)
    assert done.plan.summaries() == announced.plan.summaries()
    assert done.plan.diff() == announced.plan.diff()
    assert done.result["planned_revocations"] == [] or options.get("exclusive")
    assert declare(server, **options).plan.summaries() == []
    return done


def make_shop(server: PrivateMariaDB) -> None:
    server.sql(
        """
        CREATE DATABASE shop; CREATE DATABASE shopX; USE shop;
        CREATE TABLE customers (id int, Name text, phone text);
        CREATE TABLE orders (id int, note text);
        CREATE VIEW names AS SELECT Name FROM customers;
        INSERT INTO customers VALUES (1, 'Ann', '123');
        CREATE FUNCTION Total(x int) RETURNS int RETURN 1;
        CREATE PROCEDURE work() SELECT 1;
        """
    )
