# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import MissingRequirement
from ansible_collections.bulwark.database.plugins.module_utils._io.postgresql import (
    ConnectionSettings,
    ServerRefused,
    open_session,
)
from private_server import PrivateServer


def test_root_logs_in_by_peer_without_become_user(shared_server: PrivateServer) -> None:
    with open_session(shared_server.connection) as session:
        assert session.version >= 130000
        assert session.rows("SELECT current_user, 1 % 2") == [("postgres", 1)]


def test_a_server_that_is_not_there_is_named_in_one_line(shared_server: PrivateServer) -> None:
    settings = ConnectionSettings(unix_socket=str(shared_server.socket), port=1, os_user="postgres")
    expected = "can't log in to PostgreSQL at the unix socket of port 1"
    with pytest.raises(MissingRequirement, match=expected), open_session(settings):
        pass


def test_a_refusal_names_the_sqlstate_and_quotes_no_data(shared_server: PrivateServer) -> None:
    with open_session(shared_server.connection) as session:
        session.execute("CREATE TEMP TABLE marked (id int PRIMARY KEY); INSERT INTO marked VALUES (424242)")
        with pytest.raises(ServerRefused) as caught:
            session.execute("INSERT INTO marked VALUES (424242)")
    assert caught.value.sqlstate == "23505"
    assert "424242" not in str(caught.value)
