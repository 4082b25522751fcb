# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore test without systemd, by an account that may read a copy of the store and the secret keys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from backup_site import BackupSite, as_account

ACCOUNT = "postgres"


def restore_test_program() -> bytes:
    """Made outside of pytest, which takes over the loading of files with such a name as restore_test.py."""
    modules = "ansible_collections.bulwark.database.plugins.module_utils"
    script = (
        f"import sys; from {modules}._io.backup_program import build_program; "
        f"from {modules}._module.restore_test_job import ENTRY; sys.stdout.buffer.write(build_program(entry=ENTRY))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, env=environment).stdout


class RestoringHost:
    """As the role sets it up, with a copy of the site's store as it is now."""

    def __init__(self, site: BackupSite, **identities: Path | str) -> None:
        """:param identities: ``identity``, ``gnupg_identity``: the secret keys, as files or as text."""
        self.folder = site.root / "restoring"
        self.folder.mkdir()
        self.source = self.folder / "source"
        for name in ("scratch", "state", "temporary"):
            (self.folder / name).mkdir(mode=0o700)
        self.options: dict[str, t.Any] = {
            "format": 1, "name": "main", "engine": site.engine, "source": str(self.source),
            "signing_key": str(self.folder / "signing_key"), "state": str(self.folder / "state"),
            "scratch": str(self.folder / "scratch"), "binaries": str(getattr(site.server, "bin", "")),
            "administrator": "postgres", "with_older": False, "extended_check": False, "queries": [],
            "rto_seconds": 600, "rpo_seconds": 600, "deadline_seconds": 600,
        }  # fmt: skip
        for name, secret in identities.items():
            text = secret.read_text(encoding="ascii") if isinstance(secret, Path) else secret
            self.options[name] = str(self.put_secret(name, text))
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.options["signing_key"]]
        subprocess.run(command, check=True)
        (self.folder / "program.pyz").write_bytes(restore_test_program())
        subprocess.run(["chown", "-R", ACCOUNT, str(self.folder)], check=True)
        self.fill(site)

    def fill(self, site: BackupSite) -> None:
        """The store as it is now becomes the source; with the times of its files."""
        shutil.rmtree(self.source, ignore_errors=True)
        shutil.copytree(site.store, self.source, symlinks=True)
        subprocess.run(["chown", "-R", ACCOUNT, str(self.source)], check=True)

    def put_secret(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="ascii")
        path.chmod(0o600)
        shutil.chown(path, ACCOUNT)
        return path

    def command(self, name: str, **changes: t.Any) -> list[str]:
        path = self.folder / "test.json"
        path.write_text(json.dumps({**self.options, **changes}), encoding="utf-8")
        path.chmod(0o644)
        program = ["/usr/bin/python3", "-I", str(self.folder / "program.pyz"), name, "--test", str(path)]
        return [*as_account(ACCOUNT), *program]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "TMPDIR": str(self.folder / "temporary")}

    def run(self, **changes: t.Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command("run", **changes), check=False, capture_output=True, text=True, cwd="/", env=self.environment
        )

    def killed(self, after: t.Callable[[], bool]) -> None:
        """A run that is killed as soon as something is so; then what the service does after each run."""
        process = subprocess.Popen(self.command("run"), stdout=subprocess.DEVNULL, cwd="/", env=self.environment)
        deadline = time.monotonic() + 60
        while not after():
            assert process.poll() is None, "the run was over before"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        process.wait()
        subprocess.run(self.command("clear"), check=True, capture_output=True, cwd="/", env=self.environment)

    def records(self) -> list[dict[str, t.Any]]:
        """Oldest first."""
        found = sorted((self.folder / "state" / "evidence").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        return [json.loads(path.read_text(encoding="utf-8")) for path in found]

    def left(self) -> list[str]:
        """Files of a run, and processes that work in them or name them."""
        files = [str(path) for name in ("temporary", "scratch") for path in (self.folder / name).iterdir()]
        commands = [path.read_bytes().replace(b"\0", b" ").decode() for path in Path("/proc").glob("[0-9]*/cmdline")]
        return [*files, *(command for command in commands if str(self.folder) in command)]
