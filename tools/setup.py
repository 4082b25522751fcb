# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make everything ready that the lab and the tests need. Quick when it is: what was done is remembered by content."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import sys
import tempfile
import typing as t
from pathlib import Path

from layout import (
    BUILD,
    CONTAINERS_CONF,
    LOGS,
    MARIADB_PLUGINS,
    MARIADB_TRANSFER,
    MONITORING_TOOLS,
    REQUIREMENTS,
    VENV,
    link_checkout,
)
from machine import (
    Machine,
    Requirement,
    can_install,
    containers_conf,
    explain_missing,
    observe_machine,
    pick_python,
    requirements,
)
from progress import StepFailed, answer, main_or_exit, run_step, say

CREATE_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/bulwark-setup.conf")
PYTHONS = ("/usr/bin/python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3")


def missing_requirements(machine: Machine, *, full: bool) -> list[Requirement]:
    wanted = requirements(machine, full=full)
    if machine.apt:
        listing = answer(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"])
        installed = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
        return [requirement for requirement in wanted if requirement.package not in installed]
    return [requirement for requirement in wanted if requirement.probe and not _is_there(requirement.probe)]


def _is_there(probe: str) -> bool:
    return Path(probe).exists() if probe.startswith("/") else shutil.which(probe) is not None


def install_packages(missing: t.Sequence[Requirement]) -> None:
    """Debian's packages; a PostgreSQL server comes without a running cluster of its own."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    CREATE_NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    CREATE_NO_CLUSTER.write_text("create_main_cluster = false\n", encoding="utf-8")
    try:
        run_step("package lists", ["apt-get", "update"], log=LOGS / "setup-lists.log", environment=environment)
        names = [requirement.package for requirement in missing]
        run_step(
            f"packages: {' '.join(names)}",
            ["apt-get", "install", "--yes", "--no-install-recommends", *names],
            log=LOGS / "setup-packages.log",
            environment=environment,
        )
    finally:
        CREATE_NO_CLUSTER.unlink()


def interpreters() -> t.Iterator[tuple[str, tuple[int, int]]]:
    """Interpreters of this machine with their versions; BULWARK_PYTHON comes first, the distribution's own next."""
    for name in filter(None, (os.environ.get("BULWARK_PYTHON"), *PYTHONS)):
        script = "import ensurepip, venv, sys; print(sys.executable, *sys.version_info[:2])"
        words = answer([name, "-c", script]).split()
        if len(words) == 3:
            yield words[0], (int(words[1]), int(words[2]))


def make_environment() -> None:
    """The virtual environment, made anew when the interpreter or tests/requirements.txt changed."""
    python = pick_python(interpreters())
    if python is None:
        raise StepFailed("setup: no Python 3.11 or newer with venv here. Install one, or name it: BULWARK_PYTHON=/path")
    content = f"{python} {answer([python, '-V'])}\n".encode() + REQUIREMENTS.read_bytes()
    stamp, wanted = VENV / "bulwark-stamp", hashlib.sha256(content).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(VENV, ignore_errors=True)
    run_step(f"virtual environment with {python}", [python, "-m", "venv", str(VENV)], log=LOGS / "setup-venv.log")
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--progress-bar=off"]
    run_step(
        "Ansible and test tools",
        [*pip, "--requirement", str(REQUIREMENTS)],
        log=LOGS / "setup-pip.log",
        environment={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"},
    )
    stamp.write_text(wanted, encoding="utf-8")


def fetch_mariadb_parts(machine: Machine) -> None:
    """What integration tests need of the package that would also start a service: plugins, and Galera's scripts."""
    if not machine.apt or (MARIADB_PLUGINS.exists() and MARIADB_TRANSFER.exists()):
        return
    with tempfile.TemporaryDirectory(prefix="mariadb-", dir=BUILD) as name:
        folder = Path(name)
        script = "apt-get download mariadb-server && dpkg-deb --extract mariadb-server_*.deb ."
        run_step(
            "MariaDB's plugins", ["sh", "-c", f"cd {shlex.quote(name)} && {script}"], log=LOGS / "setup-mariadb.log"
        )
        folder.chmod(0o755)
        for path in (MARIADB_PLUGINS, MARIADB_TRANSFER):
            shutil.rmtree(path, ignore_errors=True)
        (folder / "usr/lib/mysql/plugin").rename(MARIADB_PLUGINS)
        MARIADB_TRANSFER.mkdir()
        for found in (folder / "usr/bin").glob("wsrep_sst_*"):
            found.rename(MARIADB_TRANSFER / found.name)


def fetch_monitoring_tools(machine: Machine) -> None:
    """What takes rules and routes of alerts, and what checks them, out of packages that would also start services."""
    tools = ("promtool", "amtool", "prometheus")
    if not machine.apt or all((MONITORING_TOOLS / name).exists() for name in tools):
        return
    with tempfile.TemporaryDirectory(prefix="monitoring-", dir=BUILD) as name:
        packages = ("prometheus", "prometheus-alertmanager")
        extract = " && ".join(f"dpkg-deb --extract {package}_*.deb ." for package in packages)
        script = f"cd {shlex.quote(name)} && apt-get download {' '.join(packages)} && {extract}"
        run_step("Prometheus's tools", ["sh", "-c", script], log=LOGS / "setup-monitoring.log")
        shutil.rmtree(MONITORING_TOOLS, ignore_errors=True)
        MONITORING_TOOLS.mkdir()
        for tool in tools:
            (Path(name) / "usr/bin" / tool).rename(MONITORING_TOOLS / tool)


def configure_engine(machine: Machine) -> None:
    """A settings file of our own where the machine needs one; nothing below /etc is touched."""
    text = containers_conf(machine)
    if text:
        CONTAINERS_CONF.write_text(f"# Written by tools/setup.py for this machine.\n{text}", encoding="utf-8")
    else:
        CONTAINERS_CONF.unlink(missing_ok=True)


def set_up(*, full: bool = False) -> None:
    machine = observe_machine()
    BUILD.mkdir(exist_ok=True)
    missing = missing_requirements(machine, full=full)
    if missing:
        if not can_install(machine):
            raise StepFailed(explain_missing(machine, missing))
        say("setup:")
        install_packages(missing)
    make_environment()
    fetch_mariadb_parts(machine)
    fetch_monitoring_tools(machine)
    configure_engine(machine)
    link_checkout()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also what only 'make test-full' needs")
    set_up(full=parser.parse_args().full)
    return 0


if __name__ == "__main__":
    if sys.version_info < (3, 9):  # noqa: UP036 - whoever starts it with an older one should read this, not a traceback
        sys.exit("setup: this needs Python 3.9 or newer")
    main_or_exit(main)
