# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_settings against real servers."""

from __future__ import annotations

import dataclasses
import grp
import os
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    BulwarkError,
    InvalidDeclaration,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_settings import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PrivateServer

DEFAULTS: dict[str, t.Any] = {
    "level": None,
    "log_policy": "privacy",
    "preload_libraries": [],
    "persist": "auto",
    "include_file": None,
    "reload_timeout": 10,
}


def declare(server: PrivateServer, *, check_mode: bool = False, **options: t.Any) -> Outcome:
    with open_subject(server.connection, {**DEFAULTS, "settings": {}, **options}) as subject:
        return converge(subject, check_mode=check_mode)


def test_check_mode_says_exactly_what_a_run_does_and_a_second_run_does_nothing(server: PrivateServer) -> None:
    settings = {"work_mem": "16MB", "log_connections": True, "log_min_messages": "LOG", "shared_buffers": "64MB"}
    announced = declare(server, check_mode=True, settings=settings)
    assert server.psql("SHOW work_mem") == "4MB"
    done = declare(server, settings=settings)
    assert done.plan.diff() == announced.plan.diff()
    assert len(done.plan) == 4
    assert server.psql("SHOW work_mem; SHOW log_connections; SHOW log_min_messages") == "16MB\non\nlog"
    again = declare(server, settings=settings)
    assert not again.plan
    assert [one["name"] for one in again.result["restart_required"]] == ["shared_buffers"]


def test_what_a_unix_socket_does_not_show_is_set_all_the_same(server: PrivateServer) -> None:
    settings = {"tcp_keepalives_idle": 60, "tcp_user_timeout": "30s"}
    assert len(declare(server, settings=settings).plan) == 2
    assert not declare(server, settings=settings).plan
    server.restart()
    assert not declare(server, settings=settings).plan


def test_an_archive_command_that_the_server_does_not_show_yet_is_set_all_the_same(server: PrivateServer) -> None:
    """While archive_mode is off, the server shows "(disabled)" instead of it."""
    settings = {"archive_mode": "on", "archive_command": "/bin/false %p"}
    assert len(declare(server, settings=settings).plan) == 2
    assert not declare(server, settings=settings).plan
    changed = declare(server, settings={**settings, "archive_command": "/bin/true %p"})
    assert len(changed.plan) == 1
    server.restart()
    assert not declare(server, settings={**settings, "archive_command": "/bin/true %p"}).plan
    assert server.psql("SHOW archive_command") == "/bin/true %p"


def test_a_pending_value_is_live_after_a_restart(server: PrivateServer) -> None:
    declare(server, settings={"shared_buffers": "64MB"})
    server.restart()
    assert server.psql("SHOW shared_buffers") == "64MB"
    assert not declare(server, settings={"shared_buffers": "65536kB"}).result["restart_required"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"work_mem": "16MB", "work_men": "1MB"}, "no parameter 'work_men', did you mean work_mem"),
        ({"work_mem": "16MB", "log_timezone": "Mars/Phobos"}, 'invalid value for parameter "log_timezone"'),
        ({"work_mem": "16MB", "log_destination": "stdout"}, 'invalid value for parameter "log_destination"'),
        ({"work_mem": "16MB", "max_connections": 0}, "outside its range"),
        ({"work_mem": "16MB", "shared_preload_libraries": "no_such_library"}, "would not start again"),
        ({"work_mem": "16MB", "server_version": "99"}, "server_version can't be set"),
        ({"work_mem": "16MB", "WORK_MEM": "8MB"}, "declared twice"),
        ({"work_mem": "16MB", "x'; DROP TABLE y; --": "1"}, "there is no parameter"),
        ({"work_mem": {"value": "16MB"}}, "has a mapping"),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_bad_declaration_changes_nothing(
    shared_server: PrivateServer, settings: dict, message: str, *, check_mode: bool
) -> None:
    before = (shared_server.data / "postgresql.auto.conf").read_bytes()
    with pytest.raises(InvalidDeclaration, match=message):
        declare(shared_server, check_mode=check_mode, settings=settings)
    assert (shared_server.data / "postgresql.auto.conf").read_bytes() == before
    assert shared_server.psql("SHOW work_mem") == "4MB"


