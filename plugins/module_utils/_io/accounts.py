# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The host's users and groups: names to numbers and back, each looked up once."""

from __future__ import annotations

import grp
import pwd
import typing as t

from .._core.errors import InvalidDeclaration
from .._core.files import NumericRule, Policy, Rule


class Accounts:
    """A cache over the name service, for one run."""

    def __init__(self) -> None:
        self._user_names: dict[int, str | None] = {}
        self._group_names: dict[int, str | None] = {}

    def user_name(self, uid: int) -> str | None:
        """None if the host does not know the number."""
        if uid not in self._user_names:
            self._user_names[uid] = _name_or_none(lambda: pwd.getpwuid(uid).pw_name)
        return self._user_names[uid]

    def group_name(self, gid: int) -> str | None:
        """None if the host does not know the number."""
        if gid not in self._group_names:
            self._group_names[gid] = _name_or_none(lambda: grp.getgrgid(gid).gr_name)
        return self._group_names[gid]

    def primary_group(self, user: str) -> str:
        """Name of a user's own group; an empty string if the host does not know the user or the group."""
        uid = _user_id(user)
        try:
            gid = pwd.getpwuid(uid).pw_gid if uid is not None else None
        except KeyError:
            gid = None
        return (self.group_name(gid) if gid is not None else None) or ""

    def listed_users(self) -> tuple[int, ...]:
        """Numbers of the users that can be listed: the host's own, not always those of a directory service."""
        return tuple(dict.fromkeys(entry.pw_uid for entry in pwd.getpwall()))

    def listed_groups(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(entry.gr_gid for entry in grp.getgrall()))

    def numeric_rules(self, policy: Policy) -> tuple[NumericRule, ...]:
        """The rules of a policy in numbers.

        What is mended to has to exist: InvalidDeclaration if the first owner or group of the first rule does not. Of
        the others, accepting what can't be there changes nothing, so it is left out.
        """
        preferred, *alternatives = policy.rules
        accepted = [preferred, *(rule for rule in alternatives if self._exists(rule))]
        return tuple(self._numeric(policy.path, rule) for rule in accepted)

    def _exists(self, rule: Rule) -> bool:
        return all(_user_id(name) is not None for name in rule.owners[:1]) and all(
            _group_id(name) is not None for name in rule.groups[:1]
        )

    def _numeric(self, path: str, rule: Rule) -> NumericRule:
        return NumericRule(
            owners=_numbers(rule.owners, _user_id, what=f"user, which the policy for {path} names,"),
            groups=_numbers(rule.groups, _group_id, what=f"group, which the policy for {path} names,"),
            file_mode_max=rule.file_mode_max,
            directory_mode_max=rule.directory_mode_max,
        )


def _numbers(names: tuple[str, ...], number_of: t.Callable[[str], int | None], *, what: str) -> tuple[int, ...]:
    numbers = [number_of(name) for name in names]
    if numbers and numbers[0] is None:
        raise InvalidDeclaration(f"{names[0]}: this {what} does not exist here", "Create it first, or name another")
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def owner_number(name: str) -> int:
    """The number of an account. Raises InvalidDeclaration for one that is not there."""
    return _numbers((name,), _user_id, what="account")[0]


def group_number(name: str) -> int:
    """The number of a group. Raises InvalidDeclaration for one that is not there."""
    return _numbers((name,), _group_id, what="group")[0]


def _user_id(name: str) -> int | None:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def _group_id(name: str) -> int | None:
    if name.isdecimal():
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _name_or_none(look_up: t.Callable[[], str]) -> str | None:
    try:
        return look_up()
    except (KeyError, OverflowError):
        return None
