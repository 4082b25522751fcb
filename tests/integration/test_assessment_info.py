# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""assessment_info against real servers: nothing that was not seen passes, and one blind spot blinds nothing else."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls
from ansible_collections.bulwark.database.plugins.module_utils._controls.model import Control
from ansible_collections.bulwark.database.plugins.module_utils._controls.query_check import EACH_DATABASE, QueryCheck
from ansible_collections.bulwark.database.plugins.module_utils._controls.setting_check import fixed
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._io import assessment_certificate
from ansible_collections.bulwark.database.plugins.module_utils._io.assessment_certificate import observe_certificate
from ansible_collections.bulwark.database.plugins.module_utils._module.assessment_info import (
    assess_controls,
    assess_host,
)
from private_server import PrivateServer
from through_ansible import through_ansible

Result = dict[str, t.Any]

TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


def control(*checks: t.Any, id: str = "PG-TRY-001") -> Control:  # noqa: A002
    return Control(id=id, title="A trial", category="logging", rationale="To try", checks=checks, remedy="None")


def options(**given: t.Any) -> dict[str, t.Any]:
    plain: dict[str, t.Any] = {
        "engine": "postgresql",
        "level": "essential",
        "log_policy": "privacy",
        "overrides": {},
        "waivers": [],
        "declared": {},
        "exclude_databases": [],
        "allowed_packages": [],
        "allowed_units": [],
        "certificate_days": 14,
        "query_timeout": 60,
    }
    return {**plain, **given}


def judge(server: PrivateServer, *checks: t.Any, user: str = "postgres", **given: t.Any) -> Result:
    connection = dataclasses.replace(server.connection, user=user)
    return assess_controls([control(*checks)], connection, options(**given))


def only(assessment: Result) -> Result:
    (result,) = assessment["results"]
    return t.cast("Result", result)


def tables_check(sql: str = TABLES) -> QueryCheck:
    return QueryCheck("tables", "no table", sql, EACH_DATABASE)


def test_a_setting_is_the_servers_and_not_what_the_own_role_or_database_puts_over_it(server: PrivateServer) -> None:
    server.psql("ALTER SYSTEM SET work_mem = '8MB'")
    server.psql("SELECT pg_reload_conf(), pg_sleep(0.3)")
    server.psql("ALTER ROLE postgres SET work_mem = '64MB'; ALTER DATABASE postgres SET log_statement = 'all'")
    server.psql("ALTER ROLE ALL SET statement_timeout = '7s'")
    found = judge(server, fixed("work_mem", "8MB"), fixed("log_statement", "none"), fixed("statement_timeout", "0"))
    assert only(found)["verdict"] == "pass", only(found)
    assert only(judge(server, fixed("work_mem", "64MB")))["verdict"] == "fail"


def test_an_override_by_a_role_is_found(server: PrivateServer) -> None:
    server.psql("CREATE ROLE \"o'dd\nname\" LOGIN; ALTER ROLE \"o'dd\nname\" SET log_statement = 'all'")
    found = only(judge(server, fixed("log_statement", "none", override_check=True)))
    assert found["verdict"] == "fail"
    assert "all" in found["evidence"][0]


def test_a_value_from_the_command_line_is_the_servers(stopped_server: PrivateServer) -> None:
    server = stopped_server
    server.run("pg_ctl", "-D", str(server.data), "-l", str(server.log), "-w", "-o", "-c log_statement=ddl", "start")
    server.psql("ALTER ROLE postgres SET log_statement = 'none'")
    assert only(judge(server, fixed("log_statement", "ddl")))["observed"] == "log_statement = ddl"


def test_every_database_is_looked_into_and_the_ones_left_out_are_named(server: PrivateServer) -> None:
    server.psql('CREATE DATABASE "a\'b host=/nowhere"; CREATE DATABASE closed ALLOW_CONNECTIONS false')
    server.psql('CREATE TABLE "evil\x1b[31m\n%s %(x)s;--" ()', database="dbname='a\\'b host=/nowhere'")
    found = only(judge(server, tables_check()))
    assert (found["verdict"], found["observed"]) == ("fail", "1 tables")
    assert found["evidence"][0].startswith('database "a\'b host=/nowhere": public."evil\\x1b[31m\\x0a%s %(x)s;--"')
    left_out = only(judge(server, tables_check(), exclude_databases=["a'b host=/nowhere"]))
    assert left_out["verdict"] == "not_observable"
    assert left_out["evidence"] == ['not looked at: database "a\'b host=/nowhere": excluded']


def test_what_a_database_holds_is_not_run_with_our_rights(server: PrivateServer) -> None:
    server.psql("CREATE TABLE caught (who text)")
    server.psql(
        "CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.caught VALUES (current_user); RETURN 'x'; END$$"
    )
    assert only(judge(server, tables_check()))["verdict"] == "fail"
    assert server.psql("SELECT count(*) FROM caught") == "0"


