# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of systemd hosts with a stock database server, made of Debian's packages, kept by their recipe's content."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
import typing as t
from pathlib import Path

from layout import LOGS, tool_environment
from progress import StepFailed, answer, run_step, say

# What a plain server has.
PACKAGES: t.Final = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "python3-apt",
    "ca-certificates",
    "iproute2",
    "procps",
    "openssl",
    "nftables",
)
# The database server as the distribution configures it, and what the modules need for it. rsync is MariaDB's stock
# method of state transfer, socat what mariabackup streams through.
_POSTGRESQL: t.Final = ("postgresql", "python3-psycopg", "python3-cryptography")
_MARIADB: t.Final = (
    *("mariadb-server", "mariadb-backup", "galera-4", "rsync", "socat"),
    *("python3-pymysql", "python3-cryptography"),
)
# What roles would install on the lab's hosts is there from the start: "make harden" waits for no package mirror, and
# works where containers reach none. Hosts of the scenarios have what a stock server has, and roles install the rest.
_SEALING: t.Final = ("age", "zstd")
PURPOSES: t.Final = {
    "postgresql": _POSTGRESQL,
    "mariadb": _MARIADB,
    "lab-postgresql": (*_POSTGRESQL, *_SEALING),
    "lab-mariadb": (*_MARIADB, *_SEALING),
    "lab-restore": ("postgresql", "mariadb-server", "mariadb-backup", *_SEALING, "openssh-client"),
}


@dataclasses.dataclass(frozen=True)
class Platform:
    """A distribution's release that hosts are made of.

    :param suite: Debian's name of the release.
    :param stale_lists: package lists of unreleased suites may be past their date on a stored mirror.
    :param newest_control_groups: its systemd refuses control groups v1, and wants the whole v2 tree on hybrid machines.
    """

    suite: str
    stale_lists: bool = False
    newest_control_groups: bool = False


PLATFORMS: t.Final = {
    "debian12": Platform("bookworm"),
    "debian13": Platform("trixie"),
    "debian-testing": Platform("forky", stale_lists=True, newest_control_groups=True),
}


def recipe(platform: Platform, purpose: str) -> list[str]:
    """The command that makes the root file system, less its output."""
    options = ['--aptopt=Acquire::Check-Valid-Until "false"'] if platform.stale_lists else []
    packages = ",".join((*PACKAGES, *PURPOSES[purpose]))
    return ["mmdebstrap", "--variant=minbase", *options, f"--include={packages}", platform.suite]


def tag(name: str, purpose: str) -> str:
    digest = hashlib.sha256("\n".join(recipe(PLATFORMS[name], purpose)).encode()).hexdigest()[:12]
    return f"localhost/bulwark-{name}:{digest}"


def build(name: str, purpose: str = "postgresql") -> str:
    """The image's tag; it is made only when no image of this recipe is there. Raises StepFailed."""
    image = tag(name, purpose)
    environment = {**tool_environment(), "LANG": "C.UTF-8"}  # the encoding of the cluster that the package makes
    if image in answer(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"], environment=environment).split():
        return image
    if shutil.which("mmdebstrap") is None:
        raise StepFailed(f"image {name}: mmdebstrap is missing. Install it (Debian and Ubuntu have it), run as root")
    say(f"image {name} for {purpose} (once):")
    with tempfile.TemporaryDirectory(prefix="bulwark-image-") as folder:
        archive = str(Path(folder) / "root.tar")
        command = [*recipe(PLATFORMS[name], purpose), archive]
        run_step(
            f"{PLATFORMS[name].suite} from Debian's packages",
            command,
            log=LOGS / f"image-{name}-{purpose}.log",
            environment=environment,
        )
        options = ["--change", "ENV container=podman", "--change", "STOPSIGNAL SIGRTMIN+3"]
        run_step(
            "image",
            ["podman", "import", *options, archive, image],
            log=LOGS / f"import-{name}-{purpose}.log",
            environment=environment,
        )
    return image
