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

NETWORK = "bulwark-lab"
SUBNET = "10.89.77.0/24"
BOOT_SECONDS = 60
# Namespaces for systemd's sandboxing and nftables need these; without them sandboxing is silently void.
CAPABILITIES = "SYS_ADMIN,NET_ADMIN,NET_RAW"


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
    "ansible_connection": "containers.podman.podman",
    "ansible_python_interpreter": "/usr/bin/python3",
    "ansible_user": "root",
}

LAB_HOSTS: t.Final = (Host("pg1", "postgresql", "debian12", 11),)

# A server as it is found in the wild: it listens everywhere, trusts loopback, logs every statement, favours PUBLIC.
SAMPLE_SQL: t.Final = """
CREATE ROLE shop_owner; CREATE ROLE shop_app LOGIN PASSWORD '{password}';
CREATE DATABASE shop OWNER shop_owner;
ALTER SYSTEM SET listen_addresses = '*'; ALTER SYSTEM SET log_statement = 'all';
ALTER SYSTEM SET log_min_messages = 'debug1'; ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1';
\\connect shop
CREATE TABLE customers (id int PRIMARY KEY, email text); CREATE TABLE orders (id int PRIMARY KEY, state text);
INSERT INTO customers SELECT n, 'customer' || n || '@example.org' FROM generate_series(1, 1000) AS n;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC;
"""
SAMPLE_RULES: t.Final = "local all all peer\nhost all all 127.0.0.1/32 trust\nhost all all 0.0.0.0/0 md5\n"


def podman(*arguments: str, text: str | None = None, check: bool = True) -> str:
    done = subprocess.run(
        ["podman", *arguments], env=tool_environment(), capture_output=True, text=True, input=text, check=False
    )
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
    deadline = time.monotonic() + BOOT_SECONDS
    state = ""
    while time.monotonic() < deadline:
        state = podman("exec", name, "systemctl", "is-system-running", check=False)
        if state in ("running", "degraded"):
            return
        time.sleep(0.5)
    raise StepFailed(f"{name} did not boot within {BOOT_SECONDS} s (systemd says {state or 'nothing'})")


def remove_host(name: str) -> None:
    podman("rm", "--force", "--time", "2", "--volumes", "--ignore", name)


def make_it_look_used(host: Host, password: str) -> None:
    psql = ("exec", "--interactive", host.name, "runuser", "-u", "postgres", "--", "psql", "-Xqv", "ON_ERROR_STOP=1")
    hba = podman(*psql, "-Atc", "SHOW hba_file")
    podman(*psql, text=SAMPLE_SQL.format(password=password))
    podman("exec", "--interactive", host.name, "tee", "--append", hba, text=SAMPLE_RULES)
    podman("exec", host.name, "systemctl", "restart", "postgresql")


def up() -> None:
    """Bring the lab up; hosts that are up stay as they are."""
    LAB.mkdir(parents=True, exist_ok=True)
    for host in LAB_HOSTS:
        if podman("ps", "--filter", f"name=^{host.name}$", "--quiet"):
            continue
        say(f"lab: {host.name} ({host.platform})")
        password = secrets.token_urlsafe(18)
        start_host(host.name, platform=host.platform, address=host.address)
        make_it_look_used(host, password)
        _write_private("group_vars/postgresql/secrets.yml", {"lab_shop_app_password": password})
    _write_inventory()


def _write_inventory() -> None:
    groups: dict[str, t.Any] = {}
    for host in LAB_HOSTS:
        groups.setdefault(host.group, {"hosts": {}})["hosts"][host.name] = CONNECTION
    variables = {
        "bulwark_ca_dir": str(LAB / "ca"),
        "bulwark_report_dir": str(LAB.parent / "reports"),
        "bulwark_trusted_networks": [SUBNET],
        "bulwark_waivers_file": str(LAB / "waivers.yml"),
        "postgresql_hardening_allow_restart": True,
    }
    waiver = {
        "control": "PG-ROLE-007",
        "reason": "the sample application still reads its tables by way of PUBLIC",
        "owner": "shop team",
        "expires": (datetime.datetime.now(tz=datetime.timezone.utc) + datetime.timedelta(days=90)).date().isoformat(),
    }
    # JSON is YAML, and needs no library here.
    _write_private("waivers.yml", [waiver])
    _write_private("inventory.yml", {"all": {"children": groups, "vars": variables}})


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
    image.add_argument("--purpose", choices=sorted(PURPOSES), default="postgresql")
    start = verbs.add_parser("start")
    start.add_argument("name")
    start.add_argument("--platform", choices=sorted(PLATFORMS), default="debian12")
    start.add_argument("--purpose", choices=sorted(PURPOSES), default="postgresql")
    verbs.add_parser("remove").add_argument("name")
    arguments = parser.parse_args()
    actions: dict[str, t.Callable[[], t.Any]] = {
        "up": up,
        "down": down,
        "status": lambda: say(podman("ps", "--all", "--filter", f"network={NETWORK}")),
        "image": lambda: say(build(arguments.platform, arguments.purpose)),
        "start": lambda: start_host(arguments.name, platform=arguments.platform, purpose=arguments.purpose),
        "remove": lambda: remove_host(arguments.name),
    }
    actions[arguments.verb]()
    return 0


if __name__ == "__main__":
    main_or_exit(main)
