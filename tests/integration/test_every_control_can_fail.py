# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every control is broken on a real server and seen to fail, mended by our remedy and seen to pass.

Several are broken at once, because each is judged by itself: what is broken is in tests/controls/breakages.py.
"""

from __future__ import annotations

import datetime
import os
import shutil
import sys
import tempfile
import typing as t
from pathlib import Path

import psycopg
import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls
from ansible_collections.bulwark.database.plugins.module_utils._controls.postgresql_files import file_policies
from ansible_collections.bulwark.database.plugins.module_utils._io.identity import acting_as
from ansible_collections.bulwark.database.plugins.module_utils._module import postgresql_hba, postgresql_settings
from ansible_collections.bulwark.database.plugins.module_utils._module.assessment_info import assess_host
from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import FilePermissions
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge
from private_server import PORT, PrivateServer
from signed import sign

sys.path.append(str(Path(__file__).resolve().parents[1] / "controls"))

from breakages import DECLARED, HOST, OPENED, OTHER, RULES, SETTINGS, STATEMENTS

OPTIONS: dict[str, t.Any] = {
    "engine": "postgresql",
    "level": "strict",
    "log_policy": "privacy",
    "overrides": {},
    "waivers": [],
    "declared": DECLARED,
    "exclude_databases": [],
    "allowed_packages": [],
    "allowed_units": [],
    "certificate_days": 14,
    "query_timeout": 60,
}
# Those of the role postgresql_hardening, for one trusted network.
GOOD_RULES: list[dict[str, t.Any]] = [
    {"type": "local", "databases": ["all"], "users": ["all"], "method": "peer"},
    {"type": "host", "databases": ["all", "replication"], "users": ["postgres"], "address": "all", "method": "reject"},
    *(
        {"type": "hostssl", "databases": ["all"], "users": ["all"], "address": address, "method": "scram-sha-256"}
        for address in ("127.0.0.1/32", "::1/128", "192.0.2.0/24")
    ),
    {"type": "host", "databases": ["all"], "users": ["all"], "address": "all", "method": "reject"},
]
CERTIFICATE = {"cert": "crt", "key": "key"}
GOOD_HBA = """local all all peer
host all,replication postgres all reject
hostssl all all 127.0.0.1/32 scram-sha-256
hostssl all all 192.0.2.0/24 scram-sha-256
host all all all reject
"""


class Patient:
    """A server that is broken and mended, assessed at level strict."""

    def __init__(self, server: PrivateServer) -> None:
        self.server = server
        self.version = int(server.psql("SHOW server_version_num"))

    def results(self) -> dict[str, dict[str, t.Any]]:
        return {one["id"]: one for one in assess_host(self.server.connection, OPTIONS)["results"]}

    def expect(self, verdict: str, names: t.Collection[str]) -> None:
        results = self.results()
        others = {name: results[name] for name in names if results[name]["verdict"] != verdict}
        shown = [f"{name}: {one['verdict']}, {one['observed']}, {one['evidence']}" for name, one in others.items()]
        assert not shown, f"expected {verdict}: {shown}"

    def break_settings(self, values: t.Mapping[str, str]) -> None:
        # What ALTER SYSTEM would write; a hardened server from PostgreSQL 17 on refuses that statement.
        with (self.server.data / "postgresql.auto.conf").open("a", encoding="utf-8") as stream:
            stream.writelines(f"{name} = '{value}'\n" for name, value in values.items())
        self.server.restart()

    def mend_settings(self, values: t.Mapping[str, t.Any]) -> None:
        # As the role sets them.
        places = {f"ssl_{name}_file": str(self.server.data / f"server.{end}") for name, end in CERTIFICATE.items()}
        options: dict[str, t.Any] = {
            "settings": {"listen_addresses": "127.0.0.1", **places, **values},
            "level": "strict",
            "log_policy": "privacy",
            "preload_libraries": [],
            "persist": "auto",
            "include_file": None,
            "reload_timeout": 10,
        }
        with postgresql_settings.open_subject(self.server.connection, options) as subject:
            converge(subject, check_mode=False)
        self.server.restart()

    def mend_rules(self, journal: Path) -> None:
        options = {
            "rules": GOOD_RULES,
            "ident_mappings": None,
            "must_admit": [],
            "journal_directory": str(journal),
            "reload_timeout": 10,
        }
        with postgresql_hba.open_subject(self.server.connection, options) as subject:
            converge(subject, check_mode=False)

    def mend_files(self) -> None:
        names = ("data_directory", "config_file", "hba_file", "ident_file", "ssl_key_file", "ssl_cert_file")
        settings = {name: self.server.psql(f"SHOW {name}") for name in names}
        policies = file_policies(settings, os_user=self.server.account, output_file=str(self.server.log))
        converge(FilePermissions({"policies": policies, "report_limit": 200}), check_mode=False)

    def write_rules(self, text: str) -> None:
        (self.server.data / "pg_hba.conf").write_text(text, encoding="utf-8")
        self.server.psql("SELECT pg_reload_conf()")

    def write_certificate(self, *, self_signed: bool) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sign(folder, self_signed=self_signed)
            for file in ("server.crt", "server.key"):
                place = self.server.data / file
                shutil.copy(folder / file, place)
                place.chmod(0o600)
                self.server.chown(place)


@pytest.fixture
def patient(server: PrivateServer) -> Patient:
    """In good health: TLS, rules and the baseline of level strict."""
    found = Patient(server)
    found.write_certificate(self_signed=False)
    found.write_rules(GOOD_HBA)
    found.mend_settings({})
    server.stop()
    server.run("pg_checksums", "--enable", "-D", str(server.data), check=False)
    server.start()
    return found


def known(names: t.Iterable[str], version: int, table: t.Mapping[str, t.Any]) -> set[str]:
    return {name for name in names if version >= table[name].minimum}


def test_a_hardened_server_passes_all_that_is_not_of_the_host(patient: Patient) -> None:
    results = patient.results()
    wrong = {
        name: (one["verdict"], one["observed"], one["evidence"])
        for name, one in results.items()
        if one["verdict"] not in ("pass", "not_applicable") and name not in HOST
    }
    assert not wrong
    absent = {name for name, one in results.items() if one["verdict"] == "not_applicable"}
    newer = {name for name, one in {**SETTINGS, **STATEMENTS}.items() if one.minimum > patient.version}
    assert absent == newer
    assert set(results) == {control.id for control in controls()}


def test_every_setting_is_seen_and_mended_by_the_baseline(patient: Patient) -> None:
    names = known(SETTINGS, patient.version, SETTINGS)
    socket = str(patient.server.socket)
    broken = {key: value for name in names for key, value in SETTINGS[name].values.items()}
    patient.break_settings({key: value.format(socket=socket) for key, value in broken.items()})
    patient.expect("fail", names)
    mend = {key: value for one in SETTINGS.values() for key, value in one.mend.items()}
    patient.mend_settings({key: value.format(socket=socket) for key, value in mend.items()})
    patient.expect("pass", names)


def test_every_statement_is_seen_and_mended_by_the_remedy(patient: Patient) -> None:
    names = known(STATEMENTS, patient.version, STATEMENTS)
    for name in sorted(names):
        patient.server.psql(STATEMENTS[name].break_it)
    patient.expect("fail", names)
    for name in sorted(names):
        patient.server.psql(STATEMENTS[name].mend_it)
    patient.expect("pass", names)


def test_every_rule_is_seen_and_mended_by_the_rules_of_the_role(patient: Patient, tmp_path: Path) -> None:
    for name, line in RULES.items():
        patient.write_rules(f"{line}\n{GOOD_HBA}")
        patient.expect("fail", [name])
    patient.mend_rules(tmp_path)
    patient.expect("pass", RULES)


def test_every_opened_file_is_seen_and_closed(patient: Patient) -> None:
    for place in OPENED.values():
        (patient.server.root / place).chmod(0o666)
    patient.expect("fail", OPENED)
    patient.mend_files()
    patient.expect("pass", OPENED)


def test_checksums_tls_and_certificate_are_seen_and_mended(patient: Patient) -> None:
    server = patient.server
    server.stop()
    server.run("pg_checksums", "--disable", "-D", str(server.data))
    patient.write_certificate(self_signed=True)
    server.start()
    patient.expect("fail", ["PG-FS-006", "PG-TLS-004"])
    patient.break_settings({"ssl": "off"})
    patient.expect("fail", ["PG-TLS-001"])
    server.stop()
    server.run("pg_checksums", "--enable", "-D", str(server.data))
    patient.write_certificate(self_signed=False)
    server.start()
    patient.mend_settings({})
    patient.expect("pass", ["PG-FS-006", "PG-TLS-001", "PG-TLS-004"])


def test_a_plaintext_session_is_seen_until_it_is_sent_away(patient: Patient) -> None:
    patient.write_rules(f"host all postgres 127.0.0.1/32 trust\n{GOOD_HBA}")
    target = f"host=127.0.0.1 port={PORT} user=postgres dbname=postgres sslmode=disable"
    with acting_as("postgres"):
        session = psycopg.connect(target)
    try:
        patient.expect("fail", ["PG-TLS-007"])
        patient.server.psql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE client_addr IS NOT NULL"
            if patient.version >= 140000
            else "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_addr IS NOT NULL"
        )
        patient.expect("pass", ["PG-TLS-007"])
    finally:
        session.close()


@pytest.mark.parametrize(("moment", "verdict"), [("2025-01-01", "pass"), ("2040-01-01", "fail")])
def test_a_major_version_is_seen_to_leave_its_support(server: PrivateServer, moment: str, verdict: str) -> None:
    now = datetime.datetime.fromisoformat(f"{moment}T00:00:00+00:00")
    results = assess_host(server.connection, OPTIONS, now=now)["results"]
    assert [one["verdict"] for one in results if one["id"] == "PKG-002"] == [verdict]


def test_each_table_is_tried_above() -> None:
    assert set(OTHER) == {"PG-FS-006", "PG-TLS-001", "PG-TLS-004", "PG-TLS-007", "PKG-002"}
    assert os.geteuid() == 0, "the assessment looks at files and processes of another account"
