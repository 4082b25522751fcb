#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_server_info
short_description: Where a PostgreSQL server lives on its host
description:
  - Asks the running server, and its process, for paths, binaries, account, systemd unit, and the folders it writes to.
  - So roles need no table of distributions. Changes nothing.
options: {}
extends_documentation_fragment:
  - bulwark.database._attributes.info
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
  - bulwark.database._postgresql_connection.common
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Ask the server where it lives
  bulwark.database.postgresql_server_info:
  become: true
  register: found

- name: Say which unit runs it
  ansible.builtin.debug:
    msg: "{{ found.server.unit }} runs as {{ found.server.os_user }} in {{ found.server.settings.data_directory }}"
"""

RETURN = r"""
server:
  description: What was found.
  returned: success
  type: dict
  contains:
    version:
      description: The server's C(server_version_num).
      type: int
      sample: 150018
    settings:
      description: Paths, port, and how it archives; relative paths are made absolute.
      type: dict
      sample: {"data_directory": "/var/lib/postgresql/15/main", "port": "5432"}
    os_user:
      description: Operating-system account that owns the data directory.
      type: str
      sample: postgres
    bin_directory:
      description: Folder of the server's own programs.
      type: str
      sample: /usr/lib/postgresql/15/bin
    process_id:
      description: Process of the postmaster; V(null) when it can't be read.
      type: int
    unit:
      description: The systemd unit that the postmaster runs in; an empty string without one.
      type: str
      sample: postgresql@15-main.service
    output_file:
      description: File that the server's standard error goes to; an empty string without one.
      type: str
      sample: /var/log/postgresql/postgresql-15-main.log
    tablespaces:
      description: Folders of tablespaces.
      type: list
      elements: str
    pending_restart:
      description: Settings that wait for a restart.
      type: list
      elements: str
    databases_open_to_public:
      description: Databases on which C(PUBLIC) has privileges, the implicit ones included.
      type: list
      elements: str
    login_roles:
      description: Roles that can log in, without superusers.
      type: list
      elements: str
    tls_files_loaded:
      description: Whether the server has read its TLS files since they were last written.
      type: bool
    writable_paths:
      description: Folders that the server has to write, links resolved.
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

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_connection import (
    connection_options,
    connection_settings,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_server_info import gather
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run_info


def main() -> None:
    module = AnsibleModule(argument_spec=connection_options(), supports_check_mode=True)
    run_info(module, lambda: gather(connection_settings(module.params)))


if __name__ == "__main__":
    main()
