# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Optional libraries in one place: what is needed, from which version on, and the one message when it is not there.

They are loaded when they are needed: a module for one kind of server does not pay for the driver of another.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import types
import typing as t

from .._core.errors import MissingRequirement


class _Library(t.NamedTuple):
    """:param minimum: the oldest version that will do, by its first two numbers."""

    module: str
    title: str
    minimum: tuple[int, int]
    package: str


_PSYCOPG: t.Final = _Library("psycopg", "psycopg", (3, 1), "python3-psycopg")
_PYMYSQL: t.Final = _Library("pymysql", "PyMySQL", (1, 0), "python3-pymysql")
_CRYPTOGRAPHY: t.Final = _Library("cryptography", "cryptography", (3, 1), "python3-cryptography")


def require_psycopg() -> types.ModuleType:
    """The psycopg module, or MissingRequirement that names the interpreter and what to install."""
    return _require(_PSYCOPG)


def require_pymysql() -> types.ModuleType:
    """The pymysql module, or MissingRequirement that names the interpreter and what to install."""
    return _require(_PYMYSQL)


def require_cryptography() -> types.ModuleType:
    """The cryptography module, or MissingRequirement that names the interpreter and what to install."""
    return _require(_CRYPTOGRAPHY)


@functools.cache  # it is asked for with every statement
def _require(library: _Library) -> types.ModuleType:
    wanted = ".".join(map(str, library.minimum))
    try:
        module = importlib.import_module(library.module)
    except ImportError as error:  # also raised by psycopg itself when libpq can't be found
        raise MissingRequirement(
            f"the Python library {library.title} {wanted} or newer is missing for {sys.executable}: {error}",
            f"Install Debian's {library.package}, or set ansible_python_interpreter to a Python that has it",
        ) from None
    version = str(module.__version__)
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < library.minimum:
        raise MissingRequirement(
            f"{library.title} {version} at {module.__file__} is too old", f"Version {wanted} or newer is needed"
        )
    return module
