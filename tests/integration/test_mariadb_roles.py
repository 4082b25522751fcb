# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_roles against real servers: an account can do exactly what it was granted, and a second run does nothing."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest
import yaml

from accounts_options import DEFAULTS, HOSTILE, PASSWORD, account, declare, make_shop, twice
from ansible_collections.bulwark.database.plugins.module_utils._core.accounts_model import BITS, Grantee
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    InvalidDeclaration,
    MissingRequirement,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.mariadb_passwords import stored_form
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.modules import mariadb_roles
from private_mariadb import PrivateMariaDB
from through_ansible import through_ansible

ED25519 = "INSTALL SONAME 'auth_ed25519'"


@pytest.fixture
def shop(mariadb: PrivateMariaDB) -> PrivateMariaDB:
    make_shop(mariadb)
    return mariadb


def login(server: PrivateMariaDB, name: str, password: str) -> bool:
    """By the real client: PyMySQL needs a library of its own for ed25519."""
    return server.sql("SELECT 1", account=name, password=password, check=False) == "1"


def on(*grants: dict[str, t.Any], name: str = "shop", **fields: t.Any) -> list[dict[str, t.Any]]:
    return [{"name": name, "grants": list(grants), **fields}]


def stored(server: PrivateMariaDB, name: str) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", json.loads(server.sql(f"SELECT Priv FROM mysql.global_priv WHERE User='{name}'")))


# What an account can do


def test_an_account_can_do_exactly_what_it_was_granted(shop: PrivateMariaDB) -> None:
    app = "app@localhost"
    grants = [
        {"to": [app], "type": "table", "names": ["customers"], "columns": ["Name"], "privileges": ["SELECT"]},
        {"to": ["keeper"], "type": "table", "names": ["orders"], "privileges": ["SELECT", "INSERT"]},
        {"to": [app], "type": "table", "names": ["names"], "privileges": ["SELECT"]},
        {"to": [app], "type": "function", "names": ["Total"], "privileges": ["EXECUTE"]},
    ]
    twice(
        shop,
        roles=[{"name": "keeper"}],
        accounts=[account("app", password=PASSWORD, member_of=["keeper"], default_role="keeper")],
        databases=on(*grants),
    )

    def ask(sql: str) -> str:
        return shop.sql(sql, account="app", password=PASSWORD, check=False)

    allowed = {
        "SELECT name FROM shop.customers": "Ann",
        "INSERT INTO shop.orders VALUES (1, 'x'); SELECT note FROM shop.orders": "x",
        "SELECT * FROM shop.names": "Ann",
        "SELECT shop.total(1)": "1",
    }
    for sql, answer in allowed.items():
        assert ask(sql) == answer
    refused = [
        "SELECT phone FROM shop.customers",
        "SELECT * FROM shop.customers",
        "UPDATE shop.orders SET note = ''",
        "DROP TABLE shop.orders",
        "CALL shop.work()",
        "CREATE TABLE shop.mine (a int)",
        "CREATE USER other",
        "SELECT * FROM mysql.global_priv",
        "CREATE DATABASE shopY",
        "USE shopX",
        "GRANT SELECT ON shop.orders TO other",
    ]
    for sql in refused:
        assert "denied" in ask(sql), sql


def test_every_privilege_there_is_can_be_granted_and_is_read_back(mariadb: PrivateMariaDB) -> None:
    names = [name for name in BITS if name not in ("GRANT OPTION", "SHOW CREATE ROUTINE")]
    accounts = [account(f"a{index}", unix_socket=True) for index in range(len(names))]
    grants = [{"to": [f"a{i}@localhost"], "privileges": [name]} for i, name in enumerate(names)]
    twice(mariadb, accounts=accounts, global_grants=grants)
    for index, name in enumerate(names):
        assert f"GRANT {name} ON *.*" in mariadb.sql(f"SHOW GRANTS FOR a{index}@localhost")
    twice(mariadb, exclusive=True, accounts=accounts, maximum_revocations=99)
    # Nothing was taken from the one account that replicates.
    assert (
        mariadb.sql("SELECT COUNT(*) FROM mysql.global_priv WHERE User LIKE 'a%' AND JSON_VALUE(Priv, '$.access')")
        == "1"
    )


