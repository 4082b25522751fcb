# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_roles beside psql: 500 roles, 10 schemas, 2,000 tables, 20,000 grants, on a private server.

Two promises of the module, both sides in one run:
- a plan with no change, from connect to plan, takes at most twice the time in which psql lists every grant with names
  into a file, and less than 300 MB;
- applying all of it from nothing takes at most 1.5 times the time in which psql runs the same SQL.

Run it with the Python whose driver is to be measured: /usr/bin/python3 has Debian's psycopg in pure Python.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".build" / "collections"), str(ROOT / "tests" / "integration")]

from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan
from ansible_collections.bulwark.database.plugins.module_utils._dialects.postgresql_roles import (
    PostgreSQLRolesDialect,
    Transaction,
)
from ansible_collections.bulwark.database.plugins.module_utils._io.libraries import require_psycopg
from ansible_collections.bulwark.database.plugins.module_utils._io.postgresql import open_session
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_roles import (
    PostgreSQLRoles,
    open_subject,
)
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import converge
from private_server import PORT, PrivateServer
from roles_options import DEFAULTS

ROLES, SCHEMAS, TABLES, GRANTEES_PER_TABLE = 500, 10, 2000, 10
ROUNDS = 7
MEMORY_AIM = 300
DATABASE = "bench"

