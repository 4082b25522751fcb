#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: file_permissions
short_description: Find and mend files and directories that are too open
description:
  - Compares owner, group and permissions of files and whole trees with policies, and mends what goes beyond them.
  - Modes are maxima. Mending takes permissions away and hands things to a declared owner or group. It never grants a
    permission, so nothing becomes more open than it was, and what is stricter than the policy stays as it is.
  - Made for trees that belong to an account that may be hostile, such as a database's service account. Below the path
    of a policy no symbolic link is ever followed or changed. Everything is pinned by a file descriptor and judged
    again before it is changed, so exchanging names for links while this runs gains nothing.
  - Millions of files are fine. Where GNU find is installed it does the looking.
  - Of several policies that cover a thing, the one with the longest path holds, alone.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
attributes:
  platform:
    details: Needs Linux with C(/proc).
options:
  policies:
    description: What holds for which path.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Absolute path of a file or directory.
          - Symbolic links in the path itself are followed once, if they belong to root or to the owner of what they
            lead to. Any other link is refused, because its owner could point the policy at files of somebody else.
          - Directories that the whole system shares, such as V(/etc), V(/var/log) or V(/tmp), are refused.
        type: path
        required: true
      recurse:
        description: Whether the policy holds for everything below O(policies[].path) too.
        type: bool
        default: false
      owner:
        description:
          - Accepted owners, as names or numbers. Things of anybody else are given to the first one.
          - Without it any owner is accepted that the host knows. Things of unknown owners are reported in
            RV(refused).
        type: list
        elements: str
      group:
        description:
          - Accepted groups, as names or numbers. Things of any other group are given to the first one.
          - Without it any group is accepted that the host knows. Things of unknown groups are reported in
            RV(refused).
        type: list
        elements: str
      file_mode_max:
        description:
          - The permissions that a file, pipe or device may have at most, as four octal digits in quotes. A number is
            refused, because YAML makes 416 of an unquoted 0640.
          - The default is V('0775'), so nothing is writable by everybody, set-user-id or set-group-id.
          - The mode of a socket is left alone. It is a setting of its server.
        type: raw
      directory_mode_max:
        description:
          - The permissions that a directory may have at most, as four octal digits in quotes.
          - The sticky bit restricts, so it is never taken away. Where the maximum has it, a directory that group or
            others may change gets it.
          - The default is V('2775').
        type: raw
      accept:
        description:
          - Other combinations that are just as well. What is left out is taken from the policy. A thing that nothing
            accepts is mended to the combination that needs the least change, first of owner, then of group, then of
            mode.
          - A combination with an owner or group that the host does not have is passed over.
        type: list
        elements: dict
        suboptions:
          owner:
            description: As O(policies[].owner).
            type: list
            elements: str
          group:
            description: As O(policies[].group).
            type: list
            elements: str
          file_mode_max:
            description: As O(policies[].file_mode_max).
            type: raw
          directory_mode_max:
            description: As O(policies[].directory_mode_max).
            type: raw
      exclude:
        description:
          - Patterns of what is left alone, with everything below it. V(*) is the only wildcard and matches slashes
            too.
          - A pattern with a slash is compared with the path below O(policies[].path), any other with the name.
        type: list
        elements: str
      required:
        description: Whether it is an error if O(policies[].path) does not exist.
        type: bool
        default: true
      one_file_system:
        description: Leave alone what is mounted below O(policies[].path), bind mounts included.
        type: bool
        default: true
  report_limit:
    description: How many things are described one by one in what is returned. All are mended and counted.
    type: int
    default: 200
notes:
  - A file with several names (hard links) may be a trap, a file of somebody else that was linked into the tree. Its
    owner and group are never changed, and its mode only if it belongs to the owner of its directory and not to root.
    Otherwise it is reported in RV(refused) with a warning.
  - What can't be mended (a file system mounted read-only, the immutable attribute) fails the module at the end and is
    named. Everything else is mended by then.
  - With an access control list, the group's permissions are the upper bound of its entries, so a maximum without
    permissions for the group makes all of them ineffective.
"""

EXAMPLES = r"""
- name: Nobody but the server reads its data
  bulwark.database.file_permissions:
    policies:
      - path: /var/lib/postgresql/15/main
        recurse: true
        owner: postgres
        group: postgres
        file_mode_max: '0600'
        directory_mode_max: '0700'

- name: Configuration and the key of TLS
  bulwark.database.file_permissions:
    policies:
      - path: /etc/postgresql/15/main
        recurse: true
        owner: postgres
        group: postgres
        file_mode_max: '0640'
        directory_mode_max: '0750'
      - path: /etc/postgresql/15/main/server.key
        required: false
        owner: postgres
        group: postgres
        file_mode_max: '0600'
        accept:
          - owner: root
            group: ssl-cert
            file_mode_max: '0640'

- name: What would change in backups, but for the lock files
  bulwark.database.file_permissions:
    policies:
      - path: /var/backups/postgresql
        recurse: true
        required: false
        owner: [postgres, root]
        file_mode_max: '0640'
        directory_mode_max: '0750'
        exclude: ['*.lock', '/tmp']
    report_limit: 20
  check_mode: true
  diff: true
"""

RETURN = r"""
violations:
  description: What was too open and is mended, O(report_limit) of them at most.
  returned: success
  type: list
  elements: dict
  contains:
    policy:
      description: Path of the policy.
      type: str
    path:
      description:
        - Where it is. Control characters, backslashes and bytes that are not UTF-8 are written as escapes.
      type: str
    kind:
      description: V(file), V(directory), V(socket), V(pipe), V(block device) or V(character device).
      type: str
    problems:
      description: What the policy does not accept.
      type: list
      elements: str
      sample: [owner, others may read]
    before:
      description: Owner, group and mode as found.
      type: str
      sample: root:root 0644
    after:
      description: Owner, group and mode after mending.
      type: str
      sample: postgres:postgres 0600
violation_count:
  description: How many things were too open and are mended.
  returned: success
  type: int
refused:
  description: What is not as its policy says but left alone, O(report_limit) of them at most.
  returned: success
  type: list
  elements: dict
  contains:
    policy:
      description: Path of the policy.
      type: str
    path:
      description: Where it is.
      type: str
    kind:
      description: What it is.
      type: str
    problems:
      description: What the policy does not accept.
      type: list
      elements: str
    before:
      description: Owner, group and mode as found.
      type: str
    refused:
      description: Why it is left alone.
      type: str
refused_count:
  description: How many things are left alone.
  returned: success
  type: int
missing:
  description: Paths of policies that do not exist.
  returned: success
  type: list
  elements: str
changes:
  description: What was changed, or would be, one line each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.file_permissions import (
    FilePermissions,
    policy_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run


def main() -> None:
    module = AnsibleModule(argument_spec=policy_options(), supports_check_mode=True)
    run(module, lambda: opened(FilePermissions(module.params)))


if __name__ == "__main__":
    main()
