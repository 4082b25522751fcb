# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which of a database's objects a declaration means."""

from __future__ import annotations

import re
import typing as t

from .errors import InvalidDeclaration
from .names import is_pattern, literal, near_miss, pattern, shown, shown_list
from .observed_roles import ObservedDatabase, ServerObject
from .privilege_declaration import ObjectSelection

# What people write for types, and what the server prints.
_TYPE_ALIASES: t.Final = {
    "int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint", "bool": "boolean",
    "varchar": "character varying", "char": "character", "float8": "double precision", "float4": "real",
    "float": "double precision", "decimal": "numeric", "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone", "timetz": "time with time zone", "time": "time without time zone",
    "varbit": "bit varying",
}  # fmt: skip

_Selected = list[tuple[ServerObject, bool]]


class ObjectIndex:
    """Finds objects by name or pattern; says what exists instead when a name is not there."""

    def __init__(self, database: ObservedDatabase) -> None:
        self._database = database
        self._by_kind: dict[str, dict[str, dict[str, list[ServerObject]]]] = {}
        for target in database.objects:
            self._by_kind.setdefault(target.kind, {}).setdefault(target.schema, {}).setdefault(target.name, []).append(
                target
            )
        self._schemas = {target.name: target.exempt for target in database.objects if target.kind == "schema"}
        self._cache: dict[ObjectSelection, _Selected] = {}

    @staticmethod
    def label(target: ServerObject) -> str:
        name = shown(target.name) if not target.schema else f"{shown(target.schema)}.{shown(target.name)}"
        return f"{target.kind} {name}" + (f"({target.arguments})" if target.kind == "routine" else "")

    def select(self, selection: ObjectSelection, *, where: str) -> _Selected:
        """The objects, each with whether it was named literally. Raises InvalidDeclaration for a name not there."""
        found: dict[ServerObject, bool] = {}
        for schema in self.schemas(selection.schemas, where=where) if selection.schemas else [""]:
            is_system = self._schemas.get(schema, False)
            names = self._by_kind.get(selection.kind, {}).get(schema, {})
            for wanted in selection.names:
                if is_pattern(wanted):
                    expression = pattern(wanted)
                    for name, targets in names.items():
                        if expression.match(name):
                            for target in targets:
                                if is_system or not target.exempt:
                                    found.setdefault(target, False)
                else:
                    for target in self._named(literal(wanted), names, selection, schema=schema, where=where):
                        found[target] = True
        return list(found.items())

    def schemas(self, wanted: t.Iterable[str], *, where: str) -> list[str]:
        """Names of schemas; a pattern passes by those of the system and of extensions."""
        found: dict[str, None] = {}
        for text in wanted:
            if is_pattern(text):
                expression = pattern(text)
                found.update(
                    (name, None) for name, exempt in self._schemas.items() if not exempt and expression.match(name)
                )
            elif literal(text) in self._schemas:
                found[literal(text)] = None
            else:
                raise InvalidDeclaration(
                    f"{where}: there is no schema {shown(literal(text))}",
                    near_miss(literal(text), self._schemas) or "Create it first: this module manages no schemas",
                )
        return list(found)

    def check_columns(self, table: ServerObject, columns: t.Iterable[str], *, where: str) -> None:
        known = self._database.columns.get((table.schema, table.name), {})
        for column in columns:
            if column not in known:
                raise InvalidDeclaration(
                    f"{where}: {self.label(table)} has no column {shown(column)}", near_miss(column, known)
                )

    def _named(
        self,
        name: str,
        names: dict[str, list[ServerObject]],
        selection: ObjectSelection,
        *,
        schema: str,
        where: str,
    ) -> list[ServerObject]:
        if name in names:
            return names[name]
        if selection.kind == "routine":
            signature = normal_signature(name)
            for targets in names.values():
                for target in targets:
                    if signature == normal_signature(f"{target.name}({target.arguments})"):
                        return [target]
        elif any(self._is_elsewhere(selection, other, name) for other in selection.schemas):
            return []  # several schemas were named, and it is in one of them
        raise InvalidDeclaration(
            f"{where}: there is no {selection.kind} {shown(name)}" + (f" in schema {shown(schema)}" if schema else ""),
            self._hint(name, names, selection.kind),
        )

    def _is_elsewhere(self, selection: ObjectSelection, schema: str, name: str) -> bool:
        kinds = self._by_kind.get(selection.kind, {})
        if is_pattern(schema):
            expression = pattern(schema)
            return any(name in names for other, names in kinds.items() if expression.match(other))
        return name in kinds.get(literal(schema), {})

    def _hint(self, name: str, names: dict[str, list[ServerObject]], kind: str) -> str:
        if kind == "routine" and name.count("(") != name.count(")"):
            return "A signature with several arguments has to stand in a YAML list: a bare string is split at commas"
        overloads = names.get(name.partition("(")[0], ()) if kind == "routine" else ()
        if overloads:
            return f"There are {', '.join(f'{shown(target.name)}({target.arguments})' for target in overloads)}"
        return near_miss(name, names) or (f"There are {shown_list(sorted(names)[:10])}" if names else "There are none")


def normal_signature(text: str) -> str:
    """``calc( INT,varchar )`` and ``calc(integer, character varying)`` become the same text."""
    name, opening, rest = text.partition("(")
    if not opening or not rest.rstrip().endswith(")"):
        return text
    arguments = [re.sub(r"\s+", " ", argument).strip() for argument in rest.rstrip()[:-1].split(",")]
    return name.strip() + "(" + ", ".join(_normal_type(argument) for argument in arguments if argument) + ")"


def _normal_type(text: str) -> str:
    if '"' in text:
        return text
    lower = text.lower()
    stem, brackets, rest = lower.partition("[")
    return _TYPE_ALIASES.get(stem.strip(), stem.strip()) + brackets + rest
