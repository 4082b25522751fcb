# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""How far a service can be locked in without ceasing to do its work, per kind of service.

Left out on purpose, and what it would break: MemoryDenyWriteExecute (PostgreSQL's just-in-time compilation), User=
(pg_ctlcluster starts as root and drops its privileges itself), PrivateUsers (the same; Debian's scripts for MariaDB run
as root beside the server), PrivateNetwork.
"""

from __future__ import annotations

import typing as t

from .._core.sandbox import Profile

_BASE: tuple[tuple[str, str], ...] = (
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
    ("NoNewPrivileges", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallErrorNumber", "EPERM"),
    ("AmbientCapabilities", ""),
    ("KeyringMode", "private"),
    ("LimitCORE", "0"),
    ("UMask", "0077"),
)

# pg_ctlcluster: becomes the cluster's owner, makes its log file, and shields the postmaster from the OOM killer.
_POSTGRESQL_CAPABILITIES = "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SETGID CAP_SETUID CAP_SYS_RESOURCE"

# Memory that is not swapped out. The rest is for what systemd runs as root after each start, /etc/mysql/debian-start:
# it goes into the data directory, which is closed to everybody but the server's account.
_MARIADB_CAPABILITIES = "CAP_DAC_OVERRIDE CAP_IPC_LOCK"

PROFILES: t.Final[t.Mapping[str, Profile]] = {
    "base": Profile(_BASE),
    "postgresql": Profile(
        (*_BASE, ("CapabilityBoundingSet", _POSTGRESQL_CAPABILITIES)),
        writable=("/run/postgresql", "/var/log/postgresql"),
        # WAL and tablespaces may lie elsewhere, behind links in the data directory.
        links=("pg_wal", "pg_tblspc/*"),
    ),
    "mariadb": Profile(
        (*_BASE, ("AmbientCapabilities", "CAP_IPC_LOCK"), ("CapabilityBoundingSet", _MARIADB_CAPABILITIES)),
        writable=("/run/mysqld", "/var/log/mysql"),
        # Databases may lie elsewhere, behind links in the data directory.
        links=("*",),
    ),
}
