# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may happen to a cluster while it is being hardened. Each test goes on from where the one before ended.

After each fault: no acknowledged row is lost, never were there two clusters, the nodes come back without being helped
once the cause is gone, and another run finishes.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
import testinfra

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO.parents[1] / "tests" / "faults"))

from killed_playbook import Playbook, changes

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testinfra.backend.base import CommandResult
    from testinfra.host import Host

INVENTORY = os.environ["MOLECULE_INVENTORY_FILE"]
HARDEN = SCENARIO / "converge.yml"
NODES = {f"molecule-faults{number}": f"10.89.77.{200 + number}" for number in (1, 2, 3)}
# In this order they are restarted; the writer runs on the host of the last one.
FIRST, SECOND, LAST = NODES
NETWORK = "bulwark-lab"
# Less than a server needs to start with, and enough for it to go on for a while.
SPARED_KIB = 24 * 1024
DATA, TLS, OWN_TLS, OPTIONS = "/var/lib/mysql", "/etc/mysql/tls", "/etc/own-tls", "/etc/mysql/mariadb.conf.d"
# A node needs up to 30 s to see that it finds no cluster, and the timer that starts it again waits for 20.
PATIENCE = 150
SEED = 20261125

Variables = dict[str, t.Any]
# All of this is about servers and nodes; what is done to the host has scenarios of its own.
HARDENED: Variables = {"galera_hardening_host": False, "galera_hardening_restart_deadline": 60}


def node(name: str) -> Host:
    return testinfra.get_host(f"podman://{name}")


def try_sql(name: str, statement: str) -> CommandResult:
    """As root of the host, by the socket. A node that is out of its cluster answers SHOW alone."""
    return node(name).run(f"timeout 20 mariadb --batch --skip-column-names -e {shlex.quote(statement)}")


def sql(name: str, statement: str) -> str:
    done = try_sql(name, statement)
    assert done.rc == 0, done.stderr
    return str(done.stdout).strip()


def statuses(name: str) -> dict[str, str]:
    """What the node says of the cluster; nothing while it does not answer."""
    lines = try_sql(name, "SHOW GLOBAL STATUS LIKE 'wsrep_%'").stdout.splitlines()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def components() -> dict[str, tuple[str, str]]:
    """The primary component that each node is in, if it is in one: its number and its size."""
    found = {name: statuses(name) for name in NODES}
    return {
        name: (said["wsrep_cluster_conf_id"], said["wsrep_cluster_size"])
        for name, said in found.items()
        if said.get("wsrep_cluster_status") == "Primary"
    }


def require_at_least_two_in_one_cluster() -> None:
    """Nodes are asked one after the other, so what changes meanwhile is asked for again."""
    for dummy_attempt in range(20):
        found = components()
        if len(found) >= 2 and len(set(found.values())) == 1:
            return
        time.sleep(0.2)
    pytest.fail(f"in a primary component: {found}")


def synced() -> list[str]:
    """The nodes that are so, in a cluster of three."""
    whole = {"wsrep_local_state_comment": "Synced", "wsrep_cluster_size": "3"}
    return [name for name in NODES if whole.items() <= statuses(name).items()]


