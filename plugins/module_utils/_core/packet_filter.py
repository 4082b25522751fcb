# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Who reaches which port, where an account may connect to: rules, their text for nft, what differs from those in force.

The table is our own and says something about the declared ports only; its policy is to accept, so whatever else filters
packets on the host keeps its say, and a port that nobody declared is as open or closed as before.
"""

from __future__ import annotations

import collections
import dataclasses
import ipaddress
import re
import typing as t

from .errors import InvalidDeclaration, RefusedForSafety
from .plan import Change, Plan

TABLE: t.Final = "inet bulwark"
_NAME: t.Final = re.compile(r"[a-z](?:[a-z0-9]{0,30})")
_ACCOUNT: t.Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_PORTS: t.Final = range(1, 65536)
_COMMENT_LIMIT: t.Final = 100
_HEADER: t.Final = "# Managed by bulwark.database (packet_filter): the next run undoes changes made here by hand."

Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclasses.dataclass(frozen=True)
class PortRule:
    """A port and who may reach it from elsewhere. No network at all: nobody but this host itself.

    :param networks: collapsed and in order, IPv4 before IPv6.
    """

    port: int
    networks: tuple[Network, ...]
    protocol: str = "tcp"
    comment: str = ""

    @property
    def name(self) -> str:
        return f"{self.protocol} port {self.port}"

    def admits(self, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self.networks)


@dataclasses.dataclass(frozen=True)
class Destination:
    """Where an account may connect to, by TCP."""

    port: int
    networks: tuple[Network, ...]


@dataclasses.dataclass(frozen=True)
class AccountRule:
    """An account and all that it may connect to. No destination at all: nothing, not even this host itself."""

    account: str
    destinations: tuple[Destination, ...]


@dataclasses.dataclass(frozen=True)
class Connection:
    """An established connection to this host."""

    protocol: str
    port: int
    peer: str


@dataclasses.dataclass(frozen=True)
class FilterState:
    """What was observed.

    :param in_force: the table as the kernel has it, without counters; None if there is none.
    :param wanted: the declared table as the kernel would have it, in the same words.
    :param rules_file: text of the file that is loaded at boot; None if there is none.
    :param units: texts of the unit that loads it and of the drop-in that reloads it; None for what is not there.
    :param loaded_at_boot: the unit is enabled and has run.
    :param pending: a timer is armed that puts the former rules back.
    """

    in_force: str | None
    wanted: str
    rules_file: str | None = None
    units: tuple[str | None, ...] = ()
    loaded_at_boot: bool = False
    pending: bool = False
    connections: tuple[Connection, ...] = ()

    @property
    def effective(self) -> bool:
        return self.in_force == self.wanted


def port_rule(*, port: int, networks: t.Sequence[str], protocol: str = "tcp", comment: str = "") -> PortRule:
    """A rule from what the user wrote. Raises InvalidDeclaration that names the port and the value."""
    _check_port(port)
    if len(comment) > _COMMENT_LIMIT or not comment.isprintable() or '"' in comment or "\\" in comment:
        raise InvalidDeclaration(
            f"port {port}: the comment can't be used",
            f"At most {_COMMENT_LIMIT} printable characters, no double quote, no backslash",
        )
    return PortRule(port, _collapsed(networks, port=port), protocol, comment)


def account_rule(*, account: str, destinations: t.Sequence[tuple[int, t.Sequence[str]]]) -> AccountRule:
    """A rule from what the user wrote. Raises InvalidDeclaration that names the account and the value.

    :param destinations: ports, each with the networks in which it may be reached.
    """
    if not _ACCOUNT.fullmatch(account):
        raise InvalidDeclaration(f"outgoing: {account!r} is no account", "Like bulwark-backup")
    by_port: dict[int, list[str]] = {}
    for port, networks in destinations:
        _check_port(port)
        if not networks:
            raise InvalidDeclaration(f"outgoing: {account} reaches port {port} of no network", "Leave the entry out")
        by_port.setdefault(port, []).extend(networks)
    rules = (Destination(port, _collapsed(by_port[port], port=port)) for port in sorted(by_port))
    return AccountRule(account, tuple(rules))


def table_called(name: str) -> str:
    """The table of that name; that of no name is the host's own. Raises InvalidDeclaration."""
    if name and not _NAME.fullmatch(name):
        raise InvalidDeclaration(f"name: {name!r} can't name a table", "Small letters and digits, 31 at most")
    return f"{TABLE}_{name}" if name else TABLE


