# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The binary logs of a MariaDB server: ``stream`` follows them, ``collect`` seals what the server is done with.

Each minute the server is asked to begin a new log if something was written, so that a moment of a minute ago can be
restored; on an idle server every five minutes, so that it is known that nothing was written.
"""

from __future__ import annotations

import os
import time
import typing as t

from .._core.backup_job_file import BackupJob, MariaDBPlace
from .._core.backup_moments import parse_moment, render_id
from .._core.binary_log import ServerLogs, first_wanted, split_server_name
from .._core.binary_log_window import leads_into, read_chains
from .._core.errors import ApplyFailed, BulwarkError, InvalidDeclaration
from .._io.backup_cluster import observe_node
from .._io.backup_store import Store, write_text
from .._io.binary_log import (
    Streamed,
    ask_server,
    become,
    is_same_log,
    observe_server_logs,
    replica_number,
    seal_log,
    stream_arguments,
    summarize,
)
from .console import Say
from .full_backup import FULL_WANTED
from .state import Done, read_history

# Names the newest log that is in the store: whoever takes it away there is found out.
LAST_SEALED: t.Final = "last-sealed"
_ROTATED: t.Final = "rotated"
IDLE_SECONDS: t.Final = 300
DAY_SECONDS: t.Final = 86400
# A full backup that a broken chain asks for is tried again after that.
_ASK_AGAIN_SECONDS: t.Final = 3600
# The stream of a new job is started in the same minute as this.
_FIRST_LOG_SECONDS: t.Final = 30


def stream(job: BackupJob, say: Say) -> t.NoReturn:
    """Becomes the program that follows the server's logs; systemd starts it again whenever it ends."""
    place = _place(job)
    server, streamed = observe_server_logs(place), Streamed(job.stream)
    newest = streamed.newest()
    if newest and os.path.basename(newest[1]) in server.names and is_same_log(place, streamed, newest[1]):
        chain, first = newest[0].chain, os.path.basename(newest[1])
        say(f"following {first} of the chain {chain}")
    else:
        # A chain that broke off leads to no full backup: a new one will be made, and needs what comes now.
        chain, first = _new_chain(streamed), server.newest if newest else first_wanted(server, _position_file(job))
        say(f"a new chain {chain} begins with {first}")
    become(stream_arguments(place, first, streamed.begin(chain), server_id=replica_number(job.name)))


def _place(job: BackupJob) -> MariaDBPlace:
    if not isinstance(job.server, MariaDBPlace):
        raise InvalidDeclaration(f"{job.name} backs up no MariaDB server", "Only those keep binary logs")
    return job.server


def _new_chain(streamed: Streamed) -> str:
    """Later than all there are, whatever the clock says."""
    now = int(time.time())
    while streamed.chains() and render_id(now) <= streamed.chains()[-1]:
        now += 1
    return render_id(now)


def _position_file(job: BackupJob) -> str | None:
    manifests = Store(job.store).look().manifests
    return manifests[-1].position.get("binlog_file") if manifests else None


def collect_binary_logs(job: BackupJob, say: Say) -> Done:
    """Only under the lock. Raises BulwarkError for the first thing that is wrong, after all else was done."""
    store, streamed = Store(job.store), Streamed(job.stream)
    store.remove_parts()
    failures: list[BulwarkError] = []
    count = size = 0
    for log, path in streamed.closed():
        try:
            sealed = seal_log(job, store, log, path)
            size += sealed.bytes
            count += 1
            write_text(os.path.join(job.stream, LAST_SEALED), f"{log.name}\n")
        except BulwarkError as error:
            failures.append(error)
    streamed.remove_empty()
    if count:
        say(f"{count} binary logs sealed into the store, {size} bytes")
    _forget_what_nothing_needs(store, say)
    _wait_for_the_first_log(streamed)
    server = observe_server_logs(_place(job))
    _rotate(job, streamed)
    _ask_for_a_full_backup(job, store, streamed, say)
    if failures:
        raise failures[0]
    _refuse_to_fall_behind(streamed, server)
    return Done(bytes=size)


def _wait_for_the_first_log(streamed: Streamed) -> None:
    end = time.monotonic() + _FIRST_LOG_SECONDS
    while streamed.newest() is None and time.monotonic() < end:
        time.sleep(0.5)


def _rotate(job: BackupJob, streamed: Streamed) -> None:
    """Have the server begin a new log, if the present one has changes, or has stood for long."""
    newest, path = streamed.newest(), os.path.join(job.stream, _ROTATED)
    if newest is None:
        return
    if not summarize(newest[1]).changes and 0 <= time.time() - _modified(path) < IDLE_SECONDS:
        return
    ask_server(_place(job), "FLUSH BINARY LOGS")
    write_text(path, "")


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def _forget_what_nothing_needs(store: Store, say: Say) -> None:
    """Without any full backup, as on a node that others make it for, logs are of no use and would pile up."""
    contents = store.look()
    if contents.manifests:
        return
    horizon = time.time() - DAY_SECONDS
    old = [sidecar.name for sidecar in contents.sidecars if parse_moment(sidecar.closed) < horizon]
    for name in old:
        store.remove_segment(name)
    if old:
        say(f"{len(old)} binary logs that no full backup comes before: removed")


def _ask_for_a_full_backup(job: BackupJob, store: Store, streamed: Streamed, say: Say) -> None:
    """When a new chain has begun, the full backups lead no further: see the service that ends in -renew."""
    contents, chains = store.look(), streamed.chains()
    path = os.path.join(job.state, FULL_WANTED)
    if not contents.manifests or not chains or os.path.exists(path):
        return
    numbers = [log.number for log, dummy in streamed.logs(chains[-1])]
    if not numbers or leads_into(contents.manifests, read_chains(contents.sidecars), chains[-1], numbers):
        return
    if _was_tried(job, chains[-1]) or not _may_make_it(job):
        return
    write_text(path, f"the server began the chain {chains[-1]} of binary logs\n")
    say(f"the chain {chains[-1]} of binary logs has no full backup yet: one is made now")


def _may_make_it(job: BackupJob) -> bool:
    """On a cluster, whether this node is one of those that do; a writer waits for the next one that others make."""
    return job.cluster is None or observe_node(_place(job)).name in job.cluster.candidates


def _was_tried(job: BackupJob, chain: str) -> bool:
    """For this chain, within the last hour."""
    tried = [parse_moment(run.started) for run in read_history(job) if run.command == "full"]
    return bool(tried) and 0 <= time.time() - tried[-1] < _ASK_AGAIN_SECONDS and render_id(tried[-1]) >= chain


def _refuse_to_fall_behind(streamed: Streamed, server: ServerLogs) -> None:
    newest = streamed.newest()
    there, wanted = newest[0].number if newest else -1, split_server_name(server.newest)
    if wanted and wanted[1] - there > 2:
        raise ApplyFailed(
            f"the stream of binary logs is at {newest[0].digits if newest else 'none'}, the server at {server.newest}",
            "Look at the journal of the job's service that ends in -stream",
        )
