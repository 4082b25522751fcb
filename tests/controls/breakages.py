# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each control, how a server is broken in that respect and how our remedy mends it.

A control that is in none of these tables can't be shown to fail and has no place in the catalogue.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Setting:
    """Broken in postgresql.auto.conf and by a restart; mended by postgresql_settings with the baseline of the level.

    :param mend: values that the baseline leaves to the role or the user.
    :param minimum: oldest server (server_version_num) that has the parameter.
    """

    values: t.Mapping[str, str]
    mend: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    minimum: int = 0


@dataclasses.dataclass(frozen=True)
class Sql:
    """Broken and mended by statements; each mending is what the control's remedy says."""

    break_it: str
    mend_it: str
    minimum: int = 0


SETTINGS: dict[str, Setting] = {
    "NET-003": Setting({"listen_addresses": "*"}, {"listen_addresses": "127.0.0.1"}),
    "PG-AUTH-004": Setting({"password_encryption": "md5"}),
    "PG-AUTH-007": Setting({"shared_preload_libraries": "auth_delay"}),
    "PG-AUTH-009": Setting({"auth_delay.milliseconds": "0"}),
    "PG-AUTH-010": Setting({"authentication_timeout": "10min"}),
    "PG-FS-003": Setting({"unix_socket_directories": "{socket}, /tmp"}, {"unix_socket_directories": "{socket}"}),
    "PG-FS-004": Setting({"full_page_writes": "off"}),
    "PG-FS-005": Setting({"dynamic_library_path": "$libdir:/srv/lib"}),
    "PG-LOG-001": Setting({"log_min_error_statement": "error"}),
    "PG-LOG-002": Setting({"log_min_messages": "debug1"}),
    "PG-LOG-003": Setting({"log_destination": "csvlog"}),
    "PG-LOG-004": Setting({"log_parameter_max_length": "-1"}),
    "PG-LOG-005": Setting({"log_min_duration_statement": "1000"}),
    "PG-LOG-006": Setting({"debug_print_parse": "on"}),
    "PG-LOG-008": Setting({"log_disconnections": "off"}),
    "PG-LOG-009": Setting({"log_line_prefix": "%t "}),
    "PG-LOG-010": Setting({"log_truncate_on_rotation": "on"}),
    "PG-LOG-014": Setting({"log_hostname": "on"}),
    "PG-SES-001": Setting({"idle_in_transaction_session_timeout": "0"}),
    "PG-SES-002": Setting({"idle_session_timeout": "0"}, minimum=140000),
    "PG-TLS-002": Setting({"ssl_min_protocol_version": "TLSv1"}),
    "PG-TLS-003": Setting({"ssl_ciphers": "HIGH:MEDIUM:+3DES:!aNULL"}),
}

