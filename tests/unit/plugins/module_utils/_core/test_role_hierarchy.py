# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.acl import AclItem
from ansible_collections.bulwark.database.plugins.module_utils._core.declaration import Declaration
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    InvalidDeclaration,
    MissingRequirement,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.object_privileges import (
    held_privileges,
    read_items,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.observed_roles import (
    DefaultAcl,
    Dependency,
    ObservedDatabase,
    ObservedMembership,
    ObservedRoles,
    ServerObject,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.password_rules import PasswordRules
from ansible_collections.bulwark.database.plugins.module_utils._core.privilege_declaration import parse_databases
from ansible_collections.bulwark.database.plugins.module_utils._core.role_declaration import parse_roles
from ansible_collections.bulwark.database.plugins.module_utils._core.role_hierarchy import (
    hierarchy_graph,
    plan_hierarchy,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.scram import make_verifier
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from roles_model import IDENTITY, NOW, Model, ModelDialect, cluster, print_acl, role

OLD, NEW = ModelDialect(150000), ModelDialect(170000)
GROUPS = [role(name) for name in ("a", "b", "c", "d")]


def declare(dialect: ModelDialect = OLD, **options: t.Any) -> Declaration:
    roles = parse_roles(options.pop("roles", []), check_name=dialect.check_name, rules=PasswordRules())
    return Declaration(roles, parse_databases(options.pop("databases", []), dialect), **options)


def table(name: str, acl: str | None = None, **fields: t.Any) -> ServerObject:
    return ServerObject("table", "app", name, fields.pop("owner", "o"), acl, **fields)


def shop(*objects: ServerObject, columns: t.Any = None, defaults: t.Any = None) -> dict[str, ObservedDatabase]:
    schema = ServerObject("schema", "", "app", "o")
    return {"shop": ObservedDatabase("shop", (schema, *objects), columns or {}, defaults or {})}


def observed(*objects: ServerObject, roles: t.Sequence[t.Any] = (), **fields: t.Any) -> ObservedRoles:
    inside = {key: fields.pop(key) for key in ("columns", "defaults") if key in fields}
    return ObservedRoles(cluster(role("o"), *GROUPS, *roles, **fields), shop(*objects, **inside))


def converge(declaration: Declaration, before: ObservedRoles, dialect: ModelDialect = OLD) -> ObservedRoles:
    """Apply to the model; a second plan has to be empty."""
    model = Model(before, dialect)
    model.apply(plan_hierarchy(declaration, before, dialect))
    after = model.observed()
    assert plan_hierarchy(declaration, after, dialect).summaries() == []
    return after


# Properties

_MASK = st.integers(0, 7)  # SELECT, INSERT, UPDATE
_PRIVILEGES = ("SELECT", "INSERT", "UPDATE")


@st.composite
def acls(draw: t.Any, *, owner: str = "o") -> str | None:
    """An ACL that a server could hold: every grantor has the grant option it needs."""
    if draw(st.booleans()):
        return None
    items: dict[tuple[str, str], AclItem] = {}
    options = {owner: 7}
    for dummy in range(draw(st.integers(0, 6))):
        grantor = draw(st.sampled_from(sorted(options)))
        grantee = draw(st.sampled_from(["", "a", "b", "c", "d"]))
        mask = draw(_MASK) & options[grantor]
        if not mask or (grantee in options and grantor != owner):
            continue  # no circles of grant options
        granted = draw(_MASK) & mask if grantee else 0
        old = items.get((grantee, grantor), AclItem(grantee, 0, 0, grantor))
        items[grantee, grantor] = AclItem(grantee, old.mask | mask, old.options | granted, grantor)
        if granted:
            options[grantee] = options.get(grantee, 0) | granted
    return print_acl((AclItem(owner, 7, 0, owner), *items.values()))


@st.composite
def grants(draw: t.Any, names: t.Sequence[str]) -> list[dict[str, t.Any]]:
    found: dict[tuple[t.Any, ...], dict[str, t.Any]] = {}
    for dummy in range(draw(st.integers(0, 5))):
        grantee = draw(st.sampled_from(["PUBLIC", "a", "b", "c", "d", "o"]))
        privilege = draw(st.sampled_from(_PRIVILEGES))
        entry: dict[str, t.Any] = {
            "to": [grantee],
            "privileges": [privilege],
            "type": "table",
            "schemas": ["app"],
            "names": [draw(st.sampled_from(names))],
            "state": draw(st.sampled_from(["present", "present", "absent"])),
        }
        if draw(st.booleans()):
            entry["columns"] = ["id"]
        if entry["state"] == "present" and grantee != "PUBLIC":
            entry["grant_option"] = draw(st.sampled_from([None, True, False]))
        # One word on each privilege: contradictions are refused, and tested elsewhere.
        found[grantee, privilege, entry["names"][0], "columns" in entry] = entry
    return list(found.values())


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    acls(), acls(), acls(), grants(["t1", "t2"]), st.booleans(), st.sampled_from([None, "a", "n"]),
    st.sampled_from([(), ("d",)]),
)  # fmt: skip
# The table's revocation takes b's option on the column along, and what a stands on with it.
@example("{o=raw/o,b=r/o}", None, "{o=raw/o,b=r*/o,a=r/b}", [], True, "a", ())
@example("{o=raw/o,a=a*/o,b=a/a}", None, "{o=raw/o,a=a*/o,b=a*/a,=a/b}", [], True, None, ())
def test_a_plan_applied_leaves_nothing_to_do(
    first: str | None,
    second: str | None,
    column: str | None,
    wanted: list[dict[str, t.Any]],
    exclusive: bool,
    owner: str | None,
    absent: tuple[str, ...],
) -> None:
    if column:  # column ACLs have no item of the owner's own
        column = "{" + ",".join(column[1:-1].split(",")[1:]) + "}"
        column = None if column == "{}" else column
    ownership = [{"owner": owner, "type": "table", "schemas": ["app"], "names": ["*"]}] if owner else []
    wanted = [entry for entry in wanted if entry["to"][0] not in absent]
    declaration = declare(
        roles=[{"name": "n"}, *({"name": name, "state": "absent"} for name in absent)],
        databases=[{"name": "shop", "grants": wanted, "ownership": ownership}],
        exclusive=exclusive,
        maximum_revocations=1000,
    )
    before = observed(
        table("t1", first), table("t2", second), columns={("app", "t1"): {"id": column}, ("app", "t2"): {"id": None}}
    )
    after = converge(declaration, before)
    if exclusive:
        _assert_nothing_but(declaration, after)


def _assert_nothing_but(declaration: Declaration, after: ObservedRoles) -> None:
    allowed: dict[tuple[str, str], int] = {}
    for grant in declaration.databases[0].grants:
        for grantee in grant.grantees if grant.state == "present" and not grant.objects.columns else ():
            key = (grant.objects.names[0], grantee)
            allowed[key] = allowed.get(key, 0) | grant.mask
    for target in after.databases["shop"].objects:
        if target.kind == "table":
            held = held_privileges(read_items(target.acl, OLD.kinds["table"], target.owner), target.owner)
            for grantee, (mask, dummy) in held.items():
                assert mask == allowed.get((target.name, grantee), 0)


_ROLE = st.sampled_from(["a", "b", "c", "d"])


@st.composite
def memberships(draw: t.Any, *, options: bool) -> tuple[ObservedMembership, ...]:
    """Rows a server could hold: no circles (a member's name comes after its group's), grantors have ADMIN."""
    rows: dict[tuple[str, str, str], ObservedMembership] = {}
    for dummy in range(draw(st.integers(0, 6))):
        group, member = sorted(draw(st.lists(_ROLE, min_size=2, max_size=2, unique=True)))
        admins = sorted(row.member for row in rows.values() if row.role == group and row.admin and row.member < member)
        grantor = draw(st.sampled_from(["postgres", *admins])) if options else "postgres"
        flags = [draw(st.booleans()), draw(st.booleans()), draw(st.booleans())]
        inherit, can_set = (flags[1], flags[2]) if options else (None, None)
        if (group, member, grantor) in rows:
            continue  # somebody may stand on it
        rows[group, member, grantor] = ObservedMembership(group, member, grantor, flags[0], inherit, can_set)
    return tuple(rows.values())


@settings(max_examples=400, deadline=None)
@given(st.data(), st.booleans(), st.booleans())
def test_memberships_applied_leave_nothing_to_do(data: t.Any, options: bool, exclusive: bool) -> None:
    dialect = NEW if options else OLD
    rows = data.draw(memberships(options=options))
    flag = st.sampled_from([None, True, False])
    entries = []
    for name in ("b", "c", "d"):
        groups = data.draw(st.lists(st.sampled_from([one for one in "abc" if one < name]), unique=True))
        joined = [
            {
                "role": group,
                "admin": data.draw(flag),
                "inherit": data.draw(flag) if options else None,
                "set": data.draw(flag) if options else None,
            }
            for group in groups
        ]
        entries.append({"name": name, "member_of": joined})
    gone = data.draw(st.sampled_from(["", "b", "c", "d"]))
    entries = [
        {**entry, "member_of": [joined for joined in entry["member_of"] if joined["role"] != gone]}
        for entry in entries
        if entry["name"] != gone
    ]
    absent = [{"name": gone, "state": "absent"}] if gone else []
    declaration = declare(dialect, roles=[*entries, *absent], exclusive=exclusive)
    after = converge(declaration, observed(memberships=rows), dialect)
    held = {(row.role, row.member) for row in after.cluster.memberships}
    wanted = {(joined["role"], entry["name"]) for entry in entries for joined in entry["member_of"]}
    assert wanted <= held
    if exclusive:
        assert held == wanted


# Roles


def test_a_new_role_comes_with_everything_declared() -> None:
    declaration = declare(
        roles=[
            {
                "name": "app",
                "login": True,
                "connection_limit": 5,
                "valid_until": "2027-01-31",
                "password": "Correct-horse-9",
                "comment": "of the shop",
                "settings": {"work_mem": "8MB", "search_path": ["$user", "app"]},
                "member_of": ["a"],
            }
        ]
    )
    before = observed(parameters={"work_mem": "user", "search_path": "user"})
    plan = plan_hierarchy(declaration, before, OLD)
    assert plan.summaries()[:2] == [
        "role app: created with LOGIN, CONNECTION LIMIT 5, VALID UNTIL 2027-01-31T00:00:00+00:00",
        "role app: password: SCRAM-SHA-256 with at least 4096 iterations",
    ]
    assert "Correct-horse-9" not in f"{plan!r} {plan.diff()} {[change.payload for change in plan]!r}"
    after = converge(declaration, before)
    assert after.cluster.roles["app"].connection_limit == 5


def test_what_is_not_declared_of_a_role_stays() -> None:
    before = observed(roles=[role("app", login=True, createdb=True, connection_limit=3, comment="x")])
    assert not plan_hierarchy(declare(roles=[{"name": "app"}]), before, OLD)


def test_exclusive_takes_undeclared_powers_and_counts_them() -> None:
    before = observed(roles=[role("app", login=True, superuser=True)])
    plan = plan_hierarchy(declare(roles=[{"name": "app"}], exclusive=True), before, OLD)
    assert plan.summaries() == ["role app: superuser: SUPERUSER -> NOSUPERUSER"]
    assert plan.revocations == ("SUPERUSER of role app",)


def test_exclusive_takes_nothing_from_protected_roles() -> None:
    rows = (ObservedMembership("a", "keep", "postgres", True), ObservedMembership("a", "standby", "postgres", False))
    before = observed(
        table("t1", "{o=r/o,keep=r/o,standby=r/o,postgres=r/o}"),
        roles=[role("keep", superuser=True), role("standby", replication=True)],
        memberships=rows,
        databases={"shop": ServerObject("database", "", "shop", "postgres", "{postgres=CTc/postgres,keep=c/postgres}")},
    )
    declaration = declare(
        roles=[{"name": "keep"}, {"name": "standby"}, {"name": "a"}],
        databases=[{"name": "shop"}],
        exclusive=True,
        protected=frozenset({"keep"}),
    )
    assert not plan_hierarchy(declaration, before, OLD)


def test_exclusive_is_refused_above_its_limit_with_the_number_and_the_option() -> None:
    before = observed(*(table(f"t{number}", "{o=r/o,a=r/o}") for number in range(60)))
    with pytest.raises(RefusedForSafety, match=r"61 revocations, more than maximum_revocations=50") as caught:
        plan_hierarchy(declare(databases=[{"name": "shop"}], exclusive=True), before, OLD)
    assert "Set maximum_revocations to 61" in caught.value.hint
    agreed = declare(databases=[{"name": "shop"}], exclusive=True, maximum_revocations=61)
    assert len(plan_hierarchy(agreed, before, OLD).revocations) == 61


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"name": "postgres", "state": "absent"}, "is the role in use"),
        ({"name": "postgres", "superuser": False}, "role in use, superuser can't be taken"),
        ({"name": "postgres", "login": False}, "role in use, login can't be taken"),
        ({"name": "postgres", "valid_until": "2020-01-01"}, "expire in the past"),
        ({"name": "pg_monitor", "state": "absent"}, "is predefined"),
        ({"name": "standby", "state": "absent"}, "is a replication role"),
        ({"name": "standby", "replication": False}, "is a replication role"),
        ({"name": "standby", "login": False}, "is a replication role"),
        ({"name": "kept", "state": "absent"}, "is protected"),
        ({"name": "owner", "state": "absent"}, "in database shop: it owns table app.t"),
    ],
)
def test_nobody_is_locked_out(entry: dict[str, t.Any], complaint: str) -> None:
    before = observed(
        roles=[role("standby", replication=True, login=True), role("pg_monitor"), role("kept"), role("owner")],
        dependencies=(Dependency("owner", "shop", "it owns table app.t"),),
    )
    with pytest.raises(RefusedForSafety, match=complaint):
        plan_hierarchy(declare(roles=[entry], protected=frozenset({"kept"})), before, OLD)


