# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of MariaDB and Galera fail on what is wrong, pass on what is right, and neither where nothing was seen."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.baseline import mariadb_settings, without
from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls
from ansible_collections.bulwark.database.plugins.module_utils._controls.galera_check import (
    AllowlistCheck,
    ConflictDumpCheck,
    GroupTlsCheck,
    ProgramOwnerCheck,
    QuorumCheck,
    TransferCheck,
)
from ansible_collections.bulwark.database.plugins.module_utils._controls.host_checks import SupportCheck
from ansible_collections.bulwark.database.plugins.module_utils._controls.mariadb_checks import (
    ChannelCheck,
    ErrorLogCheck,
)
from ansible_collections.bulwark.database.plugins.module_utils._controls.model import MARIADB
from ansible_collections.bulwark.database.plugins.module_utils._controls.plugin_check import PluginCheck
from ansible_collections.bulwark.database.plugins.module_utils._controls.setting_check import (
    CERTIFICATE,
    KEYS,
    SettingCheck,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.assessment import (
    FAIL,
    LEVELS,
    LOG_POLICIES,
    NOT_APPLICABLE,
    NOT_OBSERVABLE,
    PASS,
    Situation,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.observations import (
    GaleraNode,
    LogSink,
    Observations,
    ObservedSetting,
    ReplicationChannel,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.setting_values import ValueType

SITUATION = Situation(datetime.date(2026, 11, 25))
VERSION = 101119
TEXT = ValueType("string")
FILES = {f"socket.ssl_{kind}": f"/{kind}" for kind in ("ca", "cert", "key")}
NODE = GaleraNode(
    options=FILES,
    replication_tls="required",
    cluster_address="gcomm://10.0.0.1,10.0.0.2",
    allowlist=("10.0.0.1",),
    transfer={"ssl_mode": "VERIFY_CA", "tca": "/ca", "tcert": "/cert", "tkey": "/key"},
    programs=(),
    conflict_dumps=(),
)
WRONG: list[tuple[t.Any, dict[str, t.Any]]] = [
    (GroupTlsCheck(), {"replication_tls": "optional"}),
    (GroupTlsCheck(), {"replication_tls": "off", "options": {}}),
    (GroupTlsCheck(), {"options": {**FILES, "socket.ssl_ca": ""}}),
    (AllowlistCheck(), {"allowlist": ()}),
    (TransferCheck(), {"transfer": {}}),
    (TransferCheck(), {"transfer": {**NODE.transfer, "ssl_mode": "REQUIRED"}}),  # type: ignore[dict-item]
    (TransferCheck(), {"transfer": {"ssl_mode": "VERIFY_CA", "tcert": "/cert", "tkey": "/key"}}),
    (TransferCheck(), {"transfer": {**NODE.transfer, "encrypt": "1"}}),  # type: ignore[dict-item]
    (QuorumCheck(), {"options": {"pc.ignore_sb": "yes"}}),
    (QuorumCheck(), {"cluster_address": "gcomm://"}),
    (ConflictDumpCheck(), {"conflict_dumps": ("GRA_1_2_v2.log",)}),
    (ProgramOwnerCheck(), {"programs": ("/srv/hook: owner 106, mode 0755",)}),
]


def observed(node: GaleraNode | None = NODE, **settings: str) -> Observations:
    values = {name: ObservedSetting(name, value, TEXT) for name, value in settings.items()}
    return Observations(version=VERSION, galera=node, settings=values, plugins={"server_audit": "ON"})


@pytest.mark.parametrize(("check", "changes"), WRONG)
def test_a_node_fails_by_what_is_wrong_and_passes_without_it(check: t.Any, changes: dict[str, t.Any]) -> None:
    assert check.judge(observed(dataclasses.replace(NODE, **changes)), SITUATION).verdict == FAIL
    assert check.judge(observed(), SITUATION).verdict == PASS
    assert check.judge(observed(None), SITUATION).verdict == NOT_APPLICABLE
    assert check.judge(Observations(), SITUATION).verdict == NOT_OBSERVABLE


def test_a_transfer_may_use_the_certificate_of_the_server() -> None:
    node = dataclasses.replace(NODE, transfer={"ssl_mode": "verify_ca"})
    assert TransferCheck().judge(observed(node, ssl_ca="/a", ssl_cert="/b", ssl_key="/c"), SITUATION).verdict == PASS


def test_an_older_server_has_no_list_of_who_may_join() -> None:
    seen = dataclasses.replace(observed(dataclasses.replace(NODE, allowlist=())), version=100622)
    assert AllowlistCheck().judge(seen, SITUATION).verdict == NOT_APPLICABLE


@pytest.mark.parametrize(
    ("encrypted", "verified", "verdict"), [(True, True, PASS), (True, False, FAIL), (False, False, FAIL)]
)
def test_a_replica_is_judged_by_its_channels(encrypted: bool, verified: bool, verdict: str) -> None:
    seen = Observations(channels=(ReplicationChannel("", "db.example", encrypted, verified),))
    assert ChannelCheck().judge(seen, SITUATION).verdict == verdict
    assert ChannelCheck().judge(Observations(channels=()), SITUATION).verdict == NOT_APPLICABLE


def test_the_error_log_may_be_the_journal_but_not_nowhere() -> None:
    seen = observed(log_error="")
    assert ErrorLogCheck().judge(dataclasses.replace(seen, log_sink=LogSink("journal")), SITUATION).verdict == PASS
    assert ErrorLogCheck().judge(dataclasses.replace(seen, log_sink=LogSink("")), SITUATION).verdict == FAIL
    assert ErrorLogCheck().judge(observed(log_error="/var/log/error.log"), SITUATION).verdict == PASS


def test_a_plugin_that_can_be_taken_out_is_not_enough() -> None:
    permanent = dataclasses.replace(observed(), plugins={"server_audit": "FORCE_PLUS_PERMANENT"})
    assert PluginCheck("server_audit").judge(observed(), SITUATION).verdict == FAIL
    assert PluginCheck("server_audit").judge(permanent, SITUATION).verdict == PASS
    assert PluginCheck("server_audit", 110000).judge(observed(), SITUATION).verdict == NOT_APPLICABLE


@pytest.mark.parametrize(
    ("version", "verdict"), [(101119, PASS), (110803, PASS), (100622, FAIL), (110206, FAIL), (120301, NOT_OBSERVABLE)]
)
def test_series_of_long_support_are_known_by_their_two_numbers(version: int, verdict: str) -> None:
    control = next(one for one in controls(engine=MARIADB) if one.id == "MDB-PKG-001")
    (check,) = control.checks
    assert isinstance(check, SupportCheck)
    finding = check.judge(Observations(version=version), SITUATION)
    assert finding.verdict == verdict
    assert "10.11 until 2028-02-16" in finding.expected


@pytest.mark.parametrize("galera", [True, False])
@pytest.mark.parametrize("log_policy", LOG_POLICIES)
@pytest.mark.parametrize("level", LEVELS)
def test_the_baseline_is_what_the_controls_accept(level: str, log_policy: str, galera: bool) -> None:
    baseline = mariadb_settings(
        level=level, log_policy=log_policy, version=VERSION, galera=galera, has=(KEYS, CERTIFICATE)
    )
    assert list(baseline.settings) == sorted(baseline.settings)
    for control in controls(engine=MARIADB):
        for check in control.checks:
            if not isinstance(check, SettingCheck) or check.option or check.name not in baseline.settings:
                continue
            want = check.want.of(level=level, log_policy=log_policy)
            value = baseline.settings[check.name]
            assert want is None or value == want.value or (want.accepts and want.accepts.accepts(value, TEXT)), value


def test_what_would_keep_a_server_from_starting_is_set_only_where_it_has_what_that_needs() -> None:
    def names(has: tuple[str, ...]) -> set[str]:
        found = mariadb_settings(level="strict", log_policy="privacy", version=VERSION, galera=True, has=has)
        return set(found.settings)

    assert names((KEYS,)) - names(()) == {
        *("aria_encrypt_tables", "encrypt_binlog", "encrypt_tmp_disk_tables", "encrypt_tmp_files"),
        *("innodb_encrypt_log", "innodb_encrypt_tables", "innodb_encrypt_temporary_tables"),
    }
    assert names((CERTIFICATE,)) - names(()) == {"ssl_cipher"}


def test_no_statement_text_is_recorded_under_privacy_and_that_of_ddl_and_grants_under_forensic() -> None:
    events = [
        mariadb_settings(level="essential", log_policy=policy, version=VERSION, galera=False).settings[
            "server_audit_events"
        ]
        for policy in ("privacy", "forensic")
    ]
    assert events == ["CONNECT,TABLE", "CONNECT,QUERY_DDL,QUERY_DCL,TABLE"]


def test_a_cluster_and_a_single_server_have_values_of_their_own() -> None:
    node, single = (
        mariadb_settings(level="essential", log_policy="privacy", version=VERSION, galera=galera).settings
        for galera in (True, False)
    )
    assert set(node) - set(single) == {"wsrep_debug", "wsrep_log_conflicts", "wsrep_sst_method"}
    assert set(single) - set(node) == {"innodb_flush_log_at_trx_commit"}


def test_an_older_server_gets_no_plugin_that_it_does_not_have() -> None:
    found = mariadb_settings(level="strict", log_policy="privacy", version=100622, galera=False)
    assert "password_reuse_check" not in found.libraries
    assert not {name for name in found.settings if name.startswith("password_reuse_check")}


def test_with_a_plugin_its_options_are_left() -> None:
    baseline = mariadb_settings(level="essential", log_policy="privacy", version=VERSION, galera=False)
    left = without(baseline, ["server_audit", "require_secure_transport", "wsrep_debug"])
    assert left.libraries == ("simple_password_check",)
    assert not {name for name in left.settings if name.startswith("server_audit")}
    assert "require_secure_transport" not in left.settings
    with pytest.raises(InvalidDeclaration, match="no baseline has an option 'wait_timout'"):
        without(baseline, ["wait_timout"])
