# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a store is offered to the host that keeps copies, whatever sealed it; and that nothing else is taken."""

from __future__ import annotations

import json

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_manifest import Contents
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.offsite import (
    is_of_store,
    parse_offer,
    render_offer,
    to_offer,
)
from sample_backups import full, segment


@pytest.mark.parametrize(("tool", "ending"), [("age", ".zst.age"), ("gnupg", ".zst.gpg")])
def test_all_that_a_tool_sealed_is_offered_after_what_it_describes(tool: str, ending: str) -> None:
    manifest, sidecar = full(1000, sealing=tool), segment(7, 1000, sealing=tool)
    offered = to_offer(Contents((manifest,), (sidecar,), ()), lambda dummy: (10, "ab" * 32), ["RESTORE.txt"])
    assert [one.path for one in offered] == [
        "RESTORE.txt",
        f"log/{sidecar.name}{ending}",
        f"log/{sidecar.name}.json",
        f"full/{manifest.id}/base.tar{ending}",
        f"full/{manifest.id}/manifest.json",
    ]
    assert parse_offer(json.dumps(render_offer(offered))) == offered
    assert [one.is_sealed for one in offered] == [False, True, False, True, False]
    assert [one.full for one in offered] == ["", "", "", manifest.id, manifest.id]
    # what is spoiled spoils its description as well
    assert offered[1].described == offered[2].described == f"log/{sidecar.name}"


@pytest.mark.parametrize(
    "path",
    [
        "full/20261125T000000Z/base.tar.zst",
        "full/20261125T000000Z/base.tar.zst.zip",
        "full/20261125T000000Z/other.zst.gpg",
        "full/../base.tar.zst.gpg",
        "log/000000010000000000000002",
        "log/000000010000000000000002.zst.zip",
        "log/000000010000000000000002.zst.age.zst.gpg",
        "log/000000010000000000000002.zst.gpg.json",
        "log/../000000010000000000000002.zst.gpg",
        "log/.zst.gpg",
        "log/.json",
        "secret.zst.gpg",
    ],
)
def test_no_other_name_is_taken(path: str) -> None:
    assert not is_of_store(path)
    with pytest.raises(InvalidDeclaration, match="no file of a store"):
        parse_offer(json.dumps({"format": 1, "offer": [[path, 10, "ab" * 32]]}))


def test_only_what_is_sealed_may_be_long() -> None:
    for path, taken in (("log/000000010000000000000002.zst.gpg", True), ("log/000000010000000000000002.json", False)):
        text = json.dumps({"format": 1, "offer": [[path, 10**9, "ab" * 32]]})
        if taken:
            assert parse_offer(text)[0].bytes == 10**9
        else:
            with pytest.raises(InvalidDeclaration, match="too many for a description"):
                parse_offer(text)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        json.dumps({"format": 1, "offer": [["log/000000010000000000000002.zst.gpg", 10**400, "ab" * 32]]}),
        json.dumps({"format": 1, "offer": [["log/000000010000000000000002.zst.gpg", 2**63, "ab" * 32]]}),
    ],
)
def test_what_no_sender_of_ours_writes_is_told_in_a_line(line: str) -> None:
    with pytest.raises(InvalidDeclaration):
        parse_offer(line)
