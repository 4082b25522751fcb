# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._core.packet_filter import (
    Connection,
    FilterState,
    account_rule,
    outsiders,
    parse_networks,
    plan_absent,
    plan_live,
    plan_persistent,
    port_rule,
    render_restore,
    render_table,
    require_distinct,
    table_called,
)

POSTGRESQL = port_rule(port=5432, networks=["10.1.0.0/16"])


def persistent(state: FilterState) -> list[str]:
    return plan_persistent(state, rules_text="R", units=("U",), rules_path="/r", unit="u.service").summaries()


def test_a_port_is_admitted_from_its_networks_and_closed_to_the_rest() -> None:
    rule = port_rule(port=5432, networks=["10.1.0.0/16", "2001:db8::/32"], comment="clients")
    assert render_table([rule]).splitlines()[-8:] == [
        "\t\ttype filter hook input priority filter - 10; policy accept;",
        '\t\tiif "lo" accept',
        "\t\tct state established,related accept",
        '\t\ttcp dport 5432 ip saddr { 10.1.0.0/16 } counter accept comment "clients"',
        '\t\ttcp dport 5432 ip6 saddr { 2001:db8::/32 } counter accept comment "clients"',
        '\t\ttcp dport 5432 counter drop comment "clients"',
        "\t}",
        "}",
    ]


def test_a_port_without_networks_is_closed_to_everybody_else() -> None:
    text = render_table([port_rule(port=8008, networks=[])])
    assert "dport 8008 counter drop" in text
    assert "saddr" not in text


def test_the_order_of_the_declaration_makes_no_difference() -> None:
    first, second = POSTGRESQL, port_rule(port=22, networks=["10.0.0.0/8"])
    assert render_table([first, second]) == render_table([second, first])


def test_overlapping_networks_are_joined_because_nft_would_refuse_them() -> None:
    rule = port_rule(port=1, networks=["10.1.1.0/24", "10.0.0.0/8", "192.168.0.0/25", "192.168.0.128/25"])
    assert [str(network) for network in rule.networks] == ["10.0.0.0/8", "192.168.0.0/24"]


@pytest.mark.parametrize(
    ("port", "networks", "comment", "says"),
    [
        (0, [], "", "0 is not a port"),
        (65536, [], "", "65536 is not a port"),
        (5432, ["10.1.2.3/16"], "", r"10\.1\.2\.3/16 has host bits set\. Write 10\.1\.0\.0/16"),
        (5432, ["db.example.org"], "", "'db.example.org' is not a network"),
        (5432, ["10.0.0.0/8 } accept; #"], "", "is not a network"),
        (5432, [""], "", "is not a network"),
        (5432, [], 'x" accept', "comment can't be used"),
        (5432, [], "two\nlines", "comment can't be used"),
        (5432, [], "x" * 101, "comment can't be used"),
    ],
)
def test_bad_input_is_refused_by_name(port: int, networks: list[str], comment: str, says: str) -> None:
    with pytest.raises(InvalidDeclaration, match=says):
        port_rule(port=port, networks=networks, comment=comment)


def test_a_port_declared_twice_is_refused_but_tcp_and_udp_are_two() -> None:
    require_distinct([POSTGRESQL, port_rule(port=5432, networks=[], protocol="udp")])
    with pytest.raises(InvalidDeclaration, match="tcp port 5432 is declared twice"):
        require_distinct([POSTGRESQL, port_rule(port=5432, networks=[])])


def test_rules_that_are_in_force_need_no_change() -> None:
    assert not plan_live([POSTGRESQL], FilterState("rules", "rules"))


def test_each_rule_that_comes_or_goes_is_a_line_of_the_plan() -> None:
    before = "table inet bulwark {\n\tchain input {\n\t\told\n\t\tsame\n\t}\n}\n"
    plan = plan_live([POSTGRESQL], FilterState(before, before.replace("old", "new")))
    assert plan.diff() == {"before": "table inet bulwark: old\n", "after": "table inet bulwark: new\n"}


def test_rules_in_another_order_are_a_change_too() -> None:
    assert len(plan_live([POSTGRESQL], FilterState("a\nb\n", "b\na\n"))) == 1
    assert len(plan_live([POSTGRESQL], FilterState("a\na\nb\n", "a\nb\n"))) == 1


def test_a_table_without_its_only_rule_is_a_change_although_no_rule_is_seen() -> None:
    assert plan_live([], FilterState(None, "table inet bulwark {\n}\n"))


def test_somebody_who_is_connected_is_not_shut_out_unannounced() -> None:
    state = FilterState(None, "x", connections=(Connection("tcp", 5432, "10.9.0.1"), Connection("tcp", 22, "10.9.0.2")))
    assert outsiders([POSTGRESQL], state) == ["tcp port 5432 from 10.9.0.1"]
    with pytest.raises(RefusedForSafety, match=r"in no declared network: tcp port 5432 from 10\.9\.0\.1"):
        plan_live([POSTGRESQL], state)
    assert plan_live([POSTGRESQL], state, accepted=parse_networks(["10.9.0.0/24"], option="x"))


def test_a_port_open_to_everybody_is_said_aloud() -> None:
    plan = plan_live([port_rule(port=5432, networks=["0.0.0.0/0"])], FilterState(None, "x"))
    assert plan.warnings == ("tcp port 5432 is declared open to everybody (0.0.0.0/0)",)


