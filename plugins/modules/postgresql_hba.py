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
options:
  rules:
    description: All rules, from top to bottom. The first that matches a login decides.
    type: list
    elements: dict
    required: true
    suboptions:
      type:
        description: The connections the rule is for.
        type: str
        required: true
        choices: [local, host, hostssl, hostnossl, hostgssenc, hostnogssenc]
      databases:
        description:
          - Databases, or the key words V(all), V(sameuser), V(samerole), V(replication). A name in double quotes is
            always a name. From PostgreSQL 16 on, what begins with a slash is a regular expression.
        type: list
        elements: str
        default: [all]
      users:
        description: Roles, V(all), or V(+group) for all members of a role.
        type: list
        elements: str
        default: [all]
      address:
        description:
          - A network in CIDR form, a host name, V(all), V(samehost) or V(samenet). Not with O(rules[].type=local).
        type: str
      method:
        description:
          - How the login is authenticated. V(trust), V(password) and V(md5) are weak and need a O(rules[].reason).
        type: str
        required: true
      options:
        description: Options of the method, such as C(map) or C(clientcert).
        type: dict
        default: {}
      secret_options:
        description: Options that hold a secret, such as C(ldapbindpasswd). They are shown nowhere.
        type: dict
        default: {}
      comment:
        description: Text that is written above the rule.
        type: str
      reason:
        description: Why a weak method is used. It is written above the rule.
        type: str
  ident_mappings:
    description: All mappings of C(pg_ident.conf). Without this option that file is left alone.
    type: list
    elements: dict
    suboptions:
      map:
        description: Name of the map.
        type: str
        required: true
      system_user:
        description:
          - Account of the operating system or name in a certificate; a regular expression if it begins with a slash.
        type: str
        required: true
      database_user:
        description: The role that it may log in as.
        type: str
        required: true
      comment:
        description: Text that is written above the mapping.
        type: str
  must_admit:
    description:
      - Further logins that the rules have to admit; otherwise they are refused. The login of this module is always one.
      - Only rules with plain names, V(all), V(sameuser) and networks count.
    type: list
    elements: dict
    default: []
    suboptions:
      user:
        description: The role.
        type: str
        required: true
      database:
        description: The database.
        type: str
        required: true
      connection:
        description: How it connects.
        type: str
        choices: [local, ssl, gss, plain]
        default: ssl
      address:
        description: Where it comes from. Needed unless O(must_admit[].connection=local).
        type: str
  journal_directory:
    description: Folder on the host where an interrupted run leaves word for the next one.
    type: path
    default: /var/lib/bulwark
  reload_timeout:
    description: Seconds to wait until the server has taken up a reload.
    type: float
    default: 10
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
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
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_hba import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run

KINDS = ["local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"]
RULE = {
    "type": {"type": "str", "required": True, "choices": KINDS},
    "databases": {"type": "list", "elements": "str", "default": ["all"]},
    "users": {"type": "list", "elements": "str", "default": ["all"]},
    "address": {"type": "str"},
    "method": {"type": "str", "required": True},
    "options": {"type": "dict", "default": {}},
    "secret_options": {"type": "dict", "default": {}, "no_log": True},
    "comment": {"type": "str"},
    "reason": {"type": "str"},
}
MAPPING = {
    "map": {"type": "str", "required": True},
    "system_user": {"type": "str", "required": True},
    "database_user": {"type": "str", "required": True},
    "comment": {"type": "str"},
}
LOGIN = {
    "user": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "connection": {"type": "str", "choices": ["local", "ssl", "gss", "plain"], "default": "ssl"},
    "address": {"type": "str"},
}
OPTIONS = {
    "rules": {"type": "list", "elements": "dict", "required": True, "options": RULE},
    "ident_mappings": {"type": "list", "elements": "dict", "options": MAPPING},
    "must_admit": {"type": "list", "elements": "dict", "default": [], "options": LOGIN},
    "journal_directory": {"type": "path", "default": "/var/lib/bulwark"},
    "reload_timeout": {"type": "float", "default": 10},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)
    run(module, lambda: open_subject(connection_settings(module.params), module.params))


if __name__ == "__main__":
    main()
