# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the benchmarks one after the other, and keep the latest tables in docs/benchmarks.md.

Never part of CI: absolute times mean nothing on a shared machine, ratios within one run do.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"


class Benchmark(t.NamedTuple):
    """One script below tests/benchmarks, and what it is about."""

    script: str
    title: str
    needs_lab: bool = False


BENCHMARKS: t.Final = (
    Benchmark("end_state_benchmark.py", "The same end state through this collection and through community.postgresql"),
    Benchmark("roles_benchmark.py", "500 roles, 10 schemas, 2,000 tables, 20,000 grants, beside psql"),
    Benchmark("mariadb_roles_benchmark.py", "200 accounts, 50 roles, 5,000 grants of MariaDB, beside community.mysql"),
    Benchmark("file_permissions_benchmark.py", "Half a million files, beside find"),
    Benchmark("role_benchmark.py", "A hardening run that changes nothing", needs_lab=True),
    Benchmark("tls_benchmark.py", "What TLS costs"),
)

HEADER: t.Final = """\
<!--
SPDX-FileCopyrightText: 2026 the bulwark.database authors
SPDX-License-Identifier: GPL-3.0-or-later
Written by tools/bench.py ("make bench"); don't edit.
-->
# Benchmarks

Ratios against a peer or the raw tool, both in one run. Measured on {date}: {machine}.
"""


def run(benchmark: Benchmark) -> str | None:
    """The table that it printed; None when it could not run. What it says meanwhile goes to standard error."""
    print(f"==> {benchmark.title}", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "benchmarks" / benchmark.script)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(done.stdout, flush=True)
    print(f"    took {time.monotonic() - started:.0f} s, exit code {done.returncode}", flush=True)
    return done.stdout.strip() or None


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    kernel, python = f"{platform.system()} {platform.release()}", platform.python_version()
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {kernel}, Python {python}"


def page(sections: t.Sequence[tuple[Benchmark, str]]) -> str:
    date = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    text = HEADER.format(date=date, machine=machine())
    for benchmark, table in sections:
        text += f"\n## {benchmark.title}\n\n`tests/benchmarks/{benchmark.script}`\n\n{table}\n"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[one.script for one in BENCHMARKS], help="run one, and leave the page alone")
    parser.add_argument("--no-lab", action="store_true", help="leave out what needs the lab")
    arguments = parser.parse_args()
    chosen = [one for one in BENCHMARKS if arguments.only in (None, one.script)]
    chosen = [one for one in chosen if not (arguments.no_lab and one.needs_lab)]
    results = [(benchmark, run(benchmark)) for benchmark in chosen]
    if not arguments.only:
        PAGE.write_text(page([(one, table) for one, table in results if table]), encoding="utf-8")
    return 0 if all(table for dummy, table in results) else 1


if __name__ == "__main__":
    sys.exit(main())
