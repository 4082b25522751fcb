# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Files of a server against policies, by area."""

from __future__ import annotations

import os
import typing as t

from .._core.errors import MissingRequirement, ObservationFailed
from .._core.file_areas import PROGRAM, SERVER_AREAS, Places, offenders_by_area
from .._core.file_policies import SHARED_DIRECTORIES, parse_policies
from .._core.mariadb_place import DATA_DIRECTORIES
from .._core.observations import Offenders, Unobservable
from .assessment_attempt import attempt
from .file_tree import find_violations
from .mariadb_server import MariaDBLocation
from .postgresql_server import ServerLocation

PolicyData = t.Sequence[t.Mapping[str, t.Any]]
_LIMIT: t.Final = 200


def observe_files(
    own_files: tuple[PolicyData, Places] | Unobservable, program_policies: PolicyData | Unobservable
) -> dict[str, Offenders | Unobservable]:
    """Violations by area, in two surveys: one of what the server owns, one of its programs.

    :param own_files: the policies for what the server owns, and where the areas are.
    """
    own: t.Any = own_files
    if not isinstance(own_files, Unobservable):
        policies, areas = own_files
        own = attempt(lambda: _survey(policies, areas, SERVER_AREAS))
    programs: t.Any = program_policies
    if not isinstance(programs, Unobservable):
        directories = tuple(os.path.realpath(policy["path"]) for policy in programs)
        programs = attempt(lambda: _survey(program_policies, Places(programs=directories), (PROGRAM,)))
    return {**_by_area(own, SERVER_AREAS), **_by_area(programs, (PROGRAM,))}


def _by_area(found: t.Any, areas: t.Sequence[str]) -> dict[str, t.Any]:
    return dict.fromkeys(areas, found) if isinstance(found, Unobservable) else found


def _survey(policies: t.Any, places: Places, areas: t.Sequence[str]) -> dict[str, Offenders]:
    if os.geteuid() != 0:
        raise MissingRequirement("files: only root sees all of them")
    filled = [{**dict.fromkeys(("owner", "group", "file_mode_max", "directory_mode_max")), **one} for one in policies]
    if not filled:
        raise ObservationFailed("files: the server does not say where they are")
    return offenders_by_area(find_violations(parse_policies(filled), report_limit=_LIMIT), places, areas)


def places(location: ServerLocation) -> Places:
    """Of a PostgreSQL server."""
    settings = location.settings
    data = settings["data_directory"]
    logs = [settings.get("log_directory", "") if settings.get("logging_collector") == "on" else ""]
    # A log in a folder that it shares with other things stands for itself.
    logs.append(location.output_file)
    if location.output_file and not _is_within(data, os.path.dirname(location.output_file)):
        logs.append(os.path.dirname(location.output_file))
    return Places(
        private_keys=_real(
            settings.get("ssl_key_file", ""), settings.get("krb_server_keyfile", "").replace("FILE:", "", 1)
        ),
        configuration=_real(*(settings.get(name, "") for name in ("config_file", "hba_file", "ident_file"))),
        logs=_real(*logs),
        data=_real(data, f"{data}/pg_wal", *location.tablespaces),
    )


def mariadb_places(location: MariaDBLocation) -> Places:
    settings, files = location.settings, location.files
    data = settings["datadir"]
    folders = (os.path.dirname(path) for path in location.log_files)
    # A folder that holds other things, too, is none of logs.
    logs = (path for path in folders if path not in SHARED_DIRECTORIES and not _is_within(data, path))
    return Places(
        private_keys=_real(*files.private_keys, *files.encryption_keys),
        configuration=_real(*files.config_files, *files.secret_config_files, *files.config_directories),
        logs=_real(*location.log_files, *logs),
        data=_real(data, *location.tablespaces, *(settings[name] for name in DATA_DIRECTORIES)),
    )


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _real(*paths: str) -> tuple[str, ...]:
    return tuple(os.path.realpath(path) for path in paths if path.startswith("/"))
