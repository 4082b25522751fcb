# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the applying side has to do on a MariaDB server, as data in the payload of a plan's changes, and its order.

MariaDB's DDL commits statement by statement. The order is such that an interruption leaves everybody with what they had
or with what they are to have, and a second run finishes: make, give, then take.
"""

from __future__ import annotations

import enum
import typing as t

from .accounts_model import AccountOptions, Grantee, Method, Scope
from .plan import Change
from .secrets import Secret


class Phase(enum.IntEnum):
    CREATE = 0
    ALTER = 1
    GRANT = 2
    JOIN = 3
    DEFAULT_ROLE = 4
    REVOKE = 5
    # Revoking on a table takes the same privileges on its columns along, so columns come after it.
    GRANT_COLUMNS = 6
    LEAVE = 7
    DROP = 8


class Statement(t.NamedTuple):
    """Ready-made SQL. It may hold what the server stores of a password, never a password."""

    phase: int
    sql: str


class SetPassword(t.NamedTuple):
    """For a server that takes no hashes because its password rules want to see the password.

    :param verb: ``CREATE`` or ``ALTER`` the account with a random password first; empty where the plugin is in place.
    :param password: empty for none that anybody knows.
    :param rest: further methods.
    :param options: of a new account.
    """

    phase: int
    verb: str
    grantee: Grantee
    plugin: str
    password: Secret
    rest: tuple[Method, ...] = ()
    options: AccountOptions = AccountOptions()


class PrivilegeStep(t.NamedTuple):
    """One grant or revocation. Many of them become one statement: see the dialect."""

    phase: int
    revoke: bool
    scope: Scope
    grantee: Grantee
    mask: int


AccountStep = t.Union[Statement, SetPassword, PrivilegeStep]


class AccountPlanBuilder:
    """Collects changes while planning.

    :ivar revocations: one line for each thing that goes only because ``exclusive`` is on.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.warnings: list[str] = []
        self.revocations: list[str] = []

    def add(self, subject: str, before: str, after: str, *steps: AccountStep) -> None:
        self.changes.append(Change(subject, before, after, payload=steps))
