# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""RESTORE.txt as a script: exactly its lines, with its values filled in, and only if they are lines of ours. Pure.

A restore host holds an identity that opens everything. What it runs must not be what somebody wrote into a store, so a
text is run only if it is, to the byte, what this version of the collection writes.
"""

from __future__ import annotations

import re
import shlex
import typing as t

from .backup_job_file import MARIADB, PGBACKREST, POSTGRESQL
from .backup_restore_text import (
    command_blocks,
    render_mariadb_text,
    render_pgbackrest_text,
    render_postgresql_text,
)
from .errors import RefusedForSafety

_TITLE: t.Final = re.compile(
    r"# How to restore the (?:PostgreSQL|MariaDB) backups of the job ([a-z0-9][a-z0-9_-]{0,62})"
    r"(?:, which pgBackRest made)?\n"
)
_KEY_FILE: t.Final = re.compile(r"^- (/.*)$", re.MULTILINE)
# What a program says about another's failure, or about itself at any failure.
_NOT_TELLING: t.Final = re.compile(r"set: |tar: Exiting |age: report |\[\w+\] on retry after ")
# What a line has that tells of a cause; "error" is one in any case.
_TELLING: t.Final = ("FATAL", "damaged", "decryption failed")


def engine_of(text: str) -> str:
    """The engine that a RESTORE.txt of ours is for. Raises RefusedForSafety for any other text."""
    return _known(text)[0]


def job_of(text: str) -> str:
    """Name of the job whose backups a RESTORE.txt of ours restores. Raises RefusedForSafety for any other text."""
    return _known(text)[1]


def _known(text: str) -> tuple[str, str]:
    title = _TITLE.match(text)
    if title:
        for engine, rendered in _rendered_again(text, title.group(1)):
            if text == rendered:
                return engine, title.group(1)
    raise RefusedForSafety(
        "RESTORE.txt is not what this version of bulwark.database writes, so its commands were not run",
        "Run the roles encrypted_backup and restore_test from one version, and look who may write to the store",
    )


def render_script(text: str, values: t.Mapping[str, str]) -> str:
    """All of its commands, one section after the other.

    :param values: what is set at the top, by name; what is not named stays as it is. Raises RefusedForSafety.
    """
    engine_of(text)
    script = "\n".join(command_blocks(text).values())
    for name, value in values.items():
        found = re.search(rf"^{name}='.*$", script, re.MULTILINE)
        if not found:
            raise RefusedForSafety(f"RESTORE.txt asks for no {name}")
        script = f"{script[: found.start()]}{name}={shlex.quote(value)}{script[found.end() :]}"
    return script


def value_of(text: str, name: str) -> str:
    """As it stands at the top of the text; empty if it does not."""
    found = re.search(rf"^    {name}=(.+)$", text, re.MULTILINE)
    if not found:
        return ""
    try:
        words = shlex.split(found.group(1))
    except ValueError:
        return ""
    return words[0] if len(words) == 1 else ""


def _rendered_again(text: str, job: str) -> t.Iterator[tuple[str, str]]:
    """What each engine's text would be, with the values of this one."""
    store, binaries, key_file = value_of(text, "STORE"), value_of(text, "BINARIES"), _KEY_FILE.search(text)
    yield POSTGRESQL, render_postgresql_text(job, store=store, binaries=binaries)
    yield PGBACKREST, render_pgbackrest_text(job, store=store, binaries=binaries)
    yield MARIADB, render_mariadb_text(job, store=store, key_file=key_file.group(1) if key_file else "")


def telling_line(said: str) -> str:
    """The line of the output that tells best why a script failed; empty if there is none."""
    lines = [line.strip() for line in said.splitlines()]
    telling = [line for line in lines if line and not _NOT_TELLING.match(line)]
    worst = [line for line in telling if "error" in line.lower() or any(mark in line for mark in _TELLING)]
    return (worst or telling or [""])[-1]
