# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a backup job, without Ansible: accounts, folders, job file, program, and somebody who holds an identity.

The job runs as an account of its own that is neither the server's nor ours.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_restore_text import command_blocks
from ansible_collections.bulwark.database.plugins.module_utils._io.backup_program import build_program
from private_mariadb import PrivateMariaDB
from private_server import PORT, PrivateServer

PYTHON = "/usr/bin/python3"
# Any account without rights on the server's files; every system has these. One for each of the processes that share the
# tests, because some look for what still runs as theirs.
ACCOUNT = "lp" if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw1" else "daemon"
# As the unit of a service gives it. access(2), by which InnoDB asks, knows capabilities only with that bit.
READ_ALL = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
UNSAFE_NAME = 'it\'s a "store" $HOME; `id`'


def as_account(account: str, *more: str) -> list[str]:
    return ["setpriv", f"--reuid={account}", f"--regid={pwd.getpwnam(account).pw_gid}", "--clear-groups", *more, "--"]


class BackupSite:
    """Everything below ``root``; no account of the host but root can read the identity ``offline``."""

    def __init__(
        self, root: Path, engine: str, server: PrivateServer | PrivateMariaDB, *, folder: str = "store"
    ) -> None:
        self.root = root
        self.engine = engine
        self.server = server
        self._second_of_full = 0
        self.store = root / "backups" / folder
        self.state = root / "state"
        self.incoming = root / "incoming"
        self.program = root / "bulwark-backup.pyz"
        self.job_file = root / "job.json"
        self.offline = root / "offline" / "identity.txt"
        self.tools = root / "tools"
        root.mkdir(exist_ok=True)
        root.chmod(0o755)
        self.program.write_bytes(build_program())
        self._make_folders()
        self.keyring = Keyring(root / "offline" / "gnupg")
        self.recipients = [self._new_identity(self.offline), self._new_identity(root / "offline" / "second.txt")]
        self.options: dict[str, t.Any] = {
            "format": 1,
            "name": "main",
            "engine": engine,
            "store": str(self.store),
            "state": str(self.state),
            "recipients": self.recipients,
            "keep_days": 7,
            "compression_level": 1,
            "deadline_seconds": 600,
            "minimum_free_percent": 1,
            "smallest_share": 0.5,
            "server": self._server_options(),
        }
        if engine == "postgresql":
            self.options["incoming"] = str(self.incoming)
        self.configure()

    def configure(self, **changes: t.Any) -> None:
        self.options.update(changes)
        self.job_file.write_text(json.dumps(self.options), encoding="utf-8")
        self.job_file.chmod(0o644)

    def seal_by_gnupg(self, *more: str) -> list[str]:
        """From now on; the fingerprints. Who is away from the host can open what is sealed by age before, too.

        :param more: fingerprints besides those of two new keys.
        """
        fingerprints = [self.keyring.new_key("restore"), self.keyring.new_key("escrow"), *more]
        folder = self.root / "recipients"
        folder.mkdir(mode=0o755)
        for fingerprint in fingerprints:
            (folder / f"{fingerprint}.asc").write_text(self.keyring.public(fingerprint), encoding="ascii")
        self.configure(sealing="gnupg", recipients=fingerprints, recipient_keys=str(folder))
        return fingerprints

    def _make_folders(self) -> None:
        account = pwd.getpwnam(ACCOUNT)
        for path, mode in ((self.store.parent, 0o700), (self.state, 0o750)):
            path.mkdir()
            path.chmod(mode)
            os.chown(path, account.pw_uid, account.pw_gid)
        (self.root / "offline").mkdir(mode=0o700)
        if self.engine == "postgresql":
            self.incoming.mkdir()
            os.chown(self.incoming, pwd.getpwnam("postgres").pw_uid, account.pw_gid)
            self.incoming.chmod(0o2770)

    @staticmethod
    def _new_identity(path: Path) -> str:
        done = subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True, text=True)
        return done.stderr.split()[-1]

    def _server_options(self) -> dict[str, t.Any]:
        if isinstance(self.server, PrivateServer):
            return {
                "socket": str(self.server.socket),
                "port": PORT,
                "user": ACCOUNT,
                "binaries": str(self.server.bin),
                "data_directory": str(self.server.data),
            }
        return {
            "socket": str(self.server.socket),
            "user": ACCOUNT,
            "defaults_file": str(self.server.options),
            "datadir": str(self.server.data),
        }

    def command(self, name: str, *arguments: str) -> list[str]:
        """As the job's timers start it. A full backup not within the second of the last one: that names its set."""
        while name == "full" and int(time.time()) == self._second_of_full:
            time.sleep(0.05)
        rights = [] if self.engine == "postgresql" else READ_ALL
        program = [PYTHON, "-I", str(self.program), name, *arguments, "--job", str(self.job_file)]
        return [*as_account(ACCOUNT, *rights), *program]

    def run(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.command(name, *arguments), check=False, capture_output=True, text=True, cwd="/")
        if name == "full":
            self._second_of_full = int(time.time())
        if check and done.returncode:
            raise AssertionError(f"bulwark-backup {name}: {done.stdout}{done.stderr}")
        return done

    def refused(self, name: str, *arguments: str) -> str:
        """The one line of a run that is no success."""
        done = self.run(name, *arguments, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    def archive(self, path: Path, name: str) -> subprocess.CompletedProcess[str]:
        """As the server's archive_command."""
        program = [PYTHON, "-I", str(self.program), "archive", str(path), name, "--job", str(self.job_file)]
        return subprocess.run([*as_account("postgres"), *program], check=False, capture_output=True, text=True, cwd="/")

    def status(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", json.loads(self.run("status").stdout))

    def fulls(self) -> list[str]:
        return [entry["id"] for entry in self.status()["fulls"]]

    def restore(self, target: Path, *, moment: str = "", store: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Follow RESTORE.txt to the letter, with its values filled in, on a copy that another account took."""
        account = "root" if self.engine == "mariadb" else "postgres"
        copy = target.parent / f"{target.name} copy"
        shutil.copytree(store or self.store, copy, symlinks=True)
        shutil.copytree(self.root / "offline", copy / "offline", ignore=shutil.ignore_patterns("S.*"))
        subprocess.run(["chown", "-R", account, str(copy)], check=True)
        values = {
            "STORE": str(copy),
            "IDENTITY": str(copy / "offline" / self.offline.name),
            "DATA": str(target),
            "MOMENT": moment,
            "ACCOUNT": "nobody",
        }
        script = filled_in(command_blocks((copy / "RESTORE.txt").read_text(encoding="utf-8")), values)
        path = target.parent / f"{target.name}.sh"
        path.write_text(script, encoding="utf-8")
        path.chmod(0o755)
        done = subprocess.run(
            [*(as_account(account) if account != "root" else []), "sh", "-e", str(path)],
            check=False, text=True, cwd="/", capture_output=True,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "GNUPGHOME": str(copy / "offline" / "gnupg")},
        )  # fmt: skip
        end_agent(copy / "offline" / "gnupg")
        shutil.rmtree(copy)
        return done


class Keyring:
    """Somebody's secret keys of OpenPGP; made when the first is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str, text: str = "") -> str:
        command = ["gpg", "--batch", "--quiet", "--no-tty", "--homedir", str(self.path), *arguments]
        return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout

    def new_key(self, name: str, *, expires: str = "never", usage: str = "default") -> str:
        """Its fingerprint."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        algorithm = "future-default" if usage == "default" else "ed25519"
        self.run("--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.org>", algorithm, usage, expires)
        end_agent(self.path)
        listing = self.run("--with-colons", "--list-keys", f"{name}@example.org")
        return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))

    def wait_until_expired(self, fingerprint: str) -> None:
        """GnuPG still encrypts within the very second that a key expires at: seen with 2.2."""
        listing = self.run("--with-colons", "--list-keys", fingerprint)
        expires = next(int(line.split(":")[6]) for line in listing.splitlines() if line.startswith("pub:"))
        while time.time() < expires + 1:
            time.sleep(0.1)

    def public(self, fingerprint: str) -> str:
        return self.run("--armor", "--export", fingerprint)

    def secret(self, fingerprint: str) -> str:
        text = self.run("--armor", "--export-secret-keys", fingerprint)
        end_agent(self.path)
        return text

    def revoke(self, fingerprint: str) -> None:
        certificate = (self.path / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text(encoding="utf-8")
        self.run("--import", text=certificate.replace(":-----BEGIN", "-----BEGIN"))


def end_agent(keyring: Path) -> None:
    """It would go on, and hold secret keys."""
    if keyring.exists():
        subprocess.run(["gpgconf", "--homedir", str(keyring), "--kill", "gpg-agent"], check=True, capture_output=True)


def filled_in(blocks: t.Mapping[str, str], values: t.Mapping[str, str]) -> str:
    """All of its commands, each section's after the other, with the values at the top replaced."""
    text = "\n".join(blocks.values())
    for name, value in values.items():
        quoted = "'" + value.replace("'", "'\\''") + "'"
        text = re.sub(
            rf"^{name}='.*'.*$", lambda dummy, line=f"{name}={quoted}": line, text, count=1, flags=re.MULTILINE
        )
    return text
