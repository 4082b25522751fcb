# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Access control lists as PostgreSQL prints them: ``{owner=arwdDxt/owner,reader=r*/owner,=c/owner}``.

Raw texts are fetched and parsed here: 20,000 privileges arrive as 2,000 short texts, many of them equal, which is far
less work for a driver in pure Python than 20,000 rows. Privileges are bits of an int, so that a comparison is one
operation. An empty grantee stands for PUBLIC.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

PUBLIC_GRANTEE: t.Final = ""

# One bit per letter, in the order in which privileges are listed for people. Letters as in src/include/utils/acl.h.
_LETTERS = "rawdDxtmUCcTXsA"
BIT: t.Final[dict[str, int]] = {letter: 1 << index for index, letter in enumerate(_LETTERS)}


class AclItem(t.NamedTuple):
    """Who was given what by whom. ``options`` are the privileges held with grant option, a subset of ``mask``."""

    grantee: str
    mask: int
    options: int
    grantor: str


@dataclasses.dataclass(frozen=True, eq=False)
class ObjectKind:
    """What can be granted on a kind of object.

    :param name: as declared and shown: ``table``.
    :param keyword: as in GRANT: ``TABLE``; as in ALTER where that differs: alter_keyword.
    :param privileges: name to letter, in the order of the documentation.
    :param public_default: what PUBLIC may while there is no ACL yet, as bits.
    :param default_letter: pg_default_acl.defaclobjtype, empty where there are no default privileges.
    :param default_keyword: ``TABLES`` in ALTER DEFAULT PRIVILEGES.
    :param in_schema: whether its objects live in a schema.
    """

    name: str
    keyword: str
    privileges: t.Mapping[str, str]
    public_default: int = 0
    default_letter: str = ""
    default_keyword: str = ""
    in_schema: bool = False
    alter_keyword: str = ""

    @property
    def all_mask(self) -> int:
        return functools.reduce(int.__or__, (BIT[letter] for letter in self.privileges.values()), 0)

    def names_of(self, mask: int) -> list[str]:
        return [name for name, letter in self.privileges.items() if mask & BIT[letter]]

    @functools.lru_cache(maxsize=10_000)  # noqa: B019  # the few kinds live as long as the module
    def describe(self, mask: int, options: int = 0) -> str:
        """``SELECT, INSERT with grant option``; an empty string for nothing."""
        return ", ".join(
            name + (" with grant option" if options & BIT[letter] else "")
            for name, letter in self.privileges.items()
            if mask & BIT[letter]
        )


@functools.lru_cache(maxsize=20_000)
def parse_acl(text: str) -> tuple[AclItem, ...]:
    """The items of an ACL's text form. Raises ValueError for what no server prints."""
    return tuple(_parse_item(item) for item in _split_array(text))


@functools.lru_cache(maxsize=50_000)
def _parse_item(item: str) -> AclItem:
    grantee, rest = _take_name(item)
    if rest[:1] != "=":
        raise ValueError("an ACL item without '='")
    letters, slash, grantor_text = rest[1:].partition("/")
    if not slash:
        raise ValueError("an ACL item without a grantor")
    grantor, dummy = _take_name(grantor_text)
    mask = options = 0
    for position, letter in enumerate(letters):
        if letter == "*":
            options |= BIT.get(letters[position - 1], 0)
        else:
            # A letter of a newer server than we know is left alone: we can neither grant nor revoke it.
            mask |= BIT.get(letter, 0)
    return AclItem(grantee, mask, options, grantor)


def _take_name(text: str) -> tuple[str, str]:
    """The role's name at the start, unquoted, and what follows it."""
    if not text.startswith('"'):
        end = min((text.find(mark) for mark in "=/" if mark in text), default=len(text))
        return text[:end], text[end:]
    name = []
    position = 1
    while True:
        end = text.index('"', position)
        name.append(text[position:end])
        if text[end + 1 : end + 2] != '"':
            return "".join(name), text[end + 1 :]
        name.append('"')
        position = end + 2


def _split_array(text: str) -> list[str]:
    """The elements of a one-dimensional array's text form."""
    inner = text[1:-1]
    if '"' not in inner and "\\" not in inner:
        return inner.split(",") if inner else []
    items: list[str] = []
    current: list[str] = []
    quoted = escaped = False
    for character in inner:
        if escaped:
            current.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            items.append("".join(current))
            current = []
        else:
            current.append(character)
    items.append("".join(current))
    return items


def change_owner(items: tuple[AclItem, ...], old: str, new: str) -> tuple[AclItem, ...]:
    """What the server makes of an ACL when the object's owner changes: the new owner takes the old one's place."""
    merged: dict[tuple[str, str], AclItem] = {}
    for item in items:
        grantee = new if item.grantee == old else item.grantee
        grantor = new if item.grantor == old else item.grantor
        other = merged.get((grantee, grantor), AclItem(grantee, 0, 0, grantor))
        merged[grantee, grantor] = AclItem(grantee, item.mask | other.mask, item.options | other.options, grantor)
    return tuple(merged.values())
