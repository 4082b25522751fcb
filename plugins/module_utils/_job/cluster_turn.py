# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""On a Galera cluster one node makes the full backup; the others stand aside."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t

from .._core.backup_election import DONE, FAILED, RUNNING, Cluster, Lease, NodeState, Turn, decide
from .._core.backup_job_file import BackupJob, MariaDBPlace
from .._core.errors import ApplyFailed, BulwarkError, ObservationFailed
from .._io.backup_cluster import change_lease, observe_node, read_lease
from .console import Say
from .full_backup import FULL_WANTED, make_full
from .state import Done

_ASK_AGAIN_SECONDS: t.Final = 2


def make_full_in_turn(job: BackupJob, say: Say) -> Done:
    """As ``make_full``, where it is this node's turn. Raises BulwarkError, also if no node has made the backup."""
    with contextlib.suppress(FileNotFoundError):  # whatever comes of it: who asked will ask again
        os.unlink(os.path.join(job.state, FULL_WANTED))
    if job.cluster is None or not isinstance(job.server, MariaDBPlace):
        return make_full(job, say)
    lease = _take_lease(job, job.server, job.cluster, say)
    if lease is None:
        return Done(aside=True)
    outcome = FAILED
    try:
        done = make_full(job, say)
        outcome = DONE
    finally:
        _finish(job, job.server, lease, outcome, say)
    return done


def _take_lease(job: BackupJob, place: MariaDBPlace, cluster: Cluster, say: Say) -> Lease | None:
    """Wait for this node's turn. None if another one makes the backup."""
    started, told = int(time.time()), ""
    while True:
        node = observe_node(place)
        lease = _readable_lease(place, job.name, node)
        now = int(time.time())
        decision = decide(cluster, node, lease, started=started, now=now)
        if decision.turn is Turn.ASIDE:
            say(f"{node.name} stands aside: {decision.reason}")
            return None
        if decision.turn is Turn.NOBODY:
            raise ApplyFailed(
                f"no node of the cluster has made the full backup of {job.name} within {cluster.round_seconds} seconds:"
                f" {decision.reason}",
                f"Look at the nodes {', '.join(cluster.candidates)}",
            )
        if decision.turn is Turn.TAKE and lease is not None:
            taken = Lease(lease.version, node.name, now, now + job.deadline_seconds, RUNNING)
            if change_lease(place, job.name, taken):
                say(f"{node.name} makes the full backup for the cluster")
                return dataclasses.replace(taken, version=lease.version + 1)
        elif told != node.complaint or not told:
            told = node.complaint or "waiting for its turn"
            say(f"{node.name}: {told}")
        time.sleep(_ASK_AGAIN_SECONDS)


def _readable_lease(place: MariaDBPlace, job: str, node: NodeState) -> Lease | None:
    if node.status != "Primary" or not node.ready:
        return None
    with contextlib.suppress(ObservationFailed):
        return read_lease(place, job)
    # the node may have changed in between; if it has not, this is an error to be told
    now = observe_node(place)
    return read_lease(place, job) if now.status == "Primary" and now.ready else None


def _finish(job: BackupJob, place: MariaDBPlace, lease: Lease, outcome: str, say: Say) -> None:
    """Tell the others. What can't be told leaves the backup what it is."""
    try:
        change_lease(place, job.name, dataclasses.replace(lease, outcome=outcome))
    except BulwarkError as error:
        say(f"the other nodes were not told: {error}")
