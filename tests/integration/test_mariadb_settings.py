# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_settings against real servers."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    BulwarkError,
    InvalidDeclaration,
    MissingRequirement,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._io import mariadb_settings as edge
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_settings import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_mariadb import PORT, PrivateMariaDB
from through_ansible import through_ansible

DEFAULTS: dict[str, t.Any] = {
    "settings": {},
    "secret_settings": {},
    "plugins": [],
    "level": None,
    "log_policy": "privacy",
    "leave": [],
    "option_file": None,
}
GALERA = "/usr/lib/galera/libgalera_smm.so"


def declare(server: PrivateMariaDB, *, check_mode: bool = False, **options: t.Any) -> Outcome:
    with open_subject(server.connection, {**DEFAULTS, **options}) as subject:
        return converge(subject, check_mode=check_mode)


def drop_in(server: PrivateMariaDB) -> Path:
    return server.drop_ins / "z-bulwark.cnf"


def test_check_mode_says_exactly_what_a_run_does_and_a_second_run_does_nothing(mariadb: PrivateMariaDB) -> None:
    settings = {
        "max-connections": 200,
        "local_infile": False,
        "sql_mode": "TRADITIONAL",
        "Long_Query_Time": 2,
        "tls_version": ["TLSv1.3"],
        "init_connect": """SET @a = "it's # \\ ünïcode" """,
    }
    announced = declare(mariadb, check_mode=True, settings=settings)
    assert not drop_in(mariadb).exists()
    assert mariadb.sql("SELECT @@max_connections") == "151"
    done = declare(mariadb, settings=settings)
    assert done.plan.diff() == announced.plan.diff()
    assert len(done.plan) == 6
    assert mariadb.sql("SELECT @@max_connections, @@local_infile, @@long_query_time") == "200\t0\t2.000000"
    assert mariadb.sql("SELECT @@GLOBAL.init_connect").strip() == """SET @a = "it's # \\\\ ünïcode\""""
    again = declare(mariadb, settings=settings)
    assert not again.plan
    assert again.result["restart_required"] == [
        {
            "name": "tls_version",
            "running": "TLSv1.2,TLSv1.3",
            "wanted": "TLSv1.3",
            "set_by": f"{drop_in(mariadb)} line 8",
        }
    ]
    mariadb.restart()
    after = declare(mariadb, settings=settings)
    assert not after.plan
    assert not after.result["restart_required"]
    assert mariadb.sql("SELECT @@max_connections, @@tls_version") == "200\tTLSv1.3"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_connections": 1}, "outside its range 10 to 100000"),
        ({"max_conections": 100}, "no option 'max_conections', did you mean max_connections"),
        ({"local_infile": "maybe"}, "neither ON nor OFF"),
        ({"binlog_format": "FOO"}, "none of MIXED, STATEMENT, ROW"),
        ({"thread_stack": 300001}, "no multiple of 1024"),
        ({"hostname": "x"}, "hostname can't be set in an option file"),
        ({"character_set_server": "nope"}, "binary refuses .*nope"),
        ({"server_audit_nothing": 1}, "unknown variable 'server_audit_nothing"),
        ({"plugin_load_add": "server_audit", "server_audit_events": "BANANA"}, "BANANA.*Disabling plugin"),
        ({"plugin_load_add": "nothing"}, "no plugin library nothing"),
        ({"max_connections": 100, "max-connections": 100}, "declared twice"),
        ({"wsrep_sst_auth": "a:b"}, "Give it in secret_settings"),
        ({"x'; DROP TABLE y; --": 1}, "there is no option"),
        ({"max_connections": {"value": 1}}, "has a mapping"),
        ({"wsrep_provider_options": "socket.ssl"}, "is no key=value"),
        ({"init_connect": "x" * 5000}, "too long"),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_a_bad_declaration_changes_nothing(
    shared_mariadb: PrivateMariaDB, settings: dict, message: str, *, check_mode: bool
) -> None:
    with pytest.raises(InvalidDeclaration, match=message):
        declare(shared_mariadb, check_mode=check_mode, settings={"wait_timeout": 600, **settings})
    assert not list(shared_mariadb.drop_ins.iterdir())
    assert shared_mariadb.sql("SELECT @@GLOBAL.wait_timeout") == "28800"


