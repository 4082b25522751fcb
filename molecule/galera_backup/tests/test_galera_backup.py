# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a cluster under a writer: one node makes each, another host keeps it, a third restores it to a moment.

In this order: the last test destroys the data of the node that made the last backup.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import subprocess
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import testinfra

if t.TYPE_CHECKING:
    from testinfra.host import Host

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts
from on_hosts import commands_of

NODES = ("molecule-backed1", "molecule-backed2", "molecule-backed3")
WRITER = NODES[0]
COPIES, ELSEWHERE = "molecule-backed-copies", "molecule-backed-elsewhere"
KEYS = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys"
STORE = "/var/backups/bulwark/main"
JOB = "bulwark-backup-main"
DATA = "/var/lib/mysql"
MARKER = "f1ndme-Bulwark-marker"
PATIENCE_SECONDS = 300
ROUND_SECONDS = 85
# A client with retries; the machine may be busy with other things.
LONGEST_PAUSE_SECONDS = 15
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=2)


def node(name: str) -> Host:
    return testinfra.get_host(f"podman://{name}")


def output(host: str, command: str) -> str:
    done = node(host).run(command)
    assert done.rc == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def sql(host: str, statement: str) -> str:
    return output(host, f"mariadb --batch --skip-column-names shop -e {shlex.quote(statement)}")


def fulls(host: str) -> set[str]:
    return set(node(host).run(f"ls {STORE}/full | grep 'Z$'").stdout.split())


def every_full() -> set[tuple[str, str]]:
    return {(host, one) for host in NODES for one in fulls(host)}


def is_whole() -> bool:
    status = "SELECT GROUP_CONCAT(variable_value ORDER BY variable_name) FROM information_schema.global_status"
    names = "WHERE variable_name IN ('wsrep_cluster_size', 'wsrep_cluster_status', 'wsrep_local_state_comment')"
    return all(sql(host, f"{status} {names}") == "3,Primary,Synced" for host in NODES)


def back_up_everywhere() -> dict[str, int]:
    """All timers at the same time, as at midnight; the status of each node's unit.

    What was made within the same round counts for this one, too: twice the 10 seconds of converge.yml, and a minute by
    which the nodes' clocks may differ.
    """
    time.sleep(ROUND_SECONDS)
    with ThreadPoolExecutor() as together:
        return dict(zip(NODES, together.map(lambda host: node(host).run(f"systemctl start {JOB}.service").rc, NODES)))


def acknowledged() -> list[tuple[int, float, float]]:
    """Number, moment and seconds since the one before of each row that a server said was committed."""
    lines = output(NODES[-1], "cat /var/lib/molecule-writer/acknowledged").splitlines()[:-1]
    return [(int(line.split()[0]), float(line.split()[1]), float(line.split()[2])) for line in lines]


def journal(host: str, unit: str) -> str:
    invocation = output(host, f"systemctl show --value --property=InvocationID {unit}")
    return output(host, f"journalctl --quiet --output=cat _SYSTEMD_INVOCATION_ID={invocation}")


def status(host: str) -> dict[str, t.Any]:
    program = "cd / && runuser -u bulwark-backup -- python3 -I /usr/local/lib/bulwark/bulwark-backup.pyz"
    return t.cast("dict[str, t.Any]", json.loads(output(host, f"{program} status --job /etc/bulwark/backup/main.json")))


def wait_until_the_log_is_stored(host: str) -> None:
    """All that was written so far."""
    number = sql(host, "SHOW MASTER STATUS").split()[0].rpartition(".")[2]
    wait_until(
        lambda: node(host).run(f"ls {STORE}/log/*-{number}.json").rc == 0, f"log {number} of {host} in the store"
    )


def copies_of(host: str) -> str:
    return f"/srv/bulwark/copies/node{NODES.index(host) + 1}"