def test_a_query_that_fails_or_takes_too_long_blinds_its_own_control_alone(server: PrivateServer) -> None:
    known = [
        control(QueryCheck("rows", "none", "SELECT broken FROM nowhere"), id="PG-TRY-001"),
        control(QueryCheck("rows", "none", "SELECT pg_sleep(30)::text"), id="PG-TRY-002"),
        control(QueryCheck("rows", "none", "SELECT x FROM unnest(%(superusers)s::text[]) AS x"), id="PG-TRY-003"),
    ]
    given = options(query_timeout=1, declared={"superusers": ["ada"]})
    found = assess_controls(known, server.connection, given)["results"]
    assert [one["verdict"] for one in found] == ["not_observable", "not_observable", "fail"]
    assert "nowhere" in found[0]["observed"]
    assert "timeout" in found[1]["observed"]
    assert found[2]["evidence"] == ["ada"]


def test_a_login_without_rights_makes_nothing_pass(server: PrivateServer) -> None:
    (server.data / "pg_hba.conf").write_text("local all all trust\n")
    server.psql("CREATE ROLE app LOGIN")
    server.restart()
    found = judge(server, fixed("log_statement", "none"), user="app")
    assert only(found)["verdict"] == "not_observable"
    assert only(judge(server, tables_check(), user="app"))["verdict"] == "not_observable"
    server.psql("GRANT pg_read_all_settings TO app")
    assert only(judge(server, fixed("log_statement", "none"), user="app"))["verdict"] == "pass"


def test_a_waiver_holds_until_it_expires_and_has_to_name_a_control(server: PrivateServer) -> None:
    waiver = {"control": "PG-TRY-001", "reason": "trial", "owner": "ops", "expires": "2099-12-31"}
    wrong = fixed("log_statement", "all")
    assert only(judge(server, wrong, waivers=[waiver]))["verdict"] == "waived"
    expired = judge(server, wrong, waivers=[{**waiver, "expires": "2020-01-01"}])
    assert only(expired)["verdict"] == "fail"
    assert expired["warnings"] == ["the waiver of PG-TRY-001 has expired"]
    with pytest.raises(InvalidDeclaration, match="no control 'PG-NO-1'"):
        judge(server, wrong, waivers=[{**waiver, "control": "PG-NO-1"}])


def test_what_the_user_set_on_purpose_is_marked_and_still_fails(server: PrivateServer) -> None:
    found = only(judge(server, fixed("log_statement", "all"), overrides={"LOG_STATEMENT": "none"}))
    assert (found["verdict"], found["deviation"]) == ("fail", True)


def test_a_list_that_nobody_knows_is_refused(server: PrivateServer) -> None:
    with pytest.raises(InvalidDeclaration, match="Did you mean superusers"):
        judge(server, declared={"superuser": ["ada"]})


def test_two_thousand_tables_are_assessed_in_bearable_time(server: PrivateServer) -> None:
    server.psql("SELECT format('CREATE TABLE t%s (a int)', n) FROM generate_series(1, 2000) AS n \\gexec")
    start = time.monotonic()
    found = only(judge(server, tables_check()))
    assert found["observed"] == "2000 tables"
    assert time.monotonic() - start < 10


def test_the_whole_catalogue_sees_everything_of_a_database_it_may_see(server: PrivateServer) -> None:
    server.psql("CREATE TABLE plain (a int); CREATE TABLE bare (); REVOKE ALL ON bare FROM postgres")
    start = time.monotonic()
    found = assess_host(server.connection, options(level="strict"))
    assert time.monotonic() - start < 20
    blind = {one["id"]: one["observed"] for one in found["results"] if one["verdict"] == "not_observable"}
    # What only a whole host shows; and it has no backup job.
    known = ("systemd", "nft", "packet filter", "no backup job")
    assert all(any(word in reason for word in known) for reason in blind.values()), blind
    verdicts = {one["id"]: one["verdict"] for one in found["results"]}
    assert list(verdicts.values()).count("fail") > 10
    assert found["server_version"].split(".")[0].isdigit()
    assert json.loads(json.dumps(found)) == found


def test_a_server_that_is_down_leaves_the_host_to_be_judged(stopped_server: PrivateServer) -> None:
    found = assess_host(stopped_server.connection, options(level="strict"))
    by_category = {one["name"]: one for one in found["categories"]}
    assert by_category["sessions"]["passed"] == by_category["logging"]["passed"] == 0
    assert by_category["packages"]["passed"] + by_category["packages"]["failed"] > 0
    assert found["server_version"] == ""
    assert found["warnings"][0].startswith("nothing in the database could be looked at: can't log in")


