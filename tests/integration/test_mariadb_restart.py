# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_restart on a whole host: the server of Debian's package, and a cluster whose nodes are services."""

from __future__ import annotations

import os
import shutil
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    ApplyFailed,
    BulwarkError,
    InvalidDeclaration,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import MariaDBConnection
from ansible_collections.bulwark.database.plugins.module_utils._module.galera_info import gather
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_restart import MariaDBRestart
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from galera_of_units import GaleraOfUnits, GaleraUnit, start_of, systemctl
from private_mariadb import PrivateMariaDB
from through_ansible import through_ansible

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("BULWARK_THROWAWAY_HOST") != "1",
        reason="restarts services of its host: tools/tests_in_container.py --purpose mariadb runs it",
    ),
    pytest.mark.skipif(shutil.which("mariadbd") is None, reason="a host without MariaDB"),
]

UNIT = "mariadb.service"
OPTION_FILE = Path("/etc/mysql/mariadb.conf.d/70-test.cnf")
INFO_OPTIONS = {"members": [], "expected_size": None, "wait": False, "timeout": 0}


def restart(connection: MariaDBConnection, *, check_mode: bool = False, **options: t.Any) -> Outcome:
    given = {"unit": UNIT, "members": [], "expected_size": None, "deadline": 60, "fall_back": [], **options}
    return converge(MariaDBRestart(connection, given), check_mode=check_mode)


def restart_node(node: GaleraUnit, cluster: GaleraOfUnits, **options: t.Any) -> Outcome:
    """As the role does, with the present answers of all nodes that give one."""
    given = {"unit": node.unit, "members": ask_all(cluster), "expected_size": len(cluster.nodes), **options}
    return restart(node.connection, **given)


def ask_all(cluster: GaleraOfUnits) -> list[dict[str, t.Any]]:
    answering = [node for node in cluster.nodes if node.client("SELECT 1", check=False).returncode == 0]
    return [gather(node.connection, INFO_OPTIONS)["galera"] for node in answering]


def starts(cluster: GaleraOfUnits) -> list[str]:
    return [start_of(node.unit) for node in cluster.nodes]


def one_line(error: BulwarkError) -> str:
    text = str(error)
    assert "\n" not in text
    return text


@pytest.fixture
def host_server() -> t.Iterator[MariaDBConnection]:
    """The server that Debian's package made, running."""
    systemctl("reset-failed", UNIT, check=False)
    systemctl("start", UNIT)
    yield MariaDBConnection()
    OPTION_FILE.unlink(missing_ok=True)
    systemctl("reset-failed", UNIT, check=False)
    systemctl("start", UNIT)


@pytest.fixture(scope="module")
def cluster_of_units(short_directory: Path, template_mariadb: PrivateMariaDB) -> t.Iterator[GaleraOfUnits]:
    cluster = GaleraOfUnits(short_directory / "units")
    try:
        cluster.create(template_mariadb)
        cluster.start()
        yield cluster
    finally:
        cluster.destroy()


@pytest.fixture
def cluster(cluster_of_units: GaleraOfUnits) -> t.Iterator[GaleraOfUnits]:
    yield cluster_of_units
    cluster_of_units.heal()


def test_a_server_is_restarted_and_the_seconds_are_told(host_server: MariaDBConnection) -> None:
    before = start_of(UNIT)
    started = time.monotonic()
    done = restart(host_server)
    assert start_of(UNIT) != before
    assert done.plan.summaries() == [f"unit {UNIT}: running -> restarted"]
    assert done.result["unit"] == UNIT
    assert 0 < done.result["seconds"] < time.monotonic() - started


def test_check_mode_tells_the_restart_and_makes_none(host_server: MariaDBConnection) -> None:
    before = start_of(UNIT)
    done = restart(host_server, check_mode=True)
    assert start_of(UNIT) == before
    assert done.plan.summaries() == [f"unit {UNIT}: running -> restarted"]
    assert done.result["seconds"] is None


