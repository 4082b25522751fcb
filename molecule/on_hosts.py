# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of several scenarios do with their hosts. Each puts this folder on the path of modules."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]


def wait_until(is_so: Callable[[], bool], what: str, *, seconds: float, pause: float) -> None:
    """Ask again and again; the test fails with ``what`` if it is not so within that many seconds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(pause)


def module(host: str, name: str, options: dict[str, t.Any], *flags: str) -> dict[str, t.Any]:
    """What one of our modules returned; ``failed`` is part of it."""
    command = ["ansible", "-i", INVENTORY, host, "-m", f"bulwark.database.{name}"]
    command += ["-a", json.dumps(options)] if options else []
    callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    environment = {**os.environ, **callback}
    done = subprocess.run([*command, *flags], check=False, capture_output=True, text=True, env=environment)
    return t.cast("dict[str, t.Any]", json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"][host])


def converge(scenario: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """The scenario's own playbook once more."""
    command = ["ansible-playbook", "-i", INVENTORY, "converge.yml", *flags]
    plain = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=scenario, env=plain)


def commands_of(restore_text: str, **values: str) -> str:
    """The commands of RESTORE.txt, its indented lines, as one script in which the values are filled in."""
    script = "\n".join(line[4:] for line in restore_text.splitlines() if line.startswith("    "))
    for name, value in values.items():
        script, count = re.subn(rf"^{name}='.*'$", f"{name}={shlex.quote(value)}", script, flags=re.MULTILINE)
        assert count == 1, f"RESTORE.txt does not ask for {name}"
    return f"set -e\n{script}\n"
