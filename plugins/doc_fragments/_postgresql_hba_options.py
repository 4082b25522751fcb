# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # In step with plugins/module_utils/_module/postgresql_hba.py
    DOCUMENTATION = r"""
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
"""