def sums(host: str, folder: str) -> set[str]:
    """A line with SHA-256 and path for each whole file."""
    found = "find full log -type f ! -name '*.partial' ! -path '*.partial/*' -exec sha256sum {} +"
    return set(output(host, f"cd {folder} && {found}").splitlines())


def wait_until_all_is_elsewhere(*hosts: str) -> None:
    def is_elsewhere(host: str) -> None:
        wait_until_the_log_is_stored(host)
        newest = newest_of(sums(host, STORE))
        wait_until(lambda: newest <= sums(COPIES, copies_of(host)), f"the copy of {host}")

    with ThreadPoolExecutor() as together:
        list(together.map(is_elsewhere, hosts))


def newest_of(lines: set[str]) -> set[str]:
    """The latest full backup and log. Older ones may be pruned where copies are, and not yet where they come from."""
    paths = {line.split("  ", 1)[1]: line for line in lines}
    logs = sorted(path for path in paths if path.startswith("log/"))
    ids = sorted(path.split("/")[1] for path in paths if path.startswith("full/"))
    return {paths[path] for path in paths if path in logs[-2:] or (ids and path.startswith(f"full/{ids[-1]}/"))}


def maker_of_the_latest() -> str:
    return max(every_full(), key=lambda found: found[1])[0]


def test_one_node_makes_the_backup_it_is_not_the_writer_and_nobody_who_writes_waits_for_it() -> None:
    before, began = every_full(), time.time()
    assert before, "the role took no first backup"
    assert back_up_everywhere() == dict.fromkeys(NODES, 0)
    ((made_by, identifier),) = every_full() - before
    assert made_by != WRITER
    for other in {*NODES} - {made_by}:
        assert "stands aside" in journal(other, f"{JOB}.service")
    assert is_whole()
    pauses = [pause for dummy, moment, pause in acknowledged() if moment > began]
    assert len(pauses) > 10
    print(f"{identifier} by {made_by}: {len(pauses)} rows meanwhile, the longest pause was {max(pauses):.2f} s")
    assert max(pauses) < LONGEST_PAUSE_SECONDS


def test_one_that_is_not_synced_leaves_it_to_the_next_and_without_any_all_complain() -> None:
    """In the order of preference the last node comes first."""
    before = every_full()
    sql(NODES[2], "SET GLOBAL wsrep_desync = ON")
    try:
        assert back_up_everywhere() == dict.fromkeys(NODES, 0)
        ((made_by, dummy),) = every_full() - before
        assert made_by == NODES[1]
        sql(NODES[1], "SET GLOBAL wsrep_desync = ON")
        for host in NODES:
            output(host, "rm -f /run/molecule-alerts")
        before = every_full()
        assert 0 not in back_up_everywhere().values()
        assert every_full() == before
        for host in NODES:
            wait_until(lambda host=host: JOB in node(host).run("cat /run/molecule-alerts").stdout, "an alert")
    finally:
        for host in NODES[1:]:
            sql(host, "SET GLOBAL wsrep_desync = OFF")
    wait_until(is_whole, "a whole cluster")


def test_copies_are_elsewhere_and_nodes_that_stood_aside_are_not_late() -> None:
    wait_until_all_is_elsewhere(*NODES)
    for number in (1, 2, 3):
        unit = f"bulwark-copies-node{number}.service"
        assert node(COPIES).run(f"systemctl start {unit}").rc == 0, journal(COPIES, unit)
    assert "--beside" in output(
        COPIES, f"systemctl cat bulwark-copies-node{NODES.index(maker_of_the_latest()) + 1}.service"
    )