def test_a_server_that_lets_nobody_in_still_has_its_files_judged(server: PrivateServer) -> None:
    key = server.data / "PG_VERSION"
    key.chmod(0o666)
    (server.data / "pg_hba.conf").write_text("local all all reject\n")
    server.restart(check=False)
    found = assess_host(server.connection, options())
    evidence = [line for one in found["results"] for line in one["evidence"]]
    assert any(line.startswith(f"{key}: postgres:postgres 0666") for line in evidence), evidence


def test_secrets_stay_where_they_are(server: PrivateServer) -> None:
    (server.data / "pg_hba.conf").write_text(
        "local all postgres peer\n"
        'host all all 192.0.2.0/24 ldap ldapserver=x ldapprefix="cn=" ldapsuffix=",dc=x" \n'
        'host all all 198.51.100.0/24 ldap ldapserver=x ldapbasedn="dc=x" ldapbinddn="cn=a" ldapbindpasswd="s3cr3t"\n'
    )
    server.psql("CREATE ROLE app LOGIN PASSWORD 's3cr3t'; CREATE TABLE t (c text); INSERT INTO t VALUES ('s3cr3t')")
    server.psql("ALTER ROLE app SET bulwark.token = 's3cr3t'; ALTER SYSTEM SET primary_conninfo = 'password=s3cr3t'")
    later = time.time() + 5
    os.utime(server.data / "pg_hba.conf", (later, later))
    found = assess_host(server.connection, options(level="strict"))
    text = json.dumps(found)
    assert "s3cr3t" not in text
    assert "192.0.2.0" in text
    assert "SCRAM-SHA-256$" not in text
    assert any("pg_hba.conf was changed" in warning for warning in found["warnings"])


def test_looking_changes_nothing(server: PrivateServer) -> None:
    watched = "SELECT pg_current_wal_insert_lsn(), (SELECT string_agg(rolname, ',') FROM pg_roles)"
    server.psql("CHECKPOINT")
    before = server.psql(watched)
    files = {path: path.stat().st_mode for path in server.data.iterdir()}
    assess_host(server.connection, options(level="strict"))
    assert server.psql(watched).split("|")[1] == before.split("|")[1]
    assert {path: path.stat().st_mode for path in server.data.iterdir()} == files


def test_the_module_runs_under_ansible_and_never_changes_anything(server: PrivateServer, tmp_path: Path) -> None:
    given = {**server.login_options(), "level": "strict", "overrides": {"work_mem": "64MB"}}
    answer = through_ansible("assessment_info", given, home=tmp_path)
    assert answer["changed"] is False
    assert answer["assessment"]["level"] == "strict"
    assert len(answer["assessment"]["results"]) > 40


def test_the_library_and_the_program_read_the_same_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, path = tmp_path / "server.key", tmp_path / "server.crt"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
            ),
            *("-subj", "/O=x/CN=db.example", "-addext", "subjectAltName=DNS:db.example,IP:192.0.2.1"),
            *("-keyout", str(key), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    by_library = observe_certificate(str(path), str(key), addresses="", port=1)
    monkeypatch.setattr(assessment_certificate, "HAS_CRYPTOGRAPHY", False)
    by_program = observe_certificate(str(path), str(key), addresses="", port=1)
    assert by_program == dataclasses.replace(by_library, signature=by_program.signature)
    assert by_library.names == ("db.example", "192.0.2.1")
    assert (by_library.key_type, by_library.key_bits, by_library.key_matches) == ("ec", 256, True)
    assert by_library.is_self_signed


def test_a_certificate_that_is_not_loaded_yet_is_told_from_the_one_in_force(server: PrivateServer) -> None:
    def make_certificate(name: str) -> None:
        files = ("-keyout", str(server.data / "server.key"), "-out", str(server.data / "server.crt"))
        subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", *subject, *files]
        subprocess.run(command, check=True, capture_output=True)
        server.chown(server.data / "server.key", server.data / "server.crt")

    make_certificate("first.example")
    server.psql("ALTER SYSTEM SET ssl = on")
    # An address of its own: another test's server may have the port on 127.0.0.1.
    server.psql(f"ALTER SYSTEM SET listen_addresses = '127.{os.getpid() % 250 + 1}.7.1'")
    server.restart()
    known = [one for one in controls() if one.id == "PG-TLS-004"]
    loaded = only(assess_controls(known, server.connection, options()))
    make_certificate("second.example")
    waiting = only(assess_controls(known, server.connection, options()))
    assert "self-signed" in loaded["evidence"][0]
    assert len(loaded["evidence"]) == 1
    assert len(waiting["evidence"]) == 2
    assert "reload" in waiting["evidence"][1]
