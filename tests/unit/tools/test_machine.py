# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What set-up concludes from what it sees of a machine."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

from layout import link_checkout
from machine import (
    Machine,
    can_install,
    cgroup_mode,
    containers_conf,
    explain_missing,
    parse_os_release,
    pick_python,
    requirements,
)

LAPTOP = Machine(
    distribution="fedora",
    version="44",
    root=False,
    apt=False,
    cgroup="v2",
    systemd=True,
    may_raise_limits=False,
    nofile=-1,
    nproc=-1,
)
SERVER = dataclasses.replace(LAPTOP, distribution="debian", version="12", root=True, apt=True, may_raise_limits=True)
# What this project was first built on: no systemd, both kinds of control groups, limits that can't be raised.
NESTED = dataclasses.replace(SERVER, cgroup="hybrid", systemd=False, may_raise_limits=False, nofile=20000, nproc=96365)


@pytest.mark.parametrize("machine", [LAPTOP, SERVER])
def test_an_ordinary_machine_keeps_the_engines_own_defaults(machine: Machine) -> None:
    assert containers_conf(machine) == ""


def test_a_nested_machine_gets_what_the_engine_refuses_to_start_without() -> None:
    assert containers_conf(NESTED).splitlines() == [
        "[containers]",
        'default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]',
        "",
        "[engine]",
        'runtime = "runc"',
        'cgroup_manager = "cgroupfs"',
        'events_logger = "file"',
    ]


@pytest.mark.parametrize(
    ("changes", "line", "there"),
    [
        ({"cgroup": "v1"}, 'runtime = "runc"', True),
        ({"cgroup": "v2"}, 'runtime = "runc"', False),
        ({"systemd": True}, 'cgroup_manager = "cgroupfs"', False),
        ({"may_raise_limits": True}, "[containers]", False),
        ({"nproc": -1}, 'default_ulimits = ["nofile=20000:20000"]', True),
        ({"nproc": 500}, 'default_ulimits = ["nofile=20000:20000", "nproc=500:500"]', True),
    ],
)
def test_each_line_follows_from_one_fact(changes: dict[str, object], line: str, there: bool) -> None:
    machine = dataclasses.replace(NESTED, **changes)  # type: ignore[arg-type]
    assert (line in containers_conf(machine).splitlines()) is there


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0", "v2"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0", "hybrid"),
        ("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0", "v1"),
        ("proc /proc proc rw 0 0\n\n", "none"),
        ("", "none"),
    ],
)
def test_the_kind_of_control_groups_is_read_from_the_mounts(mounts: str, expected: str) -> None:
    assert cgroup_mode(mounts) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID=debian\nVERSION_ID="13"\n', ("debian", "13")),
        ("# a comment=1\nID='Ubuntu'\nVERSION_ID=24.04", ("ubuntu", "24.04")),
        ("ID=arch\n", ("arch", "")),
        ("", ("", "")),
    ],
)
def test_the_distribution_is_read_as_it_names_itself(text: str, expected: tuple[str, str]) -> None:
    assert parse_os_release(text) == expected


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([("/usr/bin/python3", (3, 11)), ("/opt/python3.13", (3, 13))], "/usr/bin/python3"),
        ([("/usr/bin/python3", (3, 9)), ("/opt/python3.13", (3, 13))], "/opt/python3.13"),
        ([("/usr/bin/python3", (3, 10))], None),
        ([], None),
    ],
)
def test_the_first_python_that_is_new_enough_is_taken(
    candidates: list[tuple[str, tuple[int, int]]], expected: str | None
) -> None:
    assert pick_python(candidates) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"root": False}, False), ({"apt": False}, False), ({"distribution": "kali"}, False)],
)
def test_packages_are_installed_only_by_root_where_they_are_known(changes: dict[str, object], expected: bool) -> None:
    assert can_install(dataclasses.replace(SERVER, **changes)) is expected  # type: ignore[arg-type]


def test_what_is_missing_is_said_in_one_line_with_the_way_to_get_it() -> None:
    missing = [requirement for requirement in requirements(SERVER, full=False) if requirement.package == "podman"]
    without_root = dataclasses.replace(SERVER, root=False)
    assert explain_missing(without_root, missing) == (
        "setup: missing: podman. Install them: sudo apt-get install --no-install-recommends podman"
    )
    elsewhere = explain_missing(LAPTOP, missing)
    assert elsewhere.startswith("setup: missing: podman (container engine). Install them with ")
    assert "\n" not in elsewhere


def test_every_requirement_is_asked_for_once_and_the_audit_extension_fits_the_server() -> None:
    names = [requirement.package for requirement in requirements(SERVER, full=True)]
    assert len(names) == len(set(names))
    assert "postgresql-15-pgaudit" in names
    assert {"chromium", "chromium-driver"} <= set(names)
    assert not any("pgaudit" in found.package for found in requirements(LAPTOP, full=False))
    assert not any("chromium" in found.package for found in requirements(SERVER, full=False))


def test_what_makes_images_is_looked_for_on_every_machine() -> None:
    probes = {requirement.package: requirement.probe for requirement in requirements(LAPTOP, full=False)}
    assert probes["mmdebstrap"] == "mmdebstrap"


def test_the_collections_link_follows_the_checkout(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for checkout in (first, second):
        checkout.mkdir()
        link_checkout(tmp_path / "collections", checkout)
        assert (tmp_path / "collections/ansible_collections/bulwark/database").resolve() == checkout
    second.rmdir()
    link_checkout(tmp_path / "collections", first)
    assert (tmp_path / "collections/ansible_collections/bulwark/database").resolve() == first
