# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Stock tools joined by pipes without a shell: each one's status and words are known, none is left behind.

What flows does not flow through our process, so that we cost it no time. We hold the last lines that each tool said.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import dataclasses
import fcntl
import os
import re
import selectors
import signal
import subprocess
import time
import typing as t

from .._core.backup_evidence import StageEnd
from .._core.errors import ApplyFailed, MissingRequirement

_PIPE_BYTES: t.Final = 1024 * 1024
_READ_BYTES: t.Final = 65536
_KEPT_LINES: t.Final = 40
_KEPT_MATCHES: t.Final = 200
_LONGEST_LINE: t.Final = 4000
_SET_PARENT_DEATH_SIGNAL: t.Final = 1
_PATH: t.Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_library = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One process of a pipe.

    :param keep: lines of its standard error that are kept beside the last ones.
    """

    arguments: t.Sequence[str]
    keep: str = r"(?!)"

    @property
    def name(self) -> str:
        return os.path.basename(self.arguments[0])


class _Running:
    """A started process, and the lines of its standard error."""

    def __init__(self, stage: Stage, process: subprocess.Popen[bytes]) -> None:
        self.stage = stage
        self.process = process
        self._keep = re.compile(stage.keep)
        self._rest = b""
        self._matches: list[str] = []
        self._last: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)

    def take(self, data: bytes) -> None:
        # zstd ends what it rewrites on a terminal by a carriage return
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + data)
        self._rest = self._rest[:_LONGEST_LINE]
        for line in lines:
            self._add(line)

    def _add(self, line: bytes) -> None:
        text = line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip()
        if not text:
            return
        if self._keep.search(text) and len(self._matches) < _KEPT_MATCHES:
            self._matches.append(text)
        else:
            self._last.append(text)

    def end(self, status: int) -> StageEnd:
        self._add(self._rest)
        return StageEnd(self.stage.name, status, (*self._matches, *self._last))


def run_pipe(
    stages: t.Sequence[Stage],
    *,
    deadline: float,
    sink: int = subprocess.DEVNULL,
    source: int = subprocess.DEVNULL,
    begun: t.Callable[[], None] | None = None,
) -> tuple[StageEnd, ...]:
    """Run to the end. What the processes did is for the caller to judge. Raises ApplyFailed when we can't go on.

    :param deadline: of ``time.monotonic()``; what runs then is killed.
    :param sink: descriptor that the last process writes to.
    :param source: descriptor that the first process reads.
    :param begun: called once when all have been started, and before anybody waits for them.
    """
    running: list[_Running] = []
    try:
        _start(stages, source, sink, running)
        if begun is not None:
            begun()
        _listen(running, deadline)
        return tuple(_await(item, deadline) for item in running)
    finally:
        _end_all(running)


def _start(stages: t.Sequence[Stage], source: int, sink: int, running: list[_Running]) -> None:
    before: t.Any = source
    for stage in stages:
        try:
            process = subprocess.Popen(
                list(stage.arguments),
                stdin=before,
                stdout=sink if stage is stages[-1] else subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env={"PATH": _PATH, "LC_ALL": "C", "HOME": "/nonexistent"},
                preexec_fn=_in_child(os.getpid()),  # noqa: PLW1509 - there are no threads here
            )
        except OSError as error:
            raise MissingRequirement(
                f"can't start {stage.arguments[0]}: {error.strerror}", "Install the package it is in"
            ) from None
        running.append(_Running(stage, process))
        if before != source:
            before.close()  # or the process before would never hear that its reader has gone
        before = process.stdout
        if process.stdout is not None:
            _widen(process.stdout)


def _in_child(parent: int) -> t.Callable[[], None]:
    """When we are killed ourselves, nobody else is left to end them."""

    def in_child() -> None:
        # What a tool starts itself ends with it. A session of its own would do the same, and make the scheduler weigh
        # each of the tools, and us, as a user each.
        os.setpgid(0, 0)
        _library.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def _widen(pipe: t.IO[bytes]) -> None:
    """A wide pipe lets the processes work side by side. The system may refuse: then it is as wide as it is."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, getattr(fcntl, "F_SETPIPE_SZ", 1031), _PIPE_BYTES)


def _listen(running: t.Sequence[_Running], deadline: float) -> None:
    """To what all of them say, until all have closed their mouths."""
    with selectors.DefaultSelector() as selector:
        for item in running:
            selector.register(t.cast("t.IO[bytes]", item.process.stderr), selectors.EVENT_READ, item)
        while selector.get_map():
            for key, dummy in _wait(selector, deadline):
                data = os.read(key.fd, _READ_BYTES)
                if data:
                    key.data.take(data)
                else:
                    selector.unregister(key.fileobj)


def _wait(selector: selectors.BaseSelector, deadline: float) -> list[tuple[selectors.SelectorKey, int]]:
    left = deadline - time.monotonic()
    ready = selector.select(left) if left > 0 else []
    if not ready and time.monotonic() >= deadline:
        raise ApplyFailed("the deadline has passed, what ran was killed", "Raise deadline_seconds, or find what waits")
    return ready


def _await(item: _Running, deadline: float) -> StageEnd:
    try:
        status = item.process.wait(timeout=max(deadline - time.monotonic(), 0.001))
    except subprocess.TimeoutExpired:
        raise ApplyFailed(
            f"{item.stage.name} did not end before the deadline", "Raise deadline_seconds, or find what it waits for"
        ) from None
    return item.end(status)


def _end_all(running: t.Sequence[_Running]) -> None:
    for item in running:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(item.process.pid, signal.SIGKILL)
        item.process.wait()
        for stream in (item.process.stdout, item.process.stderr):
            if stream is not None:
                stream.close()


def ask(arguments: t.Sequence[str], *, deadline: float) -> tuple[StageEnd, list[str]]:
    """How a tool ended, and the few lines that it wrote. Raises ApplyFailed at the deadline, as a pipe does."""
    with os.fdopen(os.memfd_create("answer"), "rb") as answer:  # a pipe that nobody reads would stop who writes much
        (end,) = run_pipe([Stage(arguments)], deadline=deadline, sink=answer.fileno())
        answer.seek(0)
        return end, answer.read(_READ_BYTES).decode("utf-8", "replace").splitlines()
