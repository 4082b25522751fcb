# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the module file_permissions manages: a set of policies over files and trees."""

from __future__ import annotations

import typing as t

from .._core.errors import InvalidDeclaration
from .._core.file_plan import Survey, described, plan_mending, total
from .._core.file_policies import parse_policies
from .._core.plan import Plan
from .._io.accounts import Accounts
from .._io.file_tree import find_violations
from .._io.tree_mend import mend


def policy_options() -> dict[str, dict[str, t.Any]]:
    """Options of the module. Modes are raw, because YAML makes numbers of unquoted ones."""
    names = {"type": "list", "elements": "str"}
    rule = {
        "owner": names,
        "group": names,
        "file_mode_max": {"type": "raw"},
        "directory_mode_max": {"type": "raw"},
    }
    policy = {
        "path": {"type": "path", "required": True},
        "recurse": {"type": "bool", "default": False},
        **rule,
        "accept": {"type": "list", "elements": "dict", "options": rule},
        "exclude": {"type": "list", "elements": "str"},
        "required": {"type": "bool", "default": True},
        "one_file_system": {"type": "bool", "default": True},
    }
    return {
        "policies": {"type": "list", "elements": "dict", "required": True, "options": policy},
        "report_limit": {"type": "int", "default": 200},
    }


class FilePermissions:
    """Subject of the runner: see ``Subject``. Raises InvalidDeclaration or RefusedForSafety for a bad declaration."""

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        if options["report_limit"] < 1:
            raise InvalidDeclaration("report_limit is less than 1", "The counts are exact whatever it is")
        self._policies = parse_policies(options["policies"])
        self._report_limit: int = options["report_limit"]
        self._accounts = Accounts()

    def observe(self) -> Survey:
        return find_violations(self._policies, report_limit=self._report_limit, accounts=self._accounts)

    def plan(self, observed: Survey) -> Plan:
        return plan_mending(observed)

    def apply(self, plan: Plan, observed: Survey) -> None:
        del plan  # it describes the first things only; the survey knows them all
        mend(observed, accounts=self._accounts)

    def result(self, observed: Survey, plan: Plan) -> dict[str, t.Any]:
        """What was found to mend, and what the last observation says is left alone."""
        return {
            "violations": [finding.as_dict() for finding in described(plan)],
            "violation_count": total(plan),
            "refused": [finding.as_dict() for finding in observed.refusals],
            "refused_count": observed.refused_count,
            "missing": list(observed.missing),
        }
