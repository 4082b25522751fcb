# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on its way from being in use to being hardened. Each test takes it one step further, in this order."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from testinfra.host import Host

NAME = "molecule-transition"
testinfra_hosts = [f"podman://{NAME}"]

SCENARIO = Path(__file__).resolve().parents[1]
HARDEN = SCENARIO / "converge.yml"
WINDOW = SCENARIO.parents[1] / "playbooks" / "diagnostic_window.yml"

PSQL = "psql -XAtq"
CLIENT = f"env PGPASSWORD=Molecule-App-1-secret PGCONNECT_TIMEOUT=5 {PSQL}"
PLAINTEXT = "host=127.0.0.1 user=app dbname=shop sslmode=disable"
ENCRYPTED = "host=127.0.0.1 user=app dbname=shop sslmode=require"

OBSERVE = {"postgresql_hardening_stage": "observe"}
NOT_ACCEPTED = {"postgresql_hardening_host": False}
ENFORCE = {
    **NOT_ACCEPTED,
    "postgresql_hardening_accepted_clients": [
        {"problem": "plaintext", "role": "app"},
        {"problem": "md5_password", "role": "legacy"},
    ],
}
TLS = "/etc/own-tls"
OWN_TLS = {
    **ENFORCE,
    "postgresql_hardening_certificate_source": "provided",
    "postgresql_hardening_tls_dir": TLS,
}
STRICT = {**OWN_TLS, "postgresql_hardening_level": "strict"}
LOCKS = {
    **STRICT,
    "postgresql_hardening_allow_restart": True,
    "postgresql_hardening_settings": {"max_locks_per_transaction": 99},
}


