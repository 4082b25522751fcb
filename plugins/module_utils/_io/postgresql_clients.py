# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Read a server's sessions, verifiers and log for clients that enforcement would break."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._core.client_sightings import MD5_PASSWORD, Sighting, sighting_of_session, sightings_in_log
from .._dialects import postgresql_clients as dialect
from .postgresql import Session
from .postgresql_server import ServerLocation, locate

# A busy server's log can be large; its newest part is what counts.
LOG_BYTES: t.Final = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class ObservedClients:
    """Sightings, and where they could not be looked for."""

    sightings: frozenset[Sighting]
    blind_spots: tuple[str, ...]


def observe_clients(session: Session, *, hours: float) -> ObservedClients:
    """Sessions of this moment, stored md5 verifiers, and the connections logged within the last ``hours``."""
    found = {Sighting(MD5_PASSWORD, role) for (role,) in session.rows(dialect.MD5_VERIFIERS_QUERY)}
    for role, database, address, protocol in session.rows(dialect.SESSIONS_QUERY):
        sighting = sighting_of_session(role, database, address, protocol)
        if sighting:
            found.add(sighting)
    not_before, connections_logged, readable_prefix = session.rows(dialect.LOG_WINDOW_QUERY, [hours])[0]
    blind_spots = []
    if not connections_logged:
        blind_spots.append("log_connections is off: clients that are not connected right now were not seen")
    elif not readable_prefix:
        blind_spots.append("log_line_prefix has no time (%m) or no process number ([%p]): the log was not read")
    else:
        paths = _log_files(session, locate(session))
        if not paths:
            blind_spots.append("no log file of the server is on this host: only current sessions were seen")
        for path in paths:
            found |= sightings_in_log(_lines(path), not_before=not_before)
    return ObservedClients(frozenset(found), tuple(blind_spots))


def _log_files(session: Session, location: ServerLocation) -> list[str]:
    """The present log file and its predecessor, as far as they are there; older ones first."""
    current = session.value(dialect.CURRENT_LOG_QUERY)
    path = os.path.join(location.settings["data_directory"], current) if current else location.output_file
    if not path or not os.path.isfile(path):
        return []
    if current:  # the collector's files have a time in their names: all of that folder
        folder = os.path.dirname(path)
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".log"))
    return [one for one in (f"{path}.1", path) if os.path.isfile(one)]


def _lines(path: str) -> t.Iterator[str]:
    with open(path, encoding="utf-8", errors="replace") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > LOG_BYTES:
            stream.seek(size - LOG_BYTES)
            stream.readline()
        yield from stream
