# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""PostgreSQL's roles and privileges: statements, and facts that depend on the version. Queries are beside it."""

from __future__ import annotations

import functools
import re
import typing as t

from .._core.acl import ObjectKind
from .._core.observed_roles import DefaultAcl, ObservedMembership, ServerObject
from .._core.plan import Plan
from .._core.role_steps import CLUSTER, DropRole, Phase, Privileges, SetPassword, Statement, Step
from .._core.secrets import Secret
from .postgresql import check_identifier, quote_identifier, quote_literal
from .postgresql_privileges import MAINTAIN_SINCE, object_kinds

MEMBERSHIP_OPTIONS_SINCE: t.Final = 160000

# Parameters that hold a list of quoted names: SET x = 'a, b' would store one name with a comma in it.
LIST_PARAMETERS: t.Final = frozenset(
    {
        "search_path",
        "temp_tablespaces",
        "session_preload_libraries",
        "local_preload_libraries",
        "shared_preload_libraries",
    }
)

_LIST_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,"]+?))\s*(?:,|\Z)')

# Run first in each transaction: the text of a statement with a verifier must stand neither in the server's log, nor in
# pg_stat_activity, nor in pg_stat_statements. All but the first need a superuser.
QUIET: t.Final = (
    "SET LOCAL log_min_error_statement = panic",
    "SET LOCAL log_statement = none",
    "SET LOCAL log_duration = off",
    "SET LOCAL log_min_duration_statement = -1",
    "SET LOCAL log_min_duration_sample = -1",
    "SET LOCAL log_transaction_sample_rate = 0",
    "SET LOCAL track_activities = off",
    "SET LOCAL pg_stat_statements.track_utility = off",
)

# Objects in one GRANT. More save nothing, and a statement stays readable in a log.
_OBJECTS_PER_STATEMENT = 500


# A large declaration names the same few roles thousands of times.
_check_once = functools.lru_cache(maxsize=10_000)(check_identifier)


