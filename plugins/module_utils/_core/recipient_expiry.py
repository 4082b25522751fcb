# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Keys that expire. A job whose key has expired seals nothing, and PostgreSQL keeps its WAL: told before. Pure."""

from __future__ import annotations

import typing as t

from .backup_moments import parse_moment

DAYS_AHEAD: t.Final = 30
_DAY_SECONDS: t.Final = 86400


def first_expiry(expiries: t.Mapping[str, str]) -> str | None:
    """The moment of the first of them; None where none expires."""
    return min(expiries.values(), key=parse_moment, default=None)


def expiry_warnings(expiries: t.Mapping[str, str], now: float) -> tuple[str, ...]:
    """A line for each key that expires within DAYS_AHEAD days, or has."""
    return tuple(
        f"the key {name} {'has expired' if parse_moment(moment) <= now else 'expires'} ({moment}), and with it the job:"
        " extend it (gpg --quick-set-expire), and run the role with the renewed key"
        for name, moment in sorted(expiries.items())
        if parse_moment(moment) - now < DAYS_AHEAD * _DAY_SECONDS
    )
