# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What images are made of."""

from __future__ import annotations

import itertools
from pathlib import Path

import yaml

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


def test_hosts_of_the_lab_have_what_their_roles_would_install() -> None:
    """Lists of the roles' own: the lab asks no package mirror."""
    roles = Path(__file__).parents[3] / "roles"
    backup = yaml.safe_load((roles / "encrypted_backup/vars/main.yml").read_text(encoding="utf-8"))
    backup_packages = backup["__encrypted_backup_packages"]
    restore = yaml.safe_load((roles / "restore_test/vars/main.yml").read_text(encoding="utf-8"))
    assert set(backup_packages["postgresql"]["Debian"]) <= set(PURPOSES["lab-postgresql"])
    # The server's package depends on its client.
    assert set(backup_packages["mariadb"]["Debian"]) - {"mariadb-client"} <= set(PURPOSES["lab-mariadb"])
    for engine in ("postgresql", "mariadb"):  # that the lab backs up by
        assert set(restore["__restore_test_packages"][engine]) <= set(PURPOSES["lab-restore"])