def test_what_somebody_steals_says_nothing() -> None:
    maker = maker_of_the_latest()
    sql(WRITER, f"INSERT INTO customers VALUES (100001, '{MARKER}')")
    wait_until(lambda: sql(maker, "SELECT count(*) FROM customers WHERE id = 100001") == "1", "the marker")
    assert back_up_everywhere() == dict.fromkeys(NODES, 0)
    wait_until_all_is_elsewhere(*NODES)
    for host, folder in [*((host, STORE) for host in NODES), (COPIES, "/srv/bulwark/copies")]:
        assert node(host).run(f"grep --recursive --binary --quiet {MARKER} {folder}").rc == 1
    # The counter-proof: it is where a server keeps it, though perhaps in its logs alone.
    assert node(maker).run(f"grep --recursive --binary --quiet {MARKER} {DATA}").rc == 0


def test_another_host_restores_each_row_as_of_a_moment_by_the_text_alone() -> None:
    """From the copies; that host has none of our software. What was begun before it is there, nothing else."""
    maker = maker_of_the_latest()
    time.sleep(3)
    moment = int(time.time())
    time.sleep(3)
    wait_until_all_is_elsewhere(maker)
    rows = "SELECT id, node, at FROM written WHERE at < FROM_UNIXTIME({moment}) ORDER BY id"
    expected = sql(maker, rows.format(moment=moment))
    assert len(expected.splitlines()) > 100
    folder = "/srv/restore"
    output(ELSEWHERE, f"rm -rf {folder} && install -d -m 0711 {folder} && test ! -e /usr/local/lib/bulwark")
    pull = ["podman", "exec", COPIES, "tar", "-C", copies_of(maker), "-c", "."]
    with subprocess.Popen(pull, stdout=subprocess.PIPE) as sender:
        command = ["podman", "exec", "-i", ELSEWHERE, "sh", "-c", f"mkdir {folder}/store && tar -C {folder}/store -x"]
        subprocess.run(command, stdin=sender.stdout, check=True)
    subprocess.run(["podman", "cp", str(KEYS / "escrow.txt"), f"{ELSEWHERE}:{folder}/identity.txt"], check=True)
    values = {
        "STORE": f"{folder}/store",
        "IDENTITY": f"{folder}/identity.txt",
        "DATA": f"{folder}/data",
        "MOMENT": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)),
    }
    script = commands_of(output(ELSEWHERE, f"cat {folder}/store/RESTORE.txt"), **values)
    done = node(ELSEWHERE).run(f"cd {folder} && sh -c {shlex.quote(script)}")
    assert done.rc == 0, done.stdout + done.stderr
    ask = f"mariadb --no-defaults --batch --skip-column-names --socket={folder}/data/restore.sock shop -e"
    try:
        assert output(ELSEWHERE, f"{ask} 'SELECT id, node, at FROM written ORDER BY id'") == expected
        assert output(ELSEWHERE, f"{ask} 'SELECT email FROM customers WHERE id = 100001'") == MARKER
    finally:
        node(ELSEWHERE).run(f"{ask} SHUTDOWN")
        node(ELSEWHERE).run(f"rm -rf {folder}")


def test_a_node_whose_data_was_destroyed_begins_a_new_chain_and_is_backed_up_at_once() -> None:
    """It takes a full copy from another node, so that its binary logs begin anew."""
    maker = maker_of_the_latest()
    before, chains = every_full(), chains_of(maker)
    destroy = f"find {DATA} -mindepth 1 -delete"
    output(maker, f"systemctl stop mariadb.service && {destroy} && systemctl start mariadb.service")
    wait_until(is_whole, "a whole cluster")
    wait_until(lambda: bool(every_full() - before), "a backup of the new chain")
    wait_until_the_log_is_stored(maker)
    assert chains_of(maker) - chains
    assert status(maker)["gaps"] == []


def chains_of(host: str) -> set[str]:
    return set(output(host, f"ls {STORE}/log | sed -n 's/-[0-9]*[.]json$//p'").split())


def test_no_acknowledged_row_was_lost() -> None:
    numbers = [number for number, dummy, dummy_too in acknowledged()]
    for host in NODES:
        there = set(map(int, sql(host, f"SELECT id FROM written WHERE id <= {numbers[-1]}").split()))
        assert not set(numbers) - there, host