def test_a_server_that_does_not_run_is_started(host_server: MariaDBConnection) -> None:
    systemctl("stop", UNIT)
    assert restart(host_server).plan.summaries() == [f"unit {UNIT}: not running -> restarted"]
    assert systemctl("is-active", UNIT) == "active"


def test_through_ansible_it_is_a_change_each_time(host_server: MariaDBConnection, tmp_path: Path) -> None:
    before = start_of(UNIT)
    checked = through_ansible("mariadb_restart", {"unit": "mariadb"}, "--check", "--diff", home=tmp_path)
    assert (checked["changed"], checked["seconds"], start_of(UNIT)) == (True, None, before)
    done = through_ansible("mariadb_restart", {"unit": "mariadb"}, home=tmp_path)
    assert (done["changed"], done["changes"], done["unit"]) == (True, checked["changes"], UNIT)
    assert done["seconds"] > 0
    assert start_of(UNIT) != before


@pytest.mark.parametrize(
    "unit",
    [
        *("no-such-server.service", "mariadb*", "*.service", "maria?b.service", "[m]ariadb.service"),
        *("mariadb.service ssh.service", "--no-block", "-H", "../mariadb.service", "/run/x.service", ""),
        *("mariadb.socket", "multi-user.target", "$(reboot).service", "mariadb.service\n", ";reboot;.service"),
    ],
)
def test_what_is_no_service_of_this_host_is_refused(host_server: MariaDBConnection, unit: str) -> None:
    before = start_of(UNIT)
    with pytest.raises(InvalidDeclaration) as refused:
        restart(host_server, unit=unit, deadline=5)
    assert "\n" not in str(refused.value)
    assert start_of(UNIT) == before


def test_a_server_that_runs_but_gives_no_answer_is_not_stopped(host_server: MariaDBConnection) -> None:
    before = start_of(UNIT)
    with pytest.raises(RefusedForSafety, match=r"mariadb.service runs, but .*/nowhere.sock.* whether it may be"):
        restart(MariaDBConnection(unix_socket="/nowhere.sock"), deadline=5)
    assert start_of(UNIT) == before


def test_a_deadline_of_no_seconds_is_refused(host_server: MariaDBConnection) -> None:
    with pytest.raises(InvalidDeclaration, match="deadline is 0"):
        restart(host_server, deadline=0)


def test_a_path_that_is_not_absolute_is_refused(host_server: MariaDBConnection) -> None:
    before = start_of(UNIT)
    with pytest.raises(InvalidDeclaration, match=r"fall_back: etc/x\.cnf"):
        restart(host_server, fall_back=[{"path": "etc/x.cnf", "copy": None}])
    assert start_of(UNIT) == before


def test_a_server_that_can_not_start_gets_its_former_file_back(host_server: MariaDBConnection, tmp_path: Path) -> None:
    former = tmp_path / "former.cnf"
    former.write_text("[mariadbd]\nmax_connections = 77\n", encoding="utf-8")
    former.chmod(0o600)
    OPTION_FILE.write_text("[mariadbd]\nno_such_variable = 1\n", encoding="utf-8")
    OPTION_FILE.chmod(0o640)
    shutil.chown(OPTION_FILE, "root", "mysql")
    with pytest.raises(ApplyFailed) as failed:
        restart(host_server, fall_back=[{"path": str(OPTION_FILE), "copy": str(former)}])
    text = one_line(failed.value)
    assert "unknown variable 'no_such_variable=1'" in text
    assert "the former files were put back and it runs again" in text
    assert OPTION_FILE.read_text(encoding="utf-8") == former.read_text(encoding="utf-8")
    assert (OPTION_FILE.stat().st_mode & 0o777, OPTION_FILE.group()) == (0o640, "mysql")
    assert restart(host_server).result["seconds"] > 0


@pytest.mark.parametrize("copy", [None, "/run/bulwark/no-such-copy"])
def test_a_file_that_was_not_there_goes_when_the_server_can_not_start(
    host_server: MariaDBConnection, copy: str | None
) -> None:
    OPTION_FILE.write_text("[mariadbd]\nno_such_variable = 1\n", encoding="utf-8")
    with pytest.raises(ApplyFailed, match="it runs again"):
        restart(host_server, fall_back=[{"path": str(OPTION_FILE), "copy": copy}])
    assert not OPTION_FILE.exists()
    assert systemctl("is-active", UNIT) == "active"


