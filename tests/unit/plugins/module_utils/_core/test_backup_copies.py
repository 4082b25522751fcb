# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sender knows of its copies."""

from __future__ import annotations

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_copies import copied_fulls


def test_only_a_backup_whose_manifest_arrived_is_there_whole() -> None:
    paths = [
        "RESTORE.txt",
        "log/000000010000000000000002.json",
        "full/20261125T000000Z/base.tar.zst.age",
        "full/20261125T000000Z/manifest.json",
        "full/20261124T000000Z/manifest.json",
        "full/20261126T000000Z/base.tar.zst.age",
    ]
    assert copied_fulls(paths) == ("20261124T000000Z", "20261125T000000Z")
    assert copied_fulls([]) == ()
