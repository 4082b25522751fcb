#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Say which backups there are, and which moments can be restored
description:
  - Reads a job that M(bulwark.database.backup_job) deployed on this host. It tells of its full backups, its archived
    log, the intervals in which any moment can be restored, its last success and failure, and its next run.
  - What it returns in RV(backup) is what the job's own program says, in the same words as C(bulwark-backup status).
  - Nothing is decrypted, and nothing has to be. Manifests lie beside the sealed files.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes.info
  - bulwark.database._attributes.actiongroup_all
options:
  name:
    description: Name of the job.
    type: str
    default: main
requirements:
  - systemd
"""

EXAMPLES = r"""
- name: Ask which backups there are
  bulwark.database.backup_info:
  become: true
  register: found

- name: Fail where the newest restorable moment is older than ten minutes
  ansible.builtin.assert:
    that: >-
      found.backup.restorable | length > 0
      and (now(utc=true) - (found.backup.restorable[-1].to | to_datetime('%Y-%m-%dT%H:%M:%SZ'))).total_seconds() < 600
"""

RETURN = r"""
backup:
  description: The job's store.
  returned: success
  type: dict
  contains:
    job:
      description: Name of the job.
      type: str
    engine:
      description: What is backed up.
      type: str
      sample: postgresql
    fulls:
      description: Full backups, oldest first, each with id, times, size and files.
      type: list
      elements: dict
      sample:
        - id: 20261125T000000Z
          started: "2026-11-25T00:00:00Z"
          finished: "2026-11-25T00:04:11Z"
          seconds: 251
          bytes: 5368709120
          files: 1
    restorable:
      description: Intervals in which any moment can be restored, oldest first. Times are in UTC.
      type: list
      elements: dict
      sample:
        - from: "2026-11-18T00:04:11Z"
          to: "2026-11-25T09:41:00Z"
    gaps:
      description: Where archived log is missing between what is there.
      type: list
      elements: dict
    log:
      description: The archived log, by number, oldest and newest, size, and what waits in the anteroom.
      type: dict
    last_success:
      description: When a full backup last succeeded.
      type: str
    last_aside:
      description: When another node of the Galera cluster last made the full backup instead of this one.
      type: str
    last_failure:
      description: When a run last failed.
      type: str
    last_error:
      description: Why it failed.
      type: str
    running:
      description: Whether a run holds the job's lock.
      type: bool
    sealing:
      description: What seals them, V(age) or V(gnupg).
      type: str
      sample: age
    recipients:
      description: Public keys of age, or fingerprints of OpenPGP, that backups are sealed to.
      type: list
      elements: str
    recipients_expire:
      description:
        - When nothing can be sealed to a recipient any more, by recipient, as the job was deployed. Keys that have no
          end, such as those of age, are not in it.
      type: dict
      sample: {}
    copies:
      description: What the host or bucket that keeps copies has, as this one knows. Null for a job without one.
      type: dict
      contains:
        host:
          description: That host, or the host of the bucket's endpoint.
          type: str
          sample: offsite.example.org
        last_success:
          description: When nothing was left over last. Null if never.
          type: str
        fulls:
          description: Full backups that are there whole, oldest first.
          type: list
          elements: str
store:
  description: Folder of the backups.
  returned: success
  type: str
  sample: /var/backups/bulwark/main
running:
  description: Whether the service of the full backup runs.
  returned: success
  type: bool
service_failed:
  description: Whether that service failed when it ran last.
  returned: success
  type: bool
timer_enabled:
  description: Whether the timer of the full backup is enabled and active.
  returned: success
  type: bool
next_run:
  description: When systemd starts the next full backup, as it writes times; an empty string without a timer.
  returned: success
  type: str
  sample: Thu 2026-11-26 00:00:00 UTC
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.backup_info import gather
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run_info

OPTIONS = {"name": {"type": "str", "default": "main"}}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    run_info(module, lambda: gather(module.params))


if __name__ == "__main__":
    main()
