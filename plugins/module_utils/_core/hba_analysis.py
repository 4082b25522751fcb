# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""What a rule set means for logins: who is admitted by which rule, which rules are never reached. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from .errors import RefusedForSafety
from .hba import LOCAL, HbaRule, names_of
from .hba_tokens import KEYWORD, NAME, Item

# Which kinds of connection a rule is for.
_CONNECTIONS: t.Final[dict[str, frozenset[str]]] = {
    "local": frozenset({"local"}),
    "host": frozenset({"ssl", "gss", "plain"}),
    "hostssl": frozenset({"ssl"}),
    "hostnossl": frozenset({"gss", "plain"}),
    "hostgssenc": frozenset({"gss"}),
    "hostnogssenc": frozenset({"ssl", "plain"}),
}


@dataclasses.dataclass(frozen=True)
class Login:
    """An attempt to log in.

    :param connection: ``local``, ``ssl``, ``gss`` or ``plain``.
    :param address: where it comes from; empty for ``local``.
    """

    user: str
    database: str
    connection: str = LOCAL
    address: str = ""

    def __str__(self) -> str:
        origin = f"from {self.address} ({self.connection})" if self.address else "on the unix socket"
        return f"role {self.user} in database {self.database} {origin}"


def first_match(rules: t.Sequence[HbaRule], login: Login) -> tuple[int, HbaRule] | None:
    """The rule that decides, with its number; None where none matches, which rejects.

    Groups, files and patterns can't be judged here: such an item never counts as a match that admits, so the answer may
    be a later rule than the server's.
    """
    for number, rule in enumerate(rules, start=1):
        if (
            login.connection in _CONNECTIONS[rule.kind]
            and _has(rule.databases, login.database, same_as=login.user)
            and _has(rule.users, login.user)
            and (rule.kind == LOCAL or _address_matches(rule.address, login.address))
        ):
            return number, rule
    return None


def refuse_lockout(rules: t.Sequence[HbaRule], logins: t.Iterable[Login]) -> None:
    """Raise RefusedForSafety for a login that the rules would not admit."""
    for login in logins:
        found = first_match(rules, login)
        if found is None:
            raise RefusedForSafety(f"no rule would admit {login}", "Add one; nothing was changed")
        number, rule = found
        if rule.method == "reject":
            raise RefusedForSafety(
                f"rule {number} would reject {login}", "Put a rule that admits it above; nothing was changed"
            )


def _has(items: t.Iterable[Item], name: str, *, same_as: str = "") -> bool:
    for item in items:
        if item.kind == NAME and item.text == name:
            return True
        if item.kind == KEYWORD and (item.text == "all" or (item.text == "sameuser" and name == same_as)):
            return True
    return False


def _address_matches(wanted: str, address: str) -> bool:
    if wanted == "all":
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(wanted)
    except ValueError:
        return False


def shadowed_rules(rules: t.Sequence[HbaRule]) -> list[str]:
    """A line for each rule that an earlier one covers entirely."""
    lines = []
    for later, rule in enumerate(rules):
        for earlier in range(later):
            if _covers(rules[earlier], rule):
                lines.append(f"rule {later + 1} is never reached: rule {earlier + 1} matches all that it matches")
                break
    return lines


def _covers(one: HbaRule, other: HbaRule) -> bool:
    return (
        _CONNECTIONS[other.kind] <= _CONNECTIONS[one.kind]
        and _items_cover(one.databases, other.databases, all_but={"replication"})
        and _items_cover(one.users, other.users, all_but=set())
        and (other.kind == LOCAL or _addresses_cover(one.address, other.address))
    )


def _items_cover(one: t.Sequence[Item], other: t.Sequence[Item], *, all_but: set[str]) -> bool:
    everything = Item(KEYWORD, "all") in one
    excepted = {Item(KEYWORD, word) for word in all_but}
    return all(item in one or (everything and item not in excepted) for item in other)


def _addresses_cover(one: str, other: str) -> bool:
    if one in ("all", other):
        return True
    try:
        outer, inner = ipaddress.ip_network(one), ipaddress.ip_network(other)
    except ValueError:
        return False
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def rules_that_never_match(
    rules: t.Sequence[HbaRule], *, ssl: bool, roles: t.Collection[str], databases: t.Collection[str]
) -> list[str]:
    """A line for each rule that the present server can't apply to anybody."""
    lines = []
    for number, rule in enumerate(rules, start=1):
        if rule.kind == "hostssl" and not ssl:
            lines.append(f"rule {number} never matches while ssl is off")
        lines += _unknown(number, "role", names_of(rule.users) - set(roles), only=len(rule.users))
        lines += _unknown(number, "database", names_of(rule.databases) - set(databases), only=len(rule.databases))
    return lines


def _unknown(number: int, what: str, names: set[str], *, only: int) -> list[str]:
    effect = "never matches" if len(names) == only else "names what is not there"
    return [f"rule {number} {effect}: there is no {what} {name!r}" for name in sorted(names)]