def test_without_files_to_fall_back_to_it_is_said_that_the_server_is_not_back(host_server: MariaDBConnection) -> None:
    OPTION_FILE.write_text("[mariadbd]\nno_such_variable = 1\n", encoding="utf-8")
    with pytest.raises(ApplyFailed) as failed:
        restart(host_server, deadline=10)
    assert "even so it is not back" in one_line(failed.value)


def test_a_file_by_which_nobody_gets_in_is_taken_back(host_server: MariaDBConnection) -> None:
    OPTION_FILE.write_text("[mariadbd]\nunix_socket = OFF\n", encoding="utf-8")
    with pytest.raises(ApplyFailed, match="it runs again"):
        restart(host_server, fall_back=[{"path": str(OPTION_FILE), "copy": None}], deadline=20)
    assert restart(host_server).result["seconds"] > 0


def test_a_node_is_restarted_and_back_in_the_cluster(cluster: GaleraOfUnits) -> None:
    first, second, third = cluster.nodes
    before, answers = starts(cluster), ask_all(cluster)
    done = restart_node(first, cluster)
    assert [start_of(node.unit) for node in (second, third)] == before[1:]
    assert start_of(first.unit) != before[0]
    assert done.plan.summaries() == [
        f"unit {first.unit}: node1 is Synced in a Primary component of 3 nodes -> restarted"
    ]
    assert done.result["seconds"] > 0
    after = ask_all(cluster)
    assert [answer["state"] for answer in after] == ["Synced"] * 3
    assert [answer["size"] for answer in after] == [3] * 3
    assert after[0]["uuid"] != answers[0]["uuid"]


def _desync(cluster: GaleraOfUnits) -> None:
    cluster.nodes[1].sql("SET GLOBAL wsrep_desync = ON")


def _leave_replication(cluster: GaleraOfUnits) -> None:
    cluster.nodes[1].sql("SET GLOBAL wsrep_on = OFF")


def _stop_another(cluster: GaleraOfUnits) -> None:
    cluster.nodes[2].stop()


def _outweigh(cluster: GaleraOfUnits) -> None:
    cluster.nodes[0].set_provider_option("pc.weight", "2")
    deadline = time.monotonic() + 10
    while ask_all(cluster)[0]["cluster_weight"] != 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (_desync, "node2 is desynced by hand"),
        (_leave_replication, "node2 does not replicate"),
        (_stop_another, "the cluster has 2 of 3 nodes; without node1 the rest has 1 of 2 votes, which is no quorum"),
        (_outweigh, "without node1 the rest has 2 of 4 votes, which is no quorum"),
    ],
)
def test_a_node_that_the_others_can_not_spare_is_not_stopped(
    cluster: GaleraOfUnits, trouble: t.Callable[[GaleraOfUnits], None], reason: str
) -> None:
    first = cluster.nodes[0]
    trouble(cluster)
    try:
        before = starts(cluster)
        for check_mode in (True, False):
            with pytest.raises(RefusedForSafety) as refused:
                restart_node(first, cluster, check_mode=check_mode)
            assert reason in one_line(refused.value)
            assert "nothing was stopped" in str(refused.value)
        assert starts(cluster) == before
        assert first.state == "Synced"
    finally:
        cluster.nodes[1].sql("SET GLOBAL wsrep_on = ON")
        first.set_provider_option("pc.weight", "1")


def test_a_node_is_not_stopped_while_the_others_are_not_asked_or_asked_too_long_ago(cluster: GaleraOfUnits) -> None:
    first, second, dummy_third = cluster.nodes
    before = starts(cluster)
    with pytest.raises(RefusedForSafety, match=r"nothing is known of 2 of the other nodes \(node2, node3\)"):
        restart_node(first, cluster, members=[])
    assert starts(cluster) == before
    old = ask_all(cluster)
    restart_node(second, cluster)
    before = starts(cluster)
    with pytest.raises(RefusedForSafety, match=r"nothing is known of 1 of the other nodes \(node2\)"):
        restart_node(first, cluster, members=old)
    assert starts(cluster) == before


