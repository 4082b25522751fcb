# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the sender knows of its copies on another host. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from .backup_manifest import MANIFEST


@dataclasses.dataclass(frozen=True)
class Copies:
    """What the host that keeps copies has said that it has.

    :param last_success: when nothing was left over last, as manifests write times; None if never.
    :param fulls: ids of the full backups that it has whole, oldest first.
    """

    host: str
    last_success: str | None
    fulls: tuple[str, ...]

    def described(self) -> dict[str, t.Any]:
        """As the status of a job shows it."""
        return {**dataclasses.asdict(self), "fulls": list(self.fulls)}


def copied_fulls(paths: t.Iterable[str]) -> tuple[str, ...]:
    """Ids of full backups that are there whole: a manifest is sent after all that it describes."""
    parts = [path.split("/") for path in paths]
    return tuple(sorted(part[1] for part in parts if len(part) == 3 and part[0] == "full" and part[2] == MANIFEST))
