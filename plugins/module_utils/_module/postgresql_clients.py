# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""The subject of postgresql_clients: record who would be locked out, or refuse to lock them out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

from .._core.client_sightings import Sighting, parse_acceptances, refuse_unaccepted
from .._core.errors import ObservationFailed
from .._core.plan import Change, Plan
from .._io.files import read_file
from .._io.postgresql import ConnectionSettings, Session, open_session
from .._io.postgresql_clients import ObservedClients, observe_clients
from .client_record import write_record_file


@dataclasses.dataclass(frozen=True)
class Observation:
    """What is seen now and what earlier runs recorded."""

    clients: ObservedClients
    recorded: frozenset[Sighting]


class PostgreSQLClients:
    """Clients that the enforcement of TLS and SCRAM would break.

    :param options: the module's parameters.
    """

    def __init__(self, session: Session, options: t.Mapping[str, t.Any]) -> None:
        self._session = session
        self._options = options
        self._accepted = parse_acceptances(options["accept"])

    def observe(self) -> Observation:
        return Observation(
            observe_clients(self._session, hours=self._options["hours"]), read_record(self._options["record_file"])
        )

    def plan(self, observed: Observation) -> Plan:
        if self._options["stage"] == "enforce":
            refuse_unaccepted(observed.clients.sightings, self._accepted, hours=self._options["hours"])
            return Plan(warnings=observed.clients.blind_spots)
        new = sorted(observed.clients.sightings - observed.recorded)
        changes = tuple(Change(f"sighting {one.summary}", after="recorded", payload=one) for one in new)
        return Plan(changes, observed.clients.blind_spots)

    def apply(self, plan: Plan, observed: Observation) -> None:
        seen = sorted({*observed.recorded, *(change.payload for change in plan)})
        write_record_file(self._options["record_file"], [one.as_dict() for one in seen])

    def result(self, observed: Observation, plan: Plan) -> dict[str, t.Any]:
        del plan
        return {
            "clients": [one.as_dict() for one in sorted(observed.clients.sightings)],
            "recorded": [one.as_dict() for one in sorted(observed.recorded)],
        }


def read_record(path: str) -> frozenset[Sighting]:
    """Sightings of earlier runs. Raises ObservationFailed on a file that is not ours."""
    content = read_file(path)
    if content is None:
        return frozenset()
    try:
        return frozenset(Sighting(**item) for item in json.loads(content.data))
    except (ValueError, TypeError):
        raise ObservationFailed(
            f"{path} is no record of client sightings", "Move it away, or name another record_file"
        ) from None


@contextlib.contextmanager
def open_subject(connection: ConnectionSettings, options: t.Mapping[str, t.Any]) -> t.Iterator[PostgreSQLClients]:
    with open_session(connection) as session:
        yield PostgreSQLClients(session, options)
