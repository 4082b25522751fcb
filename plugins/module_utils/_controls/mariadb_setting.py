# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Checks of MariaDB's variables and tables in few words."""

from __future__ import annotations

import typing as t

from .acceptance import Acceptance, Matching
from .model import MARIADB, Choice
from .query_check import QueryCheck
from .setting_check import SettingCheck, Want

REMEDY: t.Final = "Set them with mariadb_settings"
NOT_EMPTY: t.Final = Matching((".",), "set")


def variable(name: str, value: str | None, accepts: Acceptance | None = None, **options: t.Any) -> SettingCheck:
    """The same at every level and policy; None where the value is the site's."""
    return SettingCheck(name, Choice(Want(value, accepts)), engine=MARIADB, **options)


def chosen(name: str, want: Choice[Want], **options: t.Any) -> SettingCheck:
    """By level and log policy."""
    return SettingCheck(name, want, engine=MARIADB, **options)


def query(kind: str, expected: str, sql: str, **options: t.Any) -> QueryCheck:
    """``sql`` names its column ``line``."""
    return QueryCheck(kind=kind, expected=expected, sql=sql, engine=MARIADB, **options)
