# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Privileges on a MariaDB server: what is declared for each scope and grantee, and the difference to what is held."""

from __future__ import annotations

import typing as t

from .account_declaration import ABSENT
from .account_grants import AccountsDeclaration, DesiredDatabase, DesiredGrant, PrivilegeDialect
from .account_safety import TEST_DATABASE, dropped_grantees, is_anonymous, protected_grantees
from .account_steps import AccountPlanBuilder, AccountStep, Phase, PrivilegeStep, Statement
from .accounts_model import COLUMN, DATABASE, EVERYBODY, GLOBAL, ROUTINES, TABLE, Grantee, ObservedServer, Scope
from .errors import InvalidDeclaration
from .names import is_pattern, literal, near_miss, pattern, shown

# The stock rows: everybody may do nearly everything in databases of these names.
TEST_PATTERNS: t.Final = (TEST_DATABASE, "test\\_%")


class Wanted:
    """What is declared for one grantee in one scope. :ivar option: None where it is not spoken of."""

    __slots__ = ("given", "option", "taken")

    def __init__(self) -> None:
        self.given = 0
        self.taken = 0
        self.option: bool | None = None


class StatementDialect(PrivilegeDialect, t.Protocol):
    def drop(self, grantee: Grantee) -> str: ...

    def drop_database(self, name: str) -> str: ...


WantedByScope = dict[Scope, dict[Grantee, Wanted]]


def plan_privileges(
    declaration: AccountsDeclaration, server: ObservedServer, *, dialect: StatementDialect, builder: AccountPlanBuilder
) -> None:
    wanted = wanted_privileges(declaration, server, builder)
    planner = _Planner(declaration, server, dialect=dialect, builder=builder)
    scopes = {*wanted, *planner.reached_scopes()}
    for scope in sorted(scopes, key=lambda scope: (scope.kind == COLUMN, scope)):
        if scope.kind != COLUMN:
            planner.plan_scope(scope, wanted.get(scope, {}))
    columns = {scope for scope in scopes if scope.kind == COLUMN} | planner.columns_of_lost_tables()
    for scope in sorted(columns):
        planner.plan_scope(scope, wanted.get(scope, {}))
    _warn_about_patterns(declaration, server, builder)
    if declaration.remove_test_database:
        _plan_test_database(planner, server, dialect=dialect, builder=builder)


class _Planner:
    def __init__(
        self,
        declaration: AccountsDeclaration,
        server: ObservedServer,
        *,
        dialect: StatementDialect,
        builder: AccountPlanBuilder,
    ) -> None:
        self._declaration, self._server, self._dialect, self._builder = declaration, server, dialect, builder
        self._protected = protected_grantees(declaration, server)
        self._dropped = dropped_grantees(declaration, server)
        self._present = declaration.present
        self._exact = {name for database in declaration.databases for name in (database.stored, database.name)}
        self._literal = {database.name for database in declaration.databases if not database.is_pattern}
        self._lost: dict[tuple[Grantee, str, str], int] = {}

    def reached_scopes(self) -> t.Iterator[Scope]:
        """Scopes in which ``exclusive`` has a word."""
        if self._declaration.exclusive:
            yield from (scope for scope in self._server.held if scope.kind == GLOBAL or self._is_declared(scope))

    def _is_declared(self, scope: Scope) -> bool:
        return scope.database in (self._exact if scope.kind == DATABASE else self._literal)

    def columns_of_lost_tables(self) -> set[Scope]:
        tables = {(database, table) for dummy, database, table in self._lost}
        return {scope for scope in self._server.held if scope.kind == COLUMN and (scope.database, scope.name) in tables}

    def _is_exclusive(self, scope: Scope, grantee: Grantee) -> bool:
        if not self._declaration.exclusive or grantee in self._protected:
            return False
        return grantee in self._present if scope.kind == GLOBAL else self._is_declared(scope)

    def plan_scope(self, scope: Scope, wanted: t.Mapping[Grantee, Wanted]) -> None:
        held = self._server.held.get(scope, {})
        for grantee in sorted({*wanted, *held}):
            is_known = grantee in self._server.accounts or grantee in self._present or grantee == EVERYBODY
            if grantee in self._dropped or not is_known:
                continue
            have = held.get(grantee, 0)
            exclusive = self._is_exclusive(scope, grantee)
            lost = self._lost.get((grantee, scope.database, scope.name), 0) if scope.kind == COLUMN else 0
            target = self._target(have & ~lost, wanted.get(grantee), exclusive=exclusive)
            if have != target or have & lost & target:
                self._plan_difference(scope, grantee, (have, have & ~lost, target), wanted.get(grantee), exclusive)

    def _target(self, have: int, wanted: Wanted | None, *, exclusive: bool) -> int:
        option = self._dialect.grant_option
        if wanted is None:
            return 0 if exclusive else have
        kept = 0 if exclusive else have & ~option & ~wanted.taken
        mask = kept | wanted.given
        with_option = wanted.option if wanted.option is not None else bool(have & option) and not exclusive
        # An option that nothing is left for would wait there for the next privilege.
        return mask | option if with_option and (mask or not wanted.taken) else mask

    def _plan_difference(
        self, scope: Scope, grantee: Grantee, masks: tuple[int, int, int], wanted: Wanted | None, exclusive: bool
    ) -> None:
        """:param masks: what is held, what is left of it by revocations on the table, what shall be."""
        have, left, target = masks
        is_column = scope.kind == COLUMN
        steps: list[AccountStep] = []
        if target & ~left:
            phase = Phase.GRANT_COLUMNS if is_column else Phase.GRANT
            steps.append(PrivilegeStep(phase, False, scope, grantee, target & ~left))
        if left & ~target:
            steps.append(PrivilegeStep(Phase.REVOKE, True, scope, grantee, left & ~target))
            if scope.kind == TABLE:
                self._lost[grantee, scope.database, scope.name] = left & ~target
        before, after = (self._dialect.describe(mask, scope.kind) for mask in (have, target))
        self._builder.add(f"{scope.label}: privileges of {grantee.label}", before, after, *steps)
        gone = have & ~target & ~(wanted.taken if wanted else 0)
        if exclusive and wanted is not None and wanted.option is False:
            gone &= ~self._dialect.grant_option
        if exclusive and gone:
            text = f"{scope.label}: {self._dialect.describe(gone, scope.kind)} from {grantee.label}"
            self._builder.revocations.append(text)

    def revoke_all(self, scope: Scope, grantee: Grantee) -> None:
        have = self._server.held[scope][grantee]
        step = PrivilegeStep(Phase.REVOKE, True, scope, grantee, have)
        before = self._dialect.describe(have, scope.kind)
        self._builder.add(f"{scope.label}: privileges of {grantee.label}", before, "", step)

    def is_dropped(self, grantee: Grantee) -> bool:
        return grantee in self._dropped


