# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""From what a survey of files found to a plan: findings by the hundred, counts exact, memory bounded."""

from __future__ import annotations

import dataclasses
import typing as t

from .files import Policy
from .plan import Change, Plan


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that a policy does not accept.

    :param policy: path of the policy.
    :param path: for people (see ``readable_path``), absolute.
    :param before: ``root:root 0644``.
    :param after: what mending makes of it.
    :param refused: why it is left alone; empty where it is mended.
    """

    policy: str
    path: str
    kind: str
    before: str
    after: str
    problems: tuple[str, ...]
    refused: str = ""

    def as_dict(self) -> dict[str, t.Any]:
        answer = {"policy": self.policy, "path": self.path, "kind": self.kind, "problems": list(self.problems)}
        answer.update({"before": self.before, "refused": self.refused} if self.refused else {})
        return answer if self.refused else {**answer, "before": self.before, "after": self.after}


@dataclasses.dataclass
class TreeSurvey:
    """What was found below the path of one policy. Grows while the scan runs.

    :param resolved: the policy's path with its links resolved; empty if there is nothing.
    :param to_mend: relative paths of everything that is to be mended, each ended by NUL: compact, because there may be
        a million of them.
    :param findings: the first of what is to be mended.
    :param refusals: the first of what is left alone.
    """

    policy: Policy
    resolved: str = ""
    to_mend: bytearray = dataclasses.field(default_factory=bytearray)
    count: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)
    refused_count: int = 0
    refusals: list[Finding] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found for all policies.

    :param missing: paths of policies that do not exist (and need not).
    :param warnings: one line each.
    """

    trees: tuple[TreeSurvey, ...]
    report_limit: int
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many things are to be mended."""
        return sum(tree.count for tree in self.trees)

    @property
    def refused_count(self) -> int:
        """How many things are not as their policy says and are left alone."""
        return sum(tree.refused_count for tree in self.trees)

    @property
    def findings(self) -> list[Finding]:
        """What is to be mended, ``report_limit`` at most."""
        return [finding for tree in self.trees for finding in tree.findings][: self.report_limit]

    @property
    def refusals(self) -> list[Finding]:
        """What is left alone, ``report_limit`` at most."""
        return [finding for tree in self.trees for finding in tree.refusals][: self.report_limit]


def plan_mending(survey: Survey) -> Plan:
    """A change per finding up to the report's limit, and one for all that are beyond it."""
    findings = survey.findings
    changes = [Change(f"{found.kind} {found.path}", found.before, found.after, payload=found) for found in findings]
    beyond = survey.count - len(findings)
    if beyond:
        paths = ", ".join(tree.policy.path for tree in survey.trees if tree.count)
        changes.append(Change(f"{beyond} more below {paths}", "too open", "as the policy says", payload=beyond))
    return Plan(tuple(changes), survey.warnings + _refusal_warning(survey))


def described(plan: Plan) -> list[Finding]:
    """The findings that a plan of ``plan_mending`` describes one by one."""
    return [change.payload for change in plan if isinstance(change.payload, Finding)]


def total(plan: Plan) -> int:
    """How many things a plan of ``plan_mending`` mends."""
    return sum(1 if isinstance(change.payload, Finding) else int(change.payload) for change in plan)


def _refusal_warning(survey: Survey) -> tuple[str, ...]:
    if not survey.refused_count:
        return ()
    first = survey.refusals[:3]
    named = "; ".join(f"{found.path} ({', '.join(found.problems)}): {found.refused}" for found in first)
    more = f"; and {survey.refused_count - len(first)} more" if survey.refused_count > len(first) else ""
    return (f"{survey.refused_count} not as their policy says, but left alone: {named}{more}",)