def require_distinct(rules: t.Sequence[PortRule], accounts: t.Sequence[AccountRule] = ()) -> None:
    """Raises InvalidDeclaration if one is declared twice: which of the two is meant can't be told."""
    counted = collections.Counter([*(rule.name for rule in rules), *(f"outgoing: {rule.account}" for rule in accounts)])
    twice = [name for name, count in counted.items() if count > 1]
    if twice:
        raise InvalidDeclaration(f"{twice[0]} is declared twice", "Put its networks into one entry")


def render_table(rules: t.Sequence[PortRule], accounts: t.Sequence[AccountRule] = (), *, table: str = TABLE) -> str:
    """The whole file for ``nft -f``: it replaces our table in one transaction and touches no other."""
    lines = ["#!/usr/sbin/nft -f", _HEADER, f"table {table}", f"delete table {table}", f"table {table} {{"]
    if rules or not accounts:
        lines += ["\tchain input {", *(f"\t\t{line}" for line in _incoming_lines(rules)), "\t}"]
    if accounts:
        lines += ["\tchain output {", *(f"\t\t{line}" for line in _outgoing_lines(accounts, rules)), "\t}"]
    return "\n".join([*lines, "}", ""])


def render_restore(former: str | None, *, table: str = TABLE) -> str:
    """The file that puts a former table back, or takes ours away if there was none."""
    return f"table {table}\ndelete table {table}\n{former or ''}"


def plan_live(
    rules: t.Sequence[PortRule], state: FilterState, *, accepted: t.Sequence[Network] = (), table: str = TABLE
) -> Plan:
    """Bring the rules into force. Raises RefusedForSafety if somebody connected now would be shut out unannounced."""
    if state.effective:
        return Plan()
    strangers = [name for name in outsiders(rules, state) if not _accepted(name.rpartition(" ")[2], accepted)]
    if strangers:
        raise RefusedForSafety(
            f"connected now and in no declared network: {', '.join(strangers)}",
            "Declare their networks, or name them in accepted_outsiders to shut them out",
        )
    return Plan(_line_changes(state.in_force or "", state.wanted, table=table), _open_to_all(rules))


def plan_persistent(state: FilterState, *, rules_text: str, units: tuple[str, ...], rules_path: str, unit: str) -> Plan:
    """Keep what is in force over the next boot, and take back the threat of a rollback."""
    changes = []
    if state.rules_file != rules_text:
        changes.append(_replaced(f"file {rules_path}", state.rules_file, "the declared rules"))
    if state.units != units:
        present = "".join(text or "" for text in state.units) or None
        changes.append(_replaced(f"unit file of {unit}", present, "loads the rules at boot and after a flush"))
    if not state.loaded_at_boot:
        changes.append(Change(f"unit {unit}", after="enabled"))
    if state.pending and not changes:
        changes.append(Change("packet filter", before="rolled back in a moment", after="confirmed"))
    return Plan(tuple(changes))


def plan_absent(state: FilterState, *, rules_path: str, unit: str, table: str = TABLE) -> Plan:
    """Take away all that is ours."""
    changes = [*_line_changes(state.in_force or "", "", table=table)]
    if state.rules_file is not None:
        changes.append(Change(f"file {rules_path}", before="present"))
    if any(state.units) or state.loaded_at_boot:
        changes.append(Change(f"unit {unit}", before="present"))
    return Plan(tuple(changes))


def outsiders(rules: t.Sequence[PortRule], state: FilterState) -> list[str]:
    """Who is connected to a declared port and in none of its networks: ``tcp port 5432 from 192.0.2.7``."""
    by_name = {rule.name: rule for rule in rules}
    found = set()
    for connection in state.connections:
        rule = by_name.get(f"{connection.protocol} port {connection.port}")
        if rule is not None and not rule.admits(connection.peer):
            found.add(f"{rule.name} from {connection.peer}")
    return sorted(found)


