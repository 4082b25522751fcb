# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a backup that breaks to somebody who is told: a real server and a real Prometheus, both of them private.

What stands where Alertmanager does takes what Prometheus hands on: Debian's does not run without being installed.
"""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import typing as t
import urllib.request
from pathlib import Path

import pytest
import yaml

from test_backup_alerts import PLAYBOOK, TOOLS, write
from test_backup_monitor import PYTHON, RECEIVER, Measured, free_port, make_certificate, measured

__all__ = ["measured"]  # a fixture

PATIENCE_SECONDS = 60

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="runs a backup as another account"),
    pytest.mark.skipif(shutil.which("systemctl") is None, reason="units are asked for by systemctl"),
    pytest.mark.skipif(
        not (TOOLS / "prometheus").exists(), reason="no Prometheus here; make setup fetches it on Debian"
    ),
    pytest.mark.timeout(300),
]


class Collector(http.server.BaseHTTPRequestHandler):
    """As node_exporter: what files hold, when it is asked."""

    folder = Path()

    def do_GET(self) -> None:
        body = b"".join(path.read_bytes() for path in sorted(self.folder.glob("*.prom")))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *arguments: t.Any) -> None:
        """Each second."""


class Watch:
    """Prometheus, and who is told by it."""

    def __init__(self, root: Path, metrics: Path) -> None:
        self.root = root
        self.prometheus, self.web, self.collector = (free_port() for dummy in range(3))
        self.kept = root / "kept"
        self.kept.mkdir()
        self.authority = make_certificate(root, "receiver")
        Collector.folder = metrics
        (root / "playbook.yml").write_text(PLAYBOOK, encoding="utf-8")
        instance = f"localhost:{self.collector}"
        write(
            root,
            backup_monitoring_expected=[{"instance": instance, "backup": name} for name in ("main", "gone")],
            backup_monitoring_never_ran_after=1,
            backup_monitoring_stale_after=20,
            backup_monitoring_metrics_stale_after=15,
            backup_monitoring_absent_for="1s",
        )
        self._configure()

    def _configure(self) -> None:
        watched = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.root / "rules.yml")],
            "alerting": {
                "alertmanagers": [
                    {
                        "scheme": "https",
                        "tls_config": {"ca_file": str(self.authority)},
                        "static_configs": [{"targets": [f"localhost:{self.web}"]}],
                    }
                ]
            },
            "scrape_configs": [
                {"job_name": "node", "static_configs": [{"targets": [f"localhost:{self.collector}"]}]},
            ],
        }
        (self.root / "prometheus.yml").write_text(yaml.safe_dump(watched), encoding="utf-8")

    @contextlib.contextmanager
    def running(self) -> t.Iterator[None]:
        root = self.root
        commands = [
            [
                PYTHON,
                str(RECEIVER),
                *map(str, (self.authority, root / "receiver.key", self.kept, self.web, free_port())),
            ],
            [
                *(str(TOOLS / "prometheus"), f"--config.file={root}/prometheus.yml"),
                *(f"--storage.tsdb.path={root}/series", f"--web.listen-address=127.0.0.1:{self.prometheus}"),
            ],
        ]
        collector = http.server.ThreadingHTTPServer(("127.0.0.1", self.collector), Collector)
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        with contextlib.ExitStack() as stack, (root / "log").open("wb") as log:
            stack.callback(collector.shutdown)
            for command in commands:
                process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
                stack.callback(process.terminate)
            self.wait_until(self._is_ready, "Prometheus and who is told")
            yield

    def _is_ready(self) -> bool:
        try:
            self._ask("-/ready")
        except OSError:
            return False
        return (self.kept / "ready").exists()

    def _ask(self, path: str) -> str:
        address = f"http://127.0.0.1:{self.prometheus}/{path}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return str(answer.read().decode())

    def firing(self) -> set[tuple[str, str]]:
        """Alerts with the job they are about, as Prometheus has them."""
        found = json.loads(self._ask("api/v1/alerts"))["data"]["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("backup", ""))
            for alert in found
            if alert["state"] == "firing"
        }

    def told(self) -> list[tuple[str, str]]:
        """What was handed on: each alert, and whether it goes on or is over."""
        path = self.kept / "received.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        bodies = [json.loads(json.loads(line)["body"]) for line in lines]
        now = datetime.datetime.now(datetime.timezone.utc)
        return [
            (alert["labels"]["alertname"], "over" if datetime.datetime.fromisoformat(alert["endsAt"]) <= now else "on")
            for body in bodies
            for alert in body
        ]

    def wait_until(self, is_so: t.Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            log = (self.root / "log").read_text(encoding="utf-8", errors="replace")[-1500:]
            assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {what}\n{log}"
            time.sleep(0.2)


def test_what_goes_wrong_is_told_and_ends_when_it_ends(
    measured: Measured, tmp_path_factory: pytest.TempPathFactory
) -> None:
    watch, site = Watch(tmp_path_factory.mktemp("watch"), measured.folder), measured.site
    failed = ("BulwarkBackupFailed", "main")
    with watch.running():
        measured.write()
        watch.wait_until(lambda: ("BulwarkBackupNeverRan", "main") in watch.firing(), "the job that never ran")
        watch.wait_until(lambda: ("BulwarkMetricsAbsent", "gone") in watch.firing(), "the job that nobody tells of")
        assert ("BulwarkMetricsAbsent", "main") not in watch.firing()

        site.run("full")
        measured.write()
        watch.wait_until(lambda: ("BulwarkBackupNeverRan", "main") not in watch.firing(), "the end of that")

        server = site.options["server"]
        site.configure(server={**server, "port": 1})
        site.refused("full")
        measured.write()
        watch.wait_until(lambda: failed in watch.firing(), "the failure")
        watch.wait_until(lambda: ("BulwarkBackupFailed", "on") in watch.told(), "word of it")

        site.configure(server=server)
        site.run("full")
        measured.write()
        watch.wait_until(lambda: failed not in watch.firing(), "the end of the failure")
        watch.wait_until(lambda: ("BulwarkBackupFailed", "over") in watch.told(), "word of the end")

        stale = {("BulwarkBackupStale", "main"), ("BulwarkMetricsStale", "main")}
        assert not stale & watch.firing()
        watch.wait_until(lambda: stale <= watch.firing(), "that nothing happens any more")
        site.run("full")
        measured.write()
        watch.wait_until(lambda: not stale & watch.firing(), "that it goes on")
