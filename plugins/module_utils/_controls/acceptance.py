# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which values of a parameter are as good as the one that hardening sets. Values compare by meaning."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._core.setting_values import UnusableValue, ValueType, split_list


class Acceptance(t.Protocol):
    """Decides on a value; ``words`` says for people what is accepted."""

    @property
    def words(self) -> str: ...

    def accepts(self, value: str, value_type: ValueType) -> bool: ...


@dataclasses.dataclass(frozen=True)
class OneOf:
    """Any of these values."""

    values: tuple[str, ...]

    @property
    def words(self) -> str:
        return " or ".join(value or "''" for value in self.values)

    def accepts(self, value: str, value_type: ValueType) -> bool:
        return any(same(value, wanted, value_type) for wanted in self.values)


@dataclasses.dataclass(frozen=True)
class Within:
    """Not less than ``lowest`` and not more than ``highest``; an empty one is no limit."""

    lowest: str = ""
    highest: str = ""

    @property
    def words(self) -> str:
        if not self.highest:
            return f"{self.lowest} or more"
        return f"{self.lowest} to {self.highest}" if self.lowest else f"{self.highest} or less"

    def accepts(self, value: str, value_type: ValueType) -> bool:
        try:
            found: t.Any = value_type.meaning(value)
            return bool(
                (not self.lowest or found >= value_type.meaning(self.lowest))
                and (not self.highest or found <= value_type.meaning(self.highest))
            )
        except (UnusableValue, TypeError):
            return False


@dataclasses.dataclass(frozen=True)
class Holding:
    """A list that holds at least one word of each group, besides whatever else, or is one of ``instead``."""

    groups: tuple[tuple[str, ...], ...]
    instead: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return " and ".join(" or ".join(group) for group in self.groups)

    def accepts(self, value: str, value_type: ValueType) -> bool:  # noqa: ARG002 (a list is a list)
        words = {word.lower() for word in split_list(value)}
        if words & set(self.instead):
            return True
        return all(words & set(group) for group in self.groups)


@dataclasses.dataclass(frozen=True)
class ListWithout:
    """A list none of whose words is refused. ``words`` say it for people."""

    refused: tuple[str, ...]
    words: str
    may_be_empty: bool = True

    def accepts(self, value: str, value_type: ValueType) -> bool:  # noqa: ARG002
        words = {word.lower().rstrip("/") or "/" for word in split_list(value)}
        return not words & set(self.refused) and bool(words or self.may_be_empty)


@dataclasses.dataclass(frozen=True)
class EveryWord:
    """Every word of a list split at ``separator`` matches. ``words`` say it for people."""

    pattern: str
    words: str
    separator: str = ":"
    may_be_empty: bool = False

    def accepts(self, value: str, value_type: ValueType) -> bool:  # noqa: ARG002
        words = [word.strip() for word in value.split(self.separator) if word.strip()]
        return all(re.fullmatch(self.pattern, word) for word in words) and bool(words or self.may_be_empty)


@dataclasses.dataclass(frozen=True)
class Matching:
    """Text in which all the patterns are found. ``words`` say it for people."""

    patterns: tuple[str, ...]
    words: str

    def accepts(self, value: str, value_type: ValueType) -> bool:  # noqa: ARG002
        return all(re.search(pattern, value) for pattern in self.patterns)


def same(value: str, wanted: str, value_type: ValueType) -> bool:
    """Whether two texts mean the same to the server."""
    if value == wanted:
        return True
    try:
        return bool(value_type.meaning(value) == value_type.meaning(wanted))
    except UnusableValue:
        return False
