# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Roles: what has to change in their attributes, passwords, settings and comments."""

from __future__ import annotations

import datetime
import typing as t

from .declaration import Declaration, protected_roles
from .errors import InvalidDeclaration, MissingRequirement
from .names import near_miss, shown
from .observed_roles import ObservedCluster, ObservedRole
from .role_declaration import ABSENT, ATTRIBUTES, NEVER_EXPIRES, ON_CREATE, POWERS, DesiredRole
from .role_steps import CLUSTER, DropRole, Phase, PlanBuilder, SetPassword, Statement
from .scram import describe, is_current


class RoleDialect(t.Protocol):
    """The statements and facts this planner asks for; every name arrives unquoted."""

    list_parameters: t.Collection[str]

    def create_role(self, name: str, attributes: t.Mapping[str, bool], **rest: t.Any) -> str: ...

    def alter_role(self, name: str, attributes: t.Mapping[str, bool], **rest: t.Any) -> str: ...

    def comment_on_role(self, name: str, comment: str) -> str: ...

    def set_for_role(self, role: str, parameter: str, value: t.Sequence[str] | None, *, database: str) -> str: ...

    def clear_password(self, name: str) -> str: ...

    def split_list(self, parameter: str, text: str) -> tuple[str, ...]: ...


def plan_roles(
    declaration: Declaration, cluster: ObservedCluster, *, dialect: RoleDialect, builder: PlanBuilder
) -> None:
    """Safety is not judged here: role_safety.check_roles comes first."""
    protected = protected_roles(declaration, cluster)
    for role in declaration.roles:
        observed = cluster.roles.get(role.name)
        if role.state == ABSENT:
            continue
        if observed is None:
            _plan_creation(role, dialect, builder)
            observed = ObservedRole(role.name, {})
            is_new = True
        else:
            undeclared = _undeclared_powers(role, observed) if _is_exclusive(declaration, role, protected) else ()
            _plan_attributes(role, observed, dialect=dialect, builder=builder, undeclared=undeclared)
            is_new = False
        _plan_password(role, None if is_new else observed, declaration=declaration, cluster=cluster, builder=builder)
        if role.passwordless and observed.verifier:
            clear = Statement(CLUSTER, Phase.ALTER, dialect.clear_password(role.name))
            builder.add(f"{role.label}: password", describe(observed.verifier), "none", clear)
        _plan_comment(role, observed, dialect=dialect, builder=builder)
        _plan_settings(role, cluster, dialect=dialect, builder=builder)
        _warn_about_expiry(role, declaration, cluster=cluster, builder=builder)


def plan_drops(declaration: Declaration, cluster: ObservedCluster, builder: PlanBuilder) -> None:
    for role in declaration.roles:
        if role.state == ABSENT and role.name in cluster.roles:
            builder.add(role.label, "present", "", DropRole(role.name))


def _is_exclusive(declaration: Declaration, role: DesiredRole, protected: t.Collection[str]) -> bool:
    return declaration.exclusive and role.name not in protected


def _undeclared_powers(role: DesiredRole, observed: ObservedRole) -> tuple[str, ...]:
    return tuple(power for power in POWERS if observed.attributes.get(power) and power not in role.attributes)


def _plan_creation(role: DesiredRole, dialect: RoleDialect, builder: PlanBuilder) -> None:
    sql = dialect.create_role(
        role.name, role.attributes, connection_limit=role.connection_limit, valid_until=role.valid_until
    )
    described = [_describe_attribute(name, role.attributes[name]) for name in ATTRIBUTES if name in role.attributes]
    if role.connection_limit is not None:
        described.append(f"CONNECTION LIMIT {role.connection_limit}")
    if role.valid_until is not None:
        described.append(f"VALID UNTIL {role.valid_until}")
    after = "created" + (f" with {', '.join(described)}" if described else "")
    builder.add(role.label, "", after, Statement(CLUSTER, Phase.CREATE, sql))


def _describe_attribute(name: str, value: bool) -> str:
    return name.upper() if value else f"NO{name.upper()}"


def _plan_attributes(
    role: DesiredRole,
    observed: ObservedRole,
    *,
    dialect: RoleDialect,
    builder: PlanBuilder,
    undeclared: t.Collection[str],
) -> None:
    wanted: dict[str, bool] = {**role.attributes, **dict.fromkeys(undeclared, False)}
    for name in (name for name in ATTRIBUTES if name in wanted and wanted[name] != observed.attributes[name]):
        sql = dialect.alter_role(role.name, {name: wanted[name]})
        before, after = (_describe_attribute(name, value) for value in (observed.attributes[name], wanted[name]))
        builder.add(f"{role.label}: {name}", before, after, Statement(CLUSTER, Phase.ALTER, sql))
        if name in undeclared:
            builder.revocations.append(f"{name.upper()} of {role.label}")
    if role.connection_limit is not None and role.connection_limit != observed.connection_limit:
        sql = dialect.alter_role(role.name, {}, connection_limit=role.connection_limit)
        before, after = str(observed.connection_limit), str(role.connection_limit)
        builder.add(f"{role.label}: connection limit", before, after, Statement(CLUSTER, Phase.ALTER, sql))
    if role.valid_until is not None and role.valid_until != (observed.valid_until or NEVER_EXPIRES):
        sql = dialect.alter_role(role.name, {}, valid_until=role.valid_until)
        before = observed.valid_until or NEVER_EXPIRES
        builder.add(f"{role.label}: valid until", before, role.valid_until, Statement(CLUSTER, Phase.ALTER, sql))


