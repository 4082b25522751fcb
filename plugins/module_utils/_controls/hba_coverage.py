# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Which rules of pg_hba.conf can decide on a connection, judged as the server does: the first that matches counts.

Where something can't be told (a regular expression, a host name), a rule is taken to match and not to protect.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import typing as t

from .._core.observations import Access, HbaRule

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

PLAIN: t.Final = "plain"
SSL: t.Final = "ssl"
GSS: t.Final = "gss"
SOCKET: t.Final = "socket"
TRANSPORTS: t.Final[dict[str, frozenset[str]]] = {
    "local": frozenset({SOCKET}),
    "host": frozenset({PLAIN, SSL, GSS}),
    "hostssl": frozenset({SSL}),
    "hostnossl": frozenset({PLAIN, GSS}),
    "hostgssenc": frozenset({GSS}),
    "hostnogssenc": frozenset({PLAIN, SSL}),
}


@dataclasses.dataclass(frozen=True)
class Connections:
    """A set of connections that a rule matches.

    :param user: one role's; None: those of every role the rule names.
    """

    rule: HbaRule
    transports: frozenset[str]
    user: str | None = None


def admitting(access: Access) -> t.Iterator[HbaRule]:
    """Rules that let somebody in who was not turned away by a rule above."""
    for rule in access.rules:
        if rule.admits and not is_turned_away(connections_of(rule), access):
            yield rule


def connections_of(rule: HbaRule, *, user: str | None = None) -> Connections:
    return Connections(rule, TRANSPORTS.get(rule.kind, frozenset()), user)


def is_turned_away(wanted: Connections, access: Access) -> bool:
    """Whether rules above reject all of these connections."""
    return _is_decided(wanted, access, lambda rule: rule.method == "reject")


def is_decided_above(wanted: Connections, access: Access) -> bool:
    """Whether a rule above matches all of these connections, whatever it does with them."""
    return _is_decided(wanted, access, lambda dummy: True)


def _is_decided(wanted: Connections, access: Access, counts: t.Callable[[HbaRule], bool]) -> bool:
    for earlier in access.rules:
        if earlier is wanted.rule:
            return False
        if not earlier.error and counts(earlier) and _covers(earlier, wanted, access):
            return True
    return False


def _covers(earlier: HbaRule, wanted: Connections, access: Access) -> bool:
    rule = wanted.rule
    return (
        wanted.transports <= TRANSPORTS.get(earlier.kind, frozenset())
        and all(_covers_database(earlier.databases, name) for name in rule.databases)
        and _covers_users(earlier, wanted, access)
        and (rule.kind == "local" or _covers_address(earlier, rule))
    )


def _covers_database(databases: t.Sequence[str], name: str) -> bool:
    # "all" does not stand for replication.
    return name in databases or ("all" in databases and name != "replication")


def _covers_users(earlier: HbaRule, wanted: Connections, access: Access) -> bool:
    if "all" in earlier.users:
        return True
    if wanted.user is None:
        return set(wanted.rule.users) <= set(earlier.users)
    groups = {f"+{name}" for name in access.superuser_groups} if len(access.superusers) == 1 else set()
    return wanted.user in earlier.users or bool(groups & set(earlier.users))


def _covers_address(earlier: HbaRule, rule: HbaRule) -> bool:
    if earlier.address == "all" or (earlier.address, earlier.netmask) == (rule.address, rule.netmask):
        return True
    outer, inner = network_of(earlier), network_of(rule)
    return outer is not None and inner is not None and is_within(inner, outer)


def may_match_superuser(rule: HbaRule, name: str, access: Access) -> bool:
    """Whether the rule is for this superuser, also through ``all``, a group or a regular expression."""
    return any(_may_be(word, name, access) for word in rule.users)


def _may_be(word: str, name: str, access: Access) -> bool:
    if word in ("all", name):
        return True
    if word.startswith("+"):
        return word[1:] in access.superuser_groups or word[1:] == name
    if word.startswith("/"):
        try:
            return re.search(word[1:], name) is not None
        except re.error:
            return True
    return False


def network_of(rule: HbaRule) -> Network | None:
    """The rule's addresses as one network; None for ``all``, ``samenet`` and host names."""
    text = f"{rule.address}/{rule.netmask}" if rule.netmask and "/" not in rule.address else rule.address
    try:
        if ":" in text and rule.netmask:
            # Python takes no IPv6 mask in the address notation in which the server shows it.
            text = f"{rule.address}/{bin(int(ipaddress.IPv6Address(rule.netmask))).count('1')}"
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
