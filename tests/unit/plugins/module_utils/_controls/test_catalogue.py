# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue is whole: no control without words, sources that exist, a way to fail, and a baseline that meets it."""

from __future__ import annotations

import itertools
import re
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.baseline import postgresql_settings
from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls, query_checks
from ansible_collections.bulwark.database.plugins.module_utils._controls.declared import DECLARABLE, query_parameters
from ansible_collections.bulwark.database.plugins.module_utils._controls.model import CATEGORIES, MARIADB, Control
from ansible_collections.bulwark.database.plugins.module_utils._controls.setting_check import SettingCheck
from ansible_collections.bulwark.database.plugins.module_utils._core.assessment import LEVELS, LOG_POLICIES
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import LIVE, RELOAD, RESTART
from ansible_collections.bulwark.database.plugins.module_utils._core.setting_values import UnusableValue, ValueType

sys.path.append(str(Path(__file__).resolve().parents[4] / "controls"))

from breakages import TABLES
from mariadb_breakages import TABLES as MARIADB_TABLES

CONTROLS = controls()
IDS = [control.id for control in CONTROLS]
MARIADB_CONTROLS = controls(engine=MARIADB)
EVERY_CONTROL = list(dict.fromkeys((*CONTROLS, *MARIADB_CONTROLS)))
EVERY_ID = [control.id for control in EVERY_CONTROL]
VERSIONS = (130000, 140000, 150000, 160000, 170000, 180000)
VARIANTS = list(itertools.product(LEVELS, LOG_POLICIES))
# The statements of the three published texts, as docs/controls.md numbers them.
SEEDS = {
    "OG": {"1.1", "1.2", "1.3", *(f"2.{n}" for n in range(1, 6)), *(f"3.{n}" for n in range(1, 7))},
    "TX": {
        f"2.{section}.{n}"
        for section, most in ((2, 11), (3, 4), (4, 18), (5, 8), (6, 8), (7, 2), (8, 2))
        for n in range(most + 1)
    },
    "GB": {f"{section}.{n}" for section in range(1, 7) for n in range(1, 7)},
}
NAMES = {"int": ValueType("integer"), "text": ValueType("string")}


def test_ids_are_unique_and_in_the_order_of_reports() -> None:
    assert len(set(IDS)) == len(IDS)
    assert len(set(EVERY_ID)) == len(EVERY_ID)
    for known in (CONTROLS, MARIADB_CONTROLS):
        order = [(list(CATEGORIES).index(control.category), control.id) for control in known]
        assert order == sorted(order)


@pytest.mark.parametrize("control", EVERY_CONTROL, ids=EVERY_ID)
def test_a_control_says_all_that_reports_show(control: Control) -> None:
    assert re.fullmatch(r"(BKP|MDB|PG|OS|NET|PKG)(-[A-Z]+)?-\d{3}", control.id)
    assert control.title
    assert not control.title.endswith(".")
    assert control.rationale.endswith(".")
    assert control.remedy
    assert control.checks
    assert control.level in LEVELS
    assert control.activation in (LIVE, RELOAD, RESTART)
    assert any(control.expected_text(level="strict", log_policy=policy) for policy in LOG_POLICIES)


@pytest.mark.parametrize("control", EVERY_CONTROL, ids=EVERY_ID)
def test_sources_are_statements_of_the_seeds(control: Control) -> None:
    assert control.source
    for source in control.source:
        seed, dummy, number = source.partition("-")
        assert source == "beyond" or number in SEEDS[seed], source


def test_every_control_can_be_broken_in_exactly_one_way() -> None:
    listed = [name for table in TABLES for name in table]
    assert sorted(listed) == sorted(IDS)
    listed = [name for table in MARIADB_TABLES for name in table]
    assert sorted(listed) == sorted(control.id for control in MARIADB_CONTROLS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("level", "log_policy"), VARIANTS)
def test_the_baseline_is_what_the_controls_accept(level: str, log_policy: str, version: int) -> None:
    baseline = postgresql_settings(level=level, log_policy=log_policy, version=version)
    assert list(baseline) == sorted(baseline)
    for control in CONTROLS:
        if level == "essential" and control.level == "strict":
            continue
        for check in control.checks:
            if isinstance(check, SettingCheck) and check.name in baseline:
                want = check.want.of(level=level, log_policy=log_policy)
                if want is None or not check.minimum <= version <= check.maximum:
                    continue
                value = baseline[check.name]
                assert value == want.value or (want.accepts and want.accepts.accepts(value, NAMES["text"])), check.name


