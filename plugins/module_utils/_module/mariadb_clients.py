# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of mariadb_clients: record who would be locked out, or refuse to lock them out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import typing as t

from .._core.account_sightings import (
    AccountSighting,
    merge_sightings,
    parse_account_acceptances,
    refuse_unaccepted_accounts,
    sightings_of_passwords,
    sightings_of_sessions,
    still_open,
)
from .._core.errors import InvalidDeclaration, ObservationFailed
from .._core.plan import Change, Plan
from .._io.files import read_file
from .._io.mariadb import MariaDBConnection, Session, open_session
from .._io.mariadb_clients import ObservedLogins, observe_logins
from .client_record import write_record_file


@dataclasses.dataclass(frozen=True)
class Observation:
    """What is seen now and what earlier runs recorded."""

    logins: ObservedLogins
    sightings: frozenset[AccountSighting]
    recorded: frozenset[AccountSighting]


class MariaDBClients:
    """Accounts that the enforcement of TLS or of a password lifetime would lock out.

    :param options: the module's parameters.
    """

    def __init__(self, session: Session, options: t.Mapping[str, t.Any]) -> None:
        self._session = session
        self._options = options
        self._accepted = parse_account_acceptances(options["accept"])
        self._excluded = frozenset(options["exclude"])
        self._seen: ObservedLogins | None = None
        for name, least in (("seconds", 0), ("days", 0), ("password_lifetime", 1)):
            if options[name] is not None and options[name] < least:
                raise InvalidDeclaration(f"{name} is {options[name]}", f"It is {least} or more")

    def observe(self) -> Observation:
        """Sessions are looked at once: looking again after the record was written would take as long again."""
        if self._seen is None:
            self._seen = observe_logins(self._session, seconds=self._options["seconds"])
        today = _day(self._seen.now)
        found = sightings_of_sessions(self._seen.sessions, self._seen.logins, today=today)
        if self._options["password_lifetime"]:
            lifetime = self._options["password_lifetime"]
            found |= sightings_of_passwords(self._seen.logins, lifetime=lifetime, now=self._seen.now, today=today)
        sightings = frozenset(one for one in found if one.account not in self._excluded)
        return Observation(self._seen, sightings, read_account_record(self._options["record_file"]))

    def plan(self, observed: Observation) -> Plan:
        warnings = (observed.logins.blindness,) if observed.logins.blindness else ()
        if self._options["stage"] == "enforce":
            refuse_unaccepted_accounts(observed.sightings | self._earlier(observed), self._accepted)
            return Plan(warnings=warnings)
        days = {one: one.last_seen for one in observed.recorded}
        changes = tuple(
            Change(f"sighting {one.summary}", before=days.get(one, ""), after=f"seen {one.last_seen}", payload=one)
            for one in sorted(observed.sightings)
            if days.get(one) != one.last_seen
        )
        return Plan(changes, warnings)

    def _earlier(self, observed: Observation) -> set[AccountSighting]:
        if not self._options["days"]:
            return set()
        found = still_open(
            observed.recorded,
            observed.logins.logins,
            is_blind=bool(observed.logins.blindness),
            is_enforced=observed.logins.is_enforced,
            not_before=_day(observed.logins.now) - datetime.timedelta(days=self._options["days"]),
        )
        return {one for one in found if one.account not in self._excluded}

    def apply(self, plan: Plan, observed: Observation) -> None:
        seen = merge_sightings(observed.recorded, [change.payload for change in plan])
        write_record_file(self._options["record_file"], [one.as_dict() for one in seen])

    def result(self, observed: Observation, plan: Plan) -> dict[str, t.Any]:
        del plan
        return {
            "clients": [one.as_dict() for one in sorted(observed.sightings)],
            "recorded": [one.as_dict() for one in sorted(observed.recorded)],
            "blind": bool(observed.logins.blindness),
            "blind_reason": observed.logins.blindness,
            "enforced": observed.logins.is_enforced,
        }


def read_account_record(path: str) -> frozenset[AccountSighting]:
    """Sightings of earlier runs. Raises ObservationFailed on a file that is not ours."""
    content = read_file(path)
    if content is None:
        return frozenset()
    try:
        return frozenset(AccountSighting(**item) for item in json.loads(content.data))
    except (ValueError, TypeError):
        raise ObservationFailed(
            f"{path} is no record of client sightings", "Move it away, or name another record_file"
        ) from None


def _day(seconds: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date()


@contextlib.contextmanager
def open_subject(connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> t.Iterator[MariaDBClients]:
    with open_session(connection) as session:
        yield MariaDBClients(session, options)
