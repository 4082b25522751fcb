# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reading what metrics tell of: the log of a server, file systems, certificates, systemd's opinion of units."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import typing as t

from .._core.backup_job_file import BackupJob, PostgreSQLPlace
from .._core.errors import BulwarkError
from .._core.pgbackrest import REPOSITORY
from .backup_store import read_text
from .commands import run_command

_CERTIFICATE: t.Final = re.compile(
    r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----.+?-----END (?:TRUSTED )?CERTIFICATE-----", re.DOTALL
)
_OPENSSL_SECONDS: t.Final = 10
_JOURNAL_LINES: t.Final = "50"


def wal_state(job: BackupJob) -> tuple[int | None, int | None]:
    """Segments that wait for archive_command, and bytes of pg_wal; by names and sizes. None without such a log."""
    if not isinstance(job.server, PostgreSQLPlace) or job.side == REPOSITORY:
        return None, None
    folder = os.path.join(job.server.data_directory, "pg_wal")
    ready = sum(name.endswith(".ready") for name in os.listdir(os.path.join(folder, "archive_status")))
    size = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # recycled while we looked
                if entry.is_file(follow_symlinks=False):
                    size += entry.stat(follow_symlinks=False).st_size
    return ready, size


def modified(path: str) -> float | None:
    """When the file was written to last; None if it is not there."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return None


def first_expiry(path: str) -> float | None:
    """When the first of a file's certificates expires; None if the file holds none that can be read."""
    try:
        blocks = _CERTIFICATE.findall(read_text(path))
        return min((_expiry(block) for block in blocks), default=None)
    except (OSError, ValueError, BulwarkError):
        return None


def _expiry(block: str) -> float:
    done = run_command(["openssl", "x509", "-noout", "-enddate"], timeout=_OPENSSL_SECONDS, text=block)
    key, dummy, value = done.output.strip().partition("=")
    if not done.succeeded or key != "notAfter":
        raise ValueError(done.complaint)
    return float(ssl.cert_time_to_seconds(value))


def failed_units(units: t.Sequence[str]) -> dict[str, bool]:
    """Of those that are loaded; empty where systemd does not answer."""
    if not units:
        return {}
    command = ["systemctl", "show", "--property=Id,LoadState,ActiveState", "--", *units]
    found: dict[str, bool] = {}
    for block in run_command(command).output.split("\n\n"):
        properties = dict(line.partition("=")[::2] for line in block.splitlines())
        if properties.get("LoadState") == "loaded":
            found[properties["Id"]] = properties.get("ActiveState") == "failed"
    return found


def last_run(unit: str) -> tuple[str, str, str]:
    """Result, exit status and journal of a unit's last run.

    systemd tells its hooks of it. It can't always be asked, because the bus refuses accounts that have no name.
    """
    told = os.environ
    if told.get("MONITOR_UNIT") == unit:
        result, status = told.get("MONITOR_SERVICE_RESULT", ""), told.get("MONITOR_EXIT_STATUS", "")
        invocation = told.get("MONITOR_INVOCATION_ID", "")
    else:
        done = run_command(["systemctl", "show", "--property=Result,ExecMainStatus,InvocationID", "--", unit])
        properties = dict(line.partition("=")[::2] for line in done.output.splitlines())
        result, status = properties.get("Result", ""), properties.get("ExecMainStatus", "")
        invocation = properties.get("InvocationID", "")
    journal = ""
    if re.fullmatch(r"[0-9a-f]{32}", invocation):
        match = f"_SYSTEMD_INVOCATION_ID={invocation}"
        journal = run_command(["journalctl", "--quiet", "--output=cat", "--lines", _JOURNAL_LINES, match]).output
    return result or "unknown", status or "unknown", journal


def host_name() -> str:
    return socket.gethostname()
