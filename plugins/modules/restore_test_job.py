#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_test_job
short_description: Deploy a scheduled restore test of encrypted backups
description:
  - Puts the program C(bulwark-restore-test), the file that describes a test, and its service and timer in place.
  - A test restores the newest backup of a folder by the commands of its C(RESTORE.txt) into a throwaway server without
    network, recovers it to a random moment that set and log reach, checks what came back, writes a signed record, and
    removes everything. What can't be proven restorable leaves the service in the state C(failed).
  - Commands are run only if C(RESTORE.txt) is, to the byte, what this version of the collection writes. Whoever can
    write to the backups can't make this host run anything else.
  - Account, folders and keys are left to the role P(bulwark.database.restore_test#role).
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
options:
  name:
    description: Name of the test, and part of the names of its files and units. Small letters, digits and hyphens.
    type: str
    default: main
  state:
    description: With V(absent) the units and the file of the test are removed. Evidence, keys and the program stay.
    type: str
    choices: [present, absent]
    default: present
  engine:
    description: What made the backups, as O(bulwark.database.backup_job#module:engine). Needed with O(state=present).
    type: str
    choices: [postgresql, pgbackrest, mariadb]
  source:
    description:
      - Folder with the backups, laid out like a store of M(bulwark.database.backup_job). C(bulwark-restore) has to be
        able to read it. Needed with O(state=present).
      - Of V(pgbackrest) it is the whole store (C(repository), C(passphrase.age), C(RESTORE.txt)), with the times of the
        files, as C(rsync --archive) copies it.
    type: str
  cluster:
    description:
      - Name of the Galera cluster that the backups are of a node of, for O(engine=mariadb). One node makes each backup,
        so that the source of a node that always stood aside holds none. Its test then leaves the proof to another one
        of the same O(cluster) on this host, instead of failing.
      - It does so only where the latest record of one of those is a success, is signed and is at most 8 days old, and
        where its own source never had a backup. Empty for a server without a cluster.
    type: str
    default: ''
  gnupg_identity:
    description:
      - File with the secret key that opens what GnuPG sealed, as C(gpg --export-secret-keys) writes it, without a
        passphrase. Readable for C(bulwark-restore) alone. Empty for none.
      - While a test runs, it is in a keyring of its own in the service's private C(/tmp).
    type: str
    default: ''
  identity:
    description:
      - File with the identity of age, readable for C(bulwark-restore) alone. Empty for none; one of the two is needed,
        and this one for V(pgbackrest), whose passphrase is sealed by age.
    type: str
    default: /etc/bulwark/restore-test/identity.txt
  signing_key:
    description: Private key of OpenSSH that signs the records.
    type: str
    default: /etc/bulwark/restore-test/signing_key
  state_path:
    description: Folder of history, status and evidence. Default is C(/var/lib/bulwark/restore-test/NAME).
    type: str
  scratch:
    description: Folder in which servers are restored. It holds data in clear while a test runs.
    type: str
    default: /var/lib/bulwark/restore-scratch
  scratch_size:
    description:
      - Size of a file system in memory that takes the place of O(scratch) while a test runs, such as V(8G) or V(50%).
        It goes with the service, whatever ends it. Empty for O(scratch) on disk.
    type: str
    default: ''
  binaries:
    description: Folder of PostgreSQL's programs on this host. Default is the one that C(RESTORE.txt) names.
    type: str
    default: ''
  administrator:
    description: First superuser of the PostgreSQL server that was backed up.
    type: str
    default: postgres
  with_older:
    description: Whether a random older backup is tested as well, after the newest, where there is one.
    type: bool
    default: true
  extended_check:
    description: >-
      Whether C(pg_amcheck) compares every index with its table, and C(mariadb-check) every row. Otherwise they look at
      the structure only.
    type: bool
    default: true
  queries:
    description:
      - Questions to the restored server. The answer to each has to be a number that is not less than its minimum.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What it is called in the record. The query itself does not stand there.
        type: str
        required: true
      database:
        description: The database to ask. Needed for PostgreSQL.
        type: str
        default: ''
      query:
        description: The statement.
        type: str
        required: true
      minimum:
        description: The least answer that passes.
        type: float
        default: 1.0
  rto_seconds:
    description: Seconds that a recovery may take, from the first command of C(RESTORE.txt) to a server that answers.
    type: int
    default: 14400
  rpo_seconds:
    description:
      - Seconds that the newest moment that can be restored may lie back when the test starts.
      - With V(0) the test decides by what the source holds, 900 for PostgreSQL and for MariaDB with binary logs, which
        come every few minutes, and 90000 for MariaDB's full backups alone.
    type: int
    default: 0
  smallest_share:
    description:
      - Share of the tables of each database, and of the rows of all, that there have to be, measured by the record of
        the latest success that recovered to no later moment. V(0) has nothing judged.
      - Where so much was deleted on purpose, lower it for one test; its record is the measure from then on.
    type: float
    default: 0.5
  deadline_seconds:
    description: Seconds after which a restore is ended.
    type: int
    default: 43200
  pull_command:
    description:
      - Program and arguments that bring O(source) up to date before each test, such as C(rsync) over C(ssh) with a key
        that may only read. It runs in a service of its own, with a network and without the keys.
    type: list
    elements: str
    default: []
  key_files:
    description:
      - Where the keys of a MariaDB server that encrypts its tables lie on this host, by the path where the server looks
        for them. The test's service, and nothing else, sees them there. C(bulwark-restore) has to be able to read them.
    type: dict
    default: {}
  timer:
    description:
      - Whether the test runs by itself, as O(calendar) says. With V(false) it has no timer, and somebody starts its
        service. That is for a source which nothing brings up to date by itself.
    type: bool
    default: true
  calendar:
    description: When it runs, as C(OnCalendar=) of systemd takes it.
    type: str
    default: '*-*-* 03:00:00 UTC'
  randomized_delay:
    description: Seconds at most that are added at random.
    type: int
    default: 0
  on_failure_units:
    description: Units that systemd starts when a test or its pull fails, such as V(restore-alert@%n.service).
    type: list
    elements: str
    default: []
requirements:
  - systemd
  - Python 3.9 or newer as C(/usr/bin/python3)
  - age, zstd, ssh-keygen
  - PostgreSQL, or MariaDB with mariadb-backup, of the version that was backed up
  - pgBackRest, as new as that of the source or newer, for O(engine=pgbackrest)
"""

EXAMPLES = r"""
- name: Prove each night that the shop can be restored
  bulwark.database.restore_test_job:
    name: shop
    engine: postgresql
    source: /srv/backups/shop
    rto_seconds: 3600
    rpo_seconds: 900
    queries:
      - name: orders of this week
        database: shop
        query: SELECT count(*) FROM orders WHERE placed > now() - interval '7 days'
        minimum: 100
    on_failure_units: [restore-alert@%n.service]
  become: true

- name: Prove it of a cluster whose tables are encrypted
  bulwark.database.restore_test_job:
    name: ledger
    engine: mariadb
    source: /srv/backups/ledger
    key_files:
      /etc/mysql/encryption/keys.enc: /etc/bulwark/restore-test/ledger.keys/keys.enc
      /etc/mysql/encryption/passphrase: /etc/bulwark/restore-test/ledger.keys/passphrase
  become: true

- name: Take the test away; its evidence stays
  bulwark.database.restore_test_job:
    name: shop
    state: absent
  become: true
"""

RETURN = r"""
test_file:
  description: The file that describes the test.
  returned: O(state=present)
  type: str
  sample: /etc/bulwark/restore-test/shop.json
evidence:
  description: Folder of the signed records.
  returned: O(state=present)
  type: str
  sample: /var/lib/bulwark/restore-test/shop/evidence
units:
  description: Services, and the timer if there is one.
  returned: O(state=present)
  type: list
  elements: str
  sample: [bulwark-restore-test-shop.service, bulwark-restore-test-shop.timer]
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.restore_test_job import subject, test_options
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run


def main() -> None:
    module = AnsibleModule(argument_spec=test_options(), supports_check_mode=True)
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
