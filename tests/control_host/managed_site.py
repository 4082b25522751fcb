# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian 13 host that controls Debian 12 hosts as users do: over ssh, as an ordinary account, with sudo.

Nothing of the checkout is there: Ansible comes from its own package, the collection from its tarball.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from lab import SUBNET, podman, remove_host, start_host
from layout import tool_environment

CONTROL: t.Final = "control-host"
# A host for each engine, by the kind of its server.
TARGETS: t.Final = {"postgresql": "control-postgresql", "mariadb": "control-mariadb"}
ACCOUNT: t.Final = "maintainer"
HOME: t.Final = f"/home/{ACCOUNT}"
WHEELS: t.Final = "/opt/wheels"
# No interpreter is named, and there is no ansible.cfg: Ansible's defaults are what users have.
COMMON: t.Final = {"ansible_become": True, "bulwark_trusted_networks": [SUBNET]}
INVENTORY: t.Final = {
    "postgresql": {
        "hosts": {TARGETS["postgresql"]: {}},
        "vars": {"postgresql_hardening_allow_restart": True, **COMMON},
    },
    "mariadb": {
        "hosts": {TARGETS["mariadb"]: {}},
        "vars": {"galera_hardening_allow_restart": True, "galera_hardening_observe_seconds": 1, **COMMON},
    },
}


@dataclasses.dataclass(frozen=True)
class Run:
    """A whole ansible-playbook and its recap.

    :param changed: by the hosts' names.
    :param failed: of all hosts together, the unreachable ones counted.
    """

    status: int
    changed: dict[str, int]
    failed: int
    output: str


@dataclasses.dataclass(frozen=True)
class Site:
    """``release``: the requirements by which Ansible was installed."""

    release: str

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of Ansible's commands on the control host."""
        account = ("--user", ACCOUNT, "--workdir", HOME, "--env", "LC_ALL=C.UTF-8")
        return subprocess.run(
            ["podman", "exec", *account, CONTROL, f"{HOME}/ansible/bin/{program}", *arguments],
            env=tool_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def must(self, program: str, *arguments: str) -> str:
        done = self.run(program, *arguments)
        assert done.returncode == 0, f"{program} {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def play(self, playbook: str, *options: str) -> Run:
        done = self.run("ansible-playbook", "-i", "inventory.json", f"bulwark.database.{playbook}", *options)
        output = f"{self.release}: {playbook} {' '.join(options)}\n{done.stdout}\n{done.stderr}"
        line = r"^(control-\S+) .*changed=(\d+) +unreachable=(\d+) +failed=(\d+)"
        recap = re.findall(line, done.stdout, re.MULTILINE)
        assert sorted(name for name, *dummy in recap) == sorted(TARGETS.values()), output
        changed = {name: int(count) for name, count, *dummy in recap}
        return Run(done.returncode, changed, sum(int(lost) + int(failed) for *dummy, lost, failed in recap), output)

    def state_of_targets(self) -> list[str]:
        """A sum for each over what hardening may change: files with owners, modes and times, and the packet filter."""
        places = "/etc $(ls -d /var/lib/postgresql/*/main/*.conf /var/lib/mysql-files)"
        script = f"(tar --create --file=- {places}; nft list ruleset) 2>/dev/null"
        return [podman("exec", target, "bash", "-c", f"{script} | sha256sum") for target in TARGETS.values()]


@contextlib.contextmanager
def managed_site(release: str, tarball: Path) -> t.Iterator[Site]:
    """All hosts from nothing; those that an interrupted run left are removed first."""
    hosts = (CONTROL, *TARGETS.values())
    try:
        for host in hosts:
            remove_host(host)
        prepare(CONTROL, "debian13", "postgresql", "openssh-client", "python3-venv")
        for purpose, target in TARGETS.items():
            prepare(target, "debian12", purpose, "openssh-server", "sudo")
        give_access()
        install_ansible(release)
        site = Site(release)
        podman("cp", str(tarball), f"{CONTROL}:{HOME}")
        site.must("ansible-galaxy", "collection", "install", tarball.name)
        write(CONTROL, f"{HOME}/inventory.json", json.dumps(INVENTORY))
        yield site
    finally:
        for host in hosts:
            remove_host(host)


def prepare(host: str, platform: str, purpose: str, *packages: str) -> None:
    start_host(host, platform=platform, purpose=purpose)
    install = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(packages)}"
    podman("exec", "--env", "DEBIAN_FRONTEND=noninteractive", host, "sh", "-c", install)
    podman("exec", host, "useradd", "--create-home", "--shell", "/bin/bash", ACCOUNT)
    podman("exec", "--user", ACCOUNT, host, "mkdir", "--mode=0700", f"{HOME}/.ssh")


def write(host: str, path: str, text: str, account: str = ACCOUNT) -> None:
    podman("exec", "--interactive", "--user", account, host, "tee", path, text=f"{text}\n")


def give_access() -> None:
    """The control host's account may log in to the targets, whose keys it knows, and become root there."""
    key = f"{HOME}/.ssh/id_ed25519"
    podman("exec", "--user", ACCOUNT, CONTROL, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    public_key, known = podman("exec", CONTROL, "cat", f"{key}.pub"), []
    for target in TARGETS.values():
        write(target, f"{HOME}/.ssh/authorized_keys", public_key)
        known.append(f"{target} {podman('exec', target, 'cat', '/etc/ssh/ssh_host_ed25519_key.pub')}")
        write(target, f"/etc/sudoers.d/{ACCOUNT}", f"{ACCOUNT} ALL=(ALL) NOPASSWD: ALL", account="root")
    write(CONTROL, f"{HOME}/.ssh/known_hosts", "\n".join(known))


def install_ansible(release: str) -> None:
    """This machine fetches the packages, for its pip is configured to reach them; the control host installs them."""
    version = podman("exec", CONTROL, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    with tempfile.TemporaryDirectory(prefix="bulwark-wheels-") as folder:
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", folder]
        subprocess.run([*fetch, "--python-version", version, *release.split()], check=True)
        podman("cp", folder, f"{CONTROL}:{WHEELS}")
    podman("exec", CONTROL, "chmod", "--recursive", "a+rX", WHEELS)
    podman("exec", "--user", ACCOUNT, CONTROL, "python3", "-m", "venv", f"{HOME}/ansible")
    pip = (f"{HOME}/ansible/bin/pip", "install", "--quiet", "--no-compile", "--no-index", "--find-links", WHEELS)
    podman("exec", "--user", ACCOUNT, CONTROL, *pip, *release.split())