def play(variables: t.Mapping[str, t.Any], playbook: Path = HARDEN) -> tuple[bool, str]:
    """Whether the playbook got through, and what it said, on one line."""
    command = ["ansible-playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], str(playbook)]
    command += ["-e", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return done.returncode == 0, " ".join(f"{done.stdout} {done.stderr}".split())


def as_postgres(host: Host, sql: str) -> str:
    return host.check_output(f"cd / && runuser -u postgres -- {PSQL} -c {shlex.quote(sql)}")


def logs_in(host: Host, target: str) -> bool:
    return host.run(f"{CLIENT} {shlex.quote(target)} -c 'SELECT 1'").succeeded


def settings(host: Host) -> dict[str, str]:
    return json.loads(as_postgres(host, "SELECT json_object_agg(name, setting) FROM pg_settings"))


def state(host: Host) -> tuple[t.Any, ...]:
    """What a refused run must leave as it was: files, running values, the server's process."""
    files = f"/etc/postgresql {TLS} {as_postgres(host, 'SHOW data_directory')}/postgresql.auto.conf"
    sums = host.check_output(f"find {files} -type f | sort | xargs sha256sum")
    return sums, settings(host), started(host)


def started(host: Host) -> str:
    return as_postgres(host, "SELECT pg_postmaster_start_time()")


def served_certificate(host: Host) -> str:
    """Issuer, end and fingerprint of what the server shows on the wire."""
    return host.check_output(
        "openssl s_client -connect 127.0.0.1:5432 -starttls postgres </dev/null 2>/dev/null"
        " | openssl x509 -noout -issuer -enddate -fingerprint"
    )


def test_observing_locks_nobody_out_and_names_who_would_be(host: Host) -> None:
    before, rules = settings(host), as_postgres(host, "SELECT pg_read_file(current_setting('hba_file'))")
    done, said = play(OBSERVE)
    assert done, said
    assert logs_in(host, PLAINTEXT)
    done, said = play(OBSERVE)
    assert done, said
    assert "address: 127.0.0.1 database: shop problem: plaintext role: app" in said
    assert "problem: md5_password role: legacy" in said
    assert settings(host) == {**before, "log_connections": "on"}
    assert as_postgres(host, "SELECT pg_read_file(current_setting('hba_file'))") == rules
    assert logs_in(host, PLAINTEXT)


def test_enforcing_is_refused_while_such_clients_are_seen(host: Host) -> None:
    before = state(host)
    done, said = play(NOT_ACCEPTED)
    assert not done
    assert "enforcing would lock out 2 clients" in said
    assert "md5_password: role legacy; plaintext: role app in database shop from 127.0.0.1" in said
    assert state(host) == before
    assert logs_in(host, PLAINTEXT)


def test_clients_accepted_by_name_do_not_hold_it_up_and_plaintext_is_refused_from_then_on(host: Host) -> None:
    done, said = play(ENFORCE)
    assert done, said
    assert not logs_in(host, PLAINTEXT)
    assert logs_in(host, ENCRYPTED)


def test_a_certificate_close_to_its_end_is_renewed_and_sessions_live_on(host: Host) -> None:
    before, since = served_certificate(host), started(host)
    command = ["podman", "exec", "--interactive", NAME, *CLIENT.split(), ENCRYPTED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        process = ask_process(session)
        renewal = {"postgresql_hardening_certificate_days": 500, "postgresql_hardening_certificate_renew_days": 400}
        done, said = play({**ENFORCE, **renewal})
        assert done, said
        assert served_certificate(host) != before
        assert ask_process(session) == process
        session.communicate(timeout=10)
    assert started(host) == since


def ask_process(session: subprocess.Popen[str]) -> int:
    assert session.stdin
    assert session.stdout
    session.stdin.write("SELECT pg_backend_pid();\n")
    session.stdin.flush()
    return int(session.stdout.readline())


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ({"postgresql_hardening_private_key_path": f"{TLS}/stranger.key"}, "does not belong to the key"),
        ({"postgresql_hardening_certificate_path": f"{TLS}/expired.crt"}, "expired on"),
    ],
)
def test_unusable_tls_material_is_refused_before_anything_changes(
    host: Host, path: dict[str, str], complaint: str
) -> None:
    before = state(host)
    done, said = play({**OWN_TLS, **path})
    assert not done
    assert complaint in said
    assert state(host) == before


def test_a_certificate_that_was_brought_is_served_and_verified(host: Host) -> None:
    verified = f"host=localhost user=app dbname=shop sslmode=verify-full sslrootcert={TLS}/ca.crt"
    assert not logs_in(host, verified)
    done, said = play(OWN_TLS)
    assert done, said
    assert logs_in(host, verified)


def test_where_errors_are_logged_anyway_there_is_no_window_to_open(host: Host) -> None:
    before = state(host)
    done, said = play({}, WINDOW)
    assert done, said
    assert "there is no window to open" in said
    assert "changed=0" in said
    assert state(host) == before
    assert not host.file("/etc/systemd/system/bulwark-diagnostic-window.timer").exists


def test_a_diagnostic_window_lets_errors_be_logged_and_closes_itself(host: Host) -> None:
    done, said = play(STRICT)
    assert done, said
    assert not error_is_logged(host, "bulwark_before")
    done, said = play({"postgresql_hardening_diagnostic_minutes": 1}, WINDOW)
    assert done, said
    assert error_is_logged(host, "bulwark_within")
    deadline = time.monotonic() + 90
    while as_postgres(host, "SHOW log_min_messages") != "log" and time.monotonic() < deadline:
        time.sleep(2)
    assert not error_is_logged(host, "bulwark_after")


def error_is_logged(host: Host, marker: str) -> bool:
    assert host.run(f"cd / && runuser -u postgres -- {PSQL} -c 'SELECT {marker}'").failed
    return host.run(f"cat /var/log/postgresql/*.log | grep -q {marker}").succeeded


@pytest.fixture(scope="module")
def obstacle(host: Host) -> t.Iterator[t.Callable[[], None]]:
    """The unit refuses to start with the new value, which no trial of the server sees. Gives a way to take it off."""
    unit = host.check_output("systemctl list-units --plain --no-legend 'postgresql@*.service'").split()[0]
    folder = f"/etc/systemd/system/{unit}.d"
    file = f"{as_postgres(host, 'SHOW data_directory')}/postgresql.auto.conf"
    script = f"if grep -q ^max_locks_per_transaction.*99 {file}; then echo error: no room for locks; exit 1; fi"
    drop_in = f"[Service]\nExecStartPre=/bin/sh -c '{script}'\n"
    host.check_output("mkdir -p %s && printf %s > %s && systemctl daemon-reload", folder, drop_in, f"{folder}/90.conf")

    def remove() -> None:
        host.check_output("rm -f %s && systemctl daemon-reload", f"{folder}/90.conf")

    yield remove
    remove()


@pytest.mark.parametrize("restarted_for_its_sandbox", [False, True])
def test_a_server_that_does_not_start_gets_its_former_values_back(
    host: Host, obstacle: t.Callable[[], None], *, restarted_for_its_sandbox: bool
) -> None:
    del obstacle
    done, said = play({**LOCKS, "postgresql_hardening_host": restarted_for_its_sandbox})
    assert not done
    assert "error: no room for locks. The former values were put back and it runs again" in said
    assert as_postgres(host, "SHOW max_locks_per_transaction") == "64"
    assert as_postgres(host, "SELECT count(*) FROM pg_settings WHERE pending_restart") == "0"
    file = host.file(f"{as_postgres(host, 'SHOW data_directory')}/postgresql.auto.conf")
    assert (file.user, file.group, file.mode) == ("postgres", "postgres", 0o600)
    assert logs_in(host, ENCRYPTED)


def test_the_next_run_finishes_once_the_cause_is_gone(host: Host, obstacle: t.Callable[[], None]) -> None:
    obstacle()
    done, said = play({**LOCKS, "postgresql_hardening_host": True})
    assert done, said
    assert as_postgres(host, "SHOW max_locks_per_transaction") == "99"
    assert logs_in(host, ENCRYPTED)
