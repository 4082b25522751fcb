# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball that users install, and a fresh pair of hosts for each release of Ansible."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).resolve().parent), str(ROOT / "tests" / "package"), str(ROOT / "tools")]

from managed_site import Site, managed_site

from desk import newcomer


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = newcomer(tmp_path_factory.mktemp("newcomer"))
    desk.must(["ansible-galaxy", "collection", "build"])
    return next(desk.checkout.glob("bulwark-database-*.tar.gz"))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest, tarball: Path) -> t.Iterator[Site]:
    with managed_site(request.param, tarball) as made:
        yield made
