#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_roles
short_description: Roles, memberships and privileges of a PostgreSQL cluster as one declaration
description:
  - Brings roles, memberships, privileges, default privileges and owners of a whole cluster to what is declared, in one
    task. The present state is read with a few queries per database, compared as a whole, and changed in one transaction
    per database.
  - What is not declared is left as it is, unless O(exclusive) is set.
  - Passwords are checked against rules before anything is sent, and reach the server as SCRAM-SHA-256 verifiers
    computed by this module. They are compared by the stored salt, so that a second run changes nothing.
  - It never drops or demotes the role that logs in, the bootstrap superuser, or a replication role, and never drops a
    role that owns something.
notes:
  - PostgreSQL has no transaction across databases. Roles, memberships and privileges on databases come first, in the
    transaction of O(login_db); then each database in one transaction of its own; dropping roles comes last. When a
    database fails, the message says what was committed before, and a second run finishes the rest.
  - Runs over the same O(login_db) exclude each other, check mode too. A second one waits for O(lock_timeout).
  - The module manages privileges, not objects. Databases, schemas, tables and so on have to be there.
  - Large objects, tablespaces and the privileges on parameters of PostgreSQL 15 are not managed.
  - C(VALID UNTIL) and passwords do not concern logins by certificate, C(peer) or LDAP.
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
  - bulwark.database._postgresql_connection.common
  - bulwark.database._postgresql_roles_options
attributes:
  check_mode: {}
  diff_mode: {}
  idempotent: {}
  platform: {}
author:
  - The bulwark.database authors (@bulwark-database)
seealso:
  - name: Privileges
    description: PostgreSQL's own description of privileges and of what PUBLIC is given.
    link: https://www.postgresql.org/docs/current/ddl-priv.html
"""

EXAMPLES = r"""
- name: An application with an owner, a reader, a login and a person
  bulwark.database.postgresql_roles:
    roles:
      - name: shop_owner
      - name: shop_read
      - name: shop_app
        login: true
        password: "{{ shop_app_password }}"
        connection_limit: 20
        settings:
          statement_timeout: 30s
        member_of: [shop_read]
      - name: alice
        login: true
        human: true
        valid_until: "2027-06-30"
        password: "{{ alice_first_password }}"
        update_password: on_create
        member_of: [shop_read]
      - name: left_last_year
        state: absent
    databases:
      - name: shop
        owner: shop_owner
        grants:
          - {to: [PUBLIC], privileges: [ALL], state: absent}
          - {to: [shop_read], privileges: [CONNECT]}
          - {to: [shop_read], type: schema, names: [app], privileges: [USAGE]}
          - {to: [shop_read], type: table, schemas: [app], names: ["*"], privileges: [SELECT]}
          - {to: [shop_app], type: table, schemas: [app], names: [orders, baskets], privileges: [INSERT, UPDATE]}
          - {to: [shop_app], type: table, schemas: [app], names: [customers], columns: [phone], privileges: [UPDATE]}
          - {to: [shop_app], type: routine, schemas: [app], names: ["total(integer, text)"], privileges: [EXECUTE]}
        default_privileges:
          - {owner: shop_owner, type: table, schemas: [app], to: [shop_read], privileges: [SELECT]}
          - {owner: shop_owner, type: routine, to: [PUBLIC], privileges: [EXECUTE], state: absent}
        ownership:
          - {owner: shop_owner, type: table, schemas: [app], names: ["*"]}

- name: Nobody gets into any database by way of PUBLIC
  bulwark.database.postgresql_roles:
    databases:
      - name: "*"
        grants:
          - {to: [PUBLIC], privileges: [CREATE, TEMPORARY], state: absent}
          - {to: [PUBLIC], type: schema, names: [public], privileges: [CREATE], state: absent}

- name: Exactly these privileges and no others
  bulwark.database.postgresql_roles:
    exclusive: true
    maximum_revocations: 200
    protected_roles: [monitoring]
    roles:
      - name: shop_read
    databases:
      - name: shop
        grants:
          - {to: [shop_read], privileges: [CONNECT]}
          - {to: [shop_read], type: schema, names: [app], privileges: [USAGE]}
          - {to: [shop_read], type: table, schemas: [app], names: ["*"], privileges: [SELECT]}
  check_mode: true
  register: revocations

- name: A membership that has to be asked for by SET ROLE (PostgreSQL 16 and newer), and a picture
  bulwark.database.postgresql_roles:
    roles:
      - name: dba
        login: true
        member_of:
          - role: shop_owner
            inherit: false
            set: true
    diagram: mermaid
  register: hierarchy
"""

RETURN = r"""
changes:
  description: One line for each difference.
  returned: success
  type: list
  elements: str
  sample:
    - "role shop_read: created with NOLOGIN"
    - "database shop: table app.orders: privileges of shop_read: SELECT, DELETE -> SELECT"
planned_revocations:
  description: What goes only because O(exclusive) is set. In check mode, what would go.
  returned: success
  type: list
  elements: str
  sample:
    - "database shop: CONNECT, TEMPORARY from PUBLIC"
    - "membership of mallory in shop_owner"
diagram:
  description:
    - The declared roles with all they are members of, as they are after a run, and what is declared for them in
      databases.
    - "Rounded boxes are logins, hexagons superusers."
  returned: when O(diagram) is set
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_connection import (
    connection_options,
    connection_settings,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_roles import (
    open_subject,
    roles_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **roles_options()}, supports_check_mode=True)
    run(module, lambda: open_subject(connection_settings(module.params), module.params))


if __name__ == "__main__":
    main()
