# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Looks at the sessions of a MariaDB server for a while, and at its accounts."""

from __future__ import annotations

import dataclasses
import time

from .._core.account_sightings import ClientSession, Login
from .._dialects import mariadb_clients as dialect
from .mariadb import Session

_PAUSE_SECONDS = 0.5


@dataclasses.dataclass(frozen=True)
class ObservedLogins:
    """What the server showed.

    :param is_enforced: the server refuses plaintext already, so that no session is looked at.
    :param blindness: why it can't be told which sessions are in plaintext; empty where it can.
    :param now: the server's time, in seconds since 1970.
    """

    sessions: frozenset[ClientSession]
    logins: tuple[Login, ...]
    is_enforced: bool
    blindness: str
    now: int


def observe_logins(session: Session, *, seconds: float) -> ObservedLogins:
    """Raises ServerRefused for an account that may not see everybody's sessions.

    :param seconds: how long sessions are looked at; 0 looks once.
    """
    session.rows(dialect.NEEDS_PROCESS)
    schema, tls, enforced, now = session.rows(dialect.STATE)[0]
    has_tls = str(tls).upper() == "YES"
    read = (dialect.read_login(*row) for row in session.rows(dialect.LOGINS))
    sessions: frozenset[ClientSession] = frozenset()
    if not enforced:
        query = dialect.SESSIONS_WITH_TYPE if schema else dialect.SESSIONS
        sessions = _sample(session, query, has_tls=has_tls, seconds=seconds)
    blindness = ""
    if has_tls and not schema and not enforced:
        blindness = "performance_schema is OFF, so the server does not say which sessions use TLS"
    return ObservedLogins(sessions, tuple(filter(None, read)), bool(enforced), blindness, int(now))


def _sample(session: Session, query: str, *, has_tls: bool, seconds: float) -> frozenset[ClientSession]:
    """Every session of the time, by its number: what is known of one later wins over what was not known yet."""
    deadline = time.monotonic() + seconds
    found: dict[tuple[int, str], ClientSession] = {}
    while True:
        for number, user, host, kind in session.rows(query):
            if user in dialect.NOBODY:
                continue
            seen = dialect.read_session(user, host, kind, has_tls=has_tls)
            if seen.encrypted is not None or (number, user) not in found:
                found[number, user] = seen
        if time.monotonic() >= deadline:
            return frozenset(found.values())
        time.sleep(_PAUSE_SECONDS)
