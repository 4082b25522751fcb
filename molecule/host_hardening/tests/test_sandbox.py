# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox as the server's own processes meet it."""

from __future__ import annotations

import subprocess
import time
import typing as t

import pytest

if t.TYPE_CHECKING:
    from testinfra.host import Host

    from conftest import Ansible

UNIT = "postgresql@15-main.service"
DATA = "/var/lib/postgresql/15/main"
SANDBOX = {"unit": UNIT, "profile": "postgresql", "read_write_paths": [DATA], "probe_command": ["pg_isready", "-q"]}
# A server can't start with these system calls alone.
FATAL = {**SANDBOX, "directives": {"SystemCallFilter": "@basic-io"}, "allow_restart": True, "deadline": 10}


def sql(server: Host, statement: str) -> t.Any:
    return server.run("su postgres -c %s", f'psql -AtX -v ON_ERROR_STOP=1 -c "{statement}"')


def drop_in(server: Host) -> str:
    return server.file(f"/etc/systemd/system/{UNIT}.d/50-bulwark.conf").content_string


@pytest.mark.parametrize("path", ["/var/lib/postgresql/probe", "/var/tmp/../lib/postgresql/probe"])
def test_the_server_can_not_write_where_its_own_account_could(server: Host, path: str) -> None:
    refused = sql(server, f"copy (select 1) to '{path}'")
    assert "Read-only file system" in refused.stderr
    # The counter-proof: the same account, outside the service.
    server.check_output("su postgres -c 'touch /var/lib/postgresql/probe && rm /var/lib/postgresql/probe'")


def test_what_a_statement_starts_lives_in_the_sandbox_too(server: Host) -> None:
    assert sql(server, "copy (select 1) to program 'cat > /var/lib/postgresql/probe'").failed
    assert sql(server, "copy (select 1) to program 'unshare --user true'").failed
    status = sql(server, "select regexp_matches(pg_read_file('/proc/self/status'), 'NoNewPrivs:.1|Seccomp:.2', 'g')")
    assert len(status.stdout.splitlines()) == 2


def test_what_the_server_needs_still_works(server: Host) -> None:
    for statement in (
        "create table probe as select generate_series(1, 1000) as number",
        "set jit = on; set jit_above_cost = 0; select sum(number) from probe",
        "checkpoint",
        "drop table probe",
        "select pg_reload_conf()",
    ):
        assert sql(server, statement).succeeded, statement


def test_systemd_rates_the_service_as_safe_and_so_does_its_process(ansible: Ansible) -> None:
    answer = ansible.module("service_sandbox", SANDBOX)
    assert not answer["changed"]
    assert answer["confined"]
    assert answer["exposure"] < 5.0


def test_a_file_that_the_service_has_open_is_not_taken_from_it(ansible: Ansible) -> None:
    answer = ansible.module("service_sandbox", {**SANDBOX, "read_write_paths": [], "allow_restart": True})
    assert f"writes to {DATA}/" in answer["msg"]


def test_a_link_to_a_tablespace_opens_the_sandbox_for_it(ansible: Ansible, server: Host) -> None:
    server.check_output("install -d -o postgres -g postgres -m 0700 /srv/space")
    server.check_output(f"ln -sfn /srv/space {DATA}/pg_tblspc/99999")
    answer = ansible.module("service_sandbox", SANDBOX, "--check")
    server.check_output(f"rm {DATA}/pg_tblspc/99999")
    assert any("ReadWritePaths=-/srv/space" in change for change in answer["changes"])


def test_without_leave_to_restart_the_sandbox_waits_and_the_service_runs_on(ansible: Ansible, server: Host) -> None:
    before, text = server.check_output(f"systemctl show -p MainPID --value {UNIT}"), drop_in(server)
    answer = ansible.module("service_sandbox", {**SANDBOX, "directives": {"UMask": "0027"}})
    assert (answer["changed"], answer["restart_pending"]) == (True, True)
    assert server.check_output(f"systemctl show -p MainPID --value {UNIT}") == before
    assert ansible.module("service_sandbox", {**SANDBOX, "allow_restart": True})["confined"]
    assert drop_in(server) == text


def test_a_sandbox_in_which_the_server_does_not_start_is_taken_back(ansible: Ansible, server: Host) -> None:
    text = drop_in(server)
    answer = ansible.module("service_sandbox", FATAL)
    assert "the sandbox was taken back and it runs again" in answer["msg"]
    assert drop_in(server) == text
    assert sql(server, "select 1").succeeded


def test_a_run_killed_while_the_server_is_down_leaves_a_timer_that_brings_it_back(
    ansible: Ansible, server: Host, server_name: str
) -> None:
    text = drop_in(server)
    # The module is killed on the host, the moment systemd has taken the server down.
    killer = (
        f"until systemctl is-failed -q {UNIT} || ! systemctl is-active -q {UNIT}; do sleep 0.05; done; "
        "pkill -KILL -f AnsiballZ_service_sandbox"
    )
    with subprocess.Popen(["podman", "exec", server_name, "sh", "-c", killer]) as waiting:
        answer = ansible.module("service_sandbox", FATAL)
        waiting.wait(30)
    assert "taken back" not in answer["msg"]
    assert drop_in(server) != text
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and sql(server, "select 1").failed:
        time.sleep(2)
    assert sql(server, "select 1").succeeded
    assert drop_in(server) == text


def test_a_sandbox_without_effect_is_an_error_and_no_success(ansible: Ansible, server: Host) -> None:
    # Another drop-in that is read after ours; in a container without privileges it would look the same.
    server.check_output("mkdir -p /etc/systemd/system/probe.service.d")
    server.check_output("printf '[Service]\\nProtectSystem=no\\n' > /etc/systemd/system/probe.service.d/90-other.conf")
    start = "systemctl stop probe.service; systemd-run --unit=probe.service sleep 600"
    server.check_output(start)
    first = ansible.module("service_sandbox", {"unit": "probe.service"})
    server.check_output(start)
    second = ansible.module("service_sandbox", {"unit": "probe.service"})
    server.check_output(
        "systemctl stop probe.service; rm -r /etc/systemd/system/probe.service.d; systemctl daemon-reload"
    )
    assert first["restart_pending"]
    assert "was started with its sandbox, but /etc is not read-only for it" in second["msg"]
