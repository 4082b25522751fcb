#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_roles
short_description: Accounts, roles and privileges of a MariaDB server or Galera cluster as one declaration
description:
  - Brings accounts, roles, memberships and privileges to what is declared, in one task and over one connection. The
    present state is read with a few queries, compared as a whole, and changed with as few statements as it takes.
  - What is not declared is left as it is, unless O(exclusive) is set.
  - Passwords are checked against rules before anything is sent, and reach the server as what it stores of them,
    computed by this module, so that no log holds a password. They are compared by that, so that a second run changes
    nothing.
  - It never drops, locks or cuts off the account that logs in, C(root) on the host itself, C(mariadb.sys), and accounts
    that replicate or make state transfers, and never drops an account that views, routines, triggers or events run as.
notes:
  - MariaDB commits each of these statements by itself. They are made in an order in which an interruption leaves nobody
    without what they had or are to have; accounts and privileges come first, what goes comes last. A second run
    finishes.
  - On a Galera cluster these statements reach all nodes. Run it on one of them (C(run_once)).
  - Runs on the same server exclude each other, check mode too. A second one waits for O(lock_timeout).
  - PyMySQL logs in to an account of the plugin C(ed25519) only with PyNaCl (Debian C(python3-nacl)) beside it. A login
    by C(unix_socket) needs nothing.
  - The module manages privileges, not objects. Tables and routines have to be there; databases may come later.
  - Privileges to be another account's proxy, and methods of authentication besides passwords, C(unix_socket) and PAM
    (such as C(gssapi)), are left as they are.
  - The login needs C(SELECT) on the database C(mysql), C(CREATE USER), and what it passes on C(WITH GRANT OPTION); to
    grant a role it has to be an administrator of the role, as its creator is.
  - While C(strict_password_validation) is on and a plugin checks passwords, the server takes no hashes. The password
    itself is sent then, by C(SET PASSWORD), which is replicated as a hash, with the session's general and slow query
    log switched off.
  - Passwords kept by the plugin C(parsec) of MariaDB 11.6 can't be compared. Such an account is left as it is, unless a
    password and O(accounts[].password_plugin) are declared.
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_mariadb
  - bulwark.database._mariadb_connection
