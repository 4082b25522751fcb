# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of ``minimal_packages``: what is installed, enabled and listening on this host."""

from __future__ import annotations

import dataclasses
import typing as t

from .._controls.package_policy import DENIED, PROTECTED_PACKAGES, PROTECTED_UNITS
from .._core.errors import InvalidDeclaration, RefusedForSafety
from .._core.packages import (
    PACKAGE,
    UNIT,
    Denial,
    ExpectedListener,
    Finding,
    Host,
    Policy,
    Removal,
    denied_packages,
    judge,
    judge_packages,
    plan_enforcement,
    removable_packages,
)
from .._core.plan import Plan
from .._io.listeners import observe_listeners
from .._io.packages import observe_packages, remove_packages, simulate_removal
from .._io.units import disable_units, observe_enabled_units


class MinimalPackages:
    """Reports what the policy does not want; removes it only if told to enforce."""

    def __init__(self, policy: Policy, *, enforce: bool) -> None:
        self.policy = policy
        self.enforce = enforce

    def observe(self) -> Host:
        packages = observe_packages()
        simulated = {name: simulate_removal([name]) for name in denied_packages(packages, self.policy)}
        removals = {name: removal for name, removal in simulated.items() if removal is not None}
        host = Host(packages, observe_enabled_units(), observe_listeners(), removals)
        removable = removable_packages(judge_packages(host, self.policy))
        return dataclasses.replace(host, together=self._together(removable)) if removable else host

    def _together(self, names: list[str]) -> Removal:
        removal = simulate_removal(names)
        if removal is None:
            raise RefusedForSafety(
                f"the package manager finds no way to remove {', '.join(names)} together",
                "Allow some of them with allowed_packages, or remove them by hand",
            )
        return removal

    def plan(self, observed: Host) -> Plan:
        return plan_enforcement(observed, self.policy) if self.enforce else Plan()

    def apply(self, plan: Plan, observed: Host) -> None:
        disable_units([change.payload.name for change in plan if isinstance(change.payload, Finding)])
        if observed.together is not None:
            remove_packages(observed.together.requested, expected=observed.together.removed)

    def result(self, observed: Host, plan: Plan) -> dict[str, t.Any]:  # noqa: ARG002 (the interface of subjects)
        findings = judge(observed, self.policy)
        return {
            "compliant": not findings,
            "findings": [_described(finding) for finding in findings],
            "summary": [str(finding) for finding in findings],
            "by_hand": sorted(package.name for package in observed.packages if package.by_hand),
            "enabled_units": list(observed.enabled_units),
            "listeners": [dataclasses.asdict(listener) for listener in observed.listeners],
        }


def subject(options: t.Mapping[str, t.Any]) -> MinimalPackages:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    own = [*_denials(PACKAGE, options["denied_packages"]), *_denials(UNIT, options["denied_units"])]
    policy = Policy(
        denials=(*own, *(DENIED if options["default_denials"] else ())),
        allowed_packages=tuple(options["allowed_packages"]),
        allowed_units=tuple(options["allowed_units"]),
        protected_packages=(*PROTECTED_PACKAGES, *options["protected_packages"]),
        protected_units=(*PROTECTED_UNITS, *options["protected_units"]),
        expected_packages=_patterns(options["expected_packages"]),
        expected_units=_patterns(options["expected_units"]),
        expected_listeners=_listeners(options["expected_listeners"]),
        removal_limit=options["removal_limit"],
    )
    return MinimalPackages(policy, enforce=options["enforce"])


def _denials(kind: str, patterns: t.Sequence[str]) -> list[Denial]:
    bare = [pattern for pattern in patterns if not pattern.strip("*?")]
    if bare:
        raise InvalidDeclaration(f"the denied {kind} pattern {bare[0]!r} would match everything", "Name what you mean")
    return [Denial(kind, tuple(patterns), "denied by your policy")] if patterns else []


def _patterns(patterns: t.Sequence[str] | None) -> tuple[str, ...] | None:
    return None if patterns is None else tuple(patterns)


def _listeners(declared: t.Sequence[t.Mapping[str, t.Any]] | None) -> tuple[ExpectedListener, ...] | None:
    if declared is None:
        return None
    for one in declared:
        if not 0 <= one["port"] <= 65535:
            raise InvalidDeclaration(f"expected_listeners: {one['port']} is not a port", "0 to 65535; 0 is any port")
    return tuple(
        ExpectedListener(one["port"], one["protocol"], one["address"] or "", one["process"] or "") for one in declared
    )


def _described(finding: Finding) -> dict[str, t.Any]:
    return {
        **dataclasses.asdict(finding),
        "along": list(finding.along),
        "removable": finding.removable,
    }
