# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql_settings under faults: the server runs, the operator can log in, a second run finishes the work."""

from __future__ import annotations

import contextlib
import subprocess
import typing as t
from pathlib import Path

import pytest
from killing import count_steps, kill_at, run_at_the_same_time, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import BulwarkError
from ansible_collections.bulwark.database.plugins.module_utils._module.postgresql_settings import open_subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from private_server import PrivateServer

SETTINGS = {"work_mem": "16MB", "log_line_prefix": "%m [%p] ", "log_connections": "on", "shared_buffers": "64MB"}
OPTIONS: dict[str, t.Any] = {
    "settings": SETTINGS,
    "level": None,
    "log_policy": "privacy",
    "preload_libraries": ["auth_delay"],
    "persist": "auto",
    "include_file": None,
    "reload_timeout": 5,
}


def declare(server: PrivateServer, **options: t.Any) -> Outcome:
    with open_subject(server.connection, {**OPTIONS, **options}) as subject:
        return converge(subject, check_mode=False)


def assert_finished(server: PrivateServer, **options: t.Any) -> None:
    """A further run finishes what an interrupted one began, and the server starts with it."""
    declare(server, **options)
    assert not declare(server, **options).plan
    server.restart()
    assert server.psql("SHOW work_mem; SHOW shared_buffers; SHOW shared_preload_libraries") == "16MB\n64MB\nauth_delay"


def reset(server: PrivateServer, persist: str) -> None:
    server.psql("ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()")
    if persist == "include_file":
        (server.data / "conf.d" / "bulwark.conf").unlink(missing_ok=True)


@pytest.mark.parametrize("persist", ["alter_system", "include_file"])
def test_killed_at_any_step_the_server_restarts_and_a_second_run_finishes(server: PrivateServer, persist: str) -> None:
    total = count_steps(lambda: declare(server, persist=persist))
    killed = 0
    for step in steps_to_try(total, sample=8):
        reset(server, persist)
        killed += kill_at(step, lambda: declare(server, persist=persist))
        assert server.restart(check=False), f"killed at step {step} of {total}, the server does not start"
        declare(server, persist=persist)
        assert not declare(server, persist=persist).plan
    assert killed
    assert_finished(server, persist=persist)


@pytest.mark.parametrize("flags", ["size=64k", "size=1m,ro"], ids=["full", "read-only"])
def test_a_full_or_read_only_disk_leaves_the_old_configuration(
    server: PrivateServer, flags: str, tmp_path: Path
) -> None:
    folder = server.data / "conf.d"
    folder.mkdir()
    with mounted(folder, flags):
        if "ro" not in flags:
            with contextlib.suppress(OSError), (folder / "filler").open("wb") as stream:
                stream.write(b"x" * 1_000_000)
        with pytest.raises(BulwarkError, match=r"can't write .*bulwark\.conf: (No space left|Read-only file system)"):
            declare(server, persist="include_file")
        assert server.psql("SHOW work_mem") == "4MB"
        assert server.restart(check=False)
    assert_finished(server, persist="include_file")


def test_a_full_disk_under_the_data_leaves_the_old_configuration(
    short_directory: Path, template_server: PrivateServer
) -> None:
    """ALTER SYSTEM writes beside the data; the server itself needs room there, too."""
    folder = short_directory / "small"
    folder.mkdir()
    with mounted(folder, "size=160m"):
        server = PrivateServer(folder / "server")
        server.copy_of(template_server)
        server.start()
        server.psql("SELECT 1")  # the first session of a server writes files that later ones need
        try:
            with fill(folder):
                with pytest.raises(BulwarkError, match="No space left"):
                    declare(server)
                assert server.psql("SHOW work_mem") == "4MB"
                assert "work_mem" not in (server.data / "postgresql.auto.conf").read_text(encoding="utf-8")
            assert server.restart(check=False)
            assert_finished(server)
        finally:
            server.stop("immediate")


@contextlib.contextmanager
def fill(folder: Path) -> t.Iterator[None]:
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(b"x" * 4096):
            pass
    yield
    filler.unlink()


@contextlib.contextmanager
def mounted(folder: Path, flags: str) -> t.Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", flags, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_server_that_goes_away_in_between_is_named(server: PrivateServer) -> None:
    with open_subject(server.connection, OPTIONS) as subject:
        observed = subject.observe()
        plan = subject.plan(observed)
        server.stop("immediate")
        with pytest.raises(BulwarkError, match="PostgreSQL at the unix socket"):
            subject.apply(plan, observed)
    server.start()
    assert_finished(server)


def test_two_runs_at_the_same_time_both_end_well(server: PrivateServer) -> None:
    assert run_at_the_same_time(lambda: declare(server), lambda: declare(server)) == [0, 0]
    assert_finished(server)