def test_a_wildcard_in_a_name_means_itself_unless_a_pattern_is_declared(shop: PrivateMariaDB) -> None:
    shop.sql("CREATE DATABASE a_b; CREATE TABLE a_b.t (i int); CREATE DATABASE axb; CREATE TABLE axb.t (i int)")
    accounts = [account("app", password=PASSWORD)]
    grant = {"to": ["app@localhost"], "privileges": ["SELECT"]}
    twice(shop, accounts=accounts, databases=on(grant, name="a_b"))
    assert shop.sql("SELECT COUNT(*) FROM a_b.t", account="app", password=PASSWORD) == "0"
    assert "denied" in shop.sql("SELECT * FROM axb.t", account="app", password=PASSWORD, check=False)
    twice(shop, accounts=accounts, databases=on(grant, name="a_b", pattern=True))
    assert shop.sql("SELECT COUNT(*) FROM axb.t", account="app", password=PASSWORD) == "0"
    # Exclusive takes the row that is spelt without escapes, too.
    done = twice(shop, accounts=accounts, databases=on(grant, name="a_b"), exclusive=True)
    assert done.result["planned_revocations"] == ["database a_b: SELECT from account app@localhost"]
    assert "denied" in shop.sql("SELECT * FROM axb.t", account="app", password=PASSWORD, check=False)


# Authentication


def test_a_declared_password_logs_in_and_is_in_no_log(mariadb: PrivateMariaDB) -> None:
    mariadb.sql(f"{ED25519}; SET GLOBAL log_output = 'TABLE'; SET GLOBAL general_log = 1")
    for password in (PASSWORD, "pässwört-Ünïcode-1", 'it\'s "quoted" \\ 9aZ'):
        options = {"accounts": [account("app", password=password)]}
        twice(mariadb, **options)
        assert login(mariadb, "app", password)
        assert not login(mariadb, "app", password + "x")
        logged = mariadb.sql("SELECT argument FROM mysql.general_log")
        assert "IDENTIFIED VIA ed25519" in logged
        assert password not in logged
    assert stored(mariadb, "app")["plugin"] == "ed25519"


def test_both_hashes_are_those_of_the_server(mariadb: PrivateMariaDB) -> None:
    mariadb.sql(ED25519)
    for plugin in ("ed25519", "mysql_native_password"):
        for password in (PASSWORD, "x", "ü" * 100):
            mariadb.sql(f"CREATE OR REPLACE USER u IDENTIFIED VIA {plugin} USING PASSWORD('{password}')")
            assert stored(mariadb, "u")["authentication_string"] == stored_form(plugin, password)


def test_a_server_that_checks_passwords_itself_gets_them_and_logs_none(stopped_mariadb: PrivateMariaDB) -> None:
    (stopped_mariadb.drop_ins / "binlog.cnf").write_text("[mariadbd]\nlog_bin\n", encoding="utf-8")
    stopped_mariadb.start()
    stopped_mariadb.sql(
        f"{ED25519}; INSTALL SONAME 'simple_password_check'; SET GLOBAL general_log = 1; SET GLOBAL log_output='TABLE'"
    )
    for password, fields in ((PASSWORD, {}), ("Another-horse-7", {}), ("Another-horse-7", {"unix_socket": True})):
        twice(stopped_mariadb, accounts=[account("app", password=password, **fields)])
        assert login(stopped_mariadb, "app", password)
        assert password not in stopped_mariadb.sql("SELECT argument FROM mysql.general_log")
        binary_logs = b"".join(path.read_bytes() for path in stopped_mariadb.data.glob("*-bin.0*"))
        assert b"CREATE USER" in binary_logs
        assert password.encode() not in binary_logs
    twice(stopped_mariadb, accounts=[account("dead", locked=True)])
    with pytest.raises(ApplyFailed, match=r"policy requirements .*\. Declare another password$"):
        declare(stopped_mariadb, accounts=[account("app2", password="Long-but-weak")], password_minimum_classes=1)
    hashed = account("h", password_hash=stored_form("ed25519", PASSWORD), password_plugin="ed25519")
    with pytest.raises(MissingRequirement, match="strict_password_validation"):
        declare(stopped_mariadb, accounts=[hashed])


