# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario with their jobs, and a way to run our modules and playbooks on them."""

from __future__ import annotations

import dataclasses
import functools
import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import testinfra

if t.TYPE_CHECKING:
    from testinfra.backend.base import CommandResult
    from testinfra.host import Host

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts

SCENARIO = Path(__file__).resolve().parent.parent
PLAYBOOKS = SCENARIO.parent.parent / "playbooks"
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
KEYS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys"
STORE = "/var/backups/bulwark/main"
UNIT = "bulwark-backup-main.service"
ALERTS = "/run/molecule-alerts"
# The machine may be busy with other things.
PATIENCE_SECONDS = 240
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=2)


@dataclasses.dataclass(frozen=True)
class Backed:
    """A host whose server is backed up."""

    name: str
    engine: str

    @property
    def host(self) -> Host:
        return testinfra.get_host(f"podman://{self.name}")

    def run(self, command: str) -> CommandResult:
        return self.host.run(command)

    def output(self, command: str) -> str:
        done = self.run(command)
        assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
        return str(done.stdout).strip()

    def sql(self, statement: str, *, database: str = "shop") -> str:
        """As the server's administrator."""
        if self.engine == "postgresql":
            psql = f"cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d {database}"
            return self.output(f"{psql} -c {shlex.quote(statement)}")
        return self.output(f"mariadb --batch --skip-column-names {database} -e {shlex.quote(statement)}")

    def module(self, name: str, options: dict[str, t.Any], *flags: str) -> dict[str, t.Any]:
        """What one of our modules returned; ``failed`` is part of it."""
        return on_hosts.module(self.name, name, options, *flags)

    def info(self) -> dict[str, t.Any]:
        found = self.module("backup_info", {})
        assert not found.get("failed"), found
        return found

    def ids(self) -> list[str]:
        """Of the full backups that are there, whole or not."""
        return self.output(f"ls {STORE}/full").split()

    def back_up(self) -> CommandResult:
        return self.run(f"systemctl start {UNIT}")

    def journal(self, unit: str = UNIT) -> str:
        """What the unit wrote when it ran last."""
        invocation = self.output(f"systemctl show --value --property=InvocationID {unit}")
        return self.output(f"journalctl --quiet --output=cat _SYSTEMD_INVOCATION_ID={invocation}")


POSTGRESQL = Backed("molecule-backup-pg", "postgresql")
MARIADB = Backed("molecule-backup-mariadb", "mariadb")
BOTH = (POSTGRESQL, MARIADB)
# It has MariaDB's programs and GnuPG, and nothing of ours.
BARE = Backed("molecule-backup-bare", "mariadb")


def playbook(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", "-i", INVENTORY, str(path), *flags]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=SCENARIO)


def public_key(name: str) -> str:
    command = ["age-keygen", "-y", str(KEYS / f"{name}.txt")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def gnupg(*arguments: str) -> str:
    """What the keyring of those who restore answers, on no database host."""
    command = ["gpg", "--batch", "--quiet", "--no-tty", "--homedir", str(KEYS / "gnupg"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def fingerprint(name: str) -> str:
    lines = gnupg("--with-colons", "--list-keys", f"{name}@example.org").splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))