def wait_for(condition: Callable[[], bool]) -> None:
    """Nobody does anything."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, {name: statuses(name) for name in NODES}
        time.sleep(1)


def wait_until_whole() -> None:
    wait_for(lambda: len(synced()) == len(NODES))


def starts() -> dict[str, str]:
    """A word for each node that is another one after a restart."""
    return {name: node(name).check_output("systemctl show -P InvocationID mariadb.service") for name in NODES}


def acknowledged() -> list[int]:
    record = node(LAST).check_output("cat /var/lib/molecule-writer/acknowledged")
    return [int(line.split()[0]) for line in record.splitlines()]


def require_every_acknowledged_row() -> None:
    """On each node; a cluster that was two for a moment would have acknowledged rows that one of them lacks."""
    before = acknowledged()
    question = f"SET SESSION wsrep_sync_wait = 15; SELECT id FROM shop.written WHERE id <= {before[-1]} ORDER BY id"
    for name in NODES:
        assert [int(row) for row in sql(name, question).split()] == before
    deadline = time.monotonic() + 30  # a writer whose connection was cut has to notice that first
    while len(acknowledged()) <= len(before) + 10:
        assert time.monotonic() < deadline, "the writer does not get on"
        time.sleep(0.2)


def command(variables: Variables) -> list[str]:
    return ["ansible-playbook", "-i", INVENTORY, str(HARDEN), "-e", json.dumps({**HARDENED, **variables})]


def play(variables: Variables) -> tuple[bool, str]:
    """Whether the playbook got through, and what it said, on one line."""
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command(variables), check=False, capture_output=True, text=True, env=environment)
    return done.returncode == 0, " ".join(f"{done.stdout} {done.stderr}".split())


def change() -> Variables:
    """Something that each node has to be restarted for."""
    return {"galera_hardening_settings": {"back_log": back_log(FIRST) + 1}}


def back_log(name: str) -> int:
    return int(sql(name, "SELECT @@GLOBAL.back_log"))


def require_finished(variables: Variables) -> None:
    done, said = play(variables)
    assert done, said[-3000:]
    for name in NODES:
        for option, value in variables.get("galera_hardening_settings", {}).items():
            assert sql(name, f"SELECT @@GLOBAL.{option}") == str(value)
        options = sql(name, "SHOW GLOBAL VARIABLES LIKE 'wsrep_provider_options'")
        assert "socket.ssl = YES" in options
        assert "socket.dynamic = no" in options
    wait_until_whole()
    require_every_acknowledged_row()


@contextlib.contextmanager
def when(name: str, column: str, value: str, do: Callable[[], object]) -> Iterator[None]:
    """Meanwhile, do something as soon as a node says this of its state; it has to do so."""
    show = f"mariadb --batch --skip-column-names -e \"SHOW STATUS LIKE '{column}'\" 2>/dev/null | cut -f 2"
    script = f'until [ "$({show})" = {value} ]; do sleep 0.2; done'
    process = subprocess.Popen(["podman", "exec", name, "timeout", "600", "sh", "-c", script])
    met = threading.Event()

    def wait() -> None:
        if process.wait() == 0:
            met.set()
            do()

    watcher = threading.Thread(target=wait)
    watcher.start()
    try:
        yield
    finally:
        process.kill()
        watcher.join()
    assert met.is_set(), "what was waited for did not happen"


def when_first_has_left(do: Callable[[], object]) -> contextlib.AbstractContextManager[None]:
    """The first node is away to be restarted, and the others have noticed."""
    return when(LAST, "wsrep_cluster_size", "2", do)


def podman(*arguments: str) -> None:
    subprocess.run(["podman", *arguments], check=True, capture_output=True)


@pytest.fixture
def slow_start() -> Iterator[None]:
    """Of the first node, so that what happens to another one does so while it is away."""
    with drop_in(FIRST, "ExecStartPre=/bin/sleep 6"):
        yield


@contextlib.contextmanager
def drop_in(name: str, line: str) -> Iterator[None]:
    host, folder = node(name), "/run/systemd/system/mariadb.service.d"
    text = f"[Service]\n{line}\n"
    host.check_output("mkdir -p %s && printf %s > %s && systemctl daemon-reload", folder, text, f"{folder}/test.conf")
    try:
        yield
    finally:
        host.check_output("rm -f %s && systemctl daemon-reload", f"{folder}/test.conf")


def kill_server(name: str) -> None:
    """At once, as by the kernel's hand."""
    node(name).check_output("systemctl kill --signal KILL --kill-who main mariadb.service")


# An authority on one node that is not that of the others


MATERIAL = f"""
set -e; umask 077; mkdir -p {OWN_TLS}; cd {OWN_TLS}
for name in ca cluster-ca; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=$name-of-$(hostname) \\
    -keyout $name.key -out $name.crt 2>/dev/null
done
for pair in server:ca node:cluster-ca; do
  name=${{pair%%:*}}; authority=${{pair##*:}}
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$(hostname) -keyout $name.key \\
    -out $name.csr 2>/dev/null
  openssl x509 -req -in $name.csr -CA $authority.crt -CAkey $authority.key -CAcreateserial -days 9 -out $name.crt \\
    2>/dev/null
done
chown -R mysql:mysql {OWN_TLS}
"""
BROUGHT = {"galera_hardening_certificate_source": "provided", "galera_hardening_tls_dir": OWN_TLS}


def state() -> list[str]:
    """What a refused run must leave as it was: files, running values, processes."""
    return [
        part
        for name in NODES
        for part in (
            node(name).check_output(f"find /etc/mysql {OWN_TLS} -type f | sort | xargs sha256sum"),
            sql(name, "SHOW GLOBAL VARIABLES WHERE Variable_name NOT LIKE 'gtid%'"),
            node(name).check_output("systemctl show -P InvocationID mariadb.service"),
        )
    ]


def test_nodes_that_trust_different_authorities_are_refused_before_anything_changes() -> None:
    for name in NODES:
        node(name).check_output(MATERIAL)
    before = state()
    done, said = play(BROUGHT)
    assert not done
    assert f"{OWN_TLS}/cluster-ca.crt is another one than on {FIRST}" in said
    assert "no server was changed" in said
    assert state() == before


