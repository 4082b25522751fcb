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
    Benchmark("galera_restart_benchmark.py", "The restart of a Galera node under a writer, beside systemctl restart"),
    Benchmark("file_permissions_benchmark.py", "Half a million files, beside find"),
    Benchmark("role_benchmark.py", "A hardening run that changes nothing", needs_lab=True),
    Benchmark("tls_benchmark.py", "What TLS costs"),
    Benchmark("backup_throughput_benchmark.py", "A full backup, beside the bare pipe of the same tools"),
    Benchmark("restore_benchmark.py", "A restore by RESTORE.txt alone, beside the bare tools"),
)

HEADER: t.Final = """\
<!--
SPDX-FileCopyrightText: 2026 the bulwark.database authors
SPDX-License-Identifier: GPL-3.0-or-later
Written by tools/bench.py ("make bench"); don't edit.
-->
# Benchmarks

Ratios against a peer or the raw tool, both in one run.
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


def section(benchmark: Benchmark, table: str) -> str:
    date = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    return f"`tests/benchmarks/{benchmark.script}`, {date}, {machine()}\n\n{table}"


def merged_page(page: str, new: t.Mapping[str, str]) -> str:
    """The page with the new sections, by their titles; what was not measured now keeps what it has."""
    parts = (part.partition("\n") for part in page.split("\n## ")[1:])
    sections = {**{title: text.strip() for title, dummy_end, text in parts}, **new}
    known = [one.title for one in BENCHMARKS if one.title in sections]
    return HEADER + "".join(f"\n## {title}\n\n{sections[title]}\n" for title in known)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[one.script for one in BENCHMARKS], help="run one")
    parser.add_argument("--no-lab", action="store_true", help="leave out what needs the lab")
    arguments = parser.parse_args()
    chosen = [one for one in BENCHMARKS if arguments.only in (None, one.script)]
    chosen = [one for one in chosen if not (arguments.no_lab and one.needs_lab)]
    complete = True
    for benchmark in chosen:
        table = run(benchmark)
        if table:
            new = {benchmark.title: section(benchmark, table)}
            PAGE.write_text(merged_page(PAGE.read_text(encoding="utf-8"), new), encoding="utf-8")
        complete = complete and bool(table)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
