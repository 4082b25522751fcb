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
from .._core.copies_units import (
    KEYS_FILE,
    PROGRAM,
    UNIT_PREFIX,
    Repository,
    Source,
    folders_of,
    passages_of,
    plan_repository,
    render_units,
)
from .._core.plan import Plan
from .._io.accounts import Accounts
from .._io.backup_program import build_program
from .._io.job_deployment import apply_plan, observe_item
from .._io.resolution import resolve_networks
from .._io.restore_test_deployment import observe_timer
from .._io.units import require_booted

# What the program is made of: Ansible sends a host what is imported.
from .._job import copies_command  # noqa: F401 # pylint: disable=unused-import

ENTRY: t.Final = "_job.copies_command"


def repository_options() -> dict[str, dict[str, t.Any]]:
    source = {
        "name": {"type": "str", "required": True},
        "public_key": {"type": "str", "default": "", "no_log": False},
        "from": {"type": "list", "elements": "str", "required": True},
        "keep_days": {"type": "int", "default": 7},
        "oldest_hours": {"type": "int", "default": 26},
        "cluster": {"type": "str", "default": ""},
    }
    return {
        "root": {"type": "str", "default": "/srv/bulwark/copies"},
        "sources": {"type": "list", "elements": "dict", "options": source, "required": True},
        "minimum_free_percent": {"type": "int", "default": 5},
        "on_failure_units": {"type": "list", "elements": "str", "default": []},
    }


@dataclasses.dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, Item]
    timers: t.Mapping[str, ObservedTimer]


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
        accounts = Accounts()
        paths = [folder.path for folder in folders_of(self.repository)]
        found = {path: observe_item(path, accounts) for path in (*paths, KEYS_FILE, PROGRAM, *present)}
        found.update({path: observe_item(path, accounts, follow=True) for path in passages_of(self.repository)})
        return Observed({path: item for path, item in found.items() if item}, timers)

    def plan(self, observed: Observed) -> Plan:
        return plan_repository(self.repository, self._program, observed.files, observed.timers)

    def apply(self, plan: Plan, observed: Observed) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Observed, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        senders = {str(network): None for source in self.repository.sources for network in source.senders}
        return {"program": PROGRAM, "units": sorted(render_units(self.repository)), "senders": list(senders)}


def subject(options: t.Mapping[str, t.Any]) -> CopiesRepository:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    sources = tuple(map(_source, options["sources"]))
    hooks = tuple(options["on_failure_units"])
    return CopiesRepository(Repository(options["root"], sources, hooks, options["minimum_free_percent"]))


def _source(declared: t.Mapping[str, t.Any]) -> Source:
    name = declared["name"]
    senders = resolve_networks(declared["from"], what=f"{name}: from")
    limits = declared["keep_days"], declared["oldest_hours"]
    return Source(name, declared["public_key"].strip(), senders, *limits, declared["cluster"])
