#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_server
short_description: Settings, roles and login rules of a PostgreSQL server as one declaration
description:
  - Does in one task and one connection what M(bulwark.database.postgresql_roles),
    M(bulwark.database.postgresql_settings) and M(bulwark.database.postgresql_hba) do one after another, with the same
    options.
  - All of it is planned before any of it changes something. A bad rule is refused before a role is made, and check mode
    lists everything at once.
  - Roles are applied first, then settings, login rules last. Each part puts back or rolls back by itself what fails in
    it; what was applied before stays, and the message names it.
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
  - bulwark.database._postgresql_connection.common
  - bulwark.database._postgresql_settings_options
  - bulwark.database._postgresql_hba_options
  - bulwark.database._postgresql_roles_options
notes:
  - The module has to run on the database host, as root or as the server's own account.
  - Settings that need a restart are reported in RV(settings.restart_required); this module never restarts a server.
seealso:
  - module: bulwark.database.postgresql_hba
  - module: bulwark.database.postgresql_roles
  - module: bulwark.database.postgresql_settings
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: All of a small server
  bulwark.database.postgresql_server:
    level: essential
    settings:
      work_mem: 16MB
    roles:
      - name: shop_app
        login: true
        password: "{{ shop_app_password }}"
    databases:
      - name: shop
        grants:
          - {to: [PUBLIC], privileges: [ALL], state: absent}
          - {to: [shop_app], privileges: [CONNECT]}
    rules:
      - type: local
        method: peer
      - type: hostssl
        databases: [shop]
        users: [shop_app]
        address: 10.1.0.0/16
        method: scram-sha-256
  become: true
"""

RETURN = r"""
changes:
  description: A line per change, in the order in which they are applied.
  returned: success
  type: list
  elements: str
  sample: ["role shop_app: created with LOGIN", "setting work_mem: 4MB (default) -> 16MB"]
roles:
  description: What M(bulwark.database.postgresql_roles) returns.
  returned: success
  type: dict
rules:
  description: What M(bulwark.database.postgresql_hba) returns.
  returned: success
  type: dict
settings:
  description: What M(bulwark.database.postgresql_settings) returns.
  returned: success
  type: dict
  contains:
    restart_required:
      description: Declared settings that are persisted and that only a restart makes live.
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_connection import (
    connection_options,
    connection_settings,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_server import (
    open_subject,
    server_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **server_options()}, supports_check_mode=True)
    run(module, lambda: open_subject(connection_settings(module.params), module.params))


if __name__ == "__main__":
    main()