def test_several_libraries_are_preloaded_and_the_server_starts(server: PrivateServer) -> None:
    server.psql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    settings = {"auth_delay.milliseconds": 250}
    outcome = declare(server, preload_libraries=["auth_delay"], settings=settings)
    assert {one["name"] for one in outcome.result["restart_required"]} == {
        "auth_delay.milliseconds",
        "shared_preload_libraries",
    }
    server.restart()
    assert server.psql("SHOW shared_preload_libraries") == "pg_stat_statements, auth_delay"
    assert server.psql("SHOW auth_delay.milliseconds") == "250ms"
    again = declare(server, preload_libraries=["auth_delay"], settings=settings)
    assert not again.plan
    assert not again.result["restart_required"]


def test_hostile_values_arrive_to_the_letter(server: PrivateServer) -> None:
    hostile = """%m it's "quoted" \\ backslash ; DROP ROLE postgres -- ünïcode """
    declare(server, settings={"log_line_prefix": hostile})
    assert server.psql("SELECT current_setting('log_line_prefix')") == hostile.strip()
    assert server.psql("SELECT length(current_setting('log_line_prefix'))") == str(len(hostile))
    assert not declare(server, settings={"log_line_prefix": hostile}).plan
    declare(server, persist="include_file", settings={"log_line_prefix": hostile + "2"})
    assert server.psql("SELECT length(current_setting('log_line_prefix'))") == str(len(hostile) + 1)


def test_the_include_file_wins_over_what_alter_system_left(server: PrivateServer) -> None:
    server.psql("ALTER SYSTEM SET work_mem = '8MB'; ALTER SYSTEM SET temp_buffers = '9MB'; SELECT pg_reload_conf()")
    outcome = declare(server, persist="include_file", settings={"work_mem": "16MB"})
    assert outcome.result["persisted_in"] == str(server.data / "conf.d" / "bulwark.conf")
    assert server.psql("SHOW work_mem; SHOW temp_buffers") == "16MB\n9MB"
    assert "work_mem" not in (server.data / "postgresql.auto.conf").read_text()
    assert (server.data / "conf.d" / "bulwark.conf").stat().st_mode & 0o777 == 0o600
    declare(server, persist="include_file", settings={"temp_buffers": "10MB"})
    assert server.psql("SHOW work_mem; SHOW temp_buffers") == "16MB\n10MB"
    assert not declare(server, persist="include_file", settings={"work_mem": "16MB"}).plan
    declare(server, persist="include_file", settings={"work_mem": None})
    assert server.psql("SHOW work_mem") == "4MB"


def test_a_line_that_is_read_later_is_named_and_everything_is_put_back(server: PrivateServer) -> None:
    configuration = server.data / "postgresql.conf"
    included = server.data / "mine.conf"
    with configuration.open("a", encoding="utf-8") as stream:
        stream.write("include_if_exists = 'mine.conf'\nwork_mem = '5MB'\n")
    before = configuration.read_text()
    with pytest.raises(ApplyFailed, match=r"postgresql.conf line \d+ sets work_mem after .*put back"):
        declare(server, persist="include_file", include_file=str(included), settings={"work_mem": "16MB"})
    assert configuration.read_text() == before
    assert not included.exists()


def test_a_file_edited_by_hand_is_loaded(server: PrivateServer) -> None:
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write("work_mem = '16MB'\n")
    outcome = declare(server, settings={"work_mem": "16MB"})
    assert len(outcome.plan) == 1
    assert server.psql("SHOW work_mem") == "16MB"


def test_a_syntax_error_in_a_file_is_named_instead_of_being_ignored(server: PrivateServer) -> None:
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write("this is = not = a setting\n")
    with pytest.raises(BulwarkError, match=r"postgresql.conf line \d+ has an error: syntax error"):
        declare(server, settings={"work_mem": "16MB"})


def test_overrides_of_roles_and_databases_are_reported(server: PrivateServer) -> None:
    server.psql("CREATE ROLE app; ALTER ROLE app SET log_min_messages = 'debug5'")
    outcome = declare(server, settings={"log_min_messages": "log"})
    assert outcome.plan.warnings == ("role app overrides log_min_messages: the declared value does not hold there",)


