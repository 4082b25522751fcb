# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_settings under faults: the server starts, nothing stays half written, a second run finishes the work."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t
from pathlib import Path

import pytest
from killing import count_steps, kill_at, run_at_the_same_time, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import BulwarkError
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_settings import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_mariadb import PrivateMariaDB

OPTIONS: dict[str, t.Any] = {
    "settings": {
        "max_connections": 200,
        "wait_timeout": 600,
        "tls_version": "TLSv1.3",
        "simple_password_check_digits": 3,
    },
    "secret_settings": {},
    "plugins": ["simple_password_check"],
    "level": None,
    "log_policy": "privacy",
    "leave": [],
    "option_file": None,
}
VALUES = "SELECT @@max_connections, @@GLOBAL.wait_timeout, @@tls_version"


def declare(server: PrivateMariaDB) -> Outcome:
    with open_subject(server.connection, OPTIONS) as subject:
        return converge(subject, check_mode=False)


def assert_finished(server: PrivateMariaDB) -> None:
    """A further run finishes what an interrupted one began, and the server starts with it."""
    declare(server)
    assert not declare(server).plan
    server.restart()
    assert server.sql(VALUES) == "200\t600\tTLSv1.3"
    assert not declare(server).result["restart_required"]


def reset(server: PrivateMariaDB) -> None:
    server.sql("UNINSTALL SONAME 'simple_password_check'", check=False)
    for left in server.drop_ins.iterdir():
        left.unlink()
    server.restart()
    assert server.sql(VALUES) == "151\t28800\tTLSv1.2,TLSv1.3"


def test_killed_at_any_step_the_server_restarts_and_a_second_run_finishes(mariadb: PrivateMariaDB) -> None:
    total = count_steps(lambda: declare(mariadb))
    killed = 0
    for step in steps_to_try(total, sample=8):
        reset(mariadb)
        killed += kill_at(step, lambda: declare(mariadb))
        assert mariadb.restart(check=False), f"killed at step {step} of {total}, the server does not start"
        declare(mariadb)
        assert not declare(mariadb).plan
    assert killed
    assert_finished(mariadb)


@pytest.mark.parametrize("flags", ["size=64k", "size=1m,ro"], ids=["full", "read-only"])
def test_a_full_or_read_only_disk_leaves_the_old_configuration(mariadb: PrivateMariaDB, flags: str) -> None:
    with mounted(mariadb.drop_ins, flags):
        if "ro" not in flags:
            with contextlib.suppress(OSError), (mariadb.drop_ins / "filler").open("wb") as stream:
                stream.write(b"x" * 1_000_000)
        with pytest.raises(BulwarkError, match=r"can't write .*z-bulwark\.cnf.*: (No space|Read-only file)"):
            declare(mariadb)
        assert mariadb.sql(VALUES) == "151\t28800\tTLSv1.2,TLSv1.3"
        assert mariadb.restart(check=False)
    assert_finished(mariadb)


@contextlib.contextmanager
def mounted(folder: Path, flags: str) -> t.Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", flags, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_server_that_goes_away_in_between_is_named_and_the_file_is_put_back(mariadb: PrivateMariaDB) -> None:
    with open_subject(mariadb.connection, OPTIONS) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        mariadb.stop()
        with pytest.raises(BulwarkError, match=r"MariaDB at the unix socket .*put back"):
            subject.apply(plan, observed)
    assert not (mariadb.drop_ins / "z-bulwark.cnf").exists()
    mariadb.start()
    assert_finished(mariadb)


def test_two_runs_at_the_same_time_end_with_the_work_done(mariadb: PrivateMariaDB) -> None:
    # One of them may find that the other was faster; it says so, and breaks nothing.
    run_at_the_same_time(lambda: declare(mariadb), lambda: declare(mariadb))
    assert_finished(mariadb)
