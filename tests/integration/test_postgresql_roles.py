# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_roles against real servers: a role can do exactly what it was granted, and a second run does nothing."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidDeclaration,
    MissingRequirement,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.scram import is_current
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._io.postgresql import (
    ConnectionSettings,
    open_session,
)
from ansible_collections.bulwark.database.plugins.modules import postgresql_roles
from private_server import PORT, PrivateServer
from roles_options import HOSTILE, PASSWORD, as_role, declare, make_shop, twice

ROOT = Path(__file__).resolve().parents[2]


def table_grant(*names: str, **fields: t.Any) -> dict[str, t.Any]:
    return {
        "to": ["reader"],
        "type": "table",
        "schemas": ["app"],
        "names": list(names),
        "privileges": ["SELECT"],
        **fields,
    }


USAGE = {"to": ["reader"], "type": "schema", "names": ["app"], "privileges": ["USAGE"]}


def shop(*grants: dict[str, t.Any], **fields: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": "shop", "grants": [USAGE, *grants], **fields}]


# What a role can do


def test_a_role_can_do_exactly_what_it_was_granted(server: PrivateServer) -> None:
    make_shop(server)
    grants = [
        table_grant("customers", columns=["name"]),
        table_grant("orders", privileges=["SELECT", "INSERT"]),
        table_grant("names"),
        {**USAGE, "type": "sequence", "schemas": ["app"], "names": ["numbers"]},
        {**USAGE, "type": "routine", "schemas": ["app"], "names": ["total(int, text)"], "privileges": ["EXECUTE"]},
        {
            "to": ["PUBLIC"],
            "type": "routine",
            "schemas": ["app"],
            "names": ["*"],
            "privileges": ["ALL"],
            "state": "absent",
        },
    ]
    twice(server, roles=[{"name": "reader", "login": True}], databases=shop(*grants))
    allowed = {
        "SELECT name FROM app.customers": "Ann",
        "INSERT INTO app.orders (note) VALUES ('x'); SELECT note FROM app.orders": "x",
        "SELECT * FROM app.names": "Ann",
        "SELECT nextval('app.numbers')": "1",
        "SELECT app.total(1, 'a')": "1",
    }
    for sql, answer in allowed.items():
        assert as_role(server, "reader", sql) == answer
    refused = [
        "SELECT phone FROM app.customers",
        "SELECT * FROM app.customers",
        "INSERT INTO app.customers (name) VALUES ('x')",
        "UPDATE app.orders SET note = ''",
        "DELETE FROM app.orders",
        "TRUNCATE app.orders",
        "SELECT setval('app.numbers', 1)",
        "SELECT app.total(1::bigint)",
        "CALL app.work()",
        "CREATE TABLE app.mine ()",
        "CREATE ROLE other",
        "CREATE DATABASE other",
        "CREATE SCHEMA other",
        "COPY app.orders TO PROGRAM 'cat'",
    ]
    for sql in refused:
        assert "permission denied" in as_role(server, "reader", sql) or "must be superuser" in as_role(
            server, "reader", sql
        ), sql


def test_a_declared_password_logs_in_and_another_does_not(server: PrivateServer) -> None:
    for password in (PASSWORD, "pässwört-Ünïcode-1", "soft\u00adhyphen-And-1", "Ⅸ-roman-Nine-99"):
        declare(server, roles=[{"name": "app", "login": True, "password": password}])
        assert declare(server, roles=[{"name": "app", "login": True, "password": password}]).plan.summaries() == []
        assert login(server, "app", password)
        assert not login(server, "app", password + "x")


def login(server: PrivateServer, role: str, password: str) -> bool:
    hba = server.data / "pg_hba.conf"
    if "local all all scram" not in hba.read_text(encoding="utf-8"):
        hba.write_text("local all postgres peer\nlocal all all scram-sha-256\n", encoding="utf-8")
        server.restart()
    settings = dataclasses.replace(server.connection, user=role, password=Secret(password), os_user=None)
    try:
        with open_session(settings) as session:
            return bool(session.value("SELECT true"))
    except MissingRequirement as error:
        return "authentication failed" not in str(error) or password in str(error)


def test_our_verifiers_are_the_servers_own(server: PrivateServer) -> None:
    """The server hashes some passwords itself; recomputed with its salt they come out the same."""
    passwords = [PASSWORD, "ünï", "\u00ad", "a\u00a0b", "\u2168", "\u0627\u0031", "\u0007é", "日本語", "x" * 200]
    for password in passwords:
        quoted = password.replace("'", "''")
        server.psql(
            f"SET password_encryption = 'scram-sha-256'; DROP ROLE IF EXISTS p; CREATE ROLE p PASSWORD '{quoted}'"
        )
        stored = server.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'p'")
        assert is_current(Secret(password), Secret(stored)), repr(password)


def test_an_md5_password_is_renewed_and_a_verifier_is_taken_as_it_is(server: PrivateServer) -> None:
    server.psql("SET password_encryption = md5; CREATE ROLE app LOGIN PASSWORD 'Correct-horse-9'")
    done = twice(server, roles=[{"name": "app", "password": PASSWORD}])
    assert done.plan.summaries() == [
        "role app: password: md5 (not the declared one, or weaker) -> SCRAM-SHA-256 with at least 4096 iterations"
    ]
    verifier = server.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'")
    twice(server, roles=[{"name": "copy", "login": True, "password": verifier}])
    assert login(server, "copy", PASSWORD)
    twice(server, roles=[{"name": "copy", "passwordless": True}])
    assert not login(server, "copy", PASSWORD)


def test_neither_password_nor_verifier_reaches_log_or_views(server: PrivateServer) -> None:
    server.psql("ALTER SYSTEM SET log_statement = 'all'; ALTER SYSTEM SET log_min_duration_statement = 0")
    server.psql("ALTER SYSTEM SET log_min_error_statement = 'error'")
    server.psql("SELECT pg_reload_conf(), pg_sleep(0.2)")
    roles = [{"name": "app", "login": True, "password": PASSWORD}]
    done = declare(server, roles=roles)
    server.psql("CREATE ROLE witness")
    assert server.wait_for_log("CREATE ROLE witness")
    assert "CREATE ROLE" in server.log_text(), "statements are logged at all"
    for text in (server.log_text(), str(done), server.psql("SELECT string_agg(query, '') FROM pg_stat_activity")):
        assert "SCRAM-SHA-256$" not in text
        assert PASSWORD not in text


def test_a_failing_transaction_with_a_password_is_not_logged(server: PrivateServer) -> None:
    """A value that only the server can judge fails after the password was set."""
    make_shop(server)
    server.psql("ALTER SYSTEM SET log_min_error_statement = 'error'; SELECT pg_reload_conf(), pg_sleep(0.2)")
    settings = {"search_path": "app", "temp_file_limit": "no number"}
    roles = [{"name": "app", "login": True, "password": PASSWORD, "settings": settings}]
    with pytest.raises(ApplyFailed, match="temp_file_limit"):
        declare(server, roles=roles)
    assert server.wait_for_log("temp_file_limit")
    assert "SCRAM-SHA-256$" not in server.log_text()
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == "0", "all or nothing"


# Declarations


def test_everything_of_a_role_is_set_once(server: PrivateServer) -> None:
    make_shop(server)
    everything = {
        "name": "app",
        "login": True,
        "createdb": True,
        "createrole": False,
        "inherit": False,
        "bypassrls": True,
        "connection_limit": 7,
        "valid_until": "2199-12-31T23:59:59+01:00",
        "password": PASSWORD,
        "comment": 'it\'s "quoted",\non two lines; -- no SQL',
        "settings": {
            "work_mem": "8MB",
            "statement_timeout": 30000,
            "jit": False,
            "search_path": '"$user", App',
            "my.own": "x'y",
        },
        "database_settings": {"shop": {"search_path": ["app", "Odd, name"], "datestyle": "ISO, DMY"}},
        "member_of": ["pg_monitor", {"role": "pg_signal_backend", "admin": True}],
    }
    twice(server, roles=[everything])
    assert server.psql("SELECT rolconnlimit, rolinherit, rolbypassrls FROM pg_roles WHERE rolname = 'app'") == "7|f|t"
    configured = server.psql("SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setdatabase = 0").splitlines()
    assert 'search_path="$user", app' in configured
    assert "my.own=x'y" in configured
    twice(server, roles=[{"name": "app", "settings": {"work_mem": None}, "valid_until": "infinity", "comment": ""}])
    assert "work_mem" not in server.psql("SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = 0")


def test_hostile_names_are_names_and_nothing_else(server: PrivateServer) -> None:
    databases = []
    for number, name in enumerate(HOSTILE):
        quoted = name.replace('"', '""')
        server.psql(f'CREATE DATABASE "{quoted}"')
        server.psql(
            f'CREATE SCHEMA "{quoted}"; CREATE TABLE "{quoted}"."{quoted}" ("{quoted}" int);'
            f'CREATE TYPE "{quoted}"."e{number}" AS ENUM ();'
            f'CREATE FUNCTION "{quoted}"."{quoted}"("{quoted}" "{quoted}"."e{number}") RETURNS int'
            " LANGUAGE sql AS 'SELECT 1'",
            database=conninfo(name),
        )
        escaped = name.replace("*", "\\*")
        where = {"schemas": [escaped], "names": [escaped]}
        databases.append(
            {
                "name": escaped,
                "owner": name,
                "grants": [
                    {"to": [name], "privileges": ["CONNECT"]},
                    {"to": [name], "type": "schema", "names": [escaped], "privileges": ["USAGE"]},
                    {"to": [name], "type": "table", **where, "privileges": ["SELECT"]},
                    {"to": [name], "type": "table", **where, "columns": [name], "privileges": ["UPDATE"]},
                    {"to": [name], "type": "routine", **where, "privileges": ["EXECUTE"]},
                    {"to": ["PUBLIC"], "type": "routine", **where, "privileges": ["EXECUTE"], "state": "absent"},
                ],
                "default_privileges": [
                    {"owner": "postgres", "to": [name], "type": "table", "schemas": [escaped], "privileges": ["SELECT"]}
                ],
            }
        )
    roles = [
        {
            "name": name,
            "comment": name,
            "settings": {"application_name": name.encode("ascii", "ignore").decode()},
            "member_of": ["all"],
        }
        for name in HOSTILE
    ]
    twice(server, roles=[{"name": "all"}, *roles], databases=databases, diagram="mermaid")
    for name in HOSTILE:
        quoted = name.replace('"', '""')
        assert as_role(server, name, f'SELECT count(*) FROM "{quoted}"."{quoted}"', database=conninfo(name)) == "0"
        assert "permission denied" in as_role(
            server, name, f'DELETE FROM "{quoted}"."{quoted}"', database=conninfo(name)
        )
    gone = [{"name": name, "owner": "postgres"} for name in (name.replace("*", "\\*") for name in HOSTILE)]
    twice(server, databases=gone)
    twice(server, roles=[{"name": name, "state": "absent"} for name in HOSTILE])
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname !~ '^pg_'") == "2"


def conninfo(database: str) -> str:
    """For psql, which takes a name with an equals sign for a connection string."""
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


@pytest.mark.parametrize("name", ["x" * 64, "ä" * 32, "nul\0", "pg_mine", "none", "public"])
def test_a_name_the_server_would_cut_or_refuse_is_refused_by_us(shared_server: PrivateServer, name: str) -> None:
    with pytest.raises(InvalidDeclaration):
        declare(shared_server, roles=[{"name": name}])


def test_several_databases_in_one_declaration(server: PrivateServer) -> None:
    for number in range(3):
        make_shop(server, f"shop_{number}")
    grants = [USAGE, table_grant("*")]
    done = twice(server, roles=[{"name": "reader"}], databases=[{"name": "shop_*", "grants": grants}])
    assert sum("table app.customers" in line for line in done.plan.summaries()) == 3
    for number in range(3):
        assert as_role(server, "reader", "SELECT name FROM app.customers", database=f"shop_{number}") == "Ann"


def test_ownership_with_privileges_in_one_run(server: PrivateServer) -> None:
    make_shop(server)
    server.psql("CREATE ROLE old; CREATE ROLE reader")
    server.psql(
        "ALTER TABLE app.customers OWNER TO old; GRANT SELECT ON app.customers TO reader WITH GRANT OPTION;"
        "GRANT USAGE ON SEQUENCE app.customers_id_seq TO reader",
        database="shop",
    )
    everything = {"schemas": ["app"], "names": ["*"]}
    ownership = [
        {"owner": "owner", "type": kind, **everything} for kind in ("table", "sequence", "routine", "type")
    ] + [{"owner": "owner", "type": "schema", "names": ["app"]}]
    grants = [table_grant("customers", grant_option=False), table_grant("orders", to=["old"])]
    twice(server, roles=[{"name": "owner"}], databases=shop(*grants, ownership=ownership, owner="owner"))
    owners = server.psql(
        "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'app'::regnamespace UNION "
        "SELECT proowner::regrole FROM pg_proc WHERE pronamespace = 'app'::regnamespace UNION "
        "SELECT typowner::regrole FROM pg_type WHERE typnamespace = 'app'::regnamespace UNION "
        "SELECT datdba::regrole FROM pg_database WHERE datname = 'shop'",
        database="shop",
    )
    assert owners == "owner"
    twice(server, roles=[{"name": "old", "state": "absent"}], databases=[])


def test_default_privileges_reach_new_objects_and_public_does_not(server: PrivateServer) -> None:
    make_shop(server)
    defaults = [
        {"owner": "maker", "type": "table", "schemas": ["app"], "to": ["reader"], "privileges": ["SELECT"]},
        {"owner": "maker", "type": "routine", "to": ["PUBLIC"], "privileges": ["EXECUTE"], "state": "absent"},
        {"owner": "maker", "type": "type", "to": ["PUBLIC"], "privileges": ["USAGE"], "state": "absent"},
        {"owner": "maker", "type": "sequence", "to": ["reader"], "privileges": ["ALL"], "grant_option": True},
        {"owner": "maker", "type": "schema", "to": ["reader"], "privileges": ["USAGE"]},
    ]
    grants = [{**USAGE, "to": ["maker"], "privileges": ["USAGE", "CREATE"]}]
    roles = [{"name": "maker"}, {"name": "reader"}]
    twice(server, roles=roles, databases=shop(*grants, default_privileges=defaults))
    as_role(
        server, "maker", "CREATE TABLE app.fresh (); CREATE FUNCTION app.new() RETURNS int LANGUAGE sql AS 'SELECT 1'"
    )
    assert as_role(server, "reader", "SELECT count(*) FROM app.fresh") == "0"
    assert "permission denied" in as_role(server, "reader", "SELECT app.new()")


# PUBLIC and exclusive


def test_public_is_stripped_once_and_not_again(server: PrivateServer) -> None:
    make_shop(server)
    server.psql("CREATE ROLE stranger LOGIN")
    nothing = [
        {"to": ["PUBLIC"], "privileges": ["ALL"], "state": "absent"},
        {"to": ["public"], "type": "schema", "names": ["public"], "privileges": ["ALL"], "state": "absent"},
        {
            "to": ["PUBLIC"],
            "type": "routine",
            "schemas": ["*"],
            "names": ["*"],
            "privileges": ["ALL"],
            "state": "absent",
        },
    ]
    twice(server, databases=[{"name": "*", "grants": nothing}])
    assert server.psql("SELECT has_database_privilege('stranger', 'shop', 'CONNECT, TEMP')") == "f"
    assert server.psql("SELECT has_database_privilege('stranger', 'template1', 'CONNECT')") == "f"
    granted = [{"to": ["PUBLIC"], "privileges": ["TEMP", "CONNECT"]}]
    twice(server, databases=[{"name": "shop", "grants": granted}])
    assert server.psql("SELECT has_database_privilege('stranger', 'shop', 'TEMP')") == "t"


def test_exclusive_leaves_what_is_declared_and_nothing_else(server: PrivateServer) -> None:
    make_shop(server)
    server.psql("CREATE ROLE mallory CREATEDB; CREATE ROLE app CREATEROLE; CREATE ROLE reader; GRANT reader TO mallory")
    server.psql("GRANT pg_read_server_files TO app; CREATE ROLE watcher; GRANT CONNECT ON DATABASE shop TO watcher")
    server.psql(
        "CREATE EXTENSION pg_stat_statements; GRANT ALL ON SCHEMA app TO mallory;"
        "GRANT ALL ON ALL TABLES IN SCHEMA app TO mallory WITH GRANT OPTION;"
        "SET ROLE mallory; GRANT SELECT ON app.orders TO reader; RESET ROLE;"
        "GRANT UPDATE (name) ON app.customers TO mallory; GRANT ALL ON TYPE app.mood TO mallory;"
        "GRANT ALL ON LANGUAGE plpgsql TO mallory;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO mallory",
        database="shop",
    )
    options: dict[str, t.Any] = {
        "exclusive": True,
        "protected_roles": ["watcher"],
        "roles": [{"name": "reader"}, {"name": "app", "login": True}],
        "databases": shop(table_grant("orders")),
    }
    done = twice(server, **options)
    revoked = done.result["planned_revocations"]
    assert "membership of mallory in reader" in revoked
    assert "membership of app in pg_read_server_files" in revoked
    assert "CREATEROLE of role app" in revoked
    assert "database shop: CONNECT, TEMPORARY from PUBLIC" in revoked
    assert "database shop: routine app.total(bigint): EXECUTE from PUBLIC" in revoked
    assert "database shop: column name of table app.customers: UPDATE from mallory" in revoked
    assert not any("watcher" in line or "pg_stat_statements" in line for line in revoked)
    assert as_role(server, "reader", "SELECT count(*) FROM app.orders") == "0"
    left = server.psql("SELECT count(*) FROM pg_shdepend WHERE refobjid = 'mallory'::regrole")
    assert left == "1", "plpgsql belongs to an extension, so exclusive passes by"
    assert server.psql("SELECT has_database_privilege('watcher', 'shop', 'CONNECT')") == "t"


def test_exclusive_is_refused_above_the_limit_in_check_mode_too(server: PrivateServer) -> None:
    make_shop(server)
    options: dict[str, t.Any] = {"exclusive": True, "maximum_revocations": 3, "databases": [{"name": "shop"}]}
    for check_mode in (True, False):
        with pytest.raises(
            RefusedForSafety, match=r"exclusive would make \d+ revocations, more than maximum_revocations=3"
        ):
            declare(server, check_mode=check_mode, **options)
    assert server.psql("SELECT datacl FROM pg_database WHERE datname = 'shop'") == ""


def test_a_chain_of_grant_options_is_unwound_from_its_end(server: PrivateServer) -> None:
    make_shop(server)
    server.psql("CREATE ROLE a; CREATE ROLE b; CREATE ROLE c")
    server.psql(
        "GRANT SELECT ON app.orders TO a WITH GRANT OPTION;"
        "GRANT SELECT (name) ON app.customers TO a WITH GRANT OPTION;"
        "GRANT USAGE ON SCHEMA app TO a, b, c;"
        "SET ROLE a; GRANT SELECT ON app.orders TO b WITH GRANT OPTION;"
        "GRANT SELECT (name) ON app.customers TO b WITH GRANT OPTION;"
        "SET ROLE b; GRANT SELECT ON app.orders TO c; GRANT SELECT (name) ON app.customers TO c",
        database="shop",
    )
    grants = [
        table_grant("orders", to=["a"], state="absent"),
        table_grant("orders", to=["c"]),
        table_grant("customers", to=["a"], columns=["name"], state="absent"),
        table_grant("customers", to=["c"], columns=["name"]),
    ]
    twice(server, databases=[{"name": "shop", "grants": grants}])
    assert "permission denied" in as_role(server, "a", "SELECT 1 FROM app.orders")
    for sql in ("SELECT count(*) FROM app.orders", "SELECT count(name) FROM app.customers"):
        assert as_role(server, "c", sql) in "01"


def test_what_stands_on_a_columns_option_goes_before_the_table_takes_the_option(server: PrivateServer) -> None:
    """PostgreSQL refuses the table's REVOKE while somebody holds a privilege that stands on the column's option."""
    make_shop(server)
    server.psql("CREATE ROLE a; CREATE ROLE b; CREATE ROLE c")
    server.psql(
        "GRANT USAGE ON SCHEMA app TO a, b, c; GRANT SELECT ON app.customers TO b;"
        "GRANT SELECT (name) ON app.customers TO b WITH GRANT OPTION;"
        "SET ROLE b; GRANT SELECT (name) ON app.customers TO a, c",
        database="shop",
    )
    grants = [
        table_grant("customers", to=["b"], state="absent"),
        table_grant("customers", to=["c"], columns=["name"]),
    ]
    ownership = [{"owner": "a", "type": "table", "schemas": ["app"], "names": ["customers"]}]
    twice(server, databases=[{"name": "shop", "grants": grants, "ownership": ownership}])
    assert "permission denied" in as_role(server, "b", "SELECT name FROM app.customers")
    for role in ("a", "c"):
        assert as_role(server, role, "SELECT count(name) FROM app.customers") in "01"


# Dropping and refusing


def test_an_absent_role_loses_its_privileges_everywhere_and_goes(server: PrivateServer) -> None:
    for name in ("one", "two"):
        make_shop(server, name)
    server.psql("CREATE ROLE gone LOGIN; CREATE ROLE stays; GRANT stays TO gone; GRANT CREATE ON DATABASE two TO gone")
    for name in ("one", "two"):
        server.psql(
            "GRANT ALL ON ALL TABLES IN SCHEMA app TO gone WITH GRANT OPTION; GRANT USAGE ON SCHEMA app TO gone, stays;"
            "SET ROLE gone; GRANT SELECT ON app.orders TO stays; RESET ROLE;"
            "GRANT SELECT (name) ON app.customers TO gone;"
            "GRANT EXECUTE ON FUNCTION pg_ls_dir(text) TO gone; GRANT SELECT ON pg_authid TO gone;"
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO gone",
            database=name,
        )
    twice(server, roles=[{"name": "gone", "state": "absent"}, {"name": "never_there", "state": "absent"}])
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'gone'") == "0"


@pytest.mark.parametrize(
    ("sql", "database", "what"),
    [
        (
            "CREATE TABLE app.mine (); ALTER TABLE app.mine OWNER TO gone",
            "shop",
            "in database shop: it owns table app.mine",
        ),
        ("ALTER DATABASE shop OWNER TO gone", "postgres", "it owns database shop"),
        ("CREATE POLICY p ON app.orders TO gone", "shop", "it is named in policy p"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE gone GRANT SELECT ON TABLES TO PUBLIC",
            "shop",
            "it owns default privileges",
        ),
        (
            "SELECT lo_create(4242); GRANT SELECT ON LARGE OBJECT 4242 TO gone",
            "shop",
            "privileges on large object 4242",
        ),
    ],
)
def test_a_role_that_something_depends_on_is_not_dropped(
    server: PrivateServer, sql: str, database: str, what: str
) -> None:
    make_shop(server)
    server.psql("CREATE ROLE gone")
    server.psql(sql, database=database)
    with pytest.raises(RefusedForSafety, match="role gone can't be dropped") as caught:
        declare(server, roles=[{"name": "gone", "state": "absent"}])
    assert what in str(caught.value)
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'gone'") == "1"


def test_a_missing_object_is_refused_before_anything_changes(server: PrivateServer) -> None:
    make_shop(server)
    with pytest.raises(InvalidDeclaration, match=r"no table custommers in schema app\. Did you mean customers"):
        declare(server, roles=[{"name": "reader"}], databases=shop(table_grant("custommers")))
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'reader'") == "0"


def test_membership_options_follow_the_version(server: PrivateServer) -> None:
    member = {"name": "b", "member_of": [{"role": "a", "admin": True, "inherit": False, "set": True}]}
    with open_session(server.connection) as session:
        is_new = session.version >= 160000
    if not is_new:
        with pytest.raises(InvalidDeclaration, match="inherit and set need PostgreSQL 16 or newer"):
            declare(server, roles=[{"name": "a"}, member])
        member = {"name": "b", "member_of": [{"role": "a", "admin": True}]}
    twice(server, roles=[{"name": "a"}, member])
    assert server.psql("SELECT admin_option FROM pg_auth_members WHERE member = 'b'::regrole") == "t"
    member["member_of"] = [{"role": "a", "admin": False, **({"inherit": True, "set": False} if is_new else {})}]
    twice(server, roles=[{"name": "a"}, member])
    assert server.psql("SELECT admin_option FROM pg_auth_members WHERE member = 'b'::regrole") == "f"
    twice(server, roles=[{"name": "a"}, {"name": "b"}], exclusive=True)
    assert server.psql("SELECT count(*) FROM pg_auth_members WHERE member = 'b'::regrole") == "0"


def test_memberships_granted_by_others_are_handled_in_order(server: PrivateServer) -> None:
    server.psql("CREATE ROLE g; CREATE ROLE a; CREATE ROLE b; CREATE ROLE c; GRANT g TO a WITH ADMIN OPTION")
    server.psql("SET ROLE a; GRANT g TO b WITH ADMIN OPTION; SET ROLE b; GRANT g TO c")
    roles = [
        {"name": "a", "state": "absent"},
        {"name": "g"},
        {"name": "b", "member_of": ["g"]},
        {"name": "c", "member_of": ["g"]},
    ]
    twice(server, roles=roles, exclusive=True)
    left = "SELECT count(*), bool_or(admin_option) FROM pg_auth_members WHERE roleid = 'g'::regrole"
    assert server.psql(left) == "2|f"


# The module as users run it


def test_the_module_checks_runs_and_runs_again(server: PrivateServer, tmp_path: Path) -> None:
    make_shop(server)
    task = {
        "roles": [
            {"name": "reader", "login": True, "password": PASSWORD, "member_of": ["pg_monitor"]},
            {"name": "ann", "login": True, "human": True, "valid_until": "2020-01-01"},
        ],
        "databases": shop(table_grant("*")),
        "diagram": "mermaid",
    }
    predicted = ansible(server, task, "--check", "--diff", home=tmp_path)
    assert predicted["changed"] is True
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'reader'") == "0"
    done = ansible(server, task, "--diff", home=tmp_path)
    assert done["changes"] == predicted["changes"]
    assert done["diff"] == predicted["diff"]
    assert any("expired on 2020-01-01" in warning for warning in done["warnings"])
    assert done["diagram"].startswith("flowchart LR")
    assert PASSWORD not in json.dumps(done)
    assert ansible(server, task, home=tmp_path)["changed"] is False
    weak = {"roles": [{"name": "reader", "password": "reader-Password-1"}]}
    refused = ansible(server, weak, home=tmp_path)
    assert refused["failed"] is True
    assert refused["msg"].startswith("role reader: the password contains the name it is for")


def ansible(server: PrivateServer, task: dict[str, t.Any], *flags: str, home: Path) -> dict[str, t.Any]:
    """Run the module by a real playbook; gives what a task registers."""
    answer = home / "answer.json"
    playbook = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [
                {
                    "bulwark.database.postgresql_roles": {**server.login_options(), **task},
                    "register": "answer",
                    "ignore_errors": True,
                },
                {
                    "ansible.builtin.copy": {"content": "{{ answer | to_json }}", "dest": str(answer)},
                    "check_mode": False,
                    "diff": False,
                },
            ],
        }
    ]
    (home / "play.yml").write_text(json.dumps(playbook), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    done = subprocess.run(
        [*command, str(home / "play.yml"), *flags], env=environment, capture_output=True, text=True, check=False
    )
    assert PASSWORD not in done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(answer.read_text(encoding="utf-8"))


def test_a_login_without_the_rights_is_told_what_is_missing(server: PrivateServer) -> None:
    make_shop(server)
    declare(server, roles=[{"name": "weak", "login": True, "password": PASSWORD, "createrole": True}])
    assert login(server, "weak", PASSWORD)
    connection = ConnectionSettings(unix_socket=str(server.socket), port=PORT, user="weak", password=Secret(PASSWORD))
    with pytest.raises(MissingRequirement, match="weak may not read stored passwords"):
        declare(server, connection=connection, roles=[{"name": "weak", "password": PASSWORD}])
    with pytest.raises(ApplyFailed, match="rolled back") as caught:
        declare(server, connection=connection, roles=[{"name": "app"}, {"name": "root", "superuser": True}])
    assert "lacks a privilege" in str(caught.value)
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == "0"
    roles = [{"name": "app", "login": True, "password": PASSWORD, "update_password": "on_create"}]
    done = declare(server, connection=connection, roles=roles)
    assert any("may log the password's SCRAM verifier" in warning for warning in done.plan.warnings)
    assert login(server, "app", PASSWORD)
    assert not declare(server, connection=connection, roles=roles).plan


def test_the_documentations_examples_run_in_their_order(server: PrivateServer) -> None:
    make_shop(server)
    server.psql("CREATE TABLE app.baskets ()", database="shop")
    server.psql("CREATE ROLE left_last_year; CREATE ROLE monitoring")
    with open_session(server.connection) as session:
        is_new = session.version >= 160000
    text = postgresql_roles.EXAMPLES
    for name in ("shop_app_password", "alice_first_password"):
        text = text.replace(f'"{{{{ {name} }}}}"', PASSWORD)
    for task in yaml.safe_load(text):
        options = task["bulwark.database.postgresql_roles"]
        if task.get("check_mode"):
            assert declare(server, check_mode=True, **options).result["planned_revocations"]
        elif "PostgreSQL 16" not in task["name"] or is_new:
            twice(server, **options)
    assert as_role(server, "shop_app", "SELECT count(*) FROM app.orders") == "0"
    assert server.psql("SELECT count(*) FROM pg_roles WHERE rolname = 'left_last_year'") == "0"
