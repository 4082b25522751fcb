#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_test_info
short_description: Say what the restore tests of a host came to
description:
  - Reads the tests that M(bulwark.database.restore_test_job) deployed on this host. It tells of each when it last
    succeeded and failed, when it runs next, and its latest record with the verdict on the record's signature.
  - Changes nothing, and starts no test.
  - The role P(bulwark.database.assessment#role) asks it on the hosts of the group C(restore_test), so that the report
    on a database host shows when a backup of it was last restored.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes.info
  - bulwark.database._attributes.actiongroup_all
requirements:
  - systemd
  - ssh-keygen
"""

EXAMPLES = r"""
- name: Ask what was restored
  bulwark.database.restore_test_info:
  become: true
  register: found

- name: Insist on proof
  ansible.builtin.assert:
    that:
      - found.tests | length > 0
      - found.tests | rejectattr('signature_valid') | length == 0
      - found.tests | map(attribute='record.outcome') | unique == ['success']
"""

RETURN = r"""
tests:
  description: The restore tests of the host, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the test.
      type: str
      sample: shop
    engine:
      description: What is restored.
      type: str
      sample: postgresql
    source:
      description: Folder with the backups.
      type: str
      sample: /srv/bulwark/backups/shop
    last_success:
      description: When a test last succeeded, in UTC; null if none did.
      type: str
      sample: "2026-11-25T03:00:41Z"
    last_aside:
      description: When it last left the proof to the test of another node of the cluster; null if it never did.
      type: str
    last_failure:
      description: When a test last failed.
      type: str
    last_error:
      description: Why the latest test failed; null after a success.
      type: str
    running:
      description: Whether the test runs now.
      type: bool
    service_failed:
      description: Whether its service failed when it ran last.
      type: bool
    timer_enabled:
      description: Whether its timer is enabled and active.
      type: bool
    next_run:
      description: When systemd starts it next, as it writes times; an empty string without a timer.
      type: str
      sample: Thu 2026-11-26 03:00:00 UTC
    record:
      description:
        - The latest record. It has the backup with the checksums of its files, the moment that was recovered to, the
          seconds that it took, the data that would have been lost, and every check; one with V(made=false) neither
          passed nor failed. Empty before the first test.
      type: dict
      sample: {outcome: success, host: restore1, moment: "2026-11-25T01:12:09Z", recovery_seconds: 12.3}
    record_file:
      description: Where it lies on the host; an empty string before the first test.
      type: str
      sample: /var/lib/bulwark/restore-test/shop/evidence/20261125T030002Z.json
    signature_valid:
      description: Whether a key of the test's C(allowed_signers) signed it.
      type: bool
    signer:
      description: Whose key that is, and its fingerprint.
      type: str
      sample: restore1 (SHA256:FKJgnLbqXqnXtq8a2hxlHyyEFgqMNHDWMEWdZv0aGqE)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.restore_test_info import gather
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run_info


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    run_info(module, gather)


if __name__ == "__main__":
    main()
