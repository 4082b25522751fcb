# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A host with PostgreSQL, looked at: each thing by itself, so that one that can't be seen hides no other."""

from __future__ import annotations

import dataclasses
import typing as t

from .._controls.catalogue import query_checks
from .._controls.declared import query_parameters
from .._controls.model import Control
from .._controls.postgresql_files import file_policies, program_policies
from .._controls.query_check import CLUSTER
from .._core.assessment import Situation
from .._core.errors import BulwarkError
from .._core.observations import Observations, Unobservable
from .._dialects.postgresql_assessment import PACKAGES
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
from .._io.assessment_files import observe_files, places
from .._io.assessment_from_outside import locate_from_outside
from .._io.assessment_queries import Answers, ask_cluster, ask_each_database
from .._io.postgresql import ConnectionSettings, Session, open_session
from .._io.postgresql_server import ServerLocation, locate
from .assessment_look import Look, observe_host

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


def look_at_postgresql(
    connection: ConnectionSettings,
    chosen: t.Sequence[Control],
    situation: Situation,
    *,
    options: t.Mapping[str, t.Any],
) -> Look:
    """Raises nothing for what can't be seen."""
    database = _look_at_database(connection, chosen, situation, options=options)
    return Look(_observe(database, options), database.server_version, database.warnings)


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
    return Observations(
        version=database.version,
        settings=database.settings,
        overrides=database.overrides,
        access=database.access,
        offenders=database.offenders,
        files=_files(database, here),
        certificate=attempt(lambda: _certificate(database, here)) if here else location,
        port=database.port,
        **observe_host(location, here, options, packages=PACKAGES),
    )


def _files(database: DatabaseView, here: ServerLocation | None) -> t.Any:
    programs = _program_policies(database, here)
    if here is None:
        return observe_files(database.location, programs)
    return observe_files(attempt(lambda: (_file_policies(here), places(here))), programs)


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
