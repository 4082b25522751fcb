# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules, dashboard and Alertmanager's example as the role writes them, judged by Prometheus's own tools."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".build" / "monitoring-tools"
HOST = "pg1:9100"
BACKUP = '{instance="pg1:9100",job="node",backup="main"}'
TEST = '{instance="restore1:9100",job="node",test="main"}'
COPIES = '{instance="copies1:9100",job="node",source="shop"}'
PATH = '{instance="pg1:9100",job="node",path="/etc/x.crt"}'
HOUR = 3600
# Prometheus's tests begin at 0, so this is what time() says in them.
NOW = 100 * HOUR
STEP = 300
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: bulwark.database.backup_monitoring, tasks_from: server.yml}
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the role gives files to root"),
    pytest.mark.skipif(not (TOOLS / "promtool").exists(), reason="no promtool here; make setup fetches it on Debian"),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the role writes."""
    folder = tmp_path_factory.mktemp("monitoring")
    (folder / "playbook.yml").write_text(PLAYBOOK, encoding="utf-8")
    for wanted in ("changed=3 ", "changed=0 "):
        said = write(folder)
        assert wanted in said, said
    return folder


def write(folder: Path, **variables: t.Any) -> str:
    given = {
        "backup_monitoring_rules_file": str(folder / "rules.yml"),
        "backup_monitoring_examples_folder": str(folder / "examples"),
        "backup_monitoring_reload_unit": "",
        "backup_monitoring_expected": [
            {"instance": HOST, "backup": "main"},
            {"instance": "restore1:9100", "restore_test": "main"},
            {"instance": "copies1:9100", "copies": "shop"},
        ],
        "ansible_python_interpreter": "/usr/bin/python3",
        **variables,
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run(
        [program, "-i", "localhost,", str(folder / "playbook.yml"), "-e", json.dumps(given)],
        env={
            **os.environ,
            "PATH": f"{TOOLS}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "LC_ALL": "C.UTF-8",
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def alerts(folder: Path) -> list[dict[str, t.Any]]:
    groups = yaml.safe_load((folder / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(TOOLS / name), *arguments], check=False, capture_output=True, text=True)


Series = t.Mapping[str, str]


def steady(value: float) -> str:
    return f"{value}x{NOW // STEP}"


def backup(**metrics: float) -> dict[str, str]:
    return {f"bulwark_backup_{name}{BACKUP}": steady(value) for name, value in metrics.items()}


def restore(**metrics: float) -> dict[str, str]:
    return {f"bulwark_restore_test_{name}{TEST}": steady(value) for name, value in metrics.items()}


def copies(**metrics: float) -> dict[str, str]:
    return {f"bulwark_copies_{name}{COPIES}": steady(value) for name, value in metrics.items()}


def point_in_time(value: str) -> dict[str, str]:
    return {f'bulwark_backup_info{{instance="pg1:9100",job="node",backup="main",point_in_time="{value}"}}': steady(1)}


def certificate(**metrics: float) -> dict[str, str]:
    return {f"bulwark_certificate_{name}{PATH}": steady(value) for name, value in metrics.items()}


def ago(hours: float) -> float:
    return NOW - hours * HOUR


DAY = 24
WEEK = 7 * DAY * HOUR
LAST = "last_success_timestamp_seconds"
DEEP = "last_deep_success_timestamp_seconds"
SINCE = "known_since_timestamp_seconds"
FRESH = "metrics_timestamp_seconds"
OLDEST = "oldest_restorable_timestamp_seconds"
NEWEST = "newest_restorable_timestamp_seconds"
RUNNING = "running_since_timestamp_seconds"
ASIDE = "stood_aside_timestamp_seconds"
COPIED = "copies_last_success_timestamp_seconds"
ARCHIVED = "log_last_archived_timestamp_seconds"

ALL_FRESH = {**backup(**{FRESH: NOW}), **restore(**{FRESH: NOW}), **copies(**{FRESH: NOW})}

# Alert, series by which it fires, series by which it doesn't: as near to one another as the threshold lets them be.
CASES: list[tuple[str, Series, Series]] = [
    (
        "BulwarkBackupFailed",
        {f'bulwark_backup_failing{BACKUP[:-1]},command="full"}}': steady(1)},
        {f'bulwark_backup_failing{BACKUP[:-1]},command="full"}}': steady(0)},
    ),
    (
        "BulwarkBackupUnitFailed",
        {f'bulwark_restore_test_unit_failed{TEST[:-1]},unit="x.service"}}': steady(1)},
        {f'bulwark_restore_test_unit_failed{TEST[:-1]},unit="x.service"}}': steady(0)},
    ),
    ("BulwarkBackupStale", backup(**{LAST: ago(26.1)}), backup(**{LAST: ago(25.9)})),
    ("BulwarkBackupStale", backup(**{LAST: ago(26.1)}), backup(**{LAST: 0})),
    ("BulwarkBackupNeverRan", backup(**{LAST: 0, SINCE: ago(1.1)}), backup(**{LAST: 0, SINCE: ago(0.9)})),
    ("BulwarkBackupNeverRan", backup(**{LAST: 0, SINCE: ago(99)}), backup(**{LAST: 1, SINCE: ago(99)})),
    (
        "BulwarkBackupSlow",
        backup(last_duration_seconds=3100, median_duration_seconds=1000),
        backup(last_duration_seconds=2900, median_duration_seconds=1000),
    ),
    (
        "BulwarkBackupSlow",
        backup(**{RUNNING: ago(1), "median_duration_seconds": 1000}),
        backup(**{RUNNING: ago(0.5), "median_duration_seconds": 1000}),
    ),
    (
        "BulwarkBackupSlow",
        backup(last_duration_seconds=601, median_duration_seconds=10),
        backup(last_duration_seconds=599, median_duration_seconds=10),
    ),
    (
        "BulwarkBackupNearDeadline",
        backup(**{RUNNING: ago(5), "deadline_seconds": 6 * HOUR}),
        backup(**{RUNNING: ago(4.7), "deadline_seconds": 6 * HOUR}),
    ),
    (
        "BulwarkBackupNearDeadline",
        backup(last_duration_seconds=81, deadline_seconds=100),
        backup(**{RUNNING: 0, "last_duration_seconds": 79, "deadline_seconds": 100}),
    ),
    (
        "BulwarkBackupShrank",
        backup(last_size_bytes=690, median_size_bytes=1000),
        backup(last_size_bytes=710, median_size_bytes=1000),
    ),
    (
        "BulwarkBackupShrank",
        backup(last_size_bytes=690, median_size_bytes=1000),
        backup(last_size_bytes=0, median_size_bytes=0),
    ),
    ("BulwarkBackupArchiveBacklog", backup(wal_ready_segments=61), backup(wal_ready_segments=60)),
    ("BulwarkBackupArchiveBacklog", backup(log_waiting_segments=61), backup(log_waiting_segments=60)),
    ("BulwarkBackupArchiveSilent", backup(**{ARCHIVED: ago(0.34)}), backup(**{ARCHIVED: ago(0.33)})),
    ("BulwarkBackupGap", backup(log_gaps=1), backup(log_gaps=0)),
    ("BulwarkBackupDamaged", backup(damaged_items=1), backup(damaged_items=0)),
    ("BulwarkBackupNoSets", backup(**{"full_sets": 0, LAST: 5}), backup(**{"full_sets": 0, LAST: 0})),
    (
        "BulwarkBackupNoSets",
        backup(**{"full_sets": 0, LAST: 5, ASIDE: 0}),
        backup(**{"full_sets": 0, LAST: 5, ASIDE: 5}),
    ),
    (
        "BulwarkBackupNewestMomentOld",
        {**backup(**{NEWEST: ago(0.34)}), **point_in_time("true")},
        {**backup(**{NEWEST: ago(0.33)}), **point_in_time("true")},
    ),
    (
        "BulwarkBackupNewestMomentOld",
        {**backup(**{NEWEST: ago(20)}), **point_in_time("true")},
        {**backup(**{NEWEST: ago(20)}), **point_in_time("false")},
    ),
    (
        "BulwarkBackupWindowTooShort",
        backup(**{OLDEST: ago(20), "keep_seconds": 72 * HOUR, SINCE: ago(90), ASIDE: 0}),
        backup(**{OLDEST: ago(20), "keep_seconds": 72 * HOUR, SINCE: ago(90), ASIDE: ago(9)}),
    ),
    (
        "BulwarkBackupWindowTooShort",
        backup(**{OLDEST: ago(20), "keep_seconds": 72 * HOUR, SINCE: ago(90)}),
        backup(**{OLDEST: ago(50), "keep_seconds": 72 * HOUR, SINCE: ago(90)}),
    ),
    (
        "BulwarkBackupWindowTooShort",
        backup(**{OLDEST: ago(20), "keep_seconds": 72 * HOUR, SINCE: ago(90)}),
        backup(**{OLDEST: ago(20), "keep_seconds": 72 * HOUR, SINCE: ago(21)}),
    ),
    ("BulwarkBackupStoreFull", backup(store_free_ratio=0.14), backup(store_free_ratio=0.16)),
    (
        "BulwarkBackupStoreFull",
        backup(store_free_ratio=0.29, store_minimum_free_ratio=0.3),
        backup(store_free_ratio=0.31, store_minimum_free_ratio=0.3),
    ),
    ("BulwarkBackupCopiesStale", backup(**{COPIED: ago(6.1)}), backup(**{COPIED: ago(5.9)})),
    ("BulwarkBackupCopiesStale", backup(**{COPIED: 0, SINCE: ago(6.1)}), backup(**{COPIED: 0, SINCE: ago(5.9)})),
    ("BulwarkBackupCopiesStale", backup(**{COPIED: 0, SINCE: ago(99)}), backup(**{COPIED: NOW, SINCE: ago(99)})),
    (
        "BulwarkBackupRecipientExpires",
        backup(recipients_expiry_timestamp_seconds=NOW + 29.9 * DAY * HOUR),
        backup(recipients_expiry_timestamp_seconds=NOW + 30.1 * DAY * HOUR),
    ),
    (
        "BulwarkBackupRecipientExpires",
        backup(recipients_expiry_timestamp_seconds=1),
        backup(recipients_expiry_timestamp_seconds=0),
    ),
    (
        "BulwarkBackupUnitFailed",
        {f'bulwark_copies_unit_failed{COPIES[:-1]},unit="x.service"}}': steady(1)},
        {f'bulwark_copies_unit_failed{COPIES[:-1]},unit="x.service"}}': steady(0)},
    ),
    ("BulwarkCopiesFailed", copies(failing=1), copies(failing=0)),
    ("BulwarkCopiesDamaged", copies(damaged_items=1), copies(damaged_items=0)),
    ("BulwarkCopiesStale", copies(**{LAST: ago(3.1)}), copies(**{LAST: ago(2.9)})),
    ("BulwarkCopiesStale", copies(**{LAST: ago(3.1)}), copies(**{LAST: 0})),
    ("BulwarkCopiesNeverLookedAt", copies(**{LAST: 0, SINCE: ago(3.1)}), copies(**{LAST: 0, SINCE: ago(2.9)})),
    ("BulwarkCopiesNeverLookedAt", copies(**{LAST: 0, SINCE: ago(99)}), copies(**{LAST: 1, SINCE: ago(99)})),
    ("BulwarkBackupPingFailing", backup(ping_failing=1), backup(ping_failing=0)),
    ("BulwarkRestoreTestFailed", restore(failing=1), restore(failing=0)),
    ("BulwarkRestoreTestStale", restore(**{LAST: ago(36.1)}), restore(**{LAST: ago(35.9)})),
    ("BulwarkRestoreTestNeverRan", restore(**{LAST: 0, SINCE: ago(36.1)}), restore(**{LAST: 0, SINCE: ago(35.9)})),
    (
        "BulwarkRestoreTestSlow",
        restore(recovery_duration_seconds=81, recovery_objective_seconds=100),
        restore(recovery_duration_seconds=79, recovery_objective_seconds=100),
    ),
    (
        "BulwarkCertificateExpires",
        certificate(expiry_timestamp_seconds=NOW + 20.9 * DAY * HOUR),
        certificate(expiry_timestamp_seconds=NOW + 21.1 * DAY * HOUR),
    ),
    ("BulwarkCertificateUnreadable", certificate(readable=0), certificate(readable=1)),
    ("BulwarkMetricsIncomplete", backup(readable=0), backup(readable=1)),
    ("BulwarkMetricsIncomplete", restore(readable=0), restore(readable=1)),
    ("BulwarkMetricsIncomplete", copies(readable=0), copies(readable=1)),
    ("BulwarkMetricsStale", copies(**{FRESH: ago(0.17)}), copies(**{FRESH: ago(0.16)})),
    ("BulwarkMetricsStale", backup(**{FRESH: ago(0.17)}), backup(**{FRESH: ago(0.16)})),
    ("BulwarkMetricsStale", restore(**{FRESH: ago(0.17)}), restore(**{FRESH: ago(0.16)})),
    ("BulwarkMetricsStale", certificate(**{FRESH: ago(0.17)}), certificate(**{FRESH: ago(0.16)})),
    ("BulwarkMetricsAbsent", {**restore(**{FRESH: NOW}), **copies(**{FRESH: NOW})}, ALL_FRESH),
    ("BulwarkMetricsAbsent", {**backup(**{FRESH: NOW}), **copies(**{FRESH: NOW})}, ALL_FRESH),
    ("BulwarkMetricsAbsent", {**backup(**{FRESH: NOW}), **restore(**{FRESH: NOW})}, ALL_FRESH),
]


def judge(folder: Path, alert: str, series: Series, *, fires: bool) -> str:
    """What promtool says against it; empty if it is as expected. Of the rules, only that alert's are evaluated."""
    rules = [rule for rule in alerts(folder) if rule["alert"] == alert]
    alone = folder / "alone.yml"
    alone.write_text(yaml.safe_dump({"groups": [{"name": "alone", "rules": rules}]}), encoding="utf-8")
    expression = f'sum(ALERTS{{alertname="{alert}",alertstate="firing"}}) > bool 0'
    document = {
        "rule_files": [str(alone)],
        "evaluation_interval": f"{STEP}s",
        "tests": [
            {
                "interval": f"{STEP}s",
                "input_series": [{"series": name, "values": value} for name, value in series.items()],
                "promql_expr_test": [
                    {
                        "expr": expression,
                        "eval_time": f"{NOW // 60}m",
                        "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
                    }
                ],
            }
        ],
    }
    path = folder / "test.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = tool("promtool", "test", "rules", str(path))
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    ("alert", "firing", "quiet"), CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)]
)
def test_an_alert_fires_when_it_should_and_not_before(written: Path, alert: str, firing: Series, quiet: Series) -> None:
    assert judge(written, alert, firing, fires=True) == ""
    assert judge(written, alert, quiet, fires=False) == ""


