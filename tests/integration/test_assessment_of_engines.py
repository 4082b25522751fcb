# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook assess on hosts of both engines: each by its own controls, one report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from private_mariadb import PrivateMariaDB
from private_server import PrivateServer
from through_ansible import ROOT


def test_hosts_of_both_engines_are_judged_in_one_report(
    shared_server: PrivateServer, shared_mariadb: PrivateMariaDB, tmp_path: Path
) -> None:
    common = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    hosts = {
        "elephant": {"postgresql_hardening_login": shared_server.login_options()},
        "lion": {"galera_hardening_login": shared_mariadb.login_options()},
        "seal": {
            "galera_hardening_login": shared_mariadb.login_options(),
            "galera_hardening_settings": {"wait_timeout": 1},
        },
    }
    groups = {"postgresql": "elephant", "galera": "lion", "mariadb": "seal"}
    inventory = {group: {"hosts": {name: {**common, **hosts[name]}}} for group, name in groups.items()}
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")
    (tmp_path / "waivers.yml").write_text(
        "".join(
            f"- {{control: {name}, reason: tried, owner: tests, expires: 2099-12-31}}\n"
            for name in ("PG-AUTH-004", "MDB-SES-001")
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(tmp_path / "hosts.json")),
            *(
                "-e",
                json.dumps(
                    {"bulwark_report_dir": str(tmp_path), "bulwark_waivers_file": str(tmp_path / "waivers.yml")}
                ),
            ),
            "bulwark.database.assess",
        ],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "LC_ALL": "C.UTF-8",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(next(tmp_path.glob("**/report.json")).read_text(encoding="utf-8"))
    found = report["hosts"]
    assert {name: host["engine"] for name, host in found.items()} == {
        "elephant": "postgresql",
        "lion": "mariadb",
        "seal": "mariadb",
    }
    prefixes = {name: {one["id"].partition("-")[0] for one in host["results"]} for name, host in found.items()}
    assert prefixes == {
        "elephant": {"BKP", "PG", "NET", "OS", "PKG"},
        "lion": {"BKP", "MDB", "NET", "OS", "PKG"},
        "seal": {"BKP", "MDB", "NET", "OS", "PKG"},
    }
    sessions = {one["id"]: one for one in found["seal"]["results"]}["MDB-SES-001"]
    assert sessions["verdict"] == "waived"
