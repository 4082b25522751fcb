#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_monitor
short_description: Watch encrypted backups, copies and restore tests of a host
description:
  - Puts the program C(bulwark-backup-monitor) in place, and a timer that writes metrics of the named jobs, tests,
    copies and certificates each minute, in the text format that C(prometheus-node-exporter) collects. A job that never
    ran, and one that is expected but not there, has metrics too.
  - Tells by mail or webhook of each unit of those jobs, tests and copies that fails, and tells a watch outside of each
    full backup that succeeds. Both hang on drop-ins of the units, so neither can make a backup fail.
  - A notice names unit, host, systemd's result, what to do, and the last lines that C(bulwark-backup) said, without
    what stands there between quotes. Nothing of a restore test's answers leaves the host.
  - There is one for all jobs, tests and copies of a host.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
options:
  state:
    description: With V(absent) units, drop-ins, secrets and the program are removed.
    type: str
    choices: [present, absent]
    default: present
  metrics_folder:
    description: Folder that the textfile collector reads. It has to be there.
    type: str
    default: /var/lib/prometheus/node-exporter
  jobs:
    description: Names of backup jobs that are expected on the host, as in M(bulwark.database.backup_job).
    type: list
    elements: str
    default: []
  restore_tests:
    description: Names of restore tests that are expected on the host, as in M(bulwark.database.restore_test_job).
    type: list
    elements: str
    default: []
  copies:
    description:
      - Names of sources whose copies are kept on the host, as in M(bulwark.database.backup_repository). Told are the
        last look that found all well, damaged copies, and units that failed or are not there.
    type: list
    elements: str
    default: []
  certificates:
    description: Files with certificates (PEM) whose expiry is told. Of several in one file the first to expire counts.
    type: list
    elements: str
    default: []
  mail:
    description: Whom to tell of failures by mail.
    type: dict
    suboptions:
      relay:
        description: Host that takes the mail.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 587
      tls:
        description: >-
          V(starttls) and V(tls) check the relay's certificate and never go on in clear. V(none) is for a relay on
          localhost alone.
        type: str
        choices: [starttls, tls, none]
        default: starttls
      sender:
        description: Address that it comes from.
        type: str
        required: true
      recipients:
        description: Addresses that it goes to.
        type: list
        elements: str
        required: true
      user:
        description: Account at the relay. Empty for none.
        type: str
        default: ''
      password:
        description: Its password. It is kept in a file of mode 0600 that systemd hands to the service.
        type: str
  webhook_url:
    description:
      - Address (https) that gets a JSON document by POST when a unit fails. It is kept in a file of mode 0600.
    type: str
  ping_url:
    description:
      - Address (https) that is asked by GET after each full backup that succeeds, so that somebody outside misses it
        when it does not come. C({job}) in it becomes the job's name, which is needed where there are several. It is
        kept in a file of mode 0600.
    type: str
  ca_file:
    description: >-
      Certificate of the authority that relay, webhook and ping are checked against. Empty for those of the system.
    type: str
    default: ''
  repeat_seconds:
    description: A unit that fails again within that time is not told of again.
    type: int
    default: 3600
  timeout_seconds:
    description: How long relay, webhook and ping may take each of three times.
    type: int
    default: 15
requirements:
  - systemd 251 or newer
  - Python 3.9 or newer as C(/usr/bin/python3)
  - openssl, for certificates
"""

EXAMPLES = r"""
- name: Watch the backup of the shop
  bulwark.database.backup_monitor:
    jobs: [shop]
    certificates: [/etc/postgresql/tls/server.crt]
    mail:
      relay: mail.example.org
      sender: backups@example.org
      recipients: [oncall@example.org]
      user: backups
      password: "{{ vault_mail_password }}"
    ping_url: "{{ vault_ping_url }}"
  become: true

- name: Watch it no more
  bulwark.database.backup_monitor:
    state: absent
  become: true
"""

RETURN = r"""
metrics_folder:
  description: Where the metrics are.
  returned: O(state=present)
  type: str
  sample: /var/lib/prometheus/node-exporter
watched:
  description: Services whose failures are seen.
  returned: success
  type: list
  elements: str
  sample: [bulwark-backup-shop.service, bulwark-backup-shop-collect.service, bulwark-backup-shop-heartbeat.service]
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.backup_monitor import monitor_options, subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run


def main() -> None:
    module = AnsibleModule(argument_spec=monitor_options(), supports_check_mode=True)
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
