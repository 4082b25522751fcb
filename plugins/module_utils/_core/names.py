# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Names of roles and objects: as people read them, as patterns, and what was meant by one that does not exist."""

from __future__ import annotations

import difflib
import functools
import re
import typing as t

PUBLIC: t.Final = "PUBLIC"

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")


@functools.lru_cache(maxsize=20_000)
@functools.lru_cache(maxsize=10_000)  # a plan names the same roles again and again
def shown(name: str) -> str:
    """A name for a message or a plan: quoted where it is unusual, on one line whatever it holds."""
    if _PLAIN.match(name) or name == PUBLIC:
        return name
    visible = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in name)
    return '"' + visible.replace('"', '""') + '"'


def shown_list(names: t.Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names)


def is_pattern(text: str) -> bool:
    """Whether there is a ``*`` that is not written ``\\*``."""
    return "*" in text.replace("\\*", "")


def literal(text: str) -> str:
    """The name a text without wildcards stands for."""
    return text.replace("\\*", "*")


def pattern(text: str) -> re.Pattern[str]:
    """Only ``*`` is special (any characters, none too); ``\\*`` is an asterisk."""
    parts = [".*".join(re.escape(piece) for piece in part.split("*")) for part in text.split("\\*")]
    return re.compile(re.escape("*").join(parts) + r"\Z", re.DOTALL)


def near_miss(name: str, known: t.Iterable[str]) -> str:
    """``Did you mean "x"?`` for a name that is not known, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"Did you mean {shown(close[0])}?" if close else ""


def printable(line: str) -> str:
    """On one line and harmless to a terminal, whatever an object is called."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in line)