options:
  roles:
    description: The roles. They have no host and no password.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the role, 128 characters at most.
        type: str
        required: true
      state:
        description: With V(absent) the role is dropped, with all its privileges and memberships.
        type: str
        choices: [present, absent]
        default: present
      member_of:
        description: Roles this one is a member of. Each a name, or a dictionary with the keys C(role) and C(admin).
        type: list
        elements: raw
  accounts:
    description:
      - The accounts. What is not declared is left as it is, and has MariaDB's default in a new account.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the account, 128 characters at most.
        type: str
        required: true
      host:
        description: Where it may come from; a name, an address, V(192.0.2.0/255.255.255.0), or with V(%) as wildcard.
        type: str
        default: localhost
      state:
        description: With V(absent) the account is dropped. Refused where something runs with its rights, with a list.
        type: str
        choices: [present, absent]
        default: present
      password:
        description:
          - Password in clear, from a vault. See O(password_minimum_length) and O(password_minimum_classes). It must not
            contain the account's name.
          - It takes the place of a password that is there. O(accounts[].unix_socket) and O(accounts[].pam_service) are
            further ways to log in, each of which suffices.
        type: str
      password_hash:
        description: What the server stores of a password, in place of it. Needs O(accounts[].password_plugin).
        type: str
      password_plugin:
        description:
          - How the password is kept. Without it, new accounts have V(ed25519) where the server has loaded it, and
            others keep what they have; RV(weak_authentication) lists those with V(mysql_native_password).
        type: str
        choices: [ed25519, mysql_native_password]
      update_password:
        description: With V(on_create) the password is the first one only.
        type: str
        choices: [always, on_create]
        default: always
      passwordless:
        description: Takes a stored password away, for accounts that log in by C(unix_socket) or PAM.
        type: bool
        default: false
      unix_socket:
        description: Whether the operating-system account of the same name gets in on the socket.
        type: bool
      pam_service:
        description: The PAM service that authenticates the account. An empty string takes PAM away.
        type: str
      locked:
        description: Whether the account is locked. A new account without any way to log in has to be.
        type: bool
      password_lifetime:
        description: Days after which the password expires; V(0) for never, V(-1) for the server's own rule.
        type: int
      tls:
        description: What a connection has to bring; V(x509) is a certificate that the server's authority signed.
        type: str
        choices: [none, ssl, x509]
      tls_subject:
        description: Subject that the client's certificate has to have. It implies the others.
        type: str
      tls_issuer:
        description: Issuer that the client's certificate has to have.
        type: str
      tls_cipher:
        description: Cipher that the connection has to use.
        type: str
      max_queries_per_hour:
        description: Limit on statements; V(0) for none.
        type: int
      max_updates_per_hour:
        description: Limit on statements that change something; V(0) for none.
        type: int
      max_connections_per_hour:
        description: Limit on logins; V(0) for none.
        type: int
      max_user_connections:
        description: Limit on connections at the same time; V(0) for the server's own.
        type: int
      max_statement_time:
        description: Seconds after which a statement is ended; V(0) for the server's own.
        type: float
      default_role:
        description: Role that is enabled at login. It has to be one of the account's. An empty string means none.
        type: str
      member_of:
        description: As in O(roles[].member_of).
        type: list
        elements: raw
  global_grants:
    description: Privileges that hold everywhere, on C(*.*).
    type: list
    elements: dict
    default: []
    suboptions:
      to:
        description: As in O(databases[].grants[].to).
        type: list
        elements: raw
        required: true
      privileges:
        description: Names such as V(PROCESS) or V(BINLOG MONITOR), or V(ALL).
        type: list
        elements: str
        required: true
      grant_option:
        description: As in O(databases[].grants[].grant_option).
        type: bool
      state:
        description: With V(absent) the privileges are revoked.
        type: str
        choices: [present, absent]
        default: present
  databases:
    description: Databases with what is granted in them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the database. MariaDB takes C(_) and C(%) in grants on databases for wildcards; they are escaped, so
            that exactly this database is meant.
        type: str
        required: true
      pattern:
        description: The name is a pattern in which C(_) and C(%) are wildcards. It takes grants on databases only.
        type: bool
        default: false
      grants:
        description: Privileges. Each entry is granted on all its objects to all of O(databases[].grants[].to).
        type: list
        elements: dict
        default: []
        suboptions:
          to:
            description:
              - Roles by their names, V(PUBLIC) (MariaDB 10.11), and accounts as V(name@host).
              - For names with an V(@) in them, a dictionary with the key C(role), or with C(name) and C(host).
            type: list
            elements: raw
            required: true
          privileges:
            description: Names such as V(SELECT), or V(ALL).
            type: list
            elements: str
            required: true
          type:
            description: Type of the objects. Views and sequences are tables.
            type: str
            choices: [database, table, function, procedure, package, package_body]
            default: database
          names:
            description:
              - Names of the tables or routines; V(*) in one stands for any characters, C(\*) for an asterisk. A pattern
                means what is there now.
            type: list
            elements: str
          columns:
            description: Columns, where privileges are on columns of tables only.
            type: list
            elements: str
          grant_option:
            description:
              - Whether privileges on these objects may be passed on. MariaDB keeps it for an object as a whole, not for
                each privilege. Left as it is where it is not declared.
            type: bool
          state:
            description: With V(absent) the privileges are revoked.
            type: str
            choices: [present, absent]
            default: present
  exclusive:
    description:
      - Revoke what is not declared. RV(planned_revocations) lists it, in check mode too.
      - "In declared databases: privileges of all accounts, of all roles and of V(PUBLIC) on the database under exactly
        that name or pattern, and on its tables, columns and routines."
      - "Of declared accounts and roles: their memberships, their members, the C(ADMIN OPTION) where C(admin) is not
        declared, and their global privileges."
      - Nothing is taken from the accounts that are never dropped and from O(protected_accounts). Accounts and roles are
        never dropped by it.
    type: bool
    default: false
  maximum_revocations:
    description: Refuse the run when O(exclusive) would make more revocations than this.
    type: int
    default: 50
  protected_accounts:
    description:
      - Further accounts and roles that O(exclusive) takes nothing from, and that are never dropped; written as in
        O(databases[].grants[].to).
    type: list
    elements: raw
    default: []
  remove_anonymous:
    description: Drop all accounts without a name.
    type: bool
    default: false
  remove_remote_root:
    description: Drop the accounts C(root) of all hosts but V(localhost), V(127.0.0.1) and V(::1).
    type: bool
    default: false
  remove_test_database:
    description:
      - Drop the database C(test), and revoke what everybody may do in databases of that name or one that begins with
        C(test_). Refused where it is not empty.
    type: bool
    default: false
  password_minimum_length:
    description: Shortest password accepted, in characters; at least V(8).
    type: int
    default: 12
  password_minimum_classes:
    description: How many of lower case, upper case, digits and other characters a password has to use.
    type: int
    default: 3
  lock_timeout:
    description: Seconds to wait for another run to finish.
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
  - name: GRANT
    description: MariaDB's own description of privileges and of the wildcards in names of databases.
    link: https://mariadb.com/kb/en/grant/
