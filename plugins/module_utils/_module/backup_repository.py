# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Sources of copies as they are declared, and what of them is on the host."""

from __future__ import annotations

import dataclasses
import glob
import os
import typing as t

from .._core.backup_deployment import Item, ObservedTimer
from .._core.backup_units import UNIT_FOLDER
from .._core.copies_units import PROGRAM, UNIT_PREFIX, Repository, Source, plan_repository, render_units
from .._core.errors import MissingRequirement
from .._core.plan import Plan
from .._io.accounts import Accounts
from .._io.backup_program import build_program
from .._io.job_deployment import apply_plan
from .._io.restore_test_deployment import missing_folders, observe_file, observe_timer
from .._io.units import require_booted

# What the program is made of: Ansible sends a host what is imported.
from .._job import copies_command  # noqa: F401 # pylint: disable=unused-import

ENTRY: t.Final = "_job.copies_command"


def repository_options() -> dict[str, dict[str, t.Any]]:
    source = {
        "name": {"type": "str", "required": True},
        "keep_days": {"type": "int", "default": 7},
        "oldest_hours": {"type": "int", "default": 26},
    }
    return {
        "root": {"type": "str", "default": "/srv/bulwark/copies"},
        "sources": {"type": "list", "elements": "dict", "options": source, "required": True},
        "on_failure_units": {"type": "list", "elements": "str", "default": []},
    }


@dataclasses.dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, Item]
    timers: t.Mapping[str, ObservedTimer]
    missing_folders: tuple[str, ...] = ()


class CopiesRepository:
    """See ``Subject``."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._program = build_program(entry=ENTRY)

    def observe(self) -> Observed:
        require_booted()
        present = sorted(
            glob.glob(f"{UNIT_FOLDER}/{UNIT_PREFIX}*.service") + glob.glob(f"{UNIT_FOLDER}/{UNIT_PREFIX}*.timer")
        )
        names = {os.path.basename(path) for path in present} | set(render_units(self.repository))
        timers: dict[str, ObservedTimer] = {}
        for name in sorted(name for name in names if name.endswith(".timer")):
            timers.update(observe_timer(name.rpartition(".")[0]))
        found = {path: observe_file(path, Accounts()) for path in (PROGRAM, *present)}
        folders = [self.repository.root, os.path.dirname(PROGRAM)]
        return Observed({path: item for path, item in found.items() if item}, timers, tuple(missing_folders(folders)))

    def plan(self, observed: Observed) -> Plan:
        if observed.missing_folders:
            raise MissingRequirement(
                f"{observed.missing_folders[0]} is not there",
                "The role bulwark.database.backup_repository makes the folders",
            )
        return plan_repository(self.repository, self._program, observed.files, observed.timers)

    def apply(self, plan: Plan, observed: Observed) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Observed, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        return {"program": PROGRAM, "units": sorted(render_units(self.repository))}


def subject(options: t.Mapping[str, t.Any]) -> CopiesRepository:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    sources = tuple(Source(one["name"], one["keep_days"], one["oldest_hours"]) for one in options["sources"])
    return CopiesRepository(Repository(options["root"], sources, tuple(options["on_failure_units"])))
