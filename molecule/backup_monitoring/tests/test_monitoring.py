# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch on a real host: failures are told, what never ran is seen, success is told outside, and no secret is."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

import testinfra
from testinfra.host import Host

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import on_hosts

WATCHED: Host = testinfra.get_host("podman://molecule-monitored-pg")
TOLD: Host = testinfra.get_host("podman://molecule-monitored-told")
SCENARIO = Path(__file__).resolve().parent.parent
SECRET = (Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "keys" / "secret").read_text(encoding="utf-8").strip()
FOLDER = "/var/lib/prometheus/node-exporter"
FULL = "bulwark-backup-main.service"
NOTIFY = "bulwark-backup-notify@bulwark-backup-main.service.service"
PATIENCE_SECONDS = 120
wait_until = functools.partial(on_hosts.wait_until, seconds=PATIENCE_SECONDS, pause=2)


def received() -> list[dict[str, t.Any]]:
    text = TOLD.run("cat /srv/told/received.jsonl").stdout
    return [json.loads(line) for line in text.splitlines()]


def mails_about(unit: str) -> list[dict[str, t.Any]]:
    return [one for one in received() if one["kind"] == "mail" and f"FAILED: {unit}" in one["text"]]


def posts_about(unit: str) -> list[dict[str, t.Any]]:
    bodies = [json.loads(one["body"]) for one in received() if one["kind"] == "POST" and not one["refused"]]
    return [body for body in bodies if body["unit"] == unit]


def pings() -> list[str]:
    return [one["path"] for one in received() if one["kind"] == "GET" and not one["refused"]]


def collected() -> dict[str, float]:
    """What node_exporter hands out, read anew: a metric with its labels, and its value."""
    unit = "bulwark-backup-metrics.service"
    # systemd starts no unit more than five times in ten seconds, unless that is forgotten
    WATCHED.check_output(f"systemctl reset-failed {unit}; systemctl start {unit}")
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode())"
    lines = WATCHED.check_output(f'python3 -c "{script}"').splitlines()
    samples = (line.rpartition(" ") for line in lines if line.startswith("bulwark_"))
    return {name: float(value) for name, dummy, value in samples}


def metric(name: str, **labels: str) -> float:
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    found = [
        value
        for sample, value in collected().items()
        if sample.partition("{")[0] == name and wanted <= set(re.findall(r'\w+="[^"]*"', sample))
    ]
    assert len(found) == 1, f"{name} {labels}: {found}"
    return found[0]


def succeeds() -> bool:
    return bool(WATCHED.run(f"systemctl start {FULL}").rc == 0)


@contextlib.contextmanager
def server_is_down() -> Iterator[None]:
    WATCHED.check_output("systemctl stop postgresql@15-main.service || systemctl stop 'postgresql@*'")
    try:
        yield
    finally:
        WATCHED.check_output("systemctl start postgresql.service")
        wait_until(lambda: bool(WATCHED.run("runuser -u postgres -- psql -c 'SELECT 1'").rc == 0), "the server")


@contextlib.contextmanager
def those_who_are_told_refuse() -> Iterator[None]:
    TOLD.check_output("touch /srv/told/refuse")
    try:
        yield
    finally:
        TOLD.check_output("rm /srv/told/refuse")


def test_the_first_backup_was_told_to_the_watch_outside_by_its_name() -> None:
    wait_until(lambda: f"/ping/{SECRET}/main" in pings(), "a ping")
    assert metric("bulwark_backup_ping_failing", backup="main") == 0


def test_metrics_come_each_minute_by_themselves_and_node_exporter_hands_them_out() -> None:
    name = "bulwark_backup_last_success_timestamp_seconds"
    assert abs(metric(name, backup="main") - time.time()) < 3600
    assert metric("bulwark_backup_full_sets", backup="main") >= 1
    assert metric("bulwark_backup_readable", backup="main") == 1
    assert metric("bulwark_certificate_expiry_timestamp_seconds", path="/etc/ssl/told.crt") > time.time()
    files = WATCHED.check_output(f"stat --format '%n %U %a' {FOLDER}/bulwark*").splitlines()
    assert files
    assert all(line.endswith(" root 644") for line in files)
    WATCHED.check_output(f"rm {FOLDER}/bulwark*")
    wait_until(lambda: len(WATCHED.run(f"ls {FOLDER}/bulwark*").stdout.split()) == len(files), "them again")