def test_the_bootstrap_superuser_is_safe_from_another_superuser() -> None:
    identity = dataclasses.replace(IDENTITY, login="dba")
    before = observed(roles=[role("dba", superuser=True)], identity=identity)
    for entry in ({"name": "postgres", "state": "absent"}, {"name": "postgres", "superuser": False}):
        with pytest.raises(RefusedForSafety, match="bootstrap superuser"):
            plan_hierarchy(declare(roles=[entry]), before, OLD)


@pytest.mark.parametrize(
    ("stored", "changes"),
    [
        (make_verifier(Secret("Correct-horse-9"), salt=b"1" * 16), 0),
        (make_verifier(Secret("Correct-horse-8"), salt=b"1" * 16), 1),
        (make_verifier(Secret("Correct-horse-9"), salt=b"1" * 16, iterations=1000), 1),
        (Secret("md5" + "0" * 32), 1),
        (None, 1),
    ],
)
def test_a_password_changes_only_when_the_stored_one_is_another_or_weaker(stored: Secret | None, changes: int) -> None:
    before = observed(roles=[role("app", login=True, verifier=stored)])
    declaration = declare(roles=[{"name": "app", "password": "Correct-horse-9"}])
    assert len(plan_hierarchy(declaration, before, OLD)) == changes
    on_create = declare(roles=[{"name": "app", "password": "Correct-horse-9", "update_password": "on_create"}])
    assert not plan_hierarchy(on_create, before, OLD)


