#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: assessment_info
short_description: Judge a database host by the control catalogue
description:
  - Looks at the server and its host, compares what it sees with the controls of the chosen level, and returns a verdict
    with evidence and remedy for each. Changes nothing.
  - Run it as root on the database host itself, with a login that sees everything (PostgreSQL's superuser, MariaDB's
    C(root@localhost)). What could not be seen is
    V(not_observable), with the reason, and never passes.
  - If nobody can log in to the server, the host is judged all the same, and a warning says so.
  - Evidence names objects, never their contents.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes.info
  - bulwark.database._attributes.actiongroup_postgresql
  - bulwark.database._postgresql_connection.common
options:
  engine:
    description: Which database server the host runs.
    type: str
    choices: [mariadb, postgresql]
    default: postgresql
  login_user:
    description: The role or account to log in as. The default is C(postgres), for MariaDB C(root).
    type: str
  login_port:
    description: Port of the server. The default is C(5432), for MariaDB C(3306).
    type: int
  login_unix_socket:
    description:
      - Directory of PostgreSQL's unix socket, or path of MariaDB's. Without it, where distributions have it.
    type: path
  login_db:
    description: Database of PostgreSQL to connect to. MariaDB needs none.
    type: str
    default: postgres
  level:
    description: V(strict) includes V(essential) and asks for what has a price.
    type: str
    choices: [essential, strict]
    default: essential
  log_policy:
    description: V(privacy) keeps statements and their data out of the log. V(forensic) keeps what audits want.
    type: str
    choices: [privacy, forensic]
    default: privacy
  overrides:
    description:
      - Parameters that were given another value than the baseline on purpose, with that value.
      - A control that fails for nothing else is marked as a deviation. It still fails, unless it is waived.
    type: dict
    default: {}
  waivers:
    description: Controls that somebody answers for although they are not kept.
    type: list
    elements: dict
    default: []
    suboptions:
      control:
        description: Identifier of the control.
        type: str
        required: true
      reason:
        description: Why it is not kept.
        type: str
        required: true
      owner:
        description: Who answers for it.
        type: str
        required: true
      expires:
        description: Last day of the waiver, as V(YYYY-MM-DD). After it the control fails again.
        type: str
        required: true
  declared:
    description:
      - Lists of what is right on this host, by name, that controls compare the server with. What is not declared is an
        empty list. A name that is not known is refused.
      - V(superusers) are roles that may be superusers, besides the one the cluster was made with.
      - V(privileged_roles) may have CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS or a predefined role.
      - V(privileged_accounts) are MariaDB's accounts (C(user@host)) and roles that may hold privileges on the whole
        server.
      - V(roaming_accounts) are MariaDB's accounts that may come from any host.
      - V(human_roles) are login roles of people, whose passwords expire.
      - V(extensions) are those that reach files or other servers and are wanted nevertheless.
      - V(trusted_networks) are networks that clients may come from.
      - V(server_names) are names and addresses that clients reach the server by.
      - V(server_packages) are packages of further major versions of the server that are wanted nevertheless.
    type: dict
    default: {}
  exclude_databases:
    description:
      - Databases of PostgreSQL that are not looked into. Controls that ask in every database then can't pass, and name
        what was left out.
    type: list
    elements: str
    default: []
  allowed_packages:
    description: Patterns of packages that are fine, as in M(bulwark.database.minimal_packages).
    type: list
    elements: str
    default: []
  allowed_units:
    description: Patterns of units that are fine, as in M(bulwark.database.minimal_packages).
    type: list
    elements: str
    default: []
  certificate_days:
    description: Days that the server's certificate must still be valid for at least.
    type: int
    default: 14
  restore_tests:
    description:
      - What M(bulwark.database.restore_test_info) returned on the hosts that restore, all in one list. Without it,
        whether a backup of this host can be restored is V(not_observable).
    type: list
    elements: dict
  query_timeout:
    description: Seconds after which a query on the catalogs is given up. Its control is then V(not_observable).
    type: int
    default: 60
requirements:
  - For PostgreSQL, psycopg 3.1 or newer (Debian C(python3-psycopg))
  - For MariaDB, PyMySQL 1.0 or newer (Debian C(python3-pymysql))
seealso:
  - module: bulwark.database.assessment_report
  - module: bulwark.database.restore_test_info
"""

EXAMPLES = r"""
- name: Judge the host by the essential controls
  bulwark.database.assessment_info:
  become: true
  register: judged

- name: Judge it strictly, with a waiver and a setting that differs on purpose
  bulwark.database.assessment_info:
    level: strict
    overrides:
      work_mem: 64MB
    declared:
      human_roles: [ada]
    waivers:
      - control: PG-LOG-001
        reason: The trial of the new application needs it
        owner: operations
        expires: "2099-12-31"
  become: true
  register: judged_strictly

