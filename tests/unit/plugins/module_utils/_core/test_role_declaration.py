# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.password_rules import PasswordRules
from ansible_collections.bulwark.database.plugins.module_utils._core.privilege_declaration import parse_databases
from ansible_collections.bulwark.database.plugins.module_utils._core.role_declaration import (
    DesiredMembership,
    parse_roles,
)
from ansible_collections.bulwark.database.plugins.module_utils._dialects.postgresql_roles import (
    PostgreSQLRolesDialect,
)

DIALECT = PostgreSQLRolesDialect(150000)


def roles(*entries: t.Any) -> t.Any:
    return parse_roles(entries, check_name=DIALECT.check_name, rules=PasswordRules())


def grant(**fields: t.Any) -> t.Any:
    return parse_databases([{"name": "shop", "grants": [{"to": ["app"], "privileges": ["SELECT"], **fields}]}], DIALECT)


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("app", r"roles\[0\] is a string, a mapping is needed"),
        ({}, r"roles\[0\] lacks name"),
        ({"name": "app", "logn": True}, "unknown key 'logn'. Did you mean login"),
        ({"name": "app", "login": "yes"}, "role app: login is a string, true or false is needed"),
        ({"name": "x" * 64}, "64 bytes"),
        ({"name": "ä" * 32}, "64 bytes"),
        ({"name": "nul\0"}, "NUL"),
        ({"name": "app", "state": "gone"}, "state can't be 'gone'"),
        ({"name": "app", "valid_until": "tomorrow"}, "valid_until is not a date"),
        ({"name": "app", "connection_limit": -2}, "connection_limit is out of range"),
        ({"name": "ann", "human": True}, "never expires"),
        ({"name": "ann", "human": True, "valid_until": "infinity"}, "never expires"),
        ({"name": "app", "password": ""}, "password is empty"),
        ({"name": "app", "password": ["Correct-horse-9"]}, "password is a list"),
        ({"name": "app", "password": "Correct-horse-9", "passwordless": True}, "Leave one of them out"),
        ({"name": "app", "member_of": ["app"]}, "can't be a member of itself"),
        ({"name": "app", "member_of": ["a", "a"]}, "named twice"),
        ({"name": "app", "member_of": [{"role": "a", "inherits": True}]}, "Did you mean inherit"),
        ({"name": "app", "settings": {"work_mem": {"a": 1}}}, "setting work_mem is a mapping"),
    ],
)
def test_a_mistake_in_a_role_is_named_with_its_place(entry: t.Any, complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint) as caught:
        roles(entry)
    assert "Correct-horse-9" not in str(caught.value)


def test_two_entries_for_one_role_are_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="role app is declared twice"):
        roles({"name": "app"}, {"name": "app"})


def test_a_member_of_an_absent_role_is_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="which is absent"):
        roles({"name": "app", "member_of": ["gone"]}, {"name": "gone", "state": "absent"})


def test_only_what_is_declared_is_kept_and_none_counts_as_not_declared() -> None:
    (role,) = roles({"name": "app", "login": True, "superuser": None, "member_of": ["a", {"role": "b", "admin": True}]})
    assert role.attributes == {"login": True}
    assert role.member_of == (DesiredMembership("a"), DesiredMembership("b", admin=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-01-31", "2027-01-31T00:00:00+00:00"),
        ("2027-01-31T18:00:00+01:00", "2027-01-31T17:00:00+00:00"),
        ("2027-01-31 18:00:00Z", "2027-01-31T18:00:00+00:00"),
        ("infinity", "infinity"),
    ],
)
def test_moments_are_taken_as_utc_unless_they_say_otherwise(text: str, expected: str) -> None:
    assert roles({"name": "app", "valid_until": text})[0].valid_until == expected


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"type": "table", "schemas": ["app"], "names": ["a"], "privileges": ["SELEKT"]}, 'Did you mean "SELECT"'),
        ({"type": "table", "schemas": ["app"], "names": ["a"], "privileges": ["MAINTAIN"]}, "PostgreSQL 17"),
        ({"type": "table", "schemas": ["app"], "names": ["a"], "privileges": []}, "lacks privileges"),
        ({"type": "tabel", "schemas": ["app"], "names": ["a"]}, "Did you mean table"),
        ({"type": "table", "names": ["a"]}, "lacks schemas"),
        ({"type": "table", "schemas": ["app"]}, "lacks names"),
        ({"type": "schema", "schemas": ["app"], "names": ["a"], "privileges": ["USAGE"]}, "live in no schema"),
        ({"names": ["a"], "privileges": ["CONNECT"]}, "takes no names"),
        ({"to": [], "privileges": ["CONNECT"]}, "lacks to"),
        ({"to": ["public"], "privileges": ["CONNECT"], "grant_option": True}, "PUBLIC can't hold"),
        ({"state": "absent", "privileges": ["CONNECT"], "grant_option": False}, "takes no grant_option"),
        (
            {"type": "sequence", "schemas": ["app"], "names": ["a"], "columns": ["b"], "privileges": ["USAGE"]},
            "only objects of type table have columns",
        ),
        (
            {"type": "table", "schemas": ["app"], "names": ["a"], "columns": ["b"], "privileges": ["DELETE"]},
            "no privilege 'DELETE' on a column",
        ),
    ],
)
def test_a_mistake_in_a_grant_is_named_with_its_place(fields: dict[str, t.Any], complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint) as caught:
        grant(**fields)
    assert "database shop: grants[0]" in str(caught.value)


def test_public_has_one_spelling_inside() -> None:
    for spelling in ("PUBLIC", "public", "Public"):
        ((database),) = grant(to=[spelling], privileges=["CONNECT"])
        assert database.grants[0].grantees == ("",)


def test_what_public_is_given_everywhere_cannot_be_taken_in_one_schema() -> None:
    default = {"owner": "o", "type": "routine", "to": ["PUBLIC"], "privileges": ["EXECUTE"], "state": "absent"}
    with pytest.raises(InvalidDeclaration, match="Leave schemas out"):
        parse_databases([{"name": "shop", "default_privileges": [{**default, "schemas": ["app"]}]}], DIALECT)
