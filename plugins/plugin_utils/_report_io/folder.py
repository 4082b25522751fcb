# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The folder in which reports lie: what is there, and writing it so that only its owner reads it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import re
import stat
import typing as t
from pathlib import Path

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.bulwark.database.plugins.module_utils._io.files import FileContent, remove_file, replace_file
from ansible_collections.bulwark.database.plugins.plugin_utils._report.trend import is_point

FILE_MODE: t.Final = 0o600
FOLDER_MODE: t.Final = 0o700
FILE_NAMES: t.Final[dict[str, str]] = {
    "html": "report.html",
    "json": "report.json",
    "junit": "report.junit.xml",
    "markdown": "report.md",
    "text": "summary.txt",
}

_POINT_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z\.json")
_LARGEST_POINT = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class ObservedFolder:
    """What lies there.

    :param modes: permission bits of the report files that are there, by format.
    :param points: the history, the oldest first.
    :param damaged: files of the history that can't be read.
    :param fingerprint: what the reports there say was found; empty where that is not known.
    """

    exists: bool
    modes: t.Mapping[str, int]
    points: tuple[dict[str, t.Any], ...] = ()
    damaged: tuple[str, ...] = ()
    fingerprint: str = ""


class ReportFolder:
    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._history = self.path / "history"
        # Not read from the newest point: hosts' clocks differ, so the newest need not be the latest run's.
        self._latest = self._history / "latest"

    def file(self, name: str) -> Path:
        """Where the report of this format lies."""
        return self.path / FILE_NAMES[name]

    def observe(self) -> ObservedFolder:
        """What lies there. A damaged history file is named and otherwise ignored."""
        modes: dict[str, int] = {}
        for name in FILE_NAMES:
            with contextlib.suppress(OSError):
                modes[name] = stat.S_IMODE(self.file(name).stat().st_mode)
        read = [(path, _read_point(path)) for path in self._point_files()]
        points = tuple(point for dummy, point in read if point is not None)
        damaged = tuple(str(path) for path, point in read if point is None)
        return ObservedFolder(self.path.is_dir(), modes, points, damaged, self._fingerprint())

    def write(
        self,
        contents: t.Mapping[str, str],
        points: t.Iterable[t.Mapping[str, t.Any]],
        *,
        keep: int,
        fingerprint: str,
    ) -> None:
        """Write the reports (format -> content) and the history's points; of the history keep the newest.

        Every file appears whole or not at all. The fingerprint comes last, so that an interrupted run is repeated.
        """
        try:
            for folder in (self.path, self._history):
                folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise ApplyFailed(
                f"can't make the report folder {error.filename or self.path}: {error.strerror}",
                "Name another report_dir, or make it writable for the user that runs Ansible",
            ) from None
        for name, text in contents.items():
            _write(self.file(name), text)
        for point in points:
            _write(self._history / _point_name(str(point["assessed_at"])), json.dumps(point) + "\n")
        files = self._point_files()
        for path in files[: max(0, len(files) - keep)]:
            remove_file(str(path))
        _write(self._latest, fingerprint + "\n")

    def _fingerprint(self) -> str:
        try:
            return self._latest.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return ""

    def _point_files(self) -> list[Path]:
        try:
            return sorted(path for path in self._history.iterdir() if _POINT_NAME.fullmatch(path.name))
        except OSError:
            return []


def is_moment(text: str) -> bool:
    """Whether this is a time stamp such as ``2026-11-22T03:04:12Z``. It becomes a file's name, and hosts send it."""
    try:
        datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return False
    return re.fullmatch(r"[0-9-]{10}T[0-9:]{8}Z", text) is not None


def _point_name(moment: str) -> str:
    return re.sub(r"[-:]", "", moment) + ".json"


def _read_point(path: Path) -> dict[str, t.Any] | None:
    try:
        if path.stat().st_size > _LARGEST_POINT:
            return None
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if is_point(value) else None


def _write(path: Path, text: str) -> None:
    replace_file(str(path), FileContent(text.encode("utf-8"), os.geteuid(), os.getegid(), FILE_MODE))
