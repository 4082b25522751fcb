#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_clients
short_description: Find the clients that enforcing TLS or a password lifetime would lock out
description:
  - Looks for clients that connect to MariaDB by TCP in plaintext, and for accounts whose password would be expired at
    once by a default lifetime.
  - Sessions are taken from the server's list of them, again and again for some O(seconds). A client that comes and goes
    between is not seen, so run it often with O(stage=observe), at the hours when your jobs run.
  - With O(stage=observe) the sightings are added to a record on the host. With O(stage=enforce) the module fails while
    any is there that O(accept) does not name, so that nobody is locked out by surprise.
  - Whether a session uses TLS is told by C(performance_schema). Where that is off, which is the server's default, the
    module says so (RV(blind)), and every account seen by TCP is the problem V(plaintext_unknown), but for those that
    the server holds to TLS (C(REQUIRE SSL)). Where the server has no TLS, every session by TCP is in plaintext.
  - Threads of the server itself, sessions on the unix socket, locked accounts, roles and C(mariadb.sys) are no clients.
    Replicas and their accounts are, because they are locked out like any other.
  - The account of the module needs the privileges PROCESS and SELECT on C(mysql.global_priv).
options:
  stage:
    description: Record sightings, or refuse to go on while there are any.
    type: str
    choices: [observe, enforce]
    default: observe
  seconds:
    description: How long sessions are looked at, every half a second; V(0) looks once.
    type: float
    default: 10
  days:
    description:
      - For how many days a recorded session counts with O(stage=enforce); V(0) counts only what is seen now.
      - One whose account is gone, or that the server now refuses in plaintext, does not count any more.
    type: int
    default: 7
  password_lifetime:
    description:
      - Days that are to become C(default_password_lifetime). Accounts with an older password and no lifetime of their
        own are reported.
      - Without it passwords are not looked at.
    type: int
  exclude:
    description: Accounts to pass over, as C(user@host), because something else sees to them, such as that for SST.
    type: list
    elements: str
    default: []
  record_file:
    description: Where sightings are kept between runs, readable by root alone.
    type: path
    default: /var/lib/bulwark/mariadb-clients.json
  accept:
    description: Sightings that may be broken.
    type: list
    elements: dict
    default: []
    suboptions:
      account:
        description: The account, as C(user@host); V(*) accepts all of that problem.
        type: str
        required: true
      problem:
        description: What is accepted to break; V(plaintext) stands for V(plaintext_unknown) as well.
        type: str
        required: true
        choices: [plaintext, plaintext_unknown, password_expires]
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_mariadb
  - bulwark.database._mariadb_connection
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Record who would be locked out
  bulwark.database.mariadb_clients:
    stage: observe
    seconds: 60
    password_lifetime: 365
  become: true
  register: seen

- name: Show them
  ansible.builtin.debug:
    var: seen.recorded

- name: Go on only if nobody is locked out but the old writer
  bulwark.database.mariadb_clients:
    stage: enforce
    password_lifetime: 365
    accept:
      - account: writer@%
        problem: plaintext
  become: true
"""

RETURN = r"""
clients:
  description: Sightings of this run.
  returned: success
  type: list
  elements: dict
  sample: [{"account": "app@%", "host": "10.0.0.5", "problem": "plaintext", "last_seen": "2026-11-25"}]
recorded:
  description: Sightings of this and of earlier runs with O(stage=observe).
  returned: success
  type: list
  elements: dict
blind:
  description: Whether it can't be told which sessions are in plaintext.
  returned: success
  type: bool
blind_reason:
  description: Why; empty where RV(blind) is false.
  returned: success
  type: str
  sample: performance_schema is OFF, so the server does not say which sessions use TLS
enforced:
  description: Whether the server refuses plaintext already (C(require_secure_transport)). Then no session is looked at.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_clients import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_connection import (
    connection_options,
    mariadb_connection,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run

ACCEPTANCE = {
    "account": {"type": "str", "required": True},
    "problem": {"type": "str", "required": True, "choices": ["plaintext", "plaintext_unknown", "password_expires"]},
}
OPTIONS = {
    "stage": {"type": "str", "choices": ["observe", "enforce"], "default": "observe"},
    "seconds": {"type": "float", "default": 10},
    "days": {"type": "int", "default": 7},
    "password_lifetime": {"type": "int", "no_log": False},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "record_file": {"type": "path", "default": "/var/lib/bulwark/mariadb-clients.json"},
    "accept": {"type": "list", "elements": "dict", "default": [], "options": ACCEPTANCE},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)
    run(module, lambda: open_subject(mariadb_connection(module.params), module.params))


if __name__ == "__main__":
    main()
