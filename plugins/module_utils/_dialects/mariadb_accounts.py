# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""MariaDB's account statements, and its privileges as bits."""

from __future__ import annotations

import functools
import typing as t

from .._core.account_declaration import LIMITS
from .._core.account_steps import AccountStep, PrivilegeStep, SetPassword, Statement
from .._core.accounts import number_text
from .._core.accounts_model import (
    BITS,
    COLUMN,
    DATABASE,
    EVERYBODY,
    GLOBAL,
    PRIVILEGES,
    ROUTINES,
    TABLE,
    AccountOptions,
    Grantee,
    Method,
    Scope,
)
from .._core.errors import InvalidDeclaration
from .._core.names import near_miss
from .._core.plan import Plan
from .mariadb import Version, quote_identifier, quote_literal

_ALIASES: t.Final = {
    "REPLICATION CLIENT": "BINLOG MONITOR",
    "REPLICATION REPLICA": "REPLICATION SLAVE",
    "REPLICATION REPLICA ADMIN": "REPLICATION SLAVE ADMIN",
    "REPLICA MONITOR": "SLAVE MONITOR",
    "DELETE VERSIONING ROWS": "DELETE HISTORY",
    "READ ONLY ADMIN": "READ_ONLY ADMIN",
}
# The elements of the sets in mysql.tables_priv, columns_priv and procs_priv, in their order; mysql.db has columns.
TABLE_SET: t.Final = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "GRANT OPTION", "REFERENCES", "INDEX", "ALTER",
    "CREATE VIEW", "SHOW VIEW", "TRIGGER", "DELETE HISTORY",
)  # fmt: skip
COLUMN_SET: t.Final = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
ROUTINE_SET: t.Final = ("EXECUTE", "ALTER ROUTINE", "GRANT OPTION", "SHOW CREATE ROUTINE")
DATABASE_COLUMNS: t.Final = {
    "Select_priv": "SELECT", "Insert_priv": "INSERT", "Update_priv": "UPDATE", "Delete_priv": "DELETE",
    "Create_priv": "CREATE", "Drop_priv": "DROP", "Grant_priv": "GRANT OPTION", "References_priv": "REFERENCES",
    "Index_priv": "INDEX", "Alter_priv": "ALTER", "Create_tmp_table_priv": "CREATE TEMPORARY TABLES",
    "Lock_tables_priv": "LOCK TABLES", "Create_view_priv": "CREATE VIEW", "Show_view_priv": "SHOW VIEW",
    "Create_routine_priv": "CREATE ROUTINE", "Alter_routine_priv": "ALTER ROUTINE", "Execute_priv": "EXECUTE",
    "Event_priv": "EVENT", "Trigger_priv": "TRIGGER", "Delete_history_priv": "DELETE HISTORY",
    "Show_create_routine_priv": "SHOW CREATE ROUTINE",
}  # fmt: skip
_NEWEST = "SHOW CREATE ROUTINE"
_NEWEST_SINCE = (11, 3)
# What SUPER held before these became privileges of their own, in rows that an older server wrote.
_OF_OLD_SUPER = (
    "SET USER", "FEDERATED ADMIN", "CONNECTION ADMIN", "READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "BINLOG ADMIN",
    "BINLOG REPLAY",
)  # fmt: skip
_OLD_SUPER_BEFORE = 100502


def mask_from(names: t.Iterable[str]) -> int:
    return sum(BITS[name] for name in names)


@functools.lru_cache(maxsize=1000)
def names_of(mask: int) -> tuple[str, ...]:
    return tuple(name for name in PRIVILEGES if mask & BITS[name])


@functools.lru_cache(maxsize=1000)
def mask_of_set(value: int, elements: tuple[str, ...]) -> int:
    """Bits of ours for a SET column read as a number."""
    return mask_from(name for index, name in enumerate(elements) if value >> index & 1)


