# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies by SSH on real hosts: they arrive by themselves, and who holds the sender's key can do nothing but add."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import subprocess
import sys
import time
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts

SENDER: Host = testinfra.get_host("podman://molecule-copies-pg")
KEEPER: Host = testinfra.get_host("podman://molecule-copies")
STORE = "/var/backups/bulwark/main"
COPIES = "/srv/bulwark/copies/shop"
KEYS = "/etc/bulwark/backup/main.offsite"
DELIVER = "bulwark-backup-main-deliver.service"
KEEPER_NAME, KEEPER_ADDRESS = "copies.example.org", "10.89.77.242"
SENDER_TABLE, KEEPER_TABLE = "inet bulwark_backup", "inet bulwark_copies"
# The port is open to the first, which is no sender's; nobody declared the second.
ADMINISTRATOR, STRANGER = "10.89.77.244", "10.89.77.245"
OTHER_PORT = 8099
PATIENCE_SECONDS = 150
STRICT = f"-F /dev/null -o BatchMode=yes -o UserKnownHostsFile={KEYS}/known_hosts -o HostKeyAlias={KEEPER_NAME}"
# systemd starts no unit more than five times in ten seconds
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=3)


def sums(host: Host, folder: str) -> dict[str, str]:
    """SHA-256 by path, of what counts: neither what just arrives nor what it was before."""
    found = host.check_output(f"cd {folder} && find full log *.txt -type f ! -name '*.partial' -exec sha256sum {{}} +")
    return {path: digest for digest, path in (line.split("  ", 1) for line in found.splitlines())}


def status() -> dict[str, t.Any]:
    done = KEEPER.check_output(
        f"runuser -u bulwark-copies -- python3 -I /usr/local/lib/bulwark/bulwark-copies.pyz status --store {COPIES}"
    )
    return t.cast("dict[str, t.Any]", json.loads(done))


def same() -> bool:
    """Whether a run succeeds and all that the sender has is there, to the byte. What it pruned may still be there."""
    if deliver() != 0:
        print(SENDER.run(f"journalctl --quiet --output=cat --unit={DELIVER} --lines=4").stdout)
        return False
    missing = set(sums(SENDER, STORE).items()) - set(sums(KEEPER, COPIES).items())
    print(missing)
    return not missing


def deliver() -> int:
    return int(SENDER.run(f"systemctl start {DELIVER}").rc)


def alerts(host: Host) -> list[str]:
    return host.run("cat /run/molecule-alerts").stdout.split()


def ssh(command: str = "", *, options: str = "", source: str = "</dev/null") -> tuple[int, str]:
    """What somebody gets who took the sender over and has its key."""
    strict = f"{STRICT} -o ConnectTimeout=10"
    there = f"-i {KEYS}/key bulwark-copies@{KEEPER_ADDRESS}"
    done = SENDER.run(f"timeout 30 runuser -u bulwark-backup -- ssh {strict} {options} {there} {command} {source}")
    return int(done.rc), str(done.stdout + done.stderr)


@contextlib.contextmanager
def replaced(host: Host, path: str, command: str) -> Iterator[None]:
    """The file after a command, for a while."""
    host.check_output(f"cp -a {path} {path}.kept && {command}")
    try:
        yield
    finally:
        host.check_output(f"cat {path}.kept > {path} && rm {path}.kept")


def test_copies_arrive_by_themselves_and_are_the_same_to_the_byte() -> None:
    SENDER.check_output("runuser -u postgres -- psql -c 'SELECT pg_switch_wal()'")
    wait_until(lambda: KEEPER.file(f"{COPIES}/full").exists and bool(status()["fulls"]), "a full backup elsewhere")
    wait_until(same, "the same files")
    assert status()["damaged"] == []
    assert any(path.startswith("log/") for path in sums(KEEPER, COPIES))


def test_the_sender_says_what_is_there() -> None:
    command = ["ansible", "-i", os.environ["MOLECULE_INVENTORY_FILE"], "molecule-copies-pg"]
    command += ["-m", "bulwark.database.backup_info"]
    callback = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **callback})
    found = json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["molecule-copies-pg"]["backup"]["copies"]
    assert found["host"] == KEEPER_NAME
    assert found["last_success"]
    assert found["fulls"]
    assert set(found["fulls"]) <= set(status()["fulls"])


