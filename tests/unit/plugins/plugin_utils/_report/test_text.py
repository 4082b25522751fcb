# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.plugin_utils._report.text import (
    named,
    padded,
    shortened,
    visible,
    width,
    wrapped,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\r\nthree", "two\nlines\nthree"),
        ("a\tb", "a    b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("a\u200bb", "a\\u200bb"),
        ("\ud800", "\\ud800"),
        ("Zürich 東京", "Zürich 東京"),
    ],
)
def test_what_steers_a_terminal_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_visible_text_holds_no_control_character_and_is_stable(text: str) -> None:
    shown = visible(text)
    assert {unicodedata.category(character) for character in shown.replace("\n", "")} & {"Cc", "Cs"} == set()
    assert visible(shown) == shown
    shown.encode("utf-8")


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_padded_text_fills_its_columns_exactly(text: str, columns: int) -> None:
    assert width(padded(visible(text), columns)) == columns


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_shortened_text_fits(text: str, columns: int) -> None:
    assert width(shortened(visible(text), columns)) <= columns


def test_a_wide_character_that_would_be_cut_in_half_is_left_out() -> None:
    assert shortened("東京東京", 6) == "東京…"


@given(st.text(), st.integers(min_value=4, max_value=30), st.integers(min_value=1, max_value=4))
def test_wrapped_lines_fit_and_are_few(text: str, columns: int, most: int) -> None:
    lines = wrapped(visible(text), columns, most=most)
    assert 1 <= len(lines) <= most
    assert all(width(line) <= columns for line in lines)


def test_wrapping_loses_nothing_that_fits() -> None:
    text = "the primary message of a bad cast can still quote a value"
    assert " ".join(wrapped(text, 20, most=10)) == text
    assert wrapped(text, 20, most=2) == ["the primary message", "of a bad cast can s…"]


def test_many_names_are_counted() -> None:
    assert named(["a", "b", "c"], most=3) == "a, b, c"
    assert named(["a", "b", "c", "d"], most=3) == "a, b and 2 more"
