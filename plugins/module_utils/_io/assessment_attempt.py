# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""One look among many: when it fails, only what depends on it can't be judged."""

from __future__ import annotations

import typing as t

from .._core.errors import BulwarkError
from .._core.observations import Unobservable

Seen = t.TypeVar("Seen")


def attempt(look: t.Callable[[], Seen | Unobservable], *, what: str = "") -> t.Any:
    """What ``look`` answers; Unobservable with the reason in place of an error. A defect of ours is not caught.

    :param what: put before the reason, where that would not tell what it is about.
    """
    try:
        return look()
    except BulwarkError as error:
        reason = error.message
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    except ValueError as error:
        reason = f"not understood: {error}"
    return Unobservable(f"{what}: {reason}" if what else reason)
