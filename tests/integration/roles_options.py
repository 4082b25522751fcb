# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Driving postgresql_roles in tests: its options' defaults, a run, and a shop to manage."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_roles import (
    open_subject,
    roles_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PrivateServer

DEFAULTS: dict[str, t.Any] = {name: option.get("default") for name, option in roles_options().items()}

PASSWORD = "Correct-horse-9"
# Every kind of hostile name: quotes, unicode, SQL, options, 63 bytes, what pattern and list syntax would like to see.
HOSTILE = [
    'qu"ote',
    "apo'strophe",
    "back\\slash",
    "semi; DROP ROLE postgres; --",
    "ünï-cödé 🐘",
    "new\nline",
    " spaces ",
    "UPPER",
    "a,b",
    "$1 %s {x}",
    "=r*/postgres",
    "x" * 63,
    "PUBLIC\u200b",
]


def declare(server: PrivateServer, *, check_mode: bool = False, connection: t.Any = None, **options: t.Any) -> Outcome:
    with open_subject(connection or server.connection, {**DEFAULTS, **options}) as subject:
        return converge(subject, check_mode=check_mode)


def twice(server: PrivateServer, **options: t.Any) -> Outcome:
    """Check mode, a run, another run: the first two say the same, the last one nothing. Answers the run."""
    announced = declare(server, check_mode=True, **options)
    done = declare(server, **options)
    assert done.plan.summaries() == announced.plan.summaries()
    assert done.plan.diff() == announced.plan.diff()
    assert done.result["planned_revocations"] == [] or options.get("exclusive")
    assert declare(server, **options).plan.summaries() == []
    return done


def as_role(server: PrivateServer, role: str, sql: str, *, database: str = "shop") -> str:
    """What the server answers this role; an error's text where it refuses."""
    quoted = '"' + role.replace('"', '""') + '"'
    return server.psql(f"SET SESSION AUTHORIZATION {quoted};\n{sql}", database=database, check=False)


def make_shop(server: PrivateServer, database: str = "shop") -> None:
    server.psql(f"CREATE DATABASE {database}")
    server.psql(
        """
        CREATE SCHEMA app;
        CREATE TABLE app.customers (id serial PRIMARY KEY, name text, phone text);
        CREATE TABLE app.orders (id int GENERATED ALWAYS AS IDENTITY, note text);
        INSERT INTO app.customers (name, phone) VALUES ('Ann', '123');
        CREATE VIEW app.names AS SELECT name FROM app.customers;
        CREATE SEQUENCE app.numbers;
        CREATE FUNCTION app.total(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION app.total(bigint) RETURNS int LANGUAGE sql AS 'SELECT 2';
        CREATE PROCEDURE app.work() LANGUAGE sql AS 'SELECT 1';
        CREATE TYPE app.mood AS ENUM ('good');
        CREATE DOMAIN app.price AS numeric;
        """,
        database=database,
    )


def other_database(server: PrivateServer, database: str) -> t.Any:
    return dataclasses.replace(server.connection, database=database)
