# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Policies for files, and judging one file or directory against them.

A policy states maxima: who may own a thing and which permission bits it may have at most. Mending therefore only takes
permissions away and hands things to a declared owner; it never grants a bit.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

# Without a declared maximum: not writable by everybody, no set-id; directories may hand their group down.
DEFAULT_FILE_MODE_MAX: t.Final = 0o0775
DEFAULT_DIRECTORY_MODE_MAX: t.Final = 0o2775

STICKY: t.Final = 0o1000
SET_ID: t.Final = 0o6000
OTHERS_WRITE: t.Final = 0o0002
SHARED_WRITE: t.Final = 0o0022
PERMISSION_BITS: t.Final = 0o7777

DIRECTORY: t.Final = "directory"
FILE: t.Final = "file"
SOCKET: t.Final = "socket"


@dataclasses.dataclass(frozen=True)
class Rule:
    """One accepted combination of owner, group and maximal permissions.

    :param owners: accepted owners, names or numbers; the first one is who a thing is given to. Empty: any known user.
    :param groups: the same for groups.
    :param file_mode_max: permission bits a file may have at most.
    :param directory_mode_max: permission bits a directory may have at most.
    """

    owners: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    file_mode_max: int = DEFAULT_FILE_MODE_MAX
    directory_mode_max: int = DEFAULT_DIRECTORY_MODE_MAX


@dataclasses.dataclass(frozen=True)
class Policy:
    """What holds for a path, and with ``recurse`` for everything below it.

    :param path: absolute, normalised.
    :param rules: the accepted combinations. The one that needs the least change is mended to, the first one on a tie.
    :param exclude: patterns of what is left alone, with all that is below; ``*`` is the only wildcard and matches
        slashes too. One that starts with a slash is compared with the path below ``path``, any other with the name.
    :param required: a path that does not exist is an error.
    :param one_file_system: nothing below a mount point is looked at.
    """

    path: str
    rules: tuple[Rule, ...]
    recurse: bool = False
    exclude: tuple[str, ...] = ()
    required: bool = True
    one_file_system: bool = True


@dataclasses.dataclass(frozen=True)
class NumericRule:
    """A rule with its names looked up on the host. Empty owners or groups: any that the host knows."""

    owners: tuple[int, ...]
    groups: tuple[int, ...]
    file_mode_max: int
    directory_mode_max: int

    def mode_max(self, kind: str) -> int:
        """Permission bits at most. A socket's mode is its server's setting, not a matter of files."""
        if kind == SOCKET:
            return PERMISSION_BITS
        return self.directory_mode_max if kind == DIRECTORY else self.file_mode_max


@dataclasses.dataclass(frozen=True)
class Entry:
    """What was observed of one file, directory, socket, pipe or device.

    :param mode: the twelve permission bits.
    :param links: number of names (hard links).
    :param owner_known: whether the host has a user of that number; the same for ``group_known``.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    links: int = 1
    owner_known: bool = True
    group_known: bool = True


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is wrong with an entry, and owner, group and mode it shall have.

    :param problems: one short phrase each.
    :param unresolved: a problem that no rule says how to mend; else empty.
    """

    uid: int
    gid: int
    mode: int
    problems: tuple[str, ...]
    unresolved: str = ""

    def differs_from(self, entry: Entry) -> bool:
        return (self.uid, self.gid, self.mode) != (entry.uid, entry.gid, entry.mode)


def judge(entry: Entry, rules: t.Sequence[NumericRule]) -> Verdict | None:
    """None if one of the rules accepts the entry, else what the nearest rule asks for: fewest changes of owner, then of
    group, then of permission bits."""
    best: Verdict | None = None
    best_cost = (9, 9, 99)
    for rule in rules:
        verdict = _judge_by(entry, rule)
        if verdict is None:
            return None
        bits = bin(verdict.mode ^ entry.mode).count("1")
        cost = (int(verdict.uid != entry.uid), int(verdict.gid != entry.gid), bits)
        if best is None or cost < best_cost:
            best, best_cost = verdict, cost
    return best


def _judge_by(entry: Entry, rule: NumericRule) -> Verdict | None:
    owner_accepted = entry.uid in rule.owners or not rule.owners
    group_accepted = entry.gid in rule.groups or not rule.groups
    mode = tightened(entry.mode, rule.mode_max(entry.kind), directory=entry.kind == DIRECTORY)
    unresolved = []
    if not rule.owners and not entry.owner_known:
        unresolved.append("owner unknown to this host")
    if not rule.groups and not entry.group_known:
        unresolved.append("group unknown to this host")
    if owner_accepted and group_accepted and mode == entry.mode and not unresolved:
        return None
    problems = [name for name, accepted in (("owner", owner_accepted), ("group", group_accepted)) if not accepted]
    problems += describe_bits(entry.mode & ~mode, directory=entry.kind == DIRECTORY)
    if mode & ~entry.mode & STICKY:
        problems.append("sticky bit missing")
    return Verdict(
        uid=entry.uid if owner_accepted else rule.owners[0],
        gid=entry.gid if group_accepted else rule.groups[0],
        mode=mode,
        problems=tuple(problems + unresolved),
        unresolved=" and ".join(unresolved),
    )


