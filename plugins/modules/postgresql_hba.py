#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_hba
short_description: The whole ordered rule set of pg_hba.conf, proven before it counts
description:
  - Declares all rules of C(pg_hba.conf), in their order, and on request all mappings of C(pg_ident.conf).
  - New files are read by a trial server of the same binaries first, in check mode too, so that the server's own
    words name a bad line. They are put in place atomically, reloaded, and the login in use is proven by a new
    connection. If it does not work, the former files come back.
  - A run that was interrupted in between leaves a journal on the host. The next run finds it and puts the former files
    back before it looks, in check mode too, because it might not get in otherwise.
  - Rules that an earlier one covers, and rules that can match nobody, are reported as warnings.
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
  - bulwark.database._postgresql_connection.common
  - bulwark.database._postgresql_hba_options
notes:
  - The module has to run on the database host, as root or as the server's own account.
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Local accounts by peer, one network by TLS and SCRAM, nobody else
  bulwark.database.postgresql_hba:
    rules:
      - type: local
        method: peer
        comment: Accounts of this host log in as the role of their own name
      - type: hostssl
        databases: [shop]
        users: [shop_app, +shop_people]
        address: 10.1.0.0/16
        method: scram-sha-256
      - type: host
        address: all
        method: reject
  become: true

- name: An old appliance, with its reason, and administrators by certificate
  bulwark.database.postgresql_hba:
    rules:
      - type: local
        method: peer
        options:
          map: admins
      - type: host
        databases: [meters]
        users: [meter]
        address: 10.9.9.9/32
        method: md5
        reason: the meter's firmware knows nothing better; replaced in 2027
    ident_mappings:
      - map: admins
        system_user: postgres
        database_user: postgres
      - map: admins
        system_user: alice
        database_user: dba
    must_admit:
      - user: meter
        database: meters
        connection: plain
        address: 10.9.9.9
  become: true
"""

RETURN = r"""
changes:
  description: A line per file.
  returned: success
  type: list
  elements: str
  sample: ["/etc/postgresql/17/main/pg_hba.conf: 4 lines added, 9 removed"]
hba_file:
  description: Path of C(pg_hba.conf), as the server says.
  returned: success
  type: str
  sample: /etc/postgresql/17/main/pg_hba.conf
ident_file:
  description: Path of C(pg_ident.conf), as the server says.
  returned: success
  type: str
  sample: /etc/postgresql/17/main/pg_ident.conf
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_connection import (
    connection_options,
    connection_settings,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_hba import (
    hba_options,
    open_subject,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **hba_options()}, supports_check_mode=True)
    run(module, lambda: open_subject(connection_settings(module.params), module.params))


if __name__ == "__main__":
    main()
