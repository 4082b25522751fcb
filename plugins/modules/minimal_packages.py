#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: minimal_packages
short_description: Report or remove packages, units and listeners a database host should not have
description:
  - Compares what is installed, which units start by themselves and which sockets listen with a policy.
  - It reports. Only with O(enforce=true) does it disable and remove what is denied.
  - Before anything goes, the package manager is asked what would go along, in check mode too. A package stays, and its
    finding says why, when its removal would take along what the database, SSH, Ansible or the package manager needs.
  - Packages are removed, never purged, so their configuration files and data stay. Nothing is removed automatically
    besides what depends on a removed package.
  - What is merely not among the expected packages, units or listeners is reported and never touched.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
attributes:
  platform:
    platforms: debian
options:
  enforce:
    description: Disable the denied units and remove the denied packages that can go.
    type: bool
    default: false
  default_denials:
    description:
      - Deny what comes with the collection, such as compilers, debuggers, telnet, rsh, FTP, TFTP, NIS and talk,
        graphical desktops, avahi, cups, rpcbind, and the clients of databases that are not installed here.
    type: bool
    default: true
  denied_packages:
    description: Patterns (shell wildcards) of more packages to deny.
    type: list
    elements: str
    default: []
  denied_units:
    description: Patterns of more units to deny.
    type: list
    elements: str
    default: []
  allowed_packages:
    description: Patterns of packages that are fine although they are denied or not expected.
    type: list
    elements: str
    default: []
  allowed_units:
    description: Patterns of units that are fine although they are denied or not expected.
    type: list
    elements: str
    default: []
  protected_packages:
    description:
      - Patterns of packages that must never go, not even along with another, besides those the collection protects.
    type: list
    elements: str
    default: []
  protected_units:
    description: Patterns of units that must never be disabled, besides those the collection protects.
    type: list
    elements: str
    default: []
  expected_packages:
    description:
      - Patterns of the packages that may be installed by hand. Others are reported.
      - Protected packages and those the system can't do without need not be named. Left out, this is not judged.
    type: list
    elements: str
  expected_units:
    description: Patterns of the units that may be enabled. Others are reported. Left out, this is not judged.
    type: list
    elements: str
  expected_listeners:
    description: The sockets that may listen. Others are reported, never closed. Left out, this is not judged.
    type: list
    elements: dict
    suboptions:
      port:
        description: Port; V(0) stands for any.
        type: int
        required: true
      protocol:
        description: Protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      address:
        description: Address it is bound to, as in C(/proc/net), V(0.0.0.0) or V(::) for all. Left out, any.
        type: str
      process:
        description: Name of the process, with shell wildcards. Left out, any.
        type: str
  removal_limit:
    description: If more packages than this would go in one run, nothing is done and the run fails with the list.
    type: int
    default: 50
"""

EXAMPLES = r"""
- name: Report what a database host should not have
  bulwark.database.minimal_packages:
    expected_listeners:
      - port: 22
        process: sshd
      - port: 5432
        process: postgres
  become: true
  register: surplus

- name: Show the findings
  ansible.builtin.debug:
    var: surplus.summary

- name: Remove what is denied, but keep strace
  bulwark.database.minimal_packages:
    enforce: true
    allowed_packages: [strace]
    denied_packages: [nmap, wireshark*]
  become: true
"""

RETURN = r"""
compliant:
  description: Whether there is no finding (left) at all.
  returned: success
  type: bool
  sample: false
findings:
  description: What deviates from the policy, after the run.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(package), V(unit) or V(listener).
      type: str
    name:
      description: Its name; for a listener protocol, address, port and owner.
      type: str
    reason:
      description: Why it should not be there.
      type: str
    denied:
      description: Whether it is denied. If not, it is merely not expected.
      type: bool
    along:
      description: Packages that would go along with it.
      type: list
      elements: str
    kept_because:
      description: Why it stays even with O(enforce=true); empty if it can go.
      type: str
    removable:
      description: Whether O(enforce=true) removes or disables it.
      type: bool
  sample:
    - kind: package
      name: gcc-12
      reason: a compiler or build tool helps an intruder to build tools on the host
      denied: true
      along: [g++-12]
      kept_because: ""
      removable: true
summary:
  description: The findings as one line each, for people.
  returned: success
  type: list
  elements: str
by_hand:
  description: Packages marked as installed by hand.
  returned: success
  type: list
  elements: str
enabled_units:
  description: Units that start by themselves.
  returned: success
  type: list
  elements: str
listeners:
  description: Sockets that listen.
  returned: success
  type: list
  elements: dict
  contains:
    protocol:
      description: V(tcp) or V(udp).
      type: str
    address:
      description: Address it is bound to.
      type: str
    port:
      description: Port.
      type: int
    process:
      description: Name of the process, empty if it can't be told.
      type: str
    unit:
      description: The systemd unit of the process, empty if there is none.
      type: str
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.minimal_packages import subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run

_NAMES = {"type": "list", "elements": "str"}


def argument_spec() -> dict:
    listener = {
        "port": {"type": "int", "required": True},
        "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        "address": {"type": "str"},
        "process": {"type": "str"},
    }
    patterns = ("denied_packages", "denied_units", "allowed_packages", "allowed_units")
    return {
        "enforce": {"type": "bool", "default": False},
        "default_denials": {"type": "bool", "default": True},
        **{name: {**_NAMES, "default": []} for name in (*patterns, "protected_packages", "protected_units")},
        "expected_packages": {**_NAMES},
        "expected_units": {**_NAMES},
        "expected_listeners": {"type": "list", "elements": "dict", "options": listener},
        "removal_limit": {"type": "int", "default": 50},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
