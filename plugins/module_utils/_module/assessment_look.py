# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What both engines' assessments have in common: what a look answers, and what only the host shows."""

from __future__ import annotations

import dataclasses
import typing as t

from .._controls.package_policy import DENIED, PROTECTED_PACKAGES, PROTECTED_UNITS
from .._core.observations import Observations, RestoreProof, Unobservable
from .._core.packages import Finding as PackageFinding
from .._core.packages import Host, Policy, judge
from .._core.restore_proofs import restore_proofs
from .._io.assessment_attempt import attempt
from .._io.assessment_host import observe_log_sink, observe_packet_filter, observe_service
from .._io.assessment_software import observe_software, observe_untrusted_sources
from .._io.packages import observe_packages
from .._io.units import observe_enabled_units
from .assessment_backup import observe_backups


class Place(t.Protocol):
    """Where a server of any engine lives."""

    @property
    def process_id(self) -> int | None: ...
    @property
    def unit(self) -> str: ...


@dataclasses.dataclass(frozen=True)
class Look:
    """What was seen of a host.

    :param warnings: what limits the assessment as a whole.
    """

    observations: Observations
    server_version: str = ""
    warnings: tuple[str, ...] = ()


def observe_host(
    location: t.Any, place: Place | None, options: t.Mapping[str, t.Any], *, packages: t.Sequence[str]
) -> dict[str, t.Any]:
    """Fields of Observations that no database is needed for.

    :param location: what stands in for what can't be seen without the place.
    :param packages: patterns of the server's packages.
    """
    process = place.process_id if place else None
    return {
        "service": attempt(lambda: observe_service(place.unit, process)) if place else location,
        "log_sink": attempt(lambda: observe_log_sink(process)) if place else location,
        "packet_filter": attempt(observe_packet_filter),
        "software": attempt(lambda: observe_software(process, packages)),
        "surplus": attempt(lambda: _surplus(options)),
        "untrusted_sources": attempt(observe_untrusted_sources),
        "backups": attempt(lambda: observe_backups(now=options["now"])),
        "restore_proofs": _restore_proofs(options),
    }


def _restore_proofs(options: t.Mapping[str, t.Any]) -> tuple[RestoreProof, ...] | Unobservable:
    tests = options.get("restore_tests")
    if tests is None:
        return Unobservable("nothing was told of restore tests: no host of the inventory makes them")
    return restore_proofs(tests, now=options["now"])


def _surplus(options: t.Mapping[str, t.Any]) -> tuple[PackageFinding, ...]:
    """What the policy of minimal_packages denies. What would go along with it is for that module to find out."""
    policy = Policy(
        denials=DENIED,
        allowed_packages=tuple(options["allowed_packages"] or ()),
        allowed_units=tuple(options["allowed_units"] or ()),
        protected_packages=PROTECTED_PACKAGES,
        protected_units=PROTECTED_UNITS,
    )
    host = Host(observe_packages(), observe_enabled_units())
    return tuple(dataclasses.replace(finding, kept_because="") for finding in judge(host, policy))
