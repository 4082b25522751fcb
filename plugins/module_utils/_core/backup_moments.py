# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Moments of backups as text: UTC, whole seconds, ``2026-11-25T00:00:00Z``; and the ids made of them."""

from __future__ import annotations

import datetime
import math
import re
import typing as t

from .errors import InvalidDeclaration

_FORM: t.Final = "%Y-%m-%dT%H:%M:%SZ"
_ID_FORM: t.Final = "%Y%m%dT%H%M%SZ"
_ID: t.Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")


def render_moment(seconds: float, *, round_up: bool = False) -> str:
    """From seconds since the epoch; down to the whole second unless told otherwise."""
    whole = math.ceil(seconds) if round_up else math.floor(seconds)
    return datetime.datetime.fromtimestamp(whole, datetime.timezone.utc).strftime(_FORM)


def parse_moment(text: str) -> int:
    """Seconds since the epoch. Raises InvalidDeclaration."""
    try:
        found = datetime.datetime.strptime(text, _FORM).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        raise InvalidDeclaration(
            f"{text!r} is no moment", "Moments look like 2026-11-25T00:00:00Z and are in UTC"
        ) from None
    return int(found.timestamp())


def render_id(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(math.floor(seconds), datetime.timezone.utc).strftime(_ID_FORM)


def is_id(text: str) -> bool:
    """Whether a folder's name is that of a finished full backup."""
    return bool(_ID.fullmatch(text))
