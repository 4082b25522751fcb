#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_key_file
short_description: Keep the keys of MariaDB's encryption at rest
description:
  - Makes the key file of MariaDB's plugin C(file_key_management), encrypted by a random passphrase that lies in a file
    of its own. Both are readable by their owner alone.
  - Keys that are missing are added. None is ever removed or changed, because what was encrypted with one can't be read
    without it. A key file that can't be decrypted is an error, and is not overwritten.
  - The format is that of C(openssl enc -aes-256-cbc -md sha1), which every MariaDB server reads without more options.
    Servers from 12.0 on know a better derivation (C(file_key_management_use_pbkdf2)); leave it off. The passphrase is
    random, with 256 bits, so that a fast derivation gives nothing away.
  - With O(recipients) the keys in clear are sealed with the program C(age), so that people can restore data when the
    host is gone. They leave the host sealed only.
  - The nodes of a cluster may have different keys, unless state transfers copy files (C(mariabackup), C(rsync)). Then
    they need the same. See the example for how to carry them over.
notes:
  - What the community server writes in clear whatever is set, C(aria_log.*) (rows of Aria's own tables, among them
    accounts), C(galera.cache) and C(GRA_*.log), is encrypted by no key of these.
  - What C(ansible.builtin.slurp) returns holds the keys and their passphrase. Tasks that read or pass them on need
    C(no_log=true).
  - Keep the folder of O(passphrase_path) out of the backups that hold O(path), or the passphrase protects nothing.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
options:
  path:
    description: The key file, for C(file_key_management_filename).
    type: path
    default: /etc/mysql/encryption/keys.enc
  passphrase_path:
    description: File with the passphrase, for C(file_key_management_filekey=FILE:path).
    type: path
    default: /etc/mysql/encryption/passphrase
  owner:
    description: Account that the server runs as.
    type: str
    default: mysql
  group:
    description: Group of the files. Folders that are made are open to it.
    type: str
    default: mysql
  key_ids:
    description:
      - Ids of the keys that have to be there. V(1) must be among them, the server's own files are encrypted with it.
      - Other ids are for tables, which can move from one to another.
    type: list
    elements: int
    default: [1]
  content:
    description:
      - The key file of another node in Base64, as C(ansible.builtin.slurp) returns it. Its keys are taken over instead
        of making any. Needs O(passphrase).
      - Refused when a key that is here differs from it, or is missing in it.
    type: str
  passphrase:
    description:
      - The passphrase file of the node that O(content) is from, in Base64.
      - A passphrase that is here already stays. The keys are then encrypted with it.
    type: str
  recipients:
    description: Public keys of those who are to be able to open RV(sealed), such as C(age1...).
    type: list
    elements: str
    default: []
  seal:
    description:
      - Return RV(sealed) even when nothing was changed, for instance for other O(recipients), or when the last one was
        not kept.
    type: bool
    default: false
requirements:
  - cryptography 3.1 or newer (Debian C(python3-cryptography))
  - age, with O(recipients)
"""

EXAMPLES = r"""
- name: Make the keys on the first node, sealed for the safe
  bulwark.database.mariadb_key_file:
    key_ids: [1, 2]
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
  become: true
  run_once: true
  register: made

- name: Keep what was sealed
  ansible.builtin.copy:
    content: "{{ made.sealed }}"
    dest: /srv/safe/shop-keys.age
    mode: "0600"
  when: made.sealed is defined
  delegate_to: localhost
  run_once: true

- name: Read both files of the first node
  ansible.builtin.slurp:
    src: "/etc/mysql/encryption/{{ item }}"
  become: true
  loop: [keys.enc, passphrase]
  run_once: true
  register: first
  no_log: true

- name: Give the other nodes the same keys
  bulwark.database.mariadb_key_file:
    content: "{{ first.results[0].content }}"
    passphrase: "{{ first.results[1].content }}"
    key_ids: [1, 2]
  become: true
  register: taken
  no_log: true
"""

RETURN = r"""
key_ids:
  description: Ids of the keys that are there.
  returned: success
  type: list
  elements: int
  sample: [1, 2]
fingerprint:
  description:
    - Equal where the keys are equal, so that nodes can be compared. It gives nothing of them away.
    - Empty where there are none, as in check mode.
  returned: success
  type: str
  sample: 4b7a2f0d0c7b7d2b3c2e2f4d0b2f7f3a8a1d6a2d8f5b1f0e9c6b3a7d4e2f1c0b
sealed:
  description:
    - The key file in clear, encrypted by C(age) to O(recipients).
    - Not in check mode before there are keys.
  returned: when there are O(recipients), and something was changed or O(seal) is on
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_key_file import MariaDBKeyFile
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run

OPTIONS = {
    "path": {"type": "path", "default": "/etc/mysql/encryption/keys.enc"},
    "passphrase_path": {"type": "path", "default": "/etc/mysql/encryption/passphrase", "no_log": False},
    "owner": {"type": "str", "default": "mysql"},
    "group": {"type": "str", "default": "mysql"},
    "key_ids": {"type": "list", "elements": "int", "default": [1], "no_log": False},
    "content": {"type": "str", "no_log": True},
    "passphrase": {"type": "str", "no_log": True},
    "recipients": {"type": "list", "elements": "str", "default": []},
    "seal": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    run(module, lambda: opened(MariaDBKeyFile(module.params)))


if __name__ == "__main__":
    main()
