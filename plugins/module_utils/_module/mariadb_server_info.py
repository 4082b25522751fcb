# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What mariadb_server_info returns."""

from __future__ import annotations

import dataclasses
import typing as t

from .._controls.mariadb_files import file_policies
from .._io.mariadb import MariaDBConnection, open_session
from .._io.mariadb_server import locate


def gather(connection: MariaDBConnection) -> dict[str, t.Any]:
    with open_session(connection) as session:
        location = locate(session)
    server = dataclasses.asdict(location)
    server.update(server.pop("files"))
    settings = location.settings
    server.update({name: settings[name] for name in ("bind_address", "datadir", "port", "socket")})
    server["port"] = int(settings["port"])
    server["log_files"] = location.log_files
    server["writable_paths"] = location.writable_paths
    server["file_policies"] = file_policies(
        settings,
        location.files,
        os_user=location.os_user,
        os_group=location.os_group,
        tablespaces=location.tablespaces,
        output_file=location.output_file,
    )
    return {"server": server}
