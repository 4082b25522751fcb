# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.setting_values import (
    UnusableValue,
    ValueType,
    split_list,
    text_of,
)

BLOCKS = ValueType("integer", unit="8kB", minimum=16, maximum=1073741823)
MILLISECONDS = ValueType("integer", unit="ms", minimum=-1, maximum=2147483647)
MODE = ValueType("integer", minimum=0, maximum=511)
DELAY = ValueType("real", unit="ms", minimum=0, maximum=100)
SWITCH = ValueType("bool")
LEVEL = ValueType("enum", choices=("local", "remote_write", "on", "off"))
PROTOCOL = ValueType("enum", choices=("", "TLSv1.2", "TLSv1.3"))
PROTOCOL = ValueType("enum", choices=("", "TLSv1.2", "TLSv1.3"))
LIBRARIES = ValueType("string", is_list=True)


@pytest.mark.parametrize(
    ("value_type", "one", "other"),
    [
        (BLOCKS, "128MB", "131072kB"),
        (BLOCKS, "128MB", "16384"),
        (BLOCKS, "1.5GB", "1536MB"),
        (MILLISECONDS, "5min", "300000"),
        (MILLISECONDS, " 1 h ", "60min"),
        (MODE, "0600", "384"),
        (MODE, "0x180", "0600"),
        (DELAY, "2ms", "2000us"),
        (SWITCH, "true", "on"),
        (SWITCH, "of", "NO"),
        (SWITCH, "1", "yes"),
        (LEVEL, "TRUE", "on"),
        (PROTOCOL, "TLSv1.2", "tlsv1.2"),
        (PROTOCOL, "tlsv1.2", "TLSv1.2"),
        (LIBRARIES, "auth_delay,pgaudit", 'auth_delay, "pgaudit"'),
    ],
)
def test_values_that_mean_the_same_are_the_same(value_type: ValueType, one: str, other: str) -> None:
    assert value_type.meaning(one) == value_type.meaning(other)


@pytest.mark.parametrize(
    ("value_type", "text", "reason"),
    [
        (BLOCKS, "128mb", "upper and lower case count"),
        (BLOCKS, "lots", "not a number"),
        (BLOCKS, "8kB", "outside its range"),
        (MILLISECONDS, "5 fortnights", "not among its units"),
        (MODE, "10ms", "plain number"),
        (MODE, "01000", "outside its range"),
        (SWITCH, "o", "not on or off"),
        (SWITCH, "maybe", "not on or off"),
        (LEVEL, "sometimes", "not one of local"),
    ],
)
def test_a_value_that_the_server_would_not_take_says_why(value_type: ValueType, text: str, reason: str) -> None:
    with pytest.raises(UnusableValue, match=reason):
        value_type.meaning(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "on"), (False, "off"), (16, "16"), (0.5, "0.5"), (["a", "b c", "d,e"], 'a, b c, "d,e"'), ([], "")],
)
def test_yaml_values_become_the_servers_spelling(value: object, text: str) -> None:
    assert text_of(value) == text


@given(st.lists(st.text(min_size=1, max_size=12).filter(lambda word: "\0" not in word), max_size=5))
def test_a_list_survives_rendering_and_splitting(words: list[str]) -> None:
    assert split_list(text_of(words)) == tuple(words)
