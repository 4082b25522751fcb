# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every control of MariaDB is broken on a real server and seen to fail, mended by our remedy and seen to pass.

Several are broken at once, because each is judged by itself: what is broken is in tests/controls/mariadb_breakages.py.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import socket
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.mariadb_files import file_policies
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import open_session
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb_server import locate
from ansible_collections.bulwark.database.plugins.module_utils._module import mariadb_settings
from ansible_collections.bulwark.database.plugins.module_utils._module.assessment_info import assess_host
from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import FilePermissions
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge
from private_galera import PrivateGalera, PrivateGaleraNode
from private_mariadb import PrivateMariaDB
from signed import sign
from through_ansible import through_ansible

sys.path.append(str(Path(__file__).resolve().parents[1] / "controls"))

from mariadb_breakages import OTHER, SETTINGS, STATEMENTS

OPTIONS: dict[str, t.Any] = {
    "engine": "mariadb",
    "level": "strict",
    "log_policy": "privacy",
    "overrides": {},
    "waivers": [],
    "declared": {},
    "exclude_databases": [],
    "allowed_packages": [],
    "allowed_units": [],
    "certificate_days": 14,
    "query_timeout": 60,
}
BASELINE: dict[str, t.Any] = {
    "settings": {},
    "secret_settings": {},
    "plugins": [],
    "level": "strict",
    "log_policy": "privacy",
    "leave": [],
    "option_file": None,
}


class Patient:
    """A server that is broken and mended, assessed at level strict."""

    def __init__(self, server: PrivateMariaDB) -> None:
        self.server = server

    def results(self) -> dict[str, dict[str, t.Any]]:
        return {one["id"]: one for one in assess_host(self.server.connection, OPTIONS)["results"]}

    def expect(self, verdict: str, names: t.Collection[str]) -> None:
        results = self.results()
        others = {name: results[name] for name in names if results[name]["verdict"] != verdict}
        shown = [f"{name}: {one['verdict']}, {one['observed']}, {one['evidence']}" for name, one in others.items()]
        assert not shown, f"expected {verdict}: {shown}"

    def write_options(
        self, values: t.Mapping[str, str], *, name: str = "a-broken.cnf", group: str = "mariadbd"
    ) -> None:
        lines = "".join(f"{option} = {value}\n" for option, value in values.items())
        (self.server.drop_ins / name).write_text(f"[{group}]\n{lines}", encoding="utf-8")

    def mend(self, settings: t.Mapping[str, t.Any], *, plugins: t.Sequence[str] = ()) -> None:
        options = {**BASELINE, "settings": {**self.places(), **settings}, "plugins": list(plugins)}
        with mariadb_settings.open_subject(self.server.connection, options) as subject:
            converge(subject, check_mode=False)

    def places(self) -> dict[str, str]:
        """What belongs to the site."""
        return {"secure_file_priv": str(self.server.temporary)}

    def mend_files(self) -> None:
        with open_session(self.server.connection) as session:
            here = locate(session)
        policies = file_policies(here.settings, here.files, os_user=here.os_user, os_group=here.os_group)
        converge(FilePermissions({"policies": policies, "report_limit": 200}), check_mode=False)


@pytest.fixture
def certified(stopped_mariadb: PrivateMariaDB) -> PrivateMariaDB:
    """A server with the files of a certificate and of keys beside it, not yet used. It listens on loopback."""
    server = stopped_mariadb
    with tempfile.TemporaryDirectory() as name:
        sign(Path(name), self_signed=False)
        for file in ("server.crt", "server.key", "ca.crt"):
            place_file(server, server.root / file, (Path(name) / file).read_bytes())
    place_file(server, server.root / "keys", b"1;" + b"0123456789abcdef" * 2 + b"\n")
    text = server.options.read_text(encoding="utf-8")
    server.options.write_text(
        text.replace("skip_networking = ON\n", f"port = {free_port()}\nlog_bin = ON\n"), encoding="utf-8"
    )
    return server


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def place_file(server: PrivateMariaDB, path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    server.chown(path)


def test_controls_of_settings_fail_on_a_broken_server_and_pass_on_the_baseline(certified: PrivateMariaDB) -> None:
    patient = Patient(certified)
    broken = {name: value for one in SETTINGS.values() for name, value in one.values.items()}
    patient.write_options(
        {**broken, "ssl_cert": f"{certified.root}/server.crt", "ssl_key": f"{certified.root}/server.key"}
    )
    certified.start()
    patient.expect("fail", SETTINGS)
    (certified.drop_ins / "a-broken.cnf").unlink()
    mend = {name: value.format(root=certified.root) for one in SETTINGS.values() for name, value in one.mend.items()}
    patient.mend(mend, plugins=["file_key_management"])
    certified.restart()
    wait_until_encrypted(certified)
    patient.expect("pass", SETTINGS)


def wait_until_encrypted(server: PrivateMariaDB) -> None:
    """The server's own threads encrypt what is there; tables that nobody touched wait for them."""
    query = (
        "SELECT COUNT(*) FROM information_schema.innodb_sys_tablespaces s LEFT JOIN"
        " information_schema.innodb_tablespaces_encryption e ON e.space = s.space"
        " WHERE s.name NOT LIKE 'innodb_temporary%' AND (COALESCE(e.encryption_scheme, 0) = 0 OR e.min_key_version = 0)"
    )
    deadline = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=60)
    while server.sql(query) != "0" and datetime.datetime.now(datetime.timezone.utc) < deadline:
        server.sql("SELECT SLEEP(0.2)")


