# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The MariaDB server's own side of an assessment: variables, plugins, replication, and what is asked of its tables."""

from __future__ import annotations

import typing as t

from .._core.names import printable
from .._core.observations import ObservedSetting, Offenders, ReplicationChannel, Unobservable
from .._dialects import mariadb_assessment as dialect
from .assessment_queries import LINES, Answers
from .mariadb import ServerRefused, Session
from .mariadb_settings import observe_variables

Declared = t.Mapping[str, t.Sequence[str]]


def guard(session: Session, *, timeout: int) -> None:
    """Read only, with limits. Comes after the variables were read, because these are variables, too.

    :param timeout: seconds for each query.
    """
    for statement in dialect.GUARDS:
        session.execute(statement.format(timeout=timeout))


def observe_settings(session: Session) -> dict[str, ObservedSetting]:
    return {
        name: ObservedSetting(name, variable.value, dialect.value_type(variable))
        for name, variable in observe_variables(session).items()
    }


def observe_active_plugins(session: Session) -> dict[str, str]:
    return dict(session.rows(dialect.ACTIVE_PLUGINS_QUERY))


def observe_channels(session: Session) -> tuple[ReplicationChannel, ...]:
    return tuple(
        ReplicationChannel(
            name=row["Connection_name"],
            source=row["Master_Host"],
            is_encrypted=row["Master_SSL_Allowed"] == "Yes",
            is_verified=row["Master_SSL_Verify_Server_Cert"] == "Yes",
        )
        for row in session.named_rows(dialect.CHANNELS_QUERY)
    )


def ask_server(session: Session, queries: t.Iterable[str], declared: Declared) -> Answers:
    """Answers by query; one that fails is not observable, the others are."""
    session.value(dialect.SEES_ACCOUNTS_QUERY)
    lists = dialect.query_lists(declared)
    return {sql: _ask(session, sql, lists) for sql in queries}


def _ask(session: Session, sql: str, lists: Declared) -> Offenders | Unobservable:
    try:
        rows = session.rows(dialect.offenders_query(sql, limit=LINES), lists)
    except ServerRefused as error:
        return Unobservable(f"the query failed: {error.text}")
    return Offenders(rows[0][1] if rows else 0, tuple(printable(_text(line)) for line, dummy in rows))


def _text(value: t.Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