def test_what_never_ran_is_seen() -> None:
    assert metric("bulwark_backup_last_success_timestamp_seconds", backup="never") == 0
    assert metric("bulwark_backup_last_success_age_seconds", backup="never") == -1
    assert 0 < metric("bulwark_backup_known_since_timestamp_seconds", backup="never") <= time.time()
    assert metric("bulwark_backup_readable", backup="never") == 0
    assert metric("bulwark_restore_test_last_success_timestamp_seconds", test="never") == 0


def test_a_backup_that_fails_is_told_by_mail_and_webhook_and_seen_and_once_an_hour() -> None:
    before = pings()
    with server_is_down():
        assert not succeeds()
        wait_until(lambda: bool(mails_about(FULL)), "a mail")
        wait_until(lambda: bool(posts_about(FULL)), "a call")
        assert metric("bulwark_backup_failing", backup="main", command="full") == 1
        assert metric("bulwark_backup_unit_failed", backup="main", unit=FULL) == 1
        assert not succeeds()
        wait_until(lambda: "failed again" in WATCHED.run(f"journalctl -u '{NOTIFY}'").stdout, "that it is known")
    (mail,), (body,) = mails_about(FULL), posts_about(FULL)
    assert mail["user"] == f"backups {SECRET}"  # over the encrypted line alone: the receiver takes none before
    assert "oncall@example.org" in mail["text"]
    assert body["host"] == "molecule-monitored-pg"
    assert body["result"] == "exit-code"
    assert "systemctl start bulwark-backup-main.service" in body["what_to_do"]
    assert pings() == before
    assert succeeds()
    assert metric("bulwark_backup_failing", backup="main", command="full") == 0
    wait_until(lambda: len(pings()) > len(before), "a ping for what is mended")


def test_a_watch_outside_that_can_not_be_told_leaves_the_backup_sound_and_is_seen() -> None:
    with those_who_are_told_refuse():
        assert succeeds()
        wait_until(lambda: metric("bulwark_backup_ping_failing", backup="main") == 1, "that it failed")
        assert metric("bulwark_backup_failing", backup="main", command="full") == 0
    assert succeeds()
    wait_until(lambda: metric("bulwark_backup_ping_failing", backup="main") == 0, "that it succeeded")


def test_secrets_are_in_files_of_root_alone_and_nowhere_else() -> None:
    # grep ends with 1 where nothing holds it and with 2 for a file that went meanwhile: what it names is the test
    # grep ends with 1 where it finds nothing
    holders = WATCHED.check_output(f"grep -rlF {SECRET} /etc /var/lib /run/systemd /usr/local || true").split()
    assert sorted(holders) == [f"/etc/bulwark/monitoring/{name}" for name in ("mail_login", "ping_url", "webhook_url")]
    for path in holders:
        assert WATCHED.check_output(f"stat --format '%U %G %a' {path}") == "root root 600"
    assert SECRET not in WATCHED.check_output("journalctl --no-pager --output=cat")
    assert SECRET not in WATCHED.check_output("systemctl show 'bulwark-backup-*'")


def play(*flags: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The watch deployed once more, and what of it was changed, or would be."""
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    command = ["ansible-playbook", "-i", inventory, "converge.yml", "-e", "molecule_watch_alone=true", *flags]
    environment = {
        **os.environ,
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=SCENARIO, env=environment)
    assert done.returncode == 0, done.stdout
    tasks = [task for one in json.loads(done.stdout)["plays"] for task in one["tasks"]]
    results = [host for task in tasks for host in task["hosts"].values()]
    assert any("changes" in result for result in results)
    return done, [change for result in results for change in result.get("changes", [])]


def test_a_dry_run_says_what_a_run_does_and_shows_no_secret() -> None:
    inventory = os.environ["MOLECULE_INVENTORY_FILE"]
    module = ["-m", "bulwark.database.backup_monitor", "-a", '{"state": "absent"}']
    subprocess.run(["ansible", "-i", inventory, "postgresql", *module], check=True, capture_output=True, cwd=SCENARIO)
    assert WATCHED.run("ls /etc/bulwark/monitoring/*").rc != 0
    assert "bulwark-backup-metrics.timer" not in WATCHED.check_output("systemctl list-timers --all")
    (said, foreseen), (done, changed), (dummy, again) = play("--check", "--diff"), play("--diff"), play()
    assert foreseen == changed
    assert any("webhook_url" in change for change in changed)
    assert again == []
    assert SECRET not in said.stdout + said.stderr + done.stdout + done.stderr
    assert metric("bulwark_backup_readable", backup="main") == 1
