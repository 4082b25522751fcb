# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's paths, keys and secrets, out of its variables and option files."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_option_files import (
    Option,
    Reading,
    read_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_server import (
    is_secret,
    place_settings,
    server_files,
)

GROUPS = ("mysqld", "mariadb", "galera")


class Files:
    def __init__(self, texts: t.Mapping[str, str]) -> None:
        self._texts = texts

    def read(self, path: str) -> str | None:
        return self._texts.get(path)

    def names(self, directory: str) -> list[str]:
        return [path.rpartition("/")[2] for path in self._texts if path.rpartition("/")[0] == directory]


def reading(**texts: str) -> Reading:
    files = {f"/etc/{name}.cnf": text for name, text in texts.items()}
    return read_options(files, Files(files))


def test_relative_paths_count_from_the_data_directory_and_unused_ones_are_empty() -> None:
    found = place_settings(
        {
            "datadir": "/var/lib/mysql/",
            "innodb_undo_directory": "./",
            "general_log_file": "host.log",
            "log_error": "../log/error.log",
            "socket": "/run/mysqld/mysqld.sock",
            "tmpdir": "/a/:tmp",
            "port": "3306",
        }
    )
    assert found["datadir"] == found["innodb_undo_directory"] == "/var/lib/mysql"
    assert found["general_log_file"] == "/var/lib/mysql/host.log"
    assert found["log_error"] == "/var/lib/log/error.log"
    assert found["tmpdir"] == "/a:/var/lib/mysql/tmp"
    assert (found["port"], found["ssl_key"], found["server_audit_file_path"]) == ("3306", "", "")


def test_the_providers_paths_count_only_where_one_is_loaded() -> None:
    values = {"datadir": "/d", "wsrep_provider_options": "gcache.dir = /g/; socket.ssl_key = key.pem"}
    loaded = place_settings({**values, "wsrep_provider": "/lib/galera.so"})
    assert (loaded["gcache.dir"], loaded["socket.ssl_key"]) == ("/g", "/d/key.pem")
    off = place_settings({**values, "wsrep_provider": "none"})
    assert (off["gcache.dir"], off["wsrep_provider"]) == ("", "")


def test_keys_are_found_in_variables_and_in_files_that_wait_for_a_restart() -> None:
    settings = place_settings({"datadir": "/d", "ssl_key": "/tls/old.key", "ssl_ca": "ca.pem"})
    files = server_files(
        settings,
        reading(
            server="[mariadb]\nssl-key=/tls/new.key\nssl-cert=/tls/new.crt\n"
            "file_key_management_filename=/keys/file.enc\nfile-key-management-filekey=FILE:/keys/passphrase\n",
            galera='[galera]\nwsrep_provider_options="socket.ssl_key=/tls/node.key;socket.ssl_cert=/tls/node.crt"\n',
            transfer="[sst]\ntkey=/tls/transfer.key\ntca=/tls/transfer-ca.crt\nencrypt=3\n",
            client="[client]\nssl-key=/home/somebody/client.key\n",
        ),
        groups=GROUPS,
    )
    assert files.private_keys == ("/tls/new.key", "/tls/node.key", "/tls/old.key", "/tls/transfer.key")
    assert files.certificates == ("/d/ca.pem", "/tls/new.crt", "/tls/node.crt", "/tls/transfer-ca.crt")
    assert files.encryption_keys == ("/keys/file.enc", "/keys/passphrase")
    assert files.config_files == ("/etc/server.cnf", "/etc/galera.cnf", "/etc/transfer.cnf", "/etc/client.cnf")
    assert files.secret_config_files == ()


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ("wsrep_sst_auth=sst:x", True),
        ("password=x", True),
        ("file_key_management_filekey=x", True),
        ("file_key_management_filekey=FILE:/x", False),
        ("ssl_passphrase=x", True),
        ("password", False),
        ("wsrep_sst_auth=", False),
        ("default_auth=ed25519", False),
        ("strict_password_validation=1", False),
        ("old_passwords=0", False),
    ],
)
def test_what_is_a_secret_closes_its_file(line: str, *, secret: bool) -> None:
    found = reading(a=f"[client]\n{line}\n")
    assert [is_secret(option) for option in found.options] == [secret]
    files = server_files(place_settings({"datadir": "/d"}), found, groups=GROUPS)
    assert files.secret_config_files == (("/etc/a.cnf",) if secret else ())


def test_an_option_without_a_value_names_no_file() -> None:
    found = Reading(options=[Option("/x", 1, "mysqld", "ssl_key", None, "ssl_key")])
    assert server_files(place_settings({"datadir": "/d"}), found, groups=GROUPS).private_keys == ()
