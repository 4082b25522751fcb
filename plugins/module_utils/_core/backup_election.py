# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which node of a Galera cluster makes the full backup. Each node asks here, and all get answers that fit. Pure.

All nodes start at the same time and hold the same list. A node's turn comes when those before it on the list have let
theirs go by; it then writes its name into a row that the cluster replicates, which only one can do.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from .errors import InvalidDeclaration

RUNNING: t.Final = "running"
DONE: t.Final = "done"
FAILED: t.Final = "failed"
# Clocks of hosts that are kept in time by NTP differ by less.
_CLOCKS_DIFFER_SECONDS: t.Final = 60


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What the nodes agree on beforehand.

    :param nodes: names (``wsrep_node_name``) in order of preference.
    :param writers: nodes that take writes, and therefore make no backup.
    :param wait_seconds: how long each waits for the one before it.
    :param late_seconds: by how much nodes may start later than others (the timer's randomised delay).
    """

    nodes: tuple[str, ...]
    writers: tuple[str, ...] = ()
    wait_seconds: int = 30
    late_seconds: int = 0

    def __post_init__(self) -> None:
        if len(self.nodes) < 2 or len(set(self.nodes)) != len(self.nodes):
            raise InvalidDeclaration(
                f"cluster: nodes are {', '.join(self.nodes) or 'none'}", "Name each node of the cluster, and each once"
            )
        strangers = [name for name in self.writers if name not in self.nodes]
        if strangers:
            raise InvalidDeclaration(
                f"cluster: the writer {strangers[0]} is none of the nodes {', '.join(self.nodes)}", "Correct its name"
            )
        if not self.candidates:
            raise InvalidDeclaration(
                "cluster: every node is a writer, and none is left to make the backup", "Take one from the writers"
            )
        if not 1 <= self.wait_seconds <= 3600:
            raise InvalidDeclaration(f"cluster: wait_seconds is {self.wait_seconds}", "It is a number from 1 to 3600")

    @property
    def candidates(self) -> tuple[str, ...]:
        return tuple(name for name in self.nodes if name not in self.writers)

    @property
    def round_seconds(self) -> int:
        """After that every node has had its turn."""
        return self.wait_seconds * len(self.candidates) + self.late_seconds


@dataclasses.dataclass(frozen=True)
class NodeState:
    """What a node says of itself."""

    name: str
    state: str
    status: str
    ready: bool
    desynced: bool = False

    @property
    def complaint(self) -> str:
        """Why it should not be burdened with a backup; empty if nothing speaks against it."""
        if self.status != "Primary":
            return f"{self.name} is in a component that is {self.status or 'unknown'}, not Primary"
        if self.state != "Synced" or self.desynced:
            return f"{self.name} is {'desynced' if self.state == 'Synced' else self.state or 'unknown'}, not Synced"
        return "" if self.ready else f"{self.name} takes no queries (wsrep_ready is OFF)"


@dataclasses.dataclass(frozen=True)
class Lease:
    """The row that says who makes the backup. Times are seconds of the epoch.

    :param version: goes up with each change; a node changes only the version that it has seen.
    """

    version: int
    node: str = ""
    started: int = 0
    deadline: int = 0
    outcome: str = ""


class Turn(enum.Enum):
    """What a node does now."""

    TAKE = "take"
    WAIT = "wait"
    ASIDE = "aside"
    NOBODY = "nobody"


@dataclasses.dataclass(frozen=True)
class Decision:
    """:param reason: for ASIDE and NOBODY."""

    turn: Turn
    reason: str = ""


def decide(cluster: Cluster, node: NodeState, lease: Lease | None, *, started: int, now: int) -> Decision:
    """What the node does now.

    :param lease: None if it could not be read, as on a node without a quorum.
    :param started: when this node's run began.
    """
    elapsed = now - started
    speaks_against = node.complaint or _no_candidate(cluster, node)
    if lease is not None:
        other = _other_of_this_round(cluster, node, lease, started=started, now=now)
        if other:
            return Decision(Turn.ASIDE, other)
        if not speaks_against and elapsed >= cluster.candidates.index(node.name) * cluster.wait_seconds:
            return Decision(Turn.TAKE)
    if elapsed <= cluster.round_seconds:
        return Decision(Turn.WAIT)
    return Decision(Turn.NOBODY, speaks_against or f"{node.name} could not read who makes it")


def _no_candidate(cluster: Cluster, node: NodeState) -> str:
    if node.name in cluster.writers:
        return f"{node.name} is a writer"
    return "" if node.name in cluster.nodes else f"{node.name} is none of the nodes {', '.join(cluster.nodes)}"


def _other_of_this_round(cluster: Cluster, node: NodeState, lease: Lease, *, started: int, now: int) -> str:
    """What another node did or does in this round; empty if none does, or none did with success."""
    if not lease.node or lease.node == node.name or lease.outcome == FAILED:
        return ""
    if lease.outcome == RUNNING:
        return f"{lease.node} makes it" if now <= lease.deadline else ""
    of_this_round = lease.started >= started - cluster.round_seconds - _CLOCKS_DIFFER_SECONDS
    return f"{lease.node} has made it" if of_this_round else ""
