# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._controls.package_policy import (
    DENIED,
    PROTECTED_PACKAGES,
    PROTECTED_UNITS,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._core.packages import (
    PACKAGE,
    UNIT,
    Denial,
    ExpectedListener,
    Host,
    Listener,
    Package,
    Policy,
    Removal,
    denied_packages,
    is_protected,
    judge,
    judge_packages,
    plan_enforcement,
    removable_packages,
)

POLICY = Policy(denials=DENIED, protected_packages=PROTECTED_PACKAGES, protected_units=PROTECTED_UNITS)


def host_of(depends: dict[str, tuple[str, ...]], *, policy: Policy = POLICY, **details: object) -> Host:
    """A host whose package manager removes what depends on a removed package, as apt does."""
    packages = tuple(Package(name, "1", by_hand=True) for name in depends)

    def remove(names: list[str]) -> Removal:
        gone = set(names)
        while True:
            more = {name for name, needs in depends.items() if name not in gone and gone.intersection(needs)}
            if not more:
                return Removal(tuple(names), tuple(sorted(gone)))
            gone |= more

    host = Host(packages, removals={name: remove([name]) for name in denied_packages(packages, policy)}, **details)
    removable = removable_packages(judge_packages(host, policy))
    return dataclasses.replace(host, together=remove(removable) if removable else None)


def summaries(host: Host, policy: Policy = POLICY) -> list[str]:
    return plan_enforcement(host, policy).summaries()


def test_a_compiler_goes_and_what_depends_on_it_is_named_beforehand() -> None:
    host = host_of({"gcc": (), "dkms": ("gcc",), "libc6": ()})
    assert [str(finding) for finding in judge(host, POLICY)] == [
        "package gcc: a compiler or build tool helps an intruder to build tools on the host; would take along dkms"
    ]
    assert summaries(host) == [
        "package gcc: installed (1) -> removed",
        "package dkms: installed (1) -> removed, goes along",
    ]


@pytest.mark.parametrize("protected", ["postgresql-15", "openssh-server", "sudo", "apt", "python3", "linux-image-6.1"])
def test_a_package_stays_when_something_protected_would_go_along(protected: str) -> None:
    host = host_of({"strace": (), "between": ("strace",), protected: ("between",)})
    (finding,) = judge(host, POLICY)
    assert finding.kept_because == f"{protected} would go along"
    assert summaries(host) == []


def test_an_essential_package_stays_although_it_is_denied() -> None:
    policy = dataclasses.replace(POLICY, denials=(Denial(PACKAGE, ("bash",), "because"),))
    packages = (Package("bash", "5", essential=True),)
    host = Host(packages, removals={"bash": Removal(("bash",), ("bash",))})
    assert [finding.kept_because for finding in judge(host, policy)] == ["it is protected"]


def test_a_package_of_which_the_package_manager_finds_no_removal_stays() -> None:
    host = Host((Package("gcc", "1"),))
    assert [finding.removable for finding in judge(host, POLICY)] == [False]


def test_what_the_user_protects_stays_and_what_the_user_allows_is_no_finding() -> None:
    depends = {"gcc": (), "ours": ("gcc",), "make": ()}
    policy = dataclasses.replace(POLICY, protected_packages=("ours",), allowed_packages=("make",))
    (finding,) = judge(host_of(depends, policy=policy), policy)
    assert (finding.name, finding.kept_because) == ("gcc", "ours would go along")


def test_removals_that_only_together_touch_something_protected_are_refused() -> None:
    # alternatives: either of the two is enough for the server, both gone is too much
    packages = (Package("gcc", "1"), Package("make", "1"), Package("postgresql-15", "15"))
    alone = {name: Removal((name,), (name,)) for name in ("gcc", "make")}
    together = Removal(("gcc", "make"), ("gcc", "make", "postgresql-15"))
    with pytest.raises(RefusedForSafety, match="take along postgresql-15"):
        plan_enforcement(Host(packages, removals=alone, together=together), POLICY)


def test_more_removals_than_the_limit_are_refused_with_the_list() -> None:
    policy = dataclasses.replace(POLICY, removal_limit=1)
    with pytest.raises(RefusedForSafety, match=r"2 packages would go.*gcc, make"):
        plan_enforcement(host_of({"gcc": (), "make": ()}, policy=policy), policy)