def test_an_authority_that_did_not_sign_the_nodes_certificate_is_refused_before_anything_changes() -> None:
    shared = node(FIRST).file(f"{OWN_TLS}/cluster-ca.crt").content_string
    node(LAST).check_output(f"echo {shlex.quote(shared)} > {OWN_TLS}/cluster-ca.crt")
    before = state()
    done, said = play(BROUGHT)
    assert not done
    assert f"[{LAST}]: FAILED" in said
    assert state() == before


# The controller killed


# In this order, each in a run of its own on what the one before left behind. Five restarts lead to the end.
MOMENTS = (
    "Install the certificate and that of the authority",
    "Leave the account that makes transfers what suffices",
    "Set the server's options",
    "Set how the node is to talk to the others",
    "Restart it and wait until it is back",
    "Wait until every node is Synced",
    "Restart it and wait until it is back",
    "Restart it and wait until it is back",
    "Drop what a stock server lets strangers in with",
    "Refuse clients without TLS and let passwords expire",
)
LONGEST = 4.0


def test_killed_again_and_again_the_first_hardening_is_finished_by_the_run_after() -> None:
    chance = random.Random(SEED)
    playbook = Playbook(HARDEN, "-i", INVENTORY, "-e", json.dumps(HARDENED))
    for task in MOMENTS:
        # after the last one the run is at its end within a second
        after = chance.uniform(0, LONGEST) if task != MOMENTS[-1] else 0
        assert playbook.kill(task, after=after), f"it did not get to: {task}"
        require_at_least_two_in_one_cluster()
        wait_until_whole()
        require_every_acknowledged_row()
    require_finished({})
    assert changes(playbook.run()) == 0


# A full disk


@contextlib.contextmanager
def full_disk(name: str, folder: str, *, room: int) -> Iterator[None]:
    """Its folder on a file system of its own, with as much room as it needs and some MiB, which are then filled."""
    host = node(name)
    host.check_output(
        f"set -e; size=$(($(du -sk {folder} | cut -f1) + {room} * 1024)); mount -t tmpfs -o size=${{size}}k tmpfs /mnt;"
        f" cp -a {folder}/. /mnt/; chown --reference {folder} /mnt; chmod --reference {folder} /mnt;"
        f" mount --move /mnt {folder}"
    )
    host.run(f"cat /dev/zero > {folder}/filler")
    try:
        yield
    finally:
        host.check_output(f"rm -f {folder}/filler")


def test_a_full_disk_below_the_option_files_stops_it_with_the_path_and_the_cause() -> None:
    before = starts()
    wanted = change()
    with full_disk(SECOND, OPTIONS, room=1):
        done, said = play(wanted)
        assert not done
        assert f"can't write {OPTIONS}/z-bulwark.cnf" in said
        assert "No space left on device" in said
        assert starts() == before
        require_at_least_two_in_one_cluster()
    require_finished(wanted)
    node(SECOND).check_output(f"cp -a {OPTIONS} /root/options && umount {OPTIONS} && cp -a /root/options/. {OPTIONS}/")


@pytest.fixture
def data_on_a_small_disk() -> Iterator[None]:
    """While the server does not run, so that it has its files there."""
    host = node(FIRST)
    host.check_output("systemctl stop mariadb.service")
    with full_disk(FIRST, DATA, room=200):
        host.check_output(f"rm {DATA}/filler && systemctl start mariadb.service")
        yield
    host.check_output(f"systemctl stop mariadb.service && umount {DATA} && systemctl start mariadb.service")


@pytest.mark.usefixtures("data_on_a_small_disk")
def test_a_node_whose_data_fills_its_disk_is_not_stopped_until_there_is_room() -> None:
    wait_until_whole()
    before = starts()
    wanted = change()
    # A server that can't write at all leaves its cluster, and then it is that which stops the run.
    spared = f"$(( $(df --output=avail -k {DATA} | tail -n 1) - {SPARED_KIB} ))"
    node(FIRST).check_output(f"fallocate --length {spared}KiB {DATA}/filler")
    done, said = play(wanted)
    assert not done
    assert re.search(f"{DATA}/? has [0-9]+ MiB left, 64 are the least for mariadb.service to start with", said), said[
        -3000:
    ]
    assert starts() == before
    assert len(synced()) == 3
    node(FIRST).check_output(f"rm {DATA}/filler")
    require_finished(wanted)


# A node lost while another is being restarted


def restarted_since(before: dict[str, str]) -> set[str]:
    return {name for name, word in starts().items() if word != before[name]}