def test_nobody_else_on_that_host_can_look_into_them() -> None:
    assert KEEPER.check_output(f"find {COPIES} -perm /077 -print") == ""
    assert KEEPER.run(f"runuser -u nobody -- ls {COPIES}").rc != 0
    assert KEEPER.file("/var/lib/bulwark-copies/.ssh/authorized_keys").user == "root"
    assert (
        KEEPER.run("runuser -u bulwark-copies -- sh -c 'echo >> /var/lib/bulwark-copies/.ssh/authorized_keys'").rc != 0
    )


def test_who_holds_the_key_gets_no_shell_no_file_and_no_way_further() -> None:
    before = sums(KEEPER, COPIES)
    for command in ("id", "'rm -rf /srv/bulwark/copies/shop'", f"'cat {COPIES}/RESTORE.txt'", "'sh -i'"):
        rc, said = ssh(command)
        assert rc != 0
        assert "uid=" not in said
        assert "STORE=" not in said
    rc, said = ssh(options="-N -o ExitOnForwardFailure=yes -L 9999:127.0.0.1:22 -o LogLevel=DEBUG", source="</dev/null")
    assert "open failed" in said or rc != 0
    for program in ("sftp", "scp"):
        target = f"bulwark-copies@{KEEPER_ADDRESS}{':/tmp/x' if program == 'scp' else ''}"
        first = "/etc/hostname" if program == "scp" else ""
        options = f"{STRICT} -i {KEYS}/key"
        assert (
            SENDER.run(f"timeout 20 runuser -u bulwark-backup -- {program} {options} {first} {target} </dev/null").rc
            != 0
        )
    assert not KEEPER.file("/tmp/x").exists
    assert before.items() <= sums(KEEPER, COPIES).items()  # the log goes on


def test_who_holds_the_key_can_not_replace_a_copy() -> None:
    before = sums(KEEPER, COPIES)
    victim = next(path for path in before if path.endswith("base.tar.zst.age"))
    offer = json.dumps({"format": 1, "offer": [[victim, 4, "0" * 64]]})
    assert "which stays as it is" in ssh(source=f"<<'END'\n{offer}\nEND\n")[1]
    assert before.items() <= sums(KEEPER, COPIES).items()
    outside = json.dumps({"format": 1, "offer": [["../../escape", 4, "0" * 64]]})
    assert "is no file of a store" in ssh(source=f"<<'END'\n{outside}\nEND\n")[1]


def test_another_host_in_its_place_is_sent_nothing_and_that_is_loud() -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    SENDER.check_output("rm -f /run/molecule-alerts; systemctl start bulwark-backup-main.service")
    with replaced(SENDER, f"{KEYS}/known_hosts", f"echo '{KEEPER_NAME} {other}' > {KEYS}/known_hosts"):
        assert deliver() != 0
        journal = SENDER.check_output(f"journalctl --quiet --output=cat --unit={DELIVER} --lines=5")
        assert f"{KEEPER_NAME} broke off" in journal
        wait_until(lambda: DELIVER in " ".join(alerts(SENDER)), "an alert")
    wait_until(same, "the same files again")


def test_a_line_that_is_cut_is_loud_and_the_next_run_goes_on() -> None:
    # pkill ends with 1 where no conversation is open just then: whether the line is cut, the next one says
    KEEPER.check_output("systemctl stop ssh.service ssh.socket; pkill -u bulwark-copies || true")  # mostly none runs
    try:
        SENDER.check_output("systemctl start bulwark-backup-main.service")
        assert deliver() != 0
    finally:
        KEEPER.check_output("systemctl start ssh.service")
    wait_until(same, "the same files again")


def test_the_account_of_the_backup_uses_the_key_and_can_not_replace_it() -> None:
    assert SENDER.check_output(f"stat --format '%U %G %a' {KEYS}/key") == "root bulwark-backup 640"
    assert SENDER.run(f"runuser -u nobody -- cat {KEYS}/key").rc != 0


