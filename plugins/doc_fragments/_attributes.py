# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # What every module promises. A module names the ones that hold for it.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and says exactly what a run would change, because both follow the same plan.
    support: full
  diff_mode:
    description: Returns what differs when in diff mode. Secrets are never shown.
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: Where the module can be run.
    platforms: posix
    support: full
"""

    # For modules that only look.
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Never changes anything, so check mode makes no difference.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: N/A
  idempotent:
    description: Never changes anything.
    support: full
  platform:
    description: Where the module can be run.
    platforms: posix
    support: full
"""

    ACTIONGROUP_MARIADB = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/bulwark.database.mariadb) or C(group/bulwark.database.all) in C(module_defaults).
    support: full
    membership:
      - bulwark.database.mariadb
      - bulwark.database.all
"""

    ACTIONGROUP_POSTGRESQL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/bulwark.database.postgresql) or C(group/bulwark.database.all) in C(module_defaults).
    support: full
    membership:
      - bulwark.database.postgresql
      - bulwark.database.all
"""

    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/bulwark.database.all) in C(module_defaults).
    support: full
    membership:
      - bulwark.database.all
"""
