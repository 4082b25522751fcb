# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_hba under faults: the operator can log in afterwards, and a second run finishes the work."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from killing import count_steps, kill_at, kill_on_entering, run_at_the_same_time, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import BulwarkError
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_hba import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PrivateServer

RULES = [
    {"type": "local", "method": "peer"},
    {"type": "host", "address": "all", "method": "reject"},
]
# It passes every check on paper, and the operator, who has no password, can't log in with it.
LOCKOUT = [{"type": "local", "method": "scram-sha-256"}]
MAPPINGS = [{"map": "admins", "system_user": "postgres", "database_user": "postgres"}]


def declare(server: PrivateServer, journal: Path, rules: list[dict[str, t.Any]]) -> Outcome:
    options = {
        "rules": rules,
        "ident_mappings": MAPPINGS,
        "must_admit": [],
        "journal_directory": str(journal),
        "reload_timeout": 5,
    }
    with open_subject(server.connection, options) as subject:
        return converge(subject, check_mode=False)


def assert_finished(server: PrivateServer, journal: Path) -> None:
    declare(server, journal, RULES)
    assert not declare(server, journal, RULES).plan
    assert not [path for path in journal.iterdir() if path.suffix != ".lock"]
    assert not list(server.data.glob("*.bulwark-*"))
    assert server.restart(check=False)
    assert server.psql("SELECT 1") == "1"


def test_killed_at_any_step_the_operator_logs_in_and_a_second_run_finishes(
    server: PrivateServer, tmp_path: Path
) -> None:
    stock = {name: (server.data / name).read_bytes() for name in ("pg_hba.conf", "pg_ident.conf")}
    total = count_steps(lambda: declare(server, tmp_path / "count", RULES))
    for step in steps_to_try(total, sample=6):
        for name, content in stock.items():
            (server.data / name).write_bytes(content)
        server.psql("SELECT pg_reload_conf()")
        assert kill_at(step, lambda: declare(server, tmp_path / "journal", RULES))
        assert server.psql("SELECT 1") == "1", f"killed at step {step} of {total}"
        declare(server, tmp_path / "journal", RULES)
        assert not declare(server, tmp_path / "journal", RULES).plan
    assert_finished(server, tmp_path / "journal")


def test_killed_while_rules_that_lock_out_are_in_force_the_next_run_gets_in(
    server: PrivateServer, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    moment = ["put_in_place", "reload_and_wait", "open_session"]
    assert kill_on_entering(moment, lambda: declare(server, journal, LOCKOUT))
    assert locked_out_within(server, seconds=5), "the kill did not hit the moment that this test is about"
    declare(server, journal, RULES)
    assert server.psql("SELECT 1") == "1"
    assert_finished(server, journal)


def test_killed_before_the_reload_unproven_rules_are_not_taken_over(server: PrivateServer, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    # The new file is in place, the server has not read it: whoever logs in now proves nothing about it.
    assert kill_on_entering(["put_in_place", "_reload_and_prove"], lambda: declare(server, journal, LOCKOUT))
    assert "scram-sha-256" in (server.data / "pg_hba.conf").read_text()
    with pytest.raises(BulwarkError, match="The former rules are in force again"):
        declare(server, journal, LOCKOUT)
    assert server.psql("SELECT 1") == "1"
    assert_finished(server, journal)


def locked_out_within(server: PrivateServer, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if "password" in server.psql("SELECT 1", check=False):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("flags", ["size=32k", "size=1m,ro"], ids=["full", "read-only"])
def test_a_full_or_read_only_disk_leaves_the_old_rules(server: PrivateServer, flags: str, tmp_path: Path) -> None:
    folder = server.root / "configuration"
    folder.mkdir()
    server.psql(f"ALTER SYSTEM SET hba_file = '{folder}/pg_hba.conf'")
    subprocess.run(["mount", "-t", "tmpfs", "-o", flags.replace(",ro", ""), "tmpfs", str(folder)], check=True)
    try:
        shutil.copy(server.data / "pg_hba.conf", folder)
        server.chown(folder, folder / "pg_hba.conf")
        server.restart()
        if "ro" in flags:
            subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        else:
            with contextlib.suppress(OSError), (folder / "filler").open("wb") as stream:
                stream.write(b"x" * 1_000_000)
        before = (folder / "pg_hba.conf").read_bytes()
        with pytest.raises(BulwarkError, match=r"No space left|Read-only file system"):
            declare(server, tmp_path / "journal", RULES)
        assert (folder / "pg_hba.conf").read_bytes() == before
        assert server.psql("SELECT 1") == "1"
    finally:
        server.psql("ALTER SYSTEM RESET hba_file")
        server.stop()
        subprocess.run(["umount", str(folder)], check=True)
        server.start()
    assert_finished(server, tmp_path / "journal")


def test_a_server_that_goes_away_in_between_has_its_old_rules_when_it_comes_back(
    server: PrivateServer, tmp_path: Path
) -> None:
    before = (server.data / "pg_hba.conf").read_bytes()
    options = {
        "rules": RULES,
        "ident_mappings": MAPPINGS,
        "must_admit": [],
        "journal_directory": str(tmp_path / "journal"),
        "reload_timeout": 1,
    }
    with open_subject(server.connection, options) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        server.stop("immediate")
        with pytest.raises(BulwarkError, match="PostgreSQL at the unix socket"):
            subject.apply(plan, observed)
    assert (server.data / "pg_hba.conf").read_bytes() == before
    server.start()
    assert_finished(server, tmp_path / "journal")


def test_two_runs_at_the_same_time_both_end_well(server: PrivateServer, tmp_path: Path) -> None:
    def run() -> None:
        declare(server, tmp_path / "journal", RULES)

    assert run_at_the_same_time(run, run) == [0, 0]
    assert_finished(server, tmp_path / "journal")
