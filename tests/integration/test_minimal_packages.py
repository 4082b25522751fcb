# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt and dpkg for real, on a package database of their own: packages without files whose names exist nowhere else."""

from __future__ import annotations

import shutil
import socket
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidDeclaration,
    ObservationFailed,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._io import packages as io
from ansible_collections.bulwark.database.plugins.module_utils._io.listeners import observe_listeners
from ansible_collections.bulwark.database.plugins.module_utils._module.minimal_packages import subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from through_ansible import through_ansible

pytestmark = pytest.mark.skipif(not shutil.which("apt-get"), reason="needs the package manager of the Debian family")

PACKAGES: dict[str, dict[str, str]] = {
    "bwtest-server": {"Depends": "bwtest-library"},
    "bwtest-library": {},
    "bwtest-compiler": {},
    "bwtest-plugin": {"Depends": "bwtest-compiler"},
    "bwtest-base": {"Essential": "yes", "Depends": "bwtest-shell"},
    "bwtest-shell": {},
    "bwtest-either": {"Depends": "bwtest-one | bwtest-other"},
    "bwtest-one": {},
    "bwtest-other": {},
}
OPTIONS: dict[str, t.Any] = {
    "enforce": False,
    "default_denials": False,
    "denied_packages": ["bwtest-compiler", "bwtest-library", "bwtest-shell"],
    "denied_units": [],
    "allowed_packages": [],
    "allowed_units": [],
    "protected_packages": ["bwtest-server"],
    "protected_units": [],
    "expected_packages": None,
    "expected_units": None,
    "expected_listeners": None,
    "removal_limit": 50,
}