# Besides what is declared in DECLARED; database postgres, as the superuser.
STATEMENTS: dict[str, Sql] = {
    "PG-AUTH-005": Sql(
        "CREATE ROLE bw_md5 PASSWORD 'md53175bce1d3201d16594cebf9d7eb3f9d'",
        "SET password_encryption = 'scram-sha-256'; ALTER ROLE bw_md5 PASSWORD 'Long-enough-1'",
    ),
    "PG-AUTH-006": Sql(
        "SET scram_iterations = 4096; CREATE ROLE bw_cheap PASSWORD 'Long-enough-1'",
        "ALTER ROLE bw_cheap PASSWORD 'Long-enough-1'",
        minimum=160000,
    ),
    "PG-AUTH-008": Sql(
        "CREATE ROLE bw_person LOGIN CONNECTION LIMIT 5 PASSWORD 'Long-enough-1'",
        "ALTER ROLE bw_person VALID UNTIL 'tomorrow'",
    ),
    "PG-LOG-007": Sql("CREATE ROLE bw_watcher; GRANT pg_monitor TO bw_watcher", "REVOKE pg_monitor FROM bw_watcher"),
    "PG-LOG-012": Sql(
        "CREATE ROLE bw_loud; ALTER ROLE bw_loud SET log_lock_waits = 'on'", "ALTER ROLE bw_loud RESET log_lock_waits"
    ),
    "PG-LOG-013": Sql(
        "CREATE ROLE bw_setter; GRANT SET ON PARAMETER log_statement TO bw_setter",
        "REVOKE ALL ON PARAMETER log_statement FROM bw_setter",
        minimum=150000,
    ),
    "PG-REP-001": Sql(
        "SELECT pg_create_physical_replication_slot('bw_slot')", "SELECT pg_drop_replication_slot('bw_slot')"
    ),
    "PG-ROLE-001": Sql("CREATE ROLE bw_super SUPERUSER", "ALTER ROLE bw_super NOSUPERUSER"),
    "PG-ROLE-002": Sql("CREATE ROLE bw_maker CREATEROLE", "ALTER ROLE bw_maker NOCREATEROLE"),
    "PG-ROLE-003": Sql(
        "CREATE ROLE bw_files; GRANT pg_read_server_files TO bw_files", "REVOKE pg_read_server_files FROM bw_files"
    ),
    "PG-ROLE-004": Sql(
        "CREATE ROLE bw_login LOGIN CONNECTION LIMIT 5; CREATE TABLE bw_granted ();"
        " GRANT SELECT ON bw_granted TO bw_login",
        "REVOKE ALL ON bw_granted FROM bw_login",
    ),
    "PG-ROLE-005": Sql("GRANT CREATE ON SCHEMA public TO PUBLIC", "REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
    "PG-ROLE-006": Sql("CREATE DATABASE bw_open", "REVOKE ALL ON DATABASE bw_open FROM PUBLIC"),
    "PG-ROLE-007": Sql(
        "CREATE TABLE bw_public (id int); GRANT SELECT (id) ON bw_public TO PUBLIC",
        "REVOKE ALL (id) ON bw_public FROM PUBLIC",
    ),
    "PG-ROLE-008": Sql(
        "CREATE ROLE bw_owner LOGIN CONNECTION LIMIT 5; CREATE TABLE bw_owned ();"
        " ALTER TABLE bw_owned OWNER TO bw_owner",
        "CREATE ROLE bw_group; REASSIGN OWNED BY bw_owner TO bw_group",
    ),
    "PG-ROLE-009": Sql(
        "CREATE FUNCTION bw_definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        "ALTER FUNCTION bw_definer() SET search_path = pg_catalog, pg_temp;"
        " REVOKE EXECUTE ON FUNCTION bw_definer() FROM PUBLIC",
    ),
    "PG-ROLE-010": Sql("CREATE EXTENSION dblink", "DROP EXTENSION dblink"),
    "PG-ROLE-011": Sql(
        "CREATE FOREIGN DATA WRAPPER bw_wrapper; CREATE SERVER bw_other FOREIGN DATA WRAPPER bw_wrapper;"
        " CREATE USER MAPPING FOR postgres SERVER bw_other OPTIONS (password 'Long-enough-1')",
        "ALTER USER MAPPING FOR postgres SERVER bw_other OPTIONS (DROP password)",
    ),
    "PG-ROLE-012": Sql(
        "CREATE ROLE bw_reader; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO bw_reader",
        "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM bw_reader",
    ),
    "PG-ROLE-013": Sql("CREATE ROLE bw_unlimited LOGIN", "ALTER ROLE bw_unlimited CONNECTION LIMIT 5"),
    "PG-ROLE-014": Sql(
        "CREATE TABLE bw_rows (id int); ALTER TABLE bw_rows ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY bw_policy ON bw_rows USING (true); ALTER TABLE bw_rows FORCE ROW LEVEL SECURITY",
    ),
    "PG-TLS-008": Sql(
        "CREATE FOREIGN DATA WRAPPER postgres_fdw;"
        " CREATE SERVER bw_unverified FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'db.example')",
        "ALTER SERVER bw_unverified OPTIONS (ADD sslmode 'verify-full')",
    ),
}
DECLARED = {"human_roles": ["bw_person"], "trusted_networks": ["192.0.2.0/24"], "server_names": ["localhost"]}

# Lines that break, put above the good rules; mended by postgresql_hba with the rules of the role.
RULES: dict[str, str] = {
    "PG-AUTH-001": "hostssl all bw_somebody 192.0.2.1/32 trust",
    "PG-AUTH-002": "hostssl all bw_somebody 192.0.2.2/32 md5",
    "PG-AUTH-003": "local replication postgres scram-sha-256",
    "PG-AUTH-011": "hostssl all bw_somebody 192.0.2.0/24 no_such_method",
    "PG-AUTH-012": "hostssl all bw_somebody 0.0.0.0/0 scram-sha-256",
    "PG-AUTH-013": "hostssl all postgres 192.0.2.3/32 scram-sha-256",
    "PG-TLS-006": "host all bw_somebody 192.0.2.4/32 scram-sha-256",
    "PG-TLS-009": "hostssl replication bw_somebody 192.0.2.5/32 scram-sha-256",
}

# Paths below the server's root that are opened to all; mended by file_permissions with the derived policies.
OPENED: dict[str, str] = {
    "PG-FS-001": "data/PG_VERSION",
    "PG-FS-002": "data/pg_hba.conf",
    "PG-LOG-011": "server.log",
    "PG-TLS-005": "data/server.key",
}

# Each in a way of its own: see the tests of the same name.
OTHER: dict[str, str] = {
    "PG-FS-006": "checksums are switched with the server stopped",
    "PG-TLS-001": "TLS is switched off and on again",
    "PG-TLS-004": "a certificate is signed by itself, then by an authority",
    "PG-TLS-007": "a client connects in plaintext and is sent away",
    "PKG-002": "the same server is judged at a later date",
}

# What only a host with a backup job can show: the scenario molecule/encrypted_backup, and the lab, have them.
BACKUPS: dict[str, str] = {
    "BKP-001": "units and history of a backup job",
    "BKP-004": "manifests and log of a store",
    "BKP-005": "sealed files of a store",
    "BKP-007": "records of restore tests",
    "BKP-008": "modes and owners in a store",
    "BKP-013": "what another host has said that it has",
}

# What only a whole host can show; tests/unit has each check fail and pass on made-up observations, and the scenario
# molecule/postgresql_hardening shows them on a real one before and after.
HOST: dict[str, str] = {
    **BACKUPS,
    "NET-001": "packet filter of the kernel",
    "OS-FS-003": "programs that other servers of this machine run from",
    "OS-SVC-001": "systemd unit",
    "PKG-001": "sources of the package manager",
    "PKG-003": "updates that are not installed",
    "PKG-006": "packages of a second version",
    "PKG-007": "packages and units",
}

TABLES: tuple[t.Mapping[str, t.Any], ...] = (SETTINGS, STATEMENTS, RULES, OPENED, OTHER, HOST)
