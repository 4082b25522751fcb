# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_server_info against a real server."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_server_info import gather
from private_server import PORT, PrivateServer


def test_the_server_is_found_where_it_really_is(server: PrivateServer, short_directory: Path) -> None:
    wal = short_directory / "wal"
    server.stop()
    (server.data / "pg_wal").rename(wal)
    (server.data / "pg_wal").symlink_to(wal)
    server.start()
    found = gather(server.connection)["server"]
    assert found["settings"]["data_directory"] == str(server.data)
    assert found["settings"]["port"] == str(PORT)
    assert found["os_user"] == "postgres"
    assert found["process_id"] == int((server.data / "postmaster.pid").read_text().splitlines()[0])
    assert found["output_file"] == str(server.log)
    assert set(found["writable_paths"]) == {str(server.root), str(wal)}
    assert found["unit"] == ""


def test_what_waits_and_who_is_open_to_everybody_is_named(server: PrivateServer) -> None:
    server.psql(
        "CREATE ROLE app LOGIN; CREATE DATABASE shut; REVOKE ALL ON DATABASE shut FROM PUBLIC; CREATE DATABASE open;"
    )
    server.psql("ALTER SYSTEM SET shared_buffers = '64MB'")
    server.psql("SELECT pg_reload_conf(), pg_sleep(0.3)")
    found = gather(server.connection)["server"]
    assert found["pending_restart"] == ("shared_buffers",)
    assert found["databases_open_to_public"] == ("open", "postgres", "template1")
    assert found["login_roles"] == ("app",)


def test_a_certificate_that_no_reload_has_followed_is_seen(server: PrivateServer) -> None:
    assert gather(server.connection)["server"]["tls_files_loaded"]
    certificate = server.data / "server.crt"
    certificate.write_text("a new one", encoding="ascii")
    assert not gather(server.connection)["server"]["tls_files_loaded"]
    server.psql("SELECT pg_reload_conf(), pg_sleep(0.3)")
    assert gather(server.connection)["server"]["tls_files_loaded"]