class PackageDatabase:
    """A package database in a directory, named to apt and dpkg by their environment variables."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.status = root / "status"
        for name in ("info", "updates", "triggers", "cache/archives/partial", "log", "alternatives"):
            (root / name).mkdir(parents=True)
        (root / "info/format").write_text("1\n")
        (root / "extended_states").write_text("Package: bwtest-library\nArchitecture: amd64\nAuto-Installed: 1\n")
        places = {
            "Dir::State::status": self.status,
            "Dir::State::extended_states": root / "extended_states",
            "Dir::Cache": root / "cache",
            "Dir::Log": root / "log",
            "Dir::Etc::parts": "/dev/null",
            "Dir::Etc::main": "/dev/null",
        }
        configuration = root / "apt.conf"
        configuration.write_text("".join(f'{name} "{place}";\n' for name, place in places.items()))
        monkeypatch.setenv("APT_CONFIG", str(configuration))
        monkeypatch.setenv("DPKG_ADMINDIR", str(root))
        self.write(PACKAGES)
        for name in PACKAGES:
            (root / f"info/{name}.list").write_text("/.\n")

    def write(self, packages: dict[str, dict[str, str]], *, state: str = "installed") -> None:
        stanzas = []
        for name, fields in packages.items():
            lines = {
                "Package": name,
                "Status": f"install ok {state if name == 'bwtest-compiler' else 'installed'}",
                "Priority": "optional",
                "Maintainer": "nobody <nobody@example.org>",
                "Architecture": "amd64",
                "Version": "1",
                **fields,
                "Description": "nothing",
            }
            stanzas.append("".join(f"{field}: {value}\n" for field, value in lines.items()))
        self.status.write_text("\n".join(stanzas))

    def installed(self) -> set[str]:
        return {package.name for package in io.observe_packages()}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PackageDatabase:
    return PackageDatabase(tmp_path, monkeypatch)


def run(*, check_mode: bool = False, **options: t.Any) -> Outcome:
    return converge(subject({**OPTIONS, **options}), check_mode=check_mode)


def test_a_report_names_what_would_go_along_and_what_must_stay(database: PackageDatabase) -> None:
    plan, result = run()
    assert not plan
    assert result["summary"] == [
        "package bwtest-compiler: denied by your policy; would take along bwtest-plugin",
        "package bwtest-library: denied by your policy; kept, because bwtest-server would go along",
        "package bwtest-shell: denied by your policy; kept, because the package manager finds no way to do without it",
    ]
    assert "bwtest-server" in result["by_hand"]
    assert "bwtest-library" not in result["by_hand"]


def test_enforcement_removes_what_check_mode_said_and_nothing_the_second_time(database: PackageDatabase) -> None:
    said = run(enforce=True, check_mode=True).plan
    assert database.installed() == set(PACKAGES)
    done = run(enforce=True)
    assert done.plan.summaries() == said.summaries()
    assert database.installed() == set(PACKAGES) - {"bwtest-compiler", "bwtest-plugin"}
    assert not done.result["compliant"]
    assert not run(enforce=True).plan


def test_two_that_are_dispensable_alone_but_not_together_are_refused(database: PackageDatabase) -> None:
    with pytest.raises(RefusedForSafety, match="bwtest-either"):
        run(enforce=True, denied_packages=["bwtest-one", "bwtest-other"], protected_packages=["bwtest-either"])
    assert database.installed() == set(PACKAGES)


@pytest.mark.parametrize("state", ["unpacked", "half-configured", "half-installed"])
def test_an_interrupted_package_manager_is_an_error_that_says_how_to_mend_it(
    database: PackageDatabase, state: str
) -> None:
    database.write(PACKAGES, state=state)
    with pytest.raises(ObservationFailed, match=r"bwtest-compiler.*dpkg --configure -a"):
        run()


def test_a_journal_that_dpkg_did_not_finish_is_an_error_too(database: PackageDatabase) -> None:
    (database.status.parent / "updates/0000").write_text(
        "Package: bwtest-one\nStatus: install ok unpacked\nVersion: 1\n"
    )
    with pytest.raises(ObservationFailed, match="interrupted"):
        run()


def test_broken_dependencies_are_an_error_and_not_a_reason_to_remove(database: PackageDatabase) -> None:
    database.write({name: fields for name, fields in PACKAGES.items() if name != "bwtest-library"})
    with pytest.raises(ObservationFailed, match="--fix-broken"):
        run()


def test_what_changed_since_it_was_looked_at_is_not_removed(database: PackageDatabase) -> None:
    with pytest.raises(ApplyFailed, match="also touch bwtest-plugin; no package was removed"):
        io.remove_packages(["bwtest-compiler"], expected=["bwtest-compiler"])
    assert database.installed() == set(PACKAGES)


@pytest.mark.parametrize("pattern", ["*", "", "??*"])
def test_a_pattern_that_means_everything_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidDeclaration, match="would match everything"):
        subject({**OPTIONS, "denied_packages": [pattern]})


@pytest.mark.parametrize("name", ["--purge", "-y", "a;b", "$(id)", "bwtest-one+", "ü" * 70])
def test_a_hostile_pattern_matches_nothing_and_does_nothing(database: PackageDatabase, name: str) -> None:
    assert not run(enforce=True, denied_packages=[name]).plan
    assert database.installed() == set(PACKAGES)


def test_a_socket_of_ours_is_found_with_the_process_that_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = [listener for listener in observe_listeners() if listener.port == port]
        assert (found.protocol, found.address) == ("tcp", "127.0.0.1")
        assert found.process == Path("/proc/self/comm").read_text().strip()
    assert not [listener for listener in observe_listeners() if listener.port == port]


def test_through_ansible_check_says_what_the_run_does_and_the_second_run_is_unchanged(
    database: PackageDatabase, tmp_path: Path
) -> None:
    names = ("default_denials", "denied_packages", "protected_packages")
    options = {**{name: OPTIONS[name] for name in names}, "enforce": True}
    said = through_ansible("minimal_packages", options, "--check", "--diff", home=tmp_path)
    assert said["diff"]["before"] == "package bwtest-compiler: installed (1)\npackage bwtest-plugin: installed (1)\n"
    done = through_ansible("minimal_packages", options, "--diff", home=tmp_path)
    assert (done["changed"], done["diff"]) == (True, said["diff"])
    assert database.installed() == set(PACKAGES) - {"bwtest-compiler", "bwtest-plugin"}
    assert not through_ansible("minimal_packages", options, home=tmp_path)["changed"]
