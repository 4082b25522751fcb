# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is told of a unit that failed: which, where, what was said, what to do. Never data, never a secret. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

_MOST_LINES: t.Final = 3
_LONGEST_LINE: t.Final = 300
# Only what our own program says of itself: lines of other tools, and answers of restored databases, may quote data.
_OWN_LINE: t.Final = re.compile(r"bulwark-backup: \S")
_BACKUP: t.Final = re.compile(r"bulwark-backup-[a-z0-9-]+\.service")
_RESTORE_TEST: t.Final = re.compile(r"bulwark-restore-test-[a-z0-9-]+\.service")
_COPIES: t.Final = re.compile(r"bulwark-copies-[a-z0-9-]+\.service")
_UNIT: t.Final = re.compile(r"[A-Za-z0-9:_.@\\-]{1,200}")
_HIDDEN: t.Final = "***"
_SECRETS: t.Final = (
    re.compile(r"AGE-SECRET-KEY-[A-Z0-9-]+", re.IGNORECASE),
    re.compile(r"(?<=://)[^\s/@]+(?=@)"),
    re.compile(
        r"(?:(?<=password)|(?<=passwd)|(?<=secret)|(?<=token))\s*[=:]\s*('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE
    ),
)
# What stands between quotes in an error of a server is somebody's data more often than not.
_QUOTED: t.Final = re.compile(r"\"[^\"]*\"|'[^']*'|`[^']*'")


@dataclasses.dataclass(frozen=True)
class Failure:
    """:param result: as systemd names it: exit-code, timeout, signal, oom-kill and so on.
    :param at: when it was noticed, as a moment.
    """

    unit: str
    host: str
    result: str
    status: str
    at: str
    lines: tuple[str, ...]


def is_unit(name: str) -> bool:
    return bool(_UNIT.fullmatch(name))


def safe_lines(unit: str, journal: str) -> tuple[str, ...]:
    """The last lines that may leave the host. A restore test's answers come from the data: none of it does."""
    if not _BACKUP.fullmatch(unit):
        return ()
    own = [line.strip() for line in journal.splitlines() if _OWN_LINE.match(line.strip())]
    return tuple(_without_secrets(line)[:_LONGEST_LINE] for line in own[-_MOST_LINES:])


def _without_secrets(line: str) -> str:
    for pattern in _SECRETS:
        line = pattern.sub(_HIDDEN, line)
    return _QUOTED.sub(_HIDDEN, re.sub(r"[^\x20-\x7e]", "?", line))


def what_to_do(unit: str) -> str:
    look = f"Look at it on the host: journalctl -u {unit}"
    if _RESTORE_TEST.fullmatch(unit):
        name = re.sub(r"^bulwark-restore-test-|(?:-pull)?\.service$", "", unit)
        status = f"/var/lib/bulwark/restore-test/{name}/status.json"
        return (
            f"Until a test succeeds, the newest backup is not proven restorable. {look}, and {status} says which check"
            f" failed. Mend the cause, then: systemctl start {unit}"
        )
    if _COPIES.fullmatch(unit):
        return (
            f"Copies of backups are damaged or late, or nobody looked after them. {look}. Look at the host that sends,"
            f" and at the network between; then: systemctl start {unit}"
        )
    if unit.endswith("-collect.service"):
        return (
            f"Archived WAL is not carried into the store, so recent moments can't be restored. {look}."
            " It is tried again each minute"
        )
    if unit.endswith("-heartbeat.service"):
        return f"On an idle server the newest moments may not be restorable. {look}. It is tried again each minute"
    if _BACKUP.fullmatch(unit):
        return (
            f"No backup came of this run; earlier ones are as they were. {look}."
            f" Mend the cause, then: systemctl start {unit}"
        )
    return look


def subject(failure: Failure) -> str:
    return f"FAILED: {failure.unit} on {failure.host}"


def render_text(failure: Failure) -> str:
    said = "".join(f"  {line}\n" for line in failure.lines) or "  (nothing that may leave the host)\n"
    return (
        f"{failure.unit} failed on {failure.host}.\n\n"
        f"Noticed: {failure.at}\nResult:  {failure.result} (status {failure.status})\n"
        f"Said last:\n{said}\n{what_to_do(failure.unit)}.\n"
    )


def render_document(failure: Failure) -> dict[str, t.Any]:
    """For a webhook. ``text`` is what chat services show."""
    return {
        "version": 1,
        "kind": "failure",
        "text": f"{subject(failure)}\n{render_text(failure)}",
        "unit": failure.unit,
        "host": failure.host,
        "result": failure.result,
        "status": failure.status,
        "at": failure.at,
        "lines": list(failure.lines),
        "what_to_do": what_to_do(failure.unit),
    }
