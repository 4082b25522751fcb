# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of pg_hba.conf, judged as the server reads them: the first that matches counts."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.hba_check import (
    HbaCheck,
    Predicate,
    from_everywhere,
    in_plaintext,
    replication_without_certificate,
    superuser_from_afar,
    superuser_not_by_peer,
    trusting,
    unreadable,
    weak,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.assessment import FAIL, NOT_OBSERVABLE, Situation
from ansible_collections.bulwark.database.plugins.module_utils._core.observations import Access, HbaRule, Observations

ALL: dict[str, Predicate] = {
    one.__name__: one
    for one in (
        trusting,
        weak,
        superuser_not_by_peer,
        superuser_from_afar,
        in_plaintext,
        from_everywhere,
        replication_without_certificate,
    )
}
PEER = "local all all peer"
BAR = "host all,replication postgres all reject"
# Those of the role postgresql_hardening.
DEFAULTS = (
    PEER,
    BAR,
    "hostssl all all 127.0.0.1/32 scram-sha-256",
    "hostssl all all ::1/128 scram-sha-256",
    "hostssl all all 10.1.0.0/16 scram-sha-256",
    "host all all all reject",
)


def access(*lines: str) -> Access:
    return Access(tuple(map(rule, lines, range(1, 100))), frozenset({"postgres"}), frozenset({"admins"}))


def rule(line: str, number: int) -> HbaRule:
    """As pg_hba_file_rules shows it: networks with a mask of their own."""
    words = line.split()
    kind, databases, users = words[:3]
    address = netmask = ""
    if kind != "local":
        address, dummy, bits = words.pop(3).partition("/")
        netmask = mask(address, int(bits)) if bits else ""
    return HbaRule(
        number,
        kind,
        tuple(databases.split(",")),
        tuple(users.split(",")),
        address,
        netmask,
        words[3],
        tuple(words[4:]),
    )


def mask(address: str, bits: int) -> str:
    import ipaddress

    return str(ipaddress.ip_network(f"{'::' if ':' in address else '0.0.0.0'}/{bits}").netmask)


def offending(predicate: Predicate, *lines: str, trusted: t.Sequence[str] = ()) -> bool:
    situation = Situation(datetime.date(2026, 11, 22), declared={"trusted_networks": tuple(trusted)})
    return bool(predicate(access(*lines), situation))


@pytest.mark.parametrize("name", ALL)
def test_the_rules_of_the_role_offend_nothing(name: str) -> None:
    assert not offending(ALL[name], *DEFAULTS)
    assert not offending(ALL[name], *DEFAULTS, trusted=["10.1.0.0/16"])