def test_a_role_without_the_privilege_is_told_so(server: PrivateServer) -> None:
    server.psql(
        "CREATE ROLE operator LOGIN; GRANT pg_read_all_settings TO operator;"
        " GRANT EXECUTE ON FUNCTION pg_show_all_file_settings() TO operator;"
        " GRANT SELECT ON pg_file_settings, pg_config TO operator;"
        " GRANT EXECUTE ON FUNCTION pg_config(), pg_reload_conf(), pg_stat_file(text, boolean) TO operator;"
        " GRANT ALTER SYSTEM ON PARAMETER work_mem TO operator"
    )
    (server.data / "pg_hba.conf").write_text("local all all trust\n")
    server.psql("SELECT pg_reload_conf()")
    login = {"login": "operator"}
    with pytest.raises(InvalidDeclaration, match="shared_buffers can't be set"):
        declare_as(server, login["login"], settings={"work_mem": "16MB", "shared_buffers": "64MB"})
    declare_as(server, login["login"], settings={"work_mem": "16MB"})
    assert server.psql("SHOW work_mem") == "16MB"


def declare_as(server: PrivateServer, role: str, **options: t.Any) -> Outcome:
    connection = dataclasses.replace(server.connection, user=role)
    with open_subject(connection, {**DEFAULTS, "settings": {}, **options}) as subject:
        return converge(subject, check_mode=False)


def test_the_baseline_applies_converges_and_the_server_restarts(server: PrivateServer) -> None:
    for level in ("essential", "strict"):
        declare(server, level=level, settings={"ssl": "off"})
        server.restart()
        again = declare(server, level=level, settings={"ssl": "off"})
        assert not again.plan
        assert not again.result["restart_required"]
    if int(server.psql("SHOW server_version_num")) >= 170000:
        assert server.psql("SHOW allow_alter_system") == "off"


@pytest.mark.parametrize("check_mode", [True, False])
def test_settings_with_which_the_server_would_not_start_are_refused(
    shared_server: PrivateServer, *, check_mode: bool
) -> None:
    # Each value is in range; together they are not, which only a start finds out.
    impossible = {"wal_level": "minimal", "max_wal_senders": 10, "archive_mode": "off"}
    with pytest.raises(RefusedForSafety, match="would not start: WAL streaming"):
        declare(shared_server, check_mode=check_mode, settings=impossible)
    assert "wal_level" not in (shared_server.data / "postgresql.auto.conf").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another account")
def test_a_key_that_the_server_reads_by_a_further_group_of_its_account_does_not_stand_in_the_way(
    server: PrivateServer,
) -> None:
    """As Debian sets a server up: the key belongs to root and the group ssl-cert, which postgres is in besides."""
    further = next(group for group in grp.getgrall() if server.account in group.gr_mem)
    certificate, key = server.root / "server.crt", server.root / "server.key"
    names = ["-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", *names]
    subprocess.run(command, check=True, capture_output=True)
    shutil.chown(key, "root", further.gr_name)
    key.chmod(0o640)
    certificate.chmod(0o644)
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write(f"ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\n")
    server.restart()
    assert server.psql("SHOW ssl") == "on"
    declare(server, settings={"archive_mode": "on"})
    server.restart()
    assert server.psql("SHOW archive_mode") == "on"


def test_a_certificate_that_is_not_there_is_announced_and_never_set(shared_server: PrivateServer) -> None:
    """A dry run may come before the certificate; a real one must not."""
    settings = {"ssl": "on", "ssl_cert_file": "/nowhere/server.crt", "ssl_key_file": "/nowhere/server.key"}
    announced = declare(shared_server, check_mode=True, settings={**settings, "shared_buffers": "32MB"})
    assert len(announced.plan) == 4
    with pytest.raises(RefusedForSafety, match=r"ssl_cert_file names /nowhere/server\.crt, which is not there"):
        declare(shared_server, settings=settings)
    assert "nowhere" not in (shared_server.data / "postgresql.auto.conf").read_text()
