# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The privileges on one object: what is held, what shall be, and the steps between.

Works on ACL items alone, so tables, columns, databases and default privileges are all the same here.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from .acl import PUBLIC_GRANTEE, AclItem, ObjectKind, parse_acl

# grantee -> (privileges, those of them with grant option)
Held = dict[str, tuple[int, int]]

_NOTHING = (0, 0)


@dataclasses.dataclass
class Wanted:
    """What the declaration says of one object. Filled while the declaration is spread over the objects it means.

    :ivar given: grantee to privileges that shall be held.
    :ivar taken: grantee to privileges that shall not be held.
    :ivar options: grantee to privileges whose grant option shall be held, and shall not be.
    """

    given: dict[str, int] = dataclasses.field(default_factory=dict)
    taken: dict[str, int] = dataclasses.field(default_factory=dict)
    options: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)

    def give(self, grantee: str, mask: int, *, grant_option: bool | None) -> None:
        self.given[grantee] = self.given.get(grantee, 0) | mask
        if grant_option is not None:
            yes, no = self.options.get(grantee, _NOTHING)
            self.options[grantee] = (yes | mask, no) if grant_option else (yes, no | mask)

    def take(self, grantee: str, mask: int) -> None:
        self.taken[grantee] = self.taken.get(grantee, 0) | mask

    def contradictions(self) -> dict[str, int]:
        """Grantee to privileges that are asked for both ways."""
        found = {grantee: self.given.get(grantee, 0) & mask for grantee, mask in self.taken.items()}
        for grantee, (yes, no) in self.options.items():
            found[grantee] = found.get(grantee, 0) | (yes & no)
        return {grantee: mask for grantee, mask in found.items() if mask}


NOTHING_WANTED: t.Final = Wanted()


@dataclasses.dataclass(frozen=True)
class Reach:
    """How far the declaration's word goes on an object.

    :param exclusive: what is not wanted goes.
    :param protected: grantees whom ``exclusive`` takes nothing from.
    :param absent: roles that are to be dropped and so lose everything.
    """

    exclusive: bool = False
    protected: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()


class GrantStep(t.NamedTuple):
    """:param revoke: revoke instead of grant. :param option: see role_steps.Privileges, as for the others."""

    revoke: bool
    mask: int
    option: bool = False
    acting_as: str = ""
    depth: int = 0


class Difference(t.NamedTuple):
    """For one grantee: (privileges, options) before and after, and the steps in order."""

    grantee: str
    before: tuple[int, int]
    after: tuple[int, int]
    steps: tuple[GrantStep, ...]
    is_exclusive: bool


def default_items(kind: ObjectKind, owner: str) -> tuple[AclItem, ...]:
    """What an object without an ACL grants, besides to its owner."""
    return (AclItem(PUBLIC_GRANTEE, kind.public_default, 0, owner),) if kind.public_default else ()


def read_items(acl: str | None, kind: ObjectKind, owner: str) -> tuple[AclItem, ...]:
    return default_items(kind, owner) if acl is None else parse_acl(acl)


def held_privileges(items: t.Iterable[AclItem], owner: str) -> Held:
    """By everybody but the owner, who can always grant to himself."""
    held: Held = {}
    for grantee, mask, options, dummy in items:
        if grantee in held:
            held[grantee] = (held[grantee][0] | mask, held[grantee][1] | options)
        elif grantee != owner:
            held[grantee] = (mask, options)
    return held


def plan_object(
    items: tuple[AclItem, ...], owner: str, wanted: Wanted, reach: Reach, *, former: tuple[AclItem, ...] | None = None
) -> list[Difference]:
    """What has to change, in the order of grantees' names; empty where all is as declared.

    :param former: the items before another revocation takes some along. Those that stand on them have to go first.
    """
    held = held_privileges(items, owner)
    if former is None and _is_plainly_fine(held, owner, wanted, reach):
        return []
    target: Held = {}
    exclusively: set[str] = set()
    grantees = set(wanted.given) | set(wanted.taken) | set(wanted.options)
    if reach.exclusive:
        grantees |= held.keys()
    elif reach.absent:
        grantees |= held.keys() & reach.absent
    grantees.discard(owner)
    for grantee in grantees:
        have = held.get(grantee, _NOTHING)
        plain = _target(grantee, have, wanted, exclusive=False)
        target[grantee] = plain
        if grantee in reach.absent:
            target[grantee] = _NOTHING
        elif reach.exclusive and grantee not in reach.protected:
            target[grantee] = _target(grantee, have, wanted, exclusive=True)
            if target[grantee] != plain:
                exclusively.add(grantee)
    if all(item.grantor == owner for item in items):
        changed = {grantee for grantee in grantees if target[grantee] != held.get(grantee, _NOTHING)}
        return [
            Difference(
                grantee,
                held.get(grantee, _NOTHING),
                target[grantee],
                _plain_steps(held.get(grantee, _NOTHING), target[grantee]),
                grantee in exclusively,
            )
            for grantee in sorted(changed)
        ]
    return _plan_with_grantors(items, former or items, owner, held=held, target=target, exclusively=exclusively)


def _is_plainly_fine(held: Held, owner: str, wanted: Wanted, reach: Reach) -> bool:
    """A short cut for the common case, that all is as declared and nothing special is asked for."""
    if wanted.taken or wanted.options or reach.absent:
        return False
    if reach.exclusive and len(held) != len(wanted.given):
        return False
    for grantee, mask in wanted.given.items():
        found, options = held.get(grantee, _NOTHING)
        if (found != mask or options) if reach.exclusive else (mask & ~found and grantee != owner):
            return False
    return True


