# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a program says: progress and answers on its output, one line of complaint beside it."""

from __future__ import annotations

import sys
import typing as t

Say = t.Callable[[str], None]
_FAILED: t.Final = 1


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(program: str, text: str) -> int:
    """The exit status of a failure."""
    sys.stderr.write(f"{program}: {' '.join(text.split())}\n")
    sys.stderr.flush()
    return _FAILED
