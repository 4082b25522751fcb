# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""nftables through the nft program, and the unit that loads our rules at boot."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .._core.packet_filter import TABLE, Connection, table_called
from .commands import is_there, run_command
from .files import FileContent, read_file, remove_file, replace_file
from .listeners import observe_sockets

_NFT: t.Final = "/usr/sbin/nft"


@dataclasses.dataclass(frozen=True)
class FilterPlace:
    """Where a table of ours is kept; each has its own of everything, so that none takes another along.

    :param name: see ``table_called``.
    """

    name: str = ""

    @property
    def table(self) -> str:
        return table_called(self.name)

    @property
    def rules_file(self) -> str:
        return f"/etc/bulwark/packet_filter{f'_{self.name}' if self.name else ''}.nft"

    @property
    def unit(self) -> str:
        return f"bulwark-packet-filter{self._ending}.service"

    @property
    def unit_file(self) -> str:
        return f"/etc/systemd/system/{self.unit}"

    @property
    def drop_in_file(self) -> str:
        return f"/etc/systemd/system/nftables.service.d/50-bulwark{self._ending}.conf"

    @property
    def rollback_timer(self) -> str:
        return f"bulwark-packet-filter{self._ending}-rollback"

    @property
    def rollback_file(self) -> str:
        return f"/run/bulwark/packet_filter{f'_{self.name}' if self.name else ''}_rollback.nft"

    @property
    def rollback_command(self) -> tuple[str, ...]:
        return (_NFT, "-f", self.rollback_file)

    @property
    def unit_texts(self) -> tuple[str, str]:
        """Of the unit and of the drop-in."""
        return _UNIT_TEXT.format(rules_file=self.rules_file), _DROP_IN_TEXT.format(rules_file=self.rules_file)

    @property
    def _ending(self) -> str:
        return f"-{self.name}" if self.name else ""


_UNIT_TEXT: t.Final = f"""\
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
ExecStart={_NFT} -f {{rules_file}}
ExecReload={_NFT} -f {{rules_file}}

[Install]
WantedBy=sysinit.target
"""

# Debian's nftables.service begins and ends with "flush ruleset", and that takes our table too.
_DROP_IN_TEXT: t.Final = f"""\
# Managed by bulwark.database (packet_filter): after a flush of everything, our own table is loaded again.
[Service]
ExecStartPost=-{_NFT} -f {{rules_file}}
ExecReload=-{_NFT} -f {{rules_file}}
ExecStopPost=-{_NFT} -f {{rules_file}}
"""


def require_nftables() -> None:
    if not is_there("nft"):
        raise MissingRequirement("the program nft is not there", "Install the package nftables")


def observe_table(table: str = TABLE) -> str | None:
    """The table as the kernel has it, without counters; None if there is none."""
    done = run_command([_NFT, "--stateless", "list", "table", *table.split()])
    if done.succeeded:
        return done.output
    if "No such file or directory" in done.errors:
        return None
    raise ObservationFailed(f"can't read the packet filter: {done.complaint}", "Run the task with become")


def canonical_table(rules_text: str, table: str = TABLE) -> str:
    """The rules as the kernel would have them: they are loaded into a network namespace made for the purpose.

    So a rule set that the kernel refuses is found before it comes near the host's own. Raises ObservationFailed.
    """
    script = f"{_NFT} -f - && exec {_NFT} --stateless list table {table}"
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


def save_rollback(place: FilterPlace, restore_text: str) -> None:
    """Write down how to put the former rules back, for the command that does."""
    os.makedirs(os.path.dirname(place.rollback_file), mode=0o700, exist_ok=True)
    _write(place.rollback_file, restore_text, mode=0o600)


def roll_back(place: FilterPlace) -> None:
    """Put the former rules back now. Raises ApplyFailed."""
    done = run_command(place.rollback_command)
    if not done.succeeded:
        raise ApplyFailed(
            f"can't put the former rules back: {done.complaint}",
            "Wait until their timer has gone off, then run it again",
        )


def read_text(path: str) -> str | None:
    content = read_file(path)
    return None if content is None else content.data.decode("utf-8", "replace")


def save_rules(place: FilterPlace, rules_text: str) -> None:
    os.makedirs(os.path.dirname(place.rules_file), mode=0o755, exist_ok=True)
    _write(place.rules_file, rules_text, mode=0o644)


def save_units(place: FilterPlace) -> None:
    os.makedirs(os.path.dirname(place.drop_in_file), mode=0o755, exist_ok=True)
    unit, drop_in = place.unit_texts
    _write(place.drop_in_file, drop_in, mode=0o644)
    _write(place.unit_file, unit, mode=0o644)


def delete_files(place: FilterPlace) -> None:
    for path in (place.drop_in_file, place.unit_file, place.rules_file):
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
