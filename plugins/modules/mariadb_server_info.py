#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_server_info
short_description: Where a MariaDB server lives on its host
description:
  - Asks the running server, its process, its option files and systemd for paths, account, unit, TLS and the folders it
    writes to.
  - So roles need no table of distributions. Changes nothing.
  - To see which certificate clients are shown, it logs in a second time, with TLS and by the same way.
options: {}
extends_documentation_fragment:
  - bulwark.database._attributes.info
  - bulwark.database._attributes.actiongroup_mariadb
  - bulwark.database._mariadb_connection
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Ask the server where it lives
  bulwark.database.mariadb_server_info:
  become: true
  register: found

- name: Leave the port to the server
  ansible.builtin.systemd_service:
    name: "{{ found.server.socket_unit }}"
    enabled: false
    state: stopped
  become: true
  when: found.server.socket_unit | length > 0
"""

RETURN = r"""
server:
  description: What was found.
  returned: success
  type: dict
  contains:
    version:
      description: The server's version.
      type: str
      sample: 10.11.19
    settings:
      description:
        - Paths, port and switches by the names of variables; what is not used is an empty string.
        - Relative paths are made absolute. Those of the Galera provider have its names, such as C(gcache.dir).
      type: dict
      sample: {"datadir": "/var/lib/mysql", "port": "3306"}
    datadir:
      description: The data directory.
      type: str
      sample: /var/lib/mysql
    socket:
      description: Path of the unix socket.
      type: str
      sample: /run/mysqld/mysqld.sock
    port:
      description: The port for clients; 0 where the server listens on none.
      type: int
      sample: 3306
    bind_address:
      description: Addresses that it listens on.
      type: str
      sample: 127.0.0.1
    os_user:
      description: Operating-system account that the server runs as.
      type: str
      sample: mysql
    os_group:
      description: Group of the server's process.
      type: str
      sample: mysql
    binary:
      description: The program that runs.
      type: str
      sample: /usr/sbin/mariadbd
    process_id:
      description: The server's process.
      type: int
    started:
      description: When the process was started, in seconds of the epoch.
      type: float
    unit:
      description: The systemd unit that the process runs in; an empty string without one.
      type: str
      sample: mariadb.service
    socket_unit:
      description:
        - The systemd socket unit that holds the server's port or socket now, or will from the next boot on; an empty
          string without one.
        - A node of a cluster can't recover its position while systemd holds its port.
      type: str
      sample: mariadb.socket
    output_file:
      description: File that the server's standard error goes to; an empty string where the journal or nobody has it.
      type: str
    log_files:
      description: Files of the error, general, slow and audit logs, in use or not.
      type: list
      elements: str
    config_files:
      description: Option files that the server reads, in order, links resolved.
      type: list
      elements: str
    config_directories:
      description: Folders of option files that the server reads.
      type: list
      elements: str
    secret_config_files:
      description: Those of the option files in which a password or the like is written.
      type: list
      elements: str
    private_keys:
      description: Files of private keys, and of their passphrases, for clients, replication and state transfer.
      type: list
      elements: str
    certificates:
      description: Files of certificates, authorities and revocation lists that go with the keys.
      type: list
      elements: str
    encryption_keys:
      description: Files with the keys of data at rest, or with the passphrase of these.
      type: list
      elements: str
    own_directories:
      description: Folders of data and logs that belong to the server's account.
      type: list
      elements: str
    tablespaces:
      description: Folders of tables that lie apart from the data directory.
      type: list
      elements: str
    galera:
      description: Whether the server is a node of a Galera cluster.
      type: bool
    pending_restart:
      description: Options in the files that the server does not run with, and takes at a start only.
      type: list
      elements: str
    tls:
      description: TLS for clients.
      type: dict
      contains:
        active:
          description: Whether clients can use TLS.
          type: bool
        cert:
          description: File of the certificate; an empty string where there is none, or the server made one for itself.
          type: str
        key:
          description: File of the private key.
          type: str
        ca:
          description: File of the authorities that may have signed clients' certificates.
          type: str
        files_loaded:
          description:
            - Whether clients are shown the certificate that is in the file.
            - V(null) where that can't be told. That is without a certificate in the settings, and where the file of
              authorities is newer than the server, because nothing tells what C(FLUSH SSL) has read of it.
          type: bool
    writable_paths:
      description: Folders that the server has to write, links resolved, without the system's C(/tmp) and C(/var/tmp).
      type: list
      elements: str
    file_policies:
      description:
        - Owner, group and mode that the baseline expects of the server's files.
        - They are what M(bulwark.database.file_permissions) takes as policies.
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_connection import (
    connection_options,
    mariadb_connection,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_server_info import gather
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run_info


def main() -> None:
    module = AnsibleModule(argument_spec=connection_options(), supports_check_mode=True)
    run_info(module, lambda: gather(mariadb_connection(module.params)))


if __name__ == "__main__":
    main()