- name: Judge a MariaDB host, or a node of a Galera cluster
  bulwark.database.assessment_info:
    engine: mariadb
    declared:
      privileged_accounts: [dba, backup@localhost]
  become: true
  register: judged_node

- name: Show what fails
  ansible.builtin.debug:
    msg: "{{ judged.assessment.results | selectattr('verdict', 'eq', 'fail') | map(attribute='title') }}"
"""

RETURN = r"""
assessment:
  description: What was found. M(bulwark.database.assessment_report) renders it.
  returned: success
  type: dict
  contains:
    schema:
      description: Version of this structure.
      type: int
      sample: 1
    engine:
      description: The database server.
      type: str
      sample: postgresql
    server_version:
      description: Its version; an empty string where nobody could log in.
      type: str
      sample: "15.18"
    level:
      description: The level it was judged by.
      type: str
      sample: essential
    log_policy:
      description: The log policy it was judged by.
      type: str
      sample: privacy
    assessed_at:
      description: When, in UTC.
      type: str
      sample: "2026-11-22T03:00:00Z"
    score:
      description: Share of the applicable controls that pass or are waived, in percent, rounded down.
      type: int
      sample: 87
    categories:
      description: Score and counts by category.
      type: list
      elements: dict
      contains:
        name:
          description: The category.
          type: str
          sample: logging
        title:
          description: The category for people.
          type: str
          sample: Logging and privacy
        score:
          description: As above; V(null) where no control applies.
          type: int
          sample: 90
        passed:
          description: Controls that pass.
          type: int
        failed:
          description: Controls that fail.
          type: int
        waived:
          description: Controls that are waived.
          type: int
        not_applicable:
          description: Controls that do not apply here.
          type: int
        not_observable:
          description: Controls that could not be judged.
          type: int
    results:
      description: One entry for each control of the level.
      type: list
      elements: dict
      contains:
        id:
          description: Identifier of the control.
          type: str
          sample: PG-LOG-001
        title:
          description: What holds on a hardened host.
          type: str
        category:
          description: Its category.
          type: str
          sample: logging
        level:
          description: V(essential) or V(strict).
          type: str
          sample: essential
        rationale:
          description: Why.
          type: str
        source:
          description: Demands that the control serves.
          type: list
          elements: str
        references:
          description: Published guides that ask for the same.
          type: list
          elements: str
        verdict:
          description: V(pass), V(fail), V(waived), V(not_applicable) or V(not_observable).
          type: str
          sample: fail
        observed:
          description: What was seen.
          type: str
        expected:
          description: What should be.
          type: str
        evidence:
          description: What is wrong, by name. At most ten lines.
          type: list
          elements: str
        remedy:
          description: What to do.
          type: str
        activation:
          description: When the remedy takes effect, V(live), V(reload) or V(restart).
          type: str
          sample: reload
        deviation:
          description: Whether it fails only by what O(overrides) names.
          type: bool
        residual:
          description: What the control can't keep out.
          type: list
          elements: str
        waiver:
          description: The waiver, with whether it has expired; V(null) without one.
          type: dict
    warnings:
      description: What limits the assessment as a whole.
      type: list
      elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.assessment_info import (
    assess_host,
    connection_of,
    connection_options,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import run_info

WAIVER = {name: {"type": "str", "required": True} for name in ("control", "reason", "owner", "expires")}
OPTIONS = {
    "engine": {"type": "str", "choices": ["mariadb", "postgresql"], "default": "postgresql"},
    "level": {"type": "str", "choices": ["essential", "strict"], "default": "essential"},
    "log_policy": {"type": "str", "choices": ["privacy", "forensic"], "default": "privacy"},
    "overrides": {"type": "dict", "default": {}},
    "waivers": {"type": "list", "elements": "dict", "options": WAIVER, "default": []},
    "declared": {"type": "dict", "default": {}},
    "exclude_databases": {"type": "list", "elements": "str", "default": []},
    "allowed_packages": {"type": "list", "elements": "str", "default": []},
    "allowed_units": {"type": "list", "elements": "str", "default": []},
    "certificate_days": {"type": "int", "default": 14},
    "query_timeout": {"type": "int", "default": 60},
    "restore_tests": {"type": "list", "elements": "dict"},
}


def main() -> None:
    module = AnsibleModule(argument_spec={**connection_options(), **OPTIONS}, supports_check_mode=True)

    def gather() -> dict[str, object]:
        assessment = assess_host(connection_of(module.params), module.params)
        for warning in assessment["warnings"]:
            module.warn(warning)
        return {"assessment": assessment}

    run_info(module, gather)


if __name__ == "__main__":
    main()
