# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""galera_info against a real cluster, sound and in each trouble that decides whether a node may be stopped."""

from __future__ import annotations

import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    DidNotTakeEffect,
    InvalidDeclaration,
    MissingRequirement,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import MariaDBConnection
from ansible_collections.bulwark.database.plugins.module_utils._module.galera_info import gather
from private_galera import CLUSTER_NAME, PrivateGalera, PrivateGaleraNode
from private_mariadb import PrivateMariaDB
from through_ansible import through_ansible

OPTIONS = {"members": [], "expected_size": None, "wait": False, "timeout": 0}


def ask(node: PrivateMariaDB, **options: t.Any) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", gather(node.connection, {**OPTIONS, **options})["galera"])


def ask_all(cluster: PrivateGalera) -> list[dict[str, t.Any]]:
    """The answers of the nodes that give one."""
    return [ask(node) for node in cluster.nodes if node.client("SELECT 1", check=False).returncode == 0]


def reasons(node: PrivateGaleraNode, cluster: PrivateGalera) -> list[str]:
    """Against stopping it, with the answers of all that give one."""
    found = ask(node, members=ask_all(cluster), expected_size=len(cluster.nodes))
    assert found["may_stop"] is (not found["reasons_against_stopping"])
    return t.cast("list[str]", found["reasons_against_stopping"])


