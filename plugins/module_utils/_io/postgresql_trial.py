# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Prove that a server with a changed configuration would start, on a throwaway cluster of the same binaries."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import typing as t

from .._core.options_file import set_entries
from .files import read_file
from .postgresql_binary import process_identity

# What has to differ from the real server, so that the two don't meet; and what has nothing to do with starting.
_KEPT_APART: t.Final = {
    "archive_mode": "off",
    "external_pid_file": "",
    "listen_addresses": "",
    "log_destination": "stderr",
    "logging_collector": "off",
}
# A second server as large as the real one might fail for that alone; so it is small, unless the change is about that.
_SMALL: t.Final = {"huge_pages": "off", "shared_buffers": "1MB"}
_FAILURE = re.compile(r"(?:FATAL|PANIC|ERROR):  (.*)")


def start_complaint(
    values: t.Mapping[str, str | None], *, config_file: str, data_directory: str, bin_directory: str
) -> str | None:
    """Why a server with these values added would not start; an empty string if it would; None if it can't be tried.

    :param values: what ALTER SYSTEM or an include file is about to say; None takes an entry out.
    """
    identity = process_identity(data_directory)
    if identity is None or not os.access(f"{bin_directory}/pg_ctl", os.X_OK):
        return None
    automatic = read_file(f"{data_directory}/postgresql.auto.conf")
    text = automatic.data.decode("utf-8", "surrogateescape") if automatic else ""
    small = {name: value for name, value in _SMALL.items() if name not in values}
    root = tempfile.mkdtemp(prefix="bulwark-")
    try:
        if identity:
            os.chown(root, identity["user"], identity["group"])
        apart = {**_KEPT_APART, **small, "unix_socket_directories": root, "config_file": config_file}
        trial = _Trial(root, bin_directory, identity)
        return trial.complaint(set_entries(text, values), apart)
    finally:
        shutil.rmtree(root, ignore_errors=True)


class _Trial:
    """One throwaway cluster below ``root``."""

    def __init__(self, root: str, bin_directory: str, identity: t.Mapping[str, t.Any]) -> None:
        self._data, self._log = f"{root}/data", f"{root}/log"
        self._bin_directory, self._identity = bin_directory, identity

    def complaint(self, automatic_text: str, options: t.Mapping[str, str]) -> str | None:
        if self._run("initdb", "-A", "reject", "--no-sync", "--no-instructions") != 0:
            return None
        path = f"{self._data}/postgresql.auto.conf"
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(automatic_text)
        settings = {**options, "data_directory": self._data}
        words = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in settings.items())
        started = self._run("pg_ctl", "-l", self._log, "-w", "-t", "30", "-o", words, "start")
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")
        return "" if started == 0 else self._last_words()

    def _last_words(self) -> str:
        content = read_file(self._log)
        found = _FAILURE.findall(content.data.decode("utf-8", "replace")) if content else []
        return found[-1] if found else "it did not start within 30 s"

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
