# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""What postgresql_server_info returns."""

from __future__ import annotations

import dataclasses
import typing as t

from .._controls.postgresql_files import file_policies
from .._io.accounts import Accounts
from .._io.postgresql import ConnectionSettings, open_session
from .._io.postgresql_server import locate


def gather(connection: ConnectionSettings) -> dict[str, t.Any]:
    with open_session(connection) as session:
        location = locate(session)
    server = dataclasses.asdict(location)
    server["writable_paths"] = location.writable_paths
    server["file_policies"] = file_policies(
        location.settings,
        os_user=location.os_user,
        os_group=Accounts().primary_group(location.os_user),
        tablespaces=location.tablespaces,
        output_file=location.output_file,
    )
    return {"server": server}
