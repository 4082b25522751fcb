# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole full backup by bulwark-backup beside the bare pipe of the same tools, of 2 GB or more, in turns.

Ours counts everything: start, questions to the server, writing to the disk, reading back, comparing and hashing,
manifest, RESTORE.txt, pruning. What does not grow with the data (0.2 s) weighs less the more there is. The bare
pipe is ``pg_basebackup | zstd | age > file`` and nothing else.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

import conftest  # noqa: F401 # pylint: disable=unused-import # makes the checkout importable
from backup_site import ACCOUNT, BackupSite, as_account
from private_server import PORT, PrivateServer

AIM = 0.95
MOST_MEGABYTES = 50
# 8 KiB hold 25 rows of this form, of which zstd -1 leaves about a third: as of rows with some text.
ROWS_PER_GIB = 3_400_000


def fill(server: PrivateServer, gibibytes: float) -> float:
    server.psql(
        "CREATE UNLOGGED TABLE filler AS SELECT i AS number, md5(i::text) || md5((i * 7)::text) "
        f"|| repeat(md5((i % 97)::text), 6) AS text FROM generate_series(1, {int(ROWS_PER_GIB * gibibytes)}) i"
    )
    server.psql("ALTER TABLE filler SET LOGGED")
    server.psql("CHECKPOINT")
    return float(server.psql("SELECT sum(pg_database_size(oid)) FROM pg_database")) / 2**30


def bare(site: BackupSite, server: PrivateServer) -> float:
    target = site.store.parent / "bare.age"
    connection = f"-h {shlex.quote(str(server.socket))} -p {PORT} -U {ACCOUNT}"
    options = "--pgdata=- --format=tar --wal-method=fetch --checkpoint=fast --verbose --no-password"
    recipients = " ".join(f"--recipient {key}" for key in site.recipients)
    pipe = f"{server.bin}/pg_basebackup {options} {connection} | zstd -1 -c | age --encrypt {recipients}"
    started = time.monotonic()
    subprocess.run(
        [*as_account(ACCOUNT), "sh", "-c", f"{pipe} > {shlex.quote(str(target))}"],
        check=True, cwd="/", stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.monotonic() - started
    print(f"bare: {seconds:.1f} s, {target.stat().st_size / 2**20:.0f} MiB sealed", file=sys.stderr)
    target.unlink()
    return seconds


def ours(site: BackupSite) -> tuple[float, float]:
    """Seconds, and the peak of our process's resident memory in megabytes."""
    shutil.rmtree(site.store, ignore_errors=True)
    started = time.monotonic()
    process = subprocess.Popen(site.command("full"), cwd="/", stdout=sys.stderr)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_megabytes(process.pid))
        time.sleep(0.02)
    seconds = time.monotonic() - started
    if process.returncode:
        sys.exit("bulwark-backup failed")
    return seconds, peak


def turn(site: BackupSite, server: PrivateServer, *, ours_first: bool) -> tuple[float, float, float]:
    """Seconds of the bare pipe, and what ours says; neither always after the other, nor with its dirty memory."""
    bare_seconds = 0.0
    if not ours_first:
        os.sync()
        bare_seconds = bare(site, server)
    os.sync()
    seconds, peak = ours(site)
    if ours_first:
        os.sync()
        bare_seconds = bare(site, server)
    return bare_seconds, seconds, peak


def peak_megabytes(process: int) -> float:
    for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(folder: Path, gibibytes: float, repeats: int) -> bool:
    server = PrivateServer(folder / "server")
    server.create()
    server.start()
    try:
        server.psql(f"CREATE ROLE {ACCOUNT} LOGIN REPLICATION")
        size = fill(server, gibibytes)
        site = BackupSite(folder / "site", "postgresql", server)
        bare(site, server)  # warms the system's memory
        turns = [turn(site, server, ours_first=bool(number % 2)) for number in range(repeats)]
    finally:
        server.destroy()
    ratios = [bare_seconds / seconds for bare_seconds, seconds, dummy in turns]
    ratio, peak = statistics.median(ratios), max(turn[2] for turn in turns)
    print(f"{size:.2f} GiB of PostgreSQL, zstd -1, age to 2 recipients, medians of {repeats} turns\n")
    print("| | seconds | MiB/s |\n| --- | --- | --- |")
    for name, place in (("bare pipe", 0), ("bulwark-backup, whole job", 1)):
        seconds = statistics.median(turn[place] for turn in turns)
        print(f"| {name} | {seconds:.1f} | {size * 1024 / seconds:.0f} |")
    each = ", ".join(f"{one:.3f}" for one in ratios)
    print(f"\nThroughput ratio {ratio:.3f} (turns: {each}; aim: {AIM}).")
    print(f"Peak memory of our process {peak:.1f} MiB (aim: below {MOST_MEGABYTES}).")
    return ratio >= AIM and peak < MOST_MEGABYTES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gibibytes", type=float, default=4.2)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bw-bench-"))
    folder.chmod(0o755)
    try:
        return 0 if measure(folder, options.gibibytes, options.repeats) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
