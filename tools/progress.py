# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run long commands with something to look at: a line before, a line after, the output in a log file."""

from __future__ import annotations

import collections
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

TAIL_LINES = 40
HEARTBEAT_SECONDS = 30.0


class StepFailed(Exception):
    """A command failed; the message is ready to be shown."""


def say(text: str) -> None:
    print(text, flush=True)


def run_step(
    title: str,
    command: t.Sequence[str],
    *,
    log: Path,
    environment: t.Mapping[str, str] | None = None,
    timeout: float = 1800,
    text: str | None = None,
) -> float:
    """Run ``command``, its output in ``log``; return the seconds it took. Raises StepFailed with the end of the log."""
    say(f"  {title} ...")
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    stop = threading.Event()
    threading.Thread(target=_heartbeat, args=(title, started, stop), daemon=True).start()
    try:
        with log.open("w", encoding="utf-8") as stream:
            done = subprocess.run(
                list(command),
                check=False,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=timeout,
                text=True,
                **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}),
            )
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{title}: no end after {timeout:.0f} s. {_ending(log)}") from error
    finally:
        stop.set()
    seconds = time.monotonic() - started
    if done.returncode:
        raise StepFailed(f"{title}: failed (exit code {done.returncode}). {_ending(log)}")
    say(f"  {title}: {seconds:.0f} s")
    return seconds


def _heartbeat(title: str, started: float, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        say(f"  {title}: {time.monotonic() - started:.0f} s so far")


def _ending(log: Path) -> str:
    with log.open(encoding="utf-8", errors="replace") as stream:
        lines = collections.deque(stream, maxlen=TAIL_LINES)
    return f"The end of {log}:\n{''.join(lines)}"


def answer(command: t.Sequence[str], *, environment: t.Mapping[str, str] | None = None, timeout: float = 60) -> str:
    """What a short command prints, stripped; empty if it is not there, fails, or does not end."""
    try:
        done = subprocess.run(
            list(command),
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def main_or_exit(main: t.Callable[[], int]) -> t.NoReturn:
    """Run a tool's main; what went wrong is one text on standard error, not a traceback."""
    try:
        sys.exit(main())
    except StepFailed as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
