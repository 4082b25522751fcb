# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make this checkout importable as ansible_collections.bulwark.database, wherever it lies."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".build" / "collections"


def _link_checkout() -> None:
    link = COLLECTIONS / "ansible_collections" / "bulwark" / "database"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        link.symlink_to(ROOT)
    sys.path.insert(0, str(COLLECTIONS))


_link_checkout()
