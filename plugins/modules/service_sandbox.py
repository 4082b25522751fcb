#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: service_sandbox
short_description: Confine a systemd service, and prove it on the running process
description:
  - Writes a drop-in (C(50-bulwark.conf)) that leaves a service only what it needs. The paths it may write to are
    listed; the rest of the file system is read-only for it.
  - A sandbox works from the next start of the service on. It is restarted only with O(allow_restart=true); until then
    RV(restart_pending) says that it waits.
  - Refused, before anything changes, is a sandbox that would take away a file the service has open for writing now, or
    hide a unix socket it listens on.
  - After a restart the process itself is looked at. Its mounts, capabilities and no-new-privileges flag are what
    counts, not what the unit file says. A sandbox without effect, as in a container without privileges, is an error.
  - A service that does not come back in its sandbox within O(deadline) gets its former drop-in back and is started
    again, and the module fails. If the module itself is interrupted, a timer does that.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
requirements:
  - systemd
options:
  unit:
    description: The service, such as V(postgresql@15-main.service).
    type: str
    required: true
  profile:
    description:
      - What the directives start from. V(postgresql) knows how Debian starts a cluster, and adds the directories behind
        the links C(pg_wal) and C(pg_tblspc) of a data directory in O(read_write_paths).
      - V(mariadb) knows what a node of a Galera cluster starts besides for state transfers, and adds the directories
        behind all links in a data directory.
    type: str
    choices: [base, mariadb, postgresql]
    default: base
  read_write_paths:
    description:
      - Directories and files the service writes to, such as its data directory, archive and log directory.
      - The profile V(postgresql) brings C(/run/postgresql) and C(/var/log/postgresql), V(mariadb) brings C(/run/mysqld)
        and C(/var/log/mysql).
    type: list
    elements: path
    default: []
  directives:
    description:
      - Directives of C(systemd.exec(5\)) that replace or complete the profile's. An empty value takes one out.
    type: dict
    default: {}
  allow_restart:
    description: Restart the service if it runs without its sandbox.
    type: bool
    default: false
  deadline:
    description: Seconds in which a restarted service must be back.
    type: int
    default: 120
  probe_command:
    description: A command, as a list of arguments, that succeeds once the service answers, such as C(pg_isready).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Confine a PostgreSQL cluster from its next start on
  bulwark.database.service_sandbox:
    unit: postgresql@15-main.service
    profile: postgresql
    read_write_paths: [/var/lib/postgresql/15/main]
  become: true

- name: Confine it now, without just-in-time compilation
  bulwark.database.service_sandbox:
    unit: postgresql@15-main.service
    profile: postgresql
    read_write_paths: [/var/lib/postgresql/15/main]
    directives:
      MemoryDenyWriteExecute: "yes"
    allow_restart: true
    probe_command: [pg_isready, --quiet]
  become: true
"""

RETURN = r"""
unit:
  description: The service.
  returned: success
  type: str
drop_in:
  description: The file with the directives.
  returned: success
  type: str
read_write_paths:
  description: All paths the service may write to, those of the profile and behind links too.
  returned: success
  type: list
  elements: str
confined:
  description: Whether the running process was seen to be confined as declared.
  returned: success
  type: bool
restart_pending:
  description: Whether the service runs and needs a restart to live in its sandbox.
  returned: success
  type: bool
exposure_before:
  description: What C(systemd-analyze security) said before, from 0 (safe) to 10.
  returned: success
  type: float
  sample: 9.6
exposure:
  description: What it says now.
  returned: success
  type: float
  sample: 2.6
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run
from ansible_collections.bulwark.database.plugins.module_utils._module.service_sandbox import subject


def argument_spec() -> dict:
    return {
        "unit": {"type": "str", "required": True},
        "profile": {"type": "str", "choices": ["base", "mariadb", "postgresql"], "default": "base"},
        "read_write_paths": {"type": "list", "elements": "path", "default": []},
        "directives": {"type": "dict", "default": {}},
        "allow_restart": {"type": "bool", "default": False},
        "deadline": {"type": "int", "default": 120},
        "probe_command": {"type": "list", "elements": "str", "default": []},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
