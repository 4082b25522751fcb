# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the applying side has to do, as data in the payload of a plan's changes, and the order in which it is done."""

from __future__ import annotations

import enum
import typing as t

from .observed_roles import DefaultAcl, ServerObject
from .plan import Change
from .secrets import Secret

CLUSTER: t.Final = ""


class Phase(enum.IntEnum):
    """Order within one transaction. Taking away comes before giving, so that nothing is undone by accident."""

    CREATE = 0
    ALTER = 1
    LEAVE = 2
    JOIN = 3
    OWN = 4
    REVOKE = 5
    GRANT = 6


class Statement(t.NamedTuple):
    """Ready-made SQL. :param database: where it runs; CLUSTER for what belongs to no database."""

    database: str
    phase: Phase
    sql: str


class SetPassword(t.NamedTuple):
    """The verifier is made when it is applied, because its salt is random."""

    role: str
    password: Secret


class DropRole(t.NamedTuple):
    """Comes last, after every database's transaction."""

    role: str


class Privileges(t.NamedTuple):
    """One grant or revocation. Many of them become one statement: see the dialect.

    :param target: the object, or the default privileges.
    :param column: of a table; empty for the whole object.
    :param grantee: empty for PUBLIC.
    :param option: when granting: with grant option; when revoking: the grant option alone.
    :param acting_as: the grantor whose grant is revoked, where that isn't the owner; empty otherwise.
    :param depth: how many grant options the grant stands on; the deepest is revoked first.
    """

    database: str
    phase: Phase
    target: ServerObject | DefaultAcl
    column: str
    grantee: str
    mask: int
    option: bool = False
    acting_as: str = ""
    depth: int = 0


Step = t.Union[Statement, SetPassword, DropRole, Privileges]


class PlanBuilder:
    """Collects changes while planning.

    :ivar revocations: one line for each thing that goes only because ``exclusive`` is on.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self.revocations: list[str] = []

    def add(self, subject: str, before: str, after: str, *steps: Step) -> None:
        self.changes.append(Change(subject, before, after, payload=steps))
