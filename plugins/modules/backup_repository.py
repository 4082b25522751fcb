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
  - C(bulwark-copies receive) takes what a sender offers, for a forced command of OpenSSH. It overwrites and removes
    nothing, whatever the sender says.
  - Account, folders and C(authorized_keys) are left to the role P(bulwark.database.backup_repository#role).
  - Units of sources that are not declared any more are removed. Their copies stay.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
options:
  root:
    description: Folder of the copies, in which each source has a folder of its name. It has to be there.
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
      - name: ledger
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