class MariaDBAccountsDialect:
    """:param version: decides which privileges there are.
    :param folds_case: the server keeps names of databases and tables in lower case.
    """

    grant_option = BITS["GRANT OPTION"]

    def __init__(self, version: Version, *, folds_case: bool = False) -> None:
        self._folds_case = folds_case
        self.has_public = version >= (10, 11)
        known = PRIVILEGES if version >= _NEWEST_SINCE else tuple(name for name in PRIVILEGES if name != _NEWEST)
        self.database_columns = {column: name for column, name in DATABASE_COLUMNS.items() if name in known}
        sets = {
            GLOBAL: known,
            DATABASE: tuple(self.database_columns.values()),
            TABLE: TABLE_SET,
            COLUMN: COLUMN_SET,
            **dict.fromkeys(ROUTINES, ROUTINE_SET),
        }
        self._masks = {kind: mask_from(set(names) & set(known)) for kind, names in sets.items()}

    # Privileges

    def mask_of(self, privileges: t.Sequence[str], kind: str, where: str) -> int:
        everything = self._masks[kind] & ~self.grant_option
        mask = 0
        for text in privileges:
            name = " ".join(text.upper().split())
            if name in ("ALL", "ALL PRIVILEGES"):
                mask |= everything
                continue
            bit = BITS.get(_ALIASES.get(name, name), 0)
            if not bit & everything:
                known = [name for name in PRIVILEGES if BITS[name] & everything]
                raise InvalidDeclaration(
                    f"{where}: there is no privilege {text!r} of this type on this server",
                    near_miss(name, known) or f"There are ALL, {', '.join(known)}",
                )
            mask |= bit
        return mask

    def describe(self, mask: int, kind: str) -> str:
        everything = self._masks[kind] & ~self.grant_option
        named = list(names_of(mask & ~self.grant_option))
        if mask & everything == everything and len(named) > 4:
            named = ["ALL"]
        if mask & self.grant_option:
            named.append("GRANT OPTION")
        return ", ".join(named)

    def global_mask(self, access: int, version_id: int) -> int:
        if version_id < _OLD_SUPER_BEFORE and access & BITS["SUPER"]:
            access |= mask_from(_OF_OLD_SUPER)
        return access & self._masks[GLOBAL]

    def fold(self, name: str) -> str:
        """The name of a database or table as the server keeps it."""
        return name.lower() if self._folds_case else name

    @staticmethod
    def database_pattern(name: str) -> str:
        """The name with MariaDB's wildcards escaped, as grants on databases are stored."""
        return name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")

    # Statements

    @staticmethod
    def grantee(grantee: Grantee) -> str:
        if grantee == EVERYBODY:
            return "PUBLIC"
        name = "`" + grantee.name.replace("`", "``") + "`"
        return name if grantee.is_role else f"{name}@`{grantee.host.replace('`', '``')}`"

    def create_role(self, grantee: Grantee) -> str:
        return f"CREATE ROLE {self.grantee(grantee)}"

    def create_user(self, grantee: Grantee, methods: t.Sequence[Method], options: AccountOptions) -> str:
        return f"CREATE USER {self.grantee(grantee)} {_identified(methods)}{self._clauses(options)}"

    def authenticate(self, grantee: Grantee, methods: t.Sequence[Method]) -> str:
        return f"ALTER USER {self.grantee(grantee)} {_identified(methods)}"

    def alter_user(self, grantee: Grantee, options: AccountOptions) -> str:
        return f"ALTER USER {self.grantee(grantee)}{self._clauses(options)}"

    def with_random_password(self, step: SetPassword, password: str) -> str:
        """The account as it shall be, but for its password."""
        others = "".join(f" OR {_method(method)}" for method in step.rest)
        first = f"IDENTIFIED VIA {step.plugin} USING PASSWORD({quote_literal(password)})"
        return f"{step.verb} USER {self.grantee(step.grantee)} {first}{others}{self._clauses(step.options)}"

    def set_password(self, grantee: Grantee, password: str) -> str:
        return f"SET PASSWORD FOR {self.grantee(grantee)} = PASSWORD({quote_literal(password)})"

    @staticmethod
    def _clauses(options: AccountOptions) -> str:
        parts = []
        if options.tls is not None:
            tls = options.tls
            details = {"SUBJECT": tls.subject, "ISSUER": tls.issuer, "CIPHER": tls.cipher}
            given = [f"{name} {quote_literal(value)}" for name, value in details.items() if value]
            parts.append(f"REQUIRE {' AND '.join(given) if given else tls.kind.upper()}")
        if options.limits:
            clauses = [f"{LIMITS[name]} {number_text(value)}" for name, value in options.limits.items()]
            parts.append(f"WITH {' '.join(clauses)}")
        if options.lifetime is not None:
            clause = {-1: "DEFAULT", 0: "NEVER"}.get(options.lifetime, f"INTERVAL {options.lifetime} DAY")
            parts.append(f"PASSWORD EXPIRE {clause}")
        if options.locked is not None:
            parts.append(f"ACCOUNT {'LOCK' if options.locked else 'UNLOCK'}")
        return "".join(f" {part}" for part in parts)

    def default_role(self, grantee: Grantee, role: str) -> str:
        return f"SET DEFAULT ROLE {self.grantee(Grantee(role)) if role else 'NONE'} FOR {self.grantee(grantee)}"

    def drop(self, grantee: Grantee) -> str:
        return f"DROP {'ROLE' if grantee.is_role else 'USER'} {self.grantee(grantee)}"

    def grant_role(self, role: str, member: Grantee, *, admin: bool) -> str:
        option = " WITH ADMIN OPTION" if admin else ""
        return f"GRANT {self.grantee(Grantee(role))} TO {self.grantee(member)}{option}"

    def revoke_role(self, role: str, member: Grantee, *, admin_only: bool) -> str:
        option = "ADMIN OPTION FOR " if admin_only else ""
        return f"REVOKE {option}{self.grantee(Grantee(role))} FROM {self.grantee(member)}"

    @staticmethod
    def drop_database(name: str) -> str:
        return f"DROP DATABASE {quote_identifier(name)}"

    # Order and number of statements

    def statements(self, plan: Plan) -> list[Statement | SetPassword]:
        """In order, with privileges of the same text on the same object in one statement for all their grantees."""
        steps: list[AccountStep] = [step for change in plan for step in change.payload]
        done: list[Statement | SetPassword] = [step for step in steps if not isinstance(step, PrivilegeStep)]
        grouped: dict[tuple[int, str, str, str], list[str]] = {}
        for phase, revoke, scope, grantee, text in _joined_columns(steps):
            place = self._place(scope)
            key = (phase, "REVOKE" if revoke else "GRANT", text, place)
            grouped.setdefault(key, []).append(self.grantee(grantee))
        for (phase, verb, text, place), grantees in grouped.items():
            preposition = "FROM" if verb == "REVOKE" else "TO"
            done.append(Statement(phase, f"{verb} {text} ON {place} {preposition} {', '.join(grantees)}"))
        return sorted(done, key=lambda step: step.phase)

    @staticmethod
    def _place(scope: Scope) -> str:
        if scope.kind == GLOBAL:
            return "*.*"
        # A stored pattern is passed on as it is: it may be one that no database can be named.
        database = "`" + scope.database.replace("`", "``") + "`"
        if scope.kind == DATABASE:
            return f"{database}.*"
        kind = scope.kind.upper().replace("_", " ") + " " if scope.kind in ROUTINES else ""
        return f"{kind}{database}.{quote_identifier(scope.name)}"


