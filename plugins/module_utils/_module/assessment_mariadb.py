# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A host with MariaDB, looked at: each thing by itself, so that one that can't be seen hides no other."""

from __future__ import annotations

import dataclasses
import typing as t

from .._controls.catalogue import query_checks
from .._controls.declared import query_parameters
from .._controls.mariadb_files import file_policies, program_policies
from .._controls.model import Control
from .._controls.versions import version_number
from .._core.assessment import Situation
from .._core.errors import BulwarkError
from .._core.observations import Observations, Unobservable
from .._dialects.mariadb_assessment import PACKAGES
from .._io.assessment_attempt import attempt
from .._io.assessment_certificate import read_certificate
from .._io.assessment_files import mariadb_places, observe_files
from .._io.assessment_galera import observe_galera
from .._io.assessment_mariadb import ask_server, guard, observe_active_plugins, observe_channels, observe_settings
from .._io.assessment_queries import Answers
from .._io.mariadb import MariaDBConnection, Session, open_session
from .._io.mariadb_server import MariaDBLocation, locate
from .assessment_look import Look, observe_host


def look_at_mariadb(
    connection: MariaDBConnection,
    chosen: t.Sequence[Control],
    situation: Situation,
    *,
    options: t.Mapping[str, t.Any],
) -> Look:
    """Raises nothing for what can't be seen."""
    try:
        with open_session(connection) as session:
            return _ask_server(session, chosen, situation, options=options)
    except BulwarkError as error:
        return _shut_out(error, connection, options)


def _ask_server(
    session: Session, chosen: t.Sequence[Control], situation: Situation, *, options: t.Mapping[str, t.Any]
) -> Look:
    settings = attempt(lambda: observe_settings(session))
    location = attempt(lambda: locate(session))
    galera = attempt(lambda: observe_galera(session))
    plugins = attempt(lambda: observe_active_plugins(session))
    channels = attempt(lambda: observe_channels(session))
    guard(session, timeout=options["query_timeout"])
    here = location if isinstance(location, MariaDBLocation) else None
    observations = Observations(
        version=version_number(session.version),
        settings=settings,
        plugins=plugins,
        channels=channels,
        galera=galera,
        offenders=attempt(lambda: _offenders(session, chosen, situation)),
        files=observe_files(*_policies(here)) if here else observe_files(location, location),
        certificate=attempt(lambda: _certificate(here)) if here else location,
        port=_port(settings, session.connection),
        **observe_host(location, here, options, packages=PACKAGES),
    )
    return Look(observations, ".".join(map(str, session.version)))


def _offenders(session: Session, chosen: t.Sequence[Control], situation: Situation) -> Answers:
    version = version_number(session.version)
    asked = dict.fromkeys(check.sql for check in query_checks(chosen) if check.applies_to(version))
    return ask_server(session, asked, query_parameters(situation.declared))


def _shut_out(error: BulwarkError, connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> Look:
    """No way in: the host is still looked at."""
    blind = Unobservable(error.message)
    observations = Observations(
        version=blind,
        settings=blind,
        plugins=blind,
        channels=blind,
        galera=blind,
        offenders=blind,
        files=blind,
        certificate=blind,
        port=connection.port,
        **observe_host(blind, None, options, packages=PACKAGES),
    )
    return Look(observations, warnings=(f"nothing in the database could be looked at: {error}",))


def _policies(here: MariaDBLocation) -> tuple[t.Any, t.Any]:
    own = attempt(
        lambda: (
            file_policies(
                here.settings,
                here.files,
                os_user=here.os_user,
                os_group=here.os_group,
                tablespaces=here.tablespaces,
                output_file=here.output_file,
            ),
            mariadb_places(here),
        )
    )
    programs = program_policies(
        binary=here.binary,
        plugin_directory=here.settings["plugin_dir"],
        provider=here.settings.get("wsrep_provider", ""),
    )
    return own, programs


def _certificate(here: MariaDBLocation) -> t.Any:
    if not here.tls.cert:
        return Unobservable("no certificate is configured")
    found = read_certificate(here.tls.cert, here.tls.key)
    return dataclasses.replace(found, is_served=here.tls.files_loaded)


def _port(settings: t.Any, connection: MariaDBConnection) -> int:
    return connection.port if isinstance(settings, Unobservable) else int(settings["port"].value)
