# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts_model_server import IDENTITY, ROOT, Model, ModelDialect, server
from ansible_collections.bulwark.database.plugins.module_utils._core.account_declaration import (
    parse_accounts,
    parse_grantee,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.account_grants import (
    AccountsDeclaration,
    parse_databases,
    parse_global_grants,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.account_hierarchy import (
    account_graph,
    plan_account_hierarchy,
    weak_authentication,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.accounts_model import (
    BITS,
    COLUMN,
    DATABASE,
    EVERYBODY,
    TABLE,
    Grantee,
    Membership,
    Method,
    ObservedAccount,
    ObservedServer,
    Scope,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    InvalidDeclaration,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.mariadb_passwords import NATIVE, stored_form
from ansible_collections.bulwark.database.plugins.module_utils._core.password_rules import PasswordRules
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret

DIALECT = ModelDialect((10, 11, 0))
OLD = ModelDialect((10, 6, 0))
R, S = Grantee("r"), Grantee("s")
U, V = Grantee("u", "localhost"), Grantee("v", "%")


def declare(**options: t.Any) -> AccountsDeclaration:
    return AccountsDeclaration(
        parse_accounts(options.pop("roles", []), options.pop("accounts", []), PasswordRules()),
        parse_databases(options.pop("databases", []), DIALECT),
        parse_global_grants(options.pop("global_grants", []), DIALECT),
        **options,
    )


def lines(declaration: AccountsDeclaration, observed: ObservedServer) -> list[str]:
    """The plan's lines; carried out, it leaves nothing to do."""
    plan = plan_account_hierarchy(declaration, observed, DIALECT)
    after = Model(observed).apply(plan).observed
    assert plan_account_hierarchy(declaration, after, DIALECT).summaries() == []
    return plan.summaries()


@pytest.mark.parametrize(
    ("entry", "grantee"),
    [
        ("reader", Grantee("reader")),
        ("public", EVERYBODY),
        ("app@10.0.0.%", Grantee("app", "10.0.0.%")),
        ("a@b@DB.example", Grantee("a@b", "db.example")),
        ({"role": "we@ird"}, Grantee("we@ird")),
        ({"name": "we@ird", "host": "%"}, Grantee("we@ird", "%")),
    ],
)
def test_grantees_are_read(entry: t.Any, grantee: Grantee) -> None:
    assert parse_grantee(entry, "here") == grantee


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"roles": [{"name": "none"}]}, "word of the server's"),
        ({"roles": [{"name": "r"}, {"name": "r"}]}, "role r is declared twice"),
        ({"accounts": [{"name": "u", "password": "x" * 12}]}, "uses fewer than 3"),
        ({"accounts": [{"name": "u", "password": "Good-pass-123", "passwordless": True}]}, "exclude each other"),
        ({"accounts": [{"name": "u", "password_hash": "*" + "A" * 40}]}, "needs a password_plugin"),
        ({"accounts": [{"name": "u", "password_hash": "x", "password_plugin": NATIVE}]}, "is none of"),
        ({"accounts": [{"name": "u", "tls": "none", "tls_subject": "/CN=x"}]}, "asks for less"),
        ({"accounts": [{"name": "u", "max_user_connections": True}]}, "a number that is not negative"),
        ({"accounts": [{"name": "x" * 129}]}, "takes no such name"),
        ({"databases": [{"name": "x_" * 32}]}, "escaped the name has 96 characters"),
        ({"databases": [{"name": "x%", "pattern": True, "grants": [{"type": "table"}]}]}, "only grants on databases"),
    ],
)
def test_a_mistake_is_told(options: dict[str, t.Any], message: str) -> None:
    with pytest.raises(InvalidDeclaration, match=message):
        declare(**options)


def test_public_needs_a_newer_server() -> None:
    declaration = declare(databases=[{"name": "shop", "grants": [{"to": ["PUBLIC"], "privileges": ["SELECT"]}]}])
    with pytest.raises(InvalidDeclaration, match="this server has no PUBLIC"):
        plan_account_hierarchy(declaration, server(), OLD)


def test_an_account_that_authenticates_elsewhere_is_not_passwordless() -> None:
    methods = {
        "socket": (Method("unix_socket"),),
        "pam": (Method("pam"),),
        "placeholder": (Method(NATIVE, Secret("invalid")), Method("unix_socket")),
        "old": (Method(NATIVE, Secret(stored_form(NATIVE, "x"))),),
        "open": (Method(NATIVE),),
        "": (Method(NATIVE),),
    }
    accounts = {
        Grantee(name, "%"): ObservedAccount(Grantee(name, "%"), found, locked=name == "locked")
        for name, found in methods.items()
    }
    assert weak_authentication(server(accounts=accounts)) == [
        'account ""@%: anonymous, no password',
        "account old@%: mysql_native_password",
        "account open@%: no password",
    ]


