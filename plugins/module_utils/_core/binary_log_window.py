# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""How far MariaDB's binary logs lead on from full backups, and where they break off. Pure."""

from __future__ import annotations

import typing as t

from .backup_manifest import Manifest, Sidecar
from .backup_moments import parse_moment, render_id
from .binary_log import StoredLog, parse_stored, split_server_name

Chains = t.Mapping[str, t.Mapping[int, Sidecar]]


class MissingLogs(t.NamedTuple):
    """Names of the first and the last one, and how many."""

    first: str
    last: str
    how_many: int


def read_chains(sidecars: t.Iterable[Sidecar]) -> dict[str, dict[int, Sidecar]]:
    """By chain and number."""
    chains: dict[str, dict[int, Sidecar]] = {}
    for sidecar in sidecars:
        log = parse_stored(sidecar.name)
        if log:
            chains.setdefault(log.chain, {})[log.number] = sidecar
    return chains


def first_log(manifest: Manifest, chains: Chains) -> StoredLog | None:
    """The log in which the full backup ends; None if it is not there."""
    parts = split_server_name(str(manifest.position.get("binlog_file") or ""))
    if parts is None:
        return None
    found = [chain for chain, logs in chains.items() if parts[1] in logs and _is_of(manifest, chain, min(chains))]
    return StoredLog(max(found), parts[1], parts[2]) if found else None


def _is_of(manifest: Manifest, chain: str, oldest: str) -> bool:
    """Whether the chain may lead on from the full backup.

    One that began later was begun because the server's logs did not go on, or it is the first: then the backup is older
    than the job's following of the logs.
    """
    return chain == oldest or chain <= render_id(parse_moment(manifest.consistent_from))


def last_moment(manifest: Manifest, chains: Chains) -> int | None:
    """Until when all that was committed is in the logs that follow without a break; None without any."""
    first = first_log(manifest, chains)
    if first is None:
        return None
    logs, number = chains[first.chain], first.number
    end = parse_moment(logs[number].closed)
    while number in logs:
        end = max(end, parse_moment(logs[number].closed))
        number += 1
    return end


def missing_logs(manifests: t.Iterable[Manifest], chains: Chains) -> list[MissingLogs]:
    """What is missing between logs that are there, after the oldest full backup of each chain."""
    begins: dict[str, int] = {}
    for manifest in manifests:
        first = first_log(manifest, chains)
        if first:
            begins[first.chain] = min(first.number, begins.get(first.chain, first.number))
    found = []
    for chain, first_number in sorted(begins.items()):
        wanted = first_number
        for number in sorted(one for one in chains[chain] if one >= first_number):
            if number > wanted:
                names = [f"{chain}-{one:06d}" for one in (wanted, number - 1)]
                found.append(MissingLogs(names[0], names[1], number - wanted))
            wanted = number + 1
    return found


def unneeded_logs(kept: t.Sequence[Manifest], chains: Chains) -> list[str]:
    """Logs that were done with before the oldest full backup began."""
    oldest = min(parse_moment(manifest.started) for manifest in kept)
    return sorted(
        sidecar.name for logs in chains.values() for sidecar in logs.values() if parse_moment(sidecar.closed) < oldest
    )


def leads_into(manifests: t.Iterable[Manifest], chains: Chains, chain: str, streamed: t.Collection[int]) -> bool:
    """Whether the logs of a chain go on from a full backup.

    :param chains: what is in the store.
    :param streamed: numbers of that chain's logs that are not in the store yet.
    """
    numbers = {*chains.get(chain, {}), *streamed}
    oldest = min({*chains, chain})
    for manifest in manifests:
        parts = split_server_name(str(manifest.position.get("binlog_file") or ""))
        if parts and parts[1] in numbers and _is_of(manifest, chain, oldest):
            return True
    return False