def test_controls_of_tables_fail_on_a_broken_server_and_pass_after_the_remedy(mariadb: PrivateMariaDB) -> None:
    patient = Patient(mariadb)
    mariadb.sql("INSTALL SONAME 'auth_ed25519'")
    for one in STATEMENTS.values():
        mariadb.sql(one.break_it)
    patient.expect("fail", STATEMENTS)
    for one in STATEMENTS.values():
        mariadb.sql(one.mend_it.format(host=socket.gethostname()))
    patient.expect("pass", STATEMENTS)


def test_an_account_of_the_socket_of_pam_or_of_a_certificate_has_a_credential(shared_mariadb: PrivateMariaDB) -> None:
    shared_mariadb.sql(
        "INSTALL SONAME 'auth_pam'; CREATE USER bw_socket@localhost IDENTIFIED VIA unix_socket;"
        " CREATE USER bw_pam@localhost IDENTIFIED VIA pam OR unix_socket; CREATE USER bw_x509@localhost REQUIRE X509;"
        " CREATE ROLE bw_role; CREATE USER bw_locked@localhost ACCOUNT LOCK; CREATE USER bw_none@localhost"
    )
    result = Patient(shared_mariadb).results()["MDB-AUTH-001"]
    named = [line for line in result["evidence"] if line.startswith("no credential")]
    assert named == ["no credential: bw_none@localhost"]


def test_open_files_fail_and_pass_after_file_permissions(mariadb: PrivateMariaDB) -> None:
    patient = Patient(mariadb)
    opened = mariadb.data / "ibdata1"
    opened.chmod(0o666)
    patient.expect("fail", ["MDB-CFG-003"])
    patient.mend_files()
    patient.expect("pass", ["MDB-CFG-003"])


@pytest.mark.parametrize(("moment", "verdict"), [("2025-01-01", "pass"), ("2040-01-01", "fail")])
def test_a_series_is_seen_to_leave_its_support(shared_mariadb: PrivateMariaDB, moment: str, verdict: str) -> None:
    now = datetime.datetime.fromisoformat(f"{moment}T00:00:00+00:00")
    results = assess_host(shared_mariadb.connection, OPTIONS, now=now)["results"]
    assert [one["verdict"] for one in results if one["id"] == "MDB-PKG-001"] == [verdict]


def test_controls_of_a_cluster_do_not_apply_to_a_single_server(shared_mariadb: PrivateMariaDB) -> None:
    results = Patient(shared_mariadb).results()
    verdicts = {name: one["verdict"] for name, one in results.items() if name.startswith("MDB-GAL-")}
    assert len(verdicts) == 7
    assert set(verdicts.values()) == {"not_applicable"}


@pytest.fixture
def node(short_directory: Path, template_mariadb: PrivateMariaDB) -> t.Iterator[PrivateGaleraNode]:
    """One node that is a cluster of its own; it is not started."""
    root = Path(tempfile.mkdtemp(prefix="g", dir=short_directory))
    root.chmod(0o755)
    cluster = PrivateGalera(root, 1, first=8)
    cluster.create(template_mariadb)
    yield cluster.nodes[0]
    cluster.destroy()