def test_a_login_that_cannot_read_verifiers_is_told_so() -> None:
    identity = dataclasses.replace(IDENTITY, superuser=False, reads_verifiers=False)
    before = observed(roles=[role("app", login=True)], identity=identity)
    with pytest.raises(MissingRequirement, match="may not read stored passwords"):
        plan_hierarchy(declare(roles=[{"name": "app", "password": "Correct-horse-9"}]), before, OLD)


@pytest.mark.parametrize(("days", "warns"), [(-1, "expired on"), (3, "in 3 days"), (14, "in 14 days"), (15, "")])
def test_expiry_is_announced_ahead(days: int, warns: str) -> None:
    import datetime

    moment = (NOW + datetime.timedelta(days=days)).isoformat()
    declaration = declare(roles=[{"name": "ann", "human": True, "login": True, "valid_until": moment}])
    warnings = plan_hierarchy(declaration, observed(), OLD).warnings
    assert bool(warnings) is bool(warns)
    assert all(warns in warning for warning in warnings)


@pytest.mark.parametrize(
    ("settings_", "complaint"),
    [
        ({"wrok_mem": "1MB"}, "Did you mean work_mem"),
        ({"shared_buffers": "1GB"}, "only be set for the whole server"),
    ],
)
def test_a_setting_that_a_role_cannot_have_is_refused(settings_: dict[str, str], complaint: str) -> None:
    before = observed(parameters={"work_mem": "user", "shared_buffers": "postmaster"})
    with pytest.raises(InvalidDeclaration, match=complaint):
        plan_hierarchy(declare(roles=[{"name": "a", "settings": settings_}]), before, OLD)


