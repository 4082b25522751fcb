# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_restart beside a bare systemctl restart: one node of a cluster of three systemd hosts, under a writer.

From the stop until the node is Synced, in turns, on the same node. The cluster is that of the scenario galera_hardening
before anybody hardens it. Promised is that the module takes at most 1.3 times as long.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools")]

from lab import CONNECTION, podman, remove_host, start_host
from layout import tool_environment

NODES = tuple(f"bench-galera{number}" for number in (1, 2, 3))
RESTARTED = NODES[1]  # the writer writes to the first, as long as that takes it
PREPARE = ROOT / "molecule" / "galera_hardening" / "prepare.yml"
AIM = 1.3

BARE = """
import subprocess, sys, time
import pymysql
sys.stdin.close()
started = time.monotonic()
subprocess.run(["systemctl", "restart", "mariadb.service"], check=True)
state = None
while state != "Synced":
    try:
        connection = pymysql.connect(user="root", unix_socket="/run/mysqld/mysqld.sock")
        with connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_local_state_comment'")
            state = cursor.fetchone()[1]
        connection.close()
    except pymysql.MySQLError:
        pass
    if state != "Synced":
        time.sleep(0.02)
print(time.monotonic() - started)
"""
ASK = {
    "bulwark.database.galera_info": {"wait": True, "expected_size": len(NODES), "timeout": 60},
    "delegate_to": "{{ item }}",
    "loop": list(NODES),
    "register": "asked",
}
RESTART = {
    "bulwark.database.mariadb_restart": {
        "members": "{{ asked.results | map(attribute='galera') }}",
        "expected_size": len(NODES),
        "deadline": 90,
    }
}


class Cluster:
    """Three hosts in an inventory of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inventory = folder / "inventory.json"
        hosts = dict.fromkeys(NODES, CONNECTION)
        self._inventory.write_text(json.dumps({"galera": {"hosts": hosts}}), encoding="utf-8")

    def make(self) -> None:
        for name in NODES:
            remove_host(name)
            start_host(name, platform="debian12", purpose="mariadb")
        self._play(PREPARE)

    def remove(self) -> None:
        for name in NODES:
            remove_host(name)

    def wait(self) -> None:
        """Until every node is Synced."""
        self._tasks(ASK)

    def restart_bare(self) -> float:
        return float(podman("exec", "--interactive", RESTARTED, "python3", "-c", BARE))

    def restart_by_module(self) -> float:
        return float(self._tasks(ASK, RESTART)["seconds"])

    def seconds_of_systemd(self) -> float:
        """From leaving the state "active" to being there again, by systemd's own clock."""
        names = ("ActiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
        show = ("systemctl", "show", f"--property={','.join(names)}", "mariadb.service")
        lines = podman("exec", RESTARTED, *show).splitlines()
        found = {name: int(value) for name, dummy, value in (line.partition("=") for line in lines)}
        return (found[names[1]] - found[names[0]]) / 1e6

    def _tasks(self, *tasks: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the last of them returned."""
        playbook = self._folder / "play.json"
        play = {"hosts": RESTARTED, "gather_facts": False, "tasks": list(tasks)}
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        last = json.loads(self._play(playbook))["plays"][-1]["tasks"][-1]
        return t.cast("dict[str, t.Any]", last["hosts"][RESTARTED])

    def _play(self, playbook: Path) -> str:
        command = str(Path(sys.prefix) / "bin" / "ansible-playbook")
        done = subprocess.run(
            [command, "-i", str(self._inventory), str(playbook)],
            env={**os.environ, **tool_environment(), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise SystemExit(done.stdout[-3000:] + done.stderr[-1000:])
        return done.stdout


def measured(cluster: Cluster, kind: str, restart: t.Callable[[], float]) -> float:
    cluster.wait()
    seconds = restart()
    floor = cluster.seconds_of_systemd()
    if seconds < floor:
        raise SystemExit(f"{kind}: {seconds:.2f} s are told, but the service was away for {floor:.2f} s")
    print(f"  {kind}: {seconds:.2f} s, of which the service was away {floor:.2f} s", file=sys.stderr, flush=True)
    return seconds


def main() -> int:
    """Exit status 1 when the promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="leave the cluster as it is afterwards")
    arguments = parser.parse_args()
    bare, ours = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.make()
            measured(cluster, "the first, not counted", cluster.restart_bare)
            for dummy in range(arguments.repeats):
                bare.append(measured(cluster, "systemctl restart", cluster.restart_bare))
                ours.append(measured(cluster, "mariadb_restart", cluster.restart_by_module))
        finally:
            if not arguments.keep:
                cluster.remove()
    ratio = statistics.median(ours) / statistics.median(bare)
    print("| one of three nodes, from stop to Synced | systemctl restart | mariadb_restart | ratio | aim |")
    print("| --- | --- | --- | --- | --- |")
    for name, pick in (("median", statistics.median), ("fastest", min), ("slowest", max)):
        first, second = pick(bare), pick(ours)
        aim = str(AIM) if name == "median" else ""
        print(f"| {name} of {arguments.repeats} | {first:.2f} s | {second:.2f} s | {second / first:.2f} | {aim} |")
    return 0 if ratio <= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
