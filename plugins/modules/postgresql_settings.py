#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_settings
short_description: Set a whole set of PostgreSQL server parameters at once
description:
  - Brings any number of server parameters to their declared values in one connection and one plan.
  - Names, types, units, ranges, choices and contexts are checked against the server's own catalogue, libraries to
    preload against the server's library directory, and what only the server's code can judge (time zones, key words)
    by its own binary. Whatever is wrong is refused before anything changes, in check mode too.
  - Values compare by meaning, so V(128MB) is V(131072kB).
  - Values are persisted with C(ALTER SYSTEM) or in an include file. What a reload makes live is reloaded, and the
    module waits until the server has taken it up. What needs a restart is reported in RV(restart_required); this
    module never restarts a server.
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
  - bulwark.database._postgresql_connection.common
  - bulwark.database._postgresql_settings_options
seealso:
  - module: bulwark.database.postgresql_hba
  - module: bulwark.database.assessment_info
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Keep failing statements and their data out of the log
  bulwark.database.postgresql_settings:
    settings:
      log_min_error_statement: panic
      log_error_verbosity: terse
      log_destination: [stderr]
  become: true

- name: The baseline at its strict level, with one deviation
  bulwark.database.postgresql_settings:
    level: strict
    settings:
      idle_in_transaction_session_timeout: 5min
  become: true
  register: settings

- name: Say what waits for a restart
  ansible.builtin.debug:
    msg: "{{ item.name }} is {{ item.running }}, will be {{ item.wanted }} ({{ item.set_by }})"
  loop: "{{ settings.restart_required }}"

- name: From the controller by TCP, verified by the private CA
  bulwark.database.postgresql_settings:
    login_host: db1.example.org
    login_user: dba
    login_password: "{{ dba_password }}"
    ca_cert: /etc/ssl/certs/database-ca.pem
    settings:
      work_mem: 16MB
      shared_preload_libraries: null
"""

RETURN = r"""
changes:
  description: A line per change.
  returned: success
  type: list
  elements: str
  sample: ["setting work_mem: 4MB (default) -> 16MB"]
activation:
  description: The most drastic activation among the changes.
  returned: success
  type: str
  sample: reload
persisted_in:
  description: The file that holds the values.
  returned: success
  type: str
  sample: /var/lib/postgresql/17/main/postgresql.auto.conf
restart_required:
  description:
    - Declared settings that are persisted and that only a restart makes live. In check mode, those that wait already.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The parameter.
      type: str
    running:
      description: The value that the server runs with.
      type: str
    wanted:
      description: The declared value.
      type: str
    set_by:
      description: File and line that set it.
      type: str
  sample:
    - name: shared_preload_libraries
      running: ""
      wanted: auth_delay
      set_by: /var/lib/postgresql/17/main/postgresql.auto.conf line 12
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_connection import (
    connection_options,
    connection_settings,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_settings import (
    open_subject,
    settings_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **settings_options()}, supports_check_mode=True)
    run(module, lambda: open_subject(connection_settings(module.params), module.params))


if __name__ == "__main__":
    main()
