# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Sessions end when nobody is there any more."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .acceptance import Within
from .model import Control
from .setting_check import fixed

CONTROLS: t.Final = (
    Control(
        id="PG-SES-001",
        title="Idle transactions end",
        category="sessions",
        rationale="A transaction that somebody left open holds locks and keeps dead rows, until the server stands "
        "still.",
        checks=(fixed("idle_in_transaction_session_timeout", "10min", Within("1ms", "1h")),),
        remedy="Set idle_in_transaction_session_timeout with postgresql_settings",
        source=("TX-2.2.6", "TX-2.2.8"),
        references=("STIG CD16-00-006200",),
    ),
    Control(
        id="PG-SES-002",
        title="Idle sessions end and dead clients are noticed",
        category="sessions",
        level=STRICT,
        rationale="A terminal left open is anybody's. Poolers keep connections idle on purpose: give their role another"
        " idle_session_timeout.",
        checks=(
            fixed("idle_session_timeout", "1h", Within("1ms", "1d"), minimum=140000),
            fixed("client_connection_check_interval", "10s", Within("1ms", "60s"), minimum=140000),
        ),
        remedy="Set them with postgresql_settings",
        source=("TX-2.2.8", "TX-2.4.10"),
        references=("STIG CD16-00-004700",),
    ),
)