CASES: tuple[tuple[Predicate, tuple[str, ...], bool], ...] = (
    (trusting, ("hostssl all all 10.0.0.1/32 trust",), True),
    (trusting, ("local all all trust",), True),
    (trusting, ("local all all reject", "local all all trust"), False),
    (trusting, ("local all all reject", "local replication all trust"), True),
    (weak, ("hostssl all app 10.0.0.1/32 md5",), True),
    (weak, ("hostssl all app 10.0.0.1/32 password",), True),
    (weak, ("host all app 10.0.0.1/32 ident",), True),
    (weak, ("host all app 10.0.0.1/32 pam",), True),
    (weak, ("hostssl all app 10.0.0.1/32 pam",), False),
    (weak, ("hostssl all app 10.0.0.1/32 ldap ldapserver=x",), True),
    (weak, ("hostssl all app 10.0.0.1/32 ldap ldapserver=x ldaptls=1",), False),
    (weak, ("hostssl all app 10.0.0.1/32 scram-sha-256",), False),
    (superuser_not_by_peer, (PEER,), False),
    (superuser_not_by_peer, ("local all postgres peer", "local all all scram-sha-256"), False),
    (superuser_not_by_peer, ("local all postgres peer", "local all,replication all scram-sha-256"), True),
    (superuser_not_by_peer, ("local all,replication postgres peer", "local all all scram-sha-256"), False),
    (superuser_not_by_peer, ("local all all scram-sha-256", PEER), True),
    (superuser_not_by_peer, ("local all app peer",), True),
    (superuser_not_by_peer, (PEER, "local all +admins md5"), False),
    (superuser_not_by_peer, ("local all +admins scram-sha-256", PEER), True),
    (superuser_not_by_peer, ("local all /^post scram-sha-256", PEER), True),
    (superuser_from_afar, ("hostssl all all 10.0.0.1/32 cert",), True),
    (superuser_from_afar, (BAR, "hostssl all,replication all 10.0.0.1/32 cert"), False),
    (superuser_from_afar, ("host all postgres all reject", "hostssl replication all 10.0.0.1/32 cert"), True),
    (superuser_from_afar, ("hostssl all postgres 10.0.0.0/8 reject", "hostssl all all 10.9.0.0/16 cert"), False),
    (superuser_from_afar, ("hostssl all postgres 10.0.0.0/8 reject", "host all all 10.9.0.0/16 cert"), True),
    (superuser_from_afar, ("hostssl all postgres 10.0.0.0/8 reject", "hostssl all all 0.0.0.0/0 cert"), True),
    (superuser_from_afar, ("hostssl all app 10.0.0.1/32 cert", BAR), False),
    (superuser_from_afar, ("hostssl all all 10.0.0.1/32 cert", BAR), True),
    (superuser_from_afar, ("hostssl shop +admins 10.0.0.1/32 cert",), True),
    (in_plaintext, ("host all app 10.0.0.1/32 scram-sha-256",), True),
    (in_plaintext, ("host all app 127.0.0.1/32 scram-sha-256",), True),
    (in_plaintext, ("hostnossl all all all reject", "host all app 10.0.0.1/32 scram-sha-256"), False),
    (in_plaintext, ("hostssl all all all reject", "host all app 10.0.0.1/32 scram-sha-256"), True),
    (in_plaintext, ("hostgssenc all app 10.0.0.1/32 gss",), False),
    (from_everywhere, ("hostssl all app 0.0.0.0/0 scram-sha-256",), True),
    (from_everywhere, ("hostssl all app ::/0 scram-sha-256",), True),
    (from_everywhere, ("hostssl all app 128.0.0.0/1 scram-sha-256",), True),
    (from_everywhere, ("hostssl all app all scram-sha-256",), True),
    (from_everywhere, ("hostssl all app 10.0.0.0/8 scram-sha-256",), False),
    (from_everywhere, ("hostssl all app db.example scram-sha-256",), False),
    (replication_without_certificate, ("hostssl replication standby 10.0.0.1/32 scram-sha-256",), True),
    (
        replication_without_certificate,
        ("hostssl replication standby 10.0.0.1/32 scram-sha-256 clientcert=verify-full",),
        False,
    ),
    (replication_without_certificate, ("hostssl replication standby 10.0.0.1/32 cert",), False),
)


@pytest.mark.parametrize(("predicate", "lines", "expected"), CASES)
def test_a_rule_counts_where_it_can_match(predicate: Predicate, lines: tuple[str, ...], expected: bool) -> None:
    assert offending(predicate, *lines) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [("10.1.2.0/24", False), ("10.0.0.0/15", True), ("fd00::/64", True), ("127.0.0.1/32", False), ("samenet", True)],
)
def test_networks_are_compared_with_the_declared_ones(address: str, expected: bool) -> None:
    line = f"hostssl all app {address} scram-sha-256"
    assert offending(from_everywhere, line, trusted=["10.1.0.0/16"]) == expected


def test_a_line_that_can_not_be_read_is_named_and_protects_from_nothing() -> None:
    broken = HbaRule(1, "host", ("all",), ("all",), "all", "", "reject", (), "invalid")
    after = rule("host all all 10.0.0.1/32 trust", 2)
    seen = Access((broken, after), frozenset({"postgres"}))
    situation = Situation(datetime.date(2026, 11, 22))
    assert unreadable(seen, situation) == ["line 1: invalid"]
    assert trusting(seen, situation)


def test_the_check_fails_with_the_lines_and_does_not_pass_unseen() -> None:
    check = HbaCheck("no trust", trusting)
    situation = Situation(datetime.date(2026, 11, 22))
    found = check.judge(Observations(access=access("local all all trust")), situation)
    assert (found.verdict, found.evidence) == (FAIL, ("line 1: local all all trust",))
    assert check.judge(Observations(), situation).verdict == NOT_OBSERVABLE
