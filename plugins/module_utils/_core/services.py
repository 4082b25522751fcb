# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Names of services."""

from __future__ import annotations

import re

from .errors import InvalidDeclaration

# No pattern (systemctl takes those, for several units at once), no option, no path, no other kind of unit.
_SERVICE = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*\.service")


def service_name(given: str) -> str:
    """The name of one service in full; its ending may be left out. Raises InvalidDeclaration."""
    name = given if "." in given.rpartition("@")[2] else f"{given}.service"
    if not _SERVICE.fullmatch(name):
        raise InvalidDeclaration(f"{given!r} is not the name of a service", "Like postgresql@15-main.service")
    return name
