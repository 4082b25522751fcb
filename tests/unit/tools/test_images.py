# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What images are made of."""

from __future__ import annotations

import itertools

from images import PLATFORMS, PURPOSES, recipe, tag


def test_an_image_for_each_platform_and_purpose_and_none_is_taken_for_another() -> None:
    tags = [tag(platform, purpose) for platform, purpose in itertools.product(PLATFORMS, PURPOSES)]
    assert len(set(tags)) == len(PLATFORMS) * len(PURPOSES)


def test_a_host_has_the_database_server_of_its_purpose_only() -> None:
    for platform in PLATFORMS.values():
        packages = {
            purpose: next(word for word in recipe(platform, purpose) if word.startswith("--include=")).split(",")
            for purpose in PURPOSES
        }
        assert "postgresql" in packages["postgresql"]
        assert "mariadb-server" not in packages["postgresql"]
        assert "mariadb-server" in packages["mariadb"]
        assert "postgresql" not in packages["mariadb"]
