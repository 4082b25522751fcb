# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Have a live server read its configuration again, and know when it has."""

from __future__ import annotations

import time
import typing as t

from .._core.errors import DidNotTakeEffect
from .._dialects import postgresql_reload as dialect
from .postgresql import Session


def reload_and_wait(
    session: Session, open_another: t.Callable[[], t.ContextManager[Session]], *, timeout: float
) -> None:
    """Reload, and return when sessions opened from now on have the new configuration.

    :param timeout: seconds.
    :raises DidNotTakeEffect: when the server has not taken it up by then.
    """
    before = session.value(dialect.LOAD_TIME_QUERY)
    session.execute(dialect.RELOAD_STATEMENT)
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with open_another() as fresh:
            if fresh.value(dialect.LOAD_TIME_QUERY) > before:
                return
        time.sleep(0.02)
    raise DidNotTakeEffect(
        f"PostgreSQL did not take up its configuration within {timeout:g} s of a reload",
        "Its log says why: an error in any configuration file makes it ignore all of them",
    )
