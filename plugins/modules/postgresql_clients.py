#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: postgresql_clients
short_description: Find the clients that enforcing TLS and SCRAM would lock out
description:
  - Looks for clients that connect in plaintext or with a protocol older than TLS 1.2, and for login roles whose stored
    password is an md5 verifier.
  - They are taken from the server's own views and, where C(log_connections) is on, from its log of the last
    O(hours).
  - With O(stage=observe) the sightings are added to a record on the host. With O(stage=enforce) the module fails while
    any is there that O(accept) does not name, so that nobody is locked out by surprise.
options:
  stage:
    description: Record sightings, or refuse to go on while there are any.
    type: str
    choices: [observe, enforce]
    default: observe
  hours:
    description: How far back the log is read.
    type: float
    default: 24
  record_file:
    description: Where sightings are kept between runs, readable by root alone.
    type: path
    default: /var/lib/bulwark/postgresql-clients.json
  accept:
    description: Sightings that may be broken.
    type: list
    elements: dict
    default: []
    suboptions:
      problem:
        description: What is accepted to break.
        type: str
        required: true
        choices: [plaintext, old_protocol, md5_password]
      role:
        description: The role that the client logs in as.
        type: str
        required: true
      address:
        description: Where the client comes from; from anywhere without it.
        type: str
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection
  - bulwark.database._postgresql_connection.common
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Record who would be locked out
  bulwark.database.postgresql_clients:
    stage: observe
  become: true
  register: seen

- name: Show them
  ansible.builtin.debug:
    var: seen.recorded

- name: Go on only if nobody is locked out but the old billing job
  bulwark.database.postgresql_clients:
    stage: enforce
    hours: 168
    accept:
      - problem: plaintext
        role: billing
        address: 10.0.0.17
  become: true
"""

RETURN = r"""
clients:
  description: Sightings of this run.
  returned: success
  type: list
  elements: dict
  sample: [{"problem": "plaintext", "role": "app", "database": "shop", "address": "10.0.0.5"}]
recorded:
  description: Sightings of this and of earlier runs with O(stage=observe).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_clients import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_connection import (
    connection_options,
    connection_settings,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run

ACCEPTANCE = {
    "problem": {"type": "str", "required": True, "choices": ["plaintext", "old_protocol", "md5_password"]},
    "role": {"type": "str", "required": True},
    "address": {"type": "str"},
}
OPTIONS = {
    "stage": {"type": "str", "choices": ["observe", "enforce"], "default": "observe"},
    "hours": {"type": "float", "default": 24},
    "record_file": {"type": "path", "default": "/var/lib/bulwark/postgresql-clients.json"},
    "accept": {"type": "list", "elements": "dict", "default": [], "options": ACCEPTANCE},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)
    run(module, lambda: open_subject(connection_settings(module.params), module.params))


if __name__ == "__main__":
    main()
