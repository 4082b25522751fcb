# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What has to be read from which database, so that a small declaration costs little on a large server."""

from __future__ import annotations

import dataclasses
import typing as t

from .declaration import Declaration
from .names import is_pattern, literal
from .observed_roles import ObservedCluster
from .privilege_declaration import COLUMN, DesiredDatabase, ObjectSelection


@dataclasses.dataclass(frozen=True)
class Inquiry:
    """:param kinds: of objects to read, in the order of their planning.
    :param system_schemas: schemas of the system that were named, so that their objects are read, too.
    :param tables_with_columns: names of tables whose columns are declared; all_columns: of any table.
    :param has_dependencies: whether roles to be dropped hold something here.
    """

    database: str
    kinds: tuple[str, ...]
    system_schemas: tuple[str, ...] = ()
    tables_with_columns: tuple[str, ...] = ()
    all_columns: bool = False
    default_privileges: bool = False
    has_dependencies: bool = False


def inquiries(declaration: Declaration, cluster: ObservedCluster, kinds: t.Iterable[str]) -> list[Inquiry]:
    """One for each database that has to be looked into."""
    matching = declaration.databases_matching(cluster.databases, cluster.closed_databases)
    holding = {item.database for item in cluster.dependencies if item.database}
    readable = tuple(kind for kind in kinds if kind not in (COLUMN, "database"))
    found = []
    for database in cluster.databases:
        if database in cluster.closed_databases:
            continue
        entries = matching.get(database, [])
        inquiry = _inquiry(database, entries, readable, everything=declaration.exclusive and bool(entries))
        if database in holding:
            inquiry = dataclasses.replace(inquiry, kinds=readable, default_privileges=True, has_dependencies=True)
        if inquiry.kinds or inquiry.default_privileges:
            found.append(inquiry)
    return found


def _inquiry(
    database: str, entries: t.Sequence[DesiredDatabase], readable: t.Sequence[str], *, everything: bool
) -> Inquiry:
    selections = [grant.objects for entry in entries for grant in entry.grants]
    selections += [ownership.objects for entry in entries for ownership in entry.ownership]
    defaults = [default for entry in entries for default in entry.default_privileges]
    wanted = {selection.kind for selection in selections}
    if any(selection.schemas for selection in selections) or any(default.schemas for default in defaults):
        wanted.add("schema")
    if any(ownership.objects.kind == "table" for entry in entries for ownership in entry.ownership):
        wanted.add("sequence")  # a table's sequences change their owner with it
    with_columns = [selection for selection in selections if selection.columns]
    names = {name for selection in with_columns for name in selection.names}
    return Inquiry(
        database,
        kinds=tuple(kind for kind in readable if everything or kind in wanted),
        system_schemas=tuple(sorted(_system_schemas(selections))),
        tables_with_columns=tuple(sorted(literal(name) for name in names if not is_pattern(name))),
        all_columns=any(is_pattern(name) for name in names),
        default_privileges=everything or bool(defaults),
    )


def _system_schemas(selections: t.Iterable[ObjectSelection]) -> set[str]:
    named = {literal(schema) for selection in selections for schema in selection.schemas if not is_pattern(schema)}
    return {schema for schema in named if schema.startswith("pg_") or schema == "information_schema"}
