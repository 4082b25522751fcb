#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: assessment_report
short_description: Show assessments of one or many hosts as a report
description:
  - Renders what M(bulwark.database.assessment_info) found as a summary in the terminal, one self-contained HTML page,
    JSON, JUnit XML, and Markdown.
  - Works on the controller alone and connects to no host.
  - Reports tell where hosts are weak, so files are readable by their owner alone (C(0600)), and a folder that is made
    for them is C(0700).
  - Beside the reports a folder C(history) keeps the scores and verdicts of each run. The trend is drawn from it, and
    only hosts assessed at the same level and log policy are compared.
options:
  assessments:
    description: Host name and the C(assessment) that M(bulwark.database.assessment_info) returned for it.
    type: dict
    required: true
  before:
    description: Assessments of an earlier moment, of some or all of the hosts, to compare with.
    type: dict
    default: {}
  hosts:
    description: Hosts that should have been assessed. Those missing in O(assessments) are named in the report.
    type: list
    elements: str
    default: []
  report_dir:
    description: Folder on the controller. It is made if it is not there.
    type: path
    required: true
  title:
    description: Title of the report.
    type: str
    default: Database hardening
  formats:
    description:
      - What to write.
      - The names are C(report.html), C(report.json), C(report.junit.xml), C(report.md), C(summary.txt).
    type: list
    elements: str
    choices: [html, json, junit, markdown, text]
    default: [html, json, junit, markdown, text]
  history_keep:
    description: Number of results kept for the trend. The oldest go first.
    type: int
    default: 90
  display:
    description:
      - Print the summary while the task runs, in colour where Ansible itself uses colour.
      - Turn it off where the output of Ansible is read by a program.
    type: bool
    default: true
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
attributes:
  check_mode:
    description: Writes nothing, shows the summary, and says what a run would write.
  idempotent:
    description:
      - A report counts as changed when a verdict, an observed or expected value, a waiver or the title differs from
        what the reports there say, or when a file or its mode is not as it should be.
      - Otherwise files are refreshed, so that they state the time of the latest assessment, and nothing counts as
        changed.
author:
  - The bulwark.database authors (@bulwark-database)
"""

EXAMPLES = r"""
- name: Look at the host
  bulwark.database.assessment_info:
  become: true
  register: found

- name: Show what was found, once for all hosts
  bulwark.database.assessment_report:
    assessments: "{{ {inventory_hostname: found.assessment} }}"
    report_dir: "{{ playbook_dir }}/reports"
  run_once: true
  delegate_to: localhost
  become: false
"""

RETURN = r"""
score:
  description: Mean of the hosts' scores, 0 to 100, rounded down.
  returned: success
  type: int
  sample: 93
before_score:
  description: The same before, if every host was assessed before, else V(null).
  returned: success
  type: int
counts:
  description: How often each verdict was given, over all hosts.
  returned: success
  type: dict
  sample: {"fail": 1, "not_observable": 1, "waived": 1, "pass": 29, "not_applicable": 1}
not_assessed:
  description: Hosts of O(hosts) without an assessment.
  returned: success
  type: list
  elements: str
paths:
  description: Where each format lies.
  returned: success
  type: dict
  sample: {"html": "/srv/reports/report.html"}
summary:
  description: The summary's lines as plain text.
  returned: success
  type: list
  elements: str
changes:
  description: One line for each file that changes.
  returned: success
  type: list
  elements: str
"""
