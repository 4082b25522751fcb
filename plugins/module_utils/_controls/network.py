# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Where the server can be reached from."""

from __future__ import annotations

import typing as t

from .._core.plan import LIVE, RESTART
from .acceptance import ListWithout
from .model import EVERY_ENGINE, Choice, Control
from .packet_filter_check import PacketFilterCheck
from .setting_check import SettingCheck, Want

CONTROLS: t.Final = (
    Control(
        id="NET-001",
        title="The packet filter admits named networks to the server's port, and nobody else",
        category="network",
        rationale="A second wall: an error in the rules of the server is not yet an open door.",
        checks=(PacketFilterCheck(),),
        remedy="Declare bulwark_trusted_networks and run the hardening role, or run packet_filter for the port",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("OG-2.3", "TX-2.3.4", "GB-2.5"),
        references=("STIG CD16-00-003500",),
    ),
    Control(
        id="NET-003",
        title="The server listens on named addresses only",
        category="network",
        rationale="A host may be given another address tomorrow; a server that listens on all of them is there too.",
        checks=(
            SettingCheck(
                "listen_addresses",
                Choice(Want(None, ListWithout(("*", "0.0.0.0", "::"), "named addresses, not all of them"))),  # noqa: S104
            ),
        ),
        remedy="Declare postgresql_hardening_listen_addresses, and restart",
        activation=RESTART,
        source=("OG-2.3",),
        references=("CIS-PG17 5.2",),
    ),
)
