# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of the collection as users run it: by Ansible, on this machine, with the system's Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def through_ansible(module: str, options: t.Mapping[str, t.Any], *flags: str, home: Path) -> dict[str, t.Any]:
    """What it returned; anything but success fails the test.

    :param flags: of the command ``ansible``, such as ``--check``.
    :param home: where Ansible keeps what it writes.
    """
    done = subprocess.run(
        [
            *(str(Path(sys.executable).parent / "ansible"), "localhost", "-m", f"bulwark.database.{module}"),
            *("-a", json.dumps(options), "-e", "ansible_python_interpreter=/usr/bin/python3", *flags),
        ],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(home / "ansible"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "LC_ALL": "C.UTF-8",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return t.cast("dict[str, t.Any]", json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"])
