# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""A throwaway cluster of the server's own binaries, to try a configuration on before the real server sees it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import typing as t

from .files import read_file
from .postgresql_binary import process_identity

# What has to differ from the real server, so that the two don't meet; and what has nothing to do with starting.
_KEPT_APART: t.Final = {
    "archive_mode": "off",
    "external_pid_file": "",
    "listen_addresses": "",
    "log_destination": "stderr",
    "log_min_messages": "warning",
    "logging_collector": "off",
}
_FAILURE = re.compile(r"(?:FATAL|PANIC|ERROR):  (.*)")
_FILE_COMPLAINT = re.compile(r'LOG:  (.*)\n(?:.*HINT:.*\n)?.*CONTEXT:  line (\d+) of configuration file "(.*)"')


class ThrowawayCluster:
    """A fresh cluster in a folder of its own, with a private socket and no address."""

    def __init__(self, root: str, bin_directory: str, identity: t.Mapping[str, t.Any]) -> None:
        self._root, self._data, self._log = root, f"{root}/data", f"{root}/log"
        self._bin_directory, self._identity = bin_directory, identity

    def create(self) -> bool:
        return self._run("initdb", "-A", "reject", "--no-sync", "--no-instructions") == 0

    def write(self, name: str, text: str) -> str:
        """A file that the cluster can read; its path. Relative names lie in the data directory."""
        path = os.path.join(self._data, name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
        os.chmod(path, 0o600)
        if self._identity:
            os.chown(path, self._identity["user"], self._identity["group"])
        return path

    def starts_with(self, options: t.Mapping[str, str]) -> bool:
        """Start with these settings on the command line, and stop again."""
        settings = {**_KEPT_APART, "unix_socket_directories": self._root, **options, "data_directory": self._data}
        words = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        started = self._run("pg_ctl", "-l", self._log, "-w", "-t", "30", "-o", words, "start") == 0
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")
        return started

    def last_words(self) -> str:
        found = _FAILURE.findall(self._log_text())
        return found[-1] if found else "it did not start within 30 s"

    def file_complaints(self) -> list[tuple[str, int, str]]:
        """(path, line, message) for each line of a file of rules that the server complained of."""
        return [(path, int(line), message) for message, line, path in _FILE_COMPLAINT.findall(self._log_text())]

    def _log_text(self) -> str:
        content = read_file(self._log)
        return content.data.decode("utf-8", "replace") if content else ""

    def _run(self, program: str, *arguments: str) -> int:
        """Run one of the server's programs; its output goes nowhere, because the server would keep it open."""
        return subprocess.run(
            [f"{self._bin_directory}/{program}", "-D", self._data, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            **self._identity,
        ).returncode


@contextlib.contextmanager
def throwaway_cluster(*, data_directory: str, bin_directory: str) -> t.Iterator[ThrowawayCluster | None]:
    """A cluster run by the owner of the real data directory; None where that can't be done from here."""
    identity = process_identity(data_directory)
    if identity is None or not os.access(f"{bin_directory}/pg_ctl", os.X_OK):
        yield None
        return
    root = tempfile.mkdtemp(prefix="bulwark-")
    try:
        if identity:
            os.chown(root, identity["user"], identity["group"])
        cluster = ThrowawayCluster(root, bin_directory, identity)
        yield cluster if cluster.create() else None
    finally:
        shutil.rmtree(root, ignore_errors=True)