def _identified(methods: t.Sequence[Method]) -> str:
    return "IDENTIFIED VIA " + " OR ".join(_method(method) for method in methods)


def _method(method: Method) -> str:
    return method.plugin + (f" USING {quote_literal(method.text.reveal())}" if method.text else "")


def _joined_columns(steps: t.Iterable[AccountStep]) -> t.Iterator[tuple[int, bool, Scope, Grantee, str]]:
    """Privileges as text; all columns of a table that one grantee is given or loses become one text."""
    columns: dict[tuple[int, bool, Scope, Grantee], dict[str, list[str]]] = {}
    for step in steps:
        if not isinstance(step, PrivilegeStep):
            continue
        names = names_of(step.mask)
        if step.scope.kind != COLUMN:
            yield step.phase, step.revoke, step.scope, step.grantee, ", ".join(names)
            continue
        table = Scope(TABLE, step.scope.database, step.scope.name)
        found = columns.setdefault((step.phase, step.revoke, table, step.grantee), {})
        for name in names:
            found.setdefault(name, []).append(quote_identifier(step.scope.column))
    for (phase, revoke, table, grantee), by_name in columns.items():
        text = ", ".join(f"{name} ({', '.join(listed)})" for name, listed in by_name.items())
        yield phase, revoke, table, grantee, text
