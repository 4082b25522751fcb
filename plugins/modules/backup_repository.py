#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_repository
short_description: Look after copies of encrypted backups that other hosts send
description:
  - For a host that keeps copies of the stores of M(bulwark.database.backup_job). Puts the program C(bulwark-copies) in
    place, and for each source a service that prunes its copies, and complains when they are damaged or late, each hour;
    another reads every byte of them once a week.
  - In C(/var/lib/bulwark-copies/.ssh/authorized_keys), which is root's, each sender's key may run C(bulwark-copies
    receive) and nothing else, and only from the addresses in O(sources[].from). It takes what the sender offers, and
    overwrites and removes nothing, whatever the sender says.
  - The account C(bulwark-copies) is left to the role P(bulwark.database.backup_repository#role).
  - Units and keys of sources that are not declared any more are removed. Their copies stay.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
options:
  root:
    description: Folder of the copies, in which each source has a folder of its name.
    type: str
    default: /srv/bulwark/copies
  sources:
    description: Every job whose copies are kept here.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the source. Small letters, digits and hyphens.
        type: str
        required: true
      public_key:
        description: The sender's public key, a line of OpenSSH. Without one nothing comes in; the copies are kept.
        type: str
        default: ""
      from:
        description:
          - Addresses, networks and names that the sender may come from; its key is refused elsewhere.
          - Names are resolved now, on this host. C(0.0.0.0/0) and C(::/0) are anywhere.
        type: list
        elements: str
        required: true
      keep_days:
        description:
          - Days whose every moment can be restored from here. Not fewer than the job itself keeps, or it sends again
            what was removed.
        type: int
        default: 7
      oldest_hours:
        description: Hours that the newest moment may lie back before that is an error.
        type: int
        default: 26
      cluster:
        description:
          - Name of the cluster that the sender is a node of. One node makes each backup, so that sources of one cluster
            are late together, when none of them has a moment that is new enough.
        type: str
        default: ""
  minimum_free_percent:
    description: Percent of the file system that stay free. What would not leave them is refused.
    type: int
    default: 5
  on_failure_units:
    description: Units that systemd starts when copies are damaged or late, such as V(copies-alert@%n.service).
    type: list
    elements: str
    default: []
requirements:
  - systemd
  - Python 3.9 or newer as C(/usr/bin/python3)
"""

EXAMPLES = r"""
- name: Look after the copies of two servers
  bulwark.database.backup_repository:
    sources:
      - name: shop
        public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
        from: [db1.example.org]
      - name: ledger
        public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBhl0yHhQnm0Pb0FdN1pH4jKq0i4sQnJm1yUeKf4JWxY
        from: [192.0.2.7, "2001:db8::/64"]
        keep_days: 35
        oldest_hours: 2
    on_failure_units: [copies-alert@%n.service]
  become: true
"""

RETURN = r"""
program:
  description: The program that receives and tends copies.
  returned: success
  type: str
  sample: /usr/local/lib/bulwark/bulwark-copies.pyz
units:
  description: Services and timers.
  returned: success
  type: list
  elements: str
  sample: [bulwark-copies-shop.service, bulwark-copies-shop.timer]
senders:
  description: Networks of all that sources may come from.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.7/32]
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.backup_repository import (
    repository_options,
    subject,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run


def main() -> None:
    module = AnsibleModule(argument_spec=repository_options(), supports_check_mode=True)
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
