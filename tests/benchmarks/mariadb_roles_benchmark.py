# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_roles beside community.mysql: 200 accounts, 50 roles with 4 members each, 5,000 grants on 500 tables.

Both as whole ansible-playbook runs against one private server, from nothing and with nothing to change. The peer is
given each account and each role in one item of a loop, with all its privileges: fewer and larger steps than most
playbooks have. Both have to leave the same state behind. Promised is 25 times, from nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".build" / "collections"), str(ROOT / "tests" / "integration")]

from private_mariadb import PrivateMariaDB

ACCOUNTS, ROLES, TABLES = 200, 50, 500
TABLES_PER_ACCOUNT, TABLES_PER_ROLE = 10, 60
AIM = 25
PASSWORD = "Correct-horse-9"
STATE = """
SELECT Host, User, JSON_VALUE(Priv, '$.plugin'), JSON_VALUE(Priv, '$.authentication_string'),
       JSON_VALUE(Priv, '$.access') FROM mysql.global_priv ORDER BY 1, 2;
SELECT Host, Db, User, Table_name, Table_priv FROM mysql.tables_priv ORDER BY 1, 2, 3, 4;
SELECT Host, User, Role FROM mysql.roles_mapping ORDER BY 1, 2, 3;
"""


def account_name(number: int) -> str:
    return f"account_{number:03}"


def role_name(number: int) -> str:
    return f"role_{number:02}"


def tables_of(number: int, count: int) -> list[str]:
    return [f"table_{(number * 7 + step * 41) % TABLES:03}" for step in range(count)]


def ours(login: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    grants: list[dict[str, t.Any]] = [
        {"to": [role_name(n)], "type": "table", "names": tables_of(n, TABLES_PER_ROLE), "privileges": ["SELECT"]}
        for n in range(ROLES)
    ]
    grants += [
        {
            "to": [f"{account_name(n)}@localhost"],
            "type": "table",
            "names": tables_of(n, TABLES_PER_ACCOUNT),
            "privileges": ["INSERT", "UPDATE"],
        }
        for n in range(ACCOUNTS)
    ]
    accounts = [
        {
            "name": account_name(n),
            "password": PASSWORD,
            "password_plugin": "mysql_native_password",
            "member_of": [role_name(n % ROLES)],
        }
        for n in range(ACCOUNTS)
    ]
    roles = [{"name": role_name(n)} for n in range(ROLES)]
    options = {"roles": roles, "accounts": accounts, "databases": [{"name": "bench", "grants": grants}]}
    return [{"name": "All of it", "bulwark.database.mariadb_roles": {**login, **options}}]


def peers(login: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    def privileges(number: int, count: int, what: str) -> str:
        return "/".join(f"bench.{table}:{what}" for table in tables_of(number, count))

    users = [
        {"name": account_name(n), "priv": privileges(n, TABLES_PER_ACCOUNT, "INSERT,UPDATE")} for n in range(ACCOUNTS)
    ]
    roles = [
        {
            "name": role_name(n),
            "priv": privileges(n, TABLES_PER_ROLE, "SELECT"),
            "members": [f"{account_name(member)}@localhost" for member in range(n, ACCOUNTS, ROLES)],
        }
        for n in range(ROLES)
    ]
    item = {"name": "{{ item.name }}", "priv": "{{ item.priv }}"}
    where = {"login_unix_socket": login["login_unix_socket"], "login_user": "root"}
    return [
        {
            "name": "Accounts",
            "community.mysql.mysql_user": {**where, **item, "password": PASSWORD, "column_case_sensitive": True},
            "loop": users,
        },
        {
            "name": "Roles",
            "community.mysql.mysql_role": {
                **where, **item, "members": "{{ item.members }}", "column_case_sensitive": True,
            },
            "loop": roles,
        },
    ]  # fmt: skip


def run_playbook(directory: Path, tasks: list[dict[str, t.Any]]) -> tuple[float, bool]:
    """Wall time of the whole ansible-playbook, and whether it changed something."""
    playbook = directory / "play.yml"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    started = time.perf_counter()
    done = subprocess.run(
        [
            *(str(Path(sys.prefix) / "bin" / "ansible-playbook"), "-i", "localhost,", str(playbook)),
            *("-e", "ansible_python_interpreter=/usr/bin/python3"),
        ],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-1000:])
    return wall, "changed=0" not in done.stdout


def measure(server: PrivateMariaDB, tasks: list[dict[str, t.Any]], name: str) -> tuple[float, float, str]:
    """Seconds from nothing, seconds with nothing to change, and the state left behind."""
    first, changed = run_playbook(server.root, tasks)
    again, changed_again = run_playbook(server.root, tasks)
    if not changed or changed_again:
        raise SystemExit(f"{name}: the first run has to change something, the second one nothing")
    print(f"  {name}: {first:.1f} s from nothing, {again:.1f} s with nothing to change", file=sys.stderr, flush=True)
    return first, again, server.sql(STATE)


def forget_everything(server: PrivateMariaDB) -> None:
    users = ", ".join(f"{account_name(n)}@localhost" for n in range(ACCOUNTS))
    roles = ", ".join(role_name(n) for n in range(ROLES))
    server.sql(f"DROP USER IF EXISTS {users}; DROP ROLE IF EXISTS {roles}")


def main() -> int:
    """Exit status 1 when the promise is not kept."""
    directory = Path(tempfile.mkdtemp(prefix="bw-bench-"))
    directory.chmod(0o755)
    server = PrivateMariaDB(directory / "server")
    server.create()
    server.start()
    try:
        tables = "".join(f"CREATE TABLE bench.table_{n:03} (id int, note text);" for n in range(TABLES))
        server.sql(f"CREATE DATABASE bench; {tables}")
        login = server.login_options()
        our_first, our_again, our_state = measure(server, ours(login), "mariadb_roles")
        forget_everything(server)
        peer_first, peer_again, peer_state = measure(server, peers(login), "community.mysql")
        if our_state != peer_state:
            raise SystemExit("the two did not leave the same state behind")
    finally:
        server.destroy()
        shutil.rmtree(directory, ignore_errors=True)
    print("| whole ansible-playbook | mariadb_roles | community.mysql | times faster | aim |")
    print("| --- | --- | --- | --- | --- |")
    print(f"| from nothing | {our_first:.1f} s | {peer_first:.1f} s | {peer_first / our_first:.0f} | {AIM} |")
    print(f"| nothing to change | {our_again:.1f} s | {peer_again:.1f} s | {peer_again / our_again:.0f} | |")
    return 0 if peer_first / our_first >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
