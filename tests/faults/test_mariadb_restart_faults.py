# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""mariadb_restart in trouble, on a whole host: killed at its steps, no room, no journal, a server that hangs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from killing import count_steps, kill_at, kill_on_entering, steps_to_try

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ApplyFailed
from ansible_collections.bulwark.database.plugins.module_utils._io.mariadb import MariaDBConnection
from ansible_collections.bulwark.database.plugins.module_utils._io.rescue import rescue_timer
from ansible_collections.bulwark.database.plugins.module_utils._io.units import wait_while_it_has_a_job
from ansible_collections.bulwark.database.plugins.module_utils._module.mariadb_restart import MariaDBRestart
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Outcome, converge
from galera_of_units import start_of, systemctl

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("BULWARK_THROWAWAY_HOST") != "1",
        reason="restarts services of its host: tools/tests_in_container.py --purpose mariadb runs it",
    ),
    pytest.mark.skipif(shutil.which("mariadbd") is None, reason="a host without MariaDB"),
    pytest.mark.timeout(3600),  # with BULWARK_ALL_FAULTS=1
]

UNIT = "mariadb.service"
TIMER = rescue_timer("restart", UNIT)
DROP_IN = Path(f"/run/systemd/system/{UNIT}.d/test.conf")
SOUND = "[mariadbd]\nmax_connections = 77\n"
BROKEN = "[mariadbd]\nno_such_variable = 1\n"
# A server on a busy machine takes more than a second to start, or to say why it can't.
DEADLINE = 10
# Until the timer acts: twice that, and its margin.
RESCUE_SECONDS = 2 * DEADLINE + 30


def restart(option_file: Path, former: Path, *, deadline: int = 60) -> Outcome:
    fall_back = [{"path": str(option_file), "copy": str(former)}]
    options = {"unit": UNIT, "members": [], "expected_size": None, "deadline": deadline, "fall_back": fall_back}
    return converge(MariaDBRestart(MariaDBConnection(), options), check_mode=False)


def answers() -> bool:
    done = subprocess.run(["mariadb", "--execute", "SELECT 1"], check=False, capture_output=True)
    return done.returncode == 0