def test_copies_that_are_damaged_or_late_are_loud_without_the_sender() -> None:
    KEEPER.check_output("systemctl start bulwark-copies-shop.service")
    victim = KEEPER.check_output(f"ls {COPIES}/full/*/base.tar.zst.age").splitlines()[0]
    KEEPER.check_output("rm -f /run/molecule-alerts")
    with replaced(KEEPER, victim, f"truncate -s 100 {victim}"):
        assert KEEPER.run("systemctl start bulwark-copies-shop.service").rc != 0
        wait_until(lambda: "bulwark-copies-shop.service" in alerts(KEEPER), "an alert")
        assert looked_at("shop")["damaged"] == 1
    unit = "/etc/systemd/system/bulwark-copies-shop.service"
    with replaced(
        KEEPER, unit, f"sed -i 's/--oldest-hours [0-9]*/--oldest-hours -1/' {unit} && systemctl daemon-reload"
    ):
        assert KEEPER.run("systemctl start bulwark-copies-shop.service").rc != 0
        assert "hours old" in KEEPER.check_output(
            "journalctl --quiet --output=cat --unit=bulwark-copies-shop --lines=5"
        )
    KEEPER.check_output("systemctl daemon-reload && systemctl start bulwark-copies-shop.service")
    KEEPER.check_output("systemctl start bulwark-copies-shop-deep.service")
    for name in ("shop", "shop-deep"):
        found = looked_at(name)
        assert (found["damaged"], found["error"], found["last_success"] > 0) == (0, "", True)


def looked_at(name: str) -> dict[str, t.Any]:
    """What the last look left, as metrics read it; anybody may."""
    text = KEEPER.check_output(f"runuser -u nobody -- cat /var/lib/bulwark-copies-looks/{name}.json")
    return t.cast("dict[str, t.Any]", json.loads(text))


@contextlib.contextmanager
def listening(host: Host, port: int) -> Iterator[None]:
    """Somebody answers there, so that whoever does not get through was kept from it."""
    host.check_output(f"systemd-run --quiet --unit=molecule-listener-{port} python3 -m http.server {port}")
    try:
        wait_until(lambda: bool(host.run(f"ss --listening --tcp --numeric | grep -q :{port}").rc == 0), "a listener")
        yield
    finally:
        host.check_output(f"systemctl stop molecule-listener-{port}")


@contextlib.contextmanager
def another_address(host: Host, address: str) -> Iterator[None]:
    host.check_output(f"ip address add {address}/24 dev eth0")
    try:
        yield
    finally:
        host.check_output(f"ip address delete {address}/24 dev eth0")


def reaches(account: str, address: str, port: int) -> bool:
    script = f"exec 3<>/dev/tcp/{address}/{port}"
    return bool(SENDER.run(f"runuser -u {account} -- timeout 10 bash -c '{script}'").rc == 0)


@contextlib.contextmanager
def delivering_to(address: str, *directives: str) -> Iterator[Callable[[], bool]]:
    """Whether the service that delivers, confined as it is, reaches the other port there."""
    folder = f"/run/systemd/system/{DELIVER}.d"
    command = f"/usr/bin/timeout 5 /usr/bin/bash -c 'exec 3<>/dev/tcp/{address}/{OTHER_PORT}'"
    drop_in = "\n".join(["[Service]", "ExecStart=", f"ExecStart={command}", *directives, ""])
    SENDER.check_output(f"mkdir -p {folder} && printf %s {shlex.quote(drop_in)} > {folder}/test.conf")
    SENDER.check_output("systemctl daemon-reload")
    try:
        yield lambda: deliver() == 0
    finally:
        SENDER.check_output(f"rm -r {folder} && systemctl daemon-reload")


def assert_copies_still_arrive() -> None:
    """After a full backup everything is offered again, what was pruned there too."""
    SENDER.check_output("systemctl start bulwark-backup-main.service")
    wait_until(same, "the same files")


def test_the_account_of_the_backup_reaches_the_place_of_copies_and_nothing_else() -> None:
    assert reaches("bulwark-backup", KEEPER_ADDRESS, 22)
    with listening(KEEPER, OTHER_PORT), listening(SENDER, OTHER_PORT):
        KEEPER.check_output(f"nft list table {KEEPER_TABLE}")  # which says nothing of that port
        for address in (KEEPER_ADDRESS, "127.0.0.1", "10.89.77.241"):
            assert reaches("nobody", address, OTHER_PORT), address
            started = time.monotonic()
            assert not reaches("bulwark-backup", address, OTHER_PORT), address
            assert time.monotonic() - started < 5, "it is refused and not left to wait"
    assert_copies_still_arrive()


def test_the_service_is_limited_by_systemd_too_where_somebody_flushed_the_rules() -> None:
    SENDER.check_output(f"systemctl stop bulwark-backup-main-deliver.timer; nft delete table {SENDER_TABLE}")
    try:
        with listening(SENDER, OTHER_PORT):
            own = "127.0.0.1"
            assert reaches("bulwark-backup", own, OTHER_PORT), "without the rules it would"
            with delivering_to(own) as gets_through:
                assert not gets_through()
            with delivering_to(own, "IPAddressDeny=") as gets_through:
                assert gets_through(), "without the directive it would"
    finally:
        SENDER.check_output("systemctl restart bulwark-packet-filter-backup")
        SENDER.check_output("systemctl start bulwark-backup-main-deliver.timer")
    assert not reaches("bulwark-backup", "127.0.0.1", 22)
    assert_copies_still_arrive()