class PostgreSQLRolesDialect:
    """:param version: server_version_num, 150018 for 15.18."""

    list_parameters: t.Collection[str] = LIST_PARAMETERS

    def __init__(self, version: int) -> None:
        self.version = version
        self.kinds: t.Mapping[str, ObjectKind] = object_kinds(version)
        self.has_membership_options = version >= MEMBERSHIP_OPTIONS_SINCE

    def check_name(self, name: str) -> None:
        """Raises InvalidDeclaration."""
        _check_once(name)

    def explain_missing_privilege(self, kind: str, privilege: str) -> str:
        """Why a privilege that other versions have is not there; an empty string for one that never was."""
        if privilege == "MAINTAIN" and kind == "table" and self.version < MAINTAIN_SINCE:
            return "MAINTAIN needs PostgreSQL 17 or newer"
        return ""

    # Roles

    def create_role(self, name: str, attributes: t.Mapping[str, bool], **rest: t.Any) -> str:
        return f"CREATE ROLE {quote_identifier(name)}{self._role_options(attributes, **rest)}"

    def alter_role(self, name: str, attributes: t.Mapping[str, bool], **rest: t.Any) -> str:
        return f"ALTER ROLE {quote_identifier(name)}{self._role_options(attributes, **rest)}"

    @staticmethod
    def _role_options(
        attributes: t.Mapping[str, bool], *, connection_limit: int | None = None, valid_until: str | None = None
    ) -> str:
        parts = [name.upper() if value else f"NO{name.upper()}" for name, value in attributes.items()]
        if connection_limit is not None:
            parts.append(f"CONNECTION LIMIT {connection_limit:d}")
        if valid_until is not None:
            parts.append(f"VALID UNTIL {quote_literal(valid_until)}")
        return " ".join(["", *parts])

    def set_password(self, name: str, verifier: Secret) -> Secret:
        return Secret(f"ALTER ROLE {quote_identifier(name)} PASSWORD {quote_literal(verifier.reveal())}")

    def clear_password(self, name: str) -> str:
        return f"ALTER ROLE {quote_identifier(name)} PASSWORD NULL"

    def comment_on_role(self, name: str, comment: str) -> str:
        return f"COMMENT ON ROLE {quote_identifier(name)} IS {quote_literal(comment)}"

    def set_for_role(self, role: str, parameter: str, value: t.Sequence[str] | None, *, database: str) -> str:
        start = f"ALTER ROLE {quote_identifier(role)}" + (
            f" IN DATABASE {quote_identifier(database)}" if database else ""
        )
        # An extension's parameter is two names with a dot between them.
        name = ".".join(quote_identifier(part) for part in parameter.split("."))
        if value is None:
            return f"{start} RESET {name}"
        return f"{start} SET {name} = {', '.join(quote_literal(element) for element in value)}"

    def split_list(self, parameter: str, text: str) -> tuple[str, ...]:
        """``"$user", public`` as its elements. Unquoted names become lower case, as for the server; paths don't."""
        if not text.strip():
            return ("",)
        folds = not parameter.lower().endswith("_libraries")
        return tuple(
            match[2].lower() if match[2] and folds else match[2] or match[1].replace('""', '"')
            for match in _LIST_ELEMENT.finditer(text)
        )

    # Memberships

    def grant_membership(self, role: str, member: str, options: t.Mapping[str, bool]) -> str:
        sql = f"GRANT {quote_identifier(role)} TO {quote_identifier(member)}"
        if self.has_membership_options:
            given = [f"{name.upper()} {'TRUE' if value else 'FALSE'}" for name, value in options.items()]
            return sql + (f" WITH {', '.join(given)}" if given else "")
        return sql + (" WITH ADMIN OPTION" if options.get("admin") else "")

    def revoke_membership(self, row: ObservedMembership, *, option: str = "") -> str:
        what = f"{option.upper()} OPTION FOR " if option else ""
        sql = f"REVOKE {what}{quote_identifier(row.role)} FROM {quote_identifier(row.member)}"
        return sql + (f" GRANTED BY {quote_identifier(row.grantor)}" if self.has_membership_options else "")

    # Objects

    def reference(self, target: ServerObject) -> str:
        """As it stands in GRANT and ALTER."""
        name = quote_identifier(target.name)
        if target.schema:
            name = f"{quote_identifier(target.schema)}.{name}"
        return f"{name}({target.arguments})" if target.kind == "routine" else name

    def alter_owner(self, target: ServerObject, owner: str) -> str:
        kind = self.kinds[target.kind]
        keyword = kind.alter_keyword or kind.keyword
        return f"ALTER {keyword} {self.reference(target)} OWNER TO {quote_identifier(owner)}"

    def drop_role(self, name: str) -> str:
        return f"DROP ROLE {quote_identifier(name)}"

    # From a plan to SQL

    def transactions(self, plan: Plan, *, maintenance: str) -> list[Transaction]:
        """The plan's steps as SQL, grouped by the transaction they belong to, in order.

        :param maintenance: database whose transaction takes what belongs to the whole cluster; it comes first.
        """
        steps: list[Step] = [step for change in plan for step in change.payload]
        by_database: dict[str, list[Step]] = {}
        drops: list[str | SetPassword] = []
        for step in steps:
            if isinstance(step, DropRole):
                drops.append(self.drop_role(step.role))
            else:
                database = CLUSTER if isinstance(step, SetPassword) else step.database
                by_database.setdefault(database or maintenance, []).append(step)
        first = self._statements(by_database.pop(maintenance, []))
        others = [Transaction(database, self._statements(steps)) for database, steps in by_database.items()]
        if not others:
            return [Transaction(maintenance, [*first, *drops])] if first or drops else []
        last = [Transaction(maintenance, drops)] if drops else []
        return ([Transaction(maintenance, first)] if first else []) + others + last

    def _statements(self, steps: t.Sequence[Step]) -> list[str | SetPassword]:
        by_phase: dict[Phase, list[Step]] = {phase: [] for phase in Phase}
        for step in steps:
            by_phase[Phase.ALTER if isinstance(step, SetPassword) else step.phase].append(step)  # type: ignore[union-attr]
        statements: list[str | SetPassword] = []
        for phase in Phase:
            ready = [step for step in by_phase[phase] if not isinstance(step, Privileges)]
            statements.extend(step.sql if isinstance(step, Statement) else step for step in ready)  # type: ignore[misc]
            statements.extend(self._privileges([step for step in by_phase[phase] if isinstance(step, Privileges)]))
        return statements

    def _privileges(self, steps: t.Sequence[Privileges]) -> t.Iterator[str]:
        """As few statements as possible: one for all objects that get the same for the same grantees.

        The server rewrites an object's ACL once per statement that names it, whatever the number of grantees, so this
        is quicker for it, too.
        """
        plain: dict[tuple[str, int, bool, bool], dict[ServerObject, list[str]]] = {}
        columns: dict[tuple[ServerObject, str, bool, bool], dict[int, list[str]]] = {}
        for step in sorted(steps, key=lambda step: -step.depth):
            revoke = step.phase is Phase.REVOKE
            if isinstance(step.target, DefaultAcl):
                yield self._default_privileges(step, step.target)
            elif step.acting_as:
                yield self._revoke_as_grantor(step, step.target)
            elif step.column:
                of_table = columns.setdefault((step.target, step.grantee, step.option, revoke), {})
                of_table.setdefault(step.mask, []).append(step.column)
            else:
                group = plain.setdefault((step.target.kind, step.mask, step.option, revoke), {})
                group.setdefault(step.target, []).append(step.grantee)
        for (kind, mask, option, revoke), grantees_of in plain.items():
            yield from self._grouped(kind, ", ".join(self.kinds[kind].names_of(mask)), grantees_of, (option, revoke))
        for (target, grantee, option, revoke), by_mask in columns.items():
            parts = [
                f"{name} ({', '.join(quote_identifier(column) for column in names)})"
                for mask, names in by_mask.items()
                for name in self.kinds["column"].names_of(mask)
            ]
            yield self._grant(
                "column", ", ".join(parts), self.reference(target), grantees=(grantee,), option=option, revoke=revoke
            )

    def _grouped(
        self, kind: str, privileges: str, grantees_of: t.Mapping[ServerObject, t.Sequence[str]], how: tuple[bool, bool]
    ) -> t.Iterator[str]:
        same: dict[tuple[str, ...], list[ServerObject]] = {}
        for target, grantees in grantees_of.items():
            same.setdefault(tuple(grantees), []).append(target)
        for grantees, targets in same.items():
            for start in range(0, len(targets), _OBJECTS_PER_STATEMENT):
                names = ", ".join(self.reference(target) for target in targets[start : start + _OBJECTS_PER_STATEMENT])
                yield self._grant(kind, privileges, names, grantees=grantees, option=how[0], revoke=how[1])

    def _grant(
        self, kind: str, privileges: str, names: str, *, grantees: t.Sequence[str], option: bool, revoke: bool
    ) -> str:
        return self._sentence(
            f"{privileges} ON {self.kinds[kind].keyword} {names}", grantees, option=option, revoke=revoke
        )

    @staticmethod
    def _sentence(what: str, grantees: t.Sequence[str], *, option: bool, revoke: bool) -> str:
        who = ", ".join(quote_identifier(grantee) if grantee else "PUBLIC" for grantee in grantees)
        if revoke:
            return f"REVOKE {'GRANT OPTION FOR ' if option else ''}{what} FROM {who}"
        return f"GRANT {what} TO {who}{' WITH GRANT OPTION' if option else ''}"

    def _default_privileges(self, step: Privileges, target: DefaultAcl) -> str:
        kind = self.kinds[target.kind]
        place = f" IN SCHEMA {quote_identifier(target.schema)}" if target.schema else ""
        what = f"{', '.join(kind.names_of(step.mask))} ON {kind.default_keyword}"
        sentence = self._sentence(what, (step.grantee,), option=step.option, revoke=step.phase is Phase.REVOKE)
        return f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote_identifier(target.owner)}{place} {sentence}"

    def _revoke_as_grantor(self, step: Privileges, target: ServerObject) -> str:
        """A superuser's REVOKE speaks for the owner and passes by what others granted, so their role is taken."""
        names = self.kinds["column" if step.column else target.kind].names_of(step.mask)
        if step.column:
            names = [f"{name} ({quote_identifier(step.column)})" for name in names]
        what = f"{', '.join(names)} ON {self.kinds[target.kind].keyword} {self.reference(target)}"
        sentence = self._sentence(what, (step.grantee,), option=step.option, revoke=True)
        return f"SET LOCAL ROLE {quote_identifier(step.acting_as)}; {sentence}; RESET ROLE"


class Transaction(t.NamedTuple):
    """:param statements: SQL, and passwords whose verifiers are made when their turn comes."""

    database: str
    statements: list[str | SetPassword]
