# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""What a parameter's value means, so that values compare by meaning: ``128MB`` is ``131072kB`` is ``16384`` blocks.

The rules are those of the server's own parser (parse_int, parse_real, parse_bool and SplitIdentifierString).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

# How many of the smaller unit the larger one holds, smallest first, as the server counts them.
_MEMORY_BYTES = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME_MICROSECONDS = {
    "us": 1,
    "ms": 1000,
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
}
_NUMBER = re.compile(r"^\s*([+-]?(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))\s*(\S*)\s*$")
_BASE_UNIT = re.compile(r"^(\d*)([A-Za-z]+)$")
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")

Meaning = t.Union[bool, int, float, str, tuple]


class UnusableValue(ValueError):
    """A value that the parameter can't take; the text says why, without naming the parameter."""


@dataclasses.dataclass(frozen=True)
class ValueType:
    """What the server's catalogue says of a parameter's values.

    :param kind: ``bool``, ``integer``, ``real``, ``string`` or ``enum``.
    :param unit: base unit such as ``8kB`` or ``ms``; an empty string without one.
    :param choices: the allowed words of an enum.
    :param is_list: a string that is a comma-separated list of words.
    """

    kind: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_list: bool = False

    def meaning(self, text: str) -> Meaning:
        """The value in comparable form. Raises UnusableValue."""
        parse: dict[str, t.Callable[[str], Meaning]] = {
            "bool": _boolean,
            "integer": self._integer,
            "real": self._real,
            "enum": self._choice,
        }
        if self.kind in parse:
            return parse[self.kind](text)
        return split_list(text) if self.is_list else text

    def _integer(self, text: str) -> int:
        plain = text.strip()
        if re.fullmatch(r"[+-]?0[0-7]+", plain):  # the server reads a leading zero as octal
            return self._in_range(int(plain.replace("0", "0o", 1), 8), text)
        return self._in_range(round(self._number(text)), text)

    def _real(self, text: str) -> float:
        return self._in_range(self._number(text), text)

    def _number(self, text: str) -> float:
        match = _NUMBER.match(text)
        if not match:
            raise UnusableValue(f"{text!r} is not a number" + (f" with a unit like {self.unit}" if self.unit else ""))
        digits, unit = match.groups()
        number = float(int(digits, 16)) if "x" in digits.lower() else float(digits)
        return number * self._factor(unit) if unit else number

    def _factor(self, unit: str) -> float:
        """How many base units one of the given unit is."""
        base = _BASE_UNIT.match(self.unit)
        if not base:
            raise UnusableValue(f"it takes a plain number, without the unit {unit!r}")
        count, base_name = base.groups()
        scale = _MEMORY_BYTES if base_name in _MEMORY_BYTES else _TIME_MICROSECONDS
        if unit not in scale:
            raise UnusableValue(f"{unit!r} is not among its units {', '.join(scale)} (upper and lower case count)")
        return scale[unit] / (scale[base_name] * int(count or 1))

    def _in_range(self, number: t.Any, text: str) -> t.Any:
        if (self.minimum is not None and number < self.minimum) or (self.maximum is not None and number > self.maximum):
            unit = f" {self.unit}" if self.unit else ""
            raise UnusableValue(f"{text!r} is outside its range {self.minimum:.15g} to {self.maximum:.15g}{unit}")
        return number

    def _choice(self, text: str) -> str:
        wanted = text.strip().lower()
        for choice in self.choices:  # some are written in mixed case: TLSv1.2
            if choice.lower() == wanted:
                return choice
        for word, synonyms in (("on", _TRUE), ("off", _FALSE)):
            if wanted in synonyms and word in self.choices:
                return word
        raise UnusableValue(f"{text!r} is not one of {', '.join(self.choices)}")


def split_list(text: str) -> tuple[str, ...]:
    """Words of a comma-separated list; double quotes keep what is inside as it is."""
    words = re.findall(r'\s*("(?:[^"]|"")*"|[^",]+)\s*(?:,|$)', text)
    return tuple(word[1:-1].replace('""', '"') if word.startswith('"') else word.strip() for word in words)


def _boolean(text: str) -> bool:
    wanted = text.strip().lower()
    for answer, words in ((True, _TRUE), (False, _FALSE)):
        # Any unambiguous beginning will do; a lone "o" could be both.
        if any(word.startswith(wanted) for word in words) and wanted not in ("", "o"):
            return answer
    raise UnusableValue(f"{text!r} is not on or off")


def text_of(value: t.Any) -> str:
    """The text of a value as YAML delivers it: booleans, numbers and lists are turned into the server's spelling."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return ", ".join(_list_word(str(word)) for word in value)
    return str(value)


def _list_word(word: str) -> str:
    if re.search(r'[",]', word) or word != word.strip() or not word:
        return '"' + word.replace('"', '""') + '"'
    return word
