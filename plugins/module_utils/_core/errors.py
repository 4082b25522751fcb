# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What can go wrong, drawn once.

BulwarkError                 every failure the user is meant to read
├── InvalidDeclaration       what was asked for can't be done; nothing was touched
├── MissingRequirement       a library, binary, privilege or server that is not there
├── ObservationFailed        the present state could not be read; nothing was touched
├── RefusedForSafety         the change would lock somebody out or keep the server from starting
├── ApplyFailed              a change failed half-way; the message says what was put back
└── DidNotTakeEffect         applied, observed again, and still different
"""

from __future__ import annotations

import typing as t


class BulwarkError(Exception):
    """One line that names the thing and the cause, and a hint that says what to do next.

    :param message: names the object and the cause; no trailing full stop, no secret.
    :param hint: what the user can do about it, or an empty string.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


def first_of(complaints: t.Sequence[str]) -> str:
    """The first of several, and how many more there are: an error is one line."""
    return f"{complaints[0]} (and {len(complaints) - 1} more)" if len(complaints) > 1 else complaints[0]


class InvalidDeclaration(BulwarkError):
    """What was asked for can't be done; nothing was touched."""


class MissingRequirement(BulwarkError):
    """A library, binary, privilege or server that is not there; nothing was touched."""


class ObservationFailed(BulwarkError):
    """The present state could not be read; nothing was touched."""


class RefusedForSafety(BulwarkError):
    """The change would lock somebody out or keep the server from starting; nothing was touched."""


class ApplyFailed(BulwarkError):
    """A change failed half-way; the message says what was put back."""


class DidNotTakeEffect(BulwarkError):
    """Applied without an error, observed again, and still different."""
