# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A plugin of a MariaDB server: loaded, and loaded so that nobody takes it out of the running server."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import FAIL, NOT_APPLICABLE, PASS, Finding, Situation
from .._core.observations import Observations
from .model import MARIADB
from .observed_check import ObservedCheck, seen
from .versions import since

PERMANENT: t.Final = "FORCE_PLUS_PERMANENT"


@dataclasses.dataclass(frozen=True)
class PluginCheck(ObservedCheck):
    """One plugin.

    :param name: in lower case, which is its library's and its option's name, too.
    :param minimum: oldest server version that has it.
    """

    name: str
    minimum: int = 0

    @property
    def expected(self) -> str:
        return f"plugin {self.name} = {PERMANENT}{since(self.minimum, MARIADB)}"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        if seen(observations.version) < self.minimum:
            return Finding(NOT_APPLICABLE, f"this version of the server has no plugin {self.name}")
        option = seen(observations.plugins).get(self.name, "")
        if option == PERMANENT:
            return Finding(PASS, f"plugin {self.name} = {option}", self.expected)
        observed = f"plugin {self.name} = {option}, so it can be taken out" if option else f"no plugin {self.name}"
        return Finding(FAIL, observed, self.expected, (), (self.name,))
