# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""packet_filter under faults, on a whole host: what is in force was confirmed, or a timer is armed to take it back."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from killing import count_steps, kill_at, kill_on_entering, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.packet_filter import port_rule, render_table
from ansible_collections.bulwark.database.plugins.module_utils._io import packet_filter as io
from ansible_collections.bulwark.database.plugins.module_utils._io.units import timer_is_armed
from ansible_collections.bulwark.database.plugins.module_utils._module.packet_filter import subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("BULWARK_THROWAWAY_HOST") != "1",
        reason="changes the packet filter of its host: tools/tests_in_container.py runs it",
    ),
    pytest.mark.timeout(3600),  # with BULWARK_ALL_FAULTS=1
]

PLACE = io.FilterPlace()
OLD, NEW, OTHER = ["192.0.2.0/24"], ["198.51.100.0/24"], ["203.0.113.0/24"]
# As old as the host itself: without a table of ours.
NONE: list[str] | None = None
SHORTEST = 10


def declare(networks: list[str] | None, stage: str = "live", *, rollback_after: int = 60, name: str = "") -> Outcome:
    port = {"port": 5432, "networks": networks or [], "protocol": "tcp", "comment": None}
    options = {
        "name": name,
        "ports": [port],
        "outgoing": [],
        "stage": stage,
        "rollback_after": rollback_after,
        "accepted_outsiders": [],
        "state": "absent" if networks is None else "present",
    }
    return converge(subject(options), check_mode=False)


def harden(networks: list[str] | None) -> int:
    """As the role does it; how much there was to change."""
    changes = len(declare(networks).plan)
    return changes if networks is None else changes + len(declare(networks, "persistent").plan)


def in_force(networks: list[str] | None) -> bool:
    return io.observe_table() == (None if networks is None else io.canonical_table(rules_text(networks)))


def rules_text(networks: list[str]) -> str:
    return render_table([port_rule(port=5432, networks=networks)])


def armed() -> bool:
    return timer_is_armed(PLACE.rollback_timer)


def let_the_timer_go_off(place: io.FilterPlace = PLACE) -> None:
    subprocess.run(["systemctl", "start", f"{place.rollback_timer}.service"], check=True)
    subprocess.run(["systemctl", "stop", f"{place.rollback_timer}.timer"], check=True)


def assert_finished(networks: list[str]) -> None:
    harden(networks)
    assert harden(networks) == 0
    assert in_force(networks)
    assert not armed()
    assert io.read_text(PLACE.rules_file) == rules_text(networks)
    # What a boot does.
    subprocess.run(["nft", "delete", "table", "inet", "bulwark"], check=True)
    subprocess.run(["systemctl", "restart", PLACE.unit], check=True)
    assert in_force(networks)
    folders = {Path(path).parent for path in (PLACE.rules_file, PLACE.unit_file, PLACE.drop_in_file)}
    assert not [path for folder in folders for path in folder.glob("*.bulwark-*")]


@pytest.fixture(autouse=True)
def bare_host() -> t.Iterator[None]:
    harden(NONE)
    yield
    harden(NONE)
    assert in_force(NONE)
    assert not armed()


@pytest.mark.parametrize("old", [NONE, OLD], ids=["no table", "a table"])
def test_killed_at_any_step_the_old_rules_are_in_force_or_come_back(old: list[str] | None) -> None:
    harden(old)
    total = count_steps(lambda: declare(NEW))
    for step in steps_to_try(total, sample=5):
        harden(old)
        assert kill_at(step, lambda: declare(NEW)), f"step {step} of {total}"
        assert in_force(old) or (in_force(NEW) and armed()), f"killed at step {step} of {total}"
        assert io.read_text(PLACE.rules_file) == (rules_text(old) if old else None)
        if armed():
            let_the_timer_go_off()
            assert in_force(old)
        assert_finished(NEW)


