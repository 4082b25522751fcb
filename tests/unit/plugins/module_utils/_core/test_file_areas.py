# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Violations counted for the part of the server they belong to."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls import file_check
from ansible_collections.bulwark.database.plugins.module_utils._core.file_areas import (
    PROGRAM,
    SERVER_AREAS,
    Places,
    offenders_by_area,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.file_plan import Finding, Survey, TreeSurvey
from ansible_collections.bulwark.database.plugins.module_utils._core.files import Policy

PLACES = Places(
    private_keys=("/data/server.key",), configuration=("/data/pg_hba.conf",), logs=("/data/log",), data=("/data",)
)


@pytest.mark.parametrize(
    ("path", "area"),
    [
        ("/data/server.key", "private_key"),
        ("/data/pg_hba.conf", "configuration"),
        ("/data/log", "log"),
        ("/data/log/today.log", "log"),
        ("/data/logbook", "data"),
        ("/database", "configuration"),
        ("/etc/postgresql/15", "configuration"),
    ],
)
def test_the_most_telling_place_decides(path: str, area: str) -> None:
    assert PLACES.area(path) == area


def test_what_was_only_counted_belongs_to_its_policys_area() -> None:
    finding = Finding("/data", "/data/server.key", "file", "root:root 0644", "root:root 0600", ("too open",))
    tree = TreeSurvey(Policy("/data", ()), resolved="/data", count=40, findings=[finding], refused_count=2)
    found = offenders_by_area(Survey((tree,), 1), PLACES, SERVER_AREAS)
    assert {area: offenders.count for area, offenders in found.items() if offenders.count} == {
        "private_key": 1,
        "data": 41,
    }
    assert found["private_key"].lines == ("/data/server.key: root:root 0644 (too open)",)


def test_the_checks_know_the_same_areas() -> None:
    assert set(file_check.EXPECTED) == {*SERVER_AREAS, PROGRAM}