@pytest.mark.parametrize(
    ("installed", "denied"),
    [
        ({"postgresql-client-15", "postgresql-15"}, []),
        ({"postgresql-client-15", "mariadb-client", "mariadb-server"}, ["postgresql-client-15"]),
        ({"mariadb-client", "postgresql-15"}, ["mariadb-client"]),
        ({"gcc-12-base", "libgcc-s1", "cpp-12", "llvm-14", "libllvm14"}, ["cpp-12", "llvm-14"]),
        ({"postgresql-server-dev-15"}, ["postgresql-server-dev-15"]),
        ({"telnet:i386"}, ["telnet:i386"]),
    ],
)
def test_toolchains_and_foreign_clients_are_denied_but_not_what_the_server_needs(
    installed: set[str], denied: list[str]
) -> None:
    packages = [Package(name, "1") for name in sorted(installed)]
    assert denied_packages(packages, POLICY) == denied


def test_nothing_is_both_denied_by_default_and_protected() -> None:
    for denial in DENIED:
        if denial.kind == PACKAGE:
            names = [pattern.replace("*", "x").replace("[0-9]", "9") for pattern in denial.patterns]
            assert [name for name in names if is_protected(Package(name, "1"), POLICY)] == []


def test_a_denied_unit_is_disabled_and_a_protected_one_is_kept() -> None:
    policy = dataclasses.replace(POLICY, denials=(*DENIED, Denial(UNIT, ("ssh.*",), "because")))
    host = Host(enabled_units=("avahi-daemon.service", "cron.service", "ssh.service"))
    assert [(finding.name, finding.kept_because) for finding in judge(host, policy)] == [
        ("avahi-daemon.service", ""),
        ("ssh.service", "it is protected"),
    ]
    assert summaries(host, policy) == ["unit avahi-daemon.service: enabled -> disabled"]


def test_what_is_not_expected_is_reported_and_never_planned_away() -> None:
    policy = dataclasses.replace(
        POLICY,
        expected_packages=("vim*",),
        expected_units=("cron.service",),
        expected_listeners=(ExpectedListener(22, process="sshd"),),
    )
    host = Host(
        (
            Package("vim", "9", True),
            Package("emacs", "29", True),
            Package("lib", "1"),
            Package("postgresql-15", "1", True),
        ),
        enabled_units=("cron.service", "other.service"),
        listeners=(
            Listener("tcp", "::", 22, "sshd"),
            Listener("udp", "::", 22, "sshd"),
            Listener("tcp", "::", 22, "nc"),
        ),
    )
    assert [finding.name for finding in judge(host, policy)] == [
        "emacs",
        "other.service",
        "udp [::]:22 by sshd",
        "tcp [::]:22 by nc",
    ]
    assert summaries(host, policy) == []


@pytest.mark.parametrize(
    ("expected", "matches"),
    [
        (ExpectedListener(5432), True),
        (ExpectedListener(0, process="postgres"), True),
        (ExpectedListener(5432, address="10.0.0.1"), False),
        (ExpectedListener(5432, address="127.0.0.1", process="post*"), True),
        (ExpectedListener(5432, protocol="udp"), False),
    ],
)
def test_an_expected_listener_matches_by_each_part_that_is_given(expected: ExpectedListener, matches: bool) -> None:
    host = Host(listeners=(Listener("tcp", "127.0.0.1", 5432, "postgres"),))
    assert (judge(host, Policy(expected_listeners=(expected,))) == []) is matches


NAMES = ["gcc", "make", "strace", "telnet", "app", "postgresql-15", "sudo", "libfoo", "gdb"]
graphs = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3).map(tuple))


@given(graphs)
def test_a_plan_never_touches_a_protected_package_and_applied_twice_is_empty(graph: dict[str, tuple[str, ...]]) -> None:
    host = host_of(graph)
    plan = plan_enforcement(host, POLICY)
    gone = {change.payload for change in plan}
    assert not gone & {"postgresql-15", "sudo"}
    left = {name: needs for name, needs in graph.items() if name not in gone}
    assert summaries(host_of(left)) == []
