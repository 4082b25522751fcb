# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls that only a whole host can show: all broken at once and seen to fail, mended and seen to pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from testinfra.host import Host

NAME = os.environ.get("BULWARK_HOST", "molecule-pg")
testinfra_hosts = [f"podman://{NAME}"]

# PKG-002 (the major version is supported) depends on the calendar alone; tests/integration shows it with a later date.
CONTROLS = ("NET-001", "OS-FS-003", "OS-SVC-001", "PKG-001", "PKG-003", "PKG-006", "PKG-007")

# A package of that name and nothing in it, made and installed with the host's own dpkg.
FAKE_PACKAGE = """
mkdir -p /srv/fake/{name}/DEBIAN && cd /srv/fake
printf 'Package: {name}\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: test <t@example.org>\\nDescription: test\\n' \
  > {name}/DEBIAN/control
dpkg-deb --build {name} >/dev/null && dpkg --install {name}.deb >/dev/null
"""


def assess(host: Host) -> dict[str, str]:
    """Verdict by control, by the real module over the real connection."""
    done = subprocess.run(
        [
            str(Path(sys.prefix) / "bin" / "ansible"),
            *("all", "-i", f"{NAME},", "-c", "containers.podman.podman", "-m", "bulwark.database.assessment_info"),
            *("-e", "ansible_user=root ansible_python_interpreter=/usr/bin/python3"),
        ],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # Something may follow the answer in the same stream.
    answer, dummy = json.JSONDecoder().raw_decode(done.stdout.partition("=>")[2].strip())
    return {result["id"]: result["verdict"] for result in answer["assessment"]["results"]}


@pytest.fixture
def programs(host: Host) -> str:
    return host.check_output("dirname $(readlink -f /usr/lib/postgresql/*/bin/postgres)")


def test_every_host_control_fails_when_broken_and_passes_when_mended(host: Host, programs: str) -> None:
    unit = "postgresql@*-main.service"
    drop_ins = host.check_output(f"ls -d /etc/systemd/system/{unit}.d").strip()
    before = assess(host)
    assert {name: before[name] for name in CONTROLS} == dict.fromkeys(CONTROLS, "pass")
    breaking = [
        "nft flush table inet bulwark",
        f"chmod o+w {programs}/pg_dump",
        f"mv {drop_ins} /srv/drop-ins && systemctl daemon-reload",
        "echo 'deb [trusted=yes] file:/srv/nowhere ./' > /etc/apt/sources.list.d/untrusted.list",
        # The running server's program is not the one on the disk any more, as after an update without a restart.
        f"cp -p {programs}/postgres {programs}/postgres.new && mv {programs}/postgres.new {programs}/postgres",
        FAKE_PACKAGE.format(name="postgresql-14"),
        FAKE_PACKAGE.format(name="telnet"),
    ]
    mending = [
        "nft -f /etc/bulwark/packet_filter.nft",
        f"chmod o-w {programs}/pg_dump",
        f"mv /srv/drop-ins {drop_ins} && systemctl daemon-reload",
        "rm /etc/apt/sources.list.d/untrusted.list",
        f"systemctl restart '{unit}'",
        "dpkg --purge postgresql-14 telnet && rm -rf /srv/fake",
    ]
    try:
        for command in breaking:
            host.check_output(f"bash -c {json.dumps(command)}" if "\n" not in command else command)
        broken = assess(host)
        assert {name: broken[name] for name in CONTROLS} == dict.fromkeys(CONTROLS, "fail")
    finally:
        for command in mending:
            host.run(command)
    mended = assess(host)
    assert {name: mended[name] for name in CONTROLS} == dict.fromkeys(CONTROLS, "pass")
