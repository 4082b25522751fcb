# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # In step with plugins/module_utils/_module/postgresql_connection.py; a module takes COMMON besides.
    DOCUMENTATION = r"""
options:
  login_user:
    description: The role to log in as.
    type: str
    default: postgres
  login_port:
    description: Port of the server. It is part of the socket's name too.
    type: int
    default: 5432
  login_unix_socket:
    description: Directory of the unix socket. Without it, that of the libpq in use (Debian C(/var/run/postgresql)).
    type: path
  login_db:
    description: Database to connect to.
    type: str
    default: postgres
requirements:
  - psycopg 3.1 or newer (Debian C(python3-psycopg))
"""

    # What other engines have as well, with the same defaults.
    COMMON = r"""
options:
  login_password:
    description:
      - Password of the role.
      - Not needed with peer authentication on the unix socket or with a client certificate.
    type: str
  login_host:
    description:
      - Host name or address for a connection by TCP, always with TLS.
      - Without it the unix socket is used.
    type: str
  login_os_user:
    description:
      - Operating-system account whose identity the module takes while it opens the unix socket, so that peer
        authentication sees it. Only root can do that.
      - When the module runs as root, the default is the account with the name in O(login_user), if there is one.
        So C(become) to root is all that is needed, no C(become_user).
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
"""
