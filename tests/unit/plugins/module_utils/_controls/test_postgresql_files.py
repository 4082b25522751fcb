# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file policies of a PostgreSQL host."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.postgresql_files import (
    file_policies,
    program_policies,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import parse_policies
from ansible_collections.bulwark.database.plugins.module_utils._core.files import tightened

DEBIAN = {
    "config_file": "/etc/postgresql/15/main/postgresql.conf",
    "data_directory": "/var/lib/postgresql/15/main",
    "hba_file": "/etc/postgresql/15/main/pg_hba.conf",
    "ident_file": "/etc/postgresql/15/main/pg_ident.conf",
    "log_directory": "log",
    "logging_collector": "off",
    "ssl_ca_file": "",
    "ssl_cert_file": "/etc/ssl/certs/ssl-cert-snakeoil.pem",
    "ssl_key_file": "/etc/ssl/private/ssl-cert-snakeoil.key",
    "unix_socket_directories": "/var/run/postgresql, /tmp, @abstract",
}
UPSTREAM = {
    "config_file": "/srv/pg/postgresql.conf",
    "data_directory": "/srv/pg",
    "hba_file": "/srv/pg/pg_hba.conf",
    "ident_file": "/etc/pg_ident.conf",
    "log_directory": "log",
    "logging_collector": "on",
    "ssl_cert_file": "server.crt",
    "ssl_key_file": "server.key",
    "unix_socket_directories": "/tmp",
}


def by_path(settings: t.Mapping[str, str], **more: t.Any) -> dict[str, dict[str, t.Any]]:
    return {policy["path"]: policy for policy in file_policies(settings, os_user="postgres", **more)}


def test_debian_has_configuration_and_logs_apart_from_data() -> None:
    policies = by_path(DEBIAN, output_file="/var/log/postgresql/postgresql-15-main.log")
    assert list(policies) == [
        "/var/lib/postgresql/15/main",
        "/var/lib/postgresql/15/main/pg_wal",
        "/etc/postgresql/15/main",
        "/etc/ssl/private/ssl-cert-snakeoil.key",
        "/etc/ssl/certs/ssl-cert-snakeoil.pem",
        "/var/log/postgresql",
        "/var/run/postgresql",
    ]
    assert policies["/var/lib/postgresql/15/main"]["file_mode_max"] == "0600"
    assert policies["/etc/postgresql/15/main"]["directory_mode_max"] == "0750"
    assert policies["/var/log/postgresql"]["directory_mode_max"] == "1775"


def test_upstream_keeps_all_in_the_data_directory() -> None:
    assert list(by_path(UPSTREAM)) == [
        "/srv/pg",
        "/srv/pg/pg_wal",
        "/etc/pg_ident.conf",
        "/srv/pg/server.key",
        "/srv/pg/server.crt",
        "/srv/pg/log",
    ]


def test_a_cluster_made_for_group_access_keeps_it() -> None:
    policy = by_path({**DEBIAN, "data_directory_mode": "0750"})["/var/lib/postgresql/15/main"]
    assert (policy["file_mode_max"], policy["directory_mode_max"]) == ("0640", "0750")


def test_tablespaces_are_as_private_as_the_data_directory() -> None:
    policies = by_path(DEBIAN, tablespaces=["/srv/fast"])
    assert {**policies["/srv/fast"], "path": DEBIAN["data_directory"]} == policies[DEBIAN["data_directory"]]


def test_in_a_shared_directory_only_the_servers_own_files_are_named() -> None:
    settings = {**DEBIAN, "config_file": "/etc/postgresql.conf", "hba_file": "/etc/pg_hba.conf"}
    policies = by_path(settings, output_file="/var/log/postgresql.log")
    assert "/etc" not in policies
    assert "/var/log" not in policies
    assert {"/etc/postgresql.conf", "/etc/pg_hba.conf", "/var/log/postgresql.log"} <= set(policies)


def test_the_group_can_be_told_apart_from_the_account() -> None:
    assert by_path(DEBIAN, os_group="dba")[DEBIAN["data_directory"]]["group"] == ["dba"]


def test_a_keytab_is_as_strict_as_a_key() -> None:
    policy = by_path({**DEBIAN, "krb_server_keyfile": "FILE:/etc/postgresql-common/krb5.keytab"})
    assert policy["/etc/postgresql-common/krb5.keytab"]["file_mode_max"] == "0600"


@pytest.mark.parametrize("settings", [DEBIAN, UPSTREAM, {"data_directory": "/srv/pg"}])
def test_the_module_takes_the_policies_as_they_are(settings: dict[str, str]) -> None:
    declared = file_policies(settings, os_user="postgres", output_file="/var/log/postgresql/x.log")
    assert len(parse_policies(declared)) == len(declared)


def test_a_file_of_root_that_the_server_reads_keeps_a_group_that_lets_it() -> None:
    policy = parse_policies([by_path(DEBIAN)["/etc/postgresql/15/main"]])[0]
    assert [(rule.owners, rule.groups) for rule in policy.rules] == [
        (("postgres",), ("postgres", "root")),
        (("root",), ("postgres",)),
    ]


def test_programs_belong_to_root_but_shared_directories_are_left_alone() -> None:
    debian = program_policies({"BINDIR": "/usr/lib/postgresql/15/bin", "SHAREDIR": "/usr/share/postgresql/15"})
    assert [policy["path"] for policy in debian] == ["/usr/lib/postgresql/15/bin", "/usr/share/postgresql/15"]
    redhat = program_policies({"BINDIR": "/usr/bin", "PKGLIBDIR": "/usr/lib64/pgsql"})
    assert [policy["path"] for policy in redhat] == [
        "/usr/lib64/pgsql",
        "/usr/bin/postgres",
        "/usr/bin/pg_ctl",
        "/usr/bin/initdb",
    ]
    parse_policies(debian + redhat)


def test_debians_own_socket_directory_stays_as_its_packages_make_it() -> None:
    policy = parse_policies([by_path(DEBIAN)["/var/run/postgresql"]])[0]
    assert tightened(0o2775, policy.rules[0].directory_mode_max, directory=True) == 0o2775
