# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan
from ansible_collections.bulwark.database.plugins.module_utils._core.setting_values import ValueType
from ansible_collections.bulwark.database.plugins.module_utils._core.settings import (
    FileEntry,
    Parameter,
    ServerSettings,
    choose_persistence,
    plan_settings,
    waiting_for_restart,
)

AUTOMATIC = "/data/postgresql.auto.conf"
INCLUDED = "/etc/conf.d/bulwark.conf"
PARAMETERS = {
    "work_mem": Parameter(
        "work_mem", ValueType("integer", "kB", 64, 2147483647), context="user", setting="4096", display="4MB"
    ),
    "shared_buffers": Parameter(
        "shared_buffers", ValueType("integer", "8kB", 16, 1e9), context="postmaster", setting="16384", display="128MB"
    ),
    "log_connections": Parameter(
        "log_connections", ValueType("bool"), context="superuser-backend", setting="off", display="off"
    ),
    "block_size": Parameter("block_size", ValueType("integer"), context="internal", setting="8192", display="8192"),
    "shared_preload_libraries": Parameter(
        "shared_preload_libraries", ValueType("string", is_list=True), context="postmaster", setting="", display=""
    ),
    "listen_addresses": Parameter(
        "listen_addresses", ValueType("string", is_list=True), "postmaster", "*", "*", source="command line"
    ),
}


def server(*entries: FileEntry, **changes: t.Any) -> ServerSettings:
    return dataclasses.replace(
        ServerSettings(
            version=150018,
            parameters=PARAMETERS,
            entries=entries,
            automatic_file=AUTOMATIC,
            include_file=INCLUDED,
            preload_parameters=frozenset({"shared_preload_libraries"}),
            quoted_lists=frozenset({"shared_preload_libraries"}),
            available_libraries=frozenset({"auth_delay"}),
        ),
        **changes,
    )


def entry(name: str, value: str, file: str = AUTOMATIC, line: int = 3) -> FileEntry:
    return FileEntry(file, line, name, value)


def plan(desired: dict[str, str | None], observed: ServerSettings, persistence: str = "alter_system") -> Plan:
    return plan_settings(desired, observed, persistence=persistence)


def test_a_value_that_is_the_default_is_no_change() -> None:
    assert not plan({"work_mem": "4096kB"}, server())


def test_a_change_names_the_old_value_its_origin_and_the_new_one() -> None:
    observed = server(entry("work_mem", "8MB", "/etc/postgresql.conf", 7))
    (change,) = plan({"work_mem": "16MB"}, observed)
    assert change.summary == "setting work_mem: 8MB (/etc/postgresql.conf line 7) -> 16MB"
    assert change.activation == "reload"


def test_a_restart_bound_setting_in_the_file_waits_and_is_no_change() -> None:
    observed = server(entry("shared_buffers", "1GB"))
    desired: dict[str, str | None] = {"shared_buffers": "1024MB"}
    assert not plan(desired, observed)
    (waiting,) = waiting_for_restart(desired, observed)
    assert (waiting.running, waiting.wanted, waiting.set_by) == ("128MB", "1024MB", f"{AUTOMATIC} line 3")


def test_a_file_changed_by_hand_and_not_loaded_is_reloaded() -> None:
    (change,) = plan({"work_mem": "16MB"}, server(entry("work_mem", "16MB")))
    assert change.payload.write_to == ""


def test_a_role_override_is_reported_and_is_not_taken_for_an_unloaded_file() -> None:
    overridden = {**PARAMETERS, "work_mem": dataclasses.replace(PARAMETERS["work_mem"], source="user")}
    observed = server(
        entry("work_mem", "16MB"), parameters=overridden, overrides=(("work_mem", "role app"), ("other", "role x"))
    )
    answer = plan({"work_mem": "16MB"}, observed)
    assert not answer
    assert answer.warnings == ("role app overrides work_mem: the declared value does not hold there",)


def test_the_include_file_clears_what_contradicts_it_in_the_automatic_file() -> None:
    (change,) = plan({"work_mem": "16MB"}, server(entry("work_mem", "8MB")), "include_file")
    assert change.payload.clear_automatic


def test_reset_takes_out_only_our_own_entry() -> None:
    assert not plan({"work_mem": None}, server(entry("work_mem", "8MB", "/etc/postgresql.conf")))
    assert plan({"work_mem": None}, server(entry("work_mem", "8MB")))