def until(condition: t.Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_sound_cluster_is_described_by_each_node_and_can_spare_any(galera: PrivateGalera) -> None:
    answers = ask_all(galera)
    for node, found in zip(galera.nodes, answers):
        assert (found["enabled"], found["name"], found["address"]) == (True, node.name, "127.0.0.1")
        assert (found["cluster_name"], found["status"], found["size"]) == (CLUSTER_NAME, "Primary", 3)
        assert (found["state"], found["synced"], found["ready"], found["connected"]) == ("Synced", True, True, True)
        assert (found["desynced"], found["donor"], found["flow_control_active"]) == (False, False, False)
        assert (found["weight"], found["cluster_weight"]) == (1, 3)
        assert [member["name"] for member in found["members"]] == ["node1", "node2", "node3"]
        assert found["members"][galera.nodes.index(node)]["uuid"] == found["uuid"]
        assert found["members"][0]["address"] == f"127.0.0.1:{galera.nodes[0].port}"
        assert found["provider_options"]["gcache.size"] == "16M"
        assert found["replication_tls"] == "off"
        assert (found["certificate"], found["certificate_problem"]) == (None, "")
        assert (found["allowlist"], found["sst_method"]) == ([], "rsync")
        assert reasons(node, galera) == []
    assert len({found["cluster_uuid"] for found in answers}) == 1
    assert len({found["uuid"] for found in answers}) == 3


def test_by_itself_a_node_does_not_know_enough(galera: PrivateGalera) -> None:
    first = galera.nodes[0]
    assert ask(first)["reasons_against_stopping"] == [
        "nothing is known of 2 of the other nodes (node2, node3): give their present answers as members"
    ]


def test_a_node_that_was_taken_out_of_replication_is_still_a_node(galera: PrivateGalera) -> None:
    first, second, dummy_third = galera.nodes
    second.sql("SET GLOBAL wsrep_on = OFF")
    try:
        found = ask(second)
        assert (found["enabled"], found["replicates"], found["state"], found["uuid"]) == (True, False, "unknown", "")
        assert reasons(first, galera) == [
            "node2 does not replicate what new sessions write (wsrep_on=OFF)",
            "nothing is known of 1 of the other nodes (node2): give their present answers as members",
        ]
        assert "node2 does not replicate what new sessions write (wsrep_on=OFF)" in reasons(second, galera)
    finally:
        second.sql("SET GLOBAL wsrep_on = ON")


def test_with_a_node_stopped_no_other_may_be(galera: PrivateGalera) -> None:
    first, dummy_second, third = galera.nodes
    before = ask_all(galera)
    third.stop()
    assert reasons(first, galera) == [
        "the cluster has 2 of 3 nodes",
        "without node1 the rest has 1 of 2 votes, which is no quorum",
    ]
    third.start_synced()
    # It has joined anew: what it said before its restart is not taken for its present state.
    late = ask(first, members=before)["reasons_against_stopping"]
    assert late == ["nothing is known of 1 of the other nodes (node3): give their present answers as members"]
    assert reasons(first, galera) == []


def test_a_node_desynced_by_hand_is_told_from_a_donor(galera: PrivateGalera) -> None:
    first, second, dummy_third = galera.nodes
    second.sql("SET GLOBAL wsrep_desync = ON")
    found = ask(second)
    assert (found["state"], found["desynced"], found["donor"], found["synced"]) == (
        "Donor/Desynced",
        True,
        False,
        False,
    )
    for node in (first, second):
        assert reasons(node, galera) == ["node2 is desynced by hand (wsrep_desync=ON)"]
    with pytest.raises(DidNotTakeEffect, match=r"within 1 s: node2 is Donor/Desynced .* desynced by hand"):
        ask(second, wait=True, timeout=1)


def test_a_state_transfer_speaks_against_stopping_its_donor_and_every_other(galera: PrivateGalera) -> None:
    first, second, third = galera.nodes
    third.stop()
    (third.data / "grastate.dat").unlink()  # so that it needs everything
    for donor in (first, second):
        donor.gate.touch()
    third.launch()
    until(lambda: any(found["donor"] for found in (ask(first), ask(second))))
    donor, other = (first, second) if ask(first)["donor"] else (second, first)
    found = ask(donor)
    assert (found["state"], found["desynced"], found["size"]) == ("Donor/Desynced", False, 3)
    for node in (donor, other):
        assert reasons(node, galera) == [
            f"{donor.name} is giving a state transfer to another node, or stands still for a backup",
            "nothing is known of 1 of the other nodes (node3): give their present answers as members",
        ]
    # A joiner takes no connections; whoever waits for it is told so.
    with pytest.raises(DidNotTakeEffect, match=r"not Synced within 1 s: can't log in to MariaDB at the unix socket"):
        ask(third, wait=True, timeout=1)
    donor.gate.unlink()
    other.gate.unlink()
    found = ask(third, wait=True, timeout=30, expected_size=3)
    assert (found["name"], found["state"], found["size"]) == ("node3", "Synced", 3)
    donor.wait_until("Synced")
    assert reasons(first, galera) == []


def test_a_minority_says_that_it_is_one(galera: PrivateGalera) -> None:
    first, *others = galera.nodes
    for node in others:
        node.send_signal(signal.SIGSTOP)
    until(lambda: ask(first)["status"] != "Primary")
    found = ask(first)
    assert (found["status"], found["size"], found["state"]) == ("non-Primary", 1, "Initialized")
    assert (found["ready"], found["connected"], found["synced"]) == (False, True, False)
    assert found["reasons_against_stopping"][:2] == [
        "node1 is Initialized in a non-Primary component of 1 node: it is not in the primary component",
        "node1 is Initialized, not Synced",
    ]
    assert "node1 is the only one left" in found["reasons_against_stopping"]
    with pytest.raises(DidNotTakeEffect, match="within 1 s: node1 is Initialized in a non-Primary component of 1 node"):
        ask(first, wait=True, timeout=1)
    for node in others:
        node.send_signal(signal.SIGCONT)
    assert ask(first, wait=True, timeout=60, expected_size=3)["size"] == 3


def test_a_cluster_that_stays_too_small_is_not_waited_for_without_end(galera: PrivateGalera) -> None:
    with pytest.raises(DidNotTakeEffect, match="node1 is Synced in a Primary component of 3 nodes, 4 are expected"):
        ask(galera.nodes[0], wait=True, timeout=1, expected_size=4)


def test_flow_control_and_a_queue_are_seen(galera: PrivateGalera) -> None:
    first, second, dummy_third = galera.nodes
    # On the second node each row takes its time, so that it lags behind until it asks the others to hold back.
    first.sql(
        "CREATE DATABASE flow; USE flow; CREATE TABLE slow (id int AUTO_INCREMENT PRIMARY KEY);"
        "CREATE TRIGGER slowly BEFORE INSERT ON slow FOR EACH ROW"
        " SET @dummy = IF(@@wsrep_node_name = 'node2', SLEEP(0.1), 0)"
    )
    second.sql("SET GLOBAL slave_run_triggers_for_rbr = ENFORCE")
    try:
        writing = first.begin("INSERT INTO flow.slow VALUES (); " * 100)
        until(lambda: ask(first)["flow_control_active"])
        found = reasons(first, galera)
        assert "flow control holds writes back, seen on node1" in found
        assert any(reason.startswith("node2 has ") and "write sets to apply" in reason for reason in found)
        assert writing.wait(timeout=30) == 0
        until(lambda: reasons(first, galera) == [])
        assert ask(first)["flow_control_paused"] > 0
    finally:
        second.sql("SET GLOBAL slave_run_triggers_for_rbr = NO")
        first.sql("DROP DATABASE flow")


def test_a_global_lock_for_a_backup_speaks_against_stopping(galera: PrivateGalera) -> None:
    first, second, dummy_third = galera.nodes
    holding = second.begin("FLUSH TABLES WITH READ LOCK; SELECT SLEEP(60)")
    try:
        until(lambda: ask(second)["state"] != "Synced")
        assert ask(second)["donor"]
        waiting = "node2 is giving a state transfer to another node, or stands still for a backup"
        assert reasons(first, galera) == [waiting]
    finally:
        holding.kill()
        holding.wait()


def test_a_server_without_galera_is_answered_for(shared_mariadb: PrivateMariaDB, galera: PrivateGalera) -> None:
    assert ask(shared_mariadb) == {"enabled": False}
    with pytest.raises(InvalidDeclaration, match="wsrep is off"):
        ask(shared_mariadb, wait=True, timeout=30)
    found = ask(galera.nodes[0], members=[*ask_all(galera), ask(shared_mariadb)])
    assert found["reasons_against_stopping"] == ["one of the answers is that of a server without Galera"]


def test_who_may_read_no_tables_is_told_the_addresses(galera: PrivateGalera) -> None:
    node = galera.nodes[0]
    node.sql("CREATE USER watcher@localhost IDENTIFIED BY 'Watch-3-secret'")
    try:
        node_login = MariaDBConnection(user="watcher", unix_socket=str(node.socket), password=Secret("Watch-3-secret"))
        found = gather(node_login, OPTIONS)["galera"]
        assert sorted(member["address"] for member in found["members"]) == [
            f"127.0.0.1:{one.port}" for one in galera.nodes
        ]
        assert found["allowlist"] is None
        assert "nothing is known of 2 of the other nodes: give" in found["reasons_against_stopping"][0]
        assert gather(node_login, {**OPTIONS, "members": ask_all(galera)})["galera"]["may_stop"]
    finally:
        node.sql("DROP USER watcher@localhost")


def test_a_refused_login_is_not_waited_for(galera: PrivateGalera) -> None:
    started = time.monotonic()
    refused = MariaDBConnection(unix_socket=str(galera.nodes[0].socket), user="mariadb.sys")
    with pytest.raises(MissingRequirement, match="Access denied"):
        gather(refused, {**OPTIONS, "wait": True, "timeout": 30})
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("options", [{"members": [{"galera": {}}]}, {"expected_size": 0}])
def test_bad_options_are_refused_before_anything_is_asked(options: dict[str, t.Any]) -> None:
    with pytest.raises(InvalidDeclaration):
        gather(MariaDBConnection(unix_socket="/nowhere.sock"), {**OPTIONS, **options})


@pytest.fixture
def encrypted_node(short_directory: Path, template_mariadb: PrivateMariaDB) -> t.Iterator[PrivateGaleraNode]:
    """A cluster of one that has TLS between its nodes, stopped; its certificate lasts 30 days."""
    cluster = PrivateGalera(short_directory / "encrypted", 1, first=4)
    cluster.create(template_mariadb)
    node = cluster.nodes[0]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", "/CN=node4", "-addext", "subjectAltName=DNS:node4", "-days", "30"),
            *("-keyout", str(node.data / "node.key"), "-out", str(node.data / "node.pem")),
        ],
        check=True,
        capture_output=True,
    )
    node.chown(node.data / "node.key", node.data / "node.pem")
    yield node
    cluster.destroy()