# Memberships


def test_new_options_are_refused_before_16() -> None:
    declaration = declare(roles=[{"name": "b", "member_of": [{"role": "a", "inherit": False, "set": True}]}])
    with pytest.raises(InvalidDeclaration, match="inherit and set need PostgreSQL 16"):
        plan_hierarchy(declaration, observed(), OLD)
    assert plan_hierarchy(declaration, observed(), NEW)


def test_a_circle_is_shown_with_its_way() -> None:
    before = observed(memberships=(ObservedMembership("a", "b", "postgres", False),))
    with pytest.raises(
        InvalidDeclaration, match=r"circle: a is a member of b is a member of a|circle: b is a member of a"
    ):
        plan_hierarchy(declare(roles=[{"name": "a", "member_of": ["b"]}]), before, OLD)


def test_the_creators_implicit_membership_survives_exclusive() -> None:
    implicit = ObservedMembership("app", "maker", "postgres", True, False, False)
    before = observed(roles=[role("app"), role("maker", createrole=True)], memberships=(implicit,))
    assert not plan_hierarchy(declare(NEW, roles=[{"name": "app"}], exclusive=True), before, NEW)


def test_grants_made_by_a_dropped_role_are_made_anew() -> None:
    rows = (
        ObservedMembership("a", "gone", "postgres", True, True, True),
        ObservedMembership("a", "b", "gone", False, True, True),
    )
    before = observed(roles=[role("gone")], memberships=rows)
    after = converge(declare(NEW, roles=[{"name": "gone", "state": "absent"}]), before, NEW)
    assert after.cluster.memberships == (ObservedMembership("a", "b", "postgres", False, True, True),)


