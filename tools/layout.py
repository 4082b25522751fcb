# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie in a checkout. Everything the project makes for itself is below .build/, which git ignores."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"
BUILD = ROOT / ".build"
VENV = BUILD / "venv"
COLLECTIONS = BUILD / "collections"
LOGS = BUILD / "logs"
REPORTS = BUILD / "reports"
LAB = BUILD / "lab"
CONTAINERS_CONF = BUILD / "containers.conf"
MARIADB_PLUGINS = BUILD / "mariadb-plugins"
MARIADB_TRANSFER = BUILD / "mariadb-transfer"
MONITORING_TOOLS = BUILD / "monitoring-tools"
REQUIREMENTS = ROOT / "tests" / "requirements.txt"


def link_checkout(collections: Path = COLLECTIONS, checkout: Path = ROOT) -> None:
    """Make the checkout importable as ansible_collections.bulwark.database, wherever it lies."""
    link = collections / "ansible_collections" / "bulwark" / "database"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.resolve() != checkout:
        link.unlink()
    if not link.is_symlink():
        link.symlink_to(checkout)


def tool_environment() -> dict[str, str]:
    """The caller's environment with our virtual environment, collections and container engine in front."""
    environment = dict(os.environ)
    environment["PATH"] = f"{VENV / 'bin'}:{environment.get('PATH', os.defpath)}"
    environment["VIRTUAL_ENV"] = str(VENV)
    environment["LC_ALL"] = "C.UTF-8"  # Ansible refuses a locale that is not UTF-8
    environment["PYTHONUNBUFFERED"] = "1"
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
    environment["ANSIBLE_CONNECTION_PLUGINS"] = str(TOOLS / "connection")
    environment.pop("PYTHONHOME", None)
    if CONTAINERS_CONF.exists():
        environment["CONTAINERS_CONF"] = str(CONTAINERS_CONF)
    return environment
