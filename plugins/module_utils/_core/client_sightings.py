# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Clients that the enforcement of TLS and SCRAM would break: sighted in views and logs, or accepted. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .errors import InvalidDeclaration, RefusedForSafety

PLAINTEXT: t.Final = "plaintext"
OLD_PROTOCOL: t.Final = "old_protocol"
MD5_PASSWORD: t.Final = "md5_password"  # noqa: S105 - the name of a problem
PROBLEMS: t.Final = (PLAINTEXT, OLD_PROTOCOL, MD5_PASSWORD)

_OLD_PROTOCOLS = ("SSLv3", "TLSv1", "TLSv1.1")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_PROCESS = re.compile(r"\[(\d+)(?:-\d+)?\]")
_RECEIVED = re.compile(r"connection received: host=(\S+)")
_AUTHORIZED = re.compile(
    r"connection authorized: user=(?P<role>.*?)(?: database=(?P<database>.*?))?(?: application_name=.*?)?"
    r"(?: SSL enabled \(protocol=(?P<protocol>[^,]+),.*\))?$"
)


@dataclasses.dataclass(frozen=True, order=True)
class Sighting:
    """One kind of client that enforcement would lock out.

    :param problem: ``plaintext``, ``old_protocol`` or ``md5_password``.
    :param address: where it came from; empty for what is no connection (a stored verifier).
    """

    problem: str
    role: str
    database: str = ""
    address: str = ""

    @property
    def summary(self) -> str:
        """``plaintext: role app in database shop from 10.0.0.5``."""
        where = f" in database {self.database}" if self.database else ""
        origin = f" from {self.address}" if self.address else ""
        return f"{self.problem}: role {self.role}{where}{origin}"

    def as_dict(self) -> dict[str, str]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Acceptance:
    """A sighting that the operator accepts to break, by name. Empty address: from anywhere."""

    problem: str
    role: str
    address: str = ""

    def covers(self, sighting: Sighting) -> bool:
        return (
            self.problem == sighting.problem and self.role == sighting.role and self.address in ("", sighting.address)
        )


def parse_acceptances(declared: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Acceptance, ...]:
    """Raise InvalidDeclaration for a problem that does not exist."""
    accepted = []
    for item in declared:
        if item["problem"] not in PROBLEMS:
            raise InvalidDeclaration(f"{item['problem']!r} is not one of {', '.join(PROBLEMS)}")
        accepted.append(Acceptance(item["problem"], item["role"], item.get("address") or ""))
    return tuple(accepted)


def sighting_of_session(role: str, database: str, address: str, protocol: str | None) -> Sighting | None:
    """A session over TCP as the server's views show it; ``protocol`` is None without TLS."""
    problem = _problem(protocol)
    return Sighting(problem, role, database, address) if problem else None


def sightings_in_log(lines: t.Iterable[str], *, not_before: str) -> set[Sighting]:
    """Connections over TCP that a log written with log_connections=on shows.

    :param not_before: lines with an earlier time are passed over; ``YYYY-MM-DD HH:MM:SS`` in the log's own zone.
    """
    found: set[Sighting] = set()
    hosts: dict[str, str] = {}
    for line in lines:
        process = _PROCESS.search(line)
        if process is None:
            continue
        received = _RECEIVED.search(line)
        if received:
            hosts[process.group(1)] = received.group(1)
            continue
        authorized = _AUTHORIZED.search(line.rstrip("\n"))
        time = _TIME.search(line)
        host = hosts.get(process.group(1), "[local]")
        if not authorized or not time or time.group(0) < not_before or host == "[local]":
            continue
        problem = _problem(authorized["protocol"])
        if problem:
            found.add(Sighting(problem, authorized["role"], authorized["database"] or "", host))
    return found


def refuse_unaccepted(sightings: t.Iterable[Sighting], accepted: t.Sequence[Acceptance], *, hours: float) -> None:
    """Raise RefusedForSafety that names the clients which enforcement would break."""
    blocking = sorted(one for one in sightings if not any(acceptance.covers(one) for acceptance in accepted))
    if not blocking:
        return
    shown = "; ".join(one.summary for one in blocking[:10])
    more = f" and {len(blocking) - 10} more" if len(blocking) > 10 else ""
    raise RefusedForSafety(
        f"enforcing would lock out {len(blocking)} clients seen within {hours:g} h: {shown}{more}",
        "Mend them (sslmode=verify-full, a new password), or accept each by name",
    )


def _problem(protocol: str | None) -> str:
    if protocol is None:
        return PLAINTEXT
    return OLD_PROTOCOL if protocol in _OLD_PROTOCOLS else ""