def _target(grantee: str, have: tuple[int, int], wanted: Wanted, *, exclusive: bool) -> tuple[int, int]:
    given = wanted.given.get(grantee, 0)
    yes, no = wanted.options.get(grantee, _NOTHING)
    if exclusive:
        return given, yes & given
    mask = (have[0] & ~wanted.taken.get(grantee, 0)) | given
    return mask, ((have[1] & ~no) | yes) & mask


def _plain_steps(have: tuple[int, int], target: tuple[int, int]) -> tuple[GrantStep, ...]:
    """Where the owner is the grantor of everything."""
    steps = []
    if have[0] & ~target[0]:
        steps.append(GrantStep(True, have[0] & ~target[0]))
    if have[1] & ~target[1] & target[0]:
        steps.append(GrantStep(True, have[1] & ~target[1] & target[0], option=True))
    with_option = target[1] & ~have[1]
    without = target[0] & ~have[0] & ~with_option
    if without:
        steps.append(GrantStep(False, without))
    if with_option:
        steps.append(GrantStep(False, with_option, option=True))
    return tuple(steps)


def _plan_with_grantors(
    items: tuple[AclItem, ...],
    former: tuple[AclItem, ...],
    owner: str,
    *,
    held: Held,
    target: Held,
    exclusively: set[str],
) -> list[Difference]:
    """Where some privileges were granted by holders of a grant option: those are revoked in their grantor's name,
    before the grantor loses the option; what is still wanted is granted again by the owner."""
    final = {grantee: target.get(grantee, have) for grantee, have in held.items()}
    final.update(target)
    kept: Held = {}
    steps: dict[str, list[GrantStep]] = {}
    depths = {
        item: _depth(item, former, owner) for item in items if item.grantee != item.grantor
    }  # not the owner's own
    for item, depth in sorted(depths.items(), key=lambda pair: pair[1]):
        mask, options = final.get(item.grantee, (~0, ~0))  # the owner may have been given something, too
        grantor_options = ~0 if item.grantor == owner else kept.get(item.grantor, _NOTHING)[1]
        stays = item.mask & mask & grantor_options
        stays_option = item.options & options & stays
        acting_as = "" if item.grantor == owner else item.grantor
        own = steps.setdefault(item.grantee, [])
        if item.mask & ~stays:
            own.append(GrantStep(True, item.mask & ~stays, False, acting_as, depth))
        if item.options & ~stays_option & stays:
            own.append(GrantStep(True, item.options & ~stays_option & stays, True, acting_as, depth))
        before = kept.get(item.grantee, _NOTHING)
        kept[item.grantee] = (before[0] | stays, before[1] | stays_option)
    # What somebody else granted to the owner goes with that grantor's option; as owner nothing is lost.
    of_owner = tuple(steps.pop(owner, ()))
    lost = functools.reduce(int.__or__, (step.mask for step in of_owner), 0)
    differences = [Difference(owner, (lost, 0), _NOTHING, of_owner, False)] if lost else []
    for grantee in sorted(final):
        give = [step for step in _plain_steps(kept.get(grantee, _NOTHING), final[grantee]) if not step.revoke]
        all_steps = (*steps.get(grantee, ()), *give)
        if all_steps:
            before = held.get(grantee, _NOTHING)
            differences.append(Difference(grantee, before, final[grantee], all_steps, grantee in exclusively))
    return differences


def _depth(item: AclItem, items: tuple[AclItem, ...], owner: str, *, limit: int = 50) -> int:
    """How many grant options an item stands on."""
    if item.grantor == owner or not limit:
        return 0
    below = [other for other in items if other.grantee == item.grantor and other.options & item.mask]
    return 1 + max((_depth(other, items, owner, limit=limit - 1) for other in below), default=0)


def plan_column(
    items: tuple[AclItem, ...], owner: str, wanted: Wanted, *, reach: Reach, of_table: t.Sequence[Difference]
) -> list[Difference]:
    """Like plan_object, for a column: revoking on a table takes the same privileges on its columns along.

    :param of_table: what is planned for the table itself.
    :returns: differences against what is held now; one that comes with the table's revocation has no steps.
    """
    left = tuple(item for item in (_left_of(item, owner, of_table) for item in items) if item.mask)
    differences = plan_object(left, owner, wanted, reach, former=items if left != items else None)
    planned = {difference.grantee: difference for difference in differences}
    before, between = held_privileges(items, owner), held_privileges(left, owner)
    exclusively = {difference.grantee for difference in of_table if difference.is_exclusive}
    answer = []
    for grantee in sorted({*planned, *before}):
        old, now = before.get(grantee, _NOTHING), between.get(grantee, _NOTHING)
        taken_along = old != now and grantee in exclusively
        if grantee in planned:
            own = planned[grantee]
            answer.append(own._replace(before=old, is_exclusive=own.is_exclusive or taken_along))
        elif old != now:
            answer.append(Difference(grantee, old, now, (), taken_along))
    return answer


def _left_of(item: AclItem, owner: str, of_table: t.Sequence[Difference]) -> AclItem:
    gone = options = 0
    for step in (step for difference in of_table if difference.grantee == item.grantee for step in difference.steps):
        if step.revoke and (step.acting_as or owner) == item.grantor:
            gone |= 0 if step.option else step.mask
            options |= step.mask
    return item._replace(mask=item.mask & ~gone, options=item.options & ~options)
