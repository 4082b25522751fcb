# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way in to MariaDB, and its quoting, on a real server."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import MissingRequirement
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb import quote_identifier, quote_literal
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import ServerRefused, open_session
from private_mariadb import PrivateMariaDB

HOSTILE = ("it's", 'a"b', "back\\slash", "'; DROP TABLE x; --", "ümläut", "semi;colon", "per%cent", "`tick`", "\\'")


def test_quoted_text_comes_back_as_it_went(shared_mariadb: PrivateMariaDB) -> None:
    with open_session(shared_mariadb.connection) as session:
        for text in HOSTILE:
            assert session.value(f"SELECT {quote_literal(text)}") == text
            session.execute(f"CREATE DATABASE {quote_identifier(text)}")
            session.execute(f"DROP DATABASE {quote_identifier(text)}")


def test_who_can_not_log_in_is_told_where_and_why(shared_mariadb: PrivateMariaDB) -> None:
    # Not a made-up name: a stock server has anonymous accounts, which let anybody in.
    stranger = dataclasses.replace(shared_mariadb.connection, user="mariadb.sys")
    with pytest.raises(MissingRequirement, match=r"can't log in to MariaDB at the unix socket .* as mariadb.sys: "):
        open_session(stranger).__enter__()
    nowhere = dataclasses.replace(shared_mariadb.connection, unix_socket="/nowhere.sock")
    with pytest.raises(MissingRequirement, match=r"at the unix socket /nowhere\.sock"):
        open_session(nowhere).__enter__()


def test_an_error_of_the_server_has_its_number_and_one_line(shared_mariadb: PrivateMariaDB) -> None:
    with open_session(shared_mariadb.connection) as session, pytest.raises(ServerRefused) as refused:
        session.rows("SELECT * FROM mysql.nothing")
    assert refused.value.number == 1146
    assert "\n" not in str(refused.value)


def test_a_server_that_is_not_mariadb_is_refused_in_one_line(stopped_mariadb: PrivateMariaDB) -> None:
    """This one only says that it is MySQL's: what it greets with is an option of MariaDB."""
    stopped_mariadb.start("--version=8.4.7")
    with pytest.raises(MissingRequirement) as refused:
        open_session(stopped_mariadb.connection).__enter__()
    assert str(refused.value) == (
        "the server says '8.4.7': it is not MariaDB. MySQL's own server is not supported, nor is what others made of it"
    )
