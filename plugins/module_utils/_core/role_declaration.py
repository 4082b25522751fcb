# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The declared roles: validated, normalised, as data."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .declared_fields import Fields
from .errors import InvalidDeclaration
from .names import shown
from .password_rules import PasswordRules, check_password
from .secrets import Secret

PRESENT: t.Final = "present"
ABSENT: t.Final = "absent"
ALWAYS: t.Final = "always"
ON_CREATE: t.Final = "on_create"
NEVER_EXPIRES: t.Final = "infinity"

# Attributes that are a power of their own: with ``exclusive`` they go where they are not declared.
POWERS: t.Final = ("superuser", "createdb", "createrole", "replication", "bypassrls")
ATTRIBUTES: t.Final = ("login", *POWERS, "inherit")

_ROLE_KEYS = (
    "name", "state", *ATTRIBUTES, "connection_limit", "valid_until", "password", "update_password", "passwordless",
    "human", "comment", "settings", "database_settings", "member_of",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class DesiredMembership:
    """An option that is None is left as it is, or to the server's default when the membership is new."""

    role: str
    admin: bool | None = None
    inherit: bool | None = None
    set: bool | None = None


@dataclasses.dataclass(frozen=True)
class DesiredRole:
    """:param attributes: only the declared ones of ATTRIBUTES.
    :param valid_until: UTC in ISO format, ``infinity``, or None where it is not declared.
    :param settings: database name (empty for all databases) to parameter to value; None resets.
    :param member_of: None where it is not declared.
    """

    name: str
    state: str = PRESENT
    attributes: t.Mapping[str, bool] = dataclasses.field(default_factory=dict)
    connection_limit: int | None = None
    valid_until: str | None = None
    password: Secret | None = None
    update_password: str = ALWAYS
    passwordless: bool = False
    human: bool = False
    comment: str | None = None
    settings: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    member_of: tuple[DesiredMembership, ...] = ()

    @property
    def label(self) -> str:
        return f"role {shown(self.name)}"


def parse_roles(
    entries: t.Sequence[t.Any], *, check_name: t.Callable[[str], None], rules: PasswordRules
) -> tuple[DesiredRole, ...]:
    """Raises InvalidDeclaration for the first mistake found.

    :param check_name: the dialect's; raises for a name that the server would cut or refuse.
    """
    roles: dict[str, DesiredRole] = {}
    for index, entry in enumerate(entries):
        role = _parse_role(Fields(entry, where=f"roles[{index}]", known=_ROLE_KEYS), check_name, rules=rules)
        if role.name in roles:
            raise InvalidDeclaration(f"{role.label} is declared twice", "Merge both entries")
        roles[role.name] = role
    for role in roles.values():
        for membership in role.member_of:
            if membership.role in roles and roles[membership.role].state == ABSENT:
                raise InvalidDeclaration(f"{role.label} is to be a member of {shown(membership.role)}, which is absent")
    return tuple(roles.values())


def _parse_role(fields: Fields, check_name: t.Callable[[str], None], *, rules: PasswordRules) -> DesiredRole:
    name = fields.required_text("name")
    check_name(name)
    fields.where = f"role {shown(name)}"
    if fields.choice("state", (PRESENT, ABSENT), default=PRESENT) == ABSENT:
        return DesiredRole(name, ABSENT)
    role = DesiredRole(
        name,
        attributes={key: flag for key in ATTRIBUTES for flag in [fields.flag(key)] if flag is not None},
        connection_limit=fields.number("connection_limit"),
        valid_until=_parse_moment(fields),
        password=_parse_password(fields),
        update_password=fields.choice("update_password", (ALWAYS, ON_CREATE), default=ALWAYS),
        passwordless=bool(fields.flag("passwordless")),
        human=bool(fields.flag("human")),
        comment=fields.text("comment"),
        settings=_parse_settings(fields),
        member_of=_parse_memberships(fields, check_name),
    )
    _check_role(role, rules)
    return role


def _parse_password(fields: Fields) -> Secret | None:
    value = fields.raw("password")
    if value is None:
        return None
    if not isinstance(value, str):
        raise fields.wrong("password", value, "a string")
    if not value:
        raise InvalidDeclaration(f"{fields.where}: the password is empty", "Use passwordless to take a password away")
    return Secret(value)


def _parse_moment(fields: Fields) -> str | None:
    text = fields.text("valid_until")
    if text is None or text == NEVER_EXPIRES:
        return text
    try:
        moment = datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    except ValueError:
        raise InvalidDeclaration(
            f"{fields.where}: valid_until is not a date",
            "Write 2027-01-31, 2027-01-31T18:00:00+01:00 or infinity; without an offset it is UTC",
        ) from None
    return moment_text(moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc))


def moment_text(moment: datetime.datetime) -> str:
    """The one form in which moments are compared and sent."""
    return moment.astimezone(datetime.timezone.utc).isoformat(timespec="seconds")


def _parse_settings(fields: Fields) -> dict[str, dict[str, t.Any]]:
    found = {"": dict(fields.mapping("settings"))}
    for database, settings in fields.mapping("database_settings").items():
        if not isinstance(settings, t.Mapping):
            raise fields.wrong(f"database_settings of {shown(str(database))}", settings, "a mapping")
        found[str(database)] = dict(settings)
    for settings in found.values():
        for name, value in settings.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            if not all(element is None or isinstance(element, (str, int, float, bool)) for element in values):
                raise fields.wrong(f"setting {name}", value, "a string, number, truth value or list")
    return {database: settings for database, settings in found.items() if settings}


def _parse_memberships(fields: Fields, check_name: t.Callable[[str], None]) -> tuple[DesiredMembership, ...]:
    found: dict[str, DesiredMembership] = {}
    for index, entry in enumerate(fields.items("member_of")):
        where = f"{fields.where}: member_of[{index}]"
        values = {"role": entry} if isinstance(entry, str) else entry
        inner = Fields(values, where=where, known=("role", "admin", "inherit", "set"))
        membership = DesiredMembership(
            inner.required_text("role"), inner.flag("admin"), inner.flag("inherit"), inner.flag("set")
        )
        check_name(membership.role)
        if membership.role in found:
            raise InvalidDeclaration(f"{where}: {shown(membership.role)} is named twice")
        found[membership.role] = membership
    return tuple(found.values())


def _check_role(role: DesiredRole, rules: PasswordRules) -> None:
    if role.password and role.passwordless:
        raise InvalidDeclaration(f"{role.label} has a password and is passwordless", "Leave one of them out")
    if role.password:
        check_password(role.name, role.password, rules)
    if role.connection_limit is not None and not -1 <= role.connection_limit < 2**31:
        raise InvalidDeclaration(f"{role.label}: connection_limit is out of range", "-1 means no limit")
    if role.human and role.valid_until in (None, NEVER_EXPIRES):
        raise InvalidDeclaration(
            f"{role.label} is a person's and never expires", "Set valid_until to the date of the next review"
        )
    if any(membership.role == role.name for membership in role.member_of):
        raise InvalidDeclaration(f"{role.label} can't be a member of itself")
