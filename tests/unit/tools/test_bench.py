# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of measured tables."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import bench


def test_a_benchmark_that_ran_alone_gets_a_new_section_and_the_others_keep_theirs() -> None:
    first, second = (one.title for one in bench.BENCHMARKS[:2])
    page = bench.merged_page("", {second: "| old |", first: "| one |"})
    page = bench.merged_page(page, {second: "| new |"})
    assert page == f"{bench.HEADER}\n## {first}\n\n| one |\n\n## {second}\n\n| new |\n"


def test_the_page_is_as_the_tool_writes_it() -> None:
    page = bench.PAGE.read_text(encoding="utf-8")
    assert bench.merged_page(page, {}) == page
