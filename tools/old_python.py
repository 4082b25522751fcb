# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An environment of the oldest Python that managed hosts may have, for the tests of the pure layers."""

from __future__ import annotations

import os
import shutil
import typing as t
from pathlib import Path

from layout import BUILD, LOGS
from progress import StepFailed, answer, run_step

OLD_ENVIRONMENT = BUILD / "venv39"
OLD_PYTHON = OLD_ENVIRONMENT / "bin" / "python"
# The last ones for Python 3.9.
PACKAGES = ("pytest==8.4.2", "hypothesis==6.141.1")


def candidates() -> t.Iterator[str]:
    """BULWARK_PYTHON39 names one that is found nowhere here."""
    yield os.environ.get("BULWARK_PYTHON39", "")
    yield shutil.which("python3.9") or ""
    yield from sorted(str(path) for path in Path.home().glob(".pyenv/versions/3.9*/bin/python3.9"))


def find_old_python() -> str:
    """An interpreter that can make environments; empty if there is none."""
    script = "import ensurepip, venv, sys; print(*sys.version_info[:2])"
    return next((name for name in candidates() if name and answer([name, "-c", script]) == "3 9"), "")


def make_old_environment() -> str:
    """Make it unless it is there; return why it can't be made, or an empty string."""
    if answer([str(OLD_PYTHON), "-c", "import pytest, hypothesis; print('there')"]):
        return ""
    python = find_old_python()
    if not python:
        return "no Python 3.9 here (name one in BULWARK_PYTHON39)"
    shutil.rmtree(OLD_ENVIRONMENT, ignore_errors=True)
    try:
        run_step("virtual environment", [python, "-m", "venv", str(OLD_ENVIRONMENT)], log=LOGS / "old-venv.log")
        pip = [str(OLD_PYTHON), "-m", "pip", "install", "--progress-bar=off", *PACKAGES]
        run_step("pytest and hypothesis", pip, log=LOGS / "old-pip.log")
    except StepFailed as error:
        return f"its packages can't be installed: {error}"
    return ""