def test_controls_of_a_cluster_fail_on_a_stock_node_and_pass_after_the_remedies(node: PrivateGaleraNode) -> None:
    patient = Patient(node)
    names = [name for name in OTHER if name.startswith("MDB-GAL-")]
    with tempfile.TemporaryDirectory() as folder:
        sign(Path(folder), self_signed=False)
        for file in ("server.crt", "server.key", "ca.crt"):
            place_file(node, node.root / file, (Path(folder) / file).read_bytes())
    hook = node.root / "hook"
    hook.write_text("#!/bin/sh\n", encoding="utf-8")
    hook.chmod(0o777)
    dump = node.data / "GRA_1_1_v2.log"
    dump.write_text("", encoding="utf-8")
    os.utime(dump, (0, 0))
    node.chown(dump)
    node.write_options("pc.ignore_quorum=true")
    patient.write_options({"wsrep_notify_cmd": str(hook)}, name="hook.cnf")
    node.start_synced("--wsrep-new-cluster")
    node.sql("GRANT ALL PRIVILEGES ON *.* TO mysql@localhost IDENTIFIED VIA unix_socket WITH GRANT OPTION")
    patient.expect("fail", names)
    node.sql(
        "REVOKE ALL PRIVILEGES, GRANT OPTION FROM mysql@localhost;"
        " GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO mysql@localhost"
    )
    hook.chmod(0o755)
    dump.unlink()
    tls = {f"socket.ssl_{kind}": f"{node.root}/{file}" for kind, file in TLS_FILES.items()}
    node.write_options("")
    patient.write_options(
        {"ssl_mode": "VERIFY_CA", **{f"t{kind}": f"{node.root}/{file}" for kind, file in TLS_FILES.items()}},
        name="sst.cnf",
        group="sst",
    )
    patient.mend(
        {"wsrep_provider_options": {**tls, "socket.ssl": True}, "wsrep_allowlist": "127.0.0.1"},
    )
    node.stop()
    node.start_synced("--wsrep-new-cluster")
    patient.expect("pass", names)


TLS_FILES = {"ca": "ca.crt", "cert": "server.crt", "key": "server.key"}


def test_each_table_is_tried_above() -> None:
    assert len(OTHER) == 9
    assert os.geteuid() == 0, "the assessment looks at files and processes of another account"


def test_the_module_runs_under_ansible_and_never_changes_anything(
    shared_mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    given = {
        **shared_mariadb.login_options(),
        "engine": "mariadb",
        "overrides": {"wait-timeout": 86400},
        "waivers": [
            {"control": name, "reason": "tried", "owner": "tests", "expires": "2099-12-31"}
            for name in ("PG-LOG-001", "MDB-AUTH-007")
        ],
    }
    before = shared_mariadb.sql("SELECT user, host, priv FROM mysql.global_priv; SHOW GLOBAL VARIABLES")
    answer = through_ansible("assessment_info", given, home=tmp_path)
    assert answer["changed"] is False
    assessment = answer["assessment"]
    results = {one["id"]: one for one in assessment["results"]}
    assert (assessment["engine"], assessment["server_version"][:3]) == (
        "mariadb",
        shared_mariadb.sql("SELECT VERSION()")[:3],
    )
    assert results["MDB-AUTH-007"]["verdict"] == "waived"
    assert not any(name.startswith("PG-") for name in results)
    assert len(results) > 25
    assert shared_mariadb.sql("SELECT user, host, priv FROM mysql.global_priv; SHOW GLOBAL VARIABLES") == before


def test_a_server_that_lets_nobody_in_is_reported_and_nothing_passes_unseen(stopped_mariadb: PrivateMariaDB) -> None:
    found = assess_host(stopped_mariadb.connection, OPTIONS)
    assert "can't log in to MariaDB" in found["warnings"][0]
    verdicts = {one["verdict"] for one in found["results"] if one["id"].startswith("MDB-")}
    assert verdicts == {"not_observable"}


def test_an_account_that_does_not_see_everything_proves_nothing(shared_mariadb: PrivateMariaDB) -> None:
    shared_mariadb.sql("CREATE USER IF NOT EXISTS bw_blind@localhost IDENTIFIED BY 'Long-enough-1234'")
    connection = dataclasses.replace(shared_mariadb.connection, user="bw_blind", password=Secret("Long-enough-1234"))
    results = {one["id"]: one for one in assess_host(connection, OPTIONS)["results"]}
    for name in ("MDB-AUTH-001", "MDB-ROLE-001", "MDB-ROLE-002"):
        assert results[name]["verdict"] == "not_observable", results[name]
