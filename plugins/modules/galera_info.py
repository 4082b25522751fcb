#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: galera_info
short_description: The state of a Galera node, and whether it may be stopped
description:
  - Asks a MariaDB server for its place in a Galera cluster, and says whether the node may be stopped without harm to
    the rest. Changes nothing.
  - A node knows its own state and who is in the cluster, but not the state of the others. For the verdict bring the
    answers of all nodes together with O(members). What is not known counts against stopping.
  - With O(wait) it answers when the node is Synced, for instance after a restart.
  - The server's certificate is read on the host, so run it there, as root.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes.info
  - bulwark.database._attributes.actiongroup_mariadb
  - bulwark.database._mariadb_connection
options:
  members:
    description:
      - What this module returned as RV(galera) on the other nodes of the cluster just now. The node's own answer may be
        among them, it is passed over.
      - A node is known by an identifier that it gets anew each time it joins. An answer from before its restart does
        not count.
    type: list
    elements: dict
    default: []
  expected_size:
    description:
      - Nodes that the cluster has when it is whole. A smaller one must not lose another.
      - With O(wait), the node is waited for until it sees that many.
    type: int
  wait:
    description:
      - Wait until the server answers, its node is Synced, in the primary component, and takes queries.
      - A server that refuses the login is not waited for.
    type: bool
    default: false
  timeout:
    description: Seconds to wait at most. Then the module fails, and says which state the node is in.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Look at the node
  bulwark.database.galera_info:
  become: true
  register: found

- name: Say how long its certificate lasts
  ansible.builtin.debug:
    msg: "{{ found.galera.certificate.days_left }} days, replication in plaintext is refused: {{
      found.galera.replication_tls == 'required' }}"
  when: found.galera.certificate

- name: Ask all nodes
  bulwark.database.galera_info:
  become: true
  delegate_to: "{{ item }}"
  loop: "{{ groups['galera'] }}"
  register: asked

- name: Judge whether this node may be stopped
  bulwark.database.galera_info:
    members: "{{ asked.results | map(attribute='galera') }}"
    expected_size: "{{ groups['galera'] | length }}"
  become: true
  register: judged
  failed_when: judged is failed or not judged.galera.may_stop

- name: Wait after its restart
  bulwark.database.galera_info:
    wait: true
    timeout: 600
    expected_size: "{{ groups['galera'] | length }}"
  become: true
