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
    :param succeeds: it does not fail at all: it was slow, or is just a statement.
    :param on_accounts: fails on accounts: what nodes of a Galera cluster log of it, no setting keeps out.
    """

    name: str
    sql: str
    in_primary_message: bool = False
    succeeds: bool = False
    on_accounts: bool = False

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

MARIADB_TABLES = """
CREATE DATABASE failures;
USE failures;
CREATE TABLE person (email varchar(80) PRIMARY KEY, age int NOT NULL CHECK (age < 200));
CREATE TABLE visit (email varchar(80), FOREIGN KEY (email) REFERENCES person (email));
INSERT INTO person VALUES ('{row}', 30), ('{other}', 30);
CREATE PROCEDURE complain(what text) SQL SECURITY INVOKER SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = what
"""

MARIADB_STATEMENTS = (
    FailingStatement("plain", "SELECT '{marker}'", succeeds=True),
    FailingStatement("slow", "SELECT SLEEP(0.1), '{marker}'", succeeds=True),
    FailingStatement("written", "INSERT INTO person VALUES ('{marker}', 1); UPDATE person SET age = 2", succeeds=True),
    FailingStatement("syntax", "SELEC '{marker}'"),
    FailingStatement("column", "SELECT {marker}"),
    FailingStatement("table", "SELECT * FROM {marker}"),
    FailingStatement("unique", "INSERT INTO person VALUES ('{marker}', 1); INSERT INTO person VALUES ('{marker}', 1)"),
    FailingStatement("check", "INSERT INTO person VALUES ('{marker}', 900)"),
    FailingStatement("notnull", "INSERT INTO person VALUES ('{marker}', NULL)"),
    FailingStatement("foreign", "INSERT INTO visit VALUES ('{marker}')"),
    FailingStatement("long", "INSERT INTO person VALUES (CONCAT('{marker}', REPEAT('x', 80)), 1)"),
    FailingStatement("cast", "INSERT INTO person VALUES ('x', '{marker}')"),
    FailingStatement("signal", "CALL complain('{marker}')"),
    FailingStatement("prepare", "EXECUTE IMMEDIATE 'SELECT ? FROM nowhere' USING '{marker}'"),
    FailingStatement("timeout", "SET STATEMENT max_statement_time = 0.05 FOR SELECT SLEEP(5) WHERE '{marker}' <> ''"),
    FailingStatement("file", "LOAD DATA INFILE '/var/lib/mysql-files/{marker}' INTO TABLE person"),
    FailingStatement("weak", "CREATE USER clerk2@localhost IDENTIFIED BY '{marker}'", on_accounts=True),
    FailingStatement("password", "CREATE USER root@localhost IDENTIFIED BY '{marker}-Aq7-Zx'", on_accounts=True),
    FailingStatement("account", "CREATE USER clerk2@localhost IDENTIFIED BY '{marker}-Aq7-Zx'", succeeds=True),
    FailingStatement("change", "SET PASSWORD FOR clerk2@localhost = PASSWORD('{marker}-Bq8-Zx')", succeeds=True),
)