def test_what_is_not_declared_of_the_methods_stays(mariadb: PrivateMariaDB) -> None:
    mariadb.sql(f"{ED25519}; INSTALL SONAME 'auth_pam'")
    mariadb.sql("CREATE USER app@localhost IDENTIFIED VIA unix_socket OR pam USING 'it''s'")
    twice(mariadb, accounts=[account("app", password=PASSWORD)])
    assert mariadb.sql("SHOW CREATE USER app@localhost") == (
        f"CREATE USER `app`@`localhost` IDENTIFIED VIA ed25519 USING '{stored_form('ed25519', PASSWORD)}' "
        "OR unix_socket OR pam USING 'it''s'"
    )
    twice(mariadb, accounts=[account("app", passwordless=True, pam_service="")])
    assert mariadb.sql("SHOW CREATE USER app@localhost").endswith("IDENTIFIED VIA unix_socket")
    seen = declare(mariadb, accounts=[account("app", passwordless=True)], remove_anonymous=True)
    assert seen.result["weak_authentication"] == []


def test_a_password_in_the_old_format_stays_until_the_plugin_is_declared(mariadb: PrivateMariaDB) -> None:
    mariadb.sql(f"{ED25519}; CREATE USER app@localhost IDENTIFIED BY '{PASSWORD}'; CREATE USER nobody@localhost")
    seen = declare(mariadb, accounts=[account("app", password=PASSWORD)], remove_anonymous=True)
    assert seen.plan.warnings == ("account app@localhost uses mysql_native_password: password_plugin ed25519 moves it",)
    assert seen.result["weak_authentication"] == [
        "account app@localhost: mysql_native_password",
        "account nobody@localhost: no password",
    ]
    twice(mariadb, accounts=[account("app", password=PASSWORD, password_plugin="ed25519")])
    assert login(mariadb, "app", PASSWORD)


def test_options_of_an_account_come_and_go(mariadb: PrivateMariaDB) -> None:
    first = account(
        "app",
        "10.0.0.0/255.255.255.0",
        unix_socket=True,
        tls_subject="/CN=it's",
        tls_issuer="/CN=ca",
        max_statement_time=1.5,
        max_user_connections=4,
        max_queries_per_hour=1,
        max_updates_per_hour=2,
        max_connections_per_hour=3,
        password_lifetime=30,
        locked=True,
    )
    twice(mariadb, accounts=[first])
    row = stored(mariadb, "app")
    assert (row["ssl_type"], row["x509_subject"], row["account_locked"]) == (3, "/CN=it's", True)
    assert (row["password_lifetime"], row["max_questions"], row["max_statement_time"]) == (30, 1, 1.5)
    second = account(
        "app", "10.0.0.0/255.255.255.0", tls="none", max_statement_time=0.0, password_lifetime=0, locked=False
    )
    done = twice(mariadb, accounts=[second])
    who = "account app@10.0.0.0/255.255.255.0"
    assert done.plan.summaries() == [
        f"{who}: tls: REQUIRE SUBJECT \"/CN=it's\" AND ISSUER '/CN=ca' -> REQUIRE NONE",
        f"{who}: max_statement_time: max_statement_time 1.5 -> max_statement_time 0",
        f"{who}: password lifetime: password lifetime 30 days -> password lifetime for ever",
        f"{who}: lock: locked -> not locked",
    ]
    assert stored(mariadb, "app")["max_user_connections"] == 4


def test_a_new_account_without_a_way_in_is_refused(mariadb: PrivateMariaDB) -> None:
    with pytest.raises(InvalidDeclaration, match="left without a way to log in"):
        declare(mariadb, accounts=[account("app")])
    with pytest.raises(MissingRequirement, match="not loaded the authentication plugin ed25519"):
        declare(mariadb, accounts=[account("app", password=PASSWORD, password_plugin="ed25519")])
    seen = declare(mariadb, accounts=[account("app", password=PASSWORD)])
    assert "is given mysql_native_password" in seen.plan.warnings[0]


