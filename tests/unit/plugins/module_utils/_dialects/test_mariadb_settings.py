# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, RefusedForSafety
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Plan
from ansible_collections.bulwark.database.plugins.module_utils._core.setting_values import UnusableValue
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb import quote_literal
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_option_files import Option
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_settings import (
    ServerOptions,
    canonical_option,
    plan_settings,
    waiting_for_restart,
)
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_values import Variable

OURS = "/etc/mysql/z-bulwark.cnf"
SIZE = Variable("size", "1024", "BIGINT UNSIGNED", default="1024", minimum=1024, maximum=2**40, block=1024)
SWITCH = Variable("switch", "OFF", "BOOLEAN", read_only=True, default="OFF")
LEVEL = Variable("level", "LOW", "ENUM", choices=("LOW", "HIGH"), default="LOW")
MODE = Variable("sql_mode", "ANSI_QUOTES", "SET", choices=("ANSI_QUOTES", "TRADITIONAL"), default="")
TEXT = Variable("wsrep_sst_auth", "", "VARCHAR", default="")
GROUP = Variable("wsrep_provider_options", "a.x = 1; ", "VARCHAR", default="")
VARIABLES = {one.name: one for one in (SIZE, SWITCH, LEVEL, MODE, TEXT, GROUP)}


def option(name: str, value: str | None, *, file: str = OURS, line: int = 2) -> Option:
    return Option(file, line, "mysqld", name, value, "")


def server(*options: Option, **changes: t.Any) -> ServerOptions:
    return dataclasses.replace(
        ServerOptions(
            VARIABLES,
            options,
            option_file=OURS,
            known=frozenset({*VARIABLES, "symbolic_links"}),
            available=frozenset({"server_audit"}),
            provider={"a.x": "1", "gcs.fc_limit": "16"},
        ),
        **changes,
    )


def plan(desired: dict[str, str | None], observed: ServerOptions, **libraries: t.Sequence[str]) -> Plan:
    return plan_settings(desired, observed, **{"load": (), "install": (), **libraries}, quote=quote_literal)


def applied(done: Plan, observed: ServerOptions) -> ServerOptions:
    """What a server is like after it."""
    options, variables = list(observed.options), dict(observed.variables)
    for change in done:
        step = change.payload
        if step.lines is not None:
            options = [one for one in options if (one.name, one.file) != (step.name, OURS)]
            options += [option(step.name, value) for value in step.lines]
        if step.live is not None:
            value = step.live.strip("'")
            variables[step.name] = dataclasses.replace(variables[step.name], value=value, origin="SQL")
    return dataclasses.replace(observed, options=tuple(options), variables=variables)


VALUES: dict[str, st.SearchStrategy[str | None]] = {
    "size": st.sampled_from([None, "1K", "1024", "2048", "1M", "1G"]),
    "switch": st.sampled_from([None, "ON", "off", "1", "TRUE"]),
    "level": st.sampled_from([None, "low", "HIGH", "1"]),
    "sql_mode": st.sampled_from([None, "", "TRADITIONAL", "ansi_quotes"]),
    "wsrep_sst_auth": st.sampled_from([None, "a:b"]),
    "symbolic_links": st.sampled_from([None, "0"]),
}
DESIRED = st.fixed_dictionaries({}, optional=VALUES)


@given(DESIRED, DESIRED)
def test_what_was_applied_needs_no_plan(first: dict[str, str | None], second: dict[str, str | None]) -> None:
    observed = server()
    for desired in (first, second):
        observed = applied(plan(desired, observed), observed)
        assert not plan(desired, observed).changes


@pytest.mark.parametrize(
    ("variable", "one", "other"),
    [
        (SIZE, "1K", "1024"),
        (SIZE, "1g", "1073741824"),
        (SWITCH, "ON", "1"),
        (LEVEL, "high", "1"),
        (MODE, "ANSI_QUOTES,TRADITIONAL", "traditional, ansi_quotes"),
        (Variable("datadir", "", "VARCHAR"), "/data/", "/data"),
        (Variable("long_query_time", "", "DOUBLE"), "10.000000", "10"),
    ],
)
def test_values_compare_by_meaning(variable: Variable, one: str, other: str) -> None:
    assert variable.meaning(one) == variable.meaning(other)


@pytest.mark.parametrize(
    ("variable", "value"),
    [(SIZE, "abc"), (SIZE, "1"), (SIZE, "1025"), (SWITCH, "maybe"), (LEVEL, "2"), (MODE, "NO_SUCH_MODE")],
)
def test_unusable_values_are_known(variable: Variable, value: str) -> None:
    with pytest.raises(UnusableValue):
        variable.meaning(value)


def test_of_flags_only_those_named_count() -> None:
    flags = Variable("optimizer_switch", "", "FLAGSET")
    assert flags.is_met_by("a=on,b=off", "b=off")
    assert not flags.is_met_by("a=on,b=off", "b=on")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (("skip_switch", None), ("switch", "OFF")),
        (("enable_switch", None), ("switch", "ON")),
        (("symbolic", "0"), ("symbolic_links", "0")),
        (("nothing", "0"), ("nothing", "0")),
    ],
)
def test_names_in_files_mean_options(written: tuple[str, str | None], expected: tuple[str, str | None]) -> None:
    assert canonical_option(*written, known=server().known) == expected


def test_a_later_file_that_says_the_same_is_no_obstacle() -> None:
    later = option("size", "2K", file="/etc/zz.cnf", line=7)
    assert plan({"size": "2048"}, server(later, later=(later,)))
    with pytest.raises(RefusedForSafety, match=r"/etc/zz\.cnf line 7 sets size to 2K"):
        plan({"size": "4096"}, server(later, later=(later,)))


def test_provider_options_are_merged_and_only_what_can_change_live_does() -> None:
    observed = server(option("wsrep_provider_options", "a.x=1;socket.ssl=yes", file="/etc/galera.cnf"))
    (change,) = plan({"wsrep_provider_options": "gcs.fc_limit=32;socket.ssl_key=/k"}, observed)
    assert change.payload.lines == ("a.x=1;gcs.fc_limit=32;socket.ssl=yes;socket.ssl_key=/k",)
    assert (change.payload.live, change.payload.back) == ("'gcs.fc_limit=32'", "'gcs.fc_limit=16'")
    with pytest.raises(InvalidDeclaration, match=r"knows no no\.such"):
        plan({"wsrep_provider_options": "no.such=1"}, observed)


def test_secrets_are_hidden_in_plan_and_result() -> None:
    observed = server(option("wsrep_sst_auth", "a:old"), started_with={"wsrep_sst_auth": "a:other"})
    done = plan({"wsrep_sst_auth": "a:new"}, observed)
    answer = repr((done, done.diff(), done.summaries()))
    assert "a:old" not in answer
    assert "a:new" not in answer
    (row,) = waiting_for_restart({"wsrep_sst_auth": "a:old"}, observed)
    assert (row["running"], row["wanted"]) == ("********", "********")


def test_libraries_are_added_to_those_that_are_there() -> None:
    observed = server(option("plugin_load_add", "simple_password_check.so"))
    (change,) = plan({}, observed, install=("server_audit",))
    assert change.payload.lines == ("simple_password_check", "server_audit")
    assert change.payload.install == ("server_audit",)
    with pytest.raises(InvalidDeclaration, match="no plugin library nothing"):
        plan({}, observed, load=("nothing",))
