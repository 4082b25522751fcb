# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The program ``bulwark-copies`` of a host that keeps copies of backups. It holds no key and opens none of them."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
import typing as t

from .._core.backup_manifest import Contents
from .._core.backup_retention import DAY_SECONDS, plan_pruning
from .._core.backup_window import restorable
from .._core.copies_look import NEVER, Look, parse_look, render_look
from .._core.errors import BulwarkError, DidNotTakeEffect
from .._io.backup_store import Store, locked, read_text, write_text
from .._io.offsite_receiving import Receiver, clear_up
from .console import complain, say

_PROGRAM: t.Final = "bulwark-copies"
_HOUR: t.Final = 3600
# How long a conversation may hold others up that want the store, too.
_LOCK_SECONDS: t.Final = 20
_READABLE_BY_ALL: t.Final = 0o644


def run(arguments: t.Sequence[str]) -> int:
    """The exit status: 0 for success and nothing else."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        _act(options)
    except BulwarkError as error:
        return complain(_PROGRAM, str(error))
    except (BrokenPipeError, ConnectionError):
        return complain(_PROGRAM, "the sender broke off")
    except OSError as error:
        return complain(_PROGRAM, f"{error.filename or 'the system'}: {error.strerror}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    receive = commands.add_parser("receive", help="take in what a sender offers, from standard input")
    receive.add_argument("--minimum-free-percent", type=int, default=5)
    tend = commands.add_parser("tend", help="remove what is too old, and complain of what is damaged or late")
    tend.add_argument("--keep-days", type=int, required=True)
    tend.add_argument("--oldest-hours", type=int, required=True, help="how old the newest moment may be")
    beside = "a store of the same cluster, of which one makes the backups; may be given again"
    tend.add_argument("--beside", action="append", default=[], metavar="FOLDER", help=beside)
    tend.add_argument("--deep", action="store_true", help="read every byte")
    tend.add_argument("--result", metavar="FILE", help="where what came of it is left, for whoever watches the host")
    status = commands.add_parser("status", help="what there is, as JSON")
    for command in (receive, tend, status):
        command.add_argument("--store", required=True, metavar="FOLDER")
    return parser


def _act(options: argparse.Namespace) -> None:
    if options.command == "status":
        say(json.dumps(_status(options.store), indent=1, sort_keys=True))
        return
    with locked(f"{options.store}.lock", what=f"a conversation about {options.store}", seconds=_LOCK_SECONDS):
        if options.command == "receive":
            minimum = options.minimum_free_percent
            Receiver(options.store, sys.stdin.buffer, sys.stdout.buffer, minimum_free_percent=minimum).run()
        else:
            _tend(options)


def _tend(options: argparse.Namespace) -> None:
    """Prune first; then every complaint counts, and the first one is the error."""
    store = Store(options.store)
    clear_up(options.store, before=time.time() - options.keep_days * DAY_SECONDS)
    contents = store.look(contents=options.deep)
    now = math.ceil(time.time())
    complaints = [*contents.damaged, *_prune(store, contents, now, options.keep_days)]
    complaints += _lateness(options, [(store, contents), *_looked_at(options.beside)], now)
    if options.result:
        look = _last_look(options.result).followed_by(now, complaints, len(contents.damaged))
        write_text(options.result, render_look(look), _READABLE_BY_ALL)
    if complaints:
        for line in complaints[1:]:
            say(line)
        raise DidNotTakeEffect(complaints[0], "Look at the host that sends, and at the network between")


def _last_look(path: str) -> Look:
    """One that can't be read says nothing of an earlier success: then there was none."""
    try:
        return parse_look(read_text(path))
    except (OSError, ValueError, BulwarkError):
        return NEVER


def _looked_at(paths: t.Iterable[str]) -> list[tuple[Store, Contents]]:
    return [(store, store.look()) for store in map(Store, paths)]


def _lateness(options: argparse.Namespace, stores: t.Iterable[tuple[Store, Contents]], now: int) -> list[str]:
    """In which of the stores of a cluster the newest moment is can differ from night to night."""
    reach = [moment for store, contents in stores if (moment := _newest_moment(store, contents)) is not None]
    where = " and ".join([options.store, *options.beside])
    if not reach:
        return [f"{where} {'have' if options.beside else 'has'} no backup that can be restored"]
    if now - max(reach) > options.oldest_hours * _HOUR:
        return [f"the newest moment in {where} is {(now - max(reach)) // _HOUR} hours old"]
    return []


def _newest_moment(store: Store, contents: Contents) -> int | None:
    """No later than what came last: a time to come, as its sender may write, must not hide that nothing comes."""
    ends = [interval.end for interval in restorable(contents.manifests, contents.sidecars)]
    return min(max(ends), max(store.arrived(contents).values(), default=0)) if ends else None


def _prune(store: Store, contents: Contents, now: int, keep_days: int) -> list[str]:
    """Remove what the window does not need. Why not, if nothing was."""
    if not contents.manifests:
        return []
    if contents.damaged:  # what nothing else seems to need may be what the damaged one needs once it is mended
        return ["nothing was pruned while copies are damaged"]
    arrived = store.arrived(contents)
    plan = plan_pruning(
        contents.manifests, contents.sidecars, verified=None, now=now, keep_days=keep_days, arrived=arrived
    )
    for identifier in plan.fulls:
        store.remove_full(identifier)
    for name in plan.segments:
        store.remove_segment(name)
    if plan.fulls or plan.segments:
        say(f"{len(plan.fulls)} full backups and {len(plan.segments)} segments are not needed any more: removed")
    return [f"nothing was pruned: {plan.reason}"] if plan.reason else []


def _status(path: str) -> dict[str, t.Any]:
    ((store, contents),) = _looked_at([path])
    newest = _newest_moment(store, contents)
    return {
        "fulls": [manifest.id for manifest in contents.manifests],
        "segments": len(contents.sidecars),
        "bytes": sum(one.bytes for one in contents.manifests) + sum(one.bytes for one in contents.sidecars),
        "newest_moment_age": None if newest is None else math.ceil(time.time()) - newest,
        "damaged": list(contents.damaged),
    }
