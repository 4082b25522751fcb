# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab is an inventory like any other: each host of one engine, nothing waived that the catalogue has not."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

import lab
from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import every_id


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    monkeypatch.setattr(lab, "LAB", tmp_path / "lab")
    lab._write_inventory()
    written: dict[str, t.Any] = json.loads((tmp_path / "lab" / "inventory.yml").read_text(encoding="utf-8"))
    return written


def test_every_host_of_the_lab_is_in_the_group_of_its_one_engine(inventory: dict[str, t.Any]) -> None:
    engines = inventory["all"]["children"]
    assert list(engines["postgresql"]["hosts"]) == ["pg1"]
    assert list(engines["mariadb"]["children"]["galera"]["hosts"]) == ["db1", "db2", "db3"]


def test_every_host_has_a_name_and_an_address_of_its_own() -> None:
    assert len({host.name for host in lab.LAB_HOSTS}) == len({host.address for host in lab.LAB_HOSTS}) == 5


def test_only_controls_of_the_catalogue_are_waived_with_an_owner_and_a_day(
    inventory: dict[str, t.Any], tmp_path: Path
) -> None:
    path = Path(inventory["all"]["vars"]["bulwark_waivers_file"])
    assert path == tmp_path / "lab" / "waivers.yml"
    waivers = json.loads(path.read_text(encoding="utf-8"))
    assert {one["control"] for one in waivers} <= every_id()
    assert all(one["reason"] and one["owner"] and one["expires"] for one in waivers)
