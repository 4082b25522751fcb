# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the units of all our programs have in common, as text for systemd. Pure."""

from __future__ import annotations

import re
import typing as t

from .errors import InvalidDeclaration

# As in OnFailure=: specifiers such as %n are systemd's own.
_HOOK: t.Final = re.compile(r"[A-Za-z0-9:_.\\%-]+(?:@[A-Za-z0-9:_.\\%-]*)?\.(?:service|target)")
# No devices, nobody's home, no other process. Networks, capabilities and writable folders are each program's own.
CONFINEMENT: t.Final = (
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("DevicePolicy", "closed"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectProc", "invisible"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallErrorNumber", "EPERM"),
    ("KeyringMode", "private"),
    ("LimitCORE", "0"),
)


def section(name: str, directives: t.Sequence[tuple[str, str]]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in directives)


def check_hooks(units: t.Iterable[str], *, example: str) -> None:
    """Units that systemd starts when one of ours fails. Raises InvalidDeclaration that names the first wrong one."""
    for unit in units:
        if not _HOOK.fullmatch(unit):
            raise InvalidDeclaration(f"on_failure_units: {unit!r} is not the name of a service", f"Like {example}")
