# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file policies of a MariaDB host."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.mariadb_files import (
    file_policies,
    program_policies,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import parse_policies
from ansible_collections.bulwark.database.plugins.module_utils._core.files import Entry, NumericRule, judge
from ansible_collections.bulwark.database.plugins.module_utils._core.mariadb_place import ServerFiles
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_server import place_settings

DEBIAN = {"datadir": "/var/lib/mysql/", "socket": "/run/mysqld/mysqld.sock", "innodb_undo_directory": "./"}
REDHAT = {"datadir": "/var/lib/mysql/", "socket": "/var/lib/mysql/mysql.sock", "log_error": "/var/log/mariadb.log"}
FILES = ServerFiles(
    config_files=("/etc/mysql/mariadb.cnf", "/etc/mysql/mariadb.conf.d/60-galera.cnf"),
    config_directories=("/etc/mysql/mariadb.conf.d",),
    secret_config_files=("/etc/mysql/mariadb.conf.d/60-galera.cnf",),
    private_keys=("/etc/mysql/tls/server.key",),
    certificates=("/etc/mysql/tls/server.crt",),
    encryption_keys=("/etc/mysql/encryption/keys.enc",),
    own_directories=("/var/lib/mysql", "/var/log/mysql", "/srv/binlog", "/var/log"),
)
NUMBERS = {"root": 0, "mysql": 27, "adm": 4, "ssl-cert": 110}


def by_path(settings: t.Mapping[str, str], files: ServerFiles = FILES, **more: t.Any) -> dict[str, dict[str, t.Any]]:
    policies = file_policies(place_settings(settings), files, os_user="mysql", **more)
    assert len(parse_policies(policies)) == len(policies)
    return {policy["path"]: policy for policy in policies}


def mended(
    policy: t.Mapping[str, t.Any], owner: str, group: str, mode: int, *, kind: str = "file"
) -> tuple[str, str, str]:
    """Owner, group and mode that the policy leaves or gives."""
    numeric = [
        NumericRule(
            tuple(NUMBERS[name] for name in rule.owners),
            tuple(NUMBERS[name] for name in rule.groups),
            rule.file_mode_max,
            rule.directory_mode_max,
        )
        for rule in parse_policies([policy])[0].rules
    ]
    verdict = judge(Entry(kind=kind, uid=NUMBERS[owner], gid=NUMBERS[group], mode=mode, links=1), numeric)
    names = {number: name for name, number in NUMBERS.items()}
    if verdict is None:
        return owner, group, f"{mode:04o}"
    return names[verdict.uid], names[verdict.gid], f"{verdict.mode:04o}"


def test_a_stock_debian_host() -> None:
    policies = by_path(DEBIAN)
    assert sorted(policies) == sorted(
        [
            "/etc/mysql/tls/server.key",
            "/etc/mysql/encryption/keys.enc",
            "/etc/mysql/tls/server.crt",
            "/etc/mysql/debian.cnf",
            "/etc/mysql/mariadb.conf.d/60-galera.cnf",
            "/etc/mysql/mariadb.cnf",
            "/etc/mysql/mariadb.conf.d",
            "/etc/mysql",
            "/var/lib/mysql",
        ]
    )
    assert mended(policies["/var/lib/mysql"], "mysql", "mysql", 0o755, kind="directory") == ("mysql", "mysql", "0700")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        # The server reads root's secret by its group, and its own as it is.
        ("/etc/mysql/mariadb.conf.d/60-galera.cnf", ("root", "root", 0o644), ("root", "mysql", "0640")),
        ("/etc/mysql/mariadb.conf.d/60-galera.cnf", ("mysql", "mysql", 0o660), ("mysql", "mysql", "0600")),
        ("/etc/mysql/mariadb.cnf", ("root", "root", 0o664), ("root", "root", "0644")),
        ("/etc/mysql/mariadb.cnf", ("mysql", "mysql", 0o600), ("mysql", "mysql", "0600")),
        ("/etc/mysql/tls/server.key", ("mysql", "mysql", 0o644), ("mysql", "mysql", "0600")),
        ("/etc/mysql/tls/server.key", ("root", "root", 0o644), ("root", "mysql", "0640")),
        ("/etc/mysql/tls/server.key", ("root", "ssl-cert", 0o640), ("root", "ssl-cert", "0640")),
        ("/etc/mysql/encryption/keys.enc", ("root", "ssl-cert", 0o640), ("root", "mysql", "0640")),
        ("/var/lib/mysql", ("mysql", "mysql", 0o660), ("mysql", "mysql", "0660")),
        ("/var/lib/mysql", ("mysql", "mysql", 0o666), ("mysql", "mysql", "0660")),
        ("/var/lib/mysql", ("root", "root", 0o644), ("root", "root", "0644")),
        ("/var/lib/mysql", ("mysql", "adm", 0o640), ("mysql", "mysql", "0640")),
    ],
)
def test_nothing_that_the_server_reads_is_taken_from_it(
    path: str, before: tuple[str, str, int], after: tuple[str, str, str]
) -> None:
    assert mended(by_path(DEBIAN)[path], *before) == after


