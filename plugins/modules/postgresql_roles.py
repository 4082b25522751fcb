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
options:
  roles:
    description:
      - The roles. An attribute that is not declared is left as it is, and has PostgreSQL's default in a new role.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role, 63 bytes at most. Every character is allowed.
        type: str
        required: true
      state:
        description:
          - With V(absent) the role's privileges and memberships are revoked in all databases and it is dropped.
          - Refused for a role that owns something, with a list of what it owns.
        type: str
        choices: [present, absent]
        default: present
      login:
        description: Whether the role can log in.
        type: bool
      superuser:
        description: Whether the role passes all checks.
        type: bool
      createdb:
        description: Whether the role can create databases.
        type: bool
      createrole:
        description: Whether the role can create roles.
        type: bool
      inherit:
        description: Whether the role has the privileges of roles it is a member of without C(SET ROLE).
        type: bool
      replication:
        description: Whether the role can start replication.
        type: bool
      bypassrls:
        description: Whether the role passes by row-level security.
        type: bool
      connection_limit:
        description: Number of concurrent connections; V(-1) means no limit.
        type: int
      valid_until:
        description:
          - Moment from which the password is not accepted any more, such as V(2027-01-31) or
            V(2027-01-31T18:00:00+01:00), or V(infinity). A date is its first moment, and UTC where no offset is given.
        type: str
      password:
        description:
          - Password in clear, from a vault, or a SCRAM-SHA-256 verifier as C(pg_authid) holds it.
          - See O(password_minimum_length) and O(password_minimum_classes). It must not contain the role's name. An md5
            hash is refused.
        type: str
      update_password:
        description:
          - With V(always) the password is set whenever the stored one is another, is stored as md5, or has fewer
            iterations than O(scram_iterations). This needs a login that may read C(pg_authid), a superuser as a rule.
          - With V(on_create) it is the first password only.
        type: str
        choices: [always, on_create]
        default: always
      passwordless:
        description: Takes a stored password away, for roles that log in by C(peer), certificate or LDAP.
        type: bool
        default: false
      human:
        description: The role belongs to a person. It must have a O(roles[].valid_until) other than V(infinity).
        type: bool
        default: false
      comment:
        description: Comment on the role. An empty string takes it away.
        type: str
      settings:
        description:
          - Parameters with a value of their own for this role, as by C(ALTER ROLE ... SET). V(null) resets one.
          - Parameters that are not named are left as they are.
        type: dict
      database_settings:
        description: Names of databases, and for each the same as O(roles[].settings), for sessions in that database.
        type: dict
      member_of:
        description:
          - Roles this one is a member of. Each a name, or a dictionary with the key C(role) and any of C(admin),
            C(inherit) and C(set).
          - Before PostgreSQL 16 there is only C(admin), and the others are refused.
          - An option that is not declared is left as it is.
        type: list
        elements: raw
  databases:
    description:
      - Databases with what is declared in them. Several entries may speak of the same database by way of wildcards.
      - Here and below, C(*) in a name stands for any characters, C(\*) for an asterisk. Wildcards never reach schemas
        of the system, nor objects that belong to an extension; those have to be named.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the database. Wildcards pass by databases that take no connections (C(template0)).
        type: str
        required: true
      owner:
        description: The role that owns the database.
        type: str
      grants:
        description: Privileges. Each entry is granted on all its objects to all its roles.
        type: list
        elements: dict
        suboptions:
          to:
            description: Roles, or V(PUBLIC).
            type: list
            elements: str
            required: true
          privileges:
            description: Names such as V(SELECT), or V(ALL). V(MAINTAIN) needs PostgreSQL 17.
            type: list
            elements: str
            required: true
          type:
            description:
              - Type of the objects. Views, materialized views and foreign tables are tables; functions, procedures and
                aggregates are routines; domains are types.
            type: str
            choices:
              - database
              - schema
              - table
              - sequence
              - routine
              - type
              - language
              - foreign_data_wrapper
              - foreign_server
            default: database
          schemas:
            description:
              - Schemas in which O(databases[].grants[].names) are looked for. Needed for what lives in a schema.
            type: list
            elements: str
          names:
            description:
              - Names of the objects; V(*) for all. Needed for all types but V(database).
              - A routine without arguments in parentheses means all of that name, C(calc(integer, text)) means one.
                Types that are not PostgreSQL's own are written with their schema.
            type: list
            elements: str
          columns:
            description: Columns, where privileges are on columns of tables only.
            type: list
            elements: str
          grant_option:
            description: Whether they may be passed on. Left as it is where it is not declared.
            type: bool
          state:
            description: With V(absent) the privileges are revoked, V(PUBLIC)'s implicit ones too.
            type: str
            choices: [present, absent]
            default: present
      default_privileges:
        description: Privileges on objects that a role makes from now on.
        type: list
        elements: dict
        suboptions:
          owner:
            description: The role that makes the objects.
            type: str
            required: true
          to:
            description: Roles, or V(PUBLIC).
            type: list
            elements: str
            required: true
          privileges:
            description: As in O(databases[].grants[].privileges).
            type: list
            elements: str
            required: true
          type:
            description: Type of the objects.
            type: str
            choices: [table, sequence, routine, type, schema]
            required: true
          schemas:
            description: Only for objects in these schemas. Without it for all of the database.
            type: list
            elements: str
          grant_option:
            description: As in O(databases[].grants[].grant_option).
            type: bool
          state:
            description: With V(absent) they are revoked, such as V(EXECUTE) on routines from V(PUBLIC).
            type: str
            choices: [present, absent]
            default: present
      ownership:
        description: Owners of objects. A sequence that belongs to a table follows its table.
        type: list
        elements: dict
        suboptions:
          owner:
            description: The role that owns them.
            type: str
            required: true
          type:
            description: Type of the objects, as in O(databases[].grants[].type).
            type: str
            choices: [schema, table, sequence, routine, type, language, foreign_data_wrapper, foreign_server]
            required: true
          schemas:
            description: As in O(databases[].grants[].schemas).
            type: list
            elements: str
          names:
            description: As in O(databases[].grants[].names).
            type: list
            elements: str
  exclusive:
    description:
      - Revoke what is not declared. RV(planned_revocations) lists it, in check mode too.
      - "In declared databases: privileges of all roles and of V(PUBLIC) on the database, on all schemas and on all
        objects in them, and default privileges. What V(PUBLIC) has without any grant counts: C(CONNECT) and
        C(TEMPORARY) on databases, C(EXECUTE) on routines, C(USAGE) on types."
      - "Of declared roles: their memberships, their members, the C(ADMIN OPTION) where C(admin) is not declared, and
        the attributes V(superuser), V(createdb), V(createrole), V(replication) and V(bypassrls) where they are not
        declared."
      - Passed by are owners, schemas of the system, objects of extensions, and the implicit membership that PostgreSQL
        16 gives to the creator of a role.
      - Nothing is taken from the role that logs in, the bootstrap superuser, predefined roles (C(pg_*)), replication
        roles and O(protected_roles). Roles are never dropped by it.
    type: bool
    default: false
  maximum_revocations:
    description: Refuse the run when O(exclusive) would make more revocations than this.
    type: int
    default: 50
  protected_roles:
    description: Further roles that O(exclusive) takes nothing from, and that are never dropped.
    type: list
    elements: str
    default: []
  password_minimum_length:
    description: Shortest password accepted, in characters; at least V(8).
    type: int
    default: 12
  password_minimum_classes:
    description: How many of lower case, upper case, digits and other characters a password has to use.
    type: int
    default: 3
  scram_iterations:
    description: Iterations of new verifiers; at least V(4096). Stored ones with fewer are renewed.
    type: int
    default: 4096
  expiry_warning_days:
    description: Warn about roles whose declared O(roles[].valid_until) is past or not further away than this.
    type: int
    default: 14
  lock_timeout:
    description: Seconds to wait for another run to finish, and for a lock on an object whose owner changes.
    type: int
    default: 60
  diagram:
    description: Return a picture of the hierarchy in this language, as RV(diagram).
    type: str
    choices: [mermaid, dot]
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