def test_a_salted_password_is_not_replaced_unasked() -> None:
    parsec = ObservedAccount(U, (Method("parsec", Secret("P0/salt/hash")), Method("unix_socket")))
    observed = server(accounts={U: parsec})
    entry = {"name": "u", "password": "Good-pass-123"}
    with pytest.raises(InvalidDeclaration, match="by parsec, which this module can't compare"):
        plan_account_hierarchy(declare(accounts=[entry]), observed, DIALECT)
    assert lines(declare(accounts=[{**entry, "update_password": "on_create"}]), observed) == []
    assert lines(declare(accounts=[{**entry, "password_plugin": "ed25519"}]), observed) == [
        "account u@localhost: authentication: parsec or unix_socket -> ed25519 or unix_socket"
    ]


def test_what_stands_on_a_table_and_its_columns_is_told_apart() -> None:
    select, insert = BITS["SELECT"], BITS["INSERT"]
    held = {
        Scope(TABLE, "shop", "t"): {R: select | insert},
        Scope(COLUMN, "shop", "t", "a"): {R: select | insert},
        Scope(COLUMN, "shop", "t", "b"): {R: insert},
    }
    gone = {"to": ["r"], "type": "table", "names": ["t"], "privileges": ["SELECT"], "state": "absent"}
    kept = {"to": ["r"], "type": "table", "names": ["t"], "columns": ["A"], "privileges": ["SELECT"]}
    observed = server(R, held=held)
    assert lines(declare(databases=[{"name": "shop", "grants": [gone]}]), observed) == [
        "database shop: table t: privileges of role r: SELECT, INSERT -> INSERT",
        "database shop: table t column a: privileges of role r: SELECT, INSERT -> INSERT",
    ]
    # What stays is granted again after the revocation that takes it along.
    done = lines(declare(databases=[{"name": "shop", "grants": [gone, kept]}]), observed)
    assert done[1] == "database shop: table t column a: privileges of role r: SELECT, INSERT -> SELECT, INSERT"


def test_the_test_database_goes_with_what_everybody_may_in_it() -> None:
    held = {
        Scope(DATABASE, "test"): {EVERYBODY: BITS["SELECT"], U: BITS["INSERT"]},
        Scope(DATABASE, "test\\_%"): {EVERYBODY: BITS["SELECT"]},
    }
    observed = server(U, Grantee("", "localhost"), EVERYBODY, held=held, databases=frozenset({"test"}))
    plan = plan_account_hierarchy(declare(remove_test_database=True, remove_anonymous=True), observed, DIALECT)
    assert plan.summaries() == [
        "database test: privileges of PUBLIC: SELECT -> (removed)",
        'database "test\\_%": privileges of PUBLIC: SELECT -> (removed)',
        "database test: present -> (removed)",
        'account ""@localhost: present -> (removed)',
    ]


def test_exclusive_takes_nothing_from_those_that_are_needed() -> None:
    replica, transfer = Grantee("replica", "%"), Grantee("sst", "localhost")
    select = BITS["SELECT"]
    held = {
        Scope("global"): {
            ROOT: sum(BITS.values()),
            replica: BITS["REPLICATION SLAVE"],
            transfer: BITS["RELOAD"] | BITS["PROCESS"] | BITS["BINLOG MONITOR"],
            V: BITS["REPLICATION SLAVE"] | BITS["SUPER"],
        },
        Scope(DATABASE, "shop"): dict.fromkeys((ROOT, replica, transfer, U, V), select),
    }
    declaration = declare(exclusive=True, protected=frozenset({U}), databases=[{"name": "shop"}])
    observed = server(replica, transfer, U, V, held=held)
    taken = plan_account_hierarchy(declaration, observed, DIALECT).revocations
    assert taken == (
        "database shop: SELECT from account sst@localhost",
        "database shop: SELECT from account v@%",
    )
    in_cluster = server(replica, transfer, U, V, held=held, identity=IDENTITY.__class__(ROOT, is_galera=True))
    assert plan_account_hierarchy(declaration, in_cluster, DIALECT).revocations == taken[1:]
    with pytest.raises(RefusedForSafety, match="may make state transfers"):
        plan_account_hierarchy(declare(accounts=[{"name": "sst", "state": "absent"}]), in_cluster, DIALECT)


def test_the_picture_shows_what_is_declared_and_what_it_is_a_member_of() -> None:
    declaration = declare(
        roles=[{"name": "r", "member_of": ["s"]}],
        databases=[{"name": "shop", "grants": [{"to": ["r", "PUBLIC"], "privileges": ["SELECT"]}]}],
    )
    graph = account_graph(declaration, server(S, V, memberships={Membership("s", V): False}), DIALECT)
    assert [node.name for node in graph.nodes] == ["r", "s"]
    assert graph.memberships == (("s", "r", ""),)
    assert graph.grants == (("", "shop", "database: SELECT"), ("r", "shop", "database: SELECT"))


# Any declaration on any server: carried out, it leaves nothing to do.

GRANTEES = {"r": R, "s": S, "u@localhost": U, "v@%": V}
PRIVILEGES = ["SELECT", "INSERT", "UPDATE"]
SCOPES = [
    Scope(DATABASE, "shop"),
    Scope(TABLE, "shop", "t"),
    Scope(TABLE, "shop", "u"),
    Scope(COLUMN, "shop", "t", "a"),
    Scope(COLUMN, "shop", "t", "b"),
    Scope("function", "shop", "f"),
]


