# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.role_graph import (
    RoleGraph,
    RoleNode,
    find_cycle,
    render,
)

HOSTILE = 'x"]; evil --> y["\\\n<script>#;'
GRAPH = RoleGraph(
    (RoleNode("app", login=True), RoleNode(HOSTILE), RoleNode("root", superuser=True, human=True)),
    (("app", HOSTILE, "ADMIN"),),
    (("", "shop.app", "table: SELECT"), ("app", "shop", 'database: "CONNECT"')),
)


def test_mermaid_holds_nothing_that_a_name_could_break_out_of() -> None:
    text = render(GRAPH, "mermaid")
    assert text.startswith("flowchart LR\n")
    assert "<script>" not in text
    assert "evil -->" not in text
    assert text.count("\n") == 10
    assert '  r1 -->|"ADMIN"| r0\n' in text


def test_dot_is_quoted() -> None:
    text = render(GRAPH, "dot")
    assert text.count("\n") == 12
    assert 'label="root (person)", shape=hexagon' in text


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ([], []),
        ([("a", "b"), ("b", "c"), ("a", "c")], []),
        ([("a", "b"), ("b", "a")], ["a", "b", "a"]),
        ([("x", "a"), ("a", "b"), ("b", "c"), ("c", "a")], ["a", "b", "c", "a"]),
    ],
)
def test_a_circle_is_found_with_its_way(edges: list[tuple[str, str]], cycle: list[str]) -> None:
    assert find_cycle(edges) == cycle


def test_a_deep_hierarchy_needs_no_recursion() -> None:
    edges = [(str(number), str(number + 1)) for number in range(20_000)]
    assert find_cycle(edges) == []
    assert len(find_cycle([*edges, ("20000", "0")])) == 20_002


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15))
def test_what_is_called_a_circle_is_one(pairs: list[tuple[int, int]]) -> None:
    edges = [(str(start), str(end)) for start, end in pairs]
    cycle = find_cycle(edges)
    assert all(step in edges for step in zip(cycle, cycle[1:]))
    if not cycle:  # then there is an order in which every edge points forward
        assert not _has_cycle(edges)


def _has_cycle(edges: list[tuple[str, str]]) -> bool:
    remaining = set(edges)
    while remaining:
        starts, ends = {start for start, dummy in remaining}, {end for dummy, end in remaining}
        free = {edge for edge in remaining if edge[1] not in starts or edge[0] not in ends}
        if not free:
            return True
        remaining -= free
    return False
