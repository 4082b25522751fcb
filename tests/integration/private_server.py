# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throwaway PostgreSQL clusters on private sockets, run as an unprivileged account because initdb refuses root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._io.postgresql import ConnectionSettings

# Only part of a socket's name: these servers listen on no address unless a test says so. Parallel workers then differ.
PORT = 54329 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


def binary_directory() -> Path:
    """Binaries of the newest installed major version, as Debian lays them out."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not candidates:
        raise RuntimeError("no PostgreSQL server binaries below /usr/lib/postgresql: run 'make setup'")
    return candidates[-1].parent


class PrivateServer:
    """One cluster: data directory, socket directory and log below ``root``, owned by the account ``postgres``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.socket = root / "socket"
        self.log = root / "server.log"
        self.bin = binary_directory()
        self.account = "postgres"

    @property
    def connection(self) -> ConnectionSettings:
        return ConnectionSettings(unix_socket=str(self.socket), port=PORT, os_user=self.account)

    def login_options(self) -> dict[str, object]:
        """Connection options for a module or playbook."""
        return {"login_unix_socket": str(self.socket), "login_port": PORT, "login_os_user": self.account}

    def create(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        self.socket.mkdir()
        self.chown(self.root, self.socket)
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "peer", "-E", "UTF8", "--no-sync", "-N")
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write(
                f"listen_addresses = ''\nport = {PORT}\nfsync = off\nunix_socket_directories = '{self.socket}'\n"
            )

    def copy_of(self, template: PrivateServer) -> None:
        """Start from a template cluster: much faster than initdb."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        subprocess.run(["cp", "-a", str(template.data), str(self.data)], check=True)
        self.socket.mkdir()
        self.chown(self.root, self.socket)
        configuration = self.data / "postgresql.conf"
        text = configuration.read_text(encoding="utf-8").replace(str(template.socket), str(self.socket))
        configuration.write_text(text, encoding="utf-8")

    def chown(self, *paths: Path) -> None:
        account = pwd.getpwnam(self.account)
        for path in paths:
            os.chown(path, account.pw_uid, account.pw_gid)

    def start(self, *, check: bool = True) -> bool:
        """Start and wait; with check=False answer whether it started."""
        done = self.run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "30", "start", check=False)
        if check and done.returncode:
            raise RuntimeError(f"server did not start: {done.stdout}{done.stderr}{self.log_text()}")
        return done.returncode == 0

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop", check=False)

    def restart(self, *, check: bool = True) -> bool:
        self.stop()
        return self.start(check=check)

    def psql(self, sql: str, *, role: str = "postgres", database: str = "postgres", check: bool = True) -> str:
        """Run SQL with the real psql as the server's own account; unaligned rows."""
        arguments = ["-h", str(self.socket), "-p", str(PORT), "-U", role, "-d", database, "-XAtq"]
        done = self.run("psql", *arguments, "-v", "ON_ERROR_STOP=1", "-f", "-", check=False, text=sql)
        if check and done.returncode:
            raise RuntimeError(f"psql: {done.stderr}")
        return done.stdout.strip() if not done.returncode else done.stderr.strip()

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def wait_for_log(self, text: str, *, seconds: float = 5.0) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text in self.log_text():
                return True
            time.sleep(0.05)
        return False

    def run(
        self, program: str, *arguments: str, check: bool = True, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one of the server's programs as the server's account."""
        command = [str(self.bin / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--init-groups", *command]
        environment = {**os.environ, "HOME": str(self.root), "LC_ALL": "C.UTF-8"}
        # pg_ctl's child, the server, keeps its output open: reading it to the end would wait for the server.
        output = subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE
        given = {"input": text} if text is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            command, check=check, text=True, stdout=output, stderr=output, cwd="/", env=environment, **given
        )

    def destroy(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.root, ignore_errors=True)


def main() -> None:
    """Start one for trying things by hand: python private_server.py DIRECTORY; stop it with pg_ctl."""
    server = PrivateServer(Path(sys.argv[1]))
    server.create()
    server.start()
    print(f"psql -h {server.socket} -p {PORT} -U postgres")


if __name__ == "__main__":
    main()
