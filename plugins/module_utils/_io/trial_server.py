# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""A trial server of the server's own binaries reads a configuration before the real server sees it.

It has a data directory of empty folders with the real one's control file, and is told to recover from nowhere. So the
postmaster does all that a start asks of it (settings, libraries, TLS, shared memory, login rules), and the process that
would then open the data ends with one known line. That takes 40 ms where initdb and a real start take a second.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import typing as t

from .private_folder import private_folder
from .server_owner import process_identity

# What has to differ from the real server, so that the two don't meet; what has nothing to do with starting; and what
# makes sure of the last line and its language.
_KEPT_APART: t.Final = {
    "archive_mode": "off",
    "external_pid_file": "",
    "lc_messages": "C",
    "listen_addresses": "",
    "log_destination": "stderr",
    "log_error_verbosity": "default",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "restore_command": "",
}
_FILES_FROM_THE_REAL_ONE: t.Final = ("PG_VERSION", "global/pg_control")
_MINIMAL_FILES: t.Final = {"pg_hba.conf": "local all all reject\n", "postgresql.conf": "", "recovery.signal": ""}
# PostgreSQL 17 puts the name in quotes.
_EVERYTHING_BEFORE_THE_DATA_WORKED = re.compile('FATAL:  must specify "?restore_command"? when standby mode')
_FAILURE = re.compile(r"(?:FATAL|PANIC|ERROR):  (.*)")
_FILE_COMPLAINT = re.compile(r'LOG:  (.*)\n(?:.*HINT:.*\n)?.*CONTEXT:  line (\d+) of configuration file "(.*)"')
TRIAL_SECONDS: t.Final = 30.0


class Verdict(t.NamedTuple):
    """What a trial server said.

    :param failure: why a server would not start; empty if it would.
    :param file_complaints: (path, line, message) for each line of a file of rules that it complained of.
    """

    failure: str
    file_complaints: list[tuple[str, int, str]]


class TrialServer:
    """A data directory in a folder of its own, with a private socket and no address."""

    def __init__(self, root: str, bin_directory: str, identity: t.Mapping[str, t.Any]) -> None:
        self._root, self._data = root, f"{root}/data"
        self._bin_directory, self._identity = bin_directory, identity

    def create(self, real_data_directory: str) -> None:
        self._make_folder(self._data)
        with os.scandir(real_data_directory) as entries:
            for entry in entries:
                if entry.is_dir():  # pg_wal may be a link to one
                    self._make_folder(f"{self._data}/{entry.name}")
        for name in _FILES_FROM_THE_REAL_ONE:
            self.write(name, _read_settled(f"{real_data_directory}/{name}"))
        for name, text in _MINIMAL_FILES.items():
            self.write(name, text)

    def write(self, name: str, content: str | bytes) -> str:
        """A file in the data directory that the server can read; its path."""
        path = f"{self._data}/{name}"
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(data)
        self._give_away(path)
        return path

    def start(self, options: t.Mapping[str, str]) -> Verdict:
        """Start with these settings on the command line, as far as it goes without data."""
        settings = {**_KEPT_APART, "unix_socket_directories": self._root, **options, "data_directory": self._data}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = self._run([f"{self._bin_directory}/postgres", "-D", self._data, *words])
        complaints = [(path, int(line), message) for message, line, path in _FILE_COMPLAINT.findall(log)]
        if _EVERYTHING_BEFORE_THE_DATA_WORKED.search(log):
            return Verdict("", complaints)
        failures = _FAILURE.findall(log)
        return Verdict(failures[-1] if failures else f"it gave no answer within {TRIAL_SECONDS:.0f} s", complaints)

    def _run(self, command: t.Sequence[str]) -> str:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            start_new_session=True,
            **self._identity,
        )
        try:
            return process.communicate(timeout=TRIAL_SECONDS)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[1]

    def _make_folder(self, path: str) -> None:
        os.mkdir(path, 0o700)
        self._give_away(path)

    def _give_away(self, path: str) -> None:
        if self._identity:
            os.chown(path, self._identity["user"], self._identity["group"])


def _read_settled(path: str) -> bytes:
    """What two readings in a row agree on: the server writes its control file while others read it."""
    previous = None
    while True:
        with open(path, "rb") as stream:
            present = stream.read()
        if present == previous:
            return present
        previous = present


@contextlib.contextmanager
def trial_server(*, data_directory: str, bin_directory: str) -> t.Iterator[TrialServer | None]:
    """A server run by the owner of the real data directory; None where that can't be done from here."""
    identity = process_identity(data_directory)
    if identity is None or not os.access(f"{bin_directory}/postgres", os.X_OK):
        yield None
        return
    with private_folder(identity) as root:
        server = TrialServer(root, bin_directory, identity)
        server.create(data_directory)
        yield server
