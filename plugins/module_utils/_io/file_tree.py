# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""File policies against the real file system: what is not as they say.

This only reads and serves hardening and assessment alike; ``tree_mend`` changes things.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import stat
import typing as t

from .._core.errors import InvalidDeclaration, ObservationFailed
from .._core.file_plan import Finding, Survey, TreeSurvey
from .._core.file_policies import refuse_shared
from .._core.files import (
    Entry,
    Policy,
    Verdict,
    exclusion_of,
    format_state,
    judge,
    readable_path,
    refusal,
)
from .accounts import Accounts
from .tree_find import Known, gnu_find, scan_with_find
from .tree_root import PinnedDirectories, TreeRoot, opened_root
from .tree_scan import Candidate, entry_of
from .tree_walk import scan_with_python

_UNPROTECTED = (
    "fs.protected_hardlinks is 0: whoever may write below a policy's path can plant links to files of others there; "
    "set it to 1"
)


def find_violations(
    policies: t.Sequence[Policy], *, report_limit: int = 200, use_find: bool = True, accounts: Accounts | None = None
) -> Survey:
    """Look at everything the policies cover and change nothing.

    :param report_limit: how many findings are described; the counts are exact.
    :param use_find: let GNU find do the scanning where it is installed.
    Raises InvalidDeclaration, RefusedForSafety, ObservationFailed.
    """
    accounts = accounts or Accounts()
    resolved = _resolve(policies)
    recursion = {path: policy.recurse for policy, path in resolved if path}
    trees = []
    for policy, path in resolved:
        if path:
            judging = Judging(policy, accounts)
            trees.append(_survey_tree(judging, recursion, report_limit=report_limit, use_find=use_find))
    missing = tuple(policy.path for policy, path in resolved if not path)
    warnings = _warnings(trees)
    return Survey(tuple(trees), report_limit, missing, warnings)


def _resolve(policies: t.Sequence[Policy]) -> list[tuple[Policy, str]]:
    """Each policy with its path after all links; an empty one where there is nothing."""
    answer: list[tuple[Policy, str]] = []
    taken: dict[str, str] = {}
    for policy in policies:
        with opened_root(policy.path) as root:
            path = root.path if root else ""
        if not path and policy.required:
            raise ObservationFailed(f"{policy.path} does not exist", "Correct the path, or set required to false")
        if path in taken:
            raise InvalidDeclaration(
                f"{taken[path]} and {policy.path} are the same place, {path}", "Leave one of the two policies out"
            )
        if path:
            refuse_shared(path)
            taken[path] = policy.path
        answer.append((policy, path))
    return answer


class Judging:
    """A policy with what is needed to judge by it on this host.

    A verdict follows from kind, mode, owner and group alone, of which a tree of millions has a handful of combinations:
    each is judged once.
    """

    def __init__(self, policy: Policy, accounts: Accounts) -> None:
        self.policy = policy
        self.rules = accounts.numeric_rules(policy)
        self.accounts = accounts
        self._verdicts: dict[tuple[str, int, int, int], Verdict | None] = {}

    def verdict(self, entry: Entry) -> Verdict | None:
        key = (entry.kind, entry.mode, entry.uid, entry.gid)
        try:
            return self._verdicts[key]
        except KeyError:
            known = dataclasses.replace(
                entry,
                owner_known=self.accounts.user_name(entry.uid) is not None,
                group_known=self.accounts.group_name(entry.gid) is not None,
            )
            verdict = self._verdicts[key] = judge(known, self.rules)
            return verdict

    def accepts(self, entry: Entry) -> bool:
        return self.verdict(entry) is None

    def state(self, uid: int, gid: int, mode: int) -> str:
        owner = self.accounts.user_name(uid) or str(uid)
        return format_state(mode, owner, self.accounts.group_name(gid) or str(gid))


def _survey_tree(judging: Judging, recursion: t.Mapping[str, bool], *, report_limit: int, use_find: bool) -> TreeSurvey:
    policy = judging.policy
    survey = TreeSurvey(policy)
    with opened_root(policy.path) as root:
        if root is None:
            return survey
        survey.resolved = root.path
        for path, entry in _candidates(judging, root, recursion, use_find=use_find):
            verdict = judging.verdict(entry)
            if verdict is not None:
                _record(survey, judging, root, path=path, entry=entry, verdict=verdict, report_limit=report_limit)
    return survey


def _candidates(
    judging: Judging, root: TreeRoot, recursion: t.Mapping[str, bool], *, use_find: bool
) -> t.Iterator[Candidate]:
    policy = judging.policy
    if not (policy.recurse and stat.S_ISDIR(root.status.st_mode)):
        entry = entry_of(root.status)
        return iter([(b"", entry)] if entry else [])
    exclusion = exclusion_of(policy, root.path, others=recursion, mount_points=_mount_points())
    find = gnu_find() if use_find and os.path.isdir("/proc/self/fd") else None
    if find is None:
        return scan_with_python(root, judging.accepts, exclusion=exclusion, one_file_system=policy.one_file_system)
    known = Known(judging.accounts.listed_users(), judging.accounts.listed_groups())
    return scan_with_find(
        find, root, judging.rules, known=known, exclusion=exclusion, one_file_system=policy.one_file_system
    )


def _record(
    survey: TreeSurvey,
    judging: Judging,
    root: TreeRoot,
    *,
    path: bytes,
    entry: Entry,
    verdict: Verdict,
    report_limit: int,
) -> None:
    """Note what is wrong with one entry, as something to mend, something left alone, or (in parts) both."""
    reason = refusal(entry, verdict, parent_uid=_parent_uid(root, path)) if entry.links > 1 else ""
    mends = verdict.differs_from(entry) and not reason
    if mends:
        survey.to_mend += path + b"\0"
        survey.count += 1
    else:
        survey.refused_count += 1
    described = survey.findings if mends else survey.refusals
    if len(described) >= report_limit:
        return
    full = os.fsencode(root.path) + (b"/" + path if path else b"")
    described.append(
        Finding(
            policy=survey.policy.path,
            path=readable_path(full),
            kind=entry.kind,
            before=judging.state(entry.uid, entry.gid, entry.mode),
            after=judging.state(verdict.uid, verdict.gid, verdict.mode),
            problems=verdict.problems,
            refused="" if mends else reason or f"{verdict.unresolved}, and the policy names none to give it to",
        )
    )


def _parent_uid(root: TreeRoot, path: bytes) -> int:
    """Owner of the directory that holds an entry; nobody's number if that went away meanwhile."""
    try:
        with contextlib.closing(PinnedDirectories(root)) as directories:
            return os.fstat(directories.holding(path)).st_uid
    except OSError:
        return -1


def _mount_points() -> list[str]:
    """Paths of everything mounted, bind mounts too, which share a device number with what surrounds them."""
    try:
        with open("/proc/self/mountinfo", "rb") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return []
    return [os.fsdecode(_OCTAL_ESCAPE.sub(_unescape, line.split(b" ")[4])) for line in lines]


_OCTAL_ESCAPE = re.compile(rb"\\([0-7]{3})")


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match.group(1), 8)])


def _warnings(trees: t.Sequence[TreeSurvey]) -> tuple[str, ...]:
    if not any(tree.count for tree in trees):
        return ()
    with contextlib.suppress(OSError), open("/proc/sys/fs/protected_hardlinks", encoding="ascii") as stream:
        return (_UNPROTECTED,) if stream.read().strip() == "0" else ()
    return ()