# Privileges


def test_public_is_stripped_where_the_acl_is_null() -> None:
    routine = ServerObject("routine", "app", "f", "o", None, "integer")
    nothing = [
        {"to": ["PUBLIC"], "privileges": ["ALL"], "state": "absent"},
        {
            "to": ["PUBLIC"],
            "privileges": ["ALL"],
            "type": "routine",
            "schemas": ["*"],
            "names": ["*"],
            "state": "absent",
        },
    ]
    declaration = declare(databases=[{"name": "*", "grants": nothing}])
    plan = plan_hierarchy(declaration, observed(routine), OLD)
    assert plan.summaries() == [
        "database shop: privileges of PUBLIC: CONNECT, TEMPORARY -> (removed)",
        "database shop: routine app.f(integer): privileges of PUBLIC: EXECUTE -> (removed)",
    ]
    assert plan.revocations == ()
    converge(declaration, observed(routine))


def test_default_privileges_know_what_public_is_given_without_an_entry() -> None:
    wanted = {"owner": "o", "type": "routine", "to": ["PUBLIC"], "privileges": ["EXECUTE"], "state": "absent"}
    declaration = declare(databases=[{"name": "shop", "default_privileges": [wanted]}])
    after = converge(declaration, observed())
    assert DefaultAcl("o", "", "routine") in after.databases["shop"].defaults


