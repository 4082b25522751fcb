# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What assessment_info returns: a host is looked at once and judged by the catalogue of its engine."""

from __future__ import annotations

import datetime
import typing as t

from .._controls.catalogue import controls, every_id
from .._controls.declared import DECLARABLE
from .._controls.model import CATEGORIES, MARIADB, Control
from .._core.assessment import ESSENTIAL, STRICT, Situation, assess, parse_waivers, report
from .._core.errors import InvalidDeclaration
from .._core.names import near_miss
from .._core.setting_values import text_of
from .._io.mariadb import MariaDBConnection
from .._io.postgresql import ConnectionSettings
from . import mariadb_connection, postgresql_connection
from .assessment_look import Look
from .assessment_mariadb import look_at_mariadb
from .assessment_postgresql import look_at_postgresql

Connection = t.Union[ConnectionSettings, MariaDBConnection]


def connection_options() -> dict[str, dict[str, t.Any]]:
    """Of both engines, whose defaults differ."""
    common = postgresql_connection.connection_options()
    return {**common, "login_user": {"type": "str"}, "login_port": {"type": "int"}}


def connection_of(options: t.Mapping[str, t.Any]) -> Connection:
    """The connection of the module's parameters. Raises InvalidDeclaration on a contradiction."""
    maker = mariadb_connection if options["engine"] == MARIADB else postgresql_connection
    defaults = {name: option.get("default") for name, option in maker.connection_options().items()}
    given = {
        **options,
        "login_user": options["login_user"] or defaults["login_user"],
        "login_port": options["login_port"] or defaults["login_port"],
    }
    if options["engine"] == MARIADB:
        return mariadb_connection.mariadb_connection(given)
    return postgresql_connection.connection_settings(given)


def assess_host(
    connection: Connection, options: t.Mapping[str, t.Any], *, now: datetime.datetime | None = None
) -> dict[str, t.Any]:
    """The assessment of this host. Raises InvalidDeclaration for bad options, and nothing for what can't be seen.

    :param now: the moment to judge at, by which waivers, certificates and versions expire; the clock's by default.
    """
    return assess_controls(controls(engine=options["engine"]), connection, options, now=now)


def assess_controls(
    known: t.Sequence[Control],
    connection: Connection,
    options: t.Mapping[str, t.Any],
    *,
    now: datetime.datetime | None = None,
) -> dict[str, t.Any]:
    """The same with given controls."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    waivers = parse_waivers(options["waivers"] or (), known={control.id for control in known} | every_id())
    situation = Situation(
        today=now.date(),
        level=options["level"],
        log_policy=options["log_policy"],
        overrides={
            _normalised(name, options["engine"]): text_of(value) for name, value in (options["overrides"] or {}).items()
        },
        declared=_declared(options["declared"] or {}),
        certificate_days=options["certificate_days"],
    )
    chosen = [control for control in known if situation.level == STRICT or control.level == ESSENTIAL]
    seen = _look(connection, chosen, situation, options={**options, "now": now.timestamp()})
    here = {control.id for control in known}
    expired = [one.control for one in waivers.values() if one.control in here and one.is_expired(situation.today)]
    return report(
        assess(known, seen.observations, situation, waivers=waivers),
        situation,
        engine=options["engine"],
        server_version=seen.server_version,
        assessed_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        titles=CATEGORIES,
        warnings=[*seen.warnings, *(f"the waiver of {control} has expired" for control in sorted(expired))],
    )


def _normalised(name: str, engine: str) -> str:
    """A parameter's name as the server spells it; MariaDB's option files know dashes."""
    return name.lower().replace("-", "_") if engine == MARIADB else name.lower()


def _declared(given: t.Mapping[str, t.Any]) -> dict[str, tuple[str, ...]]:
    for name, values in given.items():
        if name not in DECLARABLE:
            hint = near_miss(name, DECLARABLE) or f"Known: {', '.join(DECLARABLE)}"
            raise InvalidDeclaration(f"declared: there is no list {name!r}", hint)
        if not isinstance(values, (list, tuple)):
            raise InvalidDeclaration(f"declared: {name} is not a list", "Write its entries as a YAML list")
    return {name: tuple(map(str, values)) for name, values in given.items()}


def _look(
    connection: Connection, chosen: t.Sequence[Control], situation: Situation, *, options: t.Mapping[str, t.Any]
) -> Look:
    if isinstance(connection, MariaDBConnection):
        return look_at_mariadb(connection, chosen, situation, options=options)
    return look_at_postgresql(connection, chosen, situation, options=options)
