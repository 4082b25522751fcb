# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Versions of servers in the words of people."""

from __future__ import annotations

import typing as t

from .model import MARIADB

NEWEST: t.Final = 999999
# Older ones need no words: nobody manages them.
_OLDEST: t.Final = 100600
_OLDEST_POSTGRESQL: t.Final = 130000


def version_number(version: tuple[int, int, int]) -> int:
    """MariaDB's versions as one number, as PostgreSQL has them: (10, 11, 19) is 101119."""
    major, minor, patch = version
    return major * 10000 + minor * 100 + patch


def since(version: int, engine: str) -> str:
    if engine == MARIADB:
        return f" (from MariaDB {_series(version)})" if version > _OLDEST else ""
    return f" (from PostgreSQL {version // 10000})" if version > _OLDEST_POSTGRESQL else ""


def until(version: int, engine: str) -> str:
    if version >= NEWEST:
        return ""
    return f" (up to MariaDB {_series(version)})" if engine == MARIADB else f" (up to PostgreSQL {version // 10000})"


def _series(version: int) -> str:
    return f"{version // 10000}.{version // 100 % 100}"
