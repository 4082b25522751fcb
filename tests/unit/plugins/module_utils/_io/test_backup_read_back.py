# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import random
import time
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import DidNotTakeEffect
from ansible_collections.bulwark.database.plugins.module_utils._io import backup_read_back
from ansible_collections.bulwark.database.plugins.module_utils._io.backup_read_back import ReadBack

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, 3 * MIB + 5])
def test_a_file_that_is_whole_is_proven_at_once(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(data := random.Random(size).randbytes(size))
    assert ReadBack(str(path)).finish() == (size, hashlib.sha256(data).hexdigest())


def test_a_file_is_proven_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    data = random.Random(1).randbytes(30 * MIB + 4321)
    path.touch()
    read_back = ReadBack(str(path))
    read_back.start()
    with path.open("wb") as sink:
        for at in range(0, len(data), 777_777):
            sink.write(data[at : at + 777_777])
        sink.flush()
        deadline = time.monotonic() + 20
        while not read_back._proven and time.monotonic() < deadline:
            time.sleep(0.01)
        assert read_back._proven, "nothing was read before the end"
    assert read_back.finish() == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("refused", ["when it is asked for", "when it is done"])
def test_a_file_system_that_knows_no_direct_reading_is_read_through_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(data := random.Random(3).randbytes(3 * MIB + 5))
    change, read = fcntl.fcntl, os.preadv
    asked = []

    def refuse_flag(descriptor: int, command: int, argument: int = 0) -> int:
        if refused == "when it is asked for" and command == fcntl.F_SETFL and argument & os.O_DIRECT:
            asked.append(descriptor)
            raise OSError(errno.EINVAL, "Invalid argument")
        return change(descriptor, command, argument)

    def refuse_reading(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if change(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            asked.append(descriptor)
            raise OSError(errno.EINVAL, "Invalid argument")
        return read(descriptor, buffers, offset)

    monkeypatch.setattr(backup_read_back.fcntl, "fcntl", refuse_flag)
    monkeypatch.setattr(backup_read_back.os, "preadv", refuse_reading)
    assert ReadBack(str(path)).finish() == (len(data), hashlib.sha256(data).hexdigest())
    assert len(asked) == 1


@pytest.mark.parametrize("place", [0, 2 * MIB - 1, 2 * MIB + 9])
def test_what_the_disk_gives_back_differently_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """A disk that lies can't be had; what it does is done when memory has been read, and the disk has not."""
    path = tmp_path / "sealed"
    path.write_bytes(random.Random(2).randbytes(2 * MIB + 10))
    drop = backup_read_back._drop

    def lying(descriptor: int, offset: int, length: int) -> None:
        drop(descriptor, offset, length)
        if offset <= place < offset + length:
            with path.open("r+b") as disk:
                disk.seek(place)
                before = disk.read(1)
                disk.seek(place)
                disk.write(bytes([before[0] ^ 1]))

    monkeypatch.setattr(backup_read_back, "_drop", lying)
    with pytest.raises(DidNotTakeEffect, match=r"sealed reads back differently from what was written"):
        ReadBack(str(path)).finish()


def test_a_file_that_becomes_shorter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(bytes(2 * MIB + 10))
    sync = os.fdatasync

    def cutting(descriptor: int) -> None:
        sync(descriptor)
        os.truncate(path, MIB + 3)

    monkeypatch.setattr(backup_read_back.os, "fdatasync", cutting)
    with pytest.raises(DidNotTakeEffect, match="reads back differently"):
        ReadBack(str(path)).finish()


def test_what_can_not_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DidNotTakeEffect, match=r"can't read .*gone back: No such file"):
        ReadBack(str(tmp_path / "gone")).finish()


def test_who_gives_up_does_not_wait_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sealed"
    path.write_bytes(bytes(100 * MIB))
    monkeypatch.setattr(backup_read_back, "_drop", lambda *dummy: time.sleep(0.05))  # 100 pieces would take 10 s
    read_back = ReadBack(str(path))
    read_back.start()
    time.sleep(0.2)
    started = time.monotonic()
    read_back.give_up()
    assert time.monotonic() - started < 2
    assert not read_back._thread.is_alive()
