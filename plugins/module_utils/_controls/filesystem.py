# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Files, directories, libraries and the sandbox of the service."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.file_areas import CONFIGURATION, DATA, PROGRAM
from .._core.plan import LIVE, RESTART
from .acceptance import ListWithout, OneOf
from .file_check import FileCheck
from .host_checks import ServiceCheck
from .model import EVERY_ENGINE, Choice, Control
from .setting_check import SettingCheck, Want, fixed

_FILES_REMEDY: t.Final = "Run file_permissions with the policies that the engine's server_info module derives"

# Property with the values that will do, as "systemctl show" prints them.
_SANDBOX: t.Final = (
    ("NoNewPrivileges", ("yes",)),
    ("ProtectSystem", ("strict", "full")),
    ("ProtectHome", ("yes", "read-only", "tmpfs")),
    ("PrivateTmp", ("yes", "disconnected")),
    ("PrivateDevices", ("yes",)),
    ("ProtectKernelTunables", ("yes",)),
    ("ProtectKernelModules", ("yes",)),
    ("ProtectControlGroups", ("yes", "private", "strict")),
    ("RestrictSUIDSGID", ("yes",)),
    ("RestrictRealtime", ("yes",)),
    ("LockPersonality", ("yes",)),
    ("UMask", ("0077", "0027")),
)

# No value to set: ALTER SYSTEM can't store an empty list.
_NO_LIBRARY: t.Final = Choice(Want(None, OneOf(("",))))

CONTROLS: t.Final = (
    Control(
        id="OS-FS-003",
        title="Nobody but root changes the server's programs and libraries",
        category="filesystem",
        rationale="Who can replace a library that the server loads is the server.",
        checks=(FileCheck(PROGRAM),),
        remedy=_FILES_REMEDY,
        engines=EVERY_ENGINE,
        activation=LIVE,
        source=("TX-2.3.3",),
        references=("CIS-PG17 2.2", "STIG CD16-00-002600", "STIG CD16-00-002800"),
    ),
    Control(
        id="OS-SVC-001",
        title="systemd locks the service in",
        category="filesystem",
        rationale="An intruder who runs commands as the server (COPY PROGRAM, a plugin, a bug) finds a host that is"
        " read-only, without other people's files, devices or ways to more power. The stock unit restricts nothing.",
        checks=(ServiceCheck(_SANDBOX),),
        remedy="Run service_sandbox with the profile of the engine, as the role host_hardening does, and restart the "
        "service",
        engines=EVERY_ENGINE,
        activation=RESTART,
        source=("TX-2.5.8",),
        references=("systemd-analyze security",),
    ),
    Control(
        id="PG-FS-001",
        title="Data, WAL and tablespaces are the server's alone",
        category="filesystem",
        rationale="Files can be copied without any log noticing it.",
        checks=(FileCheck(DATA),),
        remedy=_FILES_REMEDY,
        activation=LIVE,
        source=("GB-2.2",),
        references=("devsec postgres-20", "STIG CD16-00-005600"),
    ),
    Control(
        id="PG-FS-002",
        title="Configuration is closed to others",
        category="filesystem",
        rationale="It tells strangers who may log in from where, and may hold passwords of other servers.",
        checks=(FileCheck(CONFIGURATION),),
        remedy=_FILES_REMEDY,
        activation=LIVE,
        source=("GB-2.2",),
        references=("devsec postgres-10", "STIG CD16-00-007800"),
    ),
    Control(
        id="PG-FS-003",
        title="Sockets live in a directory of their own",
        category="filesystem",
        rationale="In a directory that everybody writes to, anybody can put a socket in the server's place while it is"
        " down and collect passwords. The socket itself may be open to all: rules ask the kernel for the account "
        "(peer).",
        checks=(
            SettingCheck(
                "unix_socket_directories",
                Choice(
                    Want(
                        None,
                        ListWithout(("/tmp", "/var/tmp", "/dev/shm"), "no directory that everybody writes to"),  # noqa: S108
                    )
                ),
            ),
        ),
        remedy="Set unix_socket_directories with postgresql_settings to a directory of the server's, and restart",
        activation=RESTART,
        source=("OG-2.3", "TX-2.3.1"),
        references=("greenbone openGauss unix_domain_sockets",),
    ),
    Control(
        id="PG-FS-004",
        title="What is committed survives a crash",
        category="filesystem",
        rationale="Without fsync and full_page_writes a power failure leaves a cluster that can't be trusted.",
        checks=(fixed("fsync", "on"), fixed("full_page_writes", "on")),
        remedy="Set fsync and full_page_writes with postgresql_settings",
        source=("OG-1.1",),
    ),
    Control(
        id="PG-FS-005",
        title="Libraries are loaded from where they were installed",
        category="filesystem",
        level=STRICT,
        rationale="A path that somebody else writes to, or a library that every session loads, is code in the server.",
        checks=(
            fixed("dynamic_library_path", "$libdir", override_check=True),
            SettingCheck("local_preload_libraries", _NO_LIBRARY, override_check=True),
            fixed("extension_control_path", "$system", minimum=180000),
        ),
        remedy="Set or reset (null) them with postgresql_settings; ALTER ROLE or DATABASE ... RESET the overrides",
        source=("TX-2.3.3",),
        references=("CIS-PG17 8.3",),
    ),
    Control(
        id="PG-FS-006",
        title="Data checksums are on",
        category="filesystem",
        level=STRICT,
        rationale="A page that rots on disk is noticed when it is read, before it is in every backup.",
        checks=(SettingCheck("data_checksums", Choice(Want(None, OneOf(("on",))))),),
        remedy="Stop the server, run pg_checksums --enable (standbys first), start it",
        activation=RESTART,
        source=("OG-1.1", "GB-3.1"),
    ),
)
