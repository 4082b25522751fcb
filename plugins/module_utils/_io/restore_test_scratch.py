# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A folder for one restored server: made, run in, and removed again with every process that works in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement
from .._core.restore_script import telling_line

PREFIX: t.Final = "restored-"
_LOG: t.Final = "restore.output"
_KEPT_BYTES: t.Final = 64 * 1024
_PATH: t.Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENDING_SECONDS: t.Final = 30


class Scratch:
    """``path`` is open to its owner alone."""

    def __init__(
        self,
        root: str,
        test: str,
        identifier: str,
        *,
        deadline: float,
        environment: t.Mapping[str, str] | None = None,
    ) -> None:
        """:param test: name of the restore test; several may share a root, and run at the same time.
        :param deadline: of ``time.monotonic()``; what runs then is ended.
        :param environment: variables that all commands get, besides PATH and the like."""
        self.path = os.path.join(root, f"{_prefix(test)}{identifier}")
        self.data = os.path.join(self.path, "data")
        self._deadline = deadline
        self._environment = {"PATH": _PATH, "LC_ALL": "C", "HOME": self.path, **(environment or {})}
        try:
            os.mkdir(self.path, 0o700)
        except OSError as error:
            raise ApplyFailed(
                f"can't make {self.path}: {error.strerror}", "Make room, or name another scratch"
            ) from None

    def run_script(self, script: str) -> str:
        """As a person would: by ``sh``, which stops at the first command that fails. What it said. Raises ApplyFailed.

        What the script leaves running in the background goes on.
        """
        path, log = os.path.join(self.path, "restore.sh"), os.path.join(self.path, _LOG)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(script)
        with open(log, "wb") as stream:
            status = self._run(["sh", "-e", path], output=stream, answers=subprocess.DEVNULL)
        if status:
            raise ApplyFailed(f"RESTORE.txt failed with status {status}: {_last_words(self.path, log)}")
        with open(log, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def ask(self, command: t.Sequence[str], statements: str = "") -> tuple[int, str]:
        """Exit status and everything that it said."""
        log = os.path.join(self.path, "answer")
        asked = os.path.join(self.path, "question")
        with open(asked, "w", encoding="utf-8") as stream:
            stream.write(statements)
        with open(log, "wb") as stream, open(asked, "rb") as question:
            status = self._run(command, output=stream, answers=question)
        with open(log, encoding="utf-8", errors="replace") as stream:
            return status, stream.read()

    def answer(self, command: t.Sequence[str], statements: str) -> str:
        """Raises ApplyFailed if the server does not answer."""
        status, said = self.ask(command, statements)
        if status:
            lines = [line for line in said.splitlines() if line.strip()]
            raise ApplyFailed(f"the restored server refused a question: {lines[0] if lines else f'status {status}'}")
        return said

    def remove(self) -> None:
        remove_scratch(self.path)

    def _run(self, command: t.Sequence[str], *, output: t.Any, answers: t.Any) -> int:
        """In a session of its own, so that all of it can be ended."""
        try:
            process = subprocess.Popen(
                list(command),
                stdin=answers,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.path,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise MissingRequirement(
                f"can't start {command[0]}: {error.strerror}", "Install the package it is in, or run the role again"
            ) from None
        try:
            return process.wait(timeout=max(self._deadline - time.monotonic(), 0.001))
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise ApplyFailed("the deadline has passed, what ran was ended", "Raise the test's deadline") from None
            raise


def _prefix(test: str) -> str:
    """No name of a test has a dot in it, so that none begins like another."""
    return f"{PREFIX}{test}."


def remove_leftovers(root: str, test: str) -> list[str]:
    """What runs of this test that were killed left behind. Only under the test's lock."""
    found = os.listdir(root) if os.path.isdir(root) else []
    names = sorted(name for name in found if name.startswith(_prefix(test)))
    for name in names:
        remove_scratch(os.path.join(root, name))
    return names


def remove_scratch(path: str) -> None:
    """Raises ApplyFailed if something stays: plain data would lie around."""
    _end_processes(path)
    for dummy in range(5):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.lexists(path):
            return
        time.sleep(0.2)
    raise ApplyFailed(f"can't remove {path}", "Remove it by hand: it holds data in clear")


def _end_processes(path: str) -> None:
    deadline = time.monotonic() + _ENDING_SECONDS
    while True:
        found = list(_processes_in(path))
        if not found:
            return
        for number in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ApplyFailed(f"process {found[0]} works in {path} and does not end", "End it, and remove the folder")
        time.sleep(0.05)


def _processes_in(path: str) -> t.Iterator[int]:
    """By their working directory: a server's is its data directory."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                place = os.readlink(f"/proc/{name}/cwd")
                if place == path or place.startswith(f"{path}/"):
                    yield int(name)


def _last_words(folder: str, log: str) -> str:
    """Of the script's output, or of the server's own log where that says more."""
    said = ""
    for path in (os.path.join(folder, "data.log"), os.path.join(folder, "data", "restore.log"), log):
        with contextlib.suppress(OSError), open(path, "rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(stream.tell() - _KEPT_BYTES, 0))
            said += f"{stream.read().decode('utf-8', 'replace')}\n"
    return telling_line(said) or "it said nothing"
