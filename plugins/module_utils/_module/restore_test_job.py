# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subjects of restore_test_job: a restore test with its program, file and units, or gone."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .._core.backup_deployment import Item, ObservedTimer
from .._core.errors import InvalidDeclaration, MissingRequirement
from .._core.plan import Plan
from .._core.restore_test_file import ENGINES, FORMAT, RestoreTest, check_test_name, parse_restore_test
from .._core.restore_test_units import FOLDER, PROGRAM, Deployment, plan_absent, plan_present, render_units, test_file
from .._io.backup_program import build_program
from .._io.job_deployment import apply_plan
from .._io.restore_test_deployment import calendar_complaint, missing_folders, observe_files, observe_timers
from .._io.units import require_booted

# What the program is made of: Ansible sends a host what is imported.
from .._job import restore_test_command  # noqa: F401 # pylint: disable=unused-import

ENTRY: t.Final = "_job.restore_test_command"
# Options that the test's file takes as they are.
_OF_TEST: t.Final = (
    *("name", "engine", "source", "identity", "gnupg_identity", "signing_key", "scratch", "binaries", "administrator"),
    *("with_older", "extended_check", "queries", "rto_seconds", "rpo_seconds", "deadline_seconds", "cluster"),
    "smallest_share",
)


def test_options() -> dict[str, dict[str, t.Any]]:
    query = {
        "name": {"type": "str", "required": True},
        "database": {"type": "str", "default": ""},
        "query": {"type": "str", "required": True},
        "minimum": {"type": "float", "default": 1.0},
    }
    return {
        "name": {"type": "str", "default": "main"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "engine": {"type": "str", "choices": list(ENGINES)},
        "source": {"type": "str"},
        "identity": {"type": "str", "default": f"{FOLDER}/identity.txt"},
        "gnupg_identity": {"type": "str", "default": ""},
        "signing_key": {"type": "str", "default": f"{FOLDER}/signing_key", "no_log": False},
        "state_path": {"type": "str"},
        "scratch": {"type": "str", "default": "/var/lib/bulwark/restore-scratch"},
        "scratch_size": {"type": "str", "default": ""},
        "binaries": {"type": "str", "default": ""},
        "administrator": {"type": "str", "default": "postgres"},
        "with_older": {"type": "bool", "default": True},
        "extended_check": {"type": "bool", "default": True},
        "queries": {"type": "list", "elements": "dict", "options": query, "default": []},
        "rto_seconds": {"type": "int", "default": 14400},
        "rpo_seconds": {"type": "int", "default": 0},
        "deadline_seconds": {"type": "int", "default": 43200},
        "cluster": {"type": "str", "default": ""},
        "smallest_share": {"type": "float", "default": RestoreTest.smallest_share},
        "pull_command": {"type": "list", "elements": "str", "default": []},
        "key_files": {"type": "dict", "default": {}, "no_log": False},
        "timer": {"type": "bool", "default": True},
        "calendar": {"type": "str", "default": "*-*-* 03:00:00 UTC"},
        "randomized_delay": {"type": "int", "default": 0},
        "on_failure_units": {"type": "list", "elements": "str", "default": []},
    }


@dataclasses.dataclass(frozen=True)
class Observed:
    files: t.Mapping[str, Item]
    timers: t.Mapping[str, ObservedTimer]
    calendar_complaint: str = ""
    missing_folders: tuple[str, ...] = ()


class PresentTest:
    """See ``Subject``."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._program = build_program(entry=ENTRY)

    def observe(self) -> Observed:
        require_booted()
        test = self.deployment.test
        return Observed(
            observe_files(test.name),
            observe_timers(test.name),
            calendar_complaint(self.deployment.calendar),
            tuple(missing_folders([FOLDER, test.state, test.scratch, test.source, PROGRAM.rpartition("/")[0]])),
        )

    def plan(self, observed: Observed) -> Plan:
        if observed.calendar_complaint:
            raise InvalidDeclaration(
                f"systemd does not take the calendar: {observed.calendar_complaint}", "Like Sun *-*-* 03:00:00 UTC"
            )
        if observed.missing_folders:
            raise MissingRequirement(
                f"{observed.missing_folders[0]} is not there",
                "The role bulwark.database.restore_test makes the folders",
            )
        return plan_present(self.deployment, self._program, observed.files, observed.timers)

    def apply(self, plan: Plan, observed: Observed) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Observed, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        test = self.deployment.test
        return {
            "test_file": test_file(test.name),
            "evidence": test.evidence,
            "units": sorted(render_units(self.deployment)),
        }


class AbsentTest:
    """No units and file of that name: see ``Subject``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def observe(self) -> Observed:
        require_booted()
        return Observed(observe_files(self._name), observe_timers(self._name))

    def plan(self, observed: Observed) -> Plan:
        return plan_absent(observed.files, observed.timers)

    def apply(self, plan: Plan, observed: Observed) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Observed, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        return {}


def subject(options: t.Mapping[str, t.Any]) -> PresentTest | AbsentTest:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    name = check_test_name(options["name"])
    if options["state"] == "absent":
        return AbsentTest(name)
    return PresentTest(
        Deployment(
            _test(options, name),
            options["calendar"],
            options["randomized_delay"],
            options["scratch_size"],
            tuple(options["pull_command"]),
            tuple(options["on_failure_units"]),
            tuple(sorted((str(there), str(here)) for there, here in options["key_files"].items())),
            options["timer"],
        )
    )


def _test(options: t.Mapping[str, t.Any], name: str) -> RestoreTest:
    """By way of the file's own reader, so that module and program take the same."""
    document = {key: options[key] for key in _OF_TEST}
    state = options["state_path"] or f"/var/lib/bulwark/restore-test/{name}"
    return parse_restore_test(json.dumps({"format": FORMAT, "state": state, **document}), where="the declaration")