def test_wildcards_and_exclusive_pass_by_extensions() -> None:
    before = observed(table("stats", "{o=r/o,=r/o}", exempt=True), table("mine", "{o=r/o}"))
    everything = {"to": ["a"], "privileges": ["SELECT"], "type": "table", "schemas": ["app"], "names": ["*"]}
    plan = plan_hierarchy(declare(databases=[{"name": "shop", "grants": [everything]}]), before, OLD)
    assert plan.summaries() == ["database shop: table app.mine: privileges of a: SELECT"]
    by_name = {**everything, "names": ["stats"]}
    assert len(plan_hierarchy(declare(databases=[{"name": "shop", "grants": [by_name]}]), before, OLD)) == 1


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"names": ["ordres"]}, "no table ordres in schema app. Did you mean orders"),
        ({"schemas": ["ap"]}, "no schema ap. Did you mean app"),
        ({"columns": ["nmae"]}, "has no column nmae. Did you mean name"),
        ({"to": ["aa"]}, "role aa, which is neither declared nor on the server"),
        ({"type": "routine", "privileges": ["EXECUTE"], "names": ["calc(text)"]}, r"There are calc\(integer, text\)"),
        ({"type": "routine", "privileges": ["EXECUTE"], "names": ["calc(int"]}, "has to stand in a YAML list"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_nearest(entry: dict[str, t.Any], complaint: str) -> None:
    routine = ServerObject("routine", "app", "calc", "o", None, "integer, text")
    before = observed(table("orders"), routine, columns={("app", "orders"): {"name": None}})
    base = {"to": ["a"], "privileges": ["SELECT"], "type": "table", "schemas": ["app"], "names": ["orders"]}
    with pytest.raises(InvalidDeclaration, match=complaint):
        plan_hierarchy(declare(databases=[{"name": "shop", "grants": [{**base, **entry}]}]), before, OLD)


def test_a_routine_is_found_by_its_signature_however_it_is_spelled() -> None:
    overloads = [ServerObject("routine", "app", "calc", "o", None, args) for args in ("integer, text", "bigint", "")]
    for text, count in (("calc(INT,text)", 1), ("calc( int8 )", 1), ("calc()", 1), ("calc", 3)):
        entry = {"to": ["a"], "privileges": ["EXECUTE"], "type": "routine", "schemas": ["app"], "names": [text]}
        assert (
            len(plan_hierarchy(declare(databases=[{"name": "shop", "grants": [entry]}]), observed(*overloads), OLD))
            == count
        )


def test_present_and_absent_at_once_is_refused() -> None:
    base = {"to": ["a"], "privileges": ["SELECT"], "type": "table", "schemas": ["app"]}
    both = [{**base, "names": ["t1"]}, {**base, "names": ["*"], "state": "absent"}]
    with pytest.raises(InvalidDeclaration, match="declared both present and absent"):
        plan_hierarchy(declare(databases=[{"name": "shop", "grants": both}]), observed(table("t1")), OLD)


def test_a_sequence_of_a_table_follows_its_owner() -> None:
    sequence = ServerObject("sequence", "app", "t1_id_seq", "o", "{o=rwU/o,a=U/o}", linked_to="t1")
    before = observed(table("t1"), sequence)
    ownership = [{"owner": "b", "type": "table", "schemas": ["app"], "names": ["t1"]}]
    plan = plan_hierarchy(declare(databases=[{"name": "shop", "ownership": ownership}]), before, OLD)
    assert plan.summaries() == ["database shop: table app.t1: owner: o -> b"]
    direct = [{"owner": "b", "type": "sequence", "schemas": ["app"], "names": ["t1_id_seq"]}]
    with pytest.raises(InvalidDeclaration, match="Its owner is always the table's"):
        plan_hierarchy(declare(databases=[{"name": "shop", "ownership": direct}]), before, OLD)


def test_a_standby_refuses_changes_and_nothing_else() -> None:
    before = observed(identity=dataclasses.replace(IDENTITY, in_recovery=True))
    assert not plan_hierarchy(declare(roles=[{"name": "a"}]), before, OLD)
    with pytest.raises(RefusedForSafety, match="standby"):
        plan_hierarchy(declare(roles=[{"name": "new"}]), before, OLD)


def test_a_database_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidDeclaration, match=r"no database shpo\. Did you mean shop"):
        plan_hierarchy(declare(databases=[{"name": "shpo"}]), observed(), OLD)


def test_the_picture_shows_roles_as_they_will_be() -> None:
    declaration = declare(
        roles=[{"name": "app", "login": True, "member_of": [{"role": "a", "admin": True}]}],
        databases=[{"name": "shop", "grants": [{"to": ["PUBLIC", "a"], "privileges": ["CONNECT"]}]}],
    )
    graph = hierarchy_graph(declaration, observed().cluster, OLD.kinds)
    assert [node.name for node in graph.nodes] == ["a", "app"]
    assert graph.memberships == (("a", "app", "ADMIN"),)
    assert graph.grants == (("", "shop", "database: CONNECT"), ("a", "shop", "database: CONNECT"))
