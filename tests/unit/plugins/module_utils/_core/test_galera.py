# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a node may be stopped, and the reason that is given when it may not."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.galera import (
    Member,
    Node,
    is_held_up_by_others,
    node_of_answer,
    reasons_against_stopping,
)


def node(number: int, **changes: t.Any) -> Node:
    sound = Node(
        name=f"db{number}", uuid=f"uuid{number}", address=f"192.0.2.{number}", cluster_name="shop", cluster_uuid="data",
        status="Primary", size=3, weight=1, cluster_weight=3, state="Synced", replicates=True, ready=True,
        connected=True, desynced=False, flow_control_active=False, receive_queue=0, receive_limit=16,
    )  # fmt: skip
    return dataclasses.replace(sound, **changes)


MEMBERS = [Member(f"uuid{number}", f"db{number}", f"192.0.2.{number}:3306") for number in (1, 2, 3)]
ALL = [node(1), node(2), node(3)]


def test_a_sound_cluster_of_which_everything_is_known_can_spare_a_node() -> None:
    for one in ALL:
        assert reasons_against_stopping(one, MEMBERS, ALL, expected_size=3) == []
        assert reasons_against_stopping(one, MEMBERS, [other for other in ALL if other != one]) == []


# What is wrong with a node, and the words for it.
PLIGHTS: list[tuple[dict[str, t.Any], str]] = [
    ({"status": "non-Primary"}, "db{} is Synced in a non-Primary component of 3 nodes: it is not in the primary"),
    ({"connected": False}, "db{} is Synced and not connected to the cluster: it is not in the primary component"),
    ({"state": "Joined"}, "db{} is Joined, not Synced"),
    ({"state": "Donor/Desynced"}, "db{} is giving a state transfer to another node, or stands still for a backup"),
    ({"state": "Donor/Desynced", "desynced": True}, "db{} is desynced by hand (wsrep_desync=ON)"),
    ({"ready": False}, "db{} takes no queries (wsrep_ready=OFF)"),
    ({"replicates": False}, "db{} does not replicate what new sessions write (wsrep_on=OFF)"),
    ({"flow_control_active": True}, "flow control holds writes back, seen on db{}"),
    ({"receive_queue": 17}, "db{} has 17 write sets to apply, 16 are its limit"),
]


@pytest.mark.parametrize(("changes", "words"), PLIGHTS)
@pytest.mark.parametrize("number", [1, 2])
def test_what_is_wrong_with_the_node_or_with_another_speaks_against(
    number: int, changes: dict[str, t.Any], words: str
) -> None:
    nodes = [node(one, **(changes if one == number else {})) for one in (1, 2, 3)]
    reasons = reasons_against_stopping(nodes[0], MEMBERS, nodes, expected_size=3)
    assert len(reasons) == 1
    assert reasons[0].startswith(words.format(number))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cluster_uuid": "other"}, "db2 has other data than db1: the state of its cluster is other"),
        ({"size": 2}, "db2 sees a cluster of 2, db1 one of 3"),
    ],
)
def test_a_node_that_sees_another_cluster_speaks_against(changes: dict[str, t.Any], words: str) -> None:
    assert reasons_against_stopping(node(1), MEMBERS, [node(2, **changes), node(3)]) == [words]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], "nothing is known of 2 of the other nodes (db2, db3): give their present answers as members"),
        ([node(2)], "nothing is known of 1 of the other nodes (db3): give their present answers as members"),
        # It has restarted since.
        ([node(2), node(3, uuid="old")], "nothing is known of 1 of the other nodes (db3)"),
    ],
)
def test_who_was_not_heard_speaks_against(answers: list[Node], words: str) -> None:
    reasons = reasons_against_stopping(node(1), MEMBERS, [node(1), *answers])
    assert len(reasons) == 1
    assert reasons[0].startswith(words)


def test_where_the_server_tells_addresses_only_answers_are_counted() -> None:
    nameless = [Member("", "", f"192.0.2.{number}:3306") for number in (1, 2, 3)]
    assert reasons_against_stopping(node(1), nameless, [node(2), node(3)]) == []
    assert reasons_against_stopping(node(1), nameless, [node(2), node(2)]) == [
        "nothing is known of 1 of the other nodes: give their present answers as members"
    ]


def test_a_list_of_members_that_lags_behind_the_size_hides_nobody() -> None:
    assert reasons_against_stopping(node(1), MEMBERS[:2], [node(2)]) == [
        "nothing is known of 1 of the other nodes: give their present answers as members"
    ]


def test_a_server_without_galera_among_the_answers_speaks_against() -> None:
    assert reasons_against_stopping(node(1), MEMBERS, [*ALL, None]) == [
        "one of the answers is that of a server without Galera"
    ]


@pytest.mark.parametrize(
    ("weights", "stopped", "reason"),
    [
        ((1, 1, 1), 0, None),
        ((1, 1), 0, "without db1 the rest has 1 of 2 votes, which is no quorum"),
        ((2, 1, 1), 0, "without db1 the rest has 2 of 4 votes, which is no quorum"),
        ((2, 1, 1), 1, None),
        ((2, 1), 1, None),
        ((0, 1), 0, None),
        ((1,), 0, "db1 is the only one left"),
    ],
)
def test_the_rest_keeps_the_quorum_even_if_the_stop_is_a_crash(
    weights: tuple[int, ...], stopped: int, reason: str | None
) -> None:
    nodes = [
        node(number, weight=weight, cluster_weight=sum(weights), size=len(weights))
        for number, weight in enumerate(weights, start=1)
    ]
    reasons = reasons_against_stopping(nodes[stopped], MEMBERS[: len(weights)], nodes)
    assert reasons == ([reason] if reason else [])


def test_a_cluster_that_is_not_whole_is_not_made_smaller() -> None:
    nodes = [node(number, size=3, cluster_weight=3) for number in (1, 2, 3)]
    reasons = reasons_against_stopping(nodes[0], MEMBERS, nodes, expected_size=5)
    assert reasons == ["the cluster has 3 of 5 nodes"]


@given(number=st.integers(1, 3), as_text=st.booleans())
def test_an_answer_comes_back_as_the_node_it_was(number: int, as_text: bool) -> None:
    answer: dict[str, t.Any] = {"enabled": True, **dataclasses.asdict(node(number)), "may_stop": False}
    if as_text:  # as templates make of it
        answer = {name: str(value) for name, value in answer.items()}
    assert node_of_answer(answer) == node(number)


def test_a_server_without_galera_is_no_node() -> None:
    assert node_of_answer({"enabled": False}) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "enabled is None"),
        ({"galera": {}}, "enabled is None"),
        ({"enabled": True}, "name is None"),
        ({"enabled": True, **dataclasses.asdict(node(1)), "size": "many"}, "size is 'many'"),
        ({"enabled": True, **dataclasses.asdict(node(1)), "ready": 1}, "ready is 1"),
    ],
)
def test_anything_else_is_refused(answer: dict[str, t.Any], words: str) -> None:
    with pytest.raises(InvalidDeclaration, match=words):
        node_of_answer(answer)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"size": 2}, True),
        ({"status": "non-Primary", "size": 2, "ready": False}, True),
        ({"status": "non-Primary", "size": 1, "ready": False}, False),
        ({"state": "Donor/Desynced", "desynced": True}, False),
        ({"connected": False, "status": "Disconnected", "size": 0}, False),
    ],
)
def test_a_node_that_is_in_is_held_up_by_the_others_and_one_that_found_nobody_by_itself(
    changes: dict[str, t.Any], expected: bool
) -> None:
    assert is_held_up_by_others(node(1, **changes)) is expected
