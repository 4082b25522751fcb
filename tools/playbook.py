# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""make harden and make assess: run playbooks on the lab, or on the hosts of INVENTORY=.

From the environment, as make passes it on: INVENTORY, LIMIT, LEVEL, CHECK=1, and EXTRA, options for ansible-playbook.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import typing as t
from pathlib import Path

from layout import LAB, REPORTS, ROOT, TOOLS, tool_environment
from progress import StepFailed, main_or_exit
from setup import set_up

NO = ("", "0", "no", "false")


PLAYBOOKS: t.Final = {"harden": ("harden.yml", "prove_backups.yml"), "assess": ("assess.yml",)}


def command(what: str, given: t.Mapping[str, str]) -> list[str]:
    """ansible-playbook with what the caller asked for. Without INVENTORY the lab, its reports in the checkout."""
    inventory = given.get("INVENTORY")
    playbooks = [str(ROOT / "playbooks" / name) for name in PLAYBOOKS[what]]
    words = ["ansible-playbook", "-i", inventory or str(LAB / "inventory.yml"), *playbooks]
    if not inventory:
        words += ["-e", f"bulwark_report_dir={REPORTS}"]
    if given.get("LEVEL"):
        words += ["-e", f"bulwark_level={given['LEVEL']}"]
    if given.get("LIMIT"):
        words += ["--limit", given["LIMIT"]]
    if given.get("CHECK", "").lower() not in NO:
        words += ["--check", "--diff"]
    return words + shlex.split(given.get("EXTRA", ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=sorted(PLAYBOOKS))
    what = parser.parse_args().what
    inventory = os.environ.get("INVENTORY")
    if inventory and not Path(inventory).exists():
        raise StepFailed(f"INVENTORY={inventory}: no such file")
    set_up()
    environment = tool_environment()
    if not inventory:
        up = subprocess.run([sys.executable, str(TOOLS / "lab.py"), "up"], cwd=ROOT, env=environment, check=False)
        if up.returncode:
            return up.returncode
    # The configuration of the checkout; elsewhere ansible.cfg of the directory make was started in would count.
    environment.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    return subprocess.run(command(what, os.environ), env=environment, check=False).returncode


if __name__ == "__main__":
    main_or_exit(main)
