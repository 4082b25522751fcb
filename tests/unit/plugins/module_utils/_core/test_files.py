# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging one file against rules."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.files import (
    DIRECTORY,
    FILE,
    SOCKET,
    STICKY,
    Entry,
    Exclusion,
    NumericRule,
    Policy,
    Rule,
    exclusion_of,
    judge,
    readable_path,
    refusal,
    tightened,
)

POSTGRES, ROOT, SSL_CERT, NOBODY = 101, 0, 103, 65534
PRIVATE = NumericRule((POSTGRES,), (POSTGRES,), 0o600, 0o700)
KEY_OF_ROOT = NumericRule((ROOT,), (SSL_CERT,), 0o640, 0o750)
ANYBODY = NumericRule((), (), 0o775, 0o2775)


def file(mode: int, uid: int = POSTGRES, gid: int = POSTGRES, *, links: int = 1) -> Entry:
    return Entry(FILE, mode, uid, gid, links)


def directory(mode: int, uid: int = POSTGRES, gid: int = POSTGRES) -> Entry:
    return Entry(DIRECTORY, mode, uid, gid, 2)


@pytest.mark.parametrize(
    ("entry", "rules", "wanted", "problems"),
    [
        (file(0o644), [PRIVATE], (POSTGRES, POSTGRES, 0o600), ("group may read", "others may read")),
        (file(0o4711), [PRIVATE], (POSTGRES, POSTGRES, 0o600), None),
        (file(0o666, ROOT, ROOT), [PRIVATE], (POSTGRES, POSTGRES, 0o600), None),
        (file(0o400, NOBODY), [PRIVATE], (POSTGRES, POSTGRES, 0o400), ("owner",)),
        (file(0o400, gid=NOBODY), [PRIVATE], (POSTGRES, POSTGRES, 0o400), ("group",)),
        (directory(0o755), [PRIVATE], (POSTGRES, POSTGRES, 0o700), None),
        (directory(0o2700), [PRIVATE], (POSTGRES, POSTGRES, 0o700), ("set-group-id",)),
        (file(0o644, ROOT, SSL_CERT), [PRIVATE, KEY_OF_ROOT], (ROOT, SSL_CERT, 0o640), ("others may read",)),
        (file(0o600, ROOT, ROOT), [PRIVATE, KEY_OF_ROOT], (ROOT, SSL_CERT, 0o600), ("group",)),
        (file(0o600, NOBODY, NOBODY), [PRIVATE, KEY_OF_ROOT], (POSTGRES, POSTGRES, 0o600), ("owner", "group")),
        (file(0o777), [ANYBODY], (POSTGRES, POSTGRES, 0o775), ("others may write",)),
        (directory(0o777), [NumericRule((), (), 0o640, 0o1777)], (POSTGRES, POSTGRES, 0o1777), ("sticky bit missing",)),
        (directory(0o1777), [PRIVATE], (POSTGRES, POSTGRES, 0o1700), None),
    ],
)
def test_what_goes_beyond_is_mended_to_the_nearest_rule(
    entry: Entry, rules: list[NumericRule], wanted: tuple[int, int, int], problems: tuple[str, ...] | None
) -> None:
    verdict = judge(entry, rules)
    assert verdict is not None
    assert (verdict.uid, verdict.gid, verdict.mode) == wanted
    assert verdict.problems == problems or problems is None


@pytest.mark.parametrize(
    ("entry", "rules"),
    [
        (file(0o600), [PRIVATE]),
        (file(0o000), [PRIVATE]),
        (directory(0o500), [PRIVATE]),
        (directory(0o1700), [PRIVATE]),
        (file(0o640, ROOT, SSL_CERT), [PRIVATE, KEY_OF_ROOT]),
        (Entry(SOCKET, 0o777, POSTGRES, POSTGRES), [PRIVATE]),
        (directory(0o2775, NOBODY), [ANYBODY]),
        (directory(0o755), [NumericRule((), (), 0o640, 0o1775)]),
    ],
)
def test_what_is_strict_enough_is_left_as_it_is(entry: Entry, rules: list[NumericRule]) -> None:
    assert judge(entry, rules) is None


def test_an_unknown_owner_without_a_declared_one_is_unresolved() -> None:
    verdict = judge(dataclasses.replace(file(0o600, 4711), owner_known=False), [ANYBODY])
    assert verdict is not None
    assert verdict.unresolved == "owner unknown to this host"
    assert not verdict.differs_from(file(0o600, 4711))


