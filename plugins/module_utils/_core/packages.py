# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which packages, units and listening sockets a database host may have, judged without touching the host.

A policy says what is denied (with a reason), what is allowed nevertheless, and what is expected. What is found is
judged against it. A denied package goes only when its removal takes nothing along that the database, SSH or the package
manager needs: what would go along is not guessed here but comes from the package manager's own simulation.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t

from .errors import RefusedForSafety
from .plan import Change, Plan

PACKAGE: t.Final = "package"
UNIT: t.Final = "unit"


@dataclasses.dataclass(frozen=True)
class Denial:
    """What must not be there, and why.

    :param kind: ``package`` or ``unit``.
    :param patterns: names with shell wildcards.
    :param unless_installed: no denial where one of these packages is installed: a server wants its own client tools.
    """

    kind: str
    patterns: tuple[str, ...]
    reason: str
    unless_installed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ExpectedListener:
    """A socket that may listen. An empty address or process stands for any, port 0 for any port."""

    port: int
    protocol: str = "tcp"
    address: str = ""
    process: str = ""


@dataclasses.dataclass(frozen=True)
class Policy:
    """What the user declares, with the collection's own lists already merged in.

    :param expected_packages: patterns of the packages that may be installed by hand; None: not judged.
    :param expected_units: patterns of the units that may be enabled; None: not judged.
    :param expected_listeners: the sockets that may listen; None: not judged.
    :param removal_limit: more packages than this never go in one run.
    """

    denials: tuple[Denial, ...] = ()
    allowed_packages: tuple[str, ...] = ()
    allowed_units: tuple[str, ...] = ()
    protected_packages: tuple[str, ...] = ()
    protected_units: tuple[str, ...] = ()
    expected_packages: tuple[str, ...] | None = None
    expected_units: tuple[str, ...] | None = None
    expected_listeners: tuple[ExpectedListener, ...] | None = None
    removal_limit: int = 50


@dataclasses.dataclass(frozen=True)
class Package:
    """An installed package.

    :param by_hand: marked as installed by the user, not as somebody's dependency.
    :param essential: the package manager itself says that the system needs it.
    """

    name: str
    version: str
    by_hand: bool = False
    essential: bool = False


@dataclasses.dataclass(frozen=True)
class Removal:
    """What the package manager says would happen if these packages were removed.

    :param removed: every package that would go, the requested ones too.
    :param installed: packages that would come in as a replacement.
    """

    requested: tuple[str, ...]
    removed: tuple[str, ...]
    installed: tuple[str, ...] = ()

    @property
    def along(self) -> tuple[str, ...]:
        return tuple(name for name in self.removed if name not in self.requested)


