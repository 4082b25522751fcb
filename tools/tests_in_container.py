# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests on a platform of its own, with its Python and database server: a systemd host that is removed afterwards.

python3 tools/tests_in_container.py --platform debian13 -- tests/integration
python3 tools/tests_in_container.py --platform debian12 --purpose mariadb -- tests/faults/test_mariadb_restart_faults.py
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import tarfile
import typing as t
from pathlib import Path

from images import PLATFORMS, PURPOSES
from lab import podman, remove_host, start_host
from layout import LOGS, ROOT, tool_environment
from progress import main_or_exit, run_step

CHECKOUT: t.Final = "/srv/bulwark"
RESULTS: t.Final = "/srv/results.xml"
# What tests need beyond what a host of the lab has; all of it Debian's, so the versions are those of the platform.
PACKAGES: t.Final = (
    "ansible",
    "e2fsprogs",
    "python3-pytest",
    "python3-pytest-timeout",
    "python3-pytest-xdist",
    "python3-yaml",
)
# Extensions of the server, for the shell; pgaudit's package carries the server's major version in its name.
EXTENSIONS: t.Final = {"postgresql": "postgresql-$(ls /usr/lib/postgresql)-pgaudit", "mariadb": ""}
ENVIRONMENT: t.Final = {
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "ANSIBLE_COLLECTIONS_PATH": f"{CHECKOUT}/.build/collections",
    # Tests that change a whole host run where this says that it is nobody's.
    "BULWARK_THROWAWAY_HOST": "1",
}


def archive_of_checkout() -> bytes:
    """What git tracks or would."""
    listing = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in filter(None, names):
            if (ROOT / name).exists():
                tar.add(ROOT / name, arcname=name)
    return archive.getvalue()


def prepare(host: str, platform: str, purpose: str) -> None:
    start_host(host, platform=platform, purpose=purpose)
    log = LOGS / f"tests-on-{platform}.log"
    lists = "-o Acquire::Check-Valid-Until=false" if PLATFORMS[platform].stale_lists else ""
    install = "apt-get install -yq --no-install-recommends -o Dpkg::Options::=--force-unsafe-io"
    script = (
        f"export DEBIAN_FRONTEND=noninteractive; apt-get {lists} update -q"
        f" && {install} {' '.join(PACKAGES)} {EXTENSIONS[purpose]}"
    )
    run_step(
        f"what tests need on {platform}",
        ["podman", "exec", host, "sh", "-c", script],
        log=log,
        environment=tool_environment(),
    )
    podman("exec", host, "mkdir", "--parents", CHECKOUT)
    subprocess.run(
        ["podman", "exec", "--interactive", host, "tar", "--extract", "--no-same-owner", f"--directory={CHECKOUT}"],
        input=archive_of_checkout(),
        env=tool_environment(),
        check=True,
    )


def run_tests(host: str, arguments: t.Sequence[str]) -> int:
    given = {name: value for name, value in os.environ.items() if name == "BULWARK_ALL_FAULTS"}
    variables = [f"--env={name}={value}" for name, value in {**ENVIRONMENT, **given}.items()]
    command = ["python3", "-m", "pytest", "-q", "--timeout=300", f"--junit-xml={RESULTS}", *arguments]
    return subprocess.run(
        ["podman", "exec", *variables, f"--workdir={CHECKOUT}", host, *command], env=tool_environment(), check=False
    ).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", choices=sorted(PLATFORMS), required=True)
    parser.add_argument("--purpose", choices=sorted(PURPOSES), default="postgresql", help="the server it has")
    parser.add_argument("--results", type=Path, help="where the JUnit file goes")
    parser.add_argument("--keep", action="store_true", help="leave the host as it is afterwards, and use it again")
    parser.add_argument("arguments", nargs="+", help="for pytest; options of its own come after --")
    given = parser.parse_args()
    host = f"bulwark-tests-{given.purpose}-{given.platform}"
    try:
        prepare(host, given.platform, given.purpose)
        status = run_tests(host, given.arguments)
        if given.results:
            podman("cp", f"{host}:{RESULTS}", str(given.results))
    finally:
        if not given.keep:
            remove_host(host)
    return status


if __name__ == "__main__":
    main_or_exit(main)
