# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Running programs: no shell, the C locale, no input, a time limit."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import typing as t

from .._core.errors import MissingRequirement

# The C locale, so that what is parsed reads the same everywhere.
_ENVIRONMENT: t.Final = {"LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_COLORS": "0"}
SYSTEM_PATH: t.Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True)
class Finished:
    """A program that came to its end. ``status`` is its exit status, negative for a signal, 124 for out of time."""

    status: int
    output: str
    errors: str

    @property
    def succeeded(self) -> bool:
        return self.status == 0

    @property
    def complaint(self) -> str:
        """The last line it had to say, for a message."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit status {self.status}"


def run_command(arguments: t.Sequence[str], *, timeout: float = 60, text: str | None = None) -> Finished:
    """Run a program to its end. ``text`` is its standard input. Raises MissingRequirement if there is no such program.

    :param timeout: seconds; then the program is killed and the status is 124.
    """
    try:
        done = subprocess.run(
            list(arguments),
            input=(text or "").encode("utf-8"),
            capture_output=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "PATH": SYSTEM_PATH, **_ENVIRONMENT},
        )
    except FileNotFoundError:
        raise MissingRequirement(f"the program {arguments[0]} is not there", "Install the package it is in") from None
    except subprocess.TimeoutExpired:
        return Finished(124, "", f"not finished after {timeout:g} seconds")
    return Finished(done.returncode, _decoded(done.stdout), _decoded(done.stderr))


def is_there(program: str) -> bool:
    return shutil.which(program, path=SYSTEM_PATH) is not None


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")
