# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.names import (
    is_pattern,
    literal,
    near_miss,
    pattern,
    shown,
)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("*", "anything\nat all", True),
        ("shop_*", "shop_1", True),
        ("shop_*", "my_shop_1", False),
        ("*_log", "audit_log", True),
        (r"a\*b*", "a*bc", True),
        (r"a\*b*", "axbc", False),
        ("a.c*", "abc", False),
    ],
)
def test_only_the_asterisk_is_special(text: str, name: str, expected: bool) -> None:
    assert bool(pattern(text).match(name)) is expected


@given(st.text(min_size=1))
def test_an_escaped_name_means_itself(name: str) -> None:
    if "\\" not in name:
        escaped = name.replace("*", "\\*")
        assert not is_pattern(escaped)
        assert literal(escaped) == name


@given(st.text(min_size=1))
def test_a_shown_name_stays_on_one_line(name: str) -> None:
    assert len(shown(name).splitlines()) == 1


def test_a_near_miss_is_suggested_and_a_far_one_is_not() -> None:
    assert near_miss("shop_ap", ["shop_app", "other"]) == "Did you mean shop_app?"
    assert near_miss("zebra", ["shop_app"]) == ""