modes = st.integers(0, 0o7777)
ids = st.sampled_from([ROOT, POSTGRES, SSL_CERT, NOBODY])
entries = st.builds(Entry, st.sampled_from([FILE, DIRECTORY, SOCKET, "pipe"]), modes, ids, ids)
rules = st.lists(
    st.builds(NumericRule, st.lists(ids, max_size=2).map(tuple), st.lists(ids, max_size=2).map(tuple), modes, modes),
    min_size=1,
    max_size=3,
)


@given(entries, rules)
def test_what_was_mended_is_accepted(entry: Entry, rules: list[NumericRule]) -> None:
    verdict = judge(entry, rules)
    if verdict is not None:
        assert judge(dataclasses.replace(entry, uid=verdict.uid, gid=verdict.gid, mode=verdict.mode), rules) is None


@given(entries, rules)
def test_mending_never_grants_a_permission(entry: Entry, rules: list[NumericRule]) -> None:
    verdict = judge(entry, rules)
    if verdict is not None:
        assert verdict.mode & ~entry.mode in (0, STICKY)


@given(modes, modes)
def test_only_a_directory_that_is_shared_gets_a_sticky_bit(mode: int, maximum: int) -> None:
    assert not tightened(mode, maximum, directory=False) & ~mode
    granted = tightened(mode, maximum, directory=True) & ~mode
    assert not granted or (granted == STICKY and mode & maximum & 0o022)


@pytest.mark.parametrize(
    ("entry", "parent_uid", "refused"),
    [
        (file(0o644), POSTGRES, False),
        (file(0o644, links=2), POSTGRES, False),  # whoever made the link could have done the same
        (file(0o644, links=2), ROOT, True),
        (file(0o644, NOBODY, links=2), POSTGRES, True),  # the owner would change
        (file(0o644, ROOT, links=2), ROOT, True),
        (file(0o600, ROOT, links=2), POSTGRES, True),
        (dataclasses.replace(directory(0o755, ROOT), links=9), POSTGRES, False),
    ],
)
def test_a_file_with_several_names_is_touched_only_where_its_owner_could_have_done_it(
    entry: Entry, parent_uid: int, refused: bool
) -> None:
    verdict = judge(entry, [PRIVATE])
    assert verdict is not None
    assert bool(refusal(entry, verdict, parent_uid=parent_uid)) is refused


def test_a_linked_file_of_root_is_not_tightened_even_where_root_is_accepted() -> None:
    passwords = file(0o644, ROOT, ROOT, links=2)
    verdict = judge(passwords, [NumericRule((ROOT,), (ROOT,), 0o600, 0o700)])
    assert verdict is not None
    assert refusal(passwords, verdict, parent_uid=ROOT)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/a/b c", "/a/b c"),
        ("/ä/日".encode(), "/ä/日"),
        (b"/a\nb", "/a\\nb"),
        (b"/a\xffb", "/a\\xffb"),
        (b"/a\\xffb", "/a\\\\xffb"),
        ("/a\u202eb".encode(), "/a\\u202eb"),
        (b"/a\x1b[31m", "/a\\x1b[31m"),
    ],
)
def test_a_path_is_shown_on_one_line_whatever_its_bytes(path: bytes, shown: str) -> None:
    assert readable_path(path) == shown


@given(st.binary(min_size=1), st.binary(min_size=1))
def test_two_paths_never_look_the_same(first: bytes, second: bytes) -> None:
    assert readable_path(first).isprintable()
    assert (readable_path(first) == readable_path(second)) == (first == second)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.lock", b"a/b/x.lock", True),
        ("*.lock", b"x.lock.txt", False),
        ("/a/*", b"a/b/c", True),
        ("/a/*", b"x/a/b", False),
        ("/a", b"a", True),
        ("/a", b"b/a", False),
        ("a.c", b"abc", False),
        ("*", b"new\nline", True),
        ("b", b"b/x", False),
    ],
)
def test_a_pattern_matches_name_or_path(pattern: str, path: bytes, matches: bool) -> None:
    matcher = Exclusion((pattern,)).matcher()
    assert matcher is not None
    assert matcher(path.rpartition(b"/")[2], path) is matches


def test_a_longer_path_takes_what_it_covers_out_of_a_shorter_one() -> None:
    policy = Policy("/data", (Rule(),), recurse=True)
    others = {"/data": True, "/data/log": True, "/data/server.key": False, "/database": True, "/other": True}
    exclusion = exclusion_of(policy, "/data", others=others, mount_points=["/", "/data", "/data/mnt", "/databank"])
    assert exclusion.subtrees == {b"log", b"mnt"}
    assert exclusion.entries == {b"server.key"}


def test_mount_points_count_only_with_one_file_system() -> None:
    policy = Policy("/data", (Rule(),), recurse=True, one_file_system=False)
    assert exclusion_of(policy, "/data", others={}, mount_points=["/data/mnt"]) == Exclusion()
