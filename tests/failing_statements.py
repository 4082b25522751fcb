# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that fail, each with a marker of its own where personal data would stand: statement, parameter, row.

Used on private servers and, by the molecule scenarios, on whole hosts.
"""

from __future__ import annotations

import dataclasses

TABLES = """
CREATE TABLE person (email text PRIMARY KEY, age int NOT NULL CHECK (age < 200));
CREATE TABLE visit (email text REFERENCES person);
INSERT INTO person VALUES ('{row}', 30);
CREATE FUNCTION complain(what text) RETURNS void LANGUAGE plpgsql AS
  $$BEGIN EXECUTE format('SELECT 1/0 AS %I', what); END$$;
"""


@dataclasses.dataclass(frozen=True)
class FailingStatement:
    """One way to fail.

    :param name: says in the marker which one it was.
    :param sql: ``{marker}`` stands for the marker.
    :param in_primary_message: the server's own message quotes the value: no setting but the message level keeps it out.
    """

    name: str
    sql: str
    in_primary_message: bool = False

    @property
    def marker(self) -> str:
        return f"bwmark_{self.name}"

    @property
    def text(self) -> str:
        return self.sql.format(marker=self.marker)


ROW_MARKER = "bwmark_row"

FAILING_STATEMENTS = (
    FailingStatement("statement", "SELECT 1/0 AS x WHERE '{marker}' <> ''"),
    FailingStatement("unique", "INSERT INTO person VALUES ('{marker}', 1); INSERT INTO person VALUES ('{marker}', 1)"),
    FailingStatement("check", "INSERT INTO person VALUES ('{marker}', 900)"),
    FailingStatement("notnull", "INSERT INTO person VALUES ('{marker}', NULL)"),
    FailingStatement("foreign", "INSERT INTO visit VALUES ('{marker}')"),
    FailingStatement("context", "SELECT complain('{marker}')"),
    FailingStatement("copy", "COPY person FROM STDIN;\n{marker}\t1\ttoo many columns\n\\.\n"),
    FailingStatement("prepare", "PREPARE p(text) AS SELECT 1/0 WHERE $1 <> ''; EXECUTE p('{marker}')"),
    FailingStatement("password", "CREATE ROLE postgres PASSWORD '{marker}'"),
    FailingStatement("timeout", "SET statement_timeout = 50; SELECT pg_sleep(5) WHERE '{marker}' <> ''"),
    FailingStatement("dollar", "DO $$BEGIN PERFORM 1/0 WHERE '{marker}' <> ''; END$$"),
    FailingStatement("cast", "SELECT '{marker}'::int", in_primary_message=True),
    FailingStatement("raise", "DO $$BEGIN RAISE EXCEPTION '{marker}'; END$$", in_primary_message=True),
    FailingStatement("warning", "DO $$BEGIN RAISE WARNING '{marker}'; END$$", in_primary_message=True),
    FailingStatement("unknown", "SELECT * FROM {marker}", in_primary_message=True),
    FailingStatement("syntax", "SELEC '{marker}'"),
)
