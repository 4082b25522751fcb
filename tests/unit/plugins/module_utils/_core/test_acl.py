# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.acl import BIT, AclItem, change_owner, parse_acl

R, A, W = BIT["r"], BIT["a"], BIT["w"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", ()),
        ("{app=r/postgres}", (AclItem("app", R, 0, "postgres"),)),
        ("{=r/postgres}", (AclItem("", R, 0, "postgres"),)),
        ("{app=r*a/postgres}", (AclItem("app", R | A, R, "postgres"),)),
        (r'{"\"we ird\"=r/postgres",b=a/b}', (AclItem("we ird", R, 0, "postgres"), AclItem("b", A, 0, "b"))),
        (r'{"\"a\"\"b=/,\"=w/\"x\\y\""}', (AclItem('a"b=/,', W, 0, "x\\y"),)),
        ("{app=rZ/postgres}", (AclItem("app", R, 0, "postgres"),)),
    ],
)
def test_what_the_server_prints_is_read(text: str, expected: tuple[AclItem, ...]) -> None:
    assert parse_acl(text) == expected


def _printed(items: list[AclItem]) -> str:
    """As the server prints it: aclitemout, then array_out."""

    def name(text: str) -> str:
        return text if text.replace("_", "a").isalnum() or not text else '"' + text.replace('"', '""') + '"'

    def letters(item: AclItem) -> str:
        return "".join(letter + ("*" if item.options & bit else "") for letter, bit in BIT.items() if item.mask & bit)

    texts = [f"{name(item.grantee)}={letters(item)}/{name(item.grantor)}" for item in items]
    escaped = (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if set(text) & set('", \\{}') else text
        for text in texts
    )
    return "{" + ",".join(escaped) + "}"


_names = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), min_size=1, max_size=12)
_masks = st.integers(1, (1 << len(BIT)) - 1)
_items = st.builds(
    lambda grantee, mask, options, grantor: AclItem(grantee, mask, options & mask, grantor),
    st.one_of(st.just(""), _names), _masks, _masks, _names,
)  # fmt: skip


@given(st.lists(_items, max_size=5))
def test_parsing_what_was_printed_gives_the_same_items(items: list[AclItem]) -> None:
    assert list(parse_acl(_printed(items))) == items


def test_a_new_owner_takes_the_old_ones_place_in_the_acl() -> None:
    items = parse_acl("{old=ra/old,app=r/old,new=w/old}")
    assert set(change_owner(items, "old", "new")) == {AclItem("new", R | A | W, 0, "new"), AclItem("app", R, 0, "new")}
