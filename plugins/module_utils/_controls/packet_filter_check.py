# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The packet filter of the host, read as the kernel has it: who reaches the server's port at all."""

from __future__ import annotations

import typing as t

from .._core.assessment import FAIL, PASS, Finding, Situation
from .._core.observations import Observations
from .observed_check import ObservedCheck, seen

Json = t.Mapping[str, t.Any]


class PacketFilterCheck(ObservedCheck):
    """Some chain for incoming packets drops what comes to the port from a network that no rule of it names."""

    expected = "packets to the server's port are dropped unless they come from a named network"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        ruleset, port = seen(observations.packet_filter), observations.port
        chains = [entry["chain"] for entry in ruleset if entry.get("chain", {}).get("hook") == "input"]
        if not chains:
            return Finding(FAIL, "no chain filters incoming packets", self.expected)
        closed = [chain for chain in chains if _drops_strangers(chain, ruleset, port)]
        families = {chain["family"] for chain in closed}
        if "inet" in families or families >= {"ip", "ip6"}:
            names = " and ".join(_name(chain) for chain in closed)
            return Finding(PASS, f"{names}: drops what is not admitted to port {port}", self.expected)
        opened = tuple(
            f"{_name(chain)}: lets a stranger through to port {port}" for chain in chains if chain not in closed
        )
        return Finding(FAIL, f"port {port} is open to everybody", self.expected, opened)


def _name(chain: Json) -> str:
    return f"table {chain['family']} {chain['table']} chain {chain['name']}"


def _drops_strangers(chain: Json, ruleset: t.Sequence[Json], port: int) -> bool:
    """Whether a packet of a new connection that comes from nowhere in particular ends in this chain.

    The chain is walked like the kernel does.
    """
    verdict = _walk(chain, ruleset, port, depth=0)
    return (chain.get("policy", "accept") if verdict == "continue" else verdict) == "drop"


def _walk(chain: Json, ruleset: t.Sequence[Json], port: int, *, depth: int) -> str:
    """``accept``, ``drop`` or ``continue``. What is not understood is taken to let the packet on."""
    place = (chain["family"], chain["table"], chain["name"])
    for entry in ruleset:
        rule = entry.get("rule")
        if rule is None or (rule["family"], rule["table"], rule["chain"]) != place:
            continue
        expressions = rule.get("expr", [])
        applies = [_stranger_matches(one["match"], port) for one in expressions if "match" in one]
        if False in applies:
            continue
        verdict = _verdict(expressions, chain, ruleset, port=port, depth=depth)
        # A drop that depends on something unknown may not happen; an accept that does may.
        if verdict == "drop" and any(one is None for one in applies):
            continue
        if verdict in ("accept", "drop"):
            return verdict
        if verdict == "return":
            break
    return "continue"


def _verdict(expressions: t.Sequence[Json], chain: Json, ruleset: t.Sequence[Json], *, port: int, depth: int) -> str:
    for expression in expressions:
        for word in ("accept", "drop", "return"):
            if word in expression:
                return word
        if "reject" in expression:
            return "drop"
        target = expression.get("jump") or expression.get("goto")
        if target and depth < 16:
            inner = {**chain, "name": target["target"]}
            return _walk(inner, ruleset, port, depth=depth + 1)
    return "continue"


def _stranger_matches(match: Json, port: int) -> bool | None:  # noqa: PLR0911 (one kind of match a line)
    """Whether the stranger's packet matches: a new TCP connection to the port from nowhere in particular.

    None where that can't be told.
    """
    left, right, equals = match.get("left", {}), match.get("right"), match.get("op") in ("==", "in")
    if not isinstance(left, dict):
        return None
    payload, meta = left.get("payload", {}), left.get("meta", {})
    if payload.get("field") == "dport":
        if any(word.startswith("@") for word in _words(right)):
            return None
        return (_holds_port(right, port) and payload.get("protocol") in ("tcp", "th")) == equals
    if payload.get("field") == "saddr":
        return _holds_everybody(right) == equals
    if left.get("ct", {}).get("key") == "state":
        return ("new" in _words(right)) == equals
    if meta.get("key") in ("iif", "iifname"):
        return None if "lo" not in _words(right) else not equals
    if meta.get("key") in ("l4proto", "nfproto"):
        return ({"tcp", "6", "ipv4", "ipv6"} & _words(right) != set()) == equals
    if payload.get("protocol") in ("icmp", "icmpv6", "udp"):
        return not equals
    return None


def _elements(right: t.Any) -> list[t.Any]:
    if isinstance(right, dict) and "set" in right:
        return list(right["set"])
    return right if isinstance(right, list) else [right]


def _words(right: t.Any) -> set[str]:
    return {str(element) for element in _elements(right)}


def _holds_port(right: t.Any, port: int) -> bool:
    for element in _elements(right):
        if element == port:
            return True
        if isinstance(element, dict) and "range" in element and element["range"][0] <= port <= element["range"][1]:
            return True
    return False


def _holds_everybody(right: t.Any) -> bool:
    """Whether a set of addresses is the whole Internet (a named set, "@set", is not)."""
    for element in _elements(right):
        prefix = element.get("prefix") if isinstance(element, dict) else None
        if prefix is not None and prefix["len"] == 0:
            return True
        if isinstance(element, str) and element in ("0.0.0.0", "::"):  # noqa: S104 (compared, nothing listens)
            return True
    return False
