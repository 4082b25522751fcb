# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Connection options that every MariaDB module shares, and the connection made of them.

The documentation of these options is the doc fragment ``bulwark.database._mariadb_connection``.
"""

from __future__ import annotations

import typing as t

from .._core.errors import InvalidDeclaration
from .._core.secrets import Secret
from .._io.mariadb import MariaDBConnection

SSL_MODES = ("require", "verify-ca", "verify-full")


def connection_options() -> dict[str, dict[str, t.Any]]:
    return {
        "login_user": {"type": "str", "default": "root"},
        "login_password": {"type": "str", "no_log": True},
        "login_host": {"type": "str"},
        "login_port": {"type": "int", "default": 3306},
        "login_unix_socket": {"type": "path"},
        "login_os_user": {"type": "str"},
        "ssl_mode": {"type": "str", "choices": list(SSL_MODES), "default": "verify-full"},
        "ca_cert": {"type": "path"},
        "ssl_cert": {"type": "path"},
        "ssl_key": {"type": "path"},
        "connect_timeout": {"type": "int", "default": 10},
    }


def mariadb_connection(options: t.Mapping[str, t.Any]) -> MariaDBConnection:
    """The connection of a module's parameters. Raises InvalidDeclaration on a contradiction."""
    if options["login_host"] and options["login_unix_socket"]:
        raise InvalidDeclaration("login_host and login_unix_socket exclude each other", "Leave one of them out")
    if bool(options["ssl_cert"]) != bool(options["ssl_key"]):
        raise InvalidDeclaration("ssl_cert and ssl_key belong together", "Give both or none")
    password = options["login_password"]
    return MariaDBConnection(
        user=options["login_user"],
        host=options["login_host"],
        port=options["login_port"],
        unix_socket=options["login_unix_socket"],
        password=Secret(password) if password else None,
        os_user=options["login_os_user"],
        ssl_mode=options["ssl_mode"],
        ca_certificate=options["ca_cert"],
        client_certificate=options["ssl_cert"],
        client_key=options["ssl_key"],
        connect_timeout=options["connect_timeout"],
    )