def _plan_password(
    role: DesiredRole,
    observed: ObservedRole | None,
    *,
    declaration: Declaration,
    cluster: ObservedCluster,
    builder: PlanBuilder,
) -> None:
    if role.password is None or (observed is not None and role.update_password == ON_CREATE):
        return
    if observed is not None and not cluster.identity.reads_verifiers:
        raise MissingRequirement(
            f"{role.label}: {shown(cluster.identity.login)} may not read stored passwords, so it can't be told whether "
            "this one is set already",
            "Log in as a superuser, or set update_password to on_create",
        )
    stored = observed.verifier if observed else None
    if is_current(role.password, stored, iterations=declaration.iterations):
        return
    before = f"{describe(stored)} (not the declared one, or weaker)" if stored else ""
    after = f"SCRAM-SHA-256 with at least {declaration.iterations} iterations"
    builder.add(f"{role.label}: password", before, after, SetPassword(role.name, role.password))
    if not cluster.identity.superuser:
        builder.warnings.append(
            f"{role.label}: {shown(cluster.identity.login)} is no superuser and can't switch off statement logging "
            "for its own session: the server may log the password's SCRAM verifier"
        )


def _plan_comment(role: DesiredRole, observed: ObservedRole, *, dialect: RoleDialect, builder: PlanBuilder) -> None:
    if role.comment is None or role.comment == observed.comment:
        return
    sql = dialect.comment_on_role(role.name, role.comment)
    subject = f"{role.label}: comment"
    builder.add(subject, _one_line(observed.comment), _one_line(role.comment), Statement(CLUSTER, Phase.ALTER, sql))


def _one_line(text: str) -> str:
    return repr(text)[1:-1]


def _plan_settings(role: DesiredRole, cluster: ObservedCluster, *, dialect: RoleDialect, builder: PlanBuilder) -> None:
    for database, settings in role.settings.items():
        if database and database not in cluster.databases:
            raise InvalidDeclaration(
                f"{role.label}: there is no database {shown(database)}", near_miss(database, cluster.databases)
            )
        stored = {name.lower(): value for name, value in cluster.settings.get((database, role.name), {}).items()}
        for name, value in settings.items():
            _check_parameter(role, name, cluster.parameters)
            is_list = name.lower() in dialect.list_parameters
            wanted = None if value is None else setting_text(name, value, is_list=is_list, dialect=dialect)
            found = stored.get(name.lower())
            present = None if found is None else (dialect.split_list(name, found) if is_list else (found,))
            if wanted == present:
                continue
            subject = f"{role.label}: setting {name}" + (f" in database {shown(database)}" if database else "")
            sql = dialect.set_for_role(role.name, name, wanted, database=database)
            before, after = (_one_line(", ".join(side)) if side is not None else "" for side in (present, wanted))
            builder.add(subject, before, after, Statement(CLUSTER, Phase.ALTER, sql))


def setting_text(name: str, value: t.Any, *, is_list: bool, dialect: RoleDialect) -> tuple[str, ...]:
    """The elements of a value as the server stores them: several only for list parameters such as search_path."""
    if isinstance(value, (list, tuple)):
        elements = tuple(_scalar_text(element) for element in value)
        return elements if is_list else (", ".join(elements),)
    text = _scalar_text(value)
    return dialect.split_list(name, text) if is_list else (text,)


def _scalar_text(value: t.Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


# Contexts of pg_settings that a role can't have a value of its own for.
_SERVER_WIDE = ("postmaster", "sighup", "internal")


def _check_parameter(role: DesiredRole, name: str, parameters: t.Mapping[str, str]) -> None:
    context = parameters.get(name.lower())
    if context in _SERVER_WIDE:
        raise InvalidDeclaration(
            f"{role.label}: {name} can only be set for the whole server", "Use postgresql_settings"
        )
    # A name with a dot belongs to an extension that may not be loaded at the moment.
    if context is None and "." not in name:
        raise InvalidDeclaration(f"{role.label}: there is no setting {name!r}", near_miss(name, parameters))


def _warn_about_expiry(
    role: DesiredRole, declaration: Declaration, *, cluster: ObservedCluster, builder: PlanBuilder
) -> None:
    if role.valid_until in (None, NEVER_EXPIRES):
        return
    left = datetime.datetime.fromisoformat(str(role.valid_until)) - cluster.identity.now
    if left <= datetime.timedelta(0):
        builder.warnings.append(f"{role.label} expired on {role.valid_until}: its password is no longer accepted")
    elif left <= datetime.timedelta(days=declaration.expiry_warning_days):
        builder.warnings.append(f"{role.label} expires on {role.valid_until}, in {left.days} days")
