# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_server_info against a real server."""

from __future__ import annotations

import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import MissingRequirement
from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import parse_policies
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_server_info import gather
from private_galera import PROVIDER, PrivateGalera
from private_mariadb import ACCOUNT, PrivateMariaDB
from through_ansible import through_ansible


def found(server: PrivateMariaDB) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", gather(server.connection)["server"])


def make_certificate(server: PrivateMariaDB, *, name: str = "localhost") -> None:
    """A key and a self-signed certificate that is its own authority."""
    certificate, key = server.root / "server.crt", server.root / "server.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", f"/CN={name}", "-days", "2", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    server.chown(certificate, key)


def drop_in(server: PrivateMariaDB, name: str, text: str) -> Path:
    path = server.drop_ins / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_server_is_found_where_it_really_is(shared_mariadb: PrivateMariaDB) -> None:
    server, answer = shared_mariadb, found(shared_mariadb)
    assert answer["version"] == server.sql("SELECT REGEXP_SUBSTR(VERSION(), '^[0-9.]+')")
    assert (answer["datadir"], answer["socket"], answer["port"]) == (str(server.data), str(server.socket), 0)
    assert answer["os_user"] == ACCOUNT
    assert answer["process_id"] == int((server.root / "mariadbd.pid").read_text())
    assert Path(answer["binary"]).samefile(f"/proc/{answer['process_id']}/exe")
    assert time.time() - 600 < answer["started"] < time.time()
    assert answer["config_files"] == (str(server.options),)
    assert answer["config_directories"] == (str(server.drop_ins),)
    assert answer["log_files"][0] == str(server.data / f"{os.uname().nodename}-slow.log")
    assert str(server.log) in answer["log_files"]
    assert answer["output_file"] == str(server.log)  # the server leads its standard error there
    assert (answer["unit"], answer["socket_unit"], answer["galera"], answer["pending_restart"]) == ("", "", False, ())
    assert answer["writable_paths"] == [str(server.root)]
    assert answer["tls"]["files_loaded"] is None


def test_its_file_policies_are_what_the_module_takes(shared_mariadb: PrivateMariaDB) -> None:
    policies = {policy.path: policy for policy in parse_policies(found(shared_mariadb)["file_policies"])}
    data = policies[str(shared_mariadb.data)]
    assert data.recurse
    assert data.rules[0].owners == (ACCOUNT,)
    assert data.rules[0].directory_mode_max == 0o700
    assert {str(shared_mariadb.options), str(shared_mariadb.drop_ins)} <= set(policies)


def test_data_logs_and_tables_elsewhere_are_found_behind_links(stopped_mariadb: PrivateMariaDB) -> None:
    server = stopped_mariadb
    apart, real_data = server.root / "apart", server.root / "real"
    for name in ("binlog", "redo", "tables", "logs", "exchange"):
        (apart / name).mkdir(parents=True)
        server.chown(apart / name)
    server.data.rename(real_data)
    server.data.symlink_to(real_data)
    (real_data / "ib_logfile0").rename(apart / "redo" / "ib_logfile0")
    drop_in(
        server,
        "apart.cnf",
        f"[mariadb]\nlog_bin={apart}/binlog/bin\ninnodb_log_group_home_dir={apart}/redo\nserver_id=1\n"
        f"slow_query_log_file={apart}/logs/slow.log\nsecure_file_priv={apart}/exchange\n",
    )
    server.start()
    server.sql(f"CREATE DATABASE shop; CREATE TABLE shop.far (n int) DATA DIRECTORY = '{apart}/tables'")
    answer = found(server)
    assert answer["tablespaces"] == (f"{apart}/tables/shop",)
    assert answer["settings"]["log_bin_basename"] == f"{apart}/binlog/bin"
    # They all lie below the folder of socket and process id, which is writable as well.
    assert answer["writable_paths"] == [str(server.root)]
    policies = {policy["path"]: policy for policy in answer["file_policies"]}
    assert {f"{apart}/binlog", f"{apart}/redo", f"{apart}/tables/shop", f"{apart}/logs", f"{apart}/exchange"} <= set(
        policies
    )
    assert answer["pending_restart"] == ()


