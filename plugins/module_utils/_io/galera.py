# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a node of a Galera cluster says of itself and of who is with it."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._core.errors import ObservationFailed
from .._core.galera import Member
from .._core.observations import Certificate
from .._dialects import mariadb_galera as dialect
from .assessment_certificate import read_certificate
from .mariadb import ServerRefused, Session, is_connection_lost


@dataclasses.dataclass(frozen=True)
class Answer:
    """Rows of the node, as texts.

    :param allowlist: addresses that may join, empty for everybody; None where that can't be read.
    """

    status: dict[str, str]
    variables: dict[str, str]
    members: tuple[Member, ...] = ()
    allowlist: tuple[str, ...] | None = None


def ask(session: Session) -> Answer:
    """One round of questions. Raises ServerRefused when the connection breaks."""
    answer = Answer(dict(session.rows(dialect.STATUS_QUERY)), dict(session.rows(dialect.VARIABLES_QUERY)))
    if not dialect.is_enabled(answer.status, answer.variables):
        return answer
    members = _rows_if_allowed(session, dialect.MEMBERS_QUERY)
    allowed = _rows_if_allowed(session, dialect.ALLOWLIST_QUERY)
    return dataclasses.replace(
        answer,
        members=tuple(Member(*row) for row in members or ()) or tuple(dialect.members_of_addresses(answer.status)),
        allowlist=None if allowed is None else tuple(address for (address,) in allowed),
    )


def _rows_if_allowed(session: Session, query: str) -> list[tuple] | None:
    """None where the table is not there, the account may not read it, or the node takes no queries."""
    try:
        return session.rows(query)
    except ServerRefused as error:
        if is_connection_lost(error):
            raise
        return None


def replication_certificate(options: t.Mapping[str, str], data_directory: str) -> tuple[Certificate | None, str]:
    """The certificate that the node shows the others, and what was wrong with reading it."""
    path = options.get("socket.ssl_cert", "")
    if not path:
        return None, ""
    key_path = options.get("socket.ssl_key", "")
    try:
        return read_certificate(os.path.join(data_directory, path), os.path.join(data_directory, key_path)), ""
    except OSError as error:
        return None, f"can't read {path}: {error.strerror}"
    except (ObservationFailed, ValueError) as error:
        return None, str(error)