@dataclasses.dataclass(frozen=True)
class Listener:
    """A listening TCP socket or a bound UDP socket. Process and unit are empty where they can't be told."""

    protocol: str
    address: str
    port: int
    process: str = ""
    unit: str = ""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One deviation from the policy.

    :param kind: ``package``, ``unit`` or ``listener``.
    :param denied: on the deny-list; otherwise merely not on the list of what is expected.
    :param along: packages that would go along with it.
    :param kept_because: why it stays even under enforcement; empty where it can go.
    """

    kind: str
    name: str
    reason: str
    denied: bool = False
    along: tuple[str, ...] = ()
    kept_because: str = ""

    @property
    def removable(self) -> bool:
        return self.denied and not self.kept_because

    def __str__(self) -> str:
        parts = [f"{self.kind} {self.name}: {self.reason}"]
        if self.kept_because:
            parts.append(f"kept, because {self.kept_because}")
        elif self.along:
            parts.append("would take along " + ", ".join(self.along))
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True)
class Host:
    """What was observed.

    :param removals: for each denied package the simulation of its removal alone.
    :param together: the simulation of removing all that can go; None where there is nothing to remove.
    """

    packages: tuple[Package, ...] = ()
    enabled_units: tuple[str, ...] = ()
    listeners: tuple[Listener, ...] = ()
    removals: t.Mapping[str, Removal] = dataclasses.field(default_factory=dict)
    together: Removal | None = None


def matches(name: str, patterns: t.Iterable[str]) -> bool:
    """Whether a package (an architecture qualifier left aside) or a unit matches one of the patterns."""
    bare = name.partition(":")[0]
    return any(fnmatch.fnmatchcase(bare, pattern) or name == pattern for pattern in patterns)


def denied_packages(packages: t.Sequence[Package], policy: Policy) -> list[str]:
    """Names of the installed packages that the policy denies: those whose removal is worth a simulation."""
    applicable = _applicable(policy, [package.name for package in packages])
    return [package.name for package in packages if _denial(PACKAGE, package.name, applicable)]


def judge_packages(host: Host, policy: Policy) -> list[Finding]:
    """Findings on packages, in order of name. A denied package without a simulation stays."""
    protected = {package.name for package in host.packages if is_protected(package, policy)}
    applicable = _applicable(policy, [package.name for package in host.packages])
    found = []
    for package in sorted(host.packages, key=lambda package: package.name):
        denial = _denial(PACKAGE, package.name, applicable)
        if denial is not None:
            removal = host.removals.get(package.name)
            kept = _kept_because(package.name, removal, protected)
            along = removal.along if removal else ()
            found.append(Finding(PACKAGE, package.name, denial.reason, True, along, kept))
        elif _is_unexpected(package, policy, protected):
            found.append(Finding(PACKAGE, package.name, "installed by hand, but not among the expected packages"))
    return found


def judge_units(host: Host, policy: Policy) -> list[Finding]:
    found = []
    for unit in sorted(host.enabled_units):
        denial = _denial(UNIT, unit, policy)
        if denial is not None:
            kept = "it is protected" if matches(unit, policy.protected_units) else ""
            found.append(Finding(UNIT, unit, denial.reason, True, (), kept))
        elif policy.expected_units is not None and not matches(unit, policy.expected_units + policy.allowed_units):
            found.append(Finding(UNIT, unit, "enabled, but not among the expected units"))
    return found


def judge_listeners(host: Host, policy: Policy) -> list[Finding]:
    """Sockets that nobody declared. They are reported and never closed: whose they are is for people to say."""
    if policy.expected_listeners is None:
        return []
    return [
        Finding("listener", listener_name(listener), "listens, but is not among the expected listeners")
        for listener in host.listeners
        if not any(is_expected(listener, expected) for expected in policy.expected_listeners)
    ]


def judge(host: Host, policy: Policy) -> list[Finding]:
    return judge_packages(host, policy) + judge_units(host, policy) + judge_listeners(host, policy)


def plan_enforcement(host: Host, policy: Policy) -> Plan:
    """Disable and remove what the policy denies. Units first, so that nothing of theirs runs while packages go.

    Raises RefusedForSafety when all removals together touch a protected package although each alone did not, or when
    more packages would go than the policy's limit allows.
    """
    changes = [
        Change(f"unit {finding.name}", before="enabled", after="disabled", payload=finding)
        for finding in judge_units(host, policy)
        if finding.removable
    ]
    if host.together is not None:
        changes += _package_changes(host, policy, together=host.together)
    return Plan(tuple(changes))


def removable_packages(findings: t.Iterable[Finding]) -> list[str]:
    return [finding.name for finding in findings if finding.kind == PACKAGE and finding.removable]


def is_protected(package: Package, policy: Policy) -> bool:
    return package.essential or matches(package.name, policy.protected_packages)


def is_expected(listener: Listener, expected: ExpectedListener) -> bool:
    return (
        expected.port in (0, listener.port)
        and expected.protocol == listener.protocol
        and expected.address in ("", listener.address)
        and (not expected.process or fnmatch.fnmatchcase(listener.process, expected.process))
    )


def listener_name(listener: Listener) -> str:
    address = f"[{listener.address}]" if ":" in listener.address else listener.address
    owner = " ".join(part for part in (listener.process, f"({listener.unit})" if listener.unit else "") if part)
    return f"{listener.protocol} {address}:{listener.port}" + (f" by {owner}" if owner else "")


def _package_changes(host: Host, policy: Policy, *, together: Removal) -> list[Change]:
    _refuse_unsafe(host, policy, together=together)
    versions = {package.name: package.version for package in host.packages}
    reasons = dict.fromkeys(together.requested, "removed")
    return [
        Change(
            f"package {name}",
            before=f"installed ({versions.get(name, 'unknown version')})",
            after=reasons.get(name, "removed, goes along"),
            payload=name,
        )
        for name in sorted(together.removed, key=lambda name: (name not in reasons, name))
    ]


def _refuse_unsafe(host: Host, policy: Policy, *, together: Removal) -> None:
    protected = [p.name for p in host.packages if p.name in together.removed and is_protected(p, policy)]
    if protected:
        raise RefusedForSafety(
            f"removing {', '.join(together.requested)} together would take along {', '.join(sorted(protected))}",
            "Allow some of them with allowed_packages, or remove them by hand",
        )
    if together.installed:
        raise RefusedForSafety(
            f"removing {', '.join(together.requested)} would install {', '.join(together.installed)} instead",
            "Remove them by hand, or allow them with allowed_packages",
        )
    if len(together.removed) > policy.removal_limit:
        raise RefusedForSafety(
            f"{len(together.removed)} packages would go, more than the limit of {policy.removal_limit}: "
            + ", ".join(sorted(together.removed)),
            "If that is what you want, raise removal_limit",
        )


def _applicable(policy: Policy, installed: t.Sequence[str]) -> Policy:
    """The policy without the denials that do not apply because of what is installed."""
    denials = [d for d in policy.denials if not any(matches(name, d.unless_installed) for name in installed)]
    return dataclasses.replace(policy, denials=tuple(denials))


def _denial(kind: str, name: str, policy: Policy) -> Denial | None:
    allowed = policy.allowed_packages if kind == PACKAGE else policy.allowed_units
    if matches(name, allowed):
        return None
    return next((denial for denial in policy.denials if denial.kind == kind and matches(name, denial.patterns)), None)


def _kept_because(name: str, removal: Removal | None, protected: t.Collection[str]) -> str:
    if name in protected:
        return "it is protected"
    if removal is None:
        return "the package manager finds no way to do without it"
    needed_by = sorted(other for other in removal.along if other in protected)
    if needed_by:
        return f"{', '.join(needed_by[:5])} would go along"
    if removal.installed:
        return f"its removal would install {', '.join(removal.installed)}"
    return ""


def _is_unexpected(package: Package, policy: Policy, protected: t.Collection[str]) -> bool:
    if policy.expected_packages is None or not package.by_hand or package.name in protected:
        return False
    return not matches(package.name, policy.expected_packages + policy.allowed_packages)