def test_every_alert_has_a_case_in_which_it_fires(written: Path) -> None:
    assert {rule["alert"] for rule in alerts(written)} == {case[0] for case in CASES}


def test_rules_are_valid_and_tell_what_to_do(written: Path) -> None:
    done = tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", str(written / "rules.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in alerts(written):
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning")


def test_thresholds_and_labels_are_variables(written: Path, tmp_path: Path) -> None:
    (tmp_path / "playbook.yml").write_text(PLAYBOOK, encoding="utf-8")
    labels = {"team": "dba"}
    write(
        tmp_path,
        backup_monitoring_stale_after=7200,
        backup_monitoring_copies_read_stale_after=7200,
        backup_monitoring_rule_labels=labels,
    )
    for folder, fires in ((written, False), (tmp_path, True)):
        assert judge(folder, "BulwarkBackupStale", backup(**{LAST: ago(2.1)}), fires=fires) == ""
        # whose default, nine days, is longer than what promtool is given here
        assert judge(folder, "BulwarkCopiesStale", copies(**{DEEP: ago(2.1)}), fires=fires) == ""
        assert judge(folder, "BulwarkCopiesNeverLookedAt", copies(**{DEEP: 0, SINCE: ago(2.1)}), fires=fires) == ""
    assert all(rule["labels"]["team"] == "dba" for rule in alerts(tmp_path))


