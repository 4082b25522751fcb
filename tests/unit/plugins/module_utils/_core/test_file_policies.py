# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies as users write them."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    BulwarkError,
    InvalidDeclaration,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.file_policies import (
    SHARED_DIRECTORIES,
    parse_mode,
    parse_policies,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.files import Policy, Rule


def parse(**declared: t.Any) -> Policy:
    return parse_policies([{"path": "/data", **declared}])[0]


def test_defaults_forbid_what_is_writable_by_everybody_and_set_id() -> None:
    assert parse() == Policy("/data", (Rule((), (), 0o775, 0o2775),))


def test_a_policy_is_read_whole() -> None:
    policy = parse(
        path="//data/./x/",
        recurse=True,
        owner=["postgres", "root"],
        group="postgres",
        file_mode_max="0600",
        directory_mode_max="01775",
        accept=[{"owner": ["root"], "group": None, "file_mode_max": "0640", "directory_mode_max": None}],
        exclude=["*.lock", "a/b/", "/c"],
        required=False,
        one_file_system=False,
    )
    first = Rule(("postgres", "root"), ("postgres",), 0o600, 0o1775)
    second = Rule(("root",), ("postgres",), 0o640, 0o1775)
    assert policy == Policy("/data/x", (first, second), True, ("*.lock", "/a/b", "/c"), False, False)


@pytest.mark.parametrize("mode", [416, 640, 6.4, True, ["0640"]])
def test_a_mode_that_yaml_made_a_number_of_is_refused_with_the_reason(mode: object) -> None:
    with pytest.raises(InvalidDeclaration, match="unquoted 0640") as caught:
        parse(file_mode_max=mode)
    assert "'0640'" in caught.value.hint


@pytest.mark.parametrize("mode", ["640", "416", "0o640", "u=rw", "0888", "", "00640x", "123456", "0640\n", "٠٦٤٠"])
def test_a_mode_that_is_not_four_octal_digits_is_refused(mode: str) -> None:
    with pytest.raises(InvalidDeclaration, match="file_mode_max of /data"):
        parse(file_mode_max=mode)


@given(st.integers(0, 0o7777))
def test_every_mode_is_read_as_it_is_written(mode: int) -> None:
    assert parse_mode(f"{mode:04o}", where="here") == mode == parse_mode(f"0{mode:04o}", where="here")


@pytest.mark.parametrize(
    "declared",
    [
        {"file_mode_max": "0666"},
        {"directory_mode_max": "0777"},
        {"path": "data"},
        {"path": "/data/../etc"},
        {"path": ""},
        {"path": None},
        {"path": "/da\0ta"},
        {"exclude": ["a?"]},
        {"exclude": ["[ab]"]},
        {"exclude": ["a\\b"]},
        {"exclude": ["/"]},
        {"exclude": [""]},
        {"owner": [""]},
        {"accept": [{"file_mode_max": 416}]},
    ],
)
def test_what_makes_no_sense_is_an_invalid_declaration(declared: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidDeclaration):
        parse(**declared)


@pytest.mark.parametrize("declared", [{"file_mode_max": "0040"}, {"directory_mode_max": "0600"}])
def test_a_maximum_that_locks_the_owner_out_is_refused(declared: dict[str, t.Any]) -> None:
    with pytest.raises(RefusedForSafety, match="locks the owner out"):
        parse(**declared)


@pytest.mark.parametrize("path", sorted(SHARED_DIRECTORIES))
def test_a_directory_of_the_whole_system_is_refused(path: str) -> None:
    with pytest.raises(RefusedForSafety, match="shared by the whole system"):
        parse(path=f"{path}/")


def test_two_policies_for_one_path_are_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="two policies for /data"):
        parse_policies([{"path": "/data"}, {"path": "/data/"}])


@given(
    st.dictionaries(
        st.sampled_from(["path", "owner", "group", "file_mode_max", "directory_mode_max"]),
        st.one_of(st.none(), st.text(max_size=8), st.integers(), st.lists(st.text(max_size=5), max_size=2)),
    )
)
def test_hostile_input_is_read_or_refused_in_one_line(declared: dict[str, t.Any]) -> None:
    try:
        parse_policies([declared])
    except BulwarkError as error:
        refused = error
    else:
        return
    assert refused.hint
    assert refused.message.isprintable()
