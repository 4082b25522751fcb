# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of MariaDB's key file, and what is planned for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, ObservationFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.key_file import (
    MODE,
    Access,
    DesiredKeyFile,
    ObservedKeyFile,
    check_key_ids,
    fingerprint,
    parse_keys,
    plan_key_file,
    read_passphrase,
    render_keys,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret

ACCESS = Access(101, 102, MODE)
HEXADECIMAL = "0123456789abcdef"
KEYS = st.dictionaries(
    st.integers(1, 2**32 - 1), st.text(HEXADECIMAL, min_size=64, max_size=64).map(Secret), max_size=5
).flatmap(lambda keys: st.text(HEXADECIMAL, min_size=64, max_size=64).map(lambda first: {**keys, 1: Secret(first)}))


@given(KEYS)
def test_what_is_rendered_is_parsed_as_it_was(keys: dict[int, Secret]) -> None:
    assert parse_keys(render_keys(keys).reveal(), where="keys") == keys


@given(KEYS, st.sets(st.integers(2, 9)))
def test_a_plan_carried_out_leaves_nothing_to_do(keys: dict[int, Secret], ids: set[int]) -> None:
    desired = DesiredKeyFile("/k", "/p", ACCESS, check_key_ids({1, *ids}))
    plan = plan_key_file(desired, ObservedKeyFile(keys, None, None, None))
    made = dict(change.payload for change in plan if change.payload)
    assert not set(made) & set(keys)
    after = ObservedKeyFile({**keys, **{number: Secret("0" * 64) for number in made}}, ACCESS, Secret("x"), ACCESS)
    assert not plan_key_file(desired, after)


@pytest.mark.parametrize("text", ["1;abc", "0;" + "0" * 64, "2;" + "0" * 64, "x", "1;" + "0" * 66, "1;" + "0" * 40, ""])
def test_what_the_server_would_not_start_with_is_an_error(text: str) -> None:
    with pytest.raises(ObservationFailed):
        parse_keys(text, where="keys")


def test_comments_and_older_key_lengths_are_read() -> None:
    text = "# ours\n\n1;" + "0" * 32 + "\n2;" + "F" * 48 + " # old\n"
    assert {number: len(key.reveal()) for number, key in parse_keys(text, where="keys").items()} == {1: 32, 2: 48}


def test_a_key_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(ObservationFailed, match="twice"):
        parse_keys(f"1;{'0' * 64}\n1;{'1' * 64}\n", where="keys")


@pytest.mark.parametrize("ids", [[2], [0, 1], [1, 2**32]])
def test_ids_that_no_server_takes_are_refused(ids: list[int]) -> None:
    with pytest.raises(InvalidDeclaration):
        check_key_ids(ids)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"a" * 257, b"a\0b", b"\xff"])
def test_a_passphrase_that_the_server_would_not_take_is_an_error(data: bytes) -> None:
    with pytest.raises(ObservationFailed):
        read_passphrase(data, where="passphrase")


def test_fingerprints_tell_keys_apart() -> None:
    one, other = {1: Secret("0" * 64)}, {1: Secret("1" * 64)}
    assert fingerprint(one) == fingerprint(dict(one)) != fingerprint(other)
    assert fingerprint({}) == ""