def test_what_is_expected_comes_from_the_inventory_by_itself(tmp_path: Path) -> None:
    """Without a list, the hosts of the known groups are expected."""
    (tmp_path / "playbook.yml").write_text(PLAYBOOK.replace("localhost", "watcher"), encoding="utf-8")
    inventory = tmp_path / "inventory.yml"
    hosts = {
        "watchers": {"hosts": {"watcher": None}},
        "postgresql": {"hosts": {"pg1": {"backup_monitoring_jobs": ["shop", "wiki"]}}},
        "galera": {"hosts": {"db1": None}},
        "restore_test": {"hosts": {"restore1": None}},
        "kept": {"hosts": {"copies1": {"backup_repository_sources": [{"name": "shop"}]}}},
    }
    inventory.write_text(yaml.safe_dump({"all": {"children": hosts}}), encoding="utf-8")
    program = str(Path(sys.executable).parent / "ansible-playbook")
    given = {
        "backup_monitoring_rules_file": str(tmp_path / "rules.yml"),
        "backup_monitoring_examples_folder": str(tmp_path / "examples"),
        "backup_monitoring_reload_unit": "",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"), "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [program, "-i", str(inventory), str(tmp_path / "playbook.yml"), "-e", json.dumps(given)],
        env={**environment, "ANSIBLE_HOME": str(tmp_path / "ansible")},
        check=True,
        capture_output=True,
    )
    expressions = " ".join(rule["expr"] for rule in alerts(tmp_path) if rule["alert"] == "BulwarkMetricsAbsent")
    for selector in (
        'backup_metrics_timestamp_seconds{instance="pg1:9100", backup="shop"}',
        'backup_metrics_timestamp_seconds{instance="pg1:9100", backup="wiki"}',
        'backup_metrics_timestamp_seconds{instance="db1:9100", backup="main"}',
        'restore_test_metrics_timestamp_seconds{instance="restore1:9100", test="main"}',
        'copies_metrics_timestamp_seconds{instance="copies1:9100", source="shop"}',
    ):
        assert selector in expressions


