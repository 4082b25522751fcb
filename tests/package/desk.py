# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A newcomer's desk: a copy of the checkout, an empty home, and the tools of this virtual environment."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Desk:
    """``checkout``: the copy in which commands run; ``home``: where ansible-galaxy installs to."""

    checkout: Path
    home: Path

    def run(self, command: t.Sequence[str]) -> subprocess.CompletedProcess[str]:
        environment = {
            "HOME": str(self.home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }
        return subprocess.run(
            command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def must(self, command: t.Sequence[str]) -> str:
        result = self.run(command)
        assert result.returncode == 0, f"{' '.join(command)}:\n{result.stdout}\n{result.stderr}"
        return result.stdout


def newcomer(root: Path) -> Desk:
    """What git would give a newcomer, plus what is not committed yet; nothing that git ignores."""
    desk = Desk(root / "checkout", root / "home")
    desk.home.mkdir()
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        target = desk.checkout / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, target)
    return desk
