# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throwaway hosts in containers: the lab behind "make harden", and the hosts of the Molecule scenarios.

The lab is an inventory like any other: nothing in roles or playbooks knows of it.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import os
import secrets
import shutil
import subprocess
import time
import typing as t

from images import PLATFORMS, PURPOSES, build
from layout import LAB, tool_environment
from machine import observe_machine
from progress import StepFailed, main_or_exit, say
from sample_servers import GALERA_FILE, GALERA_OPTIONS, GALERA_SQL, POSTGRESQL_RULES, POSTGRESQL_SQL

NETWORK = "bulwark-lab"
SUBNET = "10.89.77.0/24"
PATIENCE_SECONDS = 60
# None of what is asked of the container engine takes that long; one that hangs would hold up whoever waits for it.
ENGINE_SECONDS = 120
# Namespaces for systemd's sandboxing and nftables need these; without them sandboxing is silently void. The last is
# what real hosts can give a service that copies the data directory of another account.
CAPABILITIES = "SYS_ADMIN,NET_ADMIN,NET_RAW,DAC_READ_SEARCH"


@dataclasses.dataclass(frozen=True)
class Host:
    """One host of the lab; ``number`` is the last part of its address."""

    name: str
    group: str
    platform: str
    number: int

    @property
    def address(self) -> str:
        return f"{SUBNET.rpartition('.')[0]}.{self.number}"


# The account is named so that Ansible sees that it is root already, and asks for no sudo.
CONNECTION: t.Final = {
    "ansible_connection": "podman_pipelined",
    "ansible_python_interpreter": "/usr/bin/python3",
    "ansible_user": "root",
}

POSTGRESQL: t.Final = Host("pg1", "postgresql", "debian12", 11)
NODES: t.Final = tuple(Host(f"db{number}", "galera", "debian12", 20 + number) for number in (1, 2, 3))
RESTORES: t.Final = Host("restore1", "restore_test", "debian12", 31)
LAB_HOSTS: t.Final = (POSTGRESQL, *NODES, RESTORES)

# What the sample application breaks on purpose.
WAIVED: t.Final = {
    "PG-ROLE-007": "the sample application still reads its tables by way of PUBLIC",
    "BKP-013": "all hosts of the lab are one machine, so nothing of it is at another place",
    "MDB-AUTH-002": "the sample application comes from addresses that change",
}


