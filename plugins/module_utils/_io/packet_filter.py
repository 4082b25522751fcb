# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""nftables through the nft program, and the unit that loads our rules at boot."""

from __future__ import annotations

import os
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .._core.packet_filter import TABLE, Connection
from .commands import is_there, run_command
from .files import FileContent, read_file, remove_file, replace_file
from .listeners import observe_sockets

RULES_FILE: t.Final = "/etc/bulwark/packet_filter.nft"
UNIT: t.Final = "bulwark-packet-filter.service"
UNIT_FILE: t.Final = f"/etc/systemd/system/{UNIT}"
DROP_IN_FILE: t.Final = "/etc/systemd/system/nftables.service.d/50-bulwark.conf"
ROLLBACK_TIMER: t.Final = "bulwark-packet-filter-rollback"
_ROLLBACK_FILE: t.Final = "/run/bulwark/packet_filter_rollback.nft"
_NFT: t.Final = "/usr/sbin/nft"
ROLLBACK_COMMAND: t.Final = (_NFT, "-f", _ROLLBACK_FILE)

UNIT_TEXT: t.Final = f"""\
# Managed by bulwark.database (packet_filter).
[Unit]
Description=Packet filter of bulwark.database: declared ports from declared networks only
Wants=network-pre.target
Before=network-pre.target shutdown.target
After=nftables.service
Conflicts=shutdown.target
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
StandardInput=null
ProtectSystem=full
ProtectHome=true
ExecStart={_NFT} -f {RULES_FILE}
ExecReload={_NFT} -f {RULES_FILE}

[Install]
WantedBy=sysinit.target
"""

# Debian's nftables.service begins and ends with "flush ruleset", and that takes our table too.
DROP_IN_TEXT: t.Final = f"""\
# Managed by bulwark.database (packet_filter): after a flush of everything, our own table is loaded again.
[Service]
ExecStartPost=-{_NFT} -f {RULES_FILE}
ExecReload=-{_NFT} -f {RULES_FILE}
ExecStopPost=-{_NFT} -f {RULES_FILE}
"""


def require_nftables() -> None:
    if not is_there("nft"):
        raise MissingRequirement("the program nft is not there", "Install the package nftables")


def observe_table() -> str | None:
    """Our table as the kernel has it, without counters; None if there is none."""
    done = run_command([_NFT, "--stateless", "list", "table", *TABLE.split()])
    if done.succeeded:
        return done.output
    if "No such file or directory" in done.errors:
        return None
    raise ObservationFailed(f"can't read the packet filter: {done.complaint}", "Run the task with become")


def canonical_table(rules_text: str) -> str:
    """The rules as the kernel would have them: they are loaded into a network namespace made for the purpose.

    So a rule set that the kernel refuses is found before it comes near the host's own. Raises ObservationFailed.
    """
    script = f"{_NFT} -f - && exec {_NFT} --stateless list table {TABLE}"
    done = run_command(["unshare", "--net", "sh", "-c", script], text=rules_text)
    if not done.succeeded:
        raise ObservationFailed(
            f"can't try the rules in a network namespace: {done.complaint}",
            "It takes root with CAP_SYS_ADMIN and CAP_NET_ADMIN, and a kernel with nf_tables",
        )
    return done.output


def load_rules(rules_text: str) -> None:
    done = run_command([_NFT, "-f", "-"], text=rules_text)
    if not done.succeeded:
        raise ApplyFailed(f"nft refused the rules: {done.complaint}", "What was in force still is")


def save_rollback(restore_text: str) -> None:
    """Write down how to put the former rules back, for ROLLBACK_COMMAND."""
    os.makedirs(os.path.dirname(_ROLLBACK_FILE), mode=0o700, exist_ok=True)
    _write(_ROLLBACK_FILE, restore_text, mode=0o600)


def roll_back() -> None:
    """Put the former rules back now. Raises ApplyFailed."""
    done = run_command(ROLLBACK_COMMAND)
    if not done.succeeded:
        raise ApplyFailed(
            f"can't put the former rules back: {done.complaint}",
            "Wait until their timer has gone off, then run it again",
        )


def read_text(path: str) -> str | None:
    content = read_file(path)
    return None if content is None else content.data.decode("utf-8", "replace")


def save_rules(rules_text: str) -> None:
    os.makedirs(os.path.dirname(RULES_FILE), mode=0o755, exist_ok=True)
    _write(RULES_FILE, rules_text, mode=0o644)


def save_units() -> None:
    os.makedirs(os.path.dirname(DROP_IN_FILE), mode=0o755, exist_ok=True)
    _write(DROP_IN_FILE, DROP_IN_TEXT, mode=0o644)
    _write(UNIT_FILE, UNIT_TEXT, mode=0o644)


def delete_files() -> None:
    for path in (DROP_IN_FILE, UNIT_FILE, RULES_FILE):
        remove_file(path)


def observe_connections() -> tuple[Connection, ...]:
    """Established connections from elsewhere: what comes from one of the host's own addresses is not filtered."""
    sockets = [socket for socket in observe_sockets() if socket.established]
    own = {socket.address for socket in sockets}
    return tuple(
        Connection(socket.protocol, socket.port, socket.peer_address)
        for socket in sockets
        if socket.peer_address not in own
    )


def _write(path: str, text: str, *, mode: int) -> None:
    replace_file(path, FileContent(text.encode("utf-8"), 0, 0, mode))
