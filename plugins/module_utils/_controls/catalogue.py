# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The catalogue: every control there is, in the order of reports."""

from __future__ import annotations

import typing as t

from . import (
    authentication,
    authorization,
    backup,
    encryption,
    filesystem,
    logging,
    mariadb_authentication,
    mariadb_authorization,
    mariadb_cluster,
    mariadb_configuration,
    mariadb_encryption,
    mariadb_logging,
    network,
    package_controls,
    sessions,
)
from .model import CATEGORIES, POSTGRESQL, Control
from .query_check import QueryCheck

_ALL: t.Final[tuple[Control, ...]] = (
    *authentication.CONTROLS,
    *authorization.CONTROLS,
    *backup.CONTROLS,
    *encryption.CONTROLS,
    *filesystem.CONTROLS,
    *logging.CONTROLS,
    *network.CONTROLS,
    *package_controls.CONTROLS,
    *sessions.CONTROLS,
    *mariadb_authentication.CONTROLS,
    *mariadb_authorization.CONTROLS,
    *mariadb_cluster.CONTROLS,
    *mariadb_configuration.CONTROLS,
    *mariadb_encryption.CONTROLS,
    *mariadb_logging.CONTROLS,
)


def controls(*, engine: str = POSTGRESQL) -> tuple[Control, ...]:
    """By category, then by id."""
    order = list(CATEGORIES)
    chosen = (control for control in _ALL if engine in control.engines)
    return tuple(sorted(chosen, key=lambda control: (order.index(control.category), control.id)))


def query_checks(chosen: t.Iterable[Control]) -> list[QueryCheck]:
    """The questions that these controls put to the server, each once."""
    found = (check for control in chosen for check in control.checks if isinstance(check, QueryCheck))
    return list(dict.fromkeys(found))


def every_id() -> frozenset[str]:
    """Of all engines: waivers of a site with several of them stand in one file."""
    return frozenset(control.id for control in _ALL)
