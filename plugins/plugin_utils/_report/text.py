# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Text from hosts made harmless and measured. Evidence quotes names that anybody may have chosen."""

from __future__ import annotations

import typing as t
import unicodedata

# Characters that steer a terminal or reorder what is read, although they are not in category Cc.
_STEERING = frozenset(
    [*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0xFFFE, 0xFFFF, 0x061C]
)
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def visible(text: str) -> str:
    r"""The text with every control, surrogate and direction-changing character spelled out (``\x1b``, ``\u202e``).

    Line feeds stay and a tab becomes four spaces; carriage returns before a line feed go.
    """
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character == "\n":
        return character
    number = ord(character)
    if unicodedata.category(character) not in ("Cc", "Cs") and number not in _STEERING:
        return character
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def one_line(text: str) -> str:
    """The text on one line: runs of blanks and line feeds become one blank."""
    return " ".join(text.split())


def width(text: str) -> int:
    """Columns a terminal uses for the text: two for wide East Asian characters and emoji, none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shortened(text: str, columns: int) -> str:
    """The text on one line of at most ``columns`` columns; what was cut away is marked by an ellipsis."""
    text = text.replace("\n", " ")
    if width(text) <= columns:
        return text
    kept, used = [], 0
    for character in text:
        used += _columns(character)
        if used > columns - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _ELLIPSIS if columns > 0 else ""


def wrapped(text: str, columns: int, *, most: int) -> list[str]:
    """The text in lines of at most ``columns`` columns, at most ``most`` of them; the last one takes what fits."""
    lines: list[str] = []
    for word in one_line(text).split(" "):
        if lines and width(lines[-1]) + 1 + width(word) <= columns:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    kept = lines[: most - 1] + ([" ".join(lines[most - 1 :])] if len(lines) >= most else [])
    return [shortened(line, columns) for line in kept]


def padded(text: str, columns: int) -> str:
    """The text, shortened or filled with blanks to exactly ``columns`` columns."""
    text = shortened(text, columns)
    return text + " " * (columns - width(text))


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 host``, ``3 hosts``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def named(names: t.Sequence[str], *, most: int) -> str:
    """The names with commas, at most so many of them: ``pg1, pg2 and 7 more``."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
