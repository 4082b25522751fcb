# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The hierarchy of roles as a graph: circles, and pictures in Mermaid or DOT."""

from __future__ import annotations

import dataclasses
import typing as t

from .names import shown

MERMAID: t.Final = "mermaid"
DOT: t.Final = "dot"
FORMATS: t.Final = (MERMAID, DOT)


@dataclasses.dataclass(frozen=True)
class RoleNode:
    name: str
    login: bool = False
    superuser: bool = False
    human: bool = False


@dataclasses.dataclass(frozen=True)
class RoleGraph:
    """:param memberships: (role, member, remark such as "ADMIN").
    :param grants: (grantee, place such as ``shop.app``, privileges as text); an empty grantee is PUBLIC.
    """

    nodes: tuple[RoleNode, ...]
    memberships: tuple[tuple[str, str, str], ...] = ()
    grants: tuple[tuple[str, str, str], ...] = ()


def find_cycle(edges: t.Iterable[tuple[str, str]]) -> list[str]:
    """A path that ends where it began, or an empty list. Without recursion: hierarchies may be deep."""
    targets: dict[str, list[str]] = {}
    for start, end in edges:
        targets.setdefault(start, []).append(end)
    finished: set[str] = set()
    for root in targets:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, bool]] = [(root, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                on_path.discard(path.pop())
                finished.add(name)
                continue
            if name in on_path:
                return [*path[path.index(name) :], name]
            if name in finished:
                continue
            path.append(name)
            on_path.add(name)
            stack.append((name, True))
            stack.extend((target, False) for target in targets.get(name, ()))
    return []


def render(graph: RoleGraph, form: str) -> str:
    """The picture's source text; ``form`` is one of FORMATS."""
    return _mermaid(graph) if form == MERMAID else _dot(graph)


def _identifiers(graph: RoleGraph) -> tuple[dict[str, str], dict[str, str]]:
    """Plain identifiers for roles and places: names may be hostile to either language."""
    roles = {node.name: f"r{index}" for index, node in enumerate(graph.nodes)}
    places = {place: f"p{index}" for index, place in enumerate(dict.fromkeys(grant[1] for grant in graph.grants))}
    if any(not grantee for grantee, dummy, dummy2 in graph.grants):
        roles[""] = "public"
    return roles, places


def _mermaid(graph: RoleGraph) -> str:
    roles, places = _identifiers(graph)
    lines = ["flowchart LR"]
    for node in graph.nodes:
        opening, closing = _mermaid_shape(node)
        lines.append(f'  {roles[node.name]}{opening}"{_html(_label(node))}"{closing}')
    if "" in roles:
        lines.append(f'  {roles[""]}["PUBLIC"]')
    lines.extend(f'  {identifier}[("{_html(place)}")]' for place, identifier in places.items())
    for role, member, remark in graph.memberships:
        label = f'|"{_html(remark)}"|' if remark else ""
        lines.append(f"  {roles[member]} -->{label} {roles[role]}")
    for grantee, place, text in graph.grants:
        lines.append(f'  {roles[grantee]} -.->|"{_html(text)}"| {places[place]}')
    return "\n".join(lines) + "\n"


def _mermaid_shape(node: RoleNode) -> tuple[str, str]:
    if node.superuser:
        return "{{", "}}"
    return ("([", "])") if node.login else ("[", "]")


def _label(node: RoleNode) -> str:
    return shown(node.name) + (" (person)" if node.human else "")


def _html(text: str) -> str:
    """Mermaid takes entities for everything that means something to it or to HTML."""
    return "".join(
        character if character.isalnum() or character in " _.,:()-" else f"#{ord(character)};" for character in text
    )


def _dot(graph: RoleGraph) -> str:
    roles, places = _identifiers(graph)
    lines = ["digraph roles {", "  rankdir=LR;"]
    for node in graph.nodes:
        shape = "hexagon" if node.superuser else "ellipse" if node.login else "box"
        lines.append(f"  {roles[node.name]} [label={_quoted(_label(node))}, shape={shape}];")
    if "" in roles:
        lines.append(f'  {roles[""]} [label="PUBLIC", shape=box];')
    lines.extend(f"  {identifier} [label={_quoted(place)}, shape=cylinder];" for place, identifier in places.items())
    for role, member, remark in graph.memberships:
        lines.append(f"  {roles[member]} -> {roles[role]}" + (f" [label={_quoted(remark)}];" if remark else ";"))
    for grantee, place, text in graph.grants:
        lines.append(f"  {roles[grantee]} -> {places[place]} [label={_quoted(text)}, style=dashed];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