def test_a_parameter_is_set_only_on_versions_that_have_it() -> None:
    oldest = postgresql_settings(level="strict", log_policy="privacy", version=130000)
    newest = postgresql_settings(level="strict", log_policy="privacy", version=180000)
    assert not {"idle_session_timeout", "scram_iterations", "allow_alter_system", "ssl_groups"} & set(oldest)
    assert {"idle_session_timeout", "scram_iterations", "allow_alter_system", "ssl_groups"} <= set(newest)
    assert "ssl_ecdh_curve" in oldest
    assert "ssl_ecdh_curve" not in newest


def test_libraries_of_several_controls_are_put_together() -> None:
    libraries = postgresql_settings(level="essential", log_policy="privacy", version=150000)["shared_preload_libraries"]
    assert set(libraries.split(", ")) == {"auth_delay", "passwordcheck"}


def test_no_statement_parameter_or_detail_is_logged_under_privacy_and_failing_ones_are_under_forensic() -> None:
    private = postgresql_settings(level="essential", log_policy="privacy", version=150000)
    forensic = postgresql_settings(level="essential", log_policy="forensic", version=150000)
    names = ("log_min_error_statement", "log_error_verbosity", "log_statement", "log_min_messages")
    assert [private[name] for name in names] == ["panic", "terse", "none", "warning"]
    assert [forensic[name] for name in names] == ["error", "verbose", "ddl", "warning"]
    assert postgresql_settings(level="strict", log_policy="privacy", version=150000)["log_min_messages"] == "log"


def test_what_primary_messages_may_quote_is_named_at_level_essential_only() -> None:
    control = next(one for one in CONTROLS if one.id == "PG-LOG-001")
    (essential,) = control.residual_text(level="essential", log_policy="privacy")
    (strict,) = control.residual_text(level="strict", log_policy="privacy")
    assert "RAISE" in essential
    assert "diagnostic window" in strict


def test_queries_ask_for_declared_lists_only_and_escape_what_is_no_parameter() -> None:
    parameters = query_parameters({})
    assert set(parameters) == set(DECLARABLE)
    for check in query_checks(EVERY_CONTROL):
        assert check.sql % dict.fromkeys(parameters, "x"), check.sql
        assert check.needs in ("", *DECLARABLE)


ACCEPTED: tuple[tuple[str, str, ValueType, bool], ...] = (
    ("ssl_ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256:!aNULL", NAMES["text"], True),
    ("ssl_ciphers", "ECDHE-RSA-AES128-SHA256", NAMES["text"], False),
    ("ssl_ciphers", "HIGH:MEDIUM:+3DES:!aNULL", NAMES["text"], False),
    ("ssl_ciphers", "AES256-GCM-SHA384", NAMES["text"], False),
    ("log_connections", "authentication, authorization", NAMES["text"], True),
    ("log_connections", "receipt", NAMES["text"], False),
    ("log_connections", "off", ValueType("bool"), False),
    ("log_connections", "on", ValueType("bool"), True),
    ("log_destination", "stderr, syslog", NAMES["text"], True),
    ("log_destination", "stderr,jsonlog", NAMES["text"], False),
    ("log_line_prefix", "%m [%p] %q%u@%d ", NAMES["text"], False),
    ("log_line_prefix", "%t %m:%r:%u@%d:[%p]:%e", NAMES["text"], True),
    ("log_min_messages", "debug5", NAMES["text"], False),
    ("log_min_messages", "fatal", NAMES["text"], False),
    ("log_min_messages", "error", NAMES["text"], True),
    ("listen_addresses", "localhost, 10.0.0.1", NAMES["text"], True),
    ("listen_addresses", "localhost, ::", NAMES["text"], False),
    ("unix_socket_directories", "/run/postgresql, /tmp/", NAMES["text"], False),
    ("authentication_timeout", "61", ValueType("integer", unit="s"), False),
    ("authentication_timeout", "5", ValueType("integer", unit="s"), True),
    ("idle_in_transaction_session_timeout", "0", ValueType("integer", unit="ms"), False),
    ("shared_preload_libraries", "pgaudit,auth_delay", NAMES["text"], False),
    ("log_filename", "postgresql-%a.log", NAMES["text"], False),
)


@pytest.mark.parametrize(("name", "value", "value_type", "accepted"), ACCEPTED)
def test_values_are_accepted_by_what_they_mean(name: str, value: str, value_type: ValueType, accepted: bool) -> None:
    checks = [c for control in CONTROLS for c in control.checks if isinstance(c, SettingCheck) and c.name == name]
    wants = [check.want.of(level="essential", log_policy="privacy") for check in checks]
    assert all(accepts(want, value, value_type) for want in wants) == accepted


def accepts(want: t.Any, value: str, value_type: ValueType) -> bool:
    try:
        return value == want.value or bool(want.accepts and want.accepts.accepts(value, value_type))
    except UnusableValue:
        return False