@pytest.mark.parametrize(
    ("state", "changes"),
    [
        (FilterState("x", "x", "R", ("U",), True), 0),
        (FilterState("x", "x", "R", ("U",), True, pending=True), 1),
        (FilterState("x", "x", None, (None,)), 3),
        (FilterState("x", "x", None, (None,), pending=True), 3),
        (FilterState("x", "x", "other", ("U",), True), 1),
        (FilterState("x", "x", "R", ("U",), False), 1),
    ],
)
def test_what_is_in_force_is_kept_once(state: FilterState, changes: int) -> None:
    assert len(persistent(state)) == changes


def test_what_is_ours_is_taken_away_and_then_nothing_is_left_to_do() -> None:
    state = FilterState("rule\n", "", "R", ("U",), True)
    assert len(plan_absent(state, rules_path="/r", unit="u")) == 3
    assert not plan_absent(FilterState(None, ""), rules_path="/r", unit="u")


def test_a_rollback_restores_the_former_table_or_none() -> None:
    assert render_restore("table inet bulwark { }\n").endswith("delete table inet bulwark\ntable inet bulwark { }\n")
    assert render_restore(None).endswith("delete table inet bulwark\n")


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@given(st.lists(st.tuples(addresses, st.integers(0, 128))), addresses)
def test_the_rendered_rules_admit_exactly_the_declared_networks(
    declared: list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]], peer: object
) -> None:
    networks = [
        ipaddress.ip_network((address, min(prefix, address.max_prefixlen)), strict=False)
        for address, prefix in declared
    ]
    rule = port_rule(port=5432, networks=[str(network) for network in networks])
    rendered = [
        ipaddress.ip_network(text)
        for elements in re.findall(r"saddr \{ ([^}]*) \}", render_table([rule]))
        for text in elements.split(", ")
    ]
    for address in [peer, *(network[0] for network in networks), *(network[-1] for network in networks)]:
        expected = any(address in network for network in networks)
        assert any(address in network for network in rendered) is expected
        assert rule.admits(str(address)) is expected


def test_an_account_reaches_its_destinations_and_is_refused_the_rest_loopback_included() -> None:
    rule = account_rule(
        account="bulwark-backup", destinations=[(2222, ["192.0.2.9"]), (22, ["192.0.2.7"]), (22, ["2001:db8::7"])]
    )
    lines = [line.strip() for line in render_table([], [rule]).splitlines()]
    assert lines[lines.index("chain output {") :] == [
        "chain output {",
        "type filter hook output priority filter - 10; policy accept;",
        'oif "lo" ct direction reply ct state established accept',
        'meta skuid "bulwark-backup" ip daddr { 192.0.2.7/32 } tcp dport 22 counter accept',
        'meta skuid "bulwark-backup" ip6 daddr { 2001:db8::7/128 } tcp dport 22 counter accept',
        'meta skuid "bulwark-backup" ip daddr { 192.0.2.9/32 } tcp dport 2222 counter accept',
        'meta skuid "bulwark-backup" counter reject with icmpx admin-prohibited',
        "}",
        "}",
    ]
    assert "chain input" not in lines
    both = render_table([POSTGRESQL], [rule])
    assert both.index("chain input") < both.index("chain output")


def test_an_account_answers_who_is_let_in_at_a_declared_port() -> None:
    text = render_table(
        [port_rule(port=8432, networks=["192.0.2.2"])], [account_rule(account="nobody", destinations=[])]
    )
    answers = text.index("tcp sport 8432 ct direction reply ct state established accept")
    assert answers < text.index('meta skuid "nobody" counter reject')


def test_an_account_without_destinations_has_no_network() -> None:
    text = render_table([], [account_rule(account="nobody", destinations=[])])
    assert "accept;" in text
    assert "counter accept" not in text
    assert 'meta skuid "nobody" counter reject' in text


@pytest.mark.parametrize(
    ("account", "destinations", "says"),
    [
        ('x" accept', [], "is no account"),
        ("", [], "is no account"),
        ("backup", [(0, ["192.0.2.7"])], "0 is not a port"),
        ("backup", [(22, [])], "reaches port 22 of no network"),
        ("backup", [(22, ["copies.example.org"])], "'copies.example.org' is not a network"),
    ],
)
def test_an_account_that_can_not_be_confined_is_refused_by_name(
    account: str, destinations: list[tuple[int, list[str]]], says: str
) -> None:
    with pytest.raises(InvalidDeclaration, match=says):
        account_rule(account=account, destinations=destinations)


def test_an_account_declared_twice_is_refused() -> None:
    rule = account_rule(account="backup", destinations=[])
    with pytest.raises(InvalidDeclaration, match="outgoing: backup is declared twice"):
        require_distinct([], [rule, rule])


def test_a_table_of_its_own_name_names_no_other() -> None:
    table = table_called("copies")
    assert table == "inet bulwark_copies"
    assert table_called("") == "inet bulwark"
    for text in (render_table([POSTGRESQL], table=table), render_restore(None, table=table)):
        assert {line.rstrip(" {") for line in text.splitlines() if "table inet" in line} <= {
            f"table {table}",
            f"delete table {table}",
        }
    changes = plan_live([POSTGRESQL], FilterState(in_force=None, wanted="rule"), table=table)
    assert {change.subject for change in changes} == {f"table {table}"}


@pytest.mark.parametrize("name", ["Copies", "a b", "1", "a_b", "x" * 32, "../x", "-"])
def test_a_name_that_could_be_something_else_is_refused(name: str) -> None:
    with pytest.raises(InvalidDeclaration, match="can't name a table"):
        table_called(name)
