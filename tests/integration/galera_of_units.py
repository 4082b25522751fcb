# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throwaway Galera cluster whose nodes are services of systemd, all on one host that is nobody's."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from private_galera import TRANSFER_SCRIPTS, PrivateGalera, PrivateGaleraNode
from private_mariadb import ACCOUNT, START_SECONDS

UNITS = Path("/run/systemd/system")
FIRST_OF_CLUSTER = Path("/run/bulwark-tests-first-of-cluster")


def systemctl(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["systemctl", *arguments], check=check, capture_output=True, text=True, timeout=120)
    return done.stdout.strip()


def start_of(unit: str) -> str:
    """systemd's identifier of the unit's present start: another one means that it was restarted."""
    return systemctl("show", "--property=InvocationID", "--value", unit)


class GaleraUnit(PrivateGaleraNode):
    """A node that systemd runs, with Type=notify as the distributions' own unit."""

    @property
    def unit(self) -> str:
        return f"bulwark-test-{self.name}.service"

    def configure(self) -> None:
        super().configure()
        command = " ".join(("/usr/sbin/mariadbd", *self.command[1:]))
        (UNITS / self.unit).write_text(
            "[Service]\nType=notify\nUMask=007\nTimeoutStartSec=120\nTimeoutStopSec=60\n"
            f"User={ACCOUNT}\nEnvironment=PATH={self._programs}:{TRANSFER_SCRIPTS}:/usr/sbin:/usr/bin:/sbin:/bin\n"
            f"EnvironmentFile=-{FIRST_OF_CLUSTER}\nExecStart={command} $FIRST_OF_CLUSTER\n",
            encoding="utf-8",
        )
        systemctl("daemon-reload")

    def amend_unit(self, lines: str) -> None:
        """Something of the unit's section [Service] that a test wants; an empty text takes it back."""
        drop_in = UNITS / f"{self.unit}.d" / "test.conf"
        drop_in.parent.mkdir(exist_ok=True)
        drop_in.write_text(f"[Service]\n{lines}\n", encoding="utf-8")
        systemctl("daemon-reload")

    def launch(self, *options: str) -> None:
        FIRST_OF_CLUSTER.write_text(f"FIRST_OF_CLUSTER={' '.join(options)}\n", encoding="utf-8")
        systemctl("reset-failed", self.unit, check=False)
        systemctl("start", "--no-block" if not options else "--show-transaction", self.unit)
        if options:
            FIRST_OF_CLUSTER.unlink()

    def wait_until_it_answers(self, *, check: bool = True) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and systemctl("is-active", self.unit, check=False) != "failed":
            if self.client("SELECT 1", check=False).returncode == 0:
                return True
            time.sleep(0.05)
        if check:
            raise RuntimeError(f"{self.unit} did not start: {self.log_text()[-3000:]}")
        return False

    @property
    def is_running(self) -> bool:
        return systemctl("is-active", self.unit, check=False) in ("active", "activating", "deactivating")

    def send_signal(self, how: int) -> None:
        systemctl("kill", "--kill-whom=main", f"--signal={int(how)}", self.unit, check=False)

    def stop(self, how: int = 15) -> None:
        if how != 15:
            self.send_signal(how)
        systemctl("stop", self.unit, check=False)


class GaleraOfUnits(PrivateGalera):
    """Its nodes are services."""

    nodes: list[GaleraUnit]

    def __init__(self, root: Path, size: int = 3) -> None:
        self.nodes = [GaleraUnit(root / f"n{number}", number, self) for number in range(1, size + 1)]

    def heal(self) -> None:
        for node in self.nodes:
            node.amend_unit("")
            node.write_options()
            if node.is_running and node.sql("SELECT @@wsrep_on", check=False) != "1":
                node.stop()
        super().heal()
