# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role restore_test and its module do where nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.bulwark.database.plugins.module_utils._module.restore_test_job import (
    test_options as options_of,
)

DEFAULTS = Path(__file__).resolve().parents[2] / "roles" / "restore_test" / "defaults" / "main.yml"


def test_role_and_module_have_the_same_defaults_and_an_older_set_is_tested_too() -> None:
    role, module = yaml.safe_load(DEFAULTS.read_text(encoding="utf-8")), options_of()
    alike = {
        "with_older": True,
        "smallest_share": 0.5,
        "extended_check": True,
        "timer": True,
        "rto_seconds": 14400,
        "rpo_seconds": 0,
        "deadline_seconds": 43200,
        "calendar": "*-*-* 03:00:00 UTC",
    }
    assert {key: module[key]["default"] for key in alike} == alike
    assert {key: role[f"restore_test_{key.removesuffix('_seconds')}"] for key in alike} == alike
