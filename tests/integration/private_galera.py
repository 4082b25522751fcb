# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throwaway Galera cluster: MariaDB servers on loopback with ports of their own, in plaintext, stock otherwise."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from private_mariadb import START_SECONDS, PrivateMariaDB

PROVIDER = Path("/usr/lib/galera/libgalera_smm.so")
# The package that brings a running service has them, too.
TRANSFER_SCRIPTS = Path(__file__).resolve().parents[2] / ".build" / "mariadb-transfer"
CLUSTER_NAME = "bulwark"
# Below those that the kernel gives to outgoing connections. Parallel workers and nodes differ; a node takes five.
FIRST_PORT = 24000 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
# Shorter than stock, so that tests of partitions are; the cache is small, so that a node is there quickly.
PROVIDER_OPTIONS = (
    "gcache.size=16M;evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT5S;"
    "evs.inactive_check_period=PT0.5S;pc.announce_timeout=PT1S"
)


class PrivateGaleraNode(PrivateMariaDB):
    """One node, named ``node1`` and so on.

    :ivar gate: while this file is there, a state transfer that this node gives does not get on.
    """

    def __init__(self, root: Path, number: int, cluster: PrivateGalera) -> None:
        super().__init__(root)
        self.name = f"node{number}"
        first = FIRST_PORT + 5 * number
        self.port, self.group_port, self.transfer_port, self.increment_port = range(first, first + 4)
        self.gate = root / "gate"
        self._programs = root / "bin"
        self._cluster = cluster
        self.environment = {"PATH": f"{self._programs}:{TRANSFER_SCRIPTS}:{os.environ['PATH']}"}

    def configure(self) -> None:
        """What makes a server a node, as a drop-in."""
        self._programs.mkdir()
        program = self._programs / "rsync"
        wait = f'while [ -e "{self.gate}" ]; do sleep 0.1; done'
        program.write_text(f'#!/bin/sh\n{wait}\nexec {shutil.which("rsync")} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self.write_options()

    def write_options(self, provider: str = "") -> None:
        """Takes effect at the next start; ``provider`` is added to the provider's options."""
        (self.drop_ins / "galera.cnf").write_text(
            "[mariadbd]\n"
            f"skip_networking = OFF\nbind_address = 127.0.0.1\nport = {self.port}\n"
            "binlog_format = ROW\ndefault_storage_engine = InnoDB\ninnodb_autoinc_lock_mode = 2\n"
            f"wsrep_on = ON\nwsrep_provider = {PROVIDER}\nwsrep_cluster_name = {CLUSTER_NAME}\n"
            f"wsrep_cluster_address = gcomm://{self._cluster.addresses}\n"
            f"wsrep_node_name = {self.name}\nwsrep_node_address = 127.0.0.1\n"
            f"wsrep_node_incoming_address = 127.0.0.1:{self.port}\n"
            f"wsrep_sst_method = rsync\nwsrep_sst_receive_address = 127.0.0.1:{self.transfer_port}\n"
            f'wsrep_provider_options = "base_port={self.group_port};gmcast.listen_addr=tcp://127.0.0.1:{self.group_port};'
            f'ist.recv_addr=127.0.0.1:{self.increment_port};{PROVIDER_OPTIONS};{provider}"\n',
            encoding="utf-8",
        )

    def set_provider_option(self, name: str, value: str) -> None:
        """While it runs. Where the provider's plugin is loaded, as in 11.8, its options are variables of their own."""
        variable = f"wsrep_provider_{name.replace('.', '_')}"
        if self.sql(f"SHOW GLOBAL VARIABLES LIKE '{variable}'"):
            self.sql(f"SET GLOBAL {variable} = {value}")
        else:
            self.sql(f"SET GLOBAL wsrep_provider_options = '{name}={value}'")

    def begin(self, sql: str) -> subprocess.Popen[str]:
        """Run SQL and wait for nothing."""
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--execute", sql]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True)

    @property
    def state(self) -> str:
        """``Synced`` and so on; what went wrong where it does not answer."""
        answer = self.sql("SHOW GLOBAL STATUS LIKE 'wsrep_local_state_comment'", check=False)
        return answer.partition("\t")[2] or answer

    def wait_until(self, state: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.state == state:
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} is not {state}, but {self.state}: {self.log_text()[-3000:]}")

    def start_synced(self, *options: str) -> None:
        self.start(*options)
        self.wait_until("Synced")


class PrivateGalera:
    """A cluster of ``size`` nodes below ``root``. Two at the same time need other numbers, which ports follow."""

    def __init__(self, root: Path, size: int = 3, *, first: int = 1) -> None:
        self.nodes = [PrivateGaleraNode(root / f"n{number}", number, self) for number in range(first, first + size)]

    @property
    def addresses(self) -> str:
        return ",".join(f"127.0.0.1:{node.group_port}" for node in self.nodes)

    def create(self, template: PrivateMariaDB) -> None:
        """The nodes' files; each has the template's data, which all but the first lose as they join."""
        for node in self.nodes:
            node.copy_of(template)
            node.configure()

    def start(self) -> None:
        """The first makes the cluster, the others join it by a state transfer."""
        first, *others = self.nodes
        first.start_synced("--wsrep-new-cluster")
        for node in others:
            node.launch()
        for node in others:
            node.wait_until_it_answers()
            node.wait_until("Synced")
        first.wait_until("Synced")

    def heal(self) -> None:
        """Undo what a test did to it: every node runs and is Synced."""
        for node in self.nodes:
            node.gate.unlink(missing_ok=True)
            if node.is_running:
                node.send_signal(signal.SIGCONT)
            else:
                node.launch()
        for node in self.nodes:
            node.wait_until_it_answers()
            node.sql("SET GLOBAL wsrep_desync = OFF", check=False)
        for node in self.nodes:
            node.wait_until("Synced")

    def destroy(self) -> None:
        for node in self.nodes:
            node.destroy()


def main() -> None:
    """Start one for trying things by hand: python private_galera.py DIRECTORY; it runs until this is ended."""
    root = Path(sys.argv[1])
    template = PrivateMariaDB(root / "template")
    template.create()
    cluster = PrivateGalera(root)
    cluster.create(template)
    started = time.monotonic()
    cluster.start()
    print(f"{time.monotonic() - started:.1f} s", flush=True)
    for node in cluster.nodes:
        print(f"mariadb --socket={node.socket}", flush=True)
    try:
        signal.pause()
    finally:
        cluster.destroy()


if __name__ == "__main__":
    main()
