# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook and kill it for good (SIGKILL), with every process it started, when a task of its has begun."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

_TASK = re.compile(r"TASK \[(?:[\w.]+ : )?(.*)\] \**")
_RECAP = re.compile(r": ok=\d+ +changed=(\d+) +unreachable=0 +failed=0 ")


class Playbook:
    """One playbook with its inventory options, for ansible-playbook of this environment."""

    def __init__(self, path: Path, *options: str) -> None:
        self._command = [str(Path(sys.executable).parent / "ansible-playbook"), str(path), *options]

    def run(self) -> str:
        """Run it to its end; it has to succeed."""
        done = subprocess.run(self._command, check=False, env=_environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def kill(self, task: str, *, after: float) -> bool:
        """Kill it so many seconds after the task began, or as soon as the next one does; whether it got that far."""
        with subprocess.Popen(
            self._command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            timer = threading.Timer(after, kill_tree, [process.pid])
            for line in process.stdout:
                begun = _TASK.match(line)
                if begun and begun.group(1) == task:
                    timer.start()
                elif timer.is_alive() and (begun or line.startswith("PLAY RECAP")):
                    kill_tree(process.pid)
            timer.cancel()
        return process.returncode == -signal.SIGKILL


def changing_tasks(output: str) -> list[str]:
    """Names of the tasks that changed something, in order."""
    found: list[str] = []
    task = ""
    for line in output.splitlines():
        begun = _TASK.match(line)
        if begun:
            task = begun.group(1)
        elif line.startswith("changed: ") and task not in found:
            found.append(task)
    return found


def changes(output: str) -> int:
    """How many tasks changed something, by the recap."""
    counts = _RECAP.findall(output)
    assert counts, output[-3000:]
    return sum(map(int, counts))


def kill_tree(process: int) -> None:
    """Ansible's workers have sessions of their own, so that a signal to the process group would miss the modules."""
    found = [process]
    for parent in found:
        # Stopped first, so that none starts another while we look.
        with contextlib.suppress(ProcessLookupError):
            os.kill(parent, signal.SIGSTOP)
        found += _children(parent)
    for one in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def _children(process: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in brackets, may hold anything; the state and the parent follow.
            parent = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == process:
                found.append(int(path.parent.name))
    return found


def _environment() -> t.Mapping[str, str]:
    return {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default",
        # Molecule forces colours, which would hide the recap from us.
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