def test_keys_and_secrets_in_option_files_are_named(stopped_mariadb: PrivateMariaDB) -> None:
    server = stopped_mariadb
    secret = drop_in(server, "client.cnf", "[client]\npassword=Secret-1\n[sst]\ntkey=/etc/sst.key\n")
    server.start()
    answer = found(server)
    assert answer["secret_config_files"] == (str(secret),)
    assert answer["private_keys"] == ("/etc/sst.key",)
    assert "Secret-1" not in repr(answer)


def test_what_waits_for_a_restart_is_named_and_what_runs_is_not(mariadb: PrivateMariaDB) -> None:
    drop_in(
        mariadb, "new.cnf", "[mariadb]\nmax_connections=77\nskip-name-resolve\nlocal-infile=0\nperformance_schema\n"
    )
    mariadb.sql("SET GLOBAL max_connections = 77")
    assert found(mariadb)["pending_restart"] == ("performance_schema", "skip_name_resolve")
    mariadb.restart()
    assert found(mariadb)["pending_restart"] == ()


def test_a_certificate_that_no_flush_has_followed_is_seen(stopped_mariadb: PrivateMariaDB) -> None:
    server = stopped_mariadb
    make_certificate(server)
    drop_in(server, "tls.cnf", f"[mariadb]\nssl_cert={server.root}/server.crt\nssl_key={server.root}/server.key\n")
    server.start()
    tls = found(server)["tls"]
    assert tls == {
        "active": True,
        "cert": f"{server.root}/server.crt",
        "key": f"{server.root}/server.key",
        "ca": "",
        "files_loaded": True,
    }
    make_certificate(server, name="renewed")
    assert found(server)["tls"]["files_loaded"] is False
    server.sql("FLUSH SSL")
    assert found(server)["tls"]["files_loaded"] is True
    # It was looked at by a whole login, which leaves nothing in the log.
    assert "unauthenticated" not in server.log_text()
    assert server.sql("SHOW GLOBAL STATUS LIKE 'Aborted_connects'") == "Aborted_connects\t0"


def test_with_newer_authorities_nobody_can_tell(stopped_mariadb: PrivateMariaDB) -> None:
    server = stopped_mariadb
    make_certificate(server)
    authorities = server.root / "ca.crt"
    authorities.write_bytes((server.root / "server.crt").read_bytes())
    files = f"ssl_cert={server.root}/server.crt\nssl_key={server.root}/server.key\nssl_ca={authorities}\n"
    drop_in(server, "tls.cnf", f"[mariadb]\n{files}")
    server.start()
    assert found(server)["tls"]["files_loaded"] is True
    later = time.time() + 5
    os.utime(authorities, (later, later))
    assert found(server)["tls"]["files_loaded"] is None


def test_a_node_of_a_cluster_says_so(galera: PrivateGalera) -> None:
    answer = found(galera.nodes[0])
    assert answer["galera"]
    assert answer["settings"]["wsrep_provider"] == str(PROVIDER)
    assert answer["settings"]["gcache.dir"] == str(galera.nodes[0].data)
    assert answer["bind_address"] == "127.0.0.1"
    assert answer["pending_restart"] == ()


def test_a_server_on_another_host_is_not_looked_for_here(mariadb: PrivateMariaDB) -> None:
    (mariadb.root / "mariadbd.pid").unlink()
    with pytest.raises(MissingRequirement, match="the server's process is not found by"):
        found(mariadb)


def test_through_ansible_it_changes_nothing(shared_mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    answer = through_ansible("mariadb_server_info", shared_mariadb.login_options(), "--check", home=tmp_path)
    assert not answer["changed"]
    assert answer["server"]["datadir"] == str(shared_mariadb.data)
