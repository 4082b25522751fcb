# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same end state through this collection and through community.postgresql, both in one run on fresh servers.

39 settings, 20 login rules, 30 roles, 29 memberships, 30 database grants; whole ansible-playbook wall time, on the
first run and on the run that changes nothing. The peer loops where its modules take one object each; ours is declared
in one task, and beside it with the three modules it is made of.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

import conftest
from private_server import PORT, PrivateServer

SETTINGS: dict[str, str] = {
    "authentication_timeout": "30s",
    "autovacuum_naptime": "45s",
    "bgwriter_delay": "150ms",
    "checkpoint_completion_target": "0.8",
    "checkpoint_timeout": "10min",
    "client_connection_check_interval": "10s",
    "deadlock_timeout": "2s",
    "debug_print_parse": "off",
    "default_statistics_target": "200",
    "effective_cache_size": "2GB",
    "idle_in_transaction_session_timeout": "5min",
    "idle_session_timeout": "8h",
    "lock_timeout": "1min",
    "log_checkpoints": "on",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_duration": "off",
    "log_error_verbosity": "terse",
    "log_file_mode": "0600",
    "log_hostname": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_lock_waits": "on",
    "log_min_error_statement": "panic",
    "log_min_messages": "log",
    "log_parameter_max_length": "0",
    "log_replication_commands": "on",
    "log_statement": "none",
    "log_temp_files": "10MB",
    "log_timezone": "UTC",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "160MB",
    "password_encryption": "scram-sha-256",
    "random_page_cost": "1.1",
    "statement_timeout": "30min",
    "tcp_keepalives_idle": "60",
    "temp_buffers": "16MB",
    "wal_writer_delay": "300ms",
    "work_mem": "8MB",
}
ROLES = [f"bench_role_{number:02}" for number in range(30)]
NETWORKS = [f"10.0.{number}.0/24" for number in range(19)]


def declared(server: PrivateServer) -> dict[str, dict[str, t.Any]]:
    """The end state, by the module that it is declared with."""
    login = server.login_options()
    rules = [{"type": "local", "databases": ["all"], "users": ["all"], "method": "peer"}]
    rules += [
        {"type": "hostssl", "databases": ["all"], "users": ["all"], "address": network, "method": "scram-sha-256"}
        for network in NETWORKS
    ]
    roles = [{"name": name, "login": True} for name in ROLES]
    for role in roles[1:]:
        role["member_of"] = [ROLES[0]]
    databases = [{"name": "bench", "grants": [{"to": ROLES, "privileges": ["CONNECT"]}]}]
    return {
        "postgresql_settings": {**login, "settings": SETTINGS},
        "postgresql_hba": {**login, "rules": rules},
        "postgresql_roles": {**login, "roles": roles, "databases": databases},
    }


def one_task(server: PrivateServer) -> list[dict[str, t.Any]]:
    options = {name: value for part in declared(server).values() for name, value in part.items()}
    return [{"name": "server", "bulwark.database.postgresql_server": options}]


def three_tasks(server: PrivateServer) -> list[dict[str, t.Any]]:
    return [{"name": name, f"bulwark.database.{name}": options} for name, options in declared(server).items()]


def peer(server: PrivateServer) -> list[dict[str, t.Any]]:
    """A loop per kind of object; the login rules in one task, because that module takes a list."""
    login = {"login_unix_socket": str(server.socket), "login_port": PORT}
    become = {"become": True, "become_user": server.account, "become_method": "su"}
    rules = [{"contype": "local", "databases": "all", "users": "all", "method": "peer"}]
    rules += [
        {"contype": "hostssl", "databases": "all", "users": "all", "source": network, "method": "scram-sha-256"}
        for network in NETWORKS
    ]
    return [
        {
            "name": "settings",
            "community.postgresql.postgresql_set": {**login, "name": "{{ item.key }}", "value": "{{ item.value }}"},
            "loop": [{"key": name, "value": value} for name, value in SETTINGS.items()],
            **become,
        },
        {
            "name": "rules",
            "community.postgresql.postgresql_pg_hba": {"dest": str(server.data / "pg_hba.conf"), "rules": rules},
            **become,
        },
        {
            "name": "roles",
            "community.postgresql.postgresql_user": {**login, "name": "{{ item }}", "role_attr_flags": "LOGIN"},
            "loop": ROLES,
            **become,
        },
        {
            "name": "memberships",
            "community.postgresql.postgresql_membership": {
                **login,
                "groups": [ROLES[0]],
                "target_roles": ["{{ item }}"],
            },
            "loop": ROLES[1:],
            **become,
        },
        {
            "name": "grants",
            "community.postgresql.postgresql_privs": {
                **login,
                "login_db": "bench",
                "type": "database",
                "objs": "bench",
                "privs": "CONNECT",
                "roles": "{{ item }}",
            },
            "loop": ROLES,
            **become,
        },
    ]


def timed_playbook(tasks: list[dict[str, t.Any]], directory: Path) -> tuple[float, int]:
    """Wall seconds of the whole ansible-playbook, and the number of changed tasks."""
    path = directory / "playbook.json"
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    path.write_text(json.dumps([play]), encoding="utf-8")
    site = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": f"{conftest.COLLECTIONS}:{site}",
        "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    started = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.prefix) / "bin" / "ansible-playbook"), str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        stdin=subprocess.DEVNULL,
    )
    elapsed = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-2000:])
    return elapsed, int(done.stdout.rsplit("changed=", 1)[1].split()[0])


def measure(make_tasks: t.Callable[[PrivateServer], list[dict[str, t.Any]]]) -> tuple[float, float]:
    """Seconds of the first run and of the second, which has to change nothing."""
    with tempfile.TemporaryDirectory(prefix="bw-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        server = PrivateServer(directory / "s")
        server.create()
        server.start()
        try:
            server.psql("CREATE DATABASE bench")
            first, changed = timed_playbook(make_tasks(server), directory)
            second, changed_again = timed_playbook(make_tasks(server), directory)
        finally:
            server.destroy()
    if not changed or changed_again:
        raise SystemExit(f"first run changed {changed}, second {changed_again}: not the same end state")
    return first, second


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    # Ours on both sides of the peer's long run: the machine may not be as quiet at its end.
    rounds = [measure(one_task), measure(three_tasks)]
    loops = measure(peer)
    again = [measure(one_task), measure(three_tasks)]
    print(
        "| end state: 39 settings, 20 rules, 30 roles, 29 memberships, 30 grants | bulwark.database | "
        "community.postgresql | times faster | aim |"
    )
    print("| --- | --- | --- | --- | --- |")
    for way, title in enumerate(("postgresql_server, one task", "three modules, three tasks")):
        for run, when in enumerate(("first run", "run that changes nothing")):
            seconds = (rounds[way][run] + again[way][run]) / 2
            ratio = loops[run] / seconds
            print(f"| {title}: {when} | {seconds:.2f} s | {loops[run]:.1f} s | {ratio:.1f} | {25 if not way else ''} |")


if __name__ == "__main__":
    main()
