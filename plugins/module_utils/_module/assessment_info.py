# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What assessment_info returns: everything is looked at once, each thing by itself, and judged by the catalogue."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .._controls.catalogue import controls, query_checks
from .._controls.declared import DECLARABLE, query_parameters
from .._controls.model import CATEGORIES, Control
from .._controls.package_policy import DENIED, PROTECTED_PACKAGES, PROTECTED_UNITS
from .._controls.postgresql_files import file_policies, program_policies
from .._controls.query_check import CLUSTER
from .._core.assessment import ESSENTIAL, STRICT, Situation, assess, parse_waivers, report
from .._core.errors import BulwarkError, InvalidDeclaration
from .._core.names import near_miss
from .._core.observations import Observations, Unobservable
from .._core.packages import Finding as PackageFinding
from .._core.packages import Host, Policy, judge
from .._core.setting_values import text_of
from .._io.accounts import Accounts
from .._io.assessment_attempt import attempt
from .._io.assessment_certificate import observe_certificate
from .._io.assessment_database import (
    Login,
    guard,
    has_unread_rules,
    observe_access,
    observe_configuration,
    observe_login,
    observe_overrides,
    observe_settings,
    require_superuser,
)
from .._io.assessment_files import observe_files
from .._io.assessment_from_outside import locate_from_outside
from .._io.assessment_host import observe_log_sink, observe_packet_filter, observe_service
from .._io.assessment_queries import Answers, ask_cluster, ask_each_database
from .._io.assessment_software import observe_software, observe_untrusted_sources
from .._io.packages import observe_packages
from .._io.postgresql import ConnectionSettings, Session, open_session
from .._io.postgresql_server import ServerLocation, locate
from .._io.units import observe_enabled_units

_UNREAD_RULES: t.Final = (
    "pg_hba.conf was changed after the server last read it: what is judged is the file, reload to put it in force"
)


@dataclasses.dataclass(frozen=True)
class DatabaseView:
    """What the server itself told, or why it did not."""

    version: t.Any
    settings: t.Any
    overrides: t.Any
    access: t.Any
    offenders: t.Any
    location: t.Any
    configuration: t.Any
    server_version: str = ""
    port: int = 5432
    warnings: tuple[str, ...] = ()


def assess_host(
    connection: ConnectionSettings, options: t.Mapping[str, t.Any], *, now: datetime.datetime | None = None
) -> dict[str, t.Any]:
    """The assessment of this host. Raises InvalidDeclaration for bad options, and nothing for what can't be seen.

    :param now: the moment to judge at, by which waivers, certificates and versions expire; the clock's by default.
    """
    return assess_controls(controls(engine=options["engine"]), connection, options, now=now)