@pytest.mark.usefixtures("slow_start")
def test_a_host_that_dies_during_a_restart_stops_the_run_and_what_is_left_can_be_bootstrapped() -> None:
    before, former, wanted = starts(), back_log(LAST), change()
    with when_first_has_left(lambda: podman("kill", "--signal", "KILL", SECOND)):
        done, said = play(wanted)
    assert not done
    assert f"which are no quorum without {SECOND}" in said
    # One of two is no majority: the one that is left takes no write, rather than be one of two clusters.
    assert components() == {}
    assert statuses(LAST)["wsrep_cluster_status"] == "non-Primary"
    wait_for(bootstrapped)
    # The first one kept its new file, and comes back without being asked to.
    wait_for(lambda: set(components()) == {FIRST, LAST})
    assert back_log(FIRST) == wanted["galera_hardening_settings"]["back_log"]
    podman("start", SECOND)
    wait_until_whole()
    assert back_log(LAST) == former
    assert node(LAST).check_output("systemctl show -P InvocationID mariadb.service") == before[LAST]
    require_every_acknowledged_row()
    require_finished(wanted)


@pytest.mark.usefixtures("slow_start")
def test_a_server_that_is_killed_during_a_restart_and_comes_back_stops_the_run_all_the_same() -> None:
    before = starts()
    wanted = change()
    with when_first_has_left(lambda: kill_server(SECOND)):
        done, said = play(wanted)
    assert not done
    assert f"{FIRST} is back, but meanwhile {SECOND} left the cluster or was restarted" in said
    wait_until_whole()
    assert restarted_since(before) == {FIRST, SECOND}
    assert node(LAST).check_output("systemctl show -P InvocationID mariadb.service") == before[LAST]
    require_finished(wanted)


def bootstrapped() -> bool:
    """The word is lost where somebody joins or leaves just then, so it is said until it is heard."""
    try_sql(LAST, "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
    time.sleep(2)
    return LAST in components()


# A partition


@contextlib.contextmanager
def cut_off(name: str) -> Iterator[Callable[[], None]]:
    """Gives what cuts the node off the network; it is there again at the end, with its address."""
    yield lambda: podman("network", "disconnect", NETWORK, name)
    podman("network", "connect", "--ip", NODES[name], NETWORK, name)


def test_a_cluster_with_a_node_cut_off_is_refused() -> None:
    before = starts()
    with cut_off(SECOND) as cut:
        cut()
        time.sleep(10)
        done, said = play(change())
        assert not done
        assert "nothing was changed" in said
        assert set(components()) == {FIRST, LAST}
    wait_until_whole()
    assert starts() == before
    require_every_acknowledged_row()


@pytest.mark.usefixtures("slow_start")
def test_a_node_cut_off_while_another_is_restarted_leaves_no_cluster_rather_than_two() -> None:
    before = starts()
    wanted = change()
    with cut_off(SECOND) as cut:
        with when_first_has_left(cut):
            done, said = play(wanted)
        assert not done
        assert f"which are no quorum without {SECOND}" in said
        assert components() == {}
    wait_until_whole()
    assert SECOND not in restarted_since(before)
    assert LAST not in restarted_since(before)
    require_every_acknowledged_row()
    require_finished(wanted)


@pytest.mark.usefixtures("slow_start")
def test_a_node_cut_off_while_it_is_restarted_gets_its_files_back_and_the_others_serve_on() -> None:
    before, former = starts(), back_log(FIRST)
    wanted = change()
    with cut_off(FIRST) as cut:
        with when_first_has_left(cut):
            done, said = play(wanted)
        assert not done
        assert "the former files were put back and even so it is not back" in said
        assert set(components()) == {SECOND, LAST}
        assert restarted_since(before) == {FIRST}
    wait_until_whole()
    assert back_log(FIRST) == former
    require_every_acknowledged_row()
    require_finished(wanted)


# A donor that dies


def test_a_donor_that_dies_during_a_full_copy_stops_the_run() -> None:
    wanted = change()
    obstacle = (
        f"ExecStopPost=/usr/bin/find {DATA} -mindepth 1 -delete\nEnvironment=MYSQLD_OPTS=--wsrep-sst-donor={SECOND}"
    )
    with drop_in(FIRST, obstacle):
        with when(SECOND, "wsrep_local_state_comment", "Donor/Desynced", lambda: kill_server(SECOND)):
            done, said = play(wanted)
        assert not done
        assert "mariadb.service was " in said, said[-3000:]
    wait_until_whole()
    require_every_acknowledged_row()
    require_finished(wanted)
