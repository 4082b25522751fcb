# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throwaway MariaDB servers on private sockets. The tests' own account is let in as root by the socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import MariaDBConnection

# The server refuses to run as root.
ACCOUNT = "nobody"
START_SECONDS = 120.0  # state transfers on a busy machine
# Debian ships the plugins with the package that brings a running service; "make setup" takes them out of it.
UNPACKED_PLUGINS = Path(__file__).resolve().parents[2] / ".build" / "mariadb-plugins"
PLUGINS = UNPACKED_PLUGINS if UNPACKED_PLUGINS.exists() else Path("/usr/lib/mysql/plugin")
# Parallel workers differ. The servers listen on no address unless a test says so.
PORT = 53306 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


class PrivateMariaDB:
    """One server: data directory, socket, option files and error log below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.socket = root / "mariadb.sock"
        self.log = root / "error.log"
        self.options = root / "my.cnf"
        self.drop_ins = root / "conf.d"
        self.environment: dict[str, str] = {}  # for the server, beside the tests' own
        # A server that starts deletes the temporary tables it finds: in a shared folder those of its neighbours, too.
        self.temporary = root / "tmp"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection(self) -> MariaDBConnection:
        return MariaDBConnection(unix_socket=str(self.socket))

    def login_options(self) -> dict[str, object]:
        """Connection options for a module or playbook."""
        return {"login_unix_socket": str(self.socket)}

    def create(self) -> None:
        """A stock data directory: root by its socket, anonymous accounts and the database "test"."""
        self._make_folders()
        own_account = pwd.getpwuid(os.geteuid()).pw_name
        done = subprocess.run(
            [
                *("mariadb-install-db", "--no-defaults", f"--datadir={self.data}", f"--user={ACCOUNT}"),
                *("--auth-root-authentication-method=socket", f"--auth-root-socket-user={own_account}"),
                "--skip-name-resolve",
            ],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": str(self.temporary)},
        )
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        self._write_options()

    def copy_of(self, template: PrivateMariaDB) -> None:
        """Start from a template: much faster than a new data directory."""
        self._make_folders()
        subprocess.run(["cp", "-a", str(template.data), str(self.data)], check=True)
        self._write_options()

    def _make_folders(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)
        self.temporary.mkdir()
        self.chown(self.root, self.temporary)

    def _write_options(self) -> None:
        """As a distribution lays them out: a main file that reads a folder."""
        self.drop_ins.mkdir()
        self.options.write_text(
            "[mariadbd]\n"
            f"datadir = {self.data}\ntmpdir = {self.temporary}\n"
            f"socket = {self.socket}\nport = {PORT}\nlog_error = {self.log}\n"
            f"pid_file = {self.root}/mariadbd.pid\nplugin_dir = {PLUGINS}\nskip_networking = ON\n"
            "innodb_flush_log_at_trx_commit = 0\ninnodb_buffer_pool_size = 32M\ninnodb_log_file_size = 8M\n"
            f"!includedir {self.drop_ins}/\n",
            encoding="utf-8",
        )

    def chown(self, *paths: Path) -> None:
        if os.geteuid() == 0:
            account = pwd.getpwnam(ACCOUNT)
            for path in paths:
                os.chown(path, account.pw_uid, account.pw_gid)

    @property
    def command(self) -> list[str]:
        """How it is started, for a module that asks the server's own binary."""
        return ["mariadbd", f"--defaults-file={self.options}", f"--user={ACCOUNT}"]

    def start(self, *options: str, check: bool = True) -> bool:
        """Start and wait until it answers; with check=False answer whether it did."""
        self.launch(*options)
        return self.wait_until_it_answers(check=check)

    def launch(self, *options: str) -> None:
        """Start and wait for nothing."""
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [*self.command, *options],
            stdin=quiet, stdout=quiet, stderr=quiet, cwd="/", env={**os.environ, **self.environment},
        )  # fmt: skip

    def wait_until_it_answers(self, *, check: bool = True) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.client("SELECT 1", check=False).returncode == 0:
                return True
            time.sleep(0.05)
        self.stop(signal.SIGKILL)
        if check:
            raise RuntimeError(f"server did not start: {self.log_text()[-3000:]}")
        return False

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send_signal(self, how: int) -> None:
        assert self._process is not None
        self._process.send_signal(how)

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        self._process.wait(timeout=60)
        self._process = None

    def restart(self, *, check: bool = True) -> bool:
        self.stop()
        return self.start(check=check)

    def client(
        self, sql: str, *, account: str = "", password: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run SQL with the real client, as root by the socket or as another account."""
        who = ["--user", account, f"--password={password}"] if account else []
        return subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", *who, "--batch", "--skip-column-names"],
            input=sql, check=check, text=True, capture_output=True,
        )  # fmt: skip

    def sql(self, sql: str, *, account: str = "", password: str = "", check: bool = True) -> str:
        """Tab-separated rows, or the error's text with check=False."""
        done = self.client(sql, account=account, password=password, check=False)
        if check and done.returncode:
            raise RuntimeError(f"mariadb: {done.stderr}")
        return done.stdout.strip() if not done.returncode else done.stderr.strip()

    def log_text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def destroy(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


def main() -> None:
    """Start one for trying things by hand: python private_mariadb.py DIRECTORY; it runs until this is ended."""
    server = PrivateMariaDB(Path(sys.argv[1]))
    server.create()
    server.start()
    print(f"mariadb --socket={server.socket}", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
