# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""service_sandbox killed at its steps, on a whole host: the service runs or can be started, another run finishes."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from killing import count_steps, kill_at, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._io.service_sandbox import drop_in_path
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from ansible_collections.bulwark.database.plugins.module_utils._module.service_sandbox import subject

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("BULWARK_THROWAWAY_HOST") != "1",
        reason="confines a service of its host: tools/tests_in_container.py runs it",
    ),
    pytest.mark.timeout(3600),  # with BULWARK_ALL_FAULTS=1
]


@pytest.fixture
def version() -> str:
    """Of the server that Debian's package made and started."""
    return next(Path("/etc/postgresql").iterdir()).name


@pytest.fixture
def unit(version: str) -> t.Iterator[str]:
    name = f"postgresql@{version}-main.service"
    yield name
    take_off(name)


def declare(version: str) -> Outcome:
    options = {
        "unit": f"postgresql@{version}-main.service",
        "profile": "postgresql",
        "read_write_paths": [f"/var/lib/postgresql/{version}/main"],
        "directives": {},
        "probe_command": ["pg_isready", "--quiet"],
        "allow_restart": True,
        "deadline": 60,
    }
    return converge(subject(options), check_mode=False)


def take_off(unit: str) -> None:
    Path(drop_in_path(unit)).unlink(missing_ok=True)
    systemctl("daemon-reload")
    systemctl("reset-failed", unit)  # or it would be refused as started too often
    systemctl("restart", unit)


def systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=True)


def test_killed_at_any_step_the_service_restarts_and_a_second_run_confines_it(version: str, unit: str) -> None:
    total = count_steps(lambda: declare(version))
    for step in steps_to_try(total, sample=5):
        take_off(unit)
        assert kill_at(step, lambda: declare(version)), f"step {step} of {total}"
        systemctl("restart", unit)
        subprocess.run(["pg_isready", "--quiet", "--timeout=10"], check=True)
        assert declare(version).result["confined"], f"killed at step {step} of {total}"
        assert not declare(version).plan
    folder = Path(drop_in_path(unit)).parent
    assert not list(folder.glob("*.bulwark-*"))
