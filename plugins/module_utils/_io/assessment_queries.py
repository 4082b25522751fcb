# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Questions that look for what should not be: asked once, or in every database."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.errors import BulwarkError
from .._core.names import printable, shown
from .._core.observations import Offenders, Unobservable
from .._dialects import postgresql_assessment as dialect
from .assessment_database import guard, text
from .postgresql import ServerRefused, Session, open_session

# More than a report shows, so that what it shows is chosen there.
LINES: t.Final = 25

Answers = dict[str, t.Union[Offenders, Unobservable]]
Declared = t.Mapping[str, t.Sequence[str]]


def ask_cluster(session: Session, queries: t.Iterable[str], declared: Declared) -> Answers:
    """Answers by query; one that fails is not observable, the others are."""
    return {sql: _ask(session, sql, declared) for sql in queries}


def ask_each_database(
    session: Session, queries: t.Sequence[str], declared: Declared, *, exclude: t.Collection[str], timeout: int
) -> Answers:
    """The same questions in every database that admits connections, one connection each, answers put together.

    :param exclude: databases that are not asked; the answers say so.
    """
    together = {sql: Offenders() for sql in queries}
    if not queries:
        return {}
    for name in (text(name) for (name,) in session.rows(dialect.DATABASES_QUERY)):
        answers: Answers
        if name in exclude:
            answers = dict.fromkeys(queries, Unobservable("excluded"))
        elif name == session.settings.database:
            answers = ask_cluster(session, queries, declared)
        else:
            answers = _ask_elsewhere(session, name, queries, declared=declared, timeout=timeout)
        for sql, answer in answers.items():
            together[sql] = _added(together[sql], answer, database=name)
    return dict(together)


def _ask_elsewhere(
    session: Session, database: str, queries: t.Sequence[str], *, declared: Declared, timeout: int
) -> Answers:
    try:
        with open_session(dataclasses.replace(session.settings, database=database)) as other:
            guard(other, timeout=timeout)
            return ask_cluster(other, queries, declared)
    except BulwarkError as error:
        return dict.fromkeys(queries, Unobservable(error.message))


def _ask(session: Session, sql: str, declared: Declared) -> Offenders | Unobservable:
    parameters = {name: list(values) for name, values in declared.items()}
    try:
        rows = session.rows(dialect.offenders_query(sql, limit=LINES), parameters)
    except ServerRefused as error:
        return Unobservable(f"the query failed: {error.text}")
    lines = tuple(printable(text(line)) for line, dummy in rows)
    return Offenders(rows[0][1] if rows else 0, lines)


def _added(so_far: Offenders, answer: Offenders | Unobservable, *, database: str) -> Offenders:
    where = shown(database)
    if isinstance(answer, Unobservable):
        return dataclasses.replace(so_far, unseen=(*so_far.unseen, f"database {where}: {answer.reason}"))
    lines = tuple(f"database {where}: {line}" for line in answer.lines)
    return Offenders(so_far.count + answer.count, (so_far.lines + lines)[:LINES], so_far.unseen)
