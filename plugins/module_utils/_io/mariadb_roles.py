# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reads a MariaDB server's accounts and privileges, and writes what was planned, a statement at a time."""

from __future__ import annotations

import json
import secrets
import typing as t

from .._core.account_grants import AccountsDeclaration, DesiredGrant
from .._core.account_safety import TEST_DATABASE, dropped_grantees
from .._core.account_steps import SetPassword, Statement
from .._core.accounts_model import (
    COLUMN,
    DATABASE,
    GLOBAL,
    TABLE,
    Definition,
    Grantee,
    Identity,
    Membership,
    Method,
    ObservedAccount,
    ObservedServer,
    Scope,
    Tls,
)
from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .._core.names import is_pattern, literal
from .._core.plan import Plan
from .._core.secrets import Secret
from .._dialects import mariadb_account_queries as queries
from .._dialects.mariadb_accounts import (
    COLUMN_SET,
    ROUTINE_SET,
    TABLE_SET,
    MariaDBAccountsDialect,
    mask_of_set,
)
from .mariadb import ServerRefused, Session

# By the rules for passwords, of which one is that it was the account's before: a second run would fail, too.
_PASSWORD_REFUSED: t.Final = 1819
_ACCESS_DENIED = (1044, 1045, 1142, 1143, 1227, 1370)
_TLS_KINDS = ("none", "ssl", "x509", "specified")
# Keys of mysql.global_priv to our options.
_LIMITS = {
    "max_questions": "max_queries_per_hour",
    "max_updates": "max_updates_per_hour",
    "max_connections": "max_connections_per_hour",
    "max_user_connections": "max_user_connections",
    "max_statement_time": "max_statement_time",
}
_HeldRights = dict[Scope, dict[Grantee, int]]


