# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Options files: reading and editing postgresql.conf-like text without disturbing what is not ours. Pure."""

from __future__ import annotations

import re
import typing as t

HEADER: t.Final = (
    "# Managed by Ansible (bulwark.database.postgresql_settings): entries are added, changed and removed one by one.\n"
)
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z_][\w$]*(?:\.[A-Za-z_][\w$]*)?)\s*(?:=|\s)")


def set_entries(text: str, values: t.Mapping[str, str | None]) -> str:
    """The text with each named setting given its value once, or removed (None). Other lines stay as they are."""
    kept = [line for line in text.splitlines() if setting_name(line) not in values] or HEADER.splitlines()
    added = [f"{name} = {quote_value(value)}" for name, value in sorted(values.items()) if value is not None]
    return "".join(f"{line}\n" for line in [*kept, *added])


def setting_name(line: str) -> str | None:
    """The lower-case name that a line assigns; None for comments, blank lines and include directives."""
    match = _ASSIGNMENT.match(line)
    if not match or match.group(1).lower().startswith("include"):
        return None
    return match.group(1).lower()


def quote_value(value: str) -> str:
    """A value in the quotes of the configuration file's own grammar."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"


def includes_file(text: str, *, path: str, directory: str) -> bool:
    """Whether the configuration names ``path`` itself or the folder it lies in.

    :param directory: the folder of the including file; relative names count from there.
    """
    for keyword, target in _directives(text):
        absolute = _join(directory, target)
        if keyword == "include_dir" and path.endswith(".conf") and absolute == path.rpartition("/")[0]:
            return True
        if keyword != "include_dir" and absolute == path:
            return True
    return False


def with_include(text: str, path: str) -> str:
    """The configuration with a last line that reads ``path``."""
    separator = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{separator}include_if_exists = {quote_value(path)}  # bulwark.database\n"


def _directives(text: str) -> t.Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = re.match(r"^\s*(include(?:_dir|_if_exists)?)\s*=?\s*'((?:[^']|'')*)'", line, re.IGNORECASE)
        if match:
            yield match.group(1).lower(), match.group(2).replace("''", "'")


def _join(directory: str, target: str) -> str:
    joined = target if target.startswith("/") else f"{directory}/{target}"
    return joined.rstrip("/")
