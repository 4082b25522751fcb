# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a whole host can show: each check fails on what is wrong, passes on what is right, and never unseen."""

from __future__ import annotations

import dataclasses
import datetime
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._controls.catalogue import controls
from ansible_collections.bulwark.database.plugins.module_utils._controls.filesystem import _SANDBOX
from ansible_collections.bulwark.database.plugins.module_utils._core.assessment import (
    FAIL,
    NOT_OBSERVABLE,
    PASS,
    Situation,
    evaluate,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.observations import (
    Certificate,
    LogSink,
    Observations,
    ObservedSetting,
    Offenders,
    ServiceState,
    Software,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.packages import Finding as PackageFinding
from ansible_collections.bulwark.database.plugins.module_utils._core.setting_values import ValueType

sys.path.append(str(Path(__file__).resolve().parents[4] / "controls"))

from breakages import HOST

CONTROLS = {control.id: control for control in controls()}
TODAY = datetime.date(2026, 11, 22)
SITUATION = Situation(TODAY, declared={"server_names": ("db.example", "10.0.0.1")})
TEXT = ValueType("string")


def tcp(right: t.Any) -> dict[str, t.Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": right}}


def source(right: t.Any, protocol: str = "ip") -> dict[str, t.Any]:
    return {"match": {"op": "==", "left": {"payload": {"protocol": protocol, "field": "saddr"}}, "right": right}}


def ruleset(*rules: list[dict[str, t.Any]], family: str = "inet", policy: str = "accept") -> list[dict[str, t.Any]]:
    place = {"family": family, "table": "bulwark"}
    chain = {"chain": {**place, "name": "input", "type": "filter", "hook": "input", "prio": -10, "policy": policy}}
    return [chain, *({"rule": {**place, "chain": "input", "expr": rule}} for rule in rules)]


LOOPBACK = [{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, {"accept": None}]
ESTABLISHED = [
    {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}},
    {"accept": None},
]
CLIENTS = [
    tcp(5432),
    source({"set": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "192.0.2.1"]}),
    {"counter": {"packets": 0, "bytes": 0}},
    {"accept": None},
]
REST = [tcp(5432), {"counter": {"packets": 0, "bytes": 0}}, {"drop": None}]
OURS = ruleset(LOOPBACK, ESTABLISHED, CLIENTS, REST)

FILTERS: tuple[tuple[str, list[dict[str, t.Any]], str], ...] = (
    ("ours", OURS, PASS),
    ("nothing", [], FAIL),
    ("without the last rule", ruleset(LOOPBACK, ESTABLISHED, CLIENTS), FAIL),
    ("without the last rule, closed by policy", ruleset(LOOPBACK, ESTABLISHED, CLIENTS, policy="drop"), PASS),
    ("another port", ruleset([tcp(5433), {"drop": None}]), FAIL),
    ("a range of ports", ruleset([tcp({"range": [5000, 6000]}), {"drop": None}]), PASS),
    ("a set of ports, rejected", ruleset([tcp({"set": [22, 5432]}), {"reject": None}]), PASS),
    ("everybody is admitted", ruleset([tcp(5432), {"accept": None}], REST), FAIL),
    (
        "everybody by a network",
        ruleset([tcp(5432), source({"prefix": {"addr": "0.0.0.0", "len": 0}}), {"accept": None}], REST),
        FAIL,
    ),
    ("only some are dropped", ruleset([tcp(5432), source("192.0.2.9"), {"drop": None}]), FAIL),
    ("one family only", ruleset(REST, family="ip"), FAIL),
    ("both families", [*ruleset(REST, family="ip"), *ruleset(REST, family="ip6")], PASS),
)


@pytest.mark.parametrize(("dummy_name", "rules", "verdict"), FILTERS, ids=[name for name, *dummy in FILTERS])
def test_the_port_is_closed_to_strangers(dummy_name: str, rules: list[dict[str, t.Any]], verdict: str) -> None:
    assert judged("NET-001", Observations(packet_filter=rules, port=5432)) == verdict


GOOD = Certificate(
    path="/etc/server.crt",
    subject="CN=db.example",
    issuer="CN=authority",
    expires="2027-11-22",
    names=("db.example", "10.0.0.1"),
    key_type="ec",
    key_bits=256,
    signature="sha256",
    key_matches=True,
    is_served=True,
)
CERTIFICATES: tuple[tuple[dict[str, t.Any], str], ...] = (
    ({}, PASS),
    ({"key_type": "rsa", "key_bits": 2048}, PASS),
    ({"key_type": "rsa", "key_bits": 1024}, FAIL),
    ({"key_bits": 192}, FAIL),
    ({"issuer": "CN=db.example"}, FAIL),
    ({"expires": "2026-11-30"}, FAIL),
    ({"expires": "2026-11-01"}, FAIL),
    ({"signature": "sha1"}, FAIL),
    ({"names": ("10.0.0.1",)}, FAIL),
    ({"names": ("*.example", "10.0.0.1")}, PASS),
    ({"key_matches": False}, FAIL),
    ({"is_served": False}, FAIL),
)


@pytest.mark.parametrize(("changes", "verdict"), CERTIFICATES)
def test_a_certificate_is_good_in_every_respect(changes: dict[str, t.Any], verdict: str) -> None:
    observations = Observations(certificate=dataclasses.replace(GOOD, **changes), settings={})
    assert judged("PG-TLS-004", observations) == verdict


LOCKED = {name: values[0] for name, values in _SANDBOX}


@pytest.mark.parametrize(
    ("changes", "confined", "verdict"),
    [
        ({}, True, PASS),
        ({}, False, FAIL),
        *(({name: "no"}, True, FAIL) for name in LOCKED),
    ],
)
def test_every_restriction_of_the_service_counts(changes: dict[str, str], *, confined: bool, verdict: str) -> None:
    service = ServiceState("postgresql@15-main.service", {**LOCKED, **changes}, confined)
    assert judged("OS-SVC-001", Observations(service=service)) == verdict


SOFTWARE = Software({"postgresql-15": "15.18-1", "postgresql-client-15": "15.18-1", "postgresql-common": "248"})


@pytest.mark.parametrize(
    ("name", "observations", "verdict"),
    [
        ("PKG-001", Observations(untrusted_sources=()), PASS),
        ("PKG-001", Observations(untrusted_sources=("/etc/apt/sources.list line 1: trusted=yes",)), FAIL),
        ("PKG-002", Observations(version=150018), PASS),
        ("PKG-002", Observations(version=130023), FAIL),
        ("PKG-002", Observations(version=120022), FAIL),
        ("PKG-003", Observations(software=SOFTWARE), PASS),
        ("PKG-003", Observations(software=dataclasses.replace(SOFTWARE, is_stale=True)), FAIL),
        ("PKG-003", Observations(software=dataclasses.replace(SOFTWARE, candidates={"postgresql-15": "15.19"})), FAIL),
        ("PKG-006", Observations(software=SOFTWARE, version=150018), PASS),
        ("PKG-006", Observations(software=SOFTWARE, version=170004), FAIL),
        ("PKG-007", Observations(surplus=()), PASS),
        ("PKG-007", Observations(surplus=(PackageFinding("package", "gcc", "a compiler", True),)), FAIL),
        ("OS-FS-003", Observations(files={"program": Offenders()}), PASS),
        ("OS-FS-003", Observations(files={"program": Offenders(1, ("/usr/lib/x: 0777",))}), FAIL),
    ],
)
def test_a_host_is_judged_by_what_is_wrong_with_it(name: str, observations: Observations, verdict: str) -> None:
    assert judged(name, observations) == verdict


@pytest.mark.parametrize(
    ("settings", "output", "verdict"),
    [
        ({"logging_collector": "off", "log_destination": "stderr"}, "", FAIL),
        ({"logging_collector": "off", "log_destination": "stderr"}, "/var/log/postgresql/x.log", PASS),
        ({"logging_collector": "on", "log_destination": "stderr"}, "", PASS),
        ({"logging_collector": "off", "log_destination": "syslog"}, "", PASS),
    ],
)
def test_a_log_goes_somewhere(settings: dict[str, str], output: str, verdict: str) -> None:
    seen = {name: ObservedSetting(name, value, TEXT) for name, value in settings.items()}
    check = CONTROLS["PG-LOG-010"].checks[0]
    found = check.judge(Observations(settings=seen, log_sink=LogSink(output)), SITUATION)
    assert found.verdict == verdict


@pytest.mark.parametrize("name", [*HOST, "PG-TLS-004", "PG-TLS-005", "PG-FS-001", "PG-FS-002"])
def test_what_was_not_seen_never_passes(name: str) -> None:
    assert judged(name, Observations()) == NOT_OBSERVABLE


def judged(name: str, observations: Observations) -> str:
    return evaluate(CONTROLS[name], observations, SITUATION).verdict