def test_a_socket_in_the_data_directory_leaves_clients_a_way_to_it() -> None:
    policies = by_path(REDHAT)
    assert mended(policies["/var/lib/mysql"], "mysql", "mysql", 0o755, kind="directory") == ("mysql", "mysql", "0711")


def test_in_a_folder_that_others_share_only_the_servers_own_files_are_named() -> None:
    policies = by_path({**REDHAT, "slow_query_log_file": "/srv/logs/slow.log", "log_bin_basename": "/srv/mixed/bin"})
    assert "/var/log" not in policies
    assert {"/var/log/mariadb.log", "/srv/logs/slow.log"} <= set(policies)
    assert not any(path in policies for path in ("/srv/logs", "/srv/mixed"))


def test_folders_of_logs_and_binary_logs_that_the_server_owns_are_closed_as_a_whole() -> None:
    settings = {**DEBIAN, "log_error": "/var/log/mysql/error.log", "log_bin_basename": "/srv/binlog/bin"}
    policies = by_path(settings)
    logs, binary_logs = policies["/var/log/mysql"], policies["/srv/binlog"]
    assert mended(logs, "mysql", "adm", 0o2755, kind="directory") == ("mysql", "adm", "2750")
    assert mended(logs, "mysql", "adm", 0o664) == ("mysql", "adm", "0660")
    assert mended(logs, "mysql", "root", 0o644) == ("mysql", "root", "0640")
    assert mended(logs, "root", "root", 0o644) == ("root", "mysql", "0640")
    assert mended(binary_logs, "mysql", "mysql", 0o755, kind="directory") == ("mysql", "mysql", "0700")


def test_a_folder_of_root_stays_open_to_the_servers_group() -> None:
    policies = by_path({**DEBIAN, "secure_file_priv": "/srv/exchange"}, tablespaces=["/srv/binlog"])
    assert mended(policies["/srv/binlog"], "root", "root", 0o777, kind="directory") == ("root", "mysql", "0770")
    assert mended(policies["/srv/exchange"], "root", "root", 0o755, kind="directory") == ("root", "mysql", "0750")


def test_programs_belong_to_root_but_shared_directories_are_left_alone() -> None:
    policies = program_policies(
        binary="/usr/sbin/mariadbd",
        plugin_directory="/usr/lib/mysql/plugin",
        provider="/usr/lib/galera/libgalera_smm.so",
    )
    assert [policy["path"] for policy in policies] == [
        "/usr/sbin/mariadbd",
        "/usr/lib/galera/libgalera_smm.so",
        "/usr/lib/mysql/plugin",
    ]
    assert len(parse_policies(policies)) == 3
    # Its tool for PAM has to be set-user-id, in a folder of the server's account.
    assert policies[-1]["exclude"] == ["/auth_pam_tool_dir"]
    assert len(program_policies(binary="/usr/sbin/mariadbd", plugin_directory="/usr/lib")) == 1
