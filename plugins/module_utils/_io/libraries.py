# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Optional libraries in one place: what is needed, from which version on, and the one message when it is not there."""

from __future__ import annotations

import re
import sys
import types

from .._core.errors import MissingRequirement

MINIMUM_PSYCOPG = (3, 1)

try:
    import psycopg
except ImportError:  # also raised by psycopg itself when libpq can't be found
    psycopg = None  # type: ignore[assignment]


def require_psycopg() -> types.ModuleType:
    """The psycopg module, or MissingRequirement that names the interpreter and what to install."""
    wanted = ".".join(map(str, MINIMUM_PSYCOPG))
    if psycopg is None:
        raise MissingRequirement(
            f"the Python library psycopg {wanted} or newer (or the libpq it needs) is missing for {sys.executable}",
            "Install Debian's python3-psycopg, or set ansible_python_interpreter to a Python that has it",
        )
    found = tuple(int(part) for part in re.findall(r"\d+", psycopg.__version__)[:2])
    if found < MINIMUM_PSYCOPG:
        raise MissingRequirement(
            f"psycopg {psycopg.__version__} at {psycopg.__file__} is too old",
            f"Version {wanted} or newer is needed",
        )
    return psycopg
