# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The oldest ansible-core that is allowed and the newest, on a control host of their own.

Tests of one release stand in the order in which a user works: each goes on where the one before left the targets.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from managed_site import Run, Site

ROOT = Path(__file__).resolve().parents[2]
LISTED = (Path(__file__).parent / "releases.txt").read_text(encoding="utf-8").splitlines()
RELEASES = [line for line in LISTED if not line.startswith("#")]
MODULES = {f"bulwark.database.{path.stem}" for path in (ROOT / "plugins" / "modules").glob("[!_]*.py")}
FULL_SCORE = ("-e", "assessment_minimum_score=100")

each_release = pytest.mark.parametrize(
    "site", RELEASES, indirect=True, scope="session", ids=lambda release: release.split()[-1]
)
# The first test of a release makes its hosts, and perhaps their images.
pytestmark = pytest.mark.timeout(900)


def assert_went_well(run: Run) -> None:
    assert (run.status, run.failed) == (0, 0), run.output
    assert "[DEPRECATION WARNING]" not in run.output, run.output


def test_the_oldest_release_is_the_oldest_that_the_collection_allows() -> None:
    allowed = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
    assert re.search(r"ansible-core==(\d+\.\d+)\.", RELEASES[0])[1] == re.fullmatch(r">=(\d+\.\d+)\.0", allowed)[1]


def test_the_newest_release_is_the_newest_that_the_tools_know() -> None:
    assert f"{RELEASES[-1].split()[0]};" in (ROOT / "tests" / "requirements.txt").read_text(encoding="utf-8")


@each_release
def test_every_module_explains_itself(site: Site) -> None:
    listed = json.loads(site.must("ansible-doc", "--type", "module", "--list", "--json", "bulwark.database"))
    assert set(listed) == MODULES
    explained = json.loads(site.must("ansible-doc", "--type", "module", "--json", *sorted(MODULES)))
    assert {name for name, found in explained.items() if found["doc"]["options"] and found["examples"]} == MODULES


@each_release
def test_hosts_as_they_come_miss_the_full_score(site: Site) -> None:
    run = site.play("assess", *FULL_SCORE)
    assert run.status == 2
    assert "100 is asked for" in run.output


@each_release
def test_a_dry_run_foresees_changes_and_makes_none(site: Site) -> None:
    before = site.state_of_targets()
    run = site.play("harden", "--check", "--diff")
    assert_went_well(run)
    assert all(run.changed.values())
    assert site.state_of_targets() == before


@each_release
def test_the_hosts_are_hardened(site: Site) -> None:
    before = site.state_of_targets()
    run = site.play("harden", "--diff")
    assert_went_well(run)
    assert all(run.changed.values())
    assert not set(before) & set(site.state_of_targets())


@each_release
def test_a_second_run_changes_nothing(site: Site) -> None:
    run = site.play("harden", "--diff")
    assert_went_well(run)
    assert not any(run.changed.values()), run.output


@each_release
def test_the_hardened_hosts_have_the_full_score(site: Site) -> None:
    assert_went_well(site.play("assess", *FULL_SCORE))