def test_a_key_is_refused_from_an_address_that_is_not_its_senders() -> None:
    its_own = "the sender broke off"  # what receives says to somebody who sends nothing
    assert its_own in ssh()[1]
    with another_address(SENDER, ADMINISTRATOR), another_address(SENDER, STRANGER):
        rc, said = ssh(options=f"-b {ADMINISTRATOR}")
        assert rc == 255
        assert "Permission denied" in said
        rc, said = ssh(options=f"-b {STRANGER} -o ConnectTimeout=5")
        assert rc == 255
        assert "timed out" in said
    assert its_own in ssh()[1]


def test_the_rules_are_loaded_at_boot_on_both_sides() -> None:
    for host, unit, table in ((SENDER, "backup", SENDER_TABLE), (KEEPER, "copies", KEEPER_TABLE)):
        before = host.check_output(f"nft --stateless list table {table}")
        assert host.check_output(f"systemctl is-enabled bulwark-packet-filter-{unit}") == "enabled"
        host.check_output(f"nft delete table {table} && systemctl restart bulwark-packet-filter-{unit}")
        assert host.check_output(f"nft --stateless list table {table}") == before


def play(*extra: str) -> dict[str, t.Any]:
    """What a run with other declarations does."""
    command = ["ansible-playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], "undeclared.yml", *extra]
    environment = {
        **os.environ,
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return t.cast("dict[str, t.Any]", json.loads(done.stdout))


def counts(done: dict[str, t.Any], what: str) -> dict[str, int]:
    return {host: stats[what] for host, stats in done["stats"].items()}


@pytest.mark.parametrize(
    ("variables", "group", "says"),
    [
        ({"unknown_host": "nowhere.invalid"}, "postgresql", "offsite: this host can't resolve 'nowhere.invalid'"),
        (
            {"unknown_sources": [{"name": "shop", "public_key": "ssh-ed25519 AAAA", "from": ["nowhere.invalid"]}]},
            "copies",
            "shop: from: this host can't resolve 'nowhere.invalid'",
        ),
    ],
    ids=["on the sender", "on the keeper"],
)
def test_a_name_that_does_not_resolve_is_refused_and_nothing_changes(
    variables: dict[str, t.Any], group: str, says: str
) -> None:
    before = KEEPER.check_output("cat /var/lib/bulwark-copies/.ssh/authorized_keys")
    done = play("--limit", group, "-e", json.dumps(variables))
    assert list(counts(done, "failures").values()) == [1]
    assert list(counts(done, "changed").values()) == [0]
    results = [host for one in done["plays"] for task in one["tasks"] for host in task["hosts"].values()]
    (message,) = [result["msg"] for result in results if result.get("failed")]
    assert message.startswith(says)
    assert message.endswith("Correct the name, or write its address")
    assert "\n" not in message
    assert KEEPER.check_output("cat /var/lib/bulwark-copies/.ssh/authorized_keys") == before
    assert deliver() == 0


def test_zz_what_is_not_declared_any_more_is_gone() -> None:
    foreseen, done, again = play("--check"), play(), play()
    for one in (foreseen, done, again):
        assert set(counts(one, "failures").values()) == {0}
    assert counts(foreseen, "changed") == counts(done, "changed")
    assert min(counts(done, "changed").values()) > 0
    assert set(counts(again, "changed").values()) == {0}
    assert SENDER.run(f"nft list table {SENDER_TABLE}").rc != 0
    assert KEEPER.run(f"nft list table {KEEPER_TABLE}").rc != 0
    for host, name in ((SENDER, "backup"), (KEEPER, "copies")):
        assert not host.file(f"/etc/bulwark/packet_filter_{name}.nft").exists
        assert host.run(f"systemctl is-enabled bulwark-packet-filter-{name}").rc != 0
    assert not SENDER.file(f"/etc/systemd/system/{DELIVER}").exists
    assert "shop" not in KEEPER.file("/var/lib/bulwark-copies/.ssh/authorized_keys").content_string
    assert sums(KEEPER, COPIES)  # the copies stay