def test_the_baseline_is_set_in_check_mode_as_in_a_run_and_once(mariadb: PrivateMariaDB) -> None:
    options = {
        "level": "strict",
        "leave": ["require_secure_transport", "password-reuse-check"],
        "settings": {"wait_timeout": 7200, "secure_file_priv": str(mariadb.temporary)},
    }
    announced = declare(mariadb, check_mode=True, **options)
    assert not drop_in(mariadb).exists()
    done = declare(mariadb, **options)
    assert done.plan.diff() == announced.plan.diff()
    assert not declare(mariadb, **options).plan
    mariadb.restart()
    after = declare(mariadb, **options)
    assert not after.plan
    assert not after.result["restart_required"]
    # The user's value wins, what is left is as it was, and what would keep the server from starting is not set.
    values = (
        "SELECT @@GLOBAL.wait_timeout, @@require_secure_transport, @@local_infile, @@ssl_cipher, @@max_user_connections"
    )
    assert mariadb.sql(values).split("\t") == ["7200", "0", "0", "NULL", "100"]
    plugins = (
        "SELECT plugin_name, load_option FROM information_schema.plugins WHERE plugin_library IS NOT NULL ORDER BY 1"
    )
    assert mariadb.sql(plugins).splitlines() == [
        "SERVER_AUDIT\tFORCE_PLUS_PERMANENT",
        "simple_password_check\tFORCE_PLUS_PERMANENT",
    ]
    assert mariadb.sql("SELECT @@server_audit_events") == "CONNECT,TABLE"
    forensic = declare(mariadb, **options, log_policy="forensic")
    (change,) = forensic.plan.summaries()
    assert change.startswith("setting server_audit_events: CONNECT,TABLE")
    assert change.endswith(" -> CONNECT,QUERY_DDL,QUERY_DCL,TABLE")


def test_what_is_left_has_to_be_in_a_baseline(shared_mariadb: PrivateMariaDB) -> None:
    with pytest.raises(InvalidDeclaration, match="no baseline has an option 'require_secure_transprt'") as caught:
        declare(shared_mariadb, level="essential", leave=["require_secure_transprt"])
    assert "require_secure_transport" in caught.value.hint


def test_a_later_file_that_wins_is_named_with_its_line(mariadb: PrivateMariaDB) -> None:
    later = mariadb.drop_ins / "zz-local.cnf"
    later.write_text("[mariadb]\n# local\nskip-name_resolve\nmax-connectio = 90\n[client]\nwait_timeout=3\n")
    for check_mode in (True, False):
        with pytest.raises(RefusedForSafety, match=rf"{later} line 4 sets max_connections to 90 and is read after"):
            declare(mariadb, check_mode=check_mode, settings={"max_connections": 200})
    assert not drop_in(mariadb).exists()
    assert len(declare(mariadb, settings={"wait_timeout": 600}).plan) == 1
    mariadb.restart()
    assert mariadb.sql("SELECT @@max_connections, @@GLOBAL.wait_timeout") == "90\t600"


def test_a_failure_half_way_puts_everything_back(mariadb: PrivateMariaDB) -> None:
    declare(mariadb, settings={"wait_timeout": 600})
    before = drop_in(mariadb).read_text()
    with pytest.raises(ApplyFailed, match=r"Unknown storage engine 'Nope' .*put back"):
        declare(
            mariadb,
            plugins=["simple_password_check"],
            settings={"connect_timeout": 20, "default_storage_engine": "Nope"},
        )
    assert drop_in(mariadb).read_text() == before
    assert mariadb.sql("SELECT @@connect_timeout") == "10"
    assert mariadb.sql("SHOW PLUGINS SONAME 'simple_password_check.so'").split("\t")[1] == "NOT INSTALLED"


