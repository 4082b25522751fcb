# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the scanners of a tree share: see ``tree_find`` and ``tree_walk``."""

from __future__ import annotations

import os
import stat

from .._core.files import DIRECTORY, FILE, PERMISSION_BITS, SOCKET, Entry

# Relative path in bytes (empty for the root itself), and what was seen there.
Candidate = tuple[bytes, Entry]

_KINDS = {
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFREG: FILE,
    stat.S_IFSOCK: SOCKET,
    stat.S_IFIFO: "pipe",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}


def entry_of(status: os.stat_result) -> Entry | None:
    """An entry from a file's status; None for a symbolic link, which has no permissions of its own."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is None:
        return None
    return Entry(kind, status.st_mode & PERMISSION_BITS, status.st_uid, status.st_gid, status.st_nlink)
