# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""bulwark-backup-monitor: metrics by a timer, notices and pings by systemd's hooks. It knows no Ansible."""

from __future__ import annotations

import argparse
import json
import os
import time
import typing as t

from .._core.backup_moments import render_moment
from .._core.backup_monitor_file import JOB_PLACE, Monitor, parse_monitor
from .._core.backup_notice import Failure, is_unit, render_document, render_text, safe_lines, subject
from .._core.errors import BulwarkError, InvalidDeclaration, ObservationFailed
from .._core.secrets import Secret
from .._io.backup_measures import host_name, last_run, modified
from .._io.backup_store import read_text, write_text
from .._io.notice_sending import ping, post, read_credential, send_mail
from .console import complain, say
from .measuring import write_metrics

_PROGRAM: t.Final = "bulwark-backup-monitor"
_ATTEMPTS: t.Final = 3
_PAUSE_SECONDS: t.Final = 5
_STATE: t.Final = "STATE_DIRECTORY"


def run(arguments: t.Sequence[str]) -> int:
    """The exit status: 0 for success and nothing else."""
    options = _parser().parse_args(arguments)
    try:
        monitor = _read_monitor(options.monitor)
        if options.command == "metrics":
            for complaint in write_metrics(monitor, _state()):
                complain(_PROGRAM, complaint)  # not a failure of this run: the metrics themselves say it
        elif not is_unit(options.unit):
            raise InvalidDeclaration(f"{options.unit!r} is not the name of a unit")
        elif options.command == "notify":
            _notify(monitor, options.unit)
        else:
            _ping(monitor, options.unit)
    except BulwarkError as error:
        return complain(_PROGRAM, str(error))
    except OSError as error:
        return complain(_PROGRAM, f"{error.filename or 'the system'}: {error.strerror}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_PROGRAM, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    texts = {
        "metrics": "write metrics of every job, test and certificate that is watched",
        "notify": "tell of a unit that failed",
        "ping": "tell the watch outside that a unit succeeded",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--monitor", required=True, metavar="FILE")
        if name != "metrics":
            command.add_argument("unit", metavar="UNIT")
    return parser


def _read_monitor(path: str) -> Monitor:
    try:
        return parse_monitor(read_text(path), where=path)
    except OSError as error:
        raise ObservationFailed(f"can't read {path}: {error.strerror}", "Run the role again") from None


def _state() -> str:
    """The folder that systemd made for the service."""
    folder = os.environ.get(_STATE, "")
    if not folder:
        raise ObservationFailed("there is no folder to remember things in", "The service has one: start that")
    return folder


def _notify(monitor: Monitor, unit: str) -> None:
    mark = os.path.join(_state(), f"{unit}.told")
    told = modified(mark)
    if told is not None and 0 <= time.time() - told < monitor.repeat_seconds:
        say(f"{unit} failed again; it was told of at {render_moment(told)}")
        return
    result, status, journal = last_run(unit)
    failure = Failure(unit, host_name(), result, status, render_moment(time.time()), safe_lines(unit, journal))
    failures: list[str] = []
    reached = 0
    for name, tell in _channels(monitor, failure).items():
        complaint = _attempt(tell)
        reached += not complaint
        failures += [f"{name}: {complaint}"] if complaint else []
    if reached:
        write_text(mark, "")
    if failures:
        raise ObservationFailed(f"the failure of {unit} could not be told by {'; '.join(failures)}")
    say(f"the failure of {unit} was told")


def _channels(monitor: Monitor, failure: Failure) -> dict[str, t.Callable[[], None]]:
    channels: dict[str, t.Callable[[], None]] = {}
    common: dict[str, t.Any] = {"ca_file": monitor.ca_file, "timeout": monitor.timeout_seconds}
    mail = monitor.mail
    if mail:
        channels["mail"] = lambda: send_mail(mail, subject(failure), render_text(failure), host=failure.host, **common)
    if monitor.webhook:
        channels["webhook"] = lambda: post(read_credential("webhook_url"), render_document(failure), **common)
    return channels


def _ping(monitor: Monitor, unit: str) -> None:
    """A backup is not touched by it: this is a service of its own, and metrics tell how it went."""
    name = unit.removeprefix("bulwark-backup-").removesuffix(".service")
    path = os.path.join(_state(), f"{name}.json")
    complaint = _attempt(lambda: ping(_ping_url(name), ca_file=monitor.ca_file, timeout=monitor.timeout_seconds))
    now = time.time()
    try:
        before = float(json.loads(read_text(path))["last_success"])
    except (OSError, ValueError, KeyError, TypeError, BulwarkError):
        before = 0.0
    write_text(path, json.dumps({"last_success": before if complaint else now, "failing": bool(complaint)}) + "\n")
    if complaint:
        raise ObservationFailed(f"the watch outside could not be told that {unit} succeeded: {complaint}")
    say(f"the watch outside was told that {unit} succeeded")


def _ping_url(name: str) -> Secret:
    return Secret(read_credential("ping_url").reveal().replace(JOB_PLACE, name))


def _attempt(tell: t.Callable[[], None]) -> str:
    """What stood in the way at the last attempt; empty for success."""
    complaint = ""
    for number in range(_ATTEMPTS):
        if number:
            time.sleep(_PAUSE_SECONDS)
        try:
            tell()
            return ""
        except BulwarkError as error:
            complaint = str(error)
    return complaint
