# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The server's own side of an assessment: settings, overrides, rules of access."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.errors import MissingRequirement
from .._core.observations import Access, HbaRule, ObservedSetting, Override
from .._core.setting_values import UnusableValue, ValueType
from .._dialects import postgresql_assessment as dialect
from .._dialects.postgresql_settings import value_type_from_row
from .postgresql import Session


@dataclasses.dataclass(frozen=True)
class Login:
    """As whom we look, and what the server says of itself."""

    is_superuser: bool
    reads_settings: bool
    server_version: str
    port: int


def observe_login(session: Session) -> Login:
    superuser, settings, version, port = session.rows(dialect.LOGIN_QUERY)[0]
    return Login(superuser, superuser or settings, text(version).split()[0], int(port))


def guard(session: Session, *, timeout: int) -> None:
    """Read only, with limits, and deaf to what others have put into the database. Comes after ``observe_settings``.

    :param timeout: seconds for each query.
    """
    session.execute(dialect.GUARDS.format(timeout=timeout))


def require_superuser(session: Session, login: Login, what: str) -> None:
    """To others the catalogs show a part, and a part without faults proves nothing."""
    if not login.is_superuser:
        raise MissingRequirement(f"{what}: role {session.settings.user} is no superuser, so it does not see everything")


def observe_settings(session: Session, login: Login) -> dict[str, ObservedSetting]:
    """Every parameter as the server has it: what role, database or session put over it is taken off again."""
    if not login.reads_settings:
        raise MissingRequirement(
            f"settings: role {session.settings.user} is neither superuser nor member of pg_read_all_settings"
        )
    rows = session.rows(dialect.SETTINGS_QUERY)
    covered = {row[0] for row in rows if row[8] in dialect.SESSION_SOURCES} - dialect.SESSION_PARAMETERS
    underneath = _underneath(session, login) if covered else {}
    return {row[0]: _setting(row, underneath) for row in rows}


def _underneath(session: Session, login: Login) -> dict[str, str]:
    """What files and command line say, for parameters that this session has otherwise."""
    require_superuser(session, login, "settings that role or database override")
    found = {name: value or "" for name, value in session.rows(dialect.FILE_SETTINGS_QUERY)}
    return {**found, **dialect.command_line_settings(text(session.value(dialect.COMMAND_LINE_QUERY)))}


def _setting(row: tuple, underneath: t.Mapping[str, str]) -> ObservedSetting:
    name, kind, unit, lowest, highest, choices, value, boot_value, source, pending = row
    value_type = value_type_from_row(name, kind, unit, lowest, highest, choices)
    if source in dialect.SESSION_SOURCES:
        value = _plain(underneath.get(name, boot_value or ""), value_type)
    return ObservedSetting(name, text(value), value_type, bool(pending))


def _plain(value: str, value_type: ValueType) -> str:
    """The text of a file as pg_settings would give it: in base units, booleans as on and off."""
    if value_type.kind not in ("bool", "integer", "real"):
        return value
    try:
        meaning = value_type.meaning(value)
    except UnusableValue:
        return value
    return ("on" if meaning else "off") if isinstance(meaning, bool) else f"{meaning:.15g}"


def observe_overrides(session: Session) -> tuple[Override, ...]:
    found = []
    for item, role, database in session.rows(dialect.OVERRIDES_QUERY):
        name, dummy, value = text(item).partition("=")
        found.append(Override(name.lower(), value, text(role), text(database)))
    return tuple(found)


def observe_access(session: Session, login: Login) -> Access:
    require_superuser(session, login, "rules of access")
    rules = tuple(_rule(row) for row in session.rows(dialect.hba_query(session.version)))
    return Access(rules, _names(session, dialect.SUPERUSERS_QUERY), _names(session, dialect.SUPERUSER_GROUPS_QUERY))


def _rule(row: tuple) -> HbaRule:
    line, kind, databases, users, address, netmask, method, options, error, file = row
    return HbaRule(
        line=line or 0,
        kind=kind or "",
        databases=tuple(map(text, databases or ())),
        users=tuple(map(text, users or ())),
        address=address or "",
        netmask=netmask or "",
        method=method or "",
        options=tuple(dialect.without_secrets(text(option)) for option in options or ()),
        error=error or "",
        file=file or "",
    )


def observe_configuration(session: Session) -> dict[str, str]:
    """Where the server's programs and libraries are."""
    return {name: value or "" for name, value in session.rows(dialect.CONFIGURATION_QUERY)}


def has_unread_rules(session: Session) -> bool:
    """Whether pg_hba.conf was written after the server last read it."""
    return bool(session.value(dialect.HBA_CHANGED_QUERY))


def _names(session: Session, query: str) -> frozenset[str]:
    return frozenset(text(name) for (name,) in session.rows(query))


def text(value: t.Any) -> str:
    """Text, also where a database without an encoding (SQL_ASCII) answers with bytes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