# Names


def test_hostile_names_are_taken_as_they_are(shop: PrivateMariaDB) -> None:
    short = [name[:60] for name in HOSTILE]
    for name in dict.fromkeys(short):
        quoted = name.replace("`", "``")
        shop.sql(f"CREATE DATABASE `{quoted}`; CREATE TABLE `{quoted}`.`{quoted}` (`{quoted}` int)".replace("\\", "\\"))
    hosts = {name: "h'o`s\"t" if index % 2 else "%" for index, name in enumerate(HOSTILE)}
    accounts = [account(name, hosts[name], unix_socket=True, member_of=[name]) for name in HOSTILE]
    databases = [
        {
            "name": table,
            "grants": [
                {"to": [{"role": name}, {"name": name, "host": hosts[name]}], "privileges": ["SELECT"]},
                {"to": [{"role": name}], "type": "table", "names": [table], "privileges": ["INSERT"]},
                {
                    "to": [{"role": name}],
                    "type": "table",
                    "names": [table],
                    "columns": [table],
                    "privileges": ["UPDATE"],
                },
            ],
        }
        for name, table in zip(HOSTILE, short)
        if len(name) == len(table)
    ]
    roles = [{"name": name} for name in HOSTILE]
    done = twice(shop, roles=roles, accounts=accounts, databases=databases, diagram="dot")
    assert all("\n" not in line for line in done.plan.summaries())
    gone = [{"name": name, "state": "absent"} for name in HOSTILE]
    twice(shop, roles=gone, accounts=[account(name, hosts[name], state="absent") for name in HOSTILE])
    assert (
        shop.sql("SELECT COUNT(*) FROM mysql.global_priv WHERE User NOT IN ('root', '', 'mariadb.sys', 'PUBLIC')")
        == "0"
    )
    assert shop.sql("SELECT COUNT(*) FROM mysql.roles_mapping") == "0"


def test_a_host_in_upper_case_is_the_same_host(mariadb: PrivateMariaDB) -> None:
    twice(mariadb, accounts=[account("app", "DB.Example.COM", unix_socket=True)])


def test_a_server_that_folds_names_is_followed(stopped_mariadb: PrivateMariaDB) -> None:
    (stopped_mariadb.drop_ins / "fold.cnf").write_text("[mariadbd]\nlower_case_table_names=1\n", encoding="utf-8")
    stopped_mariadb.start()
    make_shop(stopped_mariadb)
    grant = {"to": ["r"], "type": "table", "names": ["Orders"], "privileges": ["SELECT"]}
    whole = {"to": ["r"], "privileges": ["INSERT"]}
    twice(stopped_mariadb, roles=[{"name": "r"}], databases=on(grant, whole, name="SHOP"))


def test_what_is_not_there_is_told_before_anything_changes(shop: PrivateMariaDB) -> None:
    cases = [
        ({"to": ["r"], "type": "table", "names": ["order"], "privileges": ["SELECT"]}, "Did you mean orders"),
        ({"to": ["r"], "type": "table", "names": ["orders"], "columns": ["nota"], "privileges": ["SELECT"]}, "note"),
        ({"to": ["r"], "type": "procedure", "names": ["total"], "privileges": ["EXECUTE"]}, "no procedure total"),
        ({"to": ["root"], "privileges": ["SELECT"]}, r"There is root@localhost"),
        ({"to": ["r"], "privileges": ["SELEKT"]}, "Did you mean"),
        ({"to": ["r"], "privileges": ["PROCESS"]}, "no privilege 'PROCESS'"),
        ({"to": ["r"], "type": "table", "names": ["orders"], "columns": ["id"], "privileges": ["DELETE"]}, "DELETE"),
        ({"to": ["gone"], "privileges": ["SELECT"]}, "neither declared nor on the server"),
    ]
    for grant, message in cases:
        with pytest.raises(InvalidDeclaration, match=message):
            declare(shop, roles=[{"name": "r"}], databases=on(grant))
    with pytest.raises(InvalidDeclaration, match="members of each other"):
        declare(shop, roles=[{"name": "a", "member_of": ["b"]}, {"name": "b", "member_of": ["a"]}])
    with pytest.raises(InvalidDeclaration, match="its default role"):
        declare(shop, roles=[{"name": "a"}], accounts=[account("u", unix_socket=True, default_role="a")])
    assert shop.sql("SELECT COUNT(*) FROM mysql.global_priv WHERE User IN ('r', 'a', 'b', 'u')") == "0"


