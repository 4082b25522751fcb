# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # In step with plugins/module_utils/_module/postgresql_settings.py
    DOCUMENTATION = r"""
options:
  settings:
    description:
      - Parameters and their values. Names are compared without regard to case.
      - Numbers may have the units that PostgreSQL knows. Lists may be given as YAML lists.
      - V(null) takes the entry that this module would have written out again, so that the other files or the default
        count.
    type: dict
    default: {}
  level:
    description:
      - Also set what the baseline of this level expects. O(settings) win over the baseline.
      - Libraries that the baseline wants preloaded are added to those that are there.
    type: str
    choices: [essential, strict]
  log_policy:
    description:
      - Which side the baseline takes where guides contradict each other on logging.
      - With V(privacy) failing statements and their data stay out of the log, with V(forensic) they are recorded.
    type: str
    choices: [privacy, forensic]
    default: privacy
  preload_libraries:
    description:
      - Libraries that have to be in C(shared_preload_libraries), besides those that are there already.
    type: list
    elements: str
    default: []
  persist:
    description:
      - Where values are written.
      - V(auto) is V(alter_system), or V(include_file) where C(allow_alter_system) is off or declared off.
      - With V(include_file), entries in C(postgresql.auto.conf) that contradict are cleared first, because that file is
        read last. The module has to run on the database host.
    type: str
    choices: [auto, alter_system, include_file]
    default: auto
  include_file:
    description:
      - Path of the include file. Entries of it that are not declared stay.
      - The default is C(conf.d/bulwark.conf) beside C(postgresql.conf). If C(postgresql.conf) does not read it yet, a
        line that does is added at its end.
    type: path
  reload_timeout:
    description: Seconds to wait until the server has taken up a reload.
    type: float
    default: 10
"""
