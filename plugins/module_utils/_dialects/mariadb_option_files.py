# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""MariaDB's option files: their grammar, the order in which they are read, and editing one. Pure.

The grammar is that of mysys/my_default.c: groups, ``!include`` and ``!includedir``, one option a line, ``#`` outside
quotes begins a comment, dashes are underscores.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._core.errors import InvalidDeclaration

HEADER: t.Final = (
    "# Managed by Ansible (bulwark.database.mariadb_settings): options are added, changed and removed one by one.\n"
)
# The server reads lines into a buffer of 4096 bytes, and files within files ten deep.
LONGEST_LINE_BYTES: t.Final = 4000
_DEEPEST_INCLUDE: t.Final = 10
_GROUP = re.compile(r"\s*\[([^\]]*)\]")
_INCLUDE = re.compile(r"\s*!(includedir|include)\s+(.*?)\s*$")
_PLAIN = re.compile(r"[\w./:,+@%=-]*")
_ESCAPES: t.Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", '"': '"', "'": "'", "\\": "\\"}
_ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@dataclasses.dataclass(frozen=True)
class Option:
    """One option as it stands in a file, in the order in which the server reads them.

    :param name: as it is written, in underscores and without ``loose_``.
    :param value: None where the line names the option alone.
    """

    file: str
    line: int
    group: str
    name: str
    value: str | None
    text: str

    @property
    def place(self) -> str:
        return f"{self.file} line {self.line}" if self.line else self.file


class OptionFiles(t.Protocol):
    """The files as the server would find them."""

    def read(self, path: str) -> str | None:
        """The text of a file; None for one that the server passes over."""

    def names(self, directory: str) -> t.Sequence[str]:
        """The names of the files in a folder."""


@dataclasses.dataclass
class Reading:
    """What reading the option files came to.

    :ivar directories: folders that are read, in order.
    :ivar files: files that are read, in order.
    """

    options: list[Option] = dataclasses.field(default_factory=list)
    directories: list[str] = dataclasses.field(default_factory=list)
    files: list[str] = dataclasses.field(default_factory=list)


def read_options(paths: t.Iterable[str], source: OptionFiles) -> Reading:
    """Everything the files say, in the order in which the server reads it."""
    reading = Reading()
    for path in paths:
        _read_one(path, source, reading, depth=0)
    return reading


def _read_one(path: str, source: OptionFiles, reading: Reading, *, depth: int) -> None:
    text = source.read(path)
    if text is None or depth > _DEEPEST_INCLUDE:
        return
    reading.files.append(path)
    group = ""
    for number, line in enumerate(text.splitlines(), start=1):
        include, header = _INCLUDE.match(line), _GROUP.match(line)
        if include and include.group(1) == "include":
            _read_one(include.group(2), source, reading, depth=depth + 1)
        elif include:
            directory = include.group(2).rstrip("/") or "/"
            reading.directories.append(directory)
            for name in sorted(name for name in source.names(directory) if name.endswith(".cnf")):
                _read_one(f"{directory.rstrip('/')}/{name}", source, reading, depth=depth + 1)
        elif header:
            group = header.group(1).strip()
        elif is_option(line):
            name, value = split_option(line)
            reading.options.append(Option(path, number, group, name, value, line.strip()))


def flattened(options: t.Iterable[Option]) -> str:
    """One file that says what all of them say."""
    lines, group = [], ""
    for option in options:
        if option.group != group:
            group = option.group
            lines.append(f"[{group}]")
        lines.append(option.text)
    return "".join(f"{line}\n" for line in lines)


def is_option(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and stripped[0] not in "#;[!"


def split_option(line: str) -> tuple[str, str | None]:
    """Name and value of a line, or of an argument without its leading dashes."""
    name, equals, value = _without_comment(line).partition("=")
    return normalised(name), _unquoted(value.strip()) if equals else None


def normalised(name: str) -> str:
    plain = name.strip().replace("-", "_").lower()
    return plain.removeprefix("loose_")


def _without_comment(line: str) -> str:
    quote, escaped = "", False
    for index, character in enumerate(line):
        if character in "'\"" and not escaped:
            quote = character if not quote else "" if quote == character else quote
        if character == "#" and not quote:
            return line[:index]
        escaped = bool(quote) and character == "\\" and not escaped
    return line


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match.group(1), match.group(0)), value)


def render_option(name: str, value: str) -> str:
    """A line that split_option reads back. Raises InvalidDeclaration for what no line can hold."""
    if not _PLAIN.fullmatch(value):
        value = '"' + "".join(_ESCAPED.get(character, character) for character in value) + '"'
    line = f"{name} = {value}"
    if len(line.encode("utf-8")) > LONGEST_LINE_BYTES or "\0" in line:
        raise InvalidDeclaration(f"{name}: the value is too long for an option file, or holds a NUL")
    return line


def set_options(
    text: str, values: t.Mapping[str, t.Sequence[str]], *, group: str, groups: t.Collection[str],
    canonical: t.Callable[[str], str],
) -> str:  # fmt: skip
    """The text with each named option given its values, a line each; with none it goes. Other lines stay as they are.

    :param group: where options are added; those of all the server's ``groups`` are replaced.
    :param canonical: from a name as it is written to the option that it means.
    """
    kept, current = [], ""
    for line in text.splitlines():
        header = _GROUP.match(line)
        current = header.group(1).strip() if header else current
        if not (is_option(line) and current in groups and canonical(split_option(line)[0]) in values):
            kept.append(line)
    kept = kept or HEADER.splitlines()
    added = [render_option(name, value) for name in sorted(values) for value in values[name]]
    if added and current != group:
        kept.append(f"[{group}]")
    return "".join(f"{line}\n" for line in [*kept, *added])
