# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each control of MariaDB, how a server is broken in that respect and how our remedy mends it."""

from __future__ import annotations

import typing as t

from breakages import BACKUPS, Setting, Sql

# Broken in an option file and by a restart; mended by mariadb_settings with the baseline of the level, or by what the
# baseline leaves to the role.
SETTINGS: dict[str, Setting] = {
    "MDB-AUTH-004": Setting({"secure_auth": "OFF"}),
    "MDB-AUTH-005": Setting({"strict_password_validation": "OFF"}),
    "MDB-AUTH-006": Setting({"disconnect_on_expired_password": "OFF"}),
    "MDB-AUTH-007": Setting({"max_password_errors": "100"}),
    "MDB-AUD-001": Setting({}),
    "MDB-AUD-002": Setting({}),
    "MDB-CFG-001": Setting({"local_infile": "ON"}),
    "MDB-CFG-004": Setting({"sql_mode": "ANSI"}),
    "MDB-LOG-001": Setting({"general_log": "ON"}),
    "MDB-LOG-002": Setting({"log_output": "TABLE"}),
    "MDB-NET-001": Setting({"bind_address": "*"}, {"bind_address": "127.0.0.1"}),
    "MDB-ROLE-004": Setting({}),
    "MDB-SES-001": Setting({"wait_timeout": "86400"}),
    "MDB-TLS-001": Setting(
        {}, {"ssl_cert": "{root}/server.crt", "ssl_key": "{root}/server.key", "ssl_ca": "{root}/ca.crt"}
    ),
    "MDB-TLS-002": Setting({"ssl_cipher": "AES128-SHA"}),
    "MDB-CFG-005": Setting(
        {},
        {
            "file_key_management_filename": "{root}/keys",
            "innodb_encryption_threads": "4",
            "innodb_encryption_rotate_key_age": "1",
        },
    ),
}

# Broken and mended by statements; each mending is what the control's remedy says.
STATEMENTS: dict[str, Sql] = {
    "MDB-AUTH-001": Sql(
        "CREATE USER bw_open@localhost IDENTIFIED VIA mysql_native_password OR unix_socket",
        "DROP USER ''@localhost, ''@'{host}', bw_open@localhost; DROP DATABASE IF EXISTS test;"
        " DELETE FROM mysql.db WHERE db LIKE 'test%'; FLUSH PRIVILEGES",
    ),
    "MDB-AUTH-002": Sql(
        "CREATE USER bw_roaming@'%' IDENTIFIED VIA ed25519 USING PASSWORD('Long-enough-1234') REQUIRE SSL",
        "RENAME USER bw_roaming@'%' TO bw_roaming@'10.0.1.%'",
    ),
    "MDB-AUTH-003": Sql(
        "CREATE USER bw_sha1@localhost IDENTIFIED BY 'Long-enough-1234'",
        "ALTER USER bw_sha1@localhost IDENTIFIED VIA ed25519 USING PASSWORD('Long-enough-5678')",
    ),
    "MDB-CFG-002": Sql("INSTALL SONAME 'disks'", "UNINSTALL SONAME 'disks'"),
    "MDB-ROLE-001": Sql(
        "CREATE USER bw_process@localhost IDENTIFIED VIA unix_socket; GRANT PROCESS ON *.* TO bw_process@localhost",
        "REVOKE PROCESS ON *.* FROM bw_process@localhost",
    ),
    "MDB-ROLE-002": Sql(
        "CREATE USER bw_system@localhost IDENTIFIED VIA unix_socket; GRANT SELECT ON mysql.* TO bw_system@localhost",
        "REVOKE ALL PRIVILEGES ON mysql.* FROM bw_system@localhost",
    ),
    "MDB-ROLE-003": Sql(
        "CREATE DATABASE bw_code; CREATE PROCEDURE bw_code.bw_definer() SELECT 1",
        "DROP PROCEDURE bw_code.bw_definer; CREATE PROCEDURE bw_code.bw_definer() SQL SECURITY INVOKER SELECT 1",
    ),
    "MDB-TLS-003": Sql(
        "CREATE USER bw_plain@'10.0.1.%' IDENTIFIED VIA ed25519 USING PASSWORD('Long-enough-1234')",
        "ALTER USER bw_plain@'10.0.1.%' REQUIRE SSL",
    ),
    "MDB-TLS-004": Sql(
        "CHANGE MASTER 'bw_source' TO MASTER_HOST='192.0.2.1', MASTER_USER='x', MASTER_SSL=1,"
        " MASTER_SSL_VERIFY_SERVER_CERT=0",
        "CHANGE MASTER 'bw_source' TO MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=1",
    ),
}

# Each in a way of its own: see the tests.
OTHER: dict[str, str] = {
    "MDB-CFG-003": "a file of the data directory is opened to all",
    "MDB-GAL-001": "a node in plaintext, then with TLS",
    "MDB-GAL-002": "a node without a list, then with one",
    "MDB-GAL-003": "a node that transfers by rsync, then by mariadb-backup with verification",
    "MDB-GAL-004": "mysql@localhost with all privileges, then with four",
    "MDB-GAL-005": "a node that ignores quorum, then one that doesn't",
    "MDB-GAL-006": "an old dump of a write set, then none",
    "MDB-GAL-007": "a hook that its own account may change, then root's",
    "MDB-PKG-001": "the same server is judged at a later date",
}

# What only a whole host can show; tests/unit has each check fail and pass on made-up observations.
HOST: dict[str, str] = {
    **BACKUPS,
    "NET-001": "packet filter of the kernel",
    "OS-FS-003": "programs that other servers of this machine run from",
    "OS-SVC-001": "systemd unit",
    "PKG-001": "sources of the package manager",
    "PKG-003": "updates that are not installed",
    "PKG-007": "packages and units",
}

TABLES: tuple[t.Mapping[str, t.Any], ...] = (SETTINGS, STATEMENTS, OTHER, HOST)
