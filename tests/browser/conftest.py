# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the tests import the sample assessments and the browser, and gives them one window."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "unit"), str(ROOT / "tools")]

import chromium


@pytest.fixture(scope="session")
def browser() -> t.Iterator[chromium.Browser]:
    if chromium.missing():
        pytest.skip(chromium.missing())
    with chromium.open_browser() as opened:
        yield opened
