# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._core.hba import (
    HbaRule,
    declared_mappings,
    declared_rules,
    parse_mappings,
    parse_rules,
    render_mappings,
    render_rules,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.hba_analysis import (
    Login,
    first_match,
    refuse_lockout,
    rules_that_never_match,
    shadowed_rules,
)
from ansible_collections.bulwark.database.plugins.module_utils._dialects.postgresql_hba import PostgreSQLHbaGrammar

NEW, OLD = PostgreSQLHbaGrammar(180000), PostgreSQLHbaGrammar(130000)

# Names as hostile as PostgreSQL allows them: everything but control characters.
NAMES = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=20)
QUOTED_NAMES = NAMES.filter(lambda name: not name.startswith("/")).map(lambda name: '"' + name.replace('"', '""') + '"')
COMMENTS = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), max_size=20).filter(
    lambda text: not text.startswith("reason:") and not text.endswith("\\")
)
DECLARED = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["hostssl", "host", "hostnossl"]),
        "databases": st.lists(
            QUOTED_NAMES | st.sampled_from(["all", "sameuser", "replication"]), min_size=1, max_size=3
        ),
        "users": st.lists(QUOTED_NAMES | st.just("all") | st.just("+group"), min_size=1, max_size=3),
        "address": st.sampled_from(["all", "samenet", "10.0.0.0/8", "2001:db8::/32", "db.example.org", ".example.org"]),
        "method": st.sampled_from(["scram-sha-256", "reject", "md5"]),
        "options": st.dictionaries(st.sampled_from(["map", "clientcert", "ldapserver"]), NAMES, max_size=2),
        "comment": COMMENTS,
        "reason": st.just("because"),
    }
)


def rules(*declared: dict[str, t.Any]) -> tuple[HbaRule, ...]:
    return declared_rules(declared, NEW)


def test_a_file_reads_well() -> None:
    text = render_rules(
        rules(
            {"type": "local", "method": "peer", "comment": "local accounts"},
            {"type": "hostssl", "users": ["a b", "+staff"], "address": "10.0.0.0/8", "method": "md5", "reason": "old"},
        ),
        NEW,
    )
    assert text.splitlines()[1:] == [
        "# TYPE   DATABASE  USER          ADDRESS     METHOD  OPTIONS",
        "",
        "# local accounts",
        "local    all       all                       peer",
        "# reason: old",
        'hostssl  all       "a b",+staff  10.0.0.0/8  md5',
    ]


@given(st.lists(DECLARED, max_size=5), st.sampled_from([NEW, OLD]))
def test_reading_what_was_written_gives_the_same_rules(declared: list, grammar: PostgreSQLHbaGrammar) -> None:
    made = declared_rules(declared, grammar)
    assert parse_rules(render_rules(made, grammar), grammar) == made


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "map": NAMES.filter(lambda name: not name.startswith("@")),
                "system_user": QUOTED_NAMES,
                "database_user": QUOTED_NAMES,
            }
        ),
        max_size=4,
    )
)
def test_reading_what_was_written_gives_the_same_mappings(declared: list) -> None:
    made = declared_mappings(declared, NEW)
    assert parse_mappings(render_mappings(made, NEW), NEW) == made


def test_a_pattern_is_one_only_where_the_server_knows_patterns() -> None:
    declared = {"type": "hostssl", "users": ["/^app_"], "address": "all", "method": "reject"}
    assert declared_rules([declared], NEW)[0].users[0].kind == "regex"
    assert declared_rules([declared], OLD)[0].users[0].kind == "name"


@pytest.mark.parametrize(
    ("login", "number"),
    [
        (Login("postgres", "postgres"), 1),
        (Login("app", "app", "ssl", "10.1.2.3"), 3),
        (Login("app", "shop", "ssl", "10.1.2.3"), 4),
        (Login("app", "shop", "plain", "10.1.2.3"), 2),
        (Login("app", "shop", "ssl", "192.0.2.1"), 4),
    ],
)
def test_the_first_rule_that_matches_decides(login: Login, number: int) -> None:
    found = first_match(
        rules(
            {"type": "local", "method": "peer"},
            {"type": "hostnossl", "address": "all", "method": "reject"},
            {"type": "hostssl", "databases": ["sameuser"], "address": "10.0.0.0/8", "method": "scram-sha-256"},
            {"type": "host", "address": "all", "method": "reject"},
        ),
        login,
    )
    assert found is not None
    assert found[0] == number


def test_a_lockout_names_the_login_and_the_rule() -> None:
    declared = rules({"type": "local", "users": ["app"], "method": "peer"}, {"type": "local", "method": "reject"})
    with pytest.raises(
        RefusedForSafety, match="rule 2 would reject role postgres in database postgres on the unix socket"
    ):
        refuse_lockout(declared, [Login("postgres", "postgres")])


@pytest.mark.parametrize(
    ("earlier", "later", "is_shadowed"),
    [
        ({"type": "host", "address": "10.0.0.0/8"}, {"type": "hostssl", "address": "10.1.0.0/16"}, True),
        ({"type": "hostssl", "address": "10.0.0.0/8"}, {"type": "host", "address": "10.1.0.0/16"}, False),
        ({"type": "host", "address": "10.1.0.0/16"}, {"type": "host", "address": "10.0.0.0/8"}, False),
        ({"type": "host", "address": "all"}, {"type": "host", "address": "db.example.org"}, True),
        ({"type": "host", "address": "10.0.0.0/8"}, {"type": "host", "address": "2001:db8::/32"}, False),
        (
            {"type": "host", "address": "all"},
            {"type": "host", "databases": ["replication"], "address": "all"},
            False,
        ),
        (
            {"type": "host", "users": ["a", "b"], "address": "all"},
            {"type": "host", "users": ["b"], "address": "all"},
            True,
        ),
    ],
)
def test_a_rule_that_an_earlier_one_covers_is_found(earlier: dict, later: dict, is_shadowed: bool) -> None:
    declared = rules({**earlier, "method": "reject"}, {**later, "method": "reject"})
    assert bool(shadowed_rules(declared)) is is_shadowed


def test_rules_for_nobody_are_found() -> None:
    declared = rules(
        {"type": "hostssl", "users": ["gone"], "address": "all", "method": "reject"},
        {"type": "local", "users": ["app", "gone"], "databases": ["lost"], "method": "peer"},
    )
    assert rules_that_never_match(declared, ssl=False, roles=["app"], databases=["postgres"]) == [
        "rule 1 never matches while ssl is off",
        "rule 1 never matches: there is no role 'gone'",
        "rule 2 names what is not there: there is no role 'gone'",
        "rule 2 never matches: there is no database 'lost'",
    ]


@pytest.mark.parametrize(
    "mapping", [{"map": "", "system_user": "a", "database_user": "b"}, {"map": "m", "system_user": "a"}]
)
def test_an_incomplete_mapping_is_refused(mapping: dict) -> None:
    with pytest.raises(InvalidDeclaration, match="an ident mapping lacks"):
        declared_mappings([mapping], NEW)
