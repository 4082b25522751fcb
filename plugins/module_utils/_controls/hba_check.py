# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who may log in from where and how, judged by the rules of pg_hba.conf as the server reads them."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t

from .._core.assessment import NOT_OBSERVABLE, Finding, Situation
from .._core.observations import Access, HbaRule, Observations, Offenders, Unobservable
from .hba_coverage import (
    PLAIN,
    Connections,
    admitting,
    connections_of,
    is_decided_above,
    is_turned_away,
    is_within,
    may_match_superuser,
    network_of,
)
from .query_check import judge_offenders

Predicate = t.Callable[[Access, Situation], "list[str]"]

# They send the password or what is as good as it, or believe what the client says of itself.
_WEAK_METHODS: t.Final = ("password", "md5", "ident")
# They hand the password on to somebody else: it must at least not cross the network in clear on its way here.
_FORWARDING_METHODS: t.Final = ("ldap", "radius", "pam", "bsd")
_ENCRYPTED: t.Final = ("hostssl", "hostgssenc")
# Anything wider is half of the Internet in two rules.
_SHORTEST_PREFIX: t.Final = {4: 8, 6: 16}


@dataclasses.dataclass(frozen=True)
class HbaCheck:
    """No rule offends.

    :param offenders: names the rules that do, one line each.
    """

    expected: str
    offenders: Predicate

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        return self.expected

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        access = observations.access
        if isinstance(access, Unobservable):
            return Finding(NOT_OBSERVABLE, access.reason, self.expected)
        lines = tuple(self.offenders(access, situation))
        return judge_offenders(Offenders(len(lines), lines), kind="rules that should not be", expected=self.expected)


def unreadable(access: Access, dummy: Situation) -> list[str]:
    return [f"line {rule.line}: {rule.error}" for rule in access.rules if rule.error]


def trusting(access: Access, dummy: Situation) -> list[str]:
    return [str(rule) for rule in admitting(access) if rule.method == "trust"]


def weak(access: Access, dummy: Situation) -> list[str]:
    return [str(rule) for rule in admitting(access) if _is_weak(rule)]


def _is_weak(rule: HbaRule) -> bool:
    if rule.method in _WEAK_METHODS:
        return True
    if rule.method not in _FORWARDING_METHODS:
        return False
    if rule.is_remote and rule.kind not in _ENCRYPTED:
        return True
    return rule.method == "ldap" and not _has_encrypted_directory(rule.options)


def _has_encrypted_directory(options: t.Sequence[str]) -> bool:
    return any(one in ("ldaptls=1", "ldapscheme=ldaps") or one.startswith("ldapurl=ldaps:") for one in options)


def superuser_not_by_peer(access: Access, dummy: Situation) -> list[str]:
    """Local rules that let a superuser in by other means than the account's own name, or none that lets one in."""
    found: list[str] = []
    way_in = False
    for rule in access.rules:
        if rule.kind != "local" or not rule.admits:
            continue
        names = [
            name
            for name in sorted(access.superusers)
            if may_match_superuser(rule, name, access) and not is_decided_above(connections_of(rule, user=name), access)
        ]
        if names and rule.method == "peer":
            way_in = True
        elif names:
            found.append(f"{rule} (admits {', '.join(names)})")
    if not way_in:
        found.append("no rule admits a superuser by peer: the way in when all else fails")
    return found


def superuser_from_afar(access: Access, dummy: Situation) -> list[str]:
    found = []
    for rule in access.rules:
        if not (rule.is_remote and rule.admits):
            continue
        names = [
            name
            for name in sorted(access.superusers)
            if may_match_superuser(rule, name, access) and not is_turned_away(connections_of(rule, user=name), access)
        ]
        if names:
            found.append(f"{rule} (admits {', '.join(names)})")
    return found


def in_plaintext(access: Access, dummy: Situation) -> list[str]:
    """Rules that admit connections without encryption, on the loopback interface too."""
    found = []
    for rule in access.rules:
        if not (rule.is_remote and rule.admits) or rule.kind in _ENCRYPTED:
            continue
        if not is_turned_away(Connections(rule, frozenset({PLAIN})), access):
            found.append(str(rule))
    return found


def from_everywhere(access: Access, situation: Situation) -> list[str]:
    trusted = [ipaddress.ip_network(text, strict=False) for text in situation.declares("trusted_networks")]
    found = []
    for rule in admitting(access):
        why = _too_wide(rule, trusted) if rule.is_remote else ""
        if why:
            found.append(f"{rule} ({why})")
    return found


def _too_wide(rule: HbaRule, trusted: t.Sequence[t.Any]) -> str:
    """Why, or nothing. A host's name stands for that host; a suffix or the own subnet for whoever is in it."""
    if rule.address == "all":
        return "any address"
    network = network_of(rule)
    if network is None:
        vague = rule.address == "samenet" or rule.address.startswith(".")
        return "not comparable with the declared networks" if vague and trusted else ""
    if network.prefixlen < _SHORTEST_PREFIX[network.version]:
        return "nearly any address"
    if network.is_loopback or not trusted or any(is_within(network, one) for one in trusted):
        return ""
    return "in no declared network"


def replication_without_certificate(access: Access, dummy: Situation) -> list[str]:
    return [
        str(rule)
        for rule in admitting(access)
        if rule.is_remote
        and "replication" in rule.databases
        and rule.method != "cert"
        and "clientcert=verify-full" not in rule.options
    ]
