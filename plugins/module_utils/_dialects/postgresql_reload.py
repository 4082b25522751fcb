# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""How PostgreSQL is told to read its configuration again, and says when it last did."""

from __future__ import annotations

import typing as t

RELOAD_STATEMENT: t.Final = "SELECT pg_catalog.pg_reload_conf()"
LOAD_TIME_QUERY: t.Final = "SELECT pg_catalog.pg_conf_load_time()"
