#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: packet_filter
short_description: Admit declared ports from declared networks only, rolled back unless confirmed
description:
  - Keeps an nftables table of its own, C(inet bulwark). For each declared port, packets from the host itself, of
    established connections, and from the declared networks are accepted; the rest is dropped. Ports that are not
    declared and tables of others (podman, docker, ufw, your own) are not touched.
  - For each account in O(outgoing), what it sends is accepted to the declared destinations and refused to all others.
    Accounts that are not declared are not touched.
  - A packet has to pass every table, so tables of several O(name)s only ever limit each other.
  - The whole table is replaced in one transaction, after it was tried in a network namespace made for the purpose, in
    check mode too.
  - With O(stage=live) a systemd timer is armed first that puts the former rules back after O(rollback_after) seconds.
    Come back over a new connection and call the module with O(stage=persistent) to confirm. The role
    P(bulwark.database.host_hardening#role) does both.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
requirements:
  - nftables, systemd, and util-linux (unshare)
options:
  name:
    description:
      - Which table, C(inet bulwark_NAME); the host's own, C(inet bulwark), if empty. Whoever declares a table declares
        all of it; two that each have something to say need two names.
      - Small letters and digits.
    type: str
    default: ""
  ports:
    description: The ports this host offers, and to whom.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: Port.
        type: int
        required: true
      networks:
        description:
          - Networks (C(10.1.0.0/16), C(2001:db8::/32)) or single addresses that may reach it.
          - An empty list closes it to everybody but the host itself.
        type: list
        elements: str
        required: true
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      comment:
        description: A comment that shows in the rules.
        type: str
  outgoing:
    description: Accounts that may connect to these destinations and to nothing else, this host itself included.
    type: list
    elements: dict
    default: []
    suboptions:
      account:
        description: Name of the account. It has to be there.
        type: str
        required: true
      destinations:
        description: Where it may connect to by TCP. An empty list leaves it no network at all.
        type: list
        elements: dict
        required: true
        suboptions:
          port:
            description: Port.
            type: int
            required: true
          networks:
            description: Networks or single addresses. Names are not resolved.
            type: list
            elements: str
            required: true
  stage:
    description:
      - V(live) brings the rules into force and arms the rollback.
      - V(persistent) cancels the rollback and keeps the rules over the next boot. It fails if they are no longer in
        force.
    type: str
    choices: [live, persistent]
    default: live
  rollback_after:
    description: Seconds until the former rules come back unless confirmed, 10 or more.
    type: int
    default: 60
  accepted_outsiders:
    description:
      - Addresses or networks that are connected to a declared port now, are in none of its networks, and may be shut
        out.
      - While there are others, nothing is changed and the module fails with their names.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) takes the table, its file and its unit away.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Admit database clients from their network
  bulwark.database.packet_filter:
    ports:
      - port: 5432
        networks: [10.1.0.0/16]
  become: true

- name: Come back over a new connection
  ansible.builtin.meta: reset_connection

- name: Confirm, and keep the rules over the next boot
  bulwark.database.packet_filter:
    ports:
      - port: 5432
        networks: [10.1.0.0/16]
    stage: persistent
  become: true

- name: Leave an account one way out
  bulwark.database.packet_filter:
    name: backup
    outgoing:
      - account: bulwark-backup
        destinations:
          - port: 22
            networks: [192.0.2.7]
  become: true
"""

RETURN = r"""
in_force:
  description: Whether the kernel has the declared rules.
  returned: success
  type: bool
confirmation_pending:
  description: Whether a timer is armed that puts the former rules back.
  returned: success
  type: bool
saved:
  description: Whether the declared rules come back at the next boot.
  returned: success
  type: bool
outsiders:
  description: Who is connected to a declared port and in none of its networks.
  returned: success
  type: list
  elements: str
  sample: ["tcp port 5432 from 192.0.2.7"]
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.packet_filter import subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run


def argument_spec() -> dict:
    port = {
        "port": {"type": "int", "required": True},
        "networks": {"type": "list", "elements": "str", "required": True},
        "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        "comment": {"type": "str"},
    }
    destination = {
        "port": {"type": "int", "required": True},
        "networks": {"type": "list", "elements": "str", "required": True},
    }
    account = {
        "account": {"type": "str", "required": True},
        "destinations": {"type": "list", "elements": "dict", "options": destination, "required": True},
    }
    return {
        "name": {"type": "str", "default": ""},
        "outgoing": {"type": "list", "elements": "dict", "options": account, "default": []},
        "ports": {"type": "list", "elements": "dict", "options": port, "default": []},
        "stage": {"type": "str", "choices": ["live", "persistent"], "default": "live"},
        "rollback_after": {"type": "int", "default": 60},
        "accepted_outsiders": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
    )
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
