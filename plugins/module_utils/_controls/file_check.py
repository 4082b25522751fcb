# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Owner, group and mode of the server's files, by area. The policies are those of postgresql_files.py."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import Finding, Situation
from .._core.file_areas import CONFIGURATION, DATA, LOG, PRIVATE_KEY, PROGRAM
from .._core.observations import Observations
from .observed_check import ObservedCheck
from .query_check import judge_offenders, offenders_of_area

# Keys of Observations.files, with what is expected there.
EXPECTED: t.Final[dict[str, str]] = {
    PRIVATE_KEY: "private keys: the server's account alone (0600), or root with a group that the server is in (0640)",
    CONFIGURATION: "configuration: the server's account, or root with its group; others nothing (0640, folders 0750)",
    DATA: "data, WAL and tablespaces: the server's account alone (0600, folders 0700; a group may read if so made)",
    LOG: "logs: the server's account, the group adm at most reads, nothing for others (0640)",
    PROGRAM: "programs, libraries and extensions: root's, changed by nobody else (0755)",
}


@dataclasses.dataclass(frozen=True)
class FileCheck(ObservedCheck):
    """No file of the area is more open than its policy says."""

    area: str

    @property
    def expected(self) -> str:
        return EXPECTED[self.area]

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        found = offenders_of_area(observations.files, self.area)
        return judge_offenders(found, kind="files too open", expected=self.expected)
