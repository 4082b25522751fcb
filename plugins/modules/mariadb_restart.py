#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_restart
short_description: Restart a MariaDB server or Galera node, and have it back in any case
description:
  - Restarts the service and waits until the server answers, a Galera node until it is Synced.
  - A Galera node is stopped only when the cluster is whole, has a quorum without it, and every node is Synced. For that
    bring the answers of all nodes with O(members), as for M(bulwark.database.galera_info). Otherwise nothing is stopped
    and the module fails with the reasons.
  - A server that runs and gives no answer is not stopped either, for nobody knows then what the cluster would lose. Nor
    is one whose data directory is on a full file system, for it would not start there.
  - A server that systemd is starting or stopping just then is left to that first, for O(deadline) at the longest.
    MariaDB 11.8 hangs when it is stopped while it starts.
  - A server that is not back within O(deadline) gets the files back that it ran with (O(fall_back)) and is started
    again, and the module fails. If the module itself is interrupted, a timer does that.
  - A node that is back while another is missing keeps its files and is not stopped again; the module fails.
  - A node that finds others which are no quorum, because one of them was lost meanwhile, keeps its files too. The
    module fails and names who is missing.
  - A server that is not back in the end is started again every 20 seconds, for a day or until somebody stops it, so
    that it is back when what holds it up ends.
  - Fails, too, when another node left the cluster or was restarted meanwhile, so that a loop over the nodes ends there.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_mariadb
  - bulwark.database._mariadb_connection
attributes:
  idempotent:
    support: none
    description: Each call is a restart. Ask first whether one is needed.
requirements:
  - systemd
options:
  unit:
    description: The service that runs the server; C(.service) may be left out.
    type: str
    default: mariadb.service
  members:
    description:
      - What M(bulwark.database.galera_info) returned as C(galera) on the nodes of the cluster just now. The node's own
        answer may be among them.
      - A server that is in no cluster needs none.
    type: list
    elements: dict
    default: []
  expected_size:
    description: Nodes that the cluster has when it is whole. The node is waited for until it sees that many.
    type: int
  deadline:
    description:
      - Seconds in which the server has to be back.
      - A node that was away for long gets a full copy of the data, which has to fit in.
    type: int
    default: 300
  fall_back:
    description: Files that are put back when the server does not come back with what they hold now.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file.
        type: path
        required: true
      copy:
        description:
          - A file that holds what it was when the server was last started, such as the C(previous_file) that
            M(bulwark.database.mariadb_settings) returns.
          - Without it, or where it is not there, the file is removed.
        type: path
seealso:
  - module: bulwark.database.galera_info
  - module: bulwark.database.mariadb_settings
"""

EXAMPLES = r"""
- name: Set what needs a restart
  bulwark.database.mariadb_settings:
    settings:
      tls_version: TLSv1.3
  become: true
  register: settings

- name: Ask all nodes
  bulwark.database.galera_info:
  become: true
  delegate_to: "{{ item }}"
  loop: "{{ groups['galera'] }}"
  register: asked

- name: Restart this one
  bulwark.database.mariadb_restart:
    members: "{{ asked.results | map(attribute='galera') }}"
    expected_size: "{{ groups['galera'] | length }}"
    fall_back:
      - path: "{{ settings.option_file }}"
        copy: "{{ settings.previous_file }}"
  become: true
  when: settings.restart_required
"""

RETURN = r"""
changes:
  description: A line for the restart.
  returned: success
  type: list
  elements: str
  sample: ["unit mariadb.service: db1 is Synced in a Primary component of 3 nodes -> restarted"]
unit:
  description: The service.
  returned: success
  type: str
seconds:
  description: From the stop until the server was back, a node Synced; V(null) in check mode.
  returned: success
  type: float
  sample: 4.2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_connection import (
    connection_options,
    mariadb_connection,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_restart import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run

OPTIONS = {
    "unit": {"type": "str", "default": "mariadb.service"},
    "members": {"type": "list", "elements": "dict", "default": []},
    "expected_size": {"type": "int"},
    "deadline": {"type": "int", "default": 300},
    "fall_back": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"path": {"type": "path", "required": True}, "copy": {"type": "path"}},
    },
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)
    run(module, lambda: open_subject(mariadb_connection(module.params), module.params))


if __name__ == "__main__":
    main()
