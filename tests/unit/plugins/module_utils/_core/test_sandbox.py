# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.sandbox_profiles import PROFILES
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import (
    DidNotTakeEffect,
    InvalidDeclaration,
    ObservationFailed,
    RefusedForSafety,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import LIVE, RESTART
from ansible_collections.bulwark.database.plugins.module_utils._core.sandbox import (
    ProcessView,
    Sandbox,
    ServiceState,
    is_read_only,
    parse_exposure,
    parse_mounts,
    plan_sandbox,
    render_drop_in,
    sandbox_of,
    void_parts,
)

UNIT = "postgresql@15-main.service"
DATA = "/var/lib/postgresql/15/main"
CONFINED = ProcessView(True, 0b111111, (("/", True), (DATA, False)), True)
FREE = ProcessView(False, 0xA82425FB, (("/", False),), False)


def sandbox(writable: tuple[str, ...] = (DATA,), **overrides: str) -> Sandbox:
    return sandbox_of(PROFILES["postgresql"], unit=UNIT, writable=writable, overrides=overrides)


def plan(state: ServiceState, *, allow_restart: bool = True, wanted: Sandbox | None = None) -> list[str]:
    return plan_sandbox(wanted or sandbox(), state, allow_restart=allow_restart).summaries()


def test_overrides_replace_complete_and_take_out_directives() -> None:
    text = render_drop_in(sandbox(ProtectHome="read-only", PrivateTmp="", MemoryDenyWriteExecute="yes"))
    lines = text.splitlines()
    assert "ProtectHome=read-only" in lines
    assert "MemoryDenyWriteExecute=yes" in lines
    assert not any(line.startswith("PrivateTmp") for line in lines)
    assert lines[-1] == f"ReadWritePaths=-{DATA}"


def test_a_path_with_a_space_or_a_percent_sign_is_written_as_systemd_reads_it() -> None:
    text = render_drop_in(sandbox(("/srv/my data/100%",)))
    assert 'ReadWritePaths="-/srv/my data/100%%"' in text.splitlines()


@pytest.mark.parametrize(
    ("writable", "overrides", "says"),
    [
        ((), {"ExecStartPre": "/bin/x"}, "ExecStartPre is not a sandboxing directive"),
        ((), {"Protect": "x"}, "not a sandboxing directive"),
        ((), {"UMask": "0077\nExecStart=/bin/x"}, "has a character that can't be used"),
        (("data",), {}, "'data' is not an absolute, plain path"),
        (("/srv/../etc",), {}, "not an absolute, plain path"),
        (("/",), {}, "not an absolute, plain path"),
        (("/srv/a\nb",), {}, "has a character that can't be used"),
        (('/srv/"x',), {}, "has a character that can't be used"),
        (("/home/pg",), {}, "ProtectHome hides /home/pg"),
    ],
)
def test_what_is_no_sandbox_is_refused_by_name(writable: tuple[str, ...], overrides: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidDeclaration, match=says):
        sandbox(writable, **overrides)


def test_a_cluster_below_home_is_fine_once_home_is_not_hidden() -> None:
    assert sandbox(("/home/pg",), ProtectHome="no").may_write("/home/pg/base")


def test_a_drop_in_is_written_and_the_service_restarted_only_if_allowed() -> None:
    state = ServiceState(True, None, process=FREE)
    written = plan_sandbox(sandbox(), state, allow_restart=False)
    assert written.activation == LIVE
    restarted = plan_sandbox(sandbox(), state, allow_restart=True)
    assert restarted.activation == RESTART
    assert restarted.changes[:-1] == written.changes


def test_a_service_started_before_its_drop_in_is_restarted_and_then_left_alone() -> None:
    text = render_drop_in(sandbox())
    assert plan(ServiceState(True, text, process=dataclasses.replace(CONFINED, newer_than_drop_in=False))) != []
    assert plan(ServiceState(True, text, process=CONFINED)) == []


def test_a_service_that_does_not_run_is_not_started() -> None:
    assert plan(ServiceState(True, render_drop_in(sandbox()))) == []


def test_a_run_that_ended_before_systemd_read_the_file_is_finished_by_the_next() -> None:
    state = ServiceState(True, render_drop_in(sandbox()), needs_reload=True, process=CONFINED)
    assert plan(state) == [f"systemd's view of {UNIT}: outdated -> read again"]


def test_a_unit_that_is_not_there_is_named() -> None:
    with pytest.raises(ObservationFailed, match=f"no unit {UNIT}"):
        plan(ServiceState(False, None))


@pytest.mark.parametrize(
    ("written", "overrides"),
    [
        ("/srv/tablespace/PG_15/1/2", {}),
        (f"{DATA}-other/x", {}),
        ("/tmp/.s.PGSQL.5432", {}),
        ("/tmp/.s.PGSQL.5432", {"PrivateTmp": "no"}),
    ],
)
def test_a_sandbox_that_would_take_away_what_the_service_writes_is_refused(
    written: str, overrides: dict[str, str]
) -> None:
    with pytest.raises(RefusedForSafety, match=written):
        plan(ServiceState(True, None, process=FREE, written=(written,)), wanted=sandbox(**overrides))


@pytest.mark.parametrize(
    ("written", "writable", "overrides"),
    [
        (f"{DATA}/base/1/2", (DATA,), {}),
        ("/run/postgresql/.s.PGSQL.5432", (DATA,), {}),
        ("/dev/shm/PostgreSQL.1", (DATA,), {}),
        ("/tmp/.s.PGSQL.5432", (DATA, "/tmp"), {"PrivateTmp": "no"}),
        ("/srv/x", (DATA,), {"ProtectSystem": "full"}),
    ],
)
def test_what_the_service_may_go_on_writing_is_no_obstacle(
    written: str, writable: tuple[str, ...], overrides: dict[str, str]
) -> None:
    assert plan(ServiceState(True, None, process=FREE, written=(written,)), wanted=sandbox(writable, **overrides))


@pytest.mark.parametrize(
    ("process", "says"),
    [
        (dataclasses.replace(CONFINED, read_only=(("/", False),)), "/etc is not read-only"),
        (dataclasses.replace(CONFINED, read_only=(("/", True), ("/srv", False))), "/srv is not read-only"),
        (dataclasses.replace(CONFINED, no_new_privileges=False), "may gain privileges"),
        (dataclasses.replace(CONFINED, capabilities=0xFF), "more capabilities"),
    ],
)
def test_a_sandbox_without_effect_is_an_error_and_not_a_restart_at_every_run(process: ProcessView, says: str) -> None:
    assert void_parts(sandbox(), CONFINED) == []
    with pytest.raises(DidNotTakeEffect, match=says):
        plan(ServiceState(True, render_drop_in(sandbox()), process=process))


def test_of_mounts_on_the_same_point_the_last_one_counts() -> None:
    mounts = parse_mounts("279 237 0:40 / / ro,nosuid shared:1 - overlay o rw\n2 279 0:1 / /a\\040b rw - t t rw\n")
    assert mounts == (("/", True), ("/a b", False))
    assert is_read_only("/etc", mounts)
    assert not is_read_only("/a b/c", mounts)
    assert not is_read_only("/etc", (*mounts, ("/etc", False)))
    assert not is_read_only("/etc", ())


@pytest.mark.parametrize(
    ("output", "exposure"),
    [("\n→ Overall exposure level for postgresql@15-main.service: 9.6 UNSAFE 😨\n", 9.6), ("Unit not found", None)],
)
def test_the_exposure_is_read_from_what_systemd_prints(output: str, exposure: float | None) -> None:
    assert parse_exposure(output) == exposure


def test_a_mariadb_server_keeps_locked_memory_and_the_way_of_debians_scripts_into_its_data() -> None:
    data = "/var/lib/mysql"
    found = sandbox_of(PROFILES["mariadb"], unit="mariadb.service", writable=(data,), overrides={})
    lines = render_drop_in(found).splitlines()
    assert "CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_IPC_LOCK" in lines
    assert [line for line in lines if line.startswith("Ambient")] == ["AmbientCapabilities=CAP_IPC_LOCK"]
    assert found.may_write(f"{data}/shop/customers.ibd")
    assert found.may_write("/run/mysqld/mysqld.sock")
    assert not found.may_write("/etc/mysql/mariadb.conf.d/60-galera.cnf")