def test_killed_at_any_step_of_the_confirmation_the_rules_stay_and_a_second_run_saves_them() -> None:
    harden(OLD)
    declare(NEW)
    total = count_steps(lambda: declare(NEW, "persistent"))
    for step in steps_to_try(total, sample=5):
        harden(OLD)
        declare(NEW)
        assert kill_at(step, lambda: declare(NEW, "persistent")), f"step {step} of {total}"
        assert in_force(NEW)
        assert io.read_text(PLACE.rules_file) in (rules_text(OLD), rules_text(NEW))
        assert_finished(NEW)


def test_killed_at_any_step_of_the_removal_a_second_run_finishes() -> None:
    harden(OLD)
    total = count_steps(lambda: declare(NONE))
    for step in steps_to_try(total, sample=5):
        harden(OLD)
        assert kill_at(step, lambda: declare(NONE)), f"step {step} of {total}"
        assert in_force(OLD) or in_force(NONE)
        harden(NONE)
        assert harden(NONE) == 0
        assert in_force(NONE)
        assert io.read_text(PLACE.rules_file) is None


def test_a_dead_run_that_nobody_confirms_is_taken_back_by_the_timer() -> None:
    harden(OLD)
    # Dead between the rules and the look whether they took effect.
    assert kill_on_entering(["load_rules", "observe_table"], lambda: declare(NEW, rollback_after=SHORTEST))
    assert in_force(NEW)
    deadline = time.monotonic() + 2 * SHORTEST
    while not in_force(OLD) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert in_force(OLD)
    with pytest.raises(ApplyFailed, match="were not confirmed in time"):
        declare(NEW, "persistent")
    assert_finished(NEW)


@pytest.mark.parametrize(
    ("then", "moment"),
    [
        (OTHER, ["arm_timer", "cancel_timer", "run_command", "run_command", "run_command"]),
        (NONE, ["cancel_timer", "disable_units"]),
    ],
    ids=["other rules", "removal"],
)
def test_rules_that_were_never_confirmed_are_never_without_a_timer(then: list[str] | None, moment: list[str]) -> None:
    """A second run takes the timer of the first one away; killed in that moment, it must not leave them for good."""
    harden(OLD)
    declare(NEW)
    assert kill_on_entering(moment, lambda: declare(then))
    assert not armed(), "the kill did not hit the moment that this test is about"
    assert not in_force(NEW)


def test_a_table_of_another_name_is_taken_back_kept_and_removed_without_this_one() -> None:
    other = io.FilterPlace("other")
    harden(OLD)
    try:
        declare(NEW, name="other", rollback_after=SHORTEST)
        assert io.observe_table(other.table)
        assert not armed(), "each table has a timer of its own"
        let_the_timer_go_off(other)
        assert io.observe_table(other.table) is None
        assert in_force(OLD)
        declare(NEW, name="other")
        declare(NEW, "persistent", name="other")
        declare(OTHER)
        let_the_timer_go_off()
        assert io.observe_table(other.table)
        assert io.read_text(other.rules_file)
    finally:
        declare(NONE, name="other")
    assert io.observe_table(other.table) is None
    assert io.read_text(other.rules_file) is None
    assert in_force(OLD)
    assert_finished(OLD)


@pytest.mark.parametrize("flags", ["size=64k", "size=64k,ro"], ids=["full", "read-only"])
def test_a_full_or_read_only_disk_leaves_the_old_rules_there_and_a_second_run_saves_the_new(flags: str) -> None:
    harden(OLD)
    declare(NEW)
    with mounted_over(Path(PLACE.rules_file).parent, flags):
        with pytest.raises(ApplyFailed, match=r"can't write .*: (No space left on device|Read-only file system)"):
            declare(NEW, "persistent")
        assert io.read_text(PLACE.rules_file) == rules_text(OLD)
        assert in_force(NEW)
    assert_finished(NEW)


@contextlib.contextmanager
def mounted_over(folder: Path, flags: str) -> t.Iterator[None]:
    """A file system with the same files, that takes no more."""
    content = {path.name: path.read_bytes() for path in folder.iterdir()}
    options = flags.partition(",")[0]
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        for name, data in content.items():
            (folder / name).write_bytes(data)
        with contextlib.suppress(OSError), (folder / "filler").open("wb") as stream:
            stream.write(b"x" * 1_000_000)
        if "ro" in flags:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