def dashboard_queries(folder: Path) -> list[str]:
    dashboard = json.loads((folder / "examples" / "bulwark-backup.dashboard.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert len(queries) > 20
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard["panels"])))
    assert used <= variables
    return queries


def test_every_query_of_the_dashboard_is_one_that_prometheus_takes(written: Path) -> None:
    queries = [re.sub(r"\$\w+", ".*", query) for query in dashboard_queries(written)]
    rules = [{"record": f"dashboard:{number}", "expr": query} for number, query in enumerate(queries)]
    path = written / "dashboard.rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    done = tool("promtool", "check", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text(encoding="utf-8").replace(" > 0)", " > )"), encoding="utf-8")
    assert tool("promtool", "check", "rules", str(path)).returncode != 0


def test_every_metric_that_is_asked_for_is_one_that_there_is(written: Path) -> None:
    texts = [rule["expr"] for rule in alerts(written)] + dashboard_queries(written)
    asked = {name for text in texts for name in re.findall(r"\bbulwark_[a-z_]+", text)}
    assert asked - set(METRICS) == set()
    assert len(asked) > 25


def test_the_example_for_alertmanager_is_one_that_it_takes(written: Path) -> None:
    path = written / "examples" / "alertmanager.example.yml"
    done = tool("amtool", "check-config", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    for labels, receiver in (
        (["alertname=BulwarkBackupFailed", "severity=critical"], "on-call"),
        (["alertname=BulwarkBackupSlow", "severity=warning"], "operations"),
    ):
        routed = tool("amtool", "config", "routes", "test", f"--config.file={path}", *labels)
        assert routed.stdout.strip() == receiver
