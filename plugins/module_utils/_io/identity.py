# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Acting as another account of the operating system, as which a unix socket lets one in."""

from __future__ import annotations

import contextlib
import os
import pwd
import typing as t

from .._core.errors import InvalidDeclaration, MissingRequirement


@contextlib.contextmanager
def acting_as(os_user: str | None) -> t.Iterator[None]:
    """Take the effective identity of another operating-system account for a moment (root only)."""
    if os_user is None:
        yield
        return
    try:
        account = pwd.getpwnam(os_user)
    except KeyError:
        raise InvalidDeclaration(f"there is no operating-system account {os_user!r}") from None
    own_uid, own_gid = os.geteuid(), os.getegid()
    if account.pw_uid == own_uid:
        yield
        return
    if own_uid != 0:
        raise MissingRequirement(
            f"only root can act as {os_user}", "Run the task with become, or as that account itself"
        )
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(own_uid)
        os.setegid(own_gid)
