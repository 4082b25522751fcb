# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reading values out of what the user declared, with messages that say where the mistake is."""

from __future__ import annotations

import json
import typing as t

from .errors import InvalidDeclaration
from .names import near_miss


class Fields:
    """One mapping of a declaration: ``Fields(entry, where="roles[3]", known=(...))``.

    :raises InvalidDeclaration: for unknown keys, with the key that was probably meant, and for values of a wrong type.
    """

    def __init__(self, entry: t.Any, *, where: str, known: t.Collection[str]) -> None:
        if not isinstance(entry, t.Mapping):
            raise InvalidDeclaration(f"{where} is {_kind(entry)}, a mapping is needed")
        for key in entry:
            if key not in known:
                raise InvalidDeclaration(
                    f"{where} has an unknown key {key!r}", near_miss(str(key), known) or f"Known are {', '.join(known)}"
                )
        self._entry = entry
        self.where = where

    def has(self, key: str) -> bool:
        return self._entry.get(key) is not None

    def raw(self, key: str) -> t.Any:
        return self._entry.get(key)

    def text(self, key: str) -> str | None:
        value = self._entry.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(key, value, "a string")

    def required_text(self, key: str) -> str:
        value = self.text(key)
        if not value:
            raise InvalidDeclaration(f"{self.where} lacks {key}")
        return value

    def flag(self, key: str) -> bool | None:
        value = self._entry.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(key, value, "true or false")

    def number(self, key: str) -> int | None:
        value = self._entry.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self.wrong(key, value, "an integer")

    def mapping(self, key: str) -> t.Mapping[str, t.Any]:
        value = self._entry.get(key)
        if value is None:
            return {}
        if isinstance(value, t.Mapping):
            return value
        raise self.wrong(key, value, "a mapping")

    def items(self, key: str) -> list[t.Any]:
        """A list; one single value counts as a list of one."""
        value = self._entry.get(key)
        if value is None:
            return []
        return list(value) if isinstance(value, (list, tuple)) else [value]

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.items(key)
        for value in values:
            if not isinstance(value, str) or not value:
                raise self.wrong(key, value, "a list of names")
        return tuple(dict.fromkeys(values))

    def choice(self, key: str, allowed: t.Collection[str], *, default: str | None = None) -> str:
        value = self._entry.get(key, default)
        value = default if value is None else value
        if value in allowed:
            return str(value)
        if value is None:
            raise InvalidDeclaration(f"{self.where} lacks {key}", f"One of {', '.join(allowed)}")
        raise InvalidDeclaration(
            f"{self.where}: {key} can't be {value!r}",
            near_miss(str(value), allowed) or f"It is one of {', '.join(allowed)}",
        )

    def wrong(self, key: str, value: t.Any, wanted: str) -> InvalidDeclaration:
        """The value itself is not repeated: it may be a secret put under the wrong key."""
        return InvalidDeclaration(f"{self.where}: {key} is {_kind(value)}, {wanted} is needed")


def _kind(value: t.Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a string", bool: "a truth value", int: "a number"}
    return names.get(type(value), "an empty value" if value is None else f"of type {type(value).__name__}")


def fields_of_file(text: str, *, where: str, known: t.Collection[str], version: int, kind: str = "file") -> Fields:
    """Of a JSON file that a module of ours writes for a program of ours. Raises InvalidDeclaration.

    :param known: besides ``format``, which has to be ``version``.
    """
    try:
        entry = json.loads(text)
    except ValueError as error:
        raise InvalidDeclaration(
            f"{where} is no JSON: {error}", "Run the role again, it writes the file anew"
        ) from None
    fields = Fields(entry, where=where, known=("format", *known))
    if fields.number("format") != version:
        raise InvalidDeclaration(
            f"{where} has format {fields.raw('format')!r}, this program knows {version}",
            f"Run the role again, it brings program and {kind} to the same version",
        )
    return fields
