# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of postgresql_hardening costs that changes nothing: tasks, wall time, CPU on the controller.

Needs an inventory of hosts that were hardened before, the lab's by default ("make harden" leaves it up).
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- hosts: postgresql
  become: true
  tasks:
    - ansible.builtin.include_role:
        name: bulwark.database.postgresql_hardening
"""


class Run(t.NamedTuple):
    """One whole ansible-playbook."""

    wall: float
    cpu: float
    tasks: int
    changed: int


def run_role(inventory: Path, playbook: Path) -> Run:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "ansible-playbook"), "-i", str(inventory), str(playbook)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-1000:])
    recap = re.search(r"ok=(\d+)\s+changed=(\d+)", done.stdout)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return Run(wall, cpu, int(recap[1]), int(recap[2]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inventory", type=Path, default=ROOT / ".build" / "lab" / "inventory.yml")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        playbook = Path(directory) / "role.yml"
        playbook.write_text(PLAYBOOK, encoding="utf-8")
        run_role(arguments.inventory, playbook)
        runs = [run_role(arguments.inventory, playbook) for dummy in range(arguments.repeats)]
    if any(run.changed for run in runs):
        raise SystemExit("the run changed something, so it is not the one to measure")
    print("| postgresql_hardening on a hardened host | tasks (ok) | wall time | CPU on the controller |")
    print("| --- | --- | --- | --- |")
    wall = statistics.median(run.wall for run in runs)
    cpu = statistics.median(run.cpu for run in runs)
    print(f"| run that changes nothing | {runs[0].tasks} | {wall:.1f} s | {cpu:.1f} s |")


if __name__ == "__main__":
    main()
