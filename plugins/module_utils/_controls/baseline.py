# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What hardening sets: the values that the controls of a level and a log policy ask for."""

from __future__ import annotations

import typing as t

from .._core.assessment import ESSENTIAL, LOG_POLICIES, STRICT
from .._core.errors import InvalidDeclaration
from .._core.names import near_miss
from .._core.setting_values import split_list
from .catalogue import controls
from .model import MARIADB, Control
from .plugin_check import PERMANENT, PluginCheck
from .setting_check import CERTIFICATE, KEYS, SettingCheck
from .versions import NEWEST

_PRELOAD: t.Final = "shared_preload_libraries"


def postgresql_settings(*, level: str, log_policy: str, version: int) -> dict[str, str]:
    """Parameter and value, in the order of names. ``shared_preload_libraries`` is what must be among those there.

    :param version: server_version_num; parameters that it doesn't have are left out.
    """
    values: dict[str, str] = {}
    for control in _of_level(controls(), level):
        for name, value in _values_of(control, level=level, log_policy=log_policy, version=version):
            if name == _PRELOAD and name in values:
                values[name] = ", ".join(dict.fromkeys((*split_list(values[name]), *split_list(value))))
            else:
                values[name] = value
    return dict(sorted(values.items()))


def _values_of(control: Control, *, level: str, log_policy: str, version: int) -> t.Iterator[tuple[str, str]]:
    for check in control.checks:
        if isinstance(check, SettingCheck):
            value = check.hardened_value(level=level, log_policy=log_policy, version=version)
            if value is not None:
                yield check.name, value


def _of_level(known: t.Iterable[Control], level: str) -> t.Iterator[Control]:
    return (control for control in known if level == STRICT or control.level == ESSENTIAL)


class MariaDBBaseline(t.NamedTuple):
    """Option and value, in the order of names, and the plugin libraries that have to be loaded."""

    settings: dict[str, str]
    libraries: tuple[str, ...]


def mariadb_settings(
    *, level: str, log_policy: str, version: int, galera: bool, has: t.Collection[str] = ()
) -> MariaDBBaseline:
    """What hardening sets on a MariaDB server. What depends on the site (certificates, addresses) is not in it.

    :param version: as version_number() makes it; options that it doesn't have are left out.
    :param galera: the server is a node of a cluster.
    :param has: KEYS if a plugin that manages keys is loaded or about to be, CERTIFICATE if clients are shown one or
        about to be: without, what needs them keeps the server from starting.
    """
    values: dict[str, str] = {}
    libraries: list[str] = []
    for control in _of_level(controls(engine=MARIADB), level):
        for check in control.checks:
            if isinstance(check, PluginCheck) and version >= check.minimum:
                libraries.append(check.name)
                values[check.name] = PERMANENT
            elif isinstance(check, SettingCheck) and check.on_nodes in (None, galera):
                value = check.hardened_value(level=level, log_policy=log_policy, version=version)
                if value is not None and (not check.needs or check.needs in has):
                    values[check.option or check.name] = value
    return MariaDBBaseline(dict(sorted(values.items())), tuple(sorted(libraries)))


def without(baseline: MariaDBBaseline, leave: t.Iterable[str]) -> MariaDBBaseline:
    """The baseline less some options; with a plugin go its own options. Raises InvalidDeclaration for a name"
    " in none."""
    names = tuple(leave)
    known = _every_name()
    for name in names:
        if name not in known:
            hint = near_miss(name, known) or "docs/controls.md has the names"
            raise InvalidDeclaration(f"leave: no baseline has an option {name!r}", hint)
    plugins = [name for name in names if name in baseline.libraries]
    return MariaDBBaseline(
        {
            name: value
            for name, value in baseline.settings.items()
            if name not in names and not any(name.startswith(f"{plugin}_") for plugin in plugins)
        },
        tuple(library for library in baseline.libraries if library not in plugins),
    )


def _every_name() -> list[str]:
    found: set[str] = set()
    for log_policy in LOG_POLICIES:
        for galera in (True, False):
            found.update(
                mariadb_settings(
                    level=STRICT, log_policy=log_policy, version=NEWEST - 1, galera=galera, has=(KEYS, CERTIFICATE)
                ).settings
            )
    return sorted(found)
