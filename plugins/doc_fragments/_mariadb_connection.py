# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # In step with plugins/module_utils/_module/mariadb_connection.py
    DOCUMENTATION = r"""
options:
  login_user:
    description: The account to log in as.
    type: str
    default: root
  login_password:
    description: Password of the account. Not needed where the server maps the operating-system account on its socket.
    type: str
  login_host:
    description:
      - Host name or address for a connection by TCP, always with TLS.
      - Without it the unix socket is used.
    type: str
  login_port:
    description: Port of the server.
    type: int
    default: 3306
  login_unix_socket:
    description: Path of the unix socket. Without it, C(/run/mysqld/mysqld.sock) or where other distributions have it.
    type: path
  login_os_user:
    description:
      - Operating-system account whose identity the module takes while it opens the unix socket, so that the plugin
        C(unix_socket) sees it. Only root can do that. Without it, the module's own.
    type: str
  ssl_mode:
    description: How much of TLS is required on a TCP connection. There is no mode in which plaintext is accepted.
    type: str
    choices: [require, verify-ca, verify-full]
    default: verify-full
  ca_cert:
    description: File with the certificates of the authorities that may have signed the server's certificate.
    type: path
  ssl_cert:
    description: Client certificate. Needs O(ssl_key).
    type: path
  ssl_key:
    description: Private key of O(ssl_cert), readable by its owner alone.
    type: path
  connect_timeout:
    description: Seconds to wait for the connection.
    type: int
    default: 10
requirements:
  - PyMySQL 1.0 or newer (Debian C(python3-pymysql))
"""