def some(values: t.Sequence[t.Any], least: int = 0) -> st.SearchStrategy[list[t.Any]]:
    return st.lists(st.sampled_from(values), unique=True, min_size=least)


@st.composite
def servers(draw: t.Callable[..., t.Any]) -> ObservedServer:
    there = draw(some([R, S, U, V]))
    held: dict[Scope, dict[Grantee, int]] = {}
    for scope in draw(some(SCOPES)):
        names = ["EXECUTE", "GRANT OPTION"] if scope.kind == "function" else PRIVILEGES
        names = [*names, "GRANT OPTION"] if scope.kind in (DATABASE, TABLE) else names
        for grantee in there:
            mask = sum(BITS[name] for name in draw(some(list(dict.fromkeys(names)))))
            if mask:
                held.setdefault(scope, {})[grantee] = mask
    pairs = [Membership("s", R), Membership("s", U), Membership("r", V)]
    possible = [pair for pair in pairs if pair.member in there and Grantee(pair.role) in there]
    memberships = {pair: draw(st.booleans()) for pair in draw(some(possible))} if possible else {}
    return server(*there, held=held, memberships=memberships)


@st.composite
def grants(draw: t.Callable[..., t.Any], state: str) -> dict[str, t.Any]:
    kind = draw(st.sampled_from(["database", "table", "columns", "function"]))
    grant: dict[str, t.Any] = {"to": draw(some(list(GRANTEES), 1)), "state": state, "type": kind}
    grant["privileges"] = ["EXECUTE"] if kind == "function" else draw(some(PRIVILEGES, 1))
    if kind == "function":
        grant["names"] = ["f"]
    if kind in ("table", "columns"):
        grant["names"] = draw(st.sampled_from([["t"], ["*"]]))
        grant["type"] = "table"
    if kind == "columns":
        grant["columns"] = ["a"]
    elif state == "present":
        grant["grant_option"] = draw(st.sampled_from([None, True]))
    return grant


@st.composite
def declarations(draw: t.Callable[..., t.Any]) -> dict[str, t.Any]:
    # Either side alone: what is granted and revoked at once is refused, and has a test of its own.
    state = draw(st.sampled_from(["present", "absent"]))
    member_of = draw(st.sampled_from([[], ["s"], [{"role": "s", "admin": True}]]))
    accounts: list[dict[str, t.Any]] = [
        {
            "name": "u",
            "unix_socket": True,
            "member_of": member_of,
            "locked": draw(st.sampled_from([None, True, False])),
        },
        {"name": "v", "host": "%", "password": "Good-pass-123", "max_user_connections": draw(st.integers(0, 3))},
    ]
    if member_of:
        accounts[0]["default_role"] = draw(st.sampled_from([None, "s"]))
    return {
        "roles": [{"name": "r", "member_of": member_of}, {"name": "s"}],
        "accounts": accounts,
        "databases": [{"name": "shop", "grants": draw(st.lists(grants(state), max_size=4))}],
        "exclusive": draw(st.booleans()),
        "maximum_revocations": 1000,
    }


@given(servers(), declarations())
def test_carried_out_a_plan_leaves_nothing_to_do(observed: ObservedServer, options: dict[str, t.Any]) -> None:
    lines(declare(**options), observed)


@given(servers(), declarations())
def test_stopped_anywhere_a_second_run_finishes(observed: ObservedServer, options: dict[str, t.Any]) -> None:
    declaration = declare(**options)
    plan = plan_account_hierarchy(declaration, observed, DIALECT)
    steps = sorted((step for change in plan for step in change.payload), key=lambda step: step.phase)
    for number in range(len(steps)):
        partly = Model(observed)
        partly.apply(_only(plan, steps[:number]))
        lines(declaration, partly.observed)


def _only(plan: t.Any, steps: t.Sequence[t.Any]) -> t.Any:
    """The plan with these steps alone."""
    change = plan.changes[0].__class__("part", payload=tuple(steps))
    return plan.__class__((change,))


@given(servers(), declarations())
def test_nobody_loses_in_between_what_is_to_stay(observed: ObservedServer, options: dict[str, t.Any]) -> None:
    """But for columns whose table loses the same privilege: MariaDB takes both at once."""
    declaration = declare(**options)
    plan = plan_account_hierarchy(declaration, observed, DIALECT)
    after = Model(observed).apply(plan).observed
    steps = sorted((step for change in plan for step in change.payload), key=lambda step: step.phase)
    for number in range(len(steps)):
        between = Model(observed).apply(_only(plan, steps[:number])).observed
        for scope, by_grantee in observed.held.items():
            if scope.kind == COLUMN:
                continue
            for grantee, mask in by_grantee.items():
                stays = mask & after.held.get(scope, {}).get(grantee, 0)
                assert between.held[scope].get(grantee, 0) & stays == stays