"""

EXAMPLES = r"""
- name: An application, a person and a monitoring account, on one node of the cluster
  bulwark.database.mariadb_roles:
    roles:
      - name: shop_read
      - name: shop_write
        member_of: [shop_read]
    accounts:
      - name: shop_app
        host: 10.0.0.0/255.255.255.0
        password: "{{ shop_app_password }}"
        tls: ssl
        max_user_connections: 50
        member_of: [shop_write]
        default_role: shop_write
      - name: alice
        host: "%"
        password: "{{ alice_first_password }}"
        update_password: on_create
        password_lifetime: 180
        tls: x509
        member_of: [shop_read]
      - name: monitoring
        unix_socket: true
      - name: left_last_year
        host: "%"
        state: absent
    global_grants:
      - {to: [monitoring@localhost], privileges: [PROCESS, BINLOG MONITOR, SLAVE MONITOR]}
    databases:
      - name: shop
        grants:
          - {to: [shop_read], privileges: [SELECT, SHOW VIEW]}
          - {to: [shop_write], type: table, names: [orders, baskets], privileges: [INSERT, UPDATE]}
          - {to: [shop_write], type: table, names: [customers], columns: [phone], privileges: [UPDATE]}
          - {to: [shop_write], type: function, names: [total], privileges: [EXECUTE]}
    diagram: mermaid
  run_once: true
  register: hierarchy

- name: What a new server comes with and nobody needs
  bulwark.database.mariadb_roles:
    remove_anonymous: true
    remove_remote_root: true
    remove_test_database: true
  run_once: true

- name: Exactly these privileges and no others
  bulwark.database.mariadb_roles:
    exclusive: true
    maximum_revocations: 200
    protected_accounts: [backup@localhost]
    roles:
      - name: shop_read
    databases:
      - name: shop
        grants:
          - {to: [shop_read], privileges: [SELECT]}
  check_mode: true
  register: revocations
"""

RETURN = r"""
changes:
  description: One line for each difference.
  returned: success
  type: list
  elements: str
  sample:
    - "role shop_read: created"
    - "database shop: table orders: privileges of role shop_read: SELECT, DELETE -> SELECT"
planned_revocations:
  description: What goes only because O(exclusive) is set. In check mode, what would go.
  returned: success
  type: list
  elements: str
  sample:
    - "database shop: DELETE from account mallory@%"
    - "membership of account mallory@% in shop_owner"
weak_authentication:
  description:
    - Accounts of the whole server, declared or not, that are not locked and are anonymous, need no password, or have
      one that is kept by C(mysql_native_password), as they are after a run.
    - An account without a password that logs in by C(unix_socket) or PAM is not among them.
  returned: success
  type: list
  elements: str
  sample:
    - "account legacy@%: mysql_native_password"
diagram:
  description:
    - What is declared with all it is a member of, as it is after a run, and what is declared for it in databases.
    - "Rounded boxes are accounts, hexagons those with all privileges everywhere."
  returned: when O(diagram) is set
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_connection import (
    connection_options,
    mariadb_connection,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_roles import (
    accounts_options,
    open_subject,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **accounts_options()}, supports_check_mode=True)
    run(module, lambda: open_subject(mariadb_connection(module.params), module.params))


if __name__ == "__main__":
    main()