def assess_controls(
    known: t.Sequence[Control],
    connection: ConnectionSettings,
    options: t.Mapping[str, t.Any],
    *,
    now: datetime.datetime | None = None,
) -> dict[str, t.Any]:
    """The same with given controls."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    waivers = parse_waivers(options["waivers"] or (), known={control.id for control in known})
    situation = Situation(
        today=now.date(),
        level=options["level"],
        log_policy=options["log_policy"],
        overrides={name.lower(): text_of(value) for name, value in (options["overrides"] or {}).items()},
        declared=_declared(options["declared"] or {}),
        certificate_days=options["certificate_days"],
    )
    chosen = [control for control in known if situation.level == STRICT or control.level == ESSENTIAL]
    database = _look_at_database(connection, chosen, situation, options=options)
    observations = _observe(database, options)
    expired = [one.control for one in waivers.values() if one.is_expired(situation.today)]
    return report(
        assess(known, observations, situation, waivers=waivers),
        situation,
        engine=options["engine"],
        server_version=database.server_version,
        assessed_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        titles=CATEGORIES,
        warnings=[*database.warnings, *(f"the waiver of {control} has expired" for control in sorted(expired))],
    )


def _declared(given: t.Mapping[str, t.Any]) -> dict[str, tuple[str, ...]]:
    for name, values in given.items():
        if name not in DECLARABLE:
            hint = near_miss(name, DECLARABLE) or f"Known: {', '.join(DECLARABLE)}"
            raise InvalidDeclaration(f"declared: there is no list {name!r}", hint)
        if not isinstance(values, (list, tuple)):
            raise InvalidDeclaration(f"declared: {name} is not a list", "Write its entries as a YAML list")
    return {name: tuple(map(str, values)) for name, values in given.items()}


def _look_at_database(
    connection: ConnectionSettings,
    chosen: t.Sequence[Control],
    situation: Situation,
    *,
    options: t.Mapping[str, t.Any],
) -> DatabaseView:
    try:
        with open_session(connection) as session:
            return _ask_server(session, chosen, situation, options=options)
    except BulwarkError as error:
        return _shut_out(error, connection)


def _ask_server(
    session: Session, chosen: t.Sequence[Control], situation: Situation, *, options: t.Mapping[str, t.Any]
) -> DatabaseView:
    login = observe_login(session)
    settings = attempt(lambda: observe_settings(session, login))
    location = attempt(lambda: locate(session))
    guard(session, timeout=options["query_timeout"])
    access = attempt(lambda: observe_access(session, login))
    unread = login.is_superuser and attempt(lambda: has_unread_rules(session)) is True
    return DatabaseView(
        version=session.version,
        settings=settings,
        overrides=attempt(lambda: observe_overrides(session)),
        access=access,
        offenders=attempt(lambda: _offenders(session, login, chosen, situation=situation, options=options)),
        location=location,
        configuration=attempt(lambda: observe_configuration(session)),
        server_version=login.server_version,
        port=login.port,
        warnings=(_UNREAD_RULES,) if unread else (),
    )


def _offenders(
    session: Session,
    login: Login,
    chosen: t.Sequence[Control],
    *,
    situation: Situation,
    options: t.Mapping[str, t.Any],
) -> Answers:
    require_superuser(session, login, "catalogs")
    asked = [check for check in query_checks(chosen) if check.applies_to(session.version)]
    once = dict.fromkeys(check.sql for check in asked if check.scope == CLUSTER)
    everywhere = dict.fromkeys(check.sql for check in asked if check.scope != CLUSTER)
    declared = query_parameters(situation.declared)
    return {
        **ask_cluster(session, once, declared),
        **ask_each_database(
            session,
            list(everywhere),
            declared,
            exclude=options["exclude_databases"] or (),
            timeout=options["query_timeout"],
        ),
    }


def _shut_out(error: BulwarkError, connection: ConnectionSettings) -> DatabaseView:
    """No way in: the host is still looked at, with what the server's process tells."""
    blind = Unobservable(error.message)
    location = attempt(lambda: locate_from_outside(connection))
    if isinstance(location, Unobservable):
        location = blind
    return DatabaseView(
        version=blind,
        settings=blind,
        overrides=blind,
        access=blind,
        offenders=blind,
        location=location,
        configuration=blind,
        port=connection.port,
        warnings=(f"nothing in the database could be looked at: {error}",),
    )


def _observe(database: DatabaseView, options: t.Mapping[str, t.Any]) -> Observations:
    location = database.location
    here = location if isinstance(location, ServerLocation) else None
    process = here.process_id if here else None
    return Observations(
        version=database.version,
        settings=database.settings,
        overrides=database.overrides,
        access=database.access,
        offenders=database.offenders,
        files=observe_files(location, _file_policies, _program_policies(database, here)),
        certificate=attempt(lambda: _certificate(database, here)) if here else location,
        service=attempt(lambda: observe_service(here.unit, here.process_id)) if here else location,
        log_sink=attempt(lambda: observe_log_sink(process)) if here else location,
        packet_filter=attempt(observe_packet_filter),
        software=attempt(lambda: observe_software(process)),
        surplus=attempt(lambda: _surplus(options)),
        untrusted_sources=attempt(observe_untrusted_sources),
        port=database.port,
    )


def _file_policies(location: ServerLocation) -> list[dict[str, t.Any]]:
    return file_policies(
        location.settings,
        os_user=location.os_user,
        os_group=Accounts().primary_group(location.os_user),
        tablespaces=location.tablespaces,
        output_file=location.output_file,
    )


def _program_policies(database: DatabaseView, location: ServerLocation | None) -> t.Any:
    if location is None or isinstance(database.configuration, Unobservable):
        return database.configuration if location else database.location
    return program_policies(database.configuration)


def _certificate(database: DatabaseView, location: ServerLocation) -> t.Any:
    settings = location.settings
    if not settings["ssl_cert_file"]:
        return Unobservable("no certificate is configured")
    addresses = ""
    if not isinstance(database.settings, Unobservable) and "listen_addresses" in database.settings:
        addresses = database.settings["listen_addresses"].value
    return observe_certificate(
        settings["ssl_cert_file"], settings["ssl_key_file"], addresses=addresses, port=database.port
    )


def _surplus(options: t.Mapping[str, t.Any]) -> tuple[PackageFinding, ...]:
    """What the policy of minimal_packages denies. What would go along with it is for that module to find out."""
    policy = Policy(
        denials=DENIED,
        allowed_packages=tuple(options["allowed_packages"] or ()),
        allowed_units=tuple(options["allowed_units"] or ()),
        protected_packages=PROTECTED_PACKAGES,
        protected_units=PROTECTED_UNITS,
    )
    host = Host(observe_packages(), observe_enabled_units())
    return tuple(dataclasses.replace(finding, kept_because="") for finding in judge(host, policy))
