# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""bulwark-backup-monitor with a real server's backups, a real relay and a real web server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_monitor_file import (
    Mail,
    Monitor,
    render_monitor,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_monitor_units import mail_login
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret
from ansible_collections.bulwark.database.plugins.module_utils._io.backup_measures import first_expiry
from ansible_collections.bulwark.database.plugins.module_utils._io.backup_program import build_program
from ansible_collections.bulwark.database.plugins.module_utils._job import measuring
from backup_site import ACCOUNT, PYTHON, BackupSite
from private_server import PrivateServer

ROOT = Path(__file__).resolve().parents[2]
PROMTOOL = ROOT / ".build" / "monitoring-tools" / "promtool"
RECEIVER = Path(__file__).resolve().parent / "notice_receiver.py"
TOKEN = "t0ken-that-nobody-sees"
PASSWORD = "passw0rd-that-nobody-sees"
UNIT = "bulwark-backup-main.service"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="runs a backup as another account"),
    pytest.mark.skipif(shutil.which("systemctl") is None, reason="units are asked for by systemctl"),
    pytest.mark.timeout(300),
]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def make_certificate(folder: Path, name: str, days: int = 30) -> Path:
    path = folder / f"{name}.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", str(days), "-subj", "/CN=receiver", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path


class Told:
    """Somebody who is told, and the program that tells, as its units start it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.web, self.mail = free_port(), free_port()
        self.authority = make_certificate(root, "receiver")
        self.folder = root / "kept"
        self.folder.mkdir()
        self.program = root / "monitor.pyz"
        self.program.write_bytes(build_program(entry="_job.monitor_command"))
        (root / "state").mkdir()
        credentials = root / "credentials"
        credentials.mkdir()
        address = f"https://localhost:{self.web}"
        (credentials / "webhook_url").write_text(f"{address}/hook/{TOKEN}")
        (credentials / "ping_url").write_text(f"{address}/ping/{TOKEN}/{{job}}")
        (credentials / "mail_login").write_text(mail_login("relayed", Secret(PASSWORD)).reveal())
        self.monitor(ca_file=str(self.authority))

    def monitor(self, **changes: t.Any) -> None:
        mail = Mail("localhost", self.mail, "starttls", "backups@example.org", ("oncall@example.org",), has_login=True)
        given: dict[str, t.Any] = {
            "metrics_folder": "/nowhere",
            "jobs": ("main",),
            "restore_tests": (),
            "copies": (),
            "certificates": (),
            "mail": mail,
            "webhook": True,
            "ping": True,
            "repeat_seconds": 3600,
            "timeout_seconds": 5,
            **changes,
        }
        (self.root / "monitor.json").write_text(render_monitor(Monitor(**given)), encoding="utf-8")

    @contextlib.contextmanager
    def listening(self) -> t.Iterator[None]:
        command = [PYTHON, str(RECEIVER), str(self.authority), str(self.root / "receiver.key"), str(self.folder)]
        with subprocess.Popen([*command, str(self.web), str(self.mail)]) as receiver:
            try:
                deadline = time.monotonic() + 30
                while not (self.folder / "ready").exists():
                    assert receiver.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                yield
            finally:
                receiver.terminate()

    def run(self, command: str, unit: str = UNIT) -> subprocess.CompletedProcess[str]:
        """Nothing that is secret is ever said."""
        done = subprocess.run(
            [PYTHON, "-I", str(self.program), command, "--monitor", str(self.root / "monitor.json"), unit],
            env={
                "PATH": "/usr/bin:/bin",
                "STATE_DIRECTORY": str(self.root / "state"),
                "CREDENTIALS_DIRECTORY": str(self.root / "credentials"),
            },
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
        )
        for secret in (TOKEN, PASSWORD):
            assert secret not in done.stdout + done.stderr
        return done

    def received(self) -> list[dict[str, t.Any]]:
        path = self.folder / "received.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@pytest.fixture
def told(tmp_path: Path) -> t.Iterator[Told]:
    told = Told(tmp_path)
    with told.listening():
        yield told


def test_a_failure_is_told_by_mail_and_webhook_and_not_again_at_once(told: Told) -> None:
    for dummy in range(2):
        done = told.run("notify")
        assert done.returncode == 0, done.stderr
    mail, hook = sorted(told.received(), key=lambda entry: str(entry["kind"]), reverse=True)
    assert mail["user"] == f"relayed {PASSWORD}"
    assert f"Subject: FAILED: {UNIT} on {socket.gethostname()}" in mail["text"]
    assert "systemctl start" in mail["text"]
    assert hook["path"] == f"/hook/{TOKEN}"
    assert json.loads(hook["body"])["unit"] == UNIT
    assert TOKEN not in hook["body"] + mail["text"]
    assert PASSWORD not in hook["body"] + mail["text"]
    assert "told of at" in done.stdout
    assert told.run("notify", "bulwark-backup-other.service").returncode == 0
    assert len(told.received()) == 4


def test_a_certificate_that_is_not_trusted_ends_it_before_anything_secret_is_sent(told: Told, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    told.monitor(ca_file=str(make_certificate(tmp_path / "others", "other")))
    done = told.run("notify")
    assert done.returncode == 1
    assert "mail: the relay localhost did not take the mail: its certificate is not trusted" in done.stderr
    assert "webhook: localhost was not reached: its certificate is not trusted" in done.stderr
    assert told.received() == []


def test_what_was_told_by_one_way_is_not_lost_because_of_the_other(told: Told) -> None:
    mail = Mail("localhost", free_port(), "starttls", "a@example.org", ("b@example.org",), has_login=False)
    told.monitor(ca_file=str(told.authority), mail=mail)
    done = told.run("notify")
    assert done.returncode == 1
    assert "mail: the relay localhost did not take the mail: Connection refused" in done.stderr
    assert "webhook" not in done.stderr
    assert [entry["kind"] for entry in told.received()] == ["POST"]


def test_a_ping_names_the_job_and_what_came_of_it_is_kept(told: Told) -> None:
    done = told.run("ping")
    assert done.returncode == 0, done.stderr
    assert [entry["path"] for entry in told.received()] == [f"/ping/{TOKEN}/main"]
    kept = json.loads((told.root / "state" / "main.json").read_text(encoding="utf-8"))
    assert not kept["failing"]
    (told.folder / "refuse").touch()
    done = told.run("ping")
    assert done.returncode == 1
    assert "localhost answered 500" in done.stderr
    after = json.loads((told.root / "state" / "main.json").read_text(encoding="utf-8"))
    assert after == {"failing": True, "last_success": kept["last_success"]}


def test_the_first_expiry_of_a_bundle_is_found(tmp_path: Path) -> None:
    late, early = make_certificate(tmp_path, "late", 90), make_certificate(tmp_path, "early", 10)
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(late.read_text() + early.read_text())
    for path, days in ((late, 90), (bundle, 10)):
        expiry = first_expiry(str(path))
        assert expiry is not None
        assert abs(expiry - time.time() - days * 86400) < 60
    (tmp_path / "cut.crt").write_text(late.read_text()[:200])
    (tmp_path / "broken.crt").write_text(late.read_text().replace("A", "B"))
    for name in ("cut.crt", "broken.crt", "none.crt"):
        assert first_expiry(str(tmp_path / name)) is None


class Measured:
    """A site whose metrics are written as the timer does it, and read as a collector does."""

    def __init__(self, site: BackupSite, root: Path) -> None:
        self.site = site
        self.folder = root / "metrics"
        self.copies: tuple[str, ...] = ()
        self.state = root / "monitor-state"
        for path in (self.folder, self.state):
            path.mkdir()

    def write(self, *jobs: str) -> list[str]:
        monitor = Monitor(str(self.folder), jobs or ("main",), (), self.copies, (), None, False, False, "", 3600, 15)
        return measuring.write_metrics(monitor, str(self.state))

    def values(self, job: str = "main", kind: str = "backup") -> dict[str, float]:
        text = (self.folder / f"bulwark_{kind}_{job}.prom").read_text(encoding="utf-8")
        if PROMTOOL.exists():  # not on the other platforms' hosts
            command = [str(PROMTOOL), "check", "metrics"]
            done = subprocess.run(command, input=text, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {line.partition("{")[0].removeprefix(f"bulwark_{kind}_"): float(line.split()[-1]) for line in lines}


@pytest.fixture
def measured(
    server: PrivateServer, short_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Measured]:
    site = BackupSite(Path(tempfile.mkdtemp(prefix="m", dir=short_directory)), "postgresql", server)
    # Where job files lie is the one thing that this machine can't have.
    monkeypatch.setattr(measuring, "job_file", lambda name: str(site.root / f"{name}.json").replace("main", "job"))
    server.psql(f"CREATE ROLE {ACCOUNT} LOGIN REPLICATION")
    yield Measured(site, tmp_path)
    shutil.rmtree(site.root)


def test_metrics_tell_of_a_job_before_and_after_it_ran_and_when_it_failed(measured: Measured) -> None:
    site = measured.site
    measured.write()
    before = measured.values()
    assert before["last_success_timestamp_seconds"] == 0
    assert before["known_since_timestamp_seconds"] <= time.time()
    assert before["wal_size_bytes"] >= 16 * 1024 * 1024
    path = measured.folder / "bulwark_backup_main.prom"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644

    site.run("full")
    assert measured.write() == []
    after = measured.values()
    assert after["readable"] == 1
    assert abs(after["last_success_timestamp_seconds"] - time.time()) < 60
    assert after["full_sets"] == 1
    manifest = site.status()["fulls"][0]
    assert after["last_size_bytes"] == manifest["bytes"]
    assert after["known_since_timestamp_seconds"] == before["known_since_timestamp_seconds"]
    assert after["oldest_restorable_timestamp_seconds"] > 0
    assert 0 < after["store_free_ratio"] < 1

    site.configure(server={**site.options["server"], "port": 1})
    site.refused("full")
    measured.write()
    assert measured.values()["last_failure_timestamp_seconds"] > 0
    assert measured.values()["last_success_timestamp_seconds"] == after["last_success_timestamp_seconds"]
    assert 'failing{backup="main",command="full"} 1' in path.read_text(encoding="utf-8")


def test_a_job_that_is_expected_and_not_there_has_metrics_and_is_complained_of(measured: Measured) -> None:
    (complaint,) = measured.write("gone")
    assert "gone" in complaint
    values = measured.values("gone")
    assert values["readable"] == 0
    assert values["last_success_timestamp_seconds"] == 0
    assert values["metrics_timestamp_seconds"] > 0


def test_metrics_of_a_job_that_is_watched_no_more_go_and_those_of_others_stay(measured: Measured) -> None:
    (measured.folder / "other.prom").write_text("other 1\n")
    measured.write("gone", "main")
    assert {path.name for path in measured.folder.iterdir()} == {
        *("other.prom", "bulwark_backup_gone.prom", "bulwark_backup_main.prom"),
    }
    measured.write("main")
    assert {path.name for path in measured.folder.iterdir()} == {"other.prom", "bulwark_backup_main.prom"}


def test_copies_are_told_of_before_a_look_and_after_good_and_bad_ones(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what bulwark-copies leaves: for whoever never looks, nothing is there."""
    measured.copies = ("shop",)
    monkeypatch.setattr(
        measuring, "look_file", lambda name, deep: str(tmp_path / f"{name}{'-deep' if deep else ''}.json")
    )
    program = tmp_path / "bulwark-copies.pyz"
    program.write_bytes(build_program(entry="_job.copies_command"))

    def tend(*more: str) -> None:
        tending = ["tend", "--store", str(measured.site.store), "--keep-days=7", "--oldest-hours=26", *more]
        subprocess.run([PYTHON, "-I", str(program), *tending], check=False, capture_output=True)

    deep = ("--deep", f"--result={tmp_path}/shop-deep.json")
    assert [line for line in measured.write() if "systemd knows no bulwark-copies-shop.service" in line]
    never = measured.values("shop", "copies")
    assert (never["readable"], never["last_success_timestamp_seconds"], never["failing"]) == (0, 0, 0)
    tend(f"--result={tmp_path}/shop.json")
    measured.write()
    late = measured.values("shop", "copies")
    assert (late["last_success_timestamp_seconds"], late["failing"], late["damaged_items"]) == (0, 1, 0)

    measured.site.run("full")
    for more in ((f"--result={tmp_path}/shop.json",), deep):
        tend(*more)
    measured.write()
    good = measured.values("shop", "copies")
    assert abs(good["last_success_timestamp_seconds"] - time.time()) < 60
    assert (good["failing"], good["damaged_items"]) == (0, 0)

    data = next((measured.site.store / "full").rglob("base.tar.zst.age"))
    content = bytearray(data.read_bytes())
    content[7] ^= 1
    data.write_bytes(content)
    tend(*deep)
    tend(f"--result={tmp_path}/shop.json")  # which looks at sizes alone, and finds nothing
    measured.write()
    bad = measured.values("shop", "copies")
    assert (bad["failing"], bad["damaged_items"]) == (1, 1)
    assert bad["last_deep_success_timestamp_seconds"] == good["last_deep_success_timestamp_seconds"]
    measured.copies = ()
    measured.write()
    assert not (measured.folder / "bulwark_copies_shop.prom").exists()
