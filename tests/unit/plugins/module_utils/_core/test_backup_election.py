# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Which node makes the backup: one of them, whatever they start like; and somebody says so if none can."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_election import (
    DONE,
    FAILED,
    RUNNING,
    Cluster,
    Lease,
    NodeState,
    Turn,
    decide,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration

NODES = ("db3", "db2", "db1")
CLUSTER = Cluster(NODES, ("db1",), wait_seconds=10)
NOTHING = Lease(0)
START = 1_700_000_000


def node(name: str, state: str = "Synced", status: str = "Primary", *, ready: bool = True) -> NodeState:
    return NodeState(name, state, status, ready)


def turn(who: NodeState, lease: Lease | None = NOTHING, *, after: int = 0, cluster: Cluster = CLUSTER) -> Turn:
    return decide(cluster, who, lease, started=START, now=START + after).turn


def test_the_first_of_the_list_begins_at_once_and_the_next_after_its_wait() -> None:
    assert turn(node("db3")) is Turn.TAKE
    assert turn(node("db2")) is Turn.WAIT
    assert turn(node("db2"), after=9) is Turn.WAIT
    assert turn(node("db2"), after=10) is Turn.TAKE


@pytest.mark.parametrize(
    "who",
    [
        node("db1"),
        node("db3", "Donor/Desynced"),
        node("db3", status="non-Primary"),
        node("db3", ready=False),
        dataclasses.replace(node("db3"), desynced=True),
        node("stranger"),
    ],
    ids=["writer", "donor", "no quorum", "not ready", "desynced by hand", "not on the list"],
)
def test_who_should_not_makes_none_and_says_so_if_nobody_did(who: NodeState) -> None:
    assert turn(who, after=20) is Turn.WAIT
    decision = decide(CLUSTER, who, NOTHING, started=START, now=START + 21)
    assert decision.turn is Turn.NOBODY
    assert who.name in decision.reason


def test_without_a_quorum_nothing_is_known_of_the_others() -> None:
    assert turn(node("db3"), None) is Turn.WAIT
    assert turn(node("db3"), None, after=21) is Turn.NOBODY


def test_another_that_makes_it_or_made_it_in_this_round_is_left_alone() -> None:
    making = Lease(3, "db3", START - 5, START + 600, RUNNING)
    assert turn(node("db2"), making, after=30) is Turn.ASIDE
    assert turn(node("db1"), making) is Turn.ASIDE
    made = dataclasses.replace(making, outcome=DONE)
    assert turn(node("db2"), made, after=10) is Turn.ASIDE


def test_yesterdays_backup_is_none_of_today() -> None:
    made = Lease(3, "db3", START - 86400, START - 60000, DONE)
    assert turn(node("db2"), made, after=10) is Turn.TAKE


def test_one_that_failed_or_never_came_back_is_replaced() -> None:
    assert turn(node("db2"), Lease(3, "db3", START, START + 600, FAILED), after=10) is Turn.TAKE
    assert turn(node("db2"), Lease(3, "db3", START - 900, START - 1, RUNNING), after=10) is Turn.TAKE


def test_who_is_started_again_by_hand_makes_another() -> None:
    assert turn(node("db3"), Lease(3, "db3", START - 5, START + 600, DONE)) is Turn.TAKE


@pytest.mark.parametrize(
    ("nodes", "writers", "wait", "said"),
    [
        ((), (), 10, "none"),
        (("db1",), (), 10, "db1"),
        (("db1", "db1"), (), 10, "db1"),
        (NODES, ("db9",), 10, "db9"),
        (NODES, NODES, 10, "every node"),
        (NODES, (), 0, "wait_seconds"),
    ],
)
def test_what_can_not_work_is_refused(nodes: tuple[str, ...], writers: tuple[str, ...], wait: int, said: str) -> None:
    with pytest.raises(InvalidDeclaration, match=said):
        Cluster(nodes, writers, wait)


@dataclasses.dataclass
class _Run:
    """A node's run in the play below. It asks every two seconds, and its backup takes some."""

    who: NodeState
    start: int
    takes: int
    fails: bool
    version: int = 0
    began: int = -1
    end: str = ""


def _play(runs: list[_Run], cluster: Cluster) -> None:
    lease = NOTHING
    for now in range(START, START + 4000):
        for run in runs:
            if run.end or now < run.start or (now - run.start) % 2:
                continue
            if run.began >= 0:
                if now >= run.began + run.takes:
                    run.end = FAILED if run.fails else DONE
                    lease = dataclasses.replace(lease, version=lease.version + 1, outcome=run.end)
                continue
            readable = lease if not run.who.complaint else None
            decision = decide(cluster, run.who, readable, started=run.start, now=now)
            if decision.turn is Turn.TAKE:
                run.began = now
                lease = Lease(lease.version + 1, run.who.name, now, now + 3000, RUNNING)
            elif decision.turn is not Turn.WAIT:
                run.end = decision.turn.value


@st.composite
def _rounds(draw: st.DrawFn) -> tuple[list[_Run], Cluster]:
    late = draw(st.integers(0, 60))
    cluster = Cluster(NODES, draw(st.sampled_from([(), ("db1",), ("db2", "db1")])), 10, late)
    runs = [
        _Run(
            node(name, draw(st.sampled_from(["Synced", "Synced", "Donor/Desynced"]))),
            START + draw(st.integers(0, late)),
            draw(st.integers(1, 300)),
            draw(st.booleans()),
        )
        for name in draw(st.permutations(NODES))
    ]
    return runs, cluster


@given(_rounds())
def test_one_node_makes_it_or_somebody_complains(play: tuple[list[_Run], Cluster]) -> None:
    runs, cluster = play
    _play(runs, cluster)
    assert all(run.end for run in runs)
    makers = [run for run in runs if run.began >= 0]
    assert all(run.who.name in cluster.candidates and not run.who.complaint for run in makers)
    assert sum(run.end == DONE for run in runs) <= 1
    for first, second in zip(makers, makers[1:]):
        assert first.fails or second.fails
    able = [run for run in runs if run.who.name in cluster.candidates and not run.who.complaint]
    if able and not any(run.fails for run in able):
        assert [run.end for run in makers] == [DONE]
    if not any(run.end == DONE for run in runs):
        assert any(run.end in (FAILED, Turn.NOBODY.value) for run in runs)
