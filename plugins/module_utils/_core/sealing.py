# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The tools that seal backups, and the endings by which it is known what opens a file. Pure.

A job seals by one of them. Its store may hold files of both, after it was moved from one to the other.
"""

from __future__ import annotations

import typing as t

AGE: t.Final = "age"
GNUPG: t.Final = "gnupg"
TOOLS: t.Final = (AGE, GNUPG)
ENDINGS: t.Final = {AGE: ".zst.age", GNUPG: ".zst.gpg"}
# The program of each, and Debian's package that it is in.
PROGRAMS: t.Final = {AGE: ("age", "age"), GNUPG: ("gpg", "gpg")}


def sealed_name(stem: str, tool: str) -> str:
    """What the file is called that holds ``stem``, sealed."""
    return f"{stem}{ENDINGS[tool]}"


def tool_of(name: str) -> str:
    """By which tool a file is sealed; empty for one that is not."""
    return next((tool for tool, ending in ENDINGS.items() if name.endswith(ending)), "")


def stem_of(name: str) -> str:
    """The name without the ending of a sealed file."""
    tool = tool_of(name)
    return name[: -len(ENDINGS[tool])] if tool else name


def key_file(folder: str, fingerprint: str) -> str:
    """Where the public key of a recipient lies, for GnuPG."""
    return f"{folder}/{fingerprint}.asc"
