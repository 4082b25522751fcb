# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The host's side of an assessment: service, log, packet filter."""

from __future__ import annotations

import json
import re
import typing as t

from .._core.errors import MissingRequirement, ObservationFailed
from .._core.observations import LogSink, ServiceState
from .commands import is_there, run_command
from .processes import process_link, read_process_file
from .units import require_booted


def observe_service(unit: str, process_id: int | None) -> ServiceState:
    """All that systemd knows of the unit the server runs in."""
    require_booted()
    if not unit:
        raise MissingRequirement("the server does not run in a systemd unit")
    done = run_command(["systemctl", "--no-pager", "show", "--", unit])
    if not done.succeeded:
        raise ObservationFailed(f"systemctl show {unit} failed: {done.complaint}")
    properties = dict(line.partition("=")[::2] for line in done.output.splitlines() if "=" in line)
    status = read_process_file(process_id, "status") if process_id else ""
    return ServiceState(unit, properties, is_confined=re.search(r"^NoNewPrivs:\s*1", status, re.MULTILINE) is not None)


def observe_log_sink(process_id: int | None) -> LogSink:
    """Where the server's standard error goes: a path, ``journal`` for systemd's socket, ``pipe``, or nothing."""
    if process_id is None:
        raise MissingRequirement("the server's process can't be told")
    target = process_link(process_id, "fd/2").replace(" (deleted)", "")
    kind = target.partition(":")[0]
    if target == "/dev/null":
        return LogSink("")
    return LogSink({"socket": "journal", "pipe": "pipe"}.get(kind, target))


def observe_packet_filter() -> list[t.Mapping[str, t.Any]]:
    """Every object of every table, as ``nft -j list ruleset`` has them."""
    if not is_there("nft"):
        raise MissingRequirement("packet filter: the program nft is not there")
    done = run_command(["nft", "--json", "list", "ruleset"])
    if not done.succeeded:
        raise ObservationFailed(f"can't read the packet filter: {done.complaint}")
    return list(json.loads(done.output)["nftables"]) if done.output.strip() else []