def parse_networks(texts: t.Iterable[str], *, option: str) -> list[Network]:
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise InvalidDeclaration(f"{option}: {error}") from None


def _incoming_lines(rules: t.Sequence[PortRule]) -> t.Iterator[str]:
    yield "type filter hook input priority filter - 10; policy accept;"
    yield 'iif "lo" accept'
    yield "ct state established,related accept"
    for rule in sorted(rules, key=lambda rule: (rule.port, rule.protocol)):
        match = f"{rule.protocol} dport {rule.port}"
        comment = f' comment "{rule.comment}"' if rule.comment else ""
        for addresses in _by_family(rule.networks, "saddr"):
            yield f"{match} {addresses} counter accept{comment}"
        yield f"{match} counter drop{comment}"


def _outgoing_lines(accounts: t.Sequence[AccountRule], rules: t.Sequence[PortRule]) -> t.Iterator[str]:
    """Loopback is no exception: a proxy that listens there would be the way out. Refused at once rather than dropped,

    so that what is misdeclared fails with a word and not by its time limit. An answer to somebody on this host is not
    a way out, nor is one to who was let in at a declared port: the server of a pgBackRest repository runs as such an
    account.
    """
    yield "type filter hook output priority filter - 10; policy accept;"
    yield 'oif "lo" ct direction reply ct state established accept'
    for port in sorted(rules, key=lambda rule: (rule.port, rule.protocol)):
        yield f"{port.protocol} sport {port.port} ct direction reply ct state established accept"
    for rule in sorted(accounts, key=lambda rule: rule.account):
        match = f'meta skuid "{rule.account}"'
        for destination in rule.destinations:
            for addresses in _by_family(destination.networks, "daddr"):
                yield f"{match} {addresses} tcp dport {destination.port} counter accept"
        yield f"{match} counter reject with icmpx admin-prohibited"


def _by_family(networks: t.Sequence[Network], field: str) -> t.Iterator[str]:
    for family, version in (("ip", 4), ("ip6", 6)):
        addresses = ", ".join(str(network) for network in networks if network.version == version)
        if addresses:
            yield f"{family} {field} {{ {addresses} }}"


def _check_port(port: int) -> None:
    if port not in _PORTS:
        raise InvalidDeclaration(f"{port} is not a port", "1 to 65535")


def _collapsed(texts: t.Sequence[str], *, port: int) -> tuple[Network, ...]:
    """In order, and without overlaps, because nft refuses a set whose elements do."""
    parsed = [_network(text, port=port) for text in texts]
    version4 = [network for network in parsed if isinstance(network, ipaddress.IPv4Network)]
    version6 = [network for network in parsed if isinstance(network, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(version4), *ipaddress.collapse_addresses(version6))


def _network(text: str, *, port: int) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InvalidDeclaration(
            f"port {port}: {text!r} is not a network",
            "Write 10.1.0.0/16 or 2001:db8::/32; names do not work here",
        ) from None
    raise InvalidDeclaration(f"port {port}: {text} has host bits set", f"Write {meant}, or the one host without a mask")


def _line_changes(before: str, after: str, *, table: str) -> tuple[Change, ...]:
    old, new = _rules_of(before), _rules_of(after)
    changes = [Change(f"table {table}", before=line) for line in old if line not in new]
    changes += [Change(f"table {table}", after=line) for line in new if line not in old]
    if not changes and before != after:
        changes.append(Change(f"table {table}", before="other order or no rule", after="as declared"))
    return tuple(changes)


def _rules_of(listing: str) -> list[str]:
    stripped = [line.strip() for line in listing.splitlines()]
    return [line for line in stripped if line not in ("", "}") and not line.startswith(("table ", "chain "))]


def _replaced(subject: str, present: str | None, after: str) -> Change:
    return Change(subject, before="" if present is None else "something else", after=after)


def _accepted(address: str, accepted: t.Sequence[Network]) -> bool:
    return any(ipaddress.ip_address(address) in network for network in accepted)


def _open_to_all(rules: t.Sequence[PortRule]) -> tuple[str, ...]:
    return tuple(
        f"{rule.name} is declared open to everybody ({network})"
        for rule in rules
        for network in rule.networks
        if network.prefixlen == 0
    )
