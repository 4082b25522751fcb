# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The host that keeps copies: new files are taken in whole and verified, or not at all. Nothing is overwritten."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import typing as t

from .._core.backup_manifest import MANIFEST, parse_manifest, parse_sidecar
from .._core.backup_moments import render_id
from .._core.errors import ApplyFailed, BulwarkError, DidNotTakeEffect, ObservationFailed, RefusedForSafety
from .._core.offsite import LONGEST_LINE, TEXTS, Offered, parse_line, parse_offer
from .._core.sealing import stem_of
from .backup_store import (
    PARTIAL,
    checksum,
    create_file,
    free_percent,
    open_folder,
    read_text,
    rename,
    sync_file,
    sync_folder,
)

_BUFFER_BYTES: t.Final = 1024 * 1024
_ARRIVING: t.Final = "arriving"
_EARLIER: t.Final = "earlier"


class Receiver:
    """One conversation, under the store's lock.

    :param minimum_free_percent: of the file system, which copies may not go below.
    """

    def __init__(self, store: str, source: t.IO[bytes], target: t.IO[bytes], *, minimum_free_percent: int) -> None:
        self.store = store
        self._source = source
        self._target = target
        self._minimum = minimum_free_percent

    def run(self) -> int:
        """Number of files stored. Raises BulwarkError, of which the sender was told."""
        try:
            for name in ("", "full", "log", _ARRIVING):
                open_folder(os.path.join(self.store, name))
            self._sweep()
            return self._converse()
        except BulwarkError as error:
            with contextlib.suppress(OSError):
                self._answer({"error": str(error)})
            raise

    def _converse(self) -> int:
        offered = parse_offer(self._line())
        wanted, refused = self._sort(offered)
        self._check_room(sum(one.bytes for one in wanted))
        self._answer({"want": [one.path for one in wanted], "refused": refused})
        open_ones = {one.path: one for one in wanted}
        count = 0
        while True:
            message = parse_line(self._line())
            if message.get("done") is True:
                self._answer({"done": True})
                return count
            one = open_ones.pop(str(message.get("put")), None)
            if one is None:
                raise RefusedForSafety("the sender puts what was not asked for")
            if self._take(one):
                count += 1
                self._answer({"stored": one.path})
            else:
                self._answer({"differs": one.path})

    def _sort(self, offered: t.Sequence[Offered]) -> tuple[list[Offered], dict[str, str]]:
        """What can't be judged is refused, and keeps nothing else from being taken in."""
        wanted, refused = [], {}
        spoiled = set()  # a description of one of these would be about something else than what is there
        for one in offered:
            why = "there is another file of that name, which stays as it is"
            try:
                present = self._present(one)
            except BulwarkError as error:
                present, why = "", error.message
            except OSError as error:
                present, why = "", f"it can't be read: {error.strerror}"
            if present == one.sha256:
                continue
            if one.described in spoiled:
                refused[one.path] = "what it describes is not there"
            elif present is None or one.is_text:
                wanted.append(one)
            else:
                refused[one.path] = why
                spoiled.add(one.described)
        return wanted, refused

    def _present(self, one: Offered) -> str | None:
        """SHA-256 of what is there, by the description beside it where there is one; None for nothing."""
        path = self._place(one)
        try:
            size = os.lstat(path).st_size
        except FileNotFoundError:
            return None
        if size != one.bytes:
            return ""
        if one.is_sealed:
            described = self._described(one, path)
            if described:
                return described
        return checksum(path)[1]

    def _described(self, one: Offered, path: str) -> str:
        description = os.path.join(os.path.dirname(path), MANIFEST) if one.full else f"{stem_of(path)}.json"
        try:
            text = read_text(description)
        except FileNotFoundError:
            return ""
        if not one.full:
            return parse_sidecar(text, where=description).sha256
        files = parse_manifest(text, where=description).files
        return next((file.sha256 for file in files if file.name == os.path.basename(path)), "")

    def _place(self, one: Offered) -> str:
        """A full backup is under another name until its manifest is there: half of one is none."""
        path = os.path.join(self.store, one.path)
        if one.full and not os.path.isdir(os.path.dirname(path)):
            return os.path.join(self.store, "full", f"{one.full}{PARTIAL}", os.path.basename(path))
        return path

    def _take(self, one: Offered) -> bool:
        """Whether it is what was offered, on the way and on the disk; if it is not, nothing is left of it."""
        arriving = os.path.join(self.store, _ARRIVING, os.path.basename(one.path))
        descriptor = create_file(arriving)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as stream:
                digest = self._copy(stream, one.bytes)
                sync_file(descriptor, arriving)
            if digest != one.sha256 or checksum(arriving, from_disk=True) != (one.bytes, one.sha256):
                return False
            self._put_in_place(one, arriving)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(arriving)
        return True

    def _copy(self, stream: t.Any, size: int) -> str:
        digest, left = hashlib.sha256(), size
        while left:
            piece = self._source.read(min(_BUFFER_BYTES, left))
            if not piece:
                raise DidNotTakeEffect("the sender broke off", "Nothing is kept of the file that it was sending")
            digest.update(piece)
            try:
                stream.write(piece)
            except OSError as error:
                raise ApplyFailed(f"can't write to {self.store}: {error.strerror}", "Make room there") from None
            left -= len(piece)
        return digest.hexdigest()

    def _put_in_place(self, one: Offered, arriving: str) -> None:
        path = self._place(one)
        if one.full:
            open_folder(os.path.dirname(path))
        if one.is_text:
            self._keep_earlier(path)
        try:
            os.link(arriving, path)  # unlike a rename it never replaces what is there
        except FileExistsError:
            raise RefusedForSafety(f"{one.path} came from somebody else in the meantime") from None
        except OSError as error:
            raise ApplyFailed(f"can't put {one.path} in place: {error.strerror}") from None
        sync_folder(os.path.dirname(path))
        if one.full and os.path.basename(path) == MANIFEST:
            self._finish(one, path)

    def _finish(self, one: Offered, path: str) -> None:
        """The manifest came last: is it one of this backup, and is all of it here?"""
        folder = os.path.dirname(path)
        try:
            manifest = parse_manifest(read_text(path), where=one.path)
        except BulwarkError:
            os.unlink(path)
            raise
        missing = [
            file.name
            for file in manifest.files
            if not os.path.isfile(os.path.join(folder, file.name))
            or os.stat(os.path.join(folder, file.name)).st_size != file.bytes
        ]
        if manifest.id != one.full or missing:
            os.unlink(path)
            raise ObservationFailed(f"{one.path} does not describe what is there: {', '.join(missing) or manifest.id}")
        rename(folder, os.path.join(self.store, "full", one.full))

    def _keep_earlier(self, path: str) -> None:
        if not os.path.lexists(path):
            return
        folder, moment = os.path.join(self.store, _EARLIER), time.time()
        open_folder(folder)
        name = f"{os.path.basename(path)}.{render_id(moment)}"
        number = 0
        while os.path.lexists(os.path.join(folder, name)):  # of the same second: a sender may be fast
            number += 1
            name = f"{os.path.basename(path)}.{render_id(moment)}-{number}"
        os.utime(path, follow_symlinks=False)  # from now on it is earlier, however long it was valid
        rename(path, os.path.join(folder, name))

    def _sweep(self) -> None:
        """What conversations that broke off left. Parts of full backups stay: the next one goes on from there.

        The manifest of one that did not get its name any more goes: it comes once more, and then the name is given.
        """
        folder = os.path.join(self.store, _ARRIVING)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        folder = os.path.join(self.store, "full")
        for name in os.listdir(folder):
            if name.endswith(PARTIAL):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(folder, name, MANIFEST))

    def _check_room(self, size: int) -> None:
        free = free_percent(self.store, size)
        if free < self._minimum:
            raise ApplyFailed(
                f"{self.store} would have {max(free, 0):.0f} % free, {self._minimum} % are the minimum",
                "Make room there, or keep copies for fewer days",
            )

    def _line(self) -> str:
        line = self._source.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise DidNotTakeEffect("the sender broke off", "It goes on by itself")
        return line.decode("utf-8", "replace")

    def _answer(self, message: t.Mapping[str, t.Any]) -> None:
        self._target.write(json.dumps(message).encode() + b"\n")
        self._target.flush()


def clear_up(store: str, *, before: float) -> None:
    """Remove what nobody goes on with, and what was set aside, before a moment. Only under the store's lock.

    :param before: in seconds since the epoch, by when this host wrote it last.
    """
    for folder, ending in (("full", PARTIAL), (_EARLIER, "")):
        with contextlib.suppress(FileNotFoundError), os.scandir(os.path.join(store, folder)) as entries:
            for entry in entries:
                if not entry.name.endswith(ending) or entry.stat(follow_symlinks=False).st_mtime >= before:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)


def texts_of(store: str) -> list[str]:
    return [name for name in TEXTS if os.path.isfile(os.path.join(store, name))]