def podman(*arguments: str, text: str | None = None, check: bool = True) -> str:
    try:
        done = subprocess.run(
            ["podman", *arguments],
            env=tool_environment(),
            capture_output=True,
            text=True,
            input=text,
            check=False,
            timeout=ENGINE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        words = " ".join(arguments[:4])
        raise StepFailed(f"podman {words}: no answer within {ENGINE_SECONDS} s. Run it by hand to see why") from error
    if check and done.returncode:
        raise StepFailed(f"podman {' '.join(arguments[:3])}: {done.stderr.strip()}")
    return done.stdout.strip()


def start_host(name: str, *, platform: str, purpose: str = "postgresql", address: str | None = None) -> None:
    """A systemd host, booted. One of that name that is there already is left as it is."""
    if podman("ps", "--all", "--filter", f"name=^{name}$", "--quiet"):
        podman("start", name)
        wait_until_booted(name)
        return
    image = build(platform, purpose)
    if NETWORK not in podman("network", "ls", "--format", "{{.Name}}").split():
        podman("network", "create", "--subnet", SUBNET, NETWORK)
    options = ["--ip", address] if address else []
    machine = observe_machine()
    if machine.apparmor:
        options += ["--security-opt", "apparmor=unconfined"]  # the engine's profile forbids the mounts of sandboxing
    if PLATFORMS[platform].newest_control_groups and machine.cgroup == "hybrid":
        options += ["--volume", "/sys/fs/cgroup/unified:/sys/fs/cgroup:rw"]
    podman(
        *("run", "--detach", "--name", name, "--hostname", name, "--network", NETWORK, "--systemd=always"),
        *("--cap-add", CAPABILITIES, "--security-opt", "seccomp=unconfined", *options, image, "/sbin/init"),
    )
    wait_until_booted(name)


def wait_until_booted(name: str) -> None:
    wait_until(name, ("systemctl", "is-system-running"), ("running", "degraded"), "boot")


def wait_until_synced(node: Host) -> None:
    show = ("mariadb", "--skip-column-names", "--execute", "SHOW STATUS LIKE 'wsrep_local_state_comment'")
    wait_until(node.name, show, ("wsrep_local_state_comment\tSynced",), "join its cluster")


def wait_until(name: str, command: tuple[str, ...], expected: tuple[str, ...], purpose: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    state = ""
    while time.monotonic() < deadline:
        state = podman("exec", name, *command, check=False)
        if state in expected:
            return
        time.sleep(0.5)
    raise StepFailed(f"{name} did not {purpose} within {PATIENCE_SECONDS} s ({command[0]} says {state or 'nothing'})")


def remove_host(name: str) -> None:
    podman("rm", "--force", "--time", "2", "--volumes", "--ignore", name)


def runs(host: Host) -> bool:
    return bool(podman("ps", "--filter", f"name=^{host.name}$", "--quiet"))


def make_postgresql() -> None:
    say(f"lab: {POSTGRESQL.name} ({POSTGRESQL.platform})")
    password = secrets.token_urlsafe(18)
    start_host(POSTGRESQL.name, platform=POSTGRESQL.platform, purpose="lab-postgresql", address=POSTGRESQL.address)
    execute = ("exec", "--interactive", POSTGRESQL.name)
    psql = (*execute, "runuser", "-u", "postgres", "--", "psql", "-Xqv", "ON_ERROR_STOP=1")
    hba = podman(*psql, "-Atc", "SHOW hba_file")
    podman(*psql, text=POSTGRESQL_SQL.format(password=password))
    podman(*execute, "tee", "--append", hba, text=POSTGRESQL_RULES)
    podman("exec", POSTGRESQL.name, "systemctl", "restart", "postgresql")
    _write_private("group_vars/postgresql/secrets.yml", {"lab_shop_app_password": password})


def make_cluster() -> None:
    """All nodes anew: what is left of a cluster that was stopped doesn't start by itself."""
    passwords = {"app_password": secrets.token_urlsafe(18), "root_password": secrets.token_urlsafe(18)}
    for node in NODES:
        say(f"lab: {node.name} ({node.platform})")
        remove_host(node.name)
        start_host(node.name, platform=node.platform, purpose="lab-mariadb", address=node.address)
        # The socket holds the port that the search for the node's position needs.
        podman("exec", node.name, "systemctl", "disable", "--now", "mariadb.socket", "mariadb.service")
        podman("exec", node.name, "systemctl", "enable", "mariadb.service")
        members = ",".join(one.address for one in NODES)
        options = GALERA_OPTIONS.format(members=members, name=node.name, address=node.address)
        podman("exec", "--interactive", node.name, "tee", GALERA_FILE, text=options)
        if node == NODES[0]:
            podman("exec", node.name, "galera_new_cluster")
            podman("exec", "--interactive", node.name, "mariadb", text=GALERA_SQL.format(**passwords))
        else:
            podman("exec", node.name, "systemctl", "start", "mariadb.service")
            wait_until_synced(node)
    _write_private("group_vars/galera/secrets.yml", {f"lab_shop_{name}": value for name, value in passwords.items()})


def make_restore_host() -> None:
    """It has the programs of servers, and no server that runs."""
    say(f"lab: {RESTORES.name} ({RESTORES.platform})")
    start_host(RESTORES.name, platform=RESTORES.platform, purpose="lab-restore", address=RESTORES.address)
    podman("exec", RESTORES.name, "systemctl", "disable", "--now", "postgresql.service", "mariadb.service")


def make_offline_key() -> str:
    """Public half of the key that a site would keep in a safe."""
    path = LAB / "offline" / "backup_key.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        _run("age-keygen", "-o", str(path))
    return _run("age-keygen", "-y", str(path)).strip()


def _run(*command: str) -> str:
    done = subprocess.run(command, env=tool_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StepFailed(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def up() -> None:
    """Bring the lab up; hosts that are up stay as they are."""
    LAB.mkdir(parents=True, exist_ok=True)
    if not runs(POSTGRESQL):
        make_postgresql()
    if not all(map(runs, NODES)):
        make_cluster()
    if not runs(RESTORES):
        make_restore_host()
    _write_inventory()


def _write_inventory() -> None:
    galera = {
        "hosts": {node.name: CONNECTION for node in NODES},
        "vars": {
            "galera_hardening_allow_restart": True,
            "galera_hardening_accounts": [{"name": "shop_app", "host": "%", "tls": "ssl"}],
            # What any moment can be restored by.
            "galera_hardening_settings": {"log_bin": "mysql-bin", "log_slave_updates": True},
        },
    }
    groups = {
        "postgresql": {
            "hosts": {POSTGRESQL.name: CONNECTION},
            "vars": {"postgresql_hardening_allow_restart": True},
        },
        "mariadb": {"children": {"galera": galera}},
        RESTORES.group: {"hosts": {RESTORES.name: CONNECTION}},
    }
    variables = {
        "bulwark_ca_dir": str(LAB / "ca"),
        "bulwark_escrow_dir": str(LAB / "escrow"),
        "bulwark_report_dir": str(LAB.parent / "reports"),
        "bulwark_trusted_networks": [SUBNET],
        "bulwark_encrypted_backup": True,
        "bulwark_backup_recipients": [f"{{{{ hostvars['{RESTORES.name}'].restore_test_recipient }}}}"],
        "bulwark_backup_escrow_recipients": [make_offline_key()],
        "encrypted_backup_allow_restart": True,
        "bulwark_waivers_file": str(LAB / "waivers.yml"),
    }
    # JSON is YAML, and needs no library here.
    _write_private("waivers.yml", [_waiver(control, reason) for control, reason in WAIVED.items()])
    _write_private("inventory.yml", {"all": {"children": groups, "vars": variables}})


def _waiver(control: str, reason: str) -> dict[str, str]:
    expires = datetime.datetime.now(tz=datetime.timezone.utc) + datetime.timedelta(days=90)
    return {"control": control, "reason": reason, "owner": "shop team", "expires": expires.date().isoformat()}


def _write_private(name: str, content: t.Any) -> None:
    path = LAB / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, indent=2)
        stream.write("\n")


def down() -> None:
    for host in LAB_HOSTS:
        remove_host(host.name)
    podman("network", "rm", NETWORK, check=False)  # stays while hosts of a scenario use it
    shutil.rmtree(LAB, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("up", "down", "status"):
        verbs.add_parser(verb)
    image = verbs.add_parser("image")
    image.add_argument("platform", choices=sorted(PLATFORMS))
    image.add_argument("--purpose", choices=sorted(PURPOSES), action="append", help="all of them without")
    start = verbs.add_parser("start")
    start.add_argument("name")
    start.add_argument("--platform", choices=sorted(PLATFORMS), default="debian12")
    start.add_argument("--purpose", choices=sorted(PURPOSES), default="postgresql")
    start.add_argument("--address", default="", help="one that it keeps when it is stopped and started")
    verbs.add_parser("remove").add_argument("name")
    arguments = parser.parse_args()
    actions: dict[str, t.Callable[[], t.Any]] = {
        "up": up,
        "down": down,
        "status": lambda: say(podman("ps", "--all", "--filter", f"network={NETWORK}")),
        "image": lambda: say(" ".join(build(arguments.platform, one) for one in arguments.purpose or PURPOSES)),
        "start": lambda: start_host(
            arguments.name, platform=arguments.platform, purpose=arguments.purpose, address=arguments.address
        ),
        "remove": lambda: remove_host(arguments.name),
    }
    actions[arguments.verb]()
    return 0


if __name__ == "__main__":
    main_or_exit(main)
