# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""One node of a Galera cluster as it sees itself, and whether it may be stopped without harm to the rest.

A node knows its own state and who is in the cluster, not the state of the others: their answers are brought along.
What is not known counts as a reason against.
"""

from __future__ import annotations

import dataclasses
import typing as t

from .errors import InvalidDeclaration

PRIMARY: t.Final = "Primary"
SYNCED: t.Final = "Synced"
DONOR: t.Final = "Donor/Desynced"
UNKNOWN: t.Final = "unknown"


@dataclasses.dataclass(frozen=True)
class Member:
    """Who is in the cluster; ``uuid`` and ``name`` are empty where the server tells addresses only."""

    uuid: str
    name: str
    address: str


@dataclasses.dataclass(frozen=True)
class Node:
    """What decides. A node gets a new ``uuid`` each time it joins, so an answer from before a restart is recognised.

    :param replicates: new sessions take part in replication (wsrep_on). Where they don't, the server keeps its state,
        identifier and votes to itself.
    :param status: of the component that the node is in, ``Primary`` or another word.
    :param size: nodes in that component.  :param weight: votes of the node (pc.weight), of ``cluster_weight`` in all.
    :param receive_queue: write sets that wait to be applied; above ``receive_limit`` the node holds the others back.
    """

    name: str
    uuid: str
    address: str
    cluster_name: str
    cluster_uuid: str
    status: str
    size: int
    weight: int
    cluster_weight: int
    state: str
    replicates: bool
    ready: bool
    connected: bool
    desynced: bool
    flow_control_active: bool
    receive_queue: int
    receive_limit: int

    @property
    def is_primary(self) -> bool:
        return self.connected and self.status == PRIMARY

    @property
    def is_synced(self) -> bool:
        """Part of the cluster in every respect."""
        return self.is_primary and self.ready and self.state == SYNCED

    @property
    def is_donor(self) -> bool:
        """Gives a state transfer, or stands still by a global read lock: the same state, as is desynced by hand."""
        return self.state == DONOR and not self.desynced

    @property
    def plight(self) -> str:
        """Its state in words, for messages."""
        if not self.connected:
            return f"{self.name} is {self.state} and not connected to the cluster"
        nodes = "1 node" if self.size == 1 else f"{self.size} nodes"
        return f"{self.name} is {self.state} in a {self.status} component of {nodes}"


_KINDS: t.Final = {"str": str, "int": int, "bool": bool}
_TRUTH: t.Final = {"true": True, "false": False}


def node_of_answer(answer: t.Mapping[str, t.Any]) -> Node | None:
    """What another node answered to this module; None for a server that is in no cluster.

    Raises InvalidDeclaration for anything else.
    """
    if _typed(answer, "enabled", "bool") is False:
        return None
    return Node(**{field.name: _typed(answer, field.name, str(field.type)) for field in dataclasses.fields(Node)})


def _typed(answer: t.Mapping[str, t.Any], name: str, kind: str) -> t.Any:
    """Templates may have made text of numbers and truth values."""
    value = answer.get(name)
    if isinstance(value, str) and kind == "bool":
        value = _TRUTH.get(value.lower())
    if isinstance(value, str) and kind == "int" and value.isdigit():
        value = int(value)
    # A truth value counts as a whole number in Python.
    if not isinstance(value, _KINDS[kind]) or isinstance(value, bool) is not (kind == "bool"):
        raise InvalidDeclaration(
            f"members: an entry is no answer of galera_info, {name} is {value!r}",
            "Give what it returned as galera on the other nodes",
        )
    return value


def reasons_against_stopping(
    node: Node,
    members: t.Sequence[Member],
    answers: t.Sequence[Node | None] = (),
    *,
    expected_size: int | None = None,
) -> list[str]:
    """Why the node must not be stopped now; empty when everything is known and speaks for it.

    :param members: who is in the cluster, as the node sees it.
    :param answers: what the nodes said, the node's own may be among them.
    """
    others = {other.uuid: other for other in answers if other is not None and other.uuid != node.uuid}
    reasons = [*_own_reasons(node), *_quorum_reasons(node, expected_size)]
    if None in answers:
        reasons.append("one of the answers is that of a server without Galera")
    for other in others.values():
        reasons += [*_own_reasons(other), *_disagreement(node, other)]
    reasons += _unheard(node, members, others)
    return reasons


def _own_reasons(node: Node) -> t.Iterator[str]:
    """What is wrong with one node, the one to be stopped or another."""
    if not node.is_primary:
        yield f"{node.plight}: it is not in the primary component"
    if node.desynced:
        yield f"{node.name} is desynced by hand (wsrep_desync=ON)"
    elif node.is_donor:
        yield f"{node.name} is giving a state transfer to another node, or stands still for a backup"
    elif node.replicates and node.state != SYNCED:
        yield f"{node.name} is {node.state}, not {SYNCED}"
    if node.is_primary and not node.ready:
        yield f"{node.name} takes no queries (wsrep_ready=OFF)"
    if not node.replicates:
        yield f"{node.name} does not replicate what new sessions write (wsrep_on=OFF)"
    if node.flow_control_active:
        yield f"flow control holds writes back, seen on {node.name}"
    if node.receive_queue > node.receive_limit:
        yield f"{node.name} has {node.receive_queue} write sets to apply, {node.receive_limit} are its limit"


def _quorum_reasons(node: Node, expected_size: int | None) -> t.Iterator[str]:
    """The rest must be more than half even if the stop turns out to be a crash."""
    if expected_size is not None and node.size < expected_size:
        yield f"the cluster has {node.size} of {expected_size} nodes"
    if node.size <= 1:
        yield f"{node.name} is the only one left"
    elif node.is_primary and node.replicates and 2 * (node.cluster_weight - node.weight) <= node.cluster_weight:
        rest = node.cluster_weight - node.weight
        yield f"without {node.name} the rest has {rest} of {node.cluster_weight} votes, which is no quorum"


def _disagreement(node: Node, other: Node) -> t.Iterator[str]:
    if other.cluster_uuid != node.cluster_uuid:
        yield f"{other.name} has other data than {node.name}: the state of its cluster is {other.cluster_uuid}"
    elif other.size != node.size:
        yield f"{other.name} sees a cluster of {other.size}, {node.name} one of {node.size}"


def _unheard(node: Node, members: t.Sequence[Member], others: t.Mapping[str, Node]) -> t.Iterator[str]:
    names = [member.name or member.address for member in members if member.uuid not in (*others, node.uuid)]
    if all(member.uuid for member in members):
        heard = sum(1 for member in members if member.uuid in others)
    else:  # the server tells addresses only
        names, heard = [], len(others)
    missing = max(len(names), node.size - 1 - heard)
    if missing > 0:
        listed = f" ({', '.join(sorted(names))})" if names else ""
        yield f"nothing is known of {missing} of the other nodes{listed}: give their present answers as members"


def is_held_up_by_others(node: Node) -> bool:
    """It is Synced, or reached others and together they are no quorum: nothing on this node can be what is wrong."""
    return node.is_synced or (node.connected and not node.is_primary and node.size > 1)


def members_gone(node: Node, answers: t.Sequence[Node | None], members: t.Sequence[Member]) -> list[str]:
    """Names of the other nodes that were there before and are not any more. One that was restarted has a new uuid."""
    present = {member.uuid for member in members}
    if "" in present or not present:  # the server tells addresses only
        return []
    before = [other for other in answers if other is not None and other.uuid != node.uuid]
    return sorted(other.name for other in before if other.uuid not in present)
