# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy is what the disk holds, not what went through the memory of the host that keeps it."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._io import offsite_receiving
from ansible_collections.bulwark.database.plugins.module_utils._io.offsite_receiving import Receiver


def receive(store: Path, path: str, data: bytes) -> list[dict[str, object]]:
    offer = {"format": 1, "offer": [[path, len(data), hashlib.sha256(data).hexdigest()]]}
    first, last = (json.dumps(message).encode() + b"\n" for message in (offer, {"done": True}))
    target = io.BytesIO()
    source = io.BytesIO(first + json.dumps({"put": path}).encode() + b"\n" + data + last)
    Receiver(str(store), source, target, minimum_free_percent=0).run()
    return [json.loads(line) for line in target.getvalue().splitlines()]


@pytest.mark.parametrize("lies", [False, True])
def test_what_the_disk_holds_is_compared_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lies: bool
) -> None:
    def spoil(descriptor: int, dummy: str) -> None:
        os.pwrite(descriptor, b"b", 2)
        os.fsync(descriptor)

    if lies:
        monkeypatch.setattr(offsite_receiving, "sync_file", spoil)
    path = f"log/{'0' * 22}10.zst.age"
    answers = receive(tmp_path / "main", path, b"aaaaaaaa")
    assert answers[1] == ({"differs": path} if lies else {"stored": path})
    assert (tmp_path / "main" / path).exists() is not lies
