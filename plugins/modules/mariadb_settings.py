#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mariadb_settings
short_description: Set a whole set of MariaDB server options at once
description:
  - Brings any number of server options to their declared values in one connection and one plan, in a drop-in option
    file for the next start and by C(SET GLOBAL) for the running server.
  - Names, ranges and choices are checked against the server's own catalogue, plugins against its folder of plugins,
    keys of C(wsrep_provider_options) against the loaded provider. The option files as they would become are tried by
    the server's own binary (C(--help --verbose)), which touches no data. Whatever is wrong is refused before anything
    changes, in check mode too.
  - A file that is read after this one and says something else is named with its line, and nothing is changed.
  - Values compare by meaning, so V(128M) is V(134217728).
  - What needs a restart is reported in RV(restart_required); this module never restarts a server.
  - If anything fails half-way, the option file and the variables set so far are put back.
  - It has to run on the database host, as root or as the server's account.
options:
  settings:
    description:
      - Options and their values. Case and dashes in names do not matter.
      - Sizes may end in V(K), V(M), V(G) or V(T). Lists may be given as YAML lists.
      - V(null) takes the entry of O(option_file) out, so that the other files or the default count.
      - C(wsrep_provider_options) may be a mapping. Its keys are merged into those that the option files have. While the
        server runs, only the keys are changed which the provider changes while it runs.
      - C(wsrep_allowlist) is read by the server only when it founds a cluster. The table C(mysql.wsrep_allowlist)
        that the nodes share and look into at each connection, is given the same addresses at once.
      - Libraries in C(plugin_load_add) are added to those that are there, and loaded at the next start.
    type: dict
    default: {}
  secret_settings:
    description:
      - The same for options whose values are secrets, such as C(wsrep_sst_auth). They are shown nowhere.
      - The running server keeps its value until it is restarted.
    type: dict
    default: {}
  plugins:
    description:
      - Plugin libraries, such as V(server_audit), that have to be loaded, at once with C(INSTALL SONAME) and at the
        next start by C(plugin_load_add).
    type: list
    elements: str
    default: []
  level:
    description:
      - Also set what the baseline of this level expects, and load its plugins. O(settings) win over the baseline.
      - Values that depend on the site, such as certificates and addresses, are in no baseline.
      - Encryption at rest, of level V(strict), is set only where a plugin that manages keys is loaded or declared, and
        C(ssl_cipher) only where C(ssl_cert) is set or declared. Without these the server would not start.
      - C(secure_file_priv) is C(/var/lib/mysql-files) in the baseline. The folder has to be there.
    type: str
    choices: [essential, strict]
  log_policy:
    description:
      - Which side the baseline takes where guides contradict each other on logging.
      - With V(privacy) no text of statements is recorded, not even of DDL. With V(forensic) that of DDL and grants is.
    type: str
    choices: [privacy, forensic]
    default: privacy
  leave:
    description:
      - Options of the baseline that this run does not touch, such as C(require_secure_transport) before TLS is live.
      - With a plugin its own options are left, too.
    type: list
    elements: str
    default: []
  option_file:
    description:
      - Path of the option file. Entries of it that are not declared stay. The server has to read it.
      - The default is C(z-bulwark.cnf) in the last folder that the running server's option files read.
      - A new file is readable by root and the server's group only. The permissions of an old one are only narrowed.
    type: path
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_mariadb
  - bulwark.database._mariadb_connection
notes:
  - For options that no variable shows, such as C(symbolic_links) and secrets, RV(restart_required) compares with
    RV(previous_file).
seealso:
  - module: bulwark.database.postgresql_settings
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Refuse plaintext clients and reading files from them
  bulwark.database.mariadb_settings:
    settings:
      require_secure_transport: true
      local_infile: false
      sql_mode: [STRICT_ALL_TABLES, NO_ZERO_DATE, ERROR_FOR_DIVISION_BY_ZERO]
  become: true

- name: Record who connects and which tables are touched, without statement text
  bulwark.database.mariadb_settings:
    plugins: [server_audit]
    settings:
      server_audit_events: CONNECT,TABLE
      server_audit_logging: true
  become: true

- name: TLS between the nodes, without losing the other provider options
  bulwark.database.mariadb_settings:
    settings:
      wsrep_provider_options:
        socket.ssl_ca: /etc/mysql/tls/cluster-ca.pem
        socket.ssl_cert: /etc/mysql/tls/node.pem
        socket.ssl_key: /etc/mysql/tls/node.key
        socket.dynamic: true
    secret_settings:
      wsrep_sst_auth: "sst:{{ sst_password }}"
  become: true
  register: settings

- name: What the baseline asks for, before clients know TLS
  bulwark.database.mariadb_settings:
    level: essential
    leave: [require_secure_transport]
    settings:
      wait_timeout: 7200
  become: true

- name: Say what waits for a restart
  ansible.builtin.debug:
    msg: "{{ item.name }} is {{ item.running }}, will be {{ item.wanted }} ({{ item.set_by }})"
  loop: "{{ settings.restart_required }}"
"""

RETURN = r"""
changes:
  description: A line per change.
  returned: success
  type: list
  elements: str
  sample: ["setting local_infile: ON (compile-time) -> OFF"]
activation:
  description: The most drastic activation among the changes, V(live) or V(restart).
  returned: success
  type: str
  sample: live
option_file:
  description: The file that holds the values.
  returned: success
  type: str
  sample: /etc/mysql/mariadb.conf.d/z-bulwark.cnf
previous_file:
  description:
    - Where the option file is kept as it was when the server was started, from the first change on.
    - Copied over RV(option_file), the next start is like the last one. No server reads it under its own name.
  returned: success
  type: str
  sample: /etc/mysql/mariadb.conf.d/z-bulwark.cnf.previous
restart_required:
  description:
    - Declared options that are in the files and that only a restart makes live. In check mode, those that wait already.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The option.
      type: str
    running:
      description: The value that the server runs with.
      type: str
    wanted:
      description: The declared value; a secret is shown as asterisks.
      type: str
    set_by:
      description: File and line that set it.
      type: str
  sample:
    - name: tls_version
      running: TLSv1.2,TLSv1.3
      wanted: TLSv1.3
      set_by: /etc/mysql/mariadb.conf.d/z-bulwark.cnf line 4
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_connection import (
    connection_options,
    mariadb_connection,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_settings import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run

OPTIONS = {
    "settings": {"type": "dict", "default": {}},
    "secret_settings": {"type": "dict", "default": {}, "no_log": True},
    "plugins": {"type": "list", "elements": "str", "default": []},
    "level": {"type": "str", "choices": ["essential", "strict"]},
    "log_policy": {"type": "str", "choices": ["privacy", "forensic"], "default": "privacy"},
    "leave": {"type": "list", "elements": "str", "default": []},
    "option_file": {"type": "path"},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)
    run(module, lambda: open_subject(mariadb_connection(module.params), module.params))


if __name__ == "__main__":
    main()