def tightened(mode: int, mode_max: int, *, directory: bool) -> int:
    """The mode without the bits that go beyond the maximum.

    The sticky bit restricts, so it is never taken away, and a directory that others may still change gets it where the
    maximum has it.
    """
    answer = mode & (mode_max | STICKY)
    if directory and mode_max & STICKY and answer & SHARED_WRITE:
        answer |= STICKY
    return answer


_BITS = (
    (0o4000, "set-user-id", "set-user-id"),
    (0o2000, "set-group-id", "set-group-id"),
    (0o0400, "owner may read", "owner may list"),
    (0o0200, "owner may write", "owner may change"),
    (0o0100, "owner may execute", "owner may enter"),
    (0o0040, "group may read", "group may list"),
    (0o0020, "group may write", "group may change"),
    (0o0010, "group may execute", "group may enter"),
    (0o0004, "others may read", "others may list"),
    (0o0002, "others may write", "others may change"),
    (0o0001, "others may execute", "others may enter"),
)


def describe_bits(bits: int, *, directory: bool) -> list[str]:
    """Permission bits in words."""
    return [for_directory if directory else for_file for bit, for_file, for_directory in _BITS if bits & bit]


def refusal(entry: Entry, verdict: Verdict, *, parent_uid: int) -> str:
    """Why this entry must not be touched, or an empty string.

    A file with several names may be a trap: whoever can write to a directory below the policy can link a file of
    somebody else into it, and mending would then change that file. It is safe only where the mending is something that
    the one who made the link could have done: same owner as the directory, not root, and the owner stays.

    :param parent_uid: owner of the directory that holds the entry.
    """
    if entry.kind == DIRECTORY or entry.links == 1:
        return ""
    if (verdict.uid, verdict.gid) != (entry.uid, entry.gid):
        return f"it has {entry.links} names (hard links), so its owner and group are not changed"
    if entry.uid == 0 or entry.uid != parent_uid:
        return f"it has {entry.links} names (hard links) and is not its directory owner's own"
    return ""


@dataclasses.dataclass(frozen=True)
class Exclusion:
    """What a scan leaves alone below its root. Paths are relative to the root, in bytes, without a leading slash.

    :param patterns: see ``Policy.exclude``.
    :param subtrees: paths that are left alone with all that is below: what another policy covers, mount points.
    :param entries: paths that are left alone, but not what is below.
    """

    patterns: tuple[str, ...] = ()
    subtrees: frozenset[bytes] = frozenset()
    entries: frozenset[bytes] = frozenset()

    def matcher(self) -> t.Callable[[bytes, bytes], bool] | None:
        """A function of name and relative path that says whether the patterns or subtrees cover it; None if nothing."""
        if not self.patterns and not self.subtrees:
            return None
        of_names = _expression([pattern for pattern in self.patterns if not pattern.startswith("/")])
        of_paths = _expression([pattern[1:] for pattern in self.patterns if pattern.startswith("/")])
        subtrees = self.subtrees

        def matches(name: bytes, path: bytes) -> bool:
            return path in subtrees or bool(of_names.fullmatch(name)) or bool(of_paths.fullmatch(path))

        return matches


def _expression(patterns: t.Sequence[str]) -> re.Pattern[bytes]:
    parts = [b".*".join(re.escape(part) for part in pattern_bytes(pattern).split(b"*")) for pattern in patterns]
    return re.compile(b"|".join(parts) or b"(?!)", re.DOTALL)


def pattern_bytes(pattern: str) -> bytes:
    return pattern.encode("utf-8", "surrogateescape")


def exclusion_of(
    policy: Policy, root: str, *, others: t.Mapping[str, bool], mount_points: t.Iterable[str]
) -> Exclusion:
    """What the scan of a policy leaves alone: its own patterns, what a policy of a path below covers, mount points.

    :param root: the policy's path, links resolved.
    :param others: the resolved paths of all policies, each with whether it recurses. The longest path decides.
    """
    base = "/" if root == "/" else root + "/"
    below = {path: recurse for path, recurse in others.items() if path.startswith(base)}
    subtrees = {path for path, recurse in below.items() if recurse}
    if policy.one_file_system:
        subtrees.update(point for point in mount_points if point.startswith(base))
    return Exclusion(
        patterns=policy.exclude,
        subtrees=frozenset(pattern_bytes(path[len(base) :]) for path in subtrees),
        entries=frozenset(pattern_bytes(path[len(base) :]) for path, recurse in below.items() if not recurse),
    )


def readable_path(path: bytes) -> str:
    """A path for people: one line, printable, unambiguous, whatever bytes its names have."""
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(_readable(character) for character in text)


def _readable(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def format_state(mode: int, owner: str, group: str) -> str:
    return f"{owner}:{group} {mode:04o}"
