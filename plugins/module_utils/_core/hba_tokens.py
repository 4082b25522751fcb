# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Lines and tokens of pg_hba.conf and pg_ident.conf, split and quoted exactly as the server does it.

Blanks separate fields, commas the values of one field. Double quotes keep blanks, commas and ``#`` together and take
the special meaning from what they begin: ``"all"`` is a name. A quote inside quotes is doubled. Nothing can hold a
line break.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .errors import InvalidDeclaration

_BLANKS = " \t\r"
# What can't stand outside quotes. A backslash at the end of a line would swallow the next line.
_NEEDS_QUOTES = re.compile(r'[\s,#"\\]')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

NAME: t.Final = "name"
KEYWORD: t.Final = "keyword"
GROUP: t.Final = "group"
FILE: t.Final = "file"
REGEX: t.Final = "regex"


@dataclasses.dataclass(frozen=True)
class Token:
    """One value. ``quoted`` says that it began with a quote, so that key words and prefixes mean nothing in it."""

    text: str
    quoted: bool = False


Field = tuple[Token, ...]


@dataclasses.dataclass(frozen=True)
class Line:
    """One logical line: what continuation lines made of several is one.

    :param number: of its first physical line, from 1 on.
    :param comment: what stands behind ``#``, with its leading blank; None without one.
    """

    number: int
    fields: tuple[Field, ...]
    comment: str | None = None


@dataclasses.dataclass(frozen=True)
class Syntax:
    """What has a special meaning in one field.

    :param keywords: words that are no names unless quoted.
    :param groups: ``+role`` stands for the members of a role.
    :param regexes: ``/...`` is a regular expression, quoted or not.
    """

    keywords: frozenset[str] = frozenset()
    groups: bool = False
    regexes: bool = False


@dataclasses.dataclass(frozen=True)
class Item:
    """A value with its meaning: ``text`` is without prefix and quotes."""

    kind: str
    text: str


def tokenize(text: str, *, continuations: bool) -> t.Iterator[Line]:
    """All lines, empty ones too. ``continuations``: a backslash at the end of a line joins the next one (14 and on)."""
    for number, line in logical_lines(text, continuations=continuations):
        fields, comment = _split(line)
        yield Line(number, fields, comment)


def logical_lines(text: str, *, continuations: bool) -> t.Iterator[tuple[int, str]]:
    number, joined = 1, ""
    pieces = text.split("\n")
    for index, piece in enumerate(pieces, start=1):
        stripped = piece.rstrip("\r")
        # The server looks only at what this piece added: of two continued lines that are empty, the second ends it.
        if continuations and stripped.endswith("\\") and index < len(pieces):
            joined += stripped[:-1]
            continue
        yield number, joined + stripped
        number, joined = index + 1, ""


def _split(line: str) -> tuple[tuple[Field, ...], str | None]:
    fields: list[Field] = []
    position = 0
    while True:
        tokens: list[Token] = []
        more = True
        while more:
            token, position, more = _next_token(line, position)
            if token is None:
                break
            tokens.append(token)
        if not tokens:
            break
        fields.append(tuple(tokens))
    comment = line[position + 1 :] if position < len(line) else None
    return tuple(fields), comment


def _next_token(line: str, start: int) -> tuple[Token | None, int, bool]:
    """The next token, the position behind it, and whether a comma follows. Stops at a ``#``."""
    position = start
    while position < len(line) and line[position] in _BLANKS + ",":
        position += 1
    text, in_quotes, closed, seen, quoted = "", False, False, False, False
    while position < len(line) and (in_quotes or line[position] not in _BLANKS):
        character = line[position]
        if not in_quotes and character in "#,":
            break
        if character != '"' or closed:
            text += character
        # A quote right behind a closing one is a quote inside: it is taken back in.
        closed = in_quotes and character == '"' and not closed
        if character == '"':
            in_quotes, seen = not in_quotes, True
            quoted = quoted or not text
        position += 1
    if not seen and not text:
        return None, position, False
    return Token(text, quoted), position, position < len(line) and line[position] == ","


def meaning(token: Token, syntax: Syntax) -> Item:
    """What the server takes a token for."""
    text = token.text
    if not token.quoted and text.startswith("@") and len(text) > 1:
        return Item(FILE, text[1:])
    if syntax.regexes and text.startswith("/"):
        return Item(REGEX, text[1:])
    if token.quoted:
        return Item(NAME, text)
    if text in syntax.keywords:
        return Item(KEYWORD, text)
    if syntax.groups and text.startswith("+"):
        return Item(GROUP, text[1:])
    return Item(NAME, text)


def declared(value: str, syntax: Syntax, *, what: str) -> Item:
    """An item as a user writes it: key word, ``+role``, ``@file``, ``/regex``, else a name; in quotes always a name.

    Raises InvalidDeclaration for what the file can't hold.
    """
    check_text(value, what=what)
    quoted = len(value) > 1 and value.startswith('"') and value.endswith('"')
    if quoted and '"' in value[1:-1].replace('""', ""):
        raise InvalidDeclaration(f"{what} {value!r} has a single quote character inside its quotes", "Double it")
    text = value[1:-1].replace('""', '"') if quoted else value
    item = meaning(Token(text, quoted), syntax)
    if not item.text:
        raise InvalidDeclaration(f"{what} {value!r} is empty", "Name something, or leave it out")
    if item.kind == REGEX and quoted:
        raise InvalidDeclaration(
            f"{what} {value!r} begins with a slash, which makes it a regular expression even in quotes",
            f"Write it as the regular expression '/^{re.escape(text)}$'",
        )
    return item


def written(item: Item, syntax: Syntax) -> str:
    """The token that means this item."""
    if item.kind == KEYWORD:
        return item.text
    if item.kind == GROUP:
        return "+" + quoted_if_needed(item.text)
    if item.kind == FILE:
        return "@" + quoted_if_needed(item.text)
    if item.kind == REGEX:
        return quoted_if_needed("/" + item.text)
    is_special = meaning(Token(item.text), syntax) != item
    return quoted_if_needed(item.text, force=is_special)


def quoted_if_needed(text: str, *, force: bool = False) -> str:
    if force or not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def check_text(value: str, *, what: str, lines: bool = False) -> None:
    """Raise InvalidDeclaration for what a file of lines can't hold. ``lines``: line breaks and tabs are fine."""
    found = _CONTROL.search(value.replace("\n", "").replace("\t", "") if lines else value)
    if found:
        raise InvalidDeclaration(f"{what} {value!r} holds the control character {found.group()!r}", "Take it out")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidDeclaration(f"{what} {value!r} is not valid Unicode text", "Write it in UTF-8") from None
