# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the scenario: three that are backed up, and the one that restores."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

import testinfra

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from testinfra.backend.base import CommandResult

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts

SCENARIO = Path(__file__).resolve().parent.parent
INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
ACCOUNT = "bulwark-restore"
ALERTS = "/run/molecule-alerts"
KEYS = "/etc/bulwark/restore-test"
SCRATCH = "/var/lib/bulwark/restore-scratch"
STORE = "/var/backups/bulwark/main"
PATIENCE_SECONDS = 240
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=1)


@dataclasses.dataclass(frozen=True)
class Machine:
    name: str

    def run(self, command: str) -> CommandResult:
        return testinfra.get_host(f"podman://{self.name}").run(command)

    def output(self, command: str) -> str:
        done = self.run(command)
        assert done.rc == 0, f"{command}: {done.stdout}{done.stderr}"
        return str(done.stdout).strip()


POSTGRESQL = Machine("molecule-restore-pg")
PGBACKREST = Machine("molecule-restore-pgbackrest")
MARIADB = Machine("molecule-restore-mariadb")
HOST = Machine("molecule-restore-host")


def psql(statement: str, machine: Machine = POSTGRESQL) -> str:
    command = "cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d shop -c"
    return machine.output(f"{command} {shlex.quote(statement)}")


@dataclasses.dataclass(frozen=True)
class RestoreTest:
    """A test on the restoring host.

    :param parts: of the store that it restores from.
    """

    name: str
    parts: tuple[str, ...] = ("full", "log")

    @property
    def unit(self) -> str:
        return f"bulwark-restore-test-{self.name}.service"

    @property
    def source(self) -> str:
        return f"/srv/bulwark/backups/{self.name}"

    @property
    def state(self) -> str:
        return f"/var/lib/bulwark/restore-test/{self.name}"

    def run(self) -> CommandResult:
        return HOST.run(f"systemctl start {self.unit}")

    def journal(self) -> str:
        invocation = HOST.output(f"systemctl show --value --property=InvocationID {self.unit}")
        return HOST.output(f"journalctl --quiet --output=cat _SYSTEMD_INVOCATION_ID={invocation}")

    def records(self) -> list[str]:
        """Paths, oldest first. Before the first record ls has nothing to name, which is no failure here."""
        return HOST.output(f"ls -tr {self.state}/evidence/*.json 2>/dev/null || true").split()  # none yet

    def record(self, path: str = "") -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(HOST.output(f"cat {path or self.records()[-1]}")))

    def status(self) -> dict[str, t.Any]:
        """As anybody on the host may read it."""
        text = HOST.output(f"runuser -u nobody -- cat {self.state}/status.json")
        return t.cast("dict[str, t.Any]", json.loads(text))

    def verify(self, path: str) -> bool:
        """As the role's README says."""
        command = "ssh-keygen -Y verify -n bulwark-restore-test -I molecule-restore-host"
        return HOST.run(f"{command} -f {self.state}/allowed_signers -s {path}.sig < {path}").rc == 0

    @contextlib.contextmanager
    def changed(self, **changes: t.Any) -> Iterator[None]:
        """The test's file with other values, for a while."""
        path = f"{KEYS}/{self.name}.json"
        before = HOST.output(f"cat {path}")
        text = json.dumps({**json.loads(before), **changes})
        HOST.output(f"printf %s {shlex.quote(text)} > {path}")
        try:
            yield
        finally:
            HOST.output(f"printf '%s\\n' {shlex.quote(before)} > {path}")

    @contextlib.contextmanager
    def damaged(self, command: str) -> Iterator[None]:
        """The source after a command in it, for a while."""
        HOST.output(f"cp -a {self.source} {self.source}.sound && cd {self.source} && {command}")
        try:
            yield
        finally:
            HOST.output(f"rm -rf {self.source} && mv {self.source}.sound {self.source}")

    def fill(self, machine: Machine) -> None:
        """The machine's store as it is now becomes the source."""
        HOST.output(f"rm -rf {self.source} && install -d -m 0700 {self.source}")
        podman = ["podman", "exec", "-i"]
        with subprocess.Popen(
            [*podman, machine.name, "tar", "-C", STORE, "-c", *self.parts, "RESTORE.txt", "recipients.txt"],
            stdout=subprocess.PIPE,
        ) as sender:
            command = [*podman, HOST.name, "tar", "-C", self.source, "-x", "--no-same-owner"]
            subprocess.run(command, check=True, stdin=sender.stdout)
        assert sender.returncode == 0
        HOST.output(f"chown -R {ACCOUNT}: {self.source}")


OF_POSTGRESQL = RestoreTest("pg")
OF_PGBACKREST = RestoreTest("pgbackrest", ("repository", "passphrase.age"))
OF_MARIADB = RestoreTest("mariadb")


def processes_of_account() -> str:
    return HOST.run(f"pgrep -a -u {ACCOUNT}").stdout.strip()


def playbook(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", "-i", INVENTORY, str(path), *flags]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=SCENARIO)
