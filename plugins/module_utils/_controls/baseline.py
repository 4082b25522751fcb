# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What hardening sets: the values that the controls of a level and a log policy ask for."""

from __future__ import annotations

import typing as t

from .._core.assessment import ESSENTIAL, STRICT
from .._core.setting_values import split_list
from .catalogue import controls
from .model import Control
from .setting_check import SettingCheck

_PRELOAD: t.Final = "shared_preload_libraries"


def postgresql_settings(*, level: str, log_policy: str, version: int) -> dict[str, str]:
    """Parameter and value, in the order of names. ``shared_preload_libraries`` is what must be among those there.

    :param version: server_version_num; parameters that it doesn't have are left out.
    """
    values: dict[str, str] = {}
    for control in controls():
        if level != STRICT and control.level != ESSENTIAL:
            continue
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