"""

RETURN = r"""
galera:
  description: What was found. For a server without Galera it holds RV(galera.enabled) alone.
  returned: success
  type: dict
  contains:
    enabled:
      description: Whether the server is a node of a Galera cluster.
      type: bool
      sample: true
    name:
      description: The node's name.
      type: str
      sample: db1
    uuid:
      description: What the cluster knows the node by; another one after each restart.
      type: str
      sample: 4a6793f1-e87e-11f1-97ba-efbf3f383c84
    address:
      description: The node's address for the others.
      type: str
      sample: 192.0.2.11
    cluster_name:
      description: The cluster's name.
      type: str
      sample: shop
    cluster_uuid:
      description: Identifier of the cluster's data. Nodes of one cluster have the same.
      type: str
      sample: 4a68e360-e87e-11f1-9605-d6827aa25ce2
    cluster_address:
      description: Where the node looks for the others when it starts.
      type: str
      sample: gcomm://192.0.2.11,192.0.2.12,192.0.2.13
    status:
      description: Of the component that the node is in, V(Primary) where it has a quorum.
      type: str
      sample: Primary
    size:
      description: Nodes in that component.
      type: int
      sample: 3
    weight:
      description: Votes of the node when the quorum is counted (C(pc.weight)).
      type: int
      sample: 1
    cluster_weight:
      description: Votes of all nodes of the component; 0 without a quorum.
      type: int
      sample: 3
    members:
      description:
        - Who is in the cluster. Without a quorum, who was when there was one.
        - Names and identifiers are empty where the account may not read C(mysql.wsrep_cluster_members).
      type: list
      elements: dict
      contains:
        uuid:
          description: What the cluster knows the node by.
          type: str
        name:
          description: The node's name.
          type: str
        address:
          description: Where clients reach the node, as it says.
          type: str
    state:
      description:
        - The node's own state, such as V(Synced), V(Donor/Desynced), V(Joiner), V(Joined) or V(Initialized).
        - V(unknown) while RV(galera.replicates) is false. The server then hides its identifier and votes, too.
      type: str
      sample: Synced
    ready:
      description: Whether the node takes queries.
      type: bool
    connected:
      description: Whether the node is connected to the cluster.
      type: bool
    replicates:
      description: Whether what new sessions write is replicated (C(wsrep_on)).
      type: bool
    synced:
      description: Whether the node is a full part of the cluster, that is Synced, with a quorum, and takes queries.
      type: bool
    desynced:
      description: Whether the node was desynced by hand (C(wsrep_desync)).
      type: bool
    donor:
      description:
        - Whether the node is giving a state transfer to another one. One that stands still by a global read lock, as
          backups take it, looks the same.
      type: bool
    flow_control_active:
      description: Whether writes are held back at this moment, because a node lags behind.
      type: bool
    flow_control_paused:
      description: Fraction of the time since the server's start, or the last C(FLUSH STATUS), that they were held back.
      type: float
      sample: 0.01
    receive_queue:
      description: Write sets that wait to be applied.
      type: int
    receive_limit:
      description: Length of the receive queue from which on the node may ask the others to hold back (C(gcs.fc_limit)).
      type: int
      sample: 16
    send_queue:
      description: Write sets that wait to be sent.
      type: int
    last_committed:
      description: Number of the last transaction that was committed; V(-1) where there is none.
      type: int
    provider:
      description: File of the replication library.
      type: str
      sample: /usr/lib/galera/libgalera_smm.so
    provider_version:
      description: Its version, as it says.
      type: str
      sample: 4.23(rXXXX)
    provider_options:
      description: The library's options by name. Secrets are masked.
      type: dict
      sample: {"pc.weight": "1", "socket.ssl": "YES"}
    replication_tls:
      description:
        - V(required) where traffic between nodes is encrypted, V(off) where it is not.
        - V(optional) is the stage between, in which plaintext is accepted, too (C(socket.dynamic)).
      type: str
      sample: required
    certificate:
      description: What the node shows the others, from the file that C(socket.ssl_cert) names; V(null) without one.
      type: dict
      contains:
        path:
          description: The file.
          type: str
        subject:
          description: Whom it was issued to.
          type: str
        issuer:
          description: Who issued it.
          type: str
        names:
          description: Names and addresses it is good for.
          type: list
          elements: str
        expires:
          description: Its last day.
          type: str
          sample: "2027-02-28"
        days_left:
          description: Days until then; negative when it has expired.
          type: int
        key_matches:
          description: Whether the file of C(socket.ssl_key) belongs to it; V(null) where that can't be told.
          type: bool
    certificate_problem:
      description: Why the certificate could not be read; an empty string without a problem.
      type: str
    allowlist:
      description: Addresses that may join. Empty means everybody; V(null) where it can't be read.
      type: list
      elements: str
    sst_method:
      description: How the node gets a full copy of the data when it joins.
      type: str
      sample: mariabackup
    server_version:
      description: Version of the MariaDB server.
      type: str
      sample: 10.11.19-MariaDB-0+deb12u1
    may_stop:
      description: Whether the node may be stopped now.
      type: bool
    reasons_against_stopping:
      description: What speaks against it, each a sentence; empty where RV(galera.may_stop) is true.
      type: list
      elements: str
      sample: ["the cluster has 2 of 3 nodes"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.galera_info import gather
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_connection import (
    connection_options,
    mariadb_connection,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run_info

OPTIONS = {
    "members": {"type": "list", "elements": "dict", "default": []},
    "expected_size": {"type": "int"},
    "wait": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)
    run_info(module, lambda: gather(mariadb_connection(module.params), module.params))


if __name__ == "__main__":
    main()