def test_what_is_no_answer_of_a_node_is_refused(cluster: GaleraOfUnits) -> None:
    first = cluster.nodes[0]
    before = starts(cluster)
    with pytest.raises(InvalidDeclaration, match="no answer of galera_info"):
        restart_node(first, cluster, members=[{"enabled": True}])
    assert starts(cluster) == before


def test_a_node_that_does_not_get_in_by_its_deadline_gets_its_former_file_back(
    cluster: GaleraOfUnits, tmp_path: Path
) -> None:
    first, second, third = cluster.nodes
    options = first.drop_ins / "galera.cnf"
    shutil.copy(options, tmp_path / "former.cnf")
    first.amend_unit(f"ExecStartPre=/bin/sh -c 'if grep --quiet hang {options}; then sleep 600; fi'")
    options.write_text(f"{options.read_text(encoding='utf-8')}# hang\n", encoding="utf-8")
    before = starts(cluster)
    started = time.monotonic()
    with pytest.raises(ApplyFailed) as failed:
        restart_node(
            first, cluster, deadline=25, fall_back=[{"path": str(options), "copy": str(tmp_path / "former.cnf")}]
        )
    assert "was not back within 25 s" in one_line(failed.value)
    assert "the former files were put back and it runs again" in str(failed.value)
    assert time.monotonic() - started < 2 * 25 + 10
    assert [start_of(node.unit) for node in (second, third)] == before[1:]
    assert restart_node(first, cluster).result["seconds"] > 0


@pytest.mark.parametrize("line", ["wsrep_on = OFF", "unix_socket = OFF"])
def test_a_node_that_comes_back_as_something_else_gets_its_former_file_back(cluster: GaleraOfUnits, line: str) -> None:
    first = cluster.nodes[0]
    added = first.drop_ins / "zz-added.cnf"
    added.write_text(f"[mariadbd]\n{line}\n", encoding="utf-8")
    with pytest.raises(ApplyFailed) as failed:
        restart_node(first, cluster, deadline=20, fall_back=[{"path": str(added), "copy": None}])
    assert "the former files were put back and it runs again" in one_line(failed.value)
    assert not added.exists()
    assert [answer["size"] for answer in ask_all(cluster)] == [3] * 3


def test_a_node_that_is_back_while_another_died_is_not_stopped_again(cluster: GaleraOfUnits, tmp_path: Path) -> None:
    first, second, third = cluster.nodes
    count = tmp_path / "starts"
    kill = f"echo >> {count}; systemctl kill --signal=KILL {third.unit}; sleep 5"  # until the others miss it
    first.amend_unit(f"ExecStartPost=+/bin/sh -c '{kill}'")
    before = start_of(second.unit)
    options = first.drop_ins / "galera.cnf"
    text = options.read_text(encoding="utf-8")
    with pytest.raises(ApplyFailed) as failed:
        restart_node(first, cluster, deadline=20, fall_back=[{"path": str(options), "copy": None}])
    assert "2 nodes, 3 are expected" in one_line(failed.value)
    assert "bring the missing nodes back" in str(failed.value)
    assert count.read_text(encoding="utf-8") == "\n"
    assert (first.state, second.state, start_of(second.unit)) == ("Synced", "Synced", before)
    assert options.read_text(encoding="utf-8") == text


def test_a_node_that_was_restarted_meanwhile_ends_the_loop(cluster: GaleraOfUnits) -> None:
    first, dummy_second, third = cluster.nodes
    first.amend_unit(f"ExecStartPre=+/usr/bin/systemctl restart {third.unit}")
    with pytest.raises(BulwarkError, match="node1 is back, but meanwhile node3 left the cluster or was restarted"):
        restart_node(first, cluster)