def wait_until_it_answers(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not answers():
        assert time.monotonic() < deadline, systemctl("status", "--no-pager", UNIT, check=False)
        time.sleep(0.5)


def timer_is_armed() -> bool:
    return systemctl("is-active", f"{TIMER}.timer", check=False) == "active"


def amend_unit(lines: str) -> None:
    DROP_IN.parent.mkdir(exist_ok=True)
    DROP_IN.write_text(f"[Service]\n{lines}\n", encoding="utf-8")
    systemctl("daemon-reload")


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """What the option file was when the server was last started."""
    path = tmp_path / "former.cnf"
    path.write_text(SOUND, encoding="utf-8")
    return path


@pytest.fixture
def option_file() -> t.Iterator[Path]:
    """An option file of the running server that is Debian's else."""
    path = Path("/etc/mysql/mariadb.conf.d/70-test.cnf")
    path.write_text(SOUND, encoding="utf-8")
    systemctl("reset-failed", UNIT, check=False)
    systemctl("restart", UNIT)
    yield path
    systemctl("stop", f"{TIMER}.timer", check=False)
    path.unlink(missing_ok=True)
    DROP_IN.unlink(missing_ok=True)
    systemctl("daemon-reload")
    systemctl("reset-failed", UNIT, check=False)
    wait_while_it_has_a_job(UNIT, deadline=60)
    systemctl("restart", UNIT)


def test_killed_at_any_step_the_server_comes_back_and_a_second_run_restarts_it(option_file: Path, former: Path) -> None:
    total = count_steps(lambda: restart(option_file, former))
    for step in steps_to_try(total, sample=5):
        systemctl("reset-failed", UNIT, check=False)  # a server that starts quickly is started too often for systemd
        assert kill_at(step, lambda: restart(option_file, former)), f"step {step} of {total}"
        wait_until_it_answers(30)
        before = start_of(UNIT)
        assert restart(option_file, former).plan, f"killed at step {step} of {total}"
        assert start_of(UNIT) != before
        assert not timer_is_armed()
        assert not list(option_file.parent.glob("*.bulwark-*"))


@pytest.mark.parametrize("step", [["arm_timer", "restart_unit", "run_command", "last_error"], ["put_back"]])
def test_killed_when_the_server_did_not_start_the_timer_brings_it_back(
    option_file: Path, former: Path, step: list[str]
) -> None:
    option_file.write_text(BROKEN, encoding="utf-8")
    option_file.chmod(0o640)
    shutil.chown(option_file, "root", "mysql")
    assert kill_on_entering(step, lambda: restart(option_file, former, deadline=DEADLINE))
    assert timer_is_armed()
    assert not answers()
    wait_until_it_answers(RESCUE_SECONDS + 30)
    assert option_file.read_text(encoding="utf-8") == SOUND
    assert (option_file.stat().st_mode & 0o777, option_file.group()) == (0o640, "mysql")
    assert restart(option_file, former).result["seconds"] > 0
    assert not timer_is_armed()


def test_interrupted_from_the_keyboard_the_timer_stays(option_file: Path, former: Path) -> None:
    amend_unit("ExecStop=/bin/sleep 5")
    child = os.fork()
    if child == 0:
        try:
            restart(option_file, former)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 20
    while systemctl("is-active", UNIT, check=False) != "deactivating":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(child, signal.SIGINT)
    os.waitpid(child, 0)
    assert timer_is_armed()
    wait_until_it_answers(30)


@pytest.mark.parametrize("job", ["start", "restart"])
def test_a_server_that_is_on_its_way_is_not_stopped_before_it_is_there(
    option_file: Path, former: Path, tmp_path: Path, job: str
) -> None:
    """As after a run that was killed, or a boot; 11.8 swallows a SIGTERM that comes while it starts, and hangs."""
    finished = tmp_path / "finished"
    amend_unit(f"ExecStartPre=/bin/sleep 3\nExecStartPost=+/bin/sh -c 'echo >> {finished}'")
    if job == "start":
        systemctl("stop", UNIT)
    systemctl(job, "--no-block", UNIT)
    assert restart(option_file, former).result["seconds"] > 0
    assert finished.read_text(encoding="utf-8") == "\n\n"
    assert answers()


def test_the_timer_leaves_a_server_alone_that_runs(option_file: Path, former: Path) -> None:
    option_file.write_text("[mariadbd]\nmax_connections = 78\n", encoding="utf-8")
    assert kill_on_entering(["cancel_rescue"], lambda: restart(option_file, former, deadline=DEADLINE))
    before = start_of(UNIT)
    deadline = time.monotonic() + RESCUE_SECONDS + 30
    while timer_is_armed():
        assert time.monotonic() < deadline
        time.sleep(0.5)
    time.sleep(2)  # its service runs
    assert start_of(UNIT) == before
    assert "78" in option_file.read_text(encoding="utf-8")


def test_without_room_for_the_former_file_the_timer_brings_the_server_back(
    option_file: Path, former: Path, tmp_path: Path
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", str(full)], check=True)
    for folder in (full.parent, full.parent.parent, full.parent.parent.parent):
        folder.chmod(0o755)
    crowded = full / "crowded.cnf"
    try:
        crowded.write_text(BROKEN, encoding="utf-8")
        option_file.write_text(f"!include {crowded}\n", encoding="utf-8")
        subprocess.run(["dd", "if=/dev/zero", f"of={full}/rest"], check=False, capture_output=True)
        with pytest.raises(ApplyFailed) as failed:
            restart(crowded, former, deadline=DEADLINE)
        text = str(failed.value)
        assert "no_such_variable" in text
        assert "its former files could not be put back: can't write" in text
        assert "No space left on device" in text
        assert "\n" not in text
        assert timer_is_armed()
        wait_until_it_answers(RESCUE_SECONDS + 30)
        assert crowded.read_text(encoding="utf-8") == SOUND
    finally:
        option_file.write_text(SOUND, encoding="utf-8")
        subprocess.run(["umount", "--lazy", str(full)], check=True)


def test_without_a_journal_the_server_comes_back_all_the_same(option_file: Path, former: Path) -> None:
    option_file.write_text(BROKEN, encoding="utf-8")
    sockets = ("systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald-audit.socket")
    systemctl("stop", *sockets, "systemd-journald.service", check=False)
    try:
        with pytest.raises(ApplyFailed) as failed:
            restart(option_file, former)
        assert "it runs again" in str(failed.value)
        assert "\n" not in str(failed.value)
    finally:
        systemctl("start", "systemd-journald.socket", "systemd-journald.service", check=False)
    assert option_file.read_text(encoding="utf-8") == SOUND
    assert answers()


def test_a_server_that_does_not_stop_in_time_is_said_and_runs_in_the_end(option_file: Path, former: Path) -> None:
    amend_unit("ExecStop=/bin/sleep 15")
    option_file.write_text(BROKEN, encoding="utf-8")
    before = start_of(UNIT)
    with pytest.raises(ApplyFailed) as failed:
        restart(option_file, former, deadline=3)
    text = str(failed.value)
    assert f"{UNIT} was not back within 3 s: not finished after 3 seconds" in text
    assert "the former files were put back and even so it is not back" in text
    assert "\n" not in text
    assert option_file.read_text(encoding="utf-8") == SOUND
    deadline = time.monotonic() + 60
    while start_of(UNIT) == before or not answers():
        assert time.monotonic() < deadline, systemctl("status", "--no-pager", UNIT, check=False)
        time.sleep(0.5)


def hang_in_the_start(option_file: Path, script: Path) -> None:
    """As 11.8 does when it is stopped in the wrong moment of its start."""
    hang = "trap '' TERM; while :; do sleep 1; done"
    script.write_text(f"if grep -q hang {option_file}; then {hang}; fi\nexec mariadbd $MYSQLD_OPTS\n", encoding="utf-8")
    amend_unit(f"ExecStart=\nExecStart=/bin/sh {script}\nUser=root\nEnvironment=MYSQLD_OPTS=--user=mysql")
    option_file.write_text(f"{SOUND}# hang\n", encoding="utf-8")


def test_a_server_that_hangs_in_its_start_and_heeds_no_signal_makes_way_for_the_former_file(
    option_file: Path, former: Path, tmp_path: Path
) -> None:
    hang_in_the_start(option_file, tmp_path / "start")
    with pytest.raises(ApplyFailed, match=r"not finished after 10 seconds.* it runs again"):
        restart(option_file, former, deadline=10)
    assert option_file.read_text(encoding="utf-8") == SOUND
    assert answers()
    assert not timer_is_armed()


@pytest.mark.parametrize("asked", [[], ["stop", "--no-block", UNIT]], ids=["starting", "stopping"])
def test_the_timer_ends_a_server_that_hangs_in_its_start_and_heeds_no_signal(
    option_file: Path, former: Path, tmp_path: Path, asked: list[str]
) -> None:
    """Also where the module was killed after it had asked for that."""
    hang_in_the_start(option_file, tmp_path / "start")
    assert kill_on_entering(["end_start"], lambda: restart(option_file, former, deadline=DEADLINE))
    assert timer_is_armed()
    if asked:
        systemctl(*asked)
    wait_until_it_answers(RESCUE_SECONDS + 60)
    assert option_file.read_text(encoding="utf-8") == SOUND


def test_the_timer_lets_a_server_that_ran_take_its_time_to_stop(
    option_file: Path, former: Path, tmp_path: Path
) -> None:
    """It may have much to write down."""
    stopped = tmp_path / "stopped"
    amend_unit(f"ExecStop=+/bin/sh -c 'sleep {RESCUE_SECONDS + 30}; echo >> {stopped}'")
    assert kill_on_entering(["end_start"], lambda: restart(option_file, former, deadline=DEADLINE))
    wait_until_it_answers(RESCUE_SECONDS + 60)
    wait_while_it_has_a_job(UNIT, deadline=RESCUE_SECONDS + 60)
    assert stopped.exists()


def test_with_the_port_held_by_the_socket_unit_the_former_file_comes_back(option_file: Path, former: Path) -> None:
    systemctl("stop", UNIT)
    systemctl("start", "mariadb.socket", UNIT)
    option_file.write_text(BROKEN, encoding="utf-8")
    try:
        with pytest.raises(ApplyFailed, match=r"no_such_variable.* it runs again"):
            restart(option_file, former, deadline=20)
        assert option_file.read_text(encoding="utf-8") == SOUND
        assert restart(option_file, former).result["seconds"] > 0
    finally:
        systemctl("stop", "mariadb.socket", UNIT)
