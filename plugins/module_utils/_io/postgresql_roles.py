# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reads a server's roles and privileges, and writes what was planned: one transaction per database."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import secrets
import typing as t

from .._core.declaration import Declaration
from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .._core.names import shown
from .._core.observed_roles import (
    DefaultAcl,
    Dependency,
    Identity,
    ObservedCluster,
    ObservedDatabase,
    ObservedMembership,
    ObservedRole,
    ObservedRoles,
    ServerObject,
)
from .._core.plan import Plan
from .._core.role_inquiry import Inquiry, inquiries
from .._core.role_steps import SetPassword
from .._core.scram import SALT_BYTES, is_verifier, make_verifier
from .._core.secrets import Secret
from .._dialects import postgresql_role_queries as queries
from .._dialects.postgresql_roles import QUIET, PostgreSQLRolesDialect, Transaction
from .postgresql import ServerRefused, Session, open_session

# Statements sent in one go. The server answers each of them, so this only bounds the size of a message.
_CHARACTERS_PER_MESSAGE = 200_000


class RolesServer:
    """The server as roles and privileges see it, over one session in the maintenance database.

    Databases besides it are reached by a connection each, one after the other: PostgreSQL has no connection that spans
    databases.

    :param lock_seconds: how long to wait for another run, and for locks on objects whose owner changes.
    """

    def __init__(self, session: Session, dialect: PostgreSQLRolesDialect, *, lock_seconds: int) -> None:
        self._session = session
        self._dialect = dialect
        self._lock_seconds = lock_seconds
        self._is_locked = False
        self._maintenance = session.settings.database

    def observe(self, declaration: Declaration) -> ObservedRoles:
        """Read everything the declaration speaks of. The first call waits for the lock that keeps other runs out."""
        self._lock()
        cluster = self._read_cluster(declaration)
        databases = {}
        dependencies = list(cluster.dependencies)
        for inquiry in inquiries(declaration, cluster, self._dialect.kinds):
            with self._session_in(inquiry.database) as session:
                databases[inquiry.database], found = self._read_database(session, inquiry, declaration)
            dependencies.extend(found)
        # A dependency in a database stands for "look there"; what was found there has replaced it.
        described = tuple(item for item in dependencies if item.description)
        return ObservedRoles(dataclasses.replace(cluster, dependencies=described), databases)

    def apply(self, plan: Plan, *, iterations: int) -> None:
        """Raises ApplyFailed, which says what was committed before."""
        done: list[str] = []
        for transaction in self._dialect.transactions(plan, maintenance=self._maintenance):
            try:
                with self._session_in(transaction.database) as session:
                    self._run(session, transaction, iterations=iterations)
            except (ServerRefused, MissingRequirement) as error:
                raise self._failure(error, transaction, done) from None
            done.append(f"database {shown(transaction.database)} ({len(transaction.statements)} statements)")

    def _lock(self) -> None:
        if self._is_locked:
            return
        self._session.execute(queries.PREPARE.format(seconds=self._lock_seconds))
        try:
            self._session.rows(queries.ADVISORY_LOCK)
        except ServerRefused as error:
            if error.sqlstate != "55P03":
                raise
            raise ObservationFailed(
                f"another run manages roles of PostgreSQL at {self._session.settings.address}",
                f"It did not finish within {self._lock_seconds} seconds (lock_timeout)",
            ) from None
        self._is_locked = True

    @contextlib.contextmanager
    def _session_in(self, database: str) -> t.Iterator[Session]:
        if database == self._maintenance:
            yield self._session
            return
        with open_session(dataclasses.replace(self._session.settings, database=database)) as session:
            session.execute(queries.PREPARE.format(seconds=self._lock_seconds))
            yield session

    # Reading

    def _read_cluster(self, declaration: Declaration) -> ObservedCluster:
        session = self._session
        login, bootstrap, superuser, in_recovery, reads_verifiers, now = session.rows(queries.IDENTITY)[0]
        identity = Identity(
            login,
            bootstrap,
            datetime.datetime.fromisoformat(now),
            superuser=superuser,
            in_recovery=in_recovery,
            reads_verifiers=reads_verifiers,
        )
        memberships = queries.memberships(options=self._dialect.has_membership_options)
        rows = list(_read(session, queries.DATABASES, 4))
        declares_settings = any(role.settings for role in declaration.roles)
        return ObservedCluster(
            identity=identity,
            roles={row[0]: _role(row) for row in _read(session, queries.roles(verifiers=reads_verifiers), 12)},
            memberships=tuple(ObservedMembership(*row) for row in _read(session, memberships, 6)),
            settings={
                (database, role): dict(entry.split("=", 1) for entry in entries)
                for database, role, entries in (_read(session, queries.SETTINGS, 3) if declares_settings else ())
            },
            databases={row[0]: ServerObject("database", "", row[0], row[1], row[2]) for row in rows},
            closed_databases=frozenset(row[0] for row in rows if not row[3]),
            parameters=dict(_read(session, queries.PARAMETERS, 2)) if declares_settings else {},
            dependencies=self._shared_dependencies(declaration),
        )

    def _shared_dependencies(self, declaration: Declaration) -> tuple[Dependency, ...]:
        if not declaration.absent:
            return ()
        found: dict[Dependency, None] = {}
        for role, kind, database, catalogue, description in self._session.rows(
            queries.SHARED_DEPENDENCIES, [sorted(declaration.absent)]
        ):
            if database:
                found[Dependency(role, database, "")] = None
            else:
                found.update(dict.fromkeys(_dependency(role, "", kind, catalogue, description)))
        return tuple(found)

    def _read_database(
        self, session: Session, inquiry: Inquiry, declaration: Declaration
    ) -> tuple[ObservedDatabase, list[Dependency]]:
        dependencies: list[Dependency] = []
        oids: list[int] = []
        if inquiry.has_dependencies:
            rows = session.rows(queries.DATABASE_DEPENDENCIES, [sorted(declaration.absent)])
            for role, kind, catalogue, description, oid in rows:
                dependencies.extend(_dependency(role, inquiry.database, kind, catalogue, description))
                oids.append(oid)
        parameters = {"schemas": list(inquiry.system_schemas), "oids": oids}
        objects: list[ServerObject] = []
        for kind in inquiry.kinds:
            query = queries.OBJECTS[kind]
            objects.extend(_objects(kind, _read(session, query, 6, parameters if "%(" in query else None)))
        columns: dict[tuple[str, str], dict[str, str | None]] = {}
        if "table" in inquiry.kinds:
            asked = {"tables": list(inquiry.tables_with_columns), "all_tables": inquiry.all_columns}
            for schema, table, column, acl in _read(session, queries.COLUMNS, 4, asked):
                columns.setdefault((schema, table), {})[column] = acl
        defaults = {}
        if inquiry.default_privileges:
            letters = {kind.default_letter: name for name, kind in self._dialect.kinds.items() if kind.default_letter}
            for owner, schema, letter, acl in _read(session, queries.DEFAULT_ACLS, 4):
                if letter in letters:
                    defaults[DefaultAcl(owner, schema, letters[letter])] = acl
        return ObservedDatabase(inquiry.database, tuple(objects), columns, defaults), dependencies

    # Writing

    def _run(self, session: Session, transaction: Transaction, *, iterations: int) -> None:
        with session.transaction():
            if any(isinstance(statement, SetPassword) for statement in transaction.statements):
                self._keep_quiet(session)
            for message in _messages(self._sql(transaction, iterations)):
                session.execute(message)

    def _keep_quiet(self, session: Session) -> None:
        """Keep verifiers out of logs and views. Not for logins that may not: the plan has warned about it."""
        if session.value("SELECT rolsuper FROM pg_roles WHERE rolname = session_user"):
            session.execute("; ".join(QUIET))

    def _sql(self, transaction: Transaction, iterations: int) -> t.Iterator[str]:
        for statement in transaction.statements:
            if isinstance(statement, SetPassword):
                yield self._dialect.set_password(statement.role, _verifier(statement.password, iterations)).reveal()
            else:
                yield statement

    def _failure(self, error: t.Any, transaction: Transaction, done: list[str]) -> ApplyFailed:
        where = f"database {shown(transaction.database)}"
        before = f"Committed before: {', '.join(done)}. " if done else ""
        hint = "The role that logs in lacks a privilege; a superuser does not. " if _lacks_privilege(error) else ""
        return ApplyFailed(
            f"{where}: {error.message}; its transaction was rolled back",
            f"{before}{hint}A second run {'finishes the rest' if done else 'starts from where this one did'}",
        )