def test_settings_of_a_library_that_is_about_to_be_loaded_are_taken_unchecked() -> None:
    desired: dict[str, str | None] = {"shared_preload_libraries": "auth_delay", "auth_delay.milliseconds": "500"}
    changes = {change.payload.name: change for change in plan(desired, server())}
    assert changes["auth_delay.milliseconds"].payload.is_placeholder
    with pytest.raises(InvalidDeclaration, match=r"no parameter 'auth_delay\.milliseconds'"):
        plan({"auth_delay.milliseconds": "500"}, server())


@pytest.mark.parametrize(
    ("desired", "message"),
    [
        ({"work_men": "1MB"}, "there is no parameter 'work_men', did you mean work_mem"),
        ({"work_mem": "1"}, "outside its range"),
        ({"block_size": "4096"}, "block_size can't be set"),
        ({"listen_addresses": "10.0.0.1"}, r"set to \* on the server's command line"),
        ({"shared_preload_libraries": "auth_delay, pgaudti"}, "no library pgaudti; it would not start again"),
        ({"shared_preload_libraries": ""}, "can't store an empty list"),
        ({"work_mem": "1\nMB"}, "no value with a line break"),
        ({"work_men": "1MB", "block_size": "1"}, "block_size can't be set.*; there is no parameter 'work_men'"),
    ],
)
def test_a_bad_declaration_is_refused_with_all_its_problems(desired: dict[str, str | None], message: str) -> None:
    with pytest.raises(InvalidDeclaration, match=message):
        plan(desired, server())


@pytest.mark.parametrize(
    ("wish", "desired", "open_", "expected"),
    [
        ("auto", {}, True, "alter_system"),
        ("auto", {}, False, "include_file"),
        ("auto", {"allow_alter_system": "off"}, True, "include_file"),
        ("include_file", {}, True, "include_file"),
    ],
)
def test_where_values_are_written(wish: str, desired: dict, open_: bool, expected: str) -> None:
    assert choose_persistence(wish, desired, server(may_alter_system=open_)) == expected


def test_alter_system_is_not_used_where_it_is_off() -> None:
    with pytest.raises(InvalidDeclaration, match="allow_alter_system=off"):
        choose_persistence("alter_system", {}, server(may_alter_system=False))


def applied(plan_: Plan, observed: ServerSettings) -> ServerSettings:
    """What a server looks like after a reload: a model of applying, for the property below."""
    entries, parameters = list(observed.entries), dict(observed.parameters)
    for change in plan_:
        step = change.payload
        home = {"alter_system": AUTOMATIC, "include_file": INCLUDED}.get(step.write_to)
        if home:
            dropped = (home, AUTOMATIC) if step.clear_automatic else (home,)
            entries = [one for one in entries if one.name != step.name or one.file not in dropped]
            if step.value is not None:
                entries.insert(0 if home == INCLUDED else len(entries), FileEntry(home, 1, step.name, step.value))
        parameter = parameters.get(step.name)
        if parameter and parameter.context != "postmaster" and step.value is not None:
            meaning = str(parameter.value_type.meaning(step.value))
            parameters[step.name] = dataclasses.replace(parameter, setting=meaning, source="configuration file")
    return dataclasses.replace(observed, entries=tuple(entries), parameters=parameters)


VALUES = {
    "work_mem": ["1MB", "64kB", "4096", None],
    "shared_buffers": ["128MB", "131072kB", "1GB", None],
    "log_connections": ["on", "off", "true", None],
    "shared_preload_libraries": ["auth_delay", None],
}


@given(
    desired=st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}),
    present=st.lists(
        st.sampled_from([(name, value) for name, values in VALUES.items() for value in values if value]), max_size=4
    ),
    file=st.sampled_from([AUTOMATIC, INCLUDED]),
    persistence=st.sampled_from(["alter_system", "include_file"]),
)
def test_a_plan_applied_leaves_nothing_to_plan(
    desired: dict[str, str | None], present: list[tuple[str, str]], file: str, persistence: str
) -> None:
    observed = server(*[entry(name, value, file) for name, value in dict(present).items()])
    first = plan(desired, observed, persistence)
    assert not plan(desired, applied(first, observed), persistence)