LIST_EVERY_GRANT = """
SELECT 'database', '', d.datname, coalesce(g.rolname, 'PUBLIC'), o.rolname, a.privilege_type, a.is_grantable
FROM pg_database d, aclexplode(d.datacl) a
LEFT JOIN pg_roles g ON g.oid = a.grantee JOIN pg_roles o ON o.oid = a.grantor;
SELECT 'schema', '', n.nspname, coalesce(g.rolname, 'PUBLIC'), o.rolname, a.privilege_type, a.is_grantable
FROM pg_namespace n, aclexplode(n.nspacl) a
LEFT JOIN pg_roles g ON g.oid = a.grantee JOIN pg_roles o ON o.oid = a.grantor;
SELECT m.roleid::regrole, m.member::regrole, m.grantor::regrole, m.admin_option FROM pg_auth_members m;
SELECT 'table', n.nspname, c.relname, coalesce(g.rolname, 'PUBLIC'), o.rolname, a.privilege_type, a.is_grantable
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
LEFT JOIN pg_roles g ON g.oid = a.grantee JOIN pg_roles o ON o.oid = a.grantor
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def progress(text: str) -> None:
    """Where people see it; what is printed to standard output is the table."""
    print(f"  {text}", file=sys.stderr, flush=True)


def declaration() -> dict[str, t.Any]:
    """Every table with ten roles of its own, in one entry per table: nothing a wildcard could shorten."""
    names = [f"role_{number:03}" for number in range(ROLES)]
    roles: list[dict[str, t.Any]] = [
        {"name": name, "login": number % 2 == 0, "member_of": [names[number // 10]] if number >= 10 else []}
        for number, name in enumerate(names)
    ]
    groups = names[: ROLES // 10]
    grants: list[dict[str, t.Any]] = [{"to": groups, "privileges": ["CONNECT"]}]
    schemas = [f"schema_{schema}" for schema in range(SCHEMAS)]
    grants.extend({"to": groups, "type": "schema", "names": [name], "privileges": ["USAGE"]} for name in schemas)
    for table in range(TABLES):
        grantees = [names[(table * 7 + number * 41) % ROLES] for number in range(GRANTEES_PER_TABLE)]
        privileges = ["SELECT"] if table % 2 else ["SELECT", "INSERT"]
        where = {"type": "table", "schemas": [f"schema_{table % SCHEMAS}"], "names": [f"table_{table:04}"]}
        grants.append({"to": grantees, **where, "privileges": privileges})
    return {**DEFAULTS, "roles": roles, "databases": [{"name": DATABASE, "grants": grants}]}


def make_tables(server: PrivateServer) -> None:
    server.psql(f"CREATE DATABASE {DATABASE}")
    statements = [f"CREATE SCHEMA schema_{number};" for number in range(SCHEMAS)]
    statements += [
        f"CREATE TABLE schema_{number % SCHEMAS}.table_{number:04} (id int, note text);" for number in range(TABLES)
    ]
    server.psql("\n".join(["BEGIN;", *statements, "COMMIT;", "VACUUM ANALYZE;"]), database=DATABASE)


def connection(server: PrivateServer) -> t.Any:
    return dataclasses.replace(server.connection, database=DATABASE)


def timed(action: t.Callable[[], t.Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def plan_without_change(server: PrivateServer, options: dict[str, t.Any]) -> None:
    with open_subject(connection(server), options) as subject:
        plan = subject.plan(subject.observe())
        if plan:
            raise SystemExit(f"the plan should be empty, it has {len(plan)} changes: {plan.summaries()[:3]}")


def apply_all(server: PrivateServer, options: dict[str, t.Any]) -> None:
    with open_subject(connection(server), options) as subject:
        outcome = converge(subject, check_mode=False)
        progress(f"applied {len(outcome.plan)} changes")


def same_sql(server: PrivateServer, options: dict[str, t.Any]) -> str:
    """What the module would send, as a script for psql."""
    with open_session(connection(server)) as session:
        subject = PostgreSQLRoles(session, options)
        plan: Plan = subject.plan(subject.observe())
        transactions: list[Transaction] = PostgreSQLRolesDialect(session.version).transactions(
            plan, maintenance=DATABASE
        )
    lines = [f"{statement};" for transaction in transactions for statement in transaction.statements]
    progress(f"{len(lines)} statements")
    return "\n".join(["BEGIN;", *lines, "COMMIT;"])


def single_grants(options: dict[str, t.Any]) -> str:
    """The same privileges as people write them: a statement for each role and object."""
    lines = []
    for grant in options["databases"][0]["grants"]:
        kind = grant.get("type", "database")
        name = {"database": DATABASE, "schema": grant.get("names", [""])[0]}.get(kind)
        name = name or f"{grant['schemas'][0]}.{grant['names'][0]}"
        what = f"GRANT {', '.join(grant['privileges'])} ON {kind} {name} TO"
        lines.extend(f"{what} {grantee};" for grantee in grant["to"])
    progress(f"{len(lines)} statements, one by one")
    roles = [f"CREATE ROLE {role['name']} {'LOGIN' if role['login'] else ''};" for role in options["roles"]]
    joins = [f"GRANT {role['member_of'][0]} TO {role['name']};" for role in options["roles"] if role["member_of"]]
    return "\n".join(["BEGIN;", *roles, *joins, *lines, "COMMIT;"])


def forget_everything(server: PrivateServer) -> None:
    """Back to nothing: another database, and no roles."""
    server.psql(f"DROP DATABASE IF EXISTS {DATABASE}")
    drops = [f"DROP ROLE IF EXISTS role_{number:03};" for number in range(ROLES)]
    server.psql("\n".join(["BEGIN;", *drops, "COMMIT;", "VACUUM FULL;"]))
    make_tables(server)


def psql_file(server: PrivateServer, script: Path, output: Path) -> None:
    arguments = ["-h", str(server.socket), "-p", str(PORT), "-U", "postgres", "-d", DATABASE, "-XAtq"]
    server.run("psql", *arguments, "-v", "ON_ERROR_STOP=1", "-f", str(script), "-o", str(output))


def write_script(server: PrivateServer, name: str, text: str) -> Path:
    script = server.root / name
    script.write_text(text, encoding="utf-8")
    server.chown(script)
    return script


def measure_apply(server: PrivateServer, options: dict[str, t.Any]) -> dict[str, float]:
    rounds: dict[str, list[float]] = {"module": [], "psql": [], "psql_single": []}
    for dummy in range(3):
        forget_everything(server)
        same = write_script(server, "same.sql", same_sql(server, options))
        rounds["psql"].append(timed(functools.partial(psql_file, server, same, server.root / "output")))
        forget_everything(server)
        single = write_script(server, "single.sql", single_grants(options))
        rounds["psql_single"].append(timed(functools.partial(psql_file, server, single, server.root / "output")))
        forget_everything(server)
        rounds["module"].append(timed(lambda: apply_all(server, options)))
    return {name: statistics.median(times) for name, times in rounds.items()}


def measure_plan(server: PrivateServer, options: dict[str, t.Any]) -> dict[str, float]:
    server.psql("VACUUM ANALYZE", database=DATABASE)
    script = write_script(server, "list.sql", LIST_EVERY_GRANT)
    output = server.root / "grants.txt"
    output.touch()
    server.chown(output)
    rounds: dict[str, list[float]] = {"module": [], "exclusive": [], "psql": []}
    exclusive = {**options, "exclusive": True, "maximum_revocations": 10_000, "protected_roles": []}
    with open_subject(connection(server), exclusive) as subject:
        converge(subject, check_mode=False)
    for dummy in range(ROUNDS):
        rounds["psql"].append(timed(lambda: psql_file(server, script, output)))
        rounds["module"].append(timed(lambda: plan_without_change(server, options)))
        rounds["exclusive"].append(timed(lambda: plan_without_change(server, exclusive)))
    progress(f"psql listed {len(output.read_text(encoding='utf-8').splitlines())} grants")
    return {name: statistics.median(times) for name, times in rounds.items()}


def cold_process(server: PrivateServer, options: dict[str, t.Any]) -> dict[str, float]:
    """A fresh interpreter, as under Ansible: nothing is cached yet. Seconds from connect to plan, and megabytes."""
    file = write_script(server, "options.json", json.dumps(options))
    best: list[dict[str, float]] = []
    for dummy in range(5):
        command = [sys.executable, __file__, "--cold", str(server.root), str(file)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        best.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: statistics.median(one[key] for one in best) for key in best[0]}


def measure_cold(root: str, file: str) -> None:
    server, options = PrivateServer(Path(root)), json.loads(Path(file).read_text(encoding="utf-8"))
    require_psycopg()  # loading code is no part of "from connect to plan"
    seconds = timed(lambda: plan_without_change(server, options))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes}))


def report(plan: dict[str, float], cold: dict[str, float], apply: dict[str, float]) -> bool:
    """Print the table; whether every aim is reached."""
    rows = [
        ("no change, warm, from connect to plan, beside a list of all grants", plan["module"], plan["psql"], 2.0),
        ("the same in a fresh process", cold["seconds"], plan["psql"], 2.0),
        ("the same warm, exclusive", plan["exclusive"], plan["psql"], None),
        ("all of it from nothing, beside the same SQL", apply["module"], apply["psql"], 1.5),
        ("all of it from nothing, beside a statement for each grant", apply["module"], apply["psql_single"], None),
    ]
    print("| postgresql_roles | module | psql | module / psql | aim |")
    print("| --- | --- | --- | --- | --- |")
    for title, ours, theirs, aim in rows:
        print(f"| {title} | {ours:.3f} s | {theirs:.3f} s | {ours / theirs:.2f} | {aim or ''} |")
    print(f"| peak memory, fresh process | {cold['megabytes']:.0f} MB | | | {MEMORY_AIM} MB |")
    ratios_kept = all(aim is None or ours / theirs <= aim for dummy_title, ours, theirs, aim in rows)
    return ratios_kept and cold["megabytes"] < MEMORY_AIM


def main() -> int:
    """Exit status 1 when a promise is not kept."""
    if sys.argv[1:2] == ["--cold"]:
        measure_cold(*sys.argv[2:])
        return 0
    directory = Path(tempfile.mkdtemp(prefix="bw-bench-"))
    directory.chmod(0o755)
    server = PrivateServer(directory / "server")
    server.create()
    server.start()
    try:
        options = declaration()
        apply = measure_apply(server, options)
        plan = measure_plan(server, options)
        return 0 if report(plan, cold_process(server, options), apply) else 1
    finally:
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
