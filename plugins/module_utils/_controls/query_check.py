# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A question to the server's catalogs that returns what should not be: pass means no row."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import FAIL, LOG_POLICIES, NOT_APPLICABLE, NOT_OBSERVABLE, PASS, Finding, Situation
from .._core.observations import Observations, Offenders, Unobservable
from .model import POSTGRESQL
from .versions import NEWEST, since

CLUSTER: t.Final = "cluster"
EACH_DATABASE: t.Final = "each_database"


@dataclasses.dataclass(frozen=True)
class QueryCheck:
    """One query.

    :param expected: what holds where no row comes back.
    :param sql: returns one text column that names the offending object: never a row's contents. Named parameters are
        lists of what the operator declares (``declared.py``), as in ``ALL (%(superusers)s::text[])``. It is asked with
        parameters, so a literal percent sign is doubled.
    :param scope: ``cluster`` (asked once) or ``each_database``.
    :param needs: the check does not apply unless this is declared.
    :param minimum: oldest version (server_version_num) that the query is valid on.
    :param log_policies: under which of them it is asked.
    :param kind: what the rows are, in the plural, for the count.
    :param engine: whose versions these are, and whose SQL: PostgreSQL's lists are arrays; MariaDB's are for
        ``IN %(name)s``, and its column is called ``line``.
    :param on_nodes: asked on nodes of a Galera cluster only.
    """

    kind: str
    expected: str
    sql: str
    scope: str = CLUSTER
    needs: str = ""
    minimum: int = 0
    maximum: int = NEWEST
    log_policies: tuple[str, ...] = LOG_POLICIES
    engine: str = POSTGRESQL
    on_nodes: bool = False

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same at every level)
        if log_policy not in self.log_policies:
            return ""
        return self.expected + since(self.minimum, self.engine)

    def applies_to(self, version: int) -> bool:
        return self.minimum <= version <= self.maximum

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        version = observations.version
        if situation.log_policy not in self.log_policies:
            return Finding(NOT_APPLICABLE, f"not asked under the log policy {situation.log_policy}")
        if self.needs and not situation.declares(self.needs):
            return Finding(NOT_APPLICABLE, f"no {self.needs.replace('_', ' ')} declared")
        if isinstance(version, Unobservable):
            return Finding(NOT_OBSERVABLE, version.reason, self.expected)
        if not self.applies_to(version):
            return Finding(NOT_APPLICABLE, "this version of the server does not know it")
        if self.on_nodes and observations.galera is None:
            return Finding(NOT_APPLICABLE, "the server is no node of a cluster")
        return judge_offenders(_answer(observations.offenders, self.sql), kind=self.kind, expected=self.expected)


def _answer(answers: t.Mapping[str, Offenders | Unobservable] | Unobservable, key: str) -> Offenders | Unobservable:
    if isinstance(answers, Unobservable):
        return answers
    return answers.get(key, Unobservable("nobody looked"))


def judge_offenders(found: Offenders | Unobservable, *, kind: str, expected: str) -> Finding:
    """Fail for any offender; not observable where a place could not be looked at and the others are clean."""
    if isinstance(found, Unobservable):
        return Finding(NOT_OBSERVABLE, found.reason, expected)
    unseen = tuple(f"not looked at: {place}" for place in found.unseen)
    if found.count:
        more = found.count - len(found.lines)
        lines = found.lines + ((f"and {more} more",) if more > 0 else ())
        return Finding(FAIL, f"{found.count} {kind}", expected, lines + unseen)
    if unseen:
        return Finding(NOT_OBSERVABLE, f"not everything could be looked at ({len(unseen)})", expected, unseen)
    return Finding(PASS, f"no {kind}", expected)


def offenders_of_area(
    areas: t.Mapping[str, Offenders | Unobservable] | Unobservable, area: str
) -> Offenders | Unobservable:
    return _answer(areas, area)