def _read(
    session: Session, query: str, width: int, parameters: t.Mapping[str, t.Any] | None = None
) -> t.Iterator[t.Any]:
    """Rows of a query with this many columns, as tuples; sent as one text."""
    for row in json.loads(session.rows(queries.packed(query, width), parameters)[0][0]):
        yield tuple(row.values())


def _lacks_privilege(error: t.Any) -> bool:
    return getattr(error, "sqlstate", "") == "42501"


def _verifier(password: Secret, iterations: int) -> Secret:
    if is_verifier(password.reveal()):
        return password
    return make_verifier(password, salt=secrets.token_bytes(SALT_BYTES), iterations=iterations)


def _messages(statements: t.Iterable[str]) -> t.Iterator[str]:
    """Several statements to a message: thousands of round trips become a few."""
    pending: list[str] = []
    size = 0
    for statement in statements:
        pending.append(statement)
        size += len(statement)
        if size >= _CHARACTERS_PER_MESSAGE:
            yield ";\n".join(pending)
            pending, size = [], 0
    if pending:
        yield ";\n".join(pending)


def _role(row: tuple[t.Any, ...]) -> ObservedRole:
    return ObservedRole(
        row[0],
        dict(zip(queries.ROLE_ATTRIBUTES, row[1:8])),
        connection_limit=row[8],
        valid_until=row[9],
        comment=row[10],
        verifier=Secret(row[11]) if row[11] else None,
    )


def _objects(kind: str, rows: t.Iterable[tuple[t.Any, ...]]) -> t.Iterator[ServerObject]:
    for schema, name, owner, acl, exempt, extra in rows:
        yield ServerObject(
            kind,
            schema,
            name,
            owner,
            acl,
            extra if kind == "routine" else "",
            exempt,
            extra if kind == "sequence" else "",
        )


def _dependency(role: str, database: str, kind: str, catalogue: str, description: str) -> t.Iterator[Dependency]:
    """Nothing for what the plan itself revokes."""
    if kind == "o":
        yield Dependency(role, database, f"it owns {description}")
    elif kind == "r":
        yield Dependency(role, database, f"it is named in {description}")
    elif kind != "a":
        yield Dependency(role, database, f"it is named in the initial privileges of {description}")
    elif catalogue not in queries.REVOCABLE_CATALOGUES:
        yield Dependency(role, database, f"it has privileges on {description}")