class AccountsServer:
    """The server as accounts and privileges see it, over one session.

    :param lock_seconds: how long to wait for another run.
    """

    def __init__(self, session: Session, dialect: MariaDBAccountsDialect, *, lock_seconds: int) -> None:
        self._session = session
        self._dialect = dialect
        self._lock_seconds = lock_seconds
        self._is_locked = False

    def observe(self, declaration: AccountsDeclaration) -> ObservedServer:
        """Read everything the declaration speaks of. The first call waits for the lock that keeps other runs out."""
        try:
            self._lock()
            return self._read(declaration)
        except ServerRefused as error:
            if error.number not in _ACCESS_DENIED:
                raise
            raise MissingRequirement(
                f"{self._session.connection.user} may not read accounts and privileges: {error.text}",
                "The login needs SELECT on the database mysql, CREATE USER, and what it passes on WITH GRANT OPTION",
            ) from None

    def apply(self, plan: Plan) -> None:
        """Raises ApplyFailed, which says how much was done before."""
        statements = self._dialect.statements(plan)
        for index, statement in enumerate(statements):
            try:
                if isinstance(statement, SetPassword):
                    self._set_password(statement)
                else:
                    self._session.execute(statement.sql)
            except ServerRefused as error:
                refused = error.number == _PASSWORD_REFUSED
                raise ApplyFailed(
                    f"statement {index + 1} of {len(statements)} failed, those before it hold: "
                    f"{_what(statement)}: {error.text}",
                    "Declare another password" if refused else "A second run does what is left",
                ) from None

    def _lock(self) -> None:
        if self._is_locked:
            return
        if self._session.value(queries.LOCK, [self._lock_seconds]) != 1:
            raise ObservationFailed(
                f"another run manages accounts of MariaDB at {self._session.connection.address}",
                f"It did not finish within {self._lock_seconds} seconds (lock_timeout)",
            )
        self._is_locked = True

    # Reading

    def _read(self, declaration: AccountsDeclaration) -> ObservedServer:
        rows = self._session.rows
        held: _HeldRights = {}
        accounts: dict[Grantee, ObservedAccount] = {}
        for name, host, text in rows(queries.ACCOUNTS):
            row = json.loads(text)
            grantee = Grantee(name, host)
            accounts[grantee] = _account(grantee, row)
            access = self._dialect.global_mask(int(row.get("access", 0)), int(row.get("version_id", 0)))
            _hold(held, Scope(GLOBAL), grantee, access)
        self._read_databases(held)
        databases = sorted({database.name for database in declaration.databases if not database.is_pattern})
        if databases:
            self._read_objects_privileges(held, databases)
        observed = ObservedServer(
            identity=self._identity(),
            accounts=accounts,
            memberships={
                Membership(role, Grantee(name, host)): bool(admin)
                for role, name, host, admin in rows(queries.MEMBERSHIPS)
            },
            held=held,
            databases=frozenset(name for (name,) in rows(queries.DATABASES)),
            objects=self._objects(declaration),
            columns=self._columns(declaration),
            test_objects=self._test_objects(declaration),
        )
        if dropped_grantees(declaration, observed):
            observed = observed.with_definitions(self._definitions())
        return observed

    def _identity(self) -> Identity:
        login, cipher, wsrep, strict = self._session.rows(queries.IDENTITY)[0]
        plugins = self._session.rows(queries.PLUGINS)
        name, dummy, host = login.rpartition("@")
        return Identity(
            Grantee(name, host),
            is_encrypted=bool(cipher),
            is_galera=wsrep == "ON",
            plugins=frozenset(plugin for plugin, kind in plugins if kind == "AUTHENTICATION"),
            refuses_hashes=bool(strict) and any(kind != "AUTHENTICATION" for dummy, kind in plugins),
        )

    def _read_databases(self, held: _HeldRights) -> None:
        columns = self._dialect.database_columns
        elements = tuple(columns.values())
        for name, host, database, mask in self._session.rows(queries.database_privileges(list(columns))):
            bits = mask_of_set(int(mask), elements)
            _hold(held, Scope(DATABASE, database), Grantee(name, host), bits)

    def _read_objects_privileges(self, held: _HeldRights, databases: list[str]) -> None:
        rows = self._session.rows
        for name, host, database, table, mask in rows(queries.TABLE_PRIVILEGES, [databases]):
            bits = mask_of_set(int(mask), TABLE_SET)
            _hold(held, Scope(TABLE, database, table), Grantee(name, host), bits)
        for name, host, database, table, column, mask in rows(queries.COLUMN_PRIVILEGES, [databases]):
            bits = mask_of_set(int(mask), COLUMN_SET)
            _hold(held, Scope(COLUMN, database, table, column), Grantee(name, host), bits)
        for name, host, database, routine, kind, mask in rows(queries.ROUTINE_PRIVILEGES, [databases]):
            bits = mask_of_set(int(mask), ROUTINE_SET)
            _hold(held, Scope(_kind(kind), database, routine), Grantee(name, host), bits)

    def _objects(self, declaration: AccountsDeclaration) -> dict[tuple[str, str], set[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        tables, routines = set(), set()
        for database in declaration.databases:
            kinds = {grant.kind for grant in database.grants} - {DATABASE}
            tables |= {database.name} if TABLE in kinds else set()
            routines |= {database.name} if kinds - {TABLE} else set()
        if tables:
            for database_name, table in self._session.rows(queries.TABLES, [sorted(tables)]):
                found.setdefault((TABLE, database_name), set()).add(table)
        if routines:
            for database_name, routine, kind in self._session.rows(queries.ROUTINES, [sorted(routines)]):
                found.setdefault((_kind(kind), database_name), set()).add(routine)
        return found

    def _columns(self, declaration: AccountsDeclaration) -> dict[tuple[str, str], set[str]]:
        """Of the tables that are named with columns, since the server opens each table for it."""
        found: dict[tuple[str, str], set[str]] = {}
        for database in declaration.databases:
            grants = [grant for grant in database.grants if grant.columns]
            if not grants:
                continue
            names = _plain_names(grants)
            query = queries.COLUMNS + (queries.OF_THESE_TABLES if names else "")
            for schema, table, column in self._session.rows(
                query, [database.name, names] if names else [database.name]
            ):
                found.setdefault((schema, table), set()).add(column)
        return found

    def _definitions(self) -> t.Iterator[Definition]:
        for definer, kind, database, name in self._session.rows(queries.DEFINITIONS):
            account, dummy, host = definer.rpartition("@")
            yield Definition(Grantee(account, host) if dummy else Grantee(definer), f"{kind} {database}.{name}")

    def _test_objects(self, declaration: AccountsDeclaration) -> tuple[str, ...]:
        if not declaration.remove_test_database:
            return ()
        return tuple(name for (name,) in self._session.rows(queries.OBJECTS_OF, [TEST_DATABASE] * 3))

    # Writing

    def _set_password(self, step: SetPassword) -> None:
        """The password itself has to be sent. It goes by SET PASSWORD, which is replicated as a hash, and past the
        server's logs of statements."""
        try:
            self._session.execute(queries.QUIET)
        except ServerRefused:
            if self._session.value(queries.GENERAL_LOG):
                raise
        if step.verb:
            # A class of each kind, whatever the rules of the server are.
            random_password = f"aA1-{secrets.token_urlsafe(48)}"
            self._session.execute(self._dialect.with_random_password(step, random_password))
        if step.password:
            self._session.execute(self._dialect.set_password(step.grantee, step.password.reveal()))


def _hold(held: _HeldRights, scope: Scope, grantee: Grantee, mask: int) -> None:
    if mask:
        by_grantee = held.setdefault(scope, {})
        by_grantee[grantee] = by_grantee.get(grantee, 0) | mask


def _kind(routine_type: str) -> str:
    return routine_type.lower().replace(" ", "_")


def _plain_names(grants: t.Iterable[DesiredGrant]) -> list[str]:
    """Empty where a pattern may mean any table."""
    names = {name for grant in grants for name in grant.names}
    return [] if any(map(is_pattern, names)) else sorted(map(literal, names))


def _account(grantee: Grantee, row: t.Mapping[str, t.Any]) -> ObservedAccount:
    return ObservedAccount(
        grantee,
        methods=() if row.get("is_role") else tuple(_methods(row)),
        tls=Tls(
            _TLS_KINDS[row.get("ssl_type", 0)],
            row.get("x509_subject", ""),
            row.get("x509_issuer", ""),
            row.get("ssl_cipher", ""),
        ),
        locked=bool(row.get("account_locked")),
        lifetime=row.get("password_lifetime", -1),
        limits={option: float(row[key]) for key, option in _LIMITS.items() if key in row},
        default_role=row.get("default_role", ""),
    )


def _methods(row: t.Mapping[str, t.Any]) -> t.Iterator[Method]:
    """An empty element of the list stands for what the row says itself."""
    for entry in row.get("auth_or", [{}]):
        source = entry or row
        plugin = source.get("plugin") or "mysql_native_password"
        yield Method(plugin, Secret(source.get("authentication_string", "")))


def _what(statement: Statement | SetPassword) -> str:
    """Without what stands behind IDENTIFIED."""
    if isinstance(statement, SetPassword):
        return f"password of {statement.grantee.label}"
    return statement.sql.split(" IDENTIFIED ", 1)[0][:200]