def _plan_test_database(
    planner: _Planner, server: ObservedServer, *, dialect: StatementDialect, builder: AccountPlanBuilder
) -> None:
    for scope in sorted(scope for scope in server.held if scope.kind == DATABASE and scope.database in TEST_PATTERNS):
        for grantee in sorted(server.held[scope]):
            if not (grantee == EVERYBODY or is_anonymous(grantee)) or planner.is_dropped(grantee):
                continue
            if grantee == EVERYBODY or grantee in server.accounts:
                planner.revoke_all(scope, grantee)
            else:
                # A row for an account that is not there: REVOKE refuses it, DROP USER takes it away.
                step = Statement(Phase.DROP, dialect.drop(grantee))
                before = dialect.describe(server.held[scope][grantee], DATABASE)
                builder.add(f"{scope.label}: privileges of {grantee.label}", before, "", step)
    if TEST_DATABASE in server.databases:
        statement = Statement(Phase.DROP, dialect.drop_database(TEST_DATABASE))
        builder.add(f"database {TEST_DATABASE}", "present", "", statement)


def _warn_about_patterns(declaration: AccountsDeclaration, server: ObservedServer, builder: AccountPlanBuilder) -> None:
    for database in declaration.databases:
        if not database.is_pattern and database.name not in server.databases:
            builder.warnings.append(f"database {shown(database.name)} is not there (yet)")


# What is declared


def wanted_privileges(
    declaration: AccountsDeclaration, server: ObservedServer, builder: AccountPlanBuilder
) -> WantedByScope:
    """Raises InvalidDeclaration for objects that are not there, and for contradictions."""
    wanted: WantedByScope = {}
    for grant in declaration.global_grants:
        _add(wanted, Scope(GLOBAL), grant)
    for database in declaration.databases:
        for grant in database.grants:
            for scope in _scopes(grant, database, server, builder):
                _add(wanted, scope, grant)
    return wanted


def _add(wanted: WantedByScope, scope: Scope, grant: DesiredGrant) -> None:
    by_grantee = wanted.setdefault(scope, {})
    for grantee in grant.grantees:
        found = by_grantee.setdefault(grantee, Wanted())
        if grant.state == ABSENT:
            found.taken |= grant.mask
        else:
            found.given |= grant.mask
            if grant.option is not None:
                if found.option not in (None, grant.option):
                    raise InvalidDeclaration(f"{grant.where}: {grantee.label} has the grant option and has it not")
                found.option = grant.option
        if found.given & found.taken:
            raise InvalidDeclaration(
                f"{grant.where}: privileges of {grantee.label} on {scope.label} are granted and revoked",
                "Take them out of one of both",
            )


def _scopes(
    grant: DesiredGrant, database: DesiredDatabase, server: ObservedServer, builder: AccountPlanBuilder
) -> t.Iterator[Scope]:
    if grant.kind == DATABASE:
        yield Scope(DATABASE, database.stored)
        return
    for name in _matching(grant, database.name, server, builder):
        if not grant.columns:
            yield Scope(grant.kind, database.name, name)
            continue
        there = {column.lower() for column in server.columns.get((database.name, name), ())}
        for column in grant.columns:
            if column.lower() not in there:
                raise InvalidDeclaration(
                    f"{grant.where}: table {shown(name)} has no column {shown(column)}", near_miss(column, there)
                )
            yield Scope(COLUMN, database.name, name, column.lower())


def _matching(
    grant: DesiredGrant, database: str, server: ObservedServer, builder: AccountPlanBuilder
) -> t.Iterator[str]:
    there = server.objects.get((grant.kind, database), ())
    folds = grant.kind in ROUTINES
    for text in grant.names:
        wanted = text.lower() if folds else text
        if not is_pattern(wanted):
            if literal(wanted) not in there:
                kind = grant.kind.replace("_", " ")
                raise InvalidDeclaration(
                    f"{grant.where}: there is no {kind} {shown(text)} in database {shown(database)}",
                    near_miss(text, there),
                )
            yield literal(wanted)
            continue
        found = sorted(filter(pattern(wanted).match, there))
        if not found:
            builder.warnings.append(f"{grant.where}: nothing matches {text!r}")
        yield from found
