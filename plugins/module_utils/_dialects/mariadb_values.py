# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What values of MariaDB's variables mean, so that 128M is 134217728 and ON is 1. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._core.setting_values import UnusableValue

_NUMBER = re.compile(r"([+-]?\d+)\s*([KMGTPE]?)", re.IGNORECASE)
_POWERS = {suffix: 1024**power for power, suffix in enumerate(("", "K", "M", "G", "T", "P", "E"))}
_ON, _OFF = ("on", "true", "1"), ("off", "false", "0")
# Modes that stand for others; the server shows them all.
_COMBINED_MODES: t.Final = {
    "traditional": (
        *("strict_trans_tables", "strict_all_tables", "no_zero_in_date", "no_zero_date"),
        *("error_for_division_by_zero", "no_auto_create_user", "no_engine_substitution"),
    ),
    "ansi": ("real_as_float", "pipes_as_concat", "ansi_quotes", "ignore_space"),
}


@dataclasses.dataclass(frozen=True)
class Variable:
    """One row of information_schema.SYSTEM_VARIABLES.

    :param value: the global value that the server runs with.
    :param kind: VARIABLE_TYPE, such as ``BIGINT UNSIGNED``.
    :param origin: where the value came from: CONFIG, COMMAND-LINE, SQL, COMPILE-TIME, AUTO ...
    """

    name: str
    value: str
    kind: str
    scope: str = "GLOBAL"
    read_only: bool = False
    origin: str = "COMPILE-TIME"
    default: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    block: int = 1
    choices: tuple[str, ...] = ()

    @property
    def is_dynamic(self) -> bool:
        return not self.read_only and self.scope != "SESSION ONLY"

    def meaning(self, text: str) -> t.Any:
        """What a value means: equal for all its spellings. Raises UnusableValue for one that the server can't use."""
        if self.kind == "BOOLEAN":
            return self._boolean(text)
        if "INT" in self.kind:
            return self._integer(text)
        if self.kind == "DOUBLE":
            return self._double(text)
        if self.kind == "ENUM" and self.choices:
            return self._choice(text)
        if self.kind in ("SET", "FLAGSET"):
            return self._set(text)
        return text.rstrip("/") if text.startswith("/") else text

    def literal(self, text: str, quote: t.Callable[[str], str]) -> str:
        """The value in SQL."""
        meaning = self.meaning(text)
        if self.kind == "BOOLEAN":
            return "ON" if meaning else "OFF"
        if "INT" in self.kind:
            return str(meaning)
        return text.strip() if self.kind == "DOUBLE" else quote(text)

    def is_met_by(self, running: str, wanted: str) -> bool:
        """Whether a value that is there is what is wanted; of flags only those named count."""
        try:
            there, asked = self.meaning(running), self.meaning(wanted)
        except UnusableValue:
            return running == wanted
        return asked <= there if self.kind == "FLAGSET" else there == asked

    def _boolean(self, text: str) -> bool:
        if text.lower() in (*_ON, *_OFF):
            return text.lower() in _ON
        raise UnusableValue(f"{text!r} is neither ON nor OFF")

    def _integer(self, text: str) -> int:
        match = _NUMBER.fullmatch(text.strip())
        if not match:
            raise UnusableValue(f"{text!r} is no whole number (K, M, G and T may follow it)")
        number = int(match.group(1)) * _POWERS[match.group(2).upper()]
        low, high = self.minimum, self.maximum
        if (low is not None and number < low) or (high is not None and number > high):
            raise UnusableValue(f"{text} is outside its range {low} to {high}")
        if self.block > 1 and number % self.block:
            raise UnusableValue(f"{text} is no multiple of {self.block}, the server would round it")
        return number

    def _double(self, text: str) -> float:
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text.strip(), re.IGNORECASE):
            raise UnusableValue(f"{text!r} is no number")
        return float(text)

    def _choice(self, text: str) -> str:
        lowered = [choice.lower() for choice in self.choices]
        if text.lower() in lowered:
            return text.lower()
        if text.isdecimal() and int(text) < len(lowered):
            return lowered[int(text)]
        raise UnusableValue(f"{text!r} is none of {', '.join(self.choices)}")

    def _set(self, text: str) -> frozenset[str]:
        words = {word.strip().lower() for word in text.split(",") if word.strip()}
        unknown = words - {choice.lower() for choice in self.choices} if self.kind == "SET" and self.choices else ()
        if unknown:
            raise UnusableValue(f"{', '.join(sorted(unknown))}: the server knows {', '.join(self.choices)}")
        if self.name == "sql_mode":
            words.update(*(_COMBINED_MODES[word] for word in words & set(_COMBINED_MODES)))
        return frozenset(words)
