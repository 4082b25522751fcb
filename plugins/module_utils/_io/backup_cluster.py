# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A Galera node asked for its state, and the replicated row that says which node makes the backup."""

from __future__ import annotations

import typing as t

from .._core.backup_election import Lease, NodeState
from .._core.backup_job_file import MariaDBPlace
from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .commands import Finished, run_command

# Answered by a node without a quorum, too.
_STATE: t.Final = """\
SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'wsrep_node_name', 'wsrep_desync');
SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_comment', 'wsrep_cluster_status', 'wsrep_ready');
"""
# What other nodes have committed is waited for.
_LEASE: t.Final = """\
SET SESSION wsrep_sync_wait = 1;
SELECT version, node, started, deadline, outcome FROM bulwark_backup.leases WHERE job = '{job}';
"""
_FIRST: t.Final = "INSERT IGNORE INTO bulwark_backup.leases (job) VALUES ('{job}');\n"
_CHANGE: t.Final = """\
UPDATE bulwark_backup.leases SET version = version + 1, {values} WHERE job = '{job}' AND version = {version};
SELECT ROW_COUNT();
"""
# Another node changed the row at the same time, and its change came first.
_CAME_SECOND: t.Final = ("ERROR 1213", "ERROR 1205")


def observe_node(place: MariaDBPlace) -> NodeState:
    """Raises ObservationFailed if the server does not answer, and MissingRequirement if it is no node of a cluster."""
    done = _run(place, _STATE)
    if not done.succeeded:
        raise ObservationFailed(f"can't ask the server: {done.complaint}", "Look at the server")
    values = dict(line.split("\t", 1) for line in done.output.splitlines() if "\t" in line)
    if values.get("wsrep_on") != "ON":
        raise MissingRequirement(
            "the server is no node of a Galera cluster, the job says that it is", "Run the role again"
        )
    return NodeState(
        name=values.get("wsrep_node_name", ""),
        state=values.get("wsrep_local_state_comment", ""),
        status=values.get("wsrep_cluster_status", ""),
        ready=values.get("wsrep_ready") == "ON",
        desynced=values.get("wsrep_desync") == "ON",
    )


def read_lease(place: MariaDBPlace, job: str) -> Lease:
    """Raises ObservationFailed."""
    for statement in (_LEASE, _FIRST + _LEASE):
        done = _run(place, statement.format(job=job))
        if not done.succeeded and not done.complaint.startswith(_CAME_SECOND):
            raise ObservationFailed(f"can't read bulwark_backup.leases: {done.complaint}", "Run the role again")
        if done.succeeded and done.output.strip():
            version, node, started, deadline, outcome = done.output.rstrip("\n").splitlines()[-1].split("\t")
            return Lease(int(version), node, int(started), int(deadline), outcome)
    raise ObservationFailed(f"bulwark_backup.leases has no row of the job {job}", "Run the role again")


def change_lease(place: MariaDBPlace, job: str, lease: Lease) -> bool:
    """Write it in the place of the version that it names. False: another node was first. Raises ApplyFailed.

    :param lease: ``node`` is a name that the server itself told.
    """
    values = (
        f"node = {_quoted(lease.node)}, started = {lease.started}, deadline = {lease.deadline},"
        f" outcome = {_quoted(lease.outcome)}"
    )
    done = _run(place, _CHANGE.format(job=job, values=values, version=lease.version))
    if done.succeeded:
        return done.output.strip() == "1"
    if done.complaint.startswith(_CAME_SECOND):
        return False
    raise ApplyFailed(
        f"can't write bulwark_backup.leases: {done.complaint}", "Where the node is read_only, name it as a writer"
    )


def _run(place: MariaDBPlace, statements: str) -> Finished:
    client = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "--connect-timeout=10"]
    return run_command([*client, f"--socket={place.socket}", f"--user={place.user}"], text=statements)


def _quoted(text: str) -> str:
    """Hexadecimal: whatever a node is called, it is data."""
    return f"CONVERT(X'{text.encode('utf-8').hex()}' USING utf8mb4)"