# Revoking


def test_a_revocation_on_a_table_and_what_stays_on_its_columns(shop: PrivateMariaDB) -> None:
    shop.sql("CREATE ROLE r; GRANT SELECT, INSERT ON shop.customers TO r; GRANT SELECT (Name) ON shop.customers TO r")
    column = {"to": ["r"], "type": "table", "names": ["customers"], "columns": ["name"], "privileges": ["SELECT"]}
    done = twice(shop, roles=[{"name": "r"}], databases=on(column), exclusive=True)
    assert done.result["planned_revocations"] == ["database shop: table customers: SELECT, INSERT from role r"]
    assert shop.sql("SHOW GRANTS FOR r").splitlines()[1:] == ["GRANT SELECT (`name`) ON `shop`.`customers` TO `r`"]


def test_revoked_privileges_take_their_grant_option_along(shop: PrivateMariaDB) -> None:
    shop.sql("CREATE USER u@localhost; GRANT SELECT, INSERT ON shop.* TO u@localhost WITH GRANT OPTION")
    some = {"to": ["u@localhost"], "privileges": ["SELECT"], "state": "absent"}
    twice(shop, databases=on(some))
    assert "GRANT INSERT ON `shop`.* TO `u`@`localhost` WITH GRANT OPTION" in shop.sql("SHOW GRANTS FOR u@localhost")
    twice(shop, databases=on({**some, "privileges": ["ALL"]}))
    assert "shop" not in shop.sql("SHOW GRANTS FOR u@localhost")


def test_exclusive_lists_limits_and_passes_by_the_protected(shop: PrivateMariaDB) -> None:
    shop.sql(
        """
        CREATE ROLE owner; CREATE USER mallory, kept, replica, app;
        GRANT ALL ON shop.* TO mallory; GRANT owner TO mallory, kept WITH ADMIN OPTION; GRANT SELECT ON shop.* TO kept;
        GRANT REPLICATION SLAVE ON *.* TO replica; GRANT SELECT ON shop.orders TO replica;
        GRANT FILE, PROCESS ON *.* TO app; GRANT EXECUTE ON FUNCTION shop.Total TO app WITH GRANT OPTION;
        """
    )
    options: dict[str, t.Any] = {
        "exclusive": True,
        "roles": [{"name": "owner"}],
        "accounts": [account("app", "%", member_of=["owner"])],
        "global_grants": [{"to": ["app@%"], "privileges": ["PROCESS"]}],
        "databases": on({"to": ["app@%"], "type": "function", "names": ["total"], "privileges": ["EXECUTE"]}),
        "protected_accounts": ["kept@%"],
    }
    expected = [
        "membership of account mallory@% in owner",
        "database shop: ALL from account mallory@%",
        "database shop: function total: GRANT OPTION from account app@%",
        "global: FILE from account app@%",
    ]
    with pytest.raises(RefusedForSafety, match="would make 4 revocations, more than maximum_revocations=3"):
        declare(shop, maximum_revocations=3, **options)
    assert twice(shop, **options).result["planned_revocations"] == expected
    assert "owner" in shop.sql("SHOW GRANTS FOR kept")
    assert "shop" in shop.sql("SHOW GRANTS FOR replica")


# What is never dropped or cut off