TLS = "socket.ssl=yes;socket.ssl_cert=node.pem;socket.ssl_key=node.key;socket.ssl_ca=node.pem"


def test_how_far_replication_is_encrypted_and_how_long_its_certificate_lasts(encrypted_node: PrivateGaleraNode) -> None:
    node = encrypted_node
    for options, answer in ((f"{TLS};socket.dynamic=true", "optional"), (TLS, "required")):
        node.stop()
        node.write_options(options)
        node.start_synced("--wsrep-new-cluster")
        found = ask(node)
        assert found["replication_tls"] == answer
    certificate = found["certificate"]
    assert certificate["path"] == str(node.data / "node.pem")
    assert (certificate["subject"], certificate["names"], certificate["key_matches"]) == ("CN=node4", ["node4"], True)
    assert certificate["days_left"] in (29, 30)  # a run over midnight
    assert (found["size"], found["reasons_against_stopping"]) == (1, ["node4 is the only one left"])
    (node.data / "node.pem").unlink()
    found = ask(node)
    assert found["certificate"] is None
    assert found["certificate_problem"] == "can't read node.pem: No such file or directory"


def test_it_works_through_ansible_with_answers_from_templates(galera: PrivateGalera, tmp_path: Path) -> None:
    node = galera.nodes[0]
    options = {**node.login_options(), "members": ask_all(galera), "expected_size": 3, "wait": True, "timeout": 20}
    answer = through_ansible("galera_info", options, home=tmp_path)
    assert not answer["changed"]
    assert answer["galera"]["may_stop"], answer["galera"]["reasons_against_stopping"]
