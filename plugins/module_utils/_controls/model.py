# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A control: written once, as data. Hardening, assessment, reports and documentation all derive from this one entry."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import ESSENTIAL, FORENSIC, PRIVACY, STRICT, Check
from .._core.plan import RELOAD

POSTGRESQL: t.Final = "postgresql"
MARIADB: t.Final = "mariadb"
# What looks at the host alone.
EVERY_ENGINE: t.Final = (POSTGRESQL, MARIADB)

# Names of categories, in the order of reports, with their titles.
CATEGORIES: t.Final[dict[str, str]] = {
    "authentication": "Authentication",
    "authorization": "Authorization",
    "backup": "Backups",
    "encryption": "Encryption in transit",
    "filesystem": "Files and sandboxing",
    "logging": "Logging and privacy",
    "network": "Network",
    "packages": "Packages and services",
    "sessions": "Sessions",
}

Value = t.TypeVar("Value")


class _AsEssential:
    """In the place of a value: the one of level essential."""


AS_ESSENTIAL: t.Final = _AsEssential()


@dataclasses.dataclass(frozen=True)
class Choice(t.Generic[Value]):
    """A value by level and log policy; None where nothing is asked for.

    :param essential: at level essential under the policy privacy; the others fall back to it.
    :param strict: at level strict under privacy.  :param forensic: at any level under forensic.
    """

    essential: Value | None
    strict: Value | _AsEssential | None = AS_ESSENTIAL
    forensic: Value | _AsEssential | None = AS_ESSENTIAL

    def of(self, *, level: str, log_policy: str) -> Value | None:
        if log_policy == FORENSIC and not isinstance(self.forensic, _AsEssential):
            return self.forensic
        if level == STRICT and not isinstance(self.strict, _AsEssential):
            return self.strict
        return self.essential


@dataclasses.dataclass(frozen=True)
class Residual:
    """What a control can't keep out, at which levels and under which log policies."""

    text: str
    levels: tuple[str, ...] = (ESSENTIAL, STRICT)
    log_policies: tuple[str, ...] = (PRIVACY, FORENSIC)


@dataclasses.dataclass(frozen=True)
class Control:
    """One statement that holds on a hardened host.

    :param id: stable for ever; reports and waivers refer to it.
    :param level: ``essential`` suits every server, ``strict`` has a price and includes essential.
    :param source: statements of the seeds that it serves, or ``beyond``.
    :param references: published guides that ask for the same.
    :param checks: all of them must pass.
    :param remedy: what to do, as text for people.
    :param activation: ``live``, ``reload`` or ``restart``: when the remedy takes effect.
    :param conflicts: guides that ask for the opposite.
    :param residual: what remains although the control passes.
    """

    id: str
    title: str
    category: str
    rationale: str
    checks: tuple[Check, ...]
    remedy: str
    level: str = ESSENTIAL
    source: tuple[str, ...] = ("beyond",)
    references: tuple[str, ...] = ()
    activation: str = RELOAD
    conflicts: tuple[str, ...] = ()
    residual: tuple[Residual, ...] = ()
    engines: tuple[str, ...] = (POSTGRESQL,)

    def residual_text(self, *, level: str, log_policy: str) -> list[str]:
        return [one.text for one in self.residual if level in one.levels and log_policy in one.log_policies]

    def expected_text(self, *, level: str, log_policy: str) -> str:
        """What is expected, for documentation: every check's own words, in order, without repetition."""
        texts = [check.expected_text(level=level, log_policy=log_policy) for check in self.checks]
        return "; ".join(dict.fromkeys(text for text in texts if text))
