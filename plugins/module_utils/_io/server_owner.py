# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Whose processes and files a database server's are."""

from __future__ import annotations

import os
import pwd
import typing as t


def process_identity(data_directory: str) -> dict[str, t.Any] | None:
    """Arguments that make a subprocess run as the data directory's owner; None where that can't be done."""
    try:
        owner = os.stat(data_directory)
    except OSError:
        return None
    if owner.st_uid == os.geteuid():
        return None if owner.st_uid == 0 else {}
    if os.geteuid() != 0:
        return None
    return account_identity(owner.st_uid, owner.st_gid)


def account_identity(user: int, group: int) -> dict[str, t.Any]:
    """With the account's further groups, as a service has them: by one of those it may read its key (ssl-cert)."""
    try:
        groups = os.getgrouplist(pwd.getpwuid(user).pw_name, group)
    except KeyError:
        groups = []
    return {"user": user, "group": group, "extra_groups": [number for number in groups if number != group]}