def test_plugins_are_loaded_at_once_and_after_a_restart(mariadb: PrivateMariaDB) -> None:
    options = {
        "plugins": ["simple_password_check.so"],
        "settings": {"simple_password_check_minimal_length": 14, "simple_password_check": "FORCE_PLUS_PERMANENT"},
    }
    announced = declare(mariadb, check_mode=True, **options)
    done = declare(mariadb, **options)
    assert announced.plan.diff() == done.plan.diff()
    assert mariadb.sql("SELECT @@simple_password_check_minimal_length") == "14"
    assert not done.result["restart_required"]
    mariadb.restart()
    again = declare(mariadb, **options)
    assert not again.plan
    assert not again.result["restart_required"]
    assert "can not be unloaded" in mariadb.sql("UNINSTALL SONAME 'simple_password_check'", check=False)
    assert mariadb.sql("SELECT @@simple_password_check_minimal_length") == "14"


@pytest.mark.parametrize("moment", ["observe_changeable_variables", "observe_plugins"])
def test_a_plugin_that_another_node_loads_meanwhile_gets_its_values(
    mariadb: PrivateMariaDB, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """INSTALL SONAME reaches all nodes of a cluster, at whatever moment of their own runs."""
    original = getattr(edge, moment)

    def and_then_it_is_loaded(session: t.Any) -> t.Any:
        found = original(session)
        mariadb.sql("INSTALL SONAME 'simple_password_check'")
        return found

    with open_subject(
        mariadb.connection,
        {
            **DEFAULTS,
            "settings": {"simple_password_check_minimal_length": 17},
            "plugins": ["simple_password_check"],
        },
    ) as subject:
        monkeypatch.setattr(edge, moment, and_then_it_is_loaded)
        assert converge(subject, check_mode=False).plan
    assert mariadb.sql("SELECT @@simple_password_check_minimal_length") == "17"


def test_a_plugin_for_the_next_start_waits_for_it(mariadb: PrivateMariaDB) -> None:
    settings = {"plugin_load_add": ["server_audit"], "server_audit_events": "CONNECT,TABLE"}
    done = declare(mariadb, settings=settings)
    assert [row["wanted"] for row in done.result["restart_required"]] == ["CONNECT,TABLE", "server_audit"]
    mariadb.restart()
    after = declare(mariadb, settings=settings)
    assert not after.plan
    assert not after.result["restart_required"]


def test_options_of_a_plugin_that_was_installed_by_hand(mariadb: PrivateMariaDB) -> None:
    mariadb.sql("INSTALL SONAME 'server_audit'")
    (mariadb.drop_ins / "audit.cnf").write_text("[mysqld]\nserver_audit_events = CONNECT\n")
    declare(mariadb, settings={"server_audit_events": "CONNECT,TABLE"})
    assert mariadb.sql("SELECT @@server_audit_events") == "CONNECT,TABLE"
    assert mariadb.restart(check=False)
    assert not declare(mariadb, settings={"server_audit_events": "CONNECT,TABLE"}).plan


def test_null_takes_the_entry_out_again(mariadb: PrivateMariaDB) -> None:
    declare(mariadb, settings={"max_connections": 200, "wait_timeout": 600})
    done = declare(mariadb, settings={"max_connections": None})
    assert done.plan.summaries() == [f"setting max_connections: 200 ({drop_in(mariadb)} line 3) -> (reset)"]
    assert mariadb.sql("SELECT @@max_connections, @@GLOBAL.wait_timeout") == "151\t600"
    assert not declare(mariadb, settings={"max_connections": None}).plan


def test_the_previous_file_is_the_one_the_server_was_started_with(mariadb: PrivateMariaDB) -> None:
    declare(mariadb, settings={"wait_timeout": 600})
    mariadb.restart()
    first = drop_in(mariadb).read_text()
    declare(mariadb, settings={"wait_timeout": 700})
    done = declare(mariadb, settings={"tls_version": "TLSv1.3"})
    previous = Path(done.result["previous_file"])
    assert previous.read_text() == first
    for path in (previous, drop_in(mariadb)):
        assert path.stat().st_mode & 0o777 == 0o640


def test_what_no_variable_shows_waits_for_one_restart_only(mariadb: PrivateMariaDB) -> None:
    hidden: dict[str, t.Any] = {"secret_settings": {"wsrep_sst_auth": "a:b"}}
    done = declare(mariadb, settings={"symbolic_links": 0}, **hidden)
    assert [(row["name"], row["running"]) for row in done.result["restart_required"]] == [
        ("symbolic_links", "(not set)"),
        ("wsrep_sst_auth", "(not set)"),
    ]
    mariadb.restart()
    done = declare(mariadb, settings={"symbolic_links": 0, "wait_timeout": 600}, **hidden)
    assert done.plan
    assert not done.result["restart_required"]


def test_files_that_are_not_there_are_refused_when_they_are_needed(mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    assert declare(mariadb, check_mode=True, settings={"ssl_key": "/nowhere/key.pem"}).plan
    with pytest.raises(RefusedForSafety, match=r"ssl_key names /nowhere/key\.pem: no such file"):
        declare(mariadb, settings={"ssl_key": "/nowhere/key.pem"})
    key = tmp_path / "key.pem"
    key.write_text("x")
    key.chmod(0o600)
    with pytest.raises(RefusedForSafety, match="the server's account can't read"):
        declare(mariadb, settings={"ssl_key": str(key)})
    assert not drop_in(mariadb).exists()


def test_a_file_that_the_server_does_not_read_is_refused(mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    with pytest.raises(InvalidDeclaration, match=r"does not read .*other\.cnf\. It reads .*my\.cnf"):
        declare(mariadb, option_file=str(tmp_path / "other.cnf"), settings={"wait_timeout": 600})
    assert len(declare(mariadb, option_file=str(mariadb.options), settings={"wait_timeout": 600}).plan) == 1
    assert mariadb.restart(check=False)
    assert mariadb.sql("SELECT @@GLOBAL.wait_timeout") == "600"


def test_over_tcp_it_says_where_to_run_it(mariadb: PrivateMariaDB) -> None:
    connection = dataclasses.replace(mariadb.connection, host="localhost", port=PORT)
    with pytest.raises(MissingRequirement, match=r"over TCP.*on the database host"):
        open_subject(connection, DEFAULTS).__enter__()


def test_secrets_are_shown_nowhere(mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    options = {**mariadb.login_options(), "secret_settings": {"wsrep_sst_auth": "sst:geheimes"}}
    answer = through_ansible("mariadb_settings", options, "--diff", home=tmp_path)
    assert answer["changed"]
    assert "geheimes" not in json.dumps(answer)
    assert "geheimes" in drop_in(mariadb).read_text()
    assert not through_ansible("mariadb_settings", options, home=tmp_path)["changed"]
    drop_in(mariadb).write_text("[mysqld]\nwsrep_sst_auth = sst:anderes-geheimes\n")
    with pytest.raises(BulwarkError) as refused:
        declare(mariadb, secret_settings={"file_key_management_filekey": "geheimes"})
    assert "geheimes" not in str(refused.value)


@pytest.fixture
def galera(stopped_mariadb: PrivateMariaDB) -> PrivateMariaDB:
    """A cluster of one."""
    with stopped_mariadb.options.open("a", encoding="utf-8") as stream:
        stream.write(
            f"[mysqld]\nwsrep_on = ON\nwsrep_provider = {GALERA}\nwsrep_cluster_address = gcomm://\n"
            "binlog_format = ROW\n"
            f'[galera]\nwsrep_provider_options = "base_port={PORT + 100};gcache.size=8M;gcs.fc_limit=32"\n'
        )
    stopped_mariadb.start()
    return stopped_mariadb


@pytest.mark.skipif(not Path(GALERA).exists(), reason="the package galera-4 is not installed")
def test_provider_options_are_merged_by_key(galera: PrivateMariaDB) -> None:
    # The main file names them after it reads the folder, so they are changed where they stand.
    options = {"option_file": str(galera.options)}
    for key in ("nosuch.key", "pc.bootstrap"):
        with pytest.raises(InvalidDeclaration, match=key):
            declare(galera, **options, settings={"wsrep_provider_options": {key: 1}})
    settings = {
        "wsrep_provider_options": {
            "gcs.fc_limit": 64, "evs.suspect_timeout": "PT6S", "pc.weight": 2, "gcache.keep_pages_size": "0",
            "gmcast.segment": 3,
        }
    }  # fmt: skip
    done = declare(galera, **options, settings=settings)
    running = galera.sql("SELECT @@wsrep_provider_options")
    for text in ("gcs.fc_limit = 64", "evs.suspect_timeout = PT6S", "pc.weight = 2", "gmcast.segment = 0"):
        assert text in running
    assert [(row["name"], row["running"]) for row in done.result["restart_required"]] == [
        ("wsrep_provider_options", "gmcast.segment=0")
    ]
    assert not declare(galera, **options, settings=settings).plan
    galera.restart()
    after = declare(galera, **options, settings=settings)
    assert not after.plan
    assert not after.result["restart_required"]
    running = galera.sql("SELECT @@wsrep_provider_options")
    for text in ("gmcast.segment = 3", "gcache.size = 8M", f"base_port = {PORT + 100}"):
        assert text in running


@pytest.mark.skipif(not Path(GALERA).exists(), reason="the package galera-4 is not installed")
def test_who_may_join_is_listed_where_the_nodes_look_and_at_once(galera: PrivateMariaDB) -> None:
    def listed() -> list[str]:
        return galera.sql("SELECT ip FROM mysql.wsrep_allowlist ORDER BY ip").split()

    options = {"option_file": str(galera.options)}
    first, second = ({"wsrep_allowlist": text} for text in ("127.0.0.1,127.0.0.2", "127.0.0.1, 127.0.0.3"))
    would = declare(galera, **options, settings=first, check_mode=True)
    assert [change.activation for change in would.plan] == ["live"]
    assert listed() == []
    assert not declare(galera, **options, settings=first).result["restart_required"]
    assert listed() == ["127.0.0.1", "127.0.0.2"]
    assert not declare(galera, **options, settings={"wsrep_allowlist": ["127.0.0.2", "127.0.0.1"]}).plan
    assert declare(galera, **options, settings=second).plan
    assert listed() == ["127.0.0.1", "127.0.0.3"]
    galera.sql("DELETE FROM mysql.wsrep_allowlist")
    assert declare(galera, **options, settings=second).plan
    assert listed() == ["127.0.0.1", "127.0.0.3"]
    assert not declare(galera, **options, settings=second).plan


@pytest.mark.skipif(not Path(GALERA).exists(), reason="the package galera-4 is not installed")
def test_tls_between_nodes_goes_through_the_dynamic_stage_and_ends_waiting_for_nothing(galera: PrivateMariaDB) -> None:
    certificate, key = galera.root / "node.pem", galera.root / "node.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=node"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    galera.chown(key)
    files = {"socket.ssl_ca": str(certificate), "socket.ssl_cert": str(certificate), "socket.ssl_key": str(key)}
    for dynamic in (True, False):
        settings = {"wsrep_provider_options": {**files, "socket.ssl": True, "socket.dynamic": dynamic}}
        done = declare(galera, option_file=str(galera.options), settings=settings)
        (waiting,) = done.result["restart_required"]
        assert "socket.dynamic=" in waiting["running"]
        galera.restart()
        after = declare(galera, option_file=str(galera.options), settings=settings)
        assert not after.plan
        assert not after.result["restart_required"]
        assert f"socket.ssl_key = {key}" in galera.sql("SELECT @@wsrep_provider_options")
