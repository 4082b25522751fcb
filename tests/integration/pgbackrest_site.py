# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose PostgreSQL server archives by pgBackRest into a repository of another account."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._core import pgbackrest
from backup_site import ACCOUNT, READ_ALL, BackupSite, as_account
from private_server import PORT, PrivateServer

GRANTS: t.Final = (
    "pg_backup_start(text,boolean)",
    "pg_backup_stop(boolean)",
    "pg_switch_wal()",
    "pg_create_restore_point(text)",
)


class PgBackRestSite(BackupSite):
    """As the module deploys it, with the server of the repository as a process of ours."""

    def __init__(self, root: Path, server: PrivateServer) -> None:
        super().__init__(root, "pgbackrest", server)
        self.repository = pgbackrest.Repository(folder=str(root / "pgbackrest"), between="incr", port=_free_port())
        self._make_repository_folder(server)
        self.configure(repository=dataclasses.asdict(self.repository))
        self._archive(server)

    def _server_options(self) -> dict[str, t.Any]:
        server = t.cast("PrivateServer", self.server)
        return {
            "socket": str(server.socket),
            "port": PORT,
            "user": ACCOUNT,
            "binaries": str(server.bin),
            "data_directory": str(server.data),
        }

    @property
    def files(self) -> Path:
        return self.store / "repository"

    def tool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*as_account(ACCOUNT, *READ_ALL), *pgbackrest.arguments(self.repository, "main", "", *arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")

    def _make_repository_folder(self, server: PrivateServer) -> None:
        repository, account = self.repository, pwd.getpwnam(ACCOUNT)
        Path(repository.secrets).mkdir(parents=True)
        texts = {
            repository.configuration: pgbackrest.render_configuration(
                repository,
                "main",
                store=str(self.store),
                state=str(self.state),
                keep_days=7,
                compression_level=1,
                server=self._server_options(),
            ),
            repository.archive_configuration: pgbackrest.render_archive_configuration(
                repository, "main", data_directory=str(server.data), compression_level=1
            ),
            repository.passphrase: f"[global]\nrepo1-cipher-pass={os.urandom(24).hex()}\n",
        }
        for path, text in texts.items():
            Path(path).write_text(text, encoding="utf-8")
        for side, owner in (("server", ACCOUNT), ("client", "postgres")):
            _make_key(repository, side, "localhost" if side == "server" else "main")
            os.chown(repository.key(side), pwd.getpwnam(owner).pw_uid, 0)
        os.chown(repository.passphrase, account.pw_uid, 0)
        Path(repository.passphrase).chmod(0o600)

    def _archive(self, server: PrivateServer) -> None:
        with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            command = pgbackrest.archive_command(self.repository, "main")
            stream.write(f"archive_mode = on\narchive_command = '{command}'\ntrack_commit_timestamp = on\n")
        server.restart()
        server.psql(f"CREATE ROLE {ACCOUNT} LOGIN; GRANT pg_read_all_settings TO {ACCOUNT}")
        server.psql(f"GRANT EXECUTE ON FUNCTION {', '.join(GRANTS)} TO {ACCOUNT}; CREATE TABLE written (number int)")

    @contextlib.contextmanager
    def serving(self) -> t.Iterator[None]:
        """As the service does: the stanza first, then the server of the repository."""
        self.run("prepare")
        command = [*as_account(ACCOUNT), *pgbackrest.arguments(self.repository, "main", "server")]
        command.remove("--stanza=main")
        with (self.root / "repository.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", umask=0o077)
            try:
                self._wait_for_server(process)
                yield
            finally:
                process.terminate()
                process.wait(timeout=20)

    def _wait_for_server(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.repository.port)):
                return
            assert process.poll() is None, (self.root / "repository.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _make_key(repository: pgbackrest.Repository, side: str, name: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "30"]
    files = ["-keyout", repository.key(side), "-out", repository.certificate(side)]
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    Path(repository.certificate(side)).chmod(0o644)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