def test_who_is_needed_is_not_dropped(shop: PrivateMariaDB) -> None:
    shop.sql("CREATE USER maker@localhost; CREATE DEFINER = maker@localhost VIEW shop.v AS SELECT 1")
    shop.sql("CREATE USER replica; GRANT REPLICATION SLAVE ON *.* TO replica")
    cases = [
        (account("root", state="absent"), "is the account in use"),
        (account("mariadb.sys", state="absent"), "is the server's own"),
        (account("replica", "%", state="absent"), "replicates"),
        (account("maker", state="absent"), r"1 things run with its rights: view shop\.v"),
        (account("root", locked=True), "can't be locked"),
        (account("root", unix_socket=False), "unix_socket can't be taken from it"),
        (account("root", tls="ssl"), "can't be made to need TLS"),
    ]
    for entry, message in cases:
        with pytest.raises(RefusedForSafety, match=message):
            declare(shop, accounts=[entry])
    with pytest.raises(RefusedForSafety, match="keeps its own"):
        declare(shop, global_grants=[{"to": ["root@localhost"], "privileges": ["SUPER"], "state": "absent"}])
    assert shop.sql("SELECT 1") == "1"


def test_what_a_new_server_comes_with_is_removed_by_ddl(stopped_mariadb: PrivateMariaDB) -> None:
    (stopped_mariadb.drop_ins / "binlog.cnf").write_text("[mariadbd]\nlog_bin\n", encoding="utf-8")
    stopped_mariadb.start()
    stopped_mariadb.sql(
        "CREATE USER root@'%' IDENTIFIED BY 'x'; CREATE DATABASE IF NOT EXISTS test;"
        "INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES ('%', 'test', '', 'Y'); FLUSH PRIVILEGES"
    )
    removal = {"remove_anonymous": True, "remove_remote_root": True, "remove_test_database": True}
    stopped_mariadb.sql("CREATE TABLE test.t (i int)")
    with pytest.raises(RefusedForSafety, match="can't be removed, it holds t"):
        declare(stopped_mariadb, **removal)
    stopped_mariadb.sql("DROP TABLE test.t")
    twice(stopped_mariadb, **removal)
    assert (
        stopped_mariadb.sql("SELECT User, Host FROM mysql.global_priv WHERE User IN ('', 'root')") == "root\tlocalhost"
    )
    assert stopped_mariadb.sql("SELECT COUNT(*) FROM mysql.db") == "0"
    assert "test" not in stopped_mariadb.sql("SHOW DATABASES").splitlines()
    logged = stopped_mariadb.sql("SHOW BINLOG EVENTS")
    for statement in ("REVOKE", "DROP USER ``@`localhost`", "DROP USER `root`@`%`", "DROP DATABASE `test`"):
        assert statement in logged.replace("\\", "")


def test_a_login_that_may_not_look_is_told_what_it_needs(mariadb: PrivateMariaDB) -> None:
    mariadb.sql(f"CREATE USER plain@localhost IDENTIFIED BY '{PASSWORD}'")
    plain = dataclasses.replace(mariadb.connection, user="plain", password=Secret(PASSWORD))
    with pytest.raises(MissingRequirement, match=r"plain may not read accounts and privileges.*needs SELECT on"):
        declare(mariadb, connection=plain, roles=[{"name": "r"}])


# Through Ansible


def test_the_documented_example_runs_through_ansible(shop: PrivateMariaDB, tmp_path: Path) -> None:
    shop.sql("CREATE TABLE shop.baskets (i int); INSTALL SONAME 'auth_ed25519'")
    example = yaml.safe_load(mariadb_roles.EXAMPLES)[0]["bulwark.database.mariadb_roles"]
    text = (
        json.dumps(example).replace("{{ shop_app_password }}", PASSWORD).replace("{{ alice_first_password }}", PASSWORD)
    )
    options = {**shop.login_options(), **json.loads(text)}
    checked = through_ansible("mariadb_roles", options, "--check", "--diff", home=tmp_path)
    done = through_ansible("mariadb_roles", options, "--diff", home=tmp_path)
    assert done["changed"]
    assert done["changes"] == checked["changes"]
    assert done["diff"] == checked["diff"]
    assert PASSWORD not in json.dumps(done)
    assert done["diagram"].startswith("flowchart LR")
    assert not through_ansible("mariadb_roles", options, home=tmp_path)["changed"]
    assert Grantee("alice", "%").label in json.dumps(done)
    assert DEFAULTS["exclusive"] is False
