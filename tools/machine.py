# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this machine is, and what follows from it. Deciding is pure; observing is apart, at the end."""

from __future__ import annotations

import dataclasses
import os
import resource
import shutil
import typing as t
from pathlib import Path

CAP_SYS_RESOURCE = 24
OLDEST_PYTHON = (3, 11)


@dataclasses.dataclass(frozen=True)
class Machine:
    """``cgroup`` is v2, hybrid, v1 or none; ``nofile`` and ``nproc`` are hard limits, -1 means none."""

    distribution: str
    version: str
    root: bool
    apt: bool
    cgroup: str
    systemd: bool
    may_raise_limits: bool
    nofile: int
    nproc: int
    apparmor: bool = False


@dataclasses.dataclass(frozen=True)
class Requirement:
    """A Debian package, and a file or program by which it is recognised elsewhere (empty: only Debian needs it)."""

    package: str
    probe: str
    purpose: str


REQUIREMENTS = (
    Requirement("git", "git", "lists the checkout's files"),
    Requirement("make", "make", "starts everything"),
    Requirement("openssl", "openssl", "certificates in tests"),
    Requirement("python3-venv", "", "virtual environments"),
    Requirement("podman", "podman", "container engine"),
    Requirement("runc", "runc", "container runtime that knows control groups v1"),
    Requirement("netavark", "/usr/lib/podman/netavark", "container networks"),
    Requirement("aardvark-dns", "/usr/lib/podman/aardvark-dns", "names in container networks"),
    Requirement("containernetworking-plugins", "", "container networks"),
    Requirement("nftables", "nft", "packet filter"),
    Requirement("iptables", "iptables", "packet filter of container networks"),
    Requirement("uidmap", "newuidmap", "containers without root"),
    Requirement("catatonit", "", "first process of containers"),
    Requirement("mmdebstrap", "mmdebstrap", "base images from Debian's packages"),
    Requirement("postgresql", "/usr/lib/postgresql", "servers for integration tests"),
    Requirement("postgresql-contrib", "", "the server's own extensions"),
    Requirement("python3-psycopg", "", "modules run on this machine in integration tests"),
    # The server's program without the service that Debian's mariadb-server starts.
    Requirement("mariadb-server-core", "mariadbd", "servers for integration tests"),
    Requirement("mariadb-client-core", "mariadb", "clients for integration tests"),
    Requirement("galera-4", "", "clusters in integration tests"),
    Requirement("rsync", "rsync", "state transfers of clusters in integration tests"),
    Requirement("age", "age", "seals keys and backups in integration tests"),
    Requirement("gpg", "gpg", "seals backups in integration tests"),
    Requirement("gpg-agent", "gpg-agent", "opens them again"),
    Requirement("zstd", "zstd", "compresses backups in integration tests"),
    Requirement("pgbackrest", "pgbackrest", "backs PostgreSQL servers up in integration tests"),
    Requirement("mariadb-client", "mariadb-binlog", "reads binary logs in integration tests"),
    Requirement("mariadb-backup", "mariadb-backup", "copies MariaDB servers in integration tests"),
    Requirement("python3-cryptography", "", "modules run on this machine in integration tests"),
    Requirement("python3-pymysql", "", "modules run on this machine in integration tests"),
)
FULL_REQUIREMENTS = (
    Requirement("chromium", "chromium", "shows the report as a reader's browser does"),
    Requirement("chromium-driver", "chromedriver", "drives the browser"),
)
# pgaudit's package carries the server's major version in its name.
POSTGRESQL_MAJOR = {("debian", "12"): 15, ("debian", "13"): 17, ("ubuntu", "24.04"): 16}


def requirements(machine: Machine, *, full: bool) -> list[Requirement]:
    wanted = [*REQUIREMENTS, *(FULL_REQUIREMENTS if full else ())]
    major = POSTGRESQL_MAJOR.get((machine.distribution, machine.version))
    if major:
        wanted.append(Requirement(f"postgresql-{major}-pgaudit", "", "audit extension in integration tests"))
    return wanted


def can_install(machine: Machine) -> bool:
    return machine.root and machine.apt and machine.distribution in ("debian", "ubuntu")


def explain_missing(machine: Machine, missing: t.Sequence[Requirement]) -> str:
    """One line: what is missing, and how to get it here."""
    names = " ".join(requirement.package for requirement in missing)
    if machine.apt:
        return f"setup: missing: {names}. Install them: sudo apt-get install --no-install-recommends {names}"
    listed = ", ".join(f"{requirement.probe} ({requirement.purpose})" for requirement in missing)
    return (
        f"setup: missing: {listed}. Install them with this machine's package manager "
        "(only on Debian 12 and 13, as root, setup does it itself)"
    )


def containers_conf(machine: Machine) -> str:
    """The container engine's settings that this machine needs; empty where its own defaults work."""
    engine: list[str] = []
    containers: list[str] = []
    if machine.cgroup in ("v1", "hybrid"):
        engine.append('runtime = "runc"')  # crun refuses hybrid mode
    if not machine.systemd:
        engine += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    if not machine.may_raise_limits:
        # podman's defaults are above what this machine allows, and it then refuses to start anything.
        limits = [f"{name}={value}:{value}" for name, value in _own_limits(machine) if value > 0]
        if limits:
            containers.append("default_ulimits = [" + ", ".join(f'"{limit}"' for limit in limits) + "]")
    sections = [("containers", containers), ("engine", engine)]
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections if lines)


def _own_limits(machine: Machine) -> list[tuple[str, int]]:
    return [("nofile", machine.nofile), ("nproc", min(machine.nproc, 32768) if machine.nproc > 0 else -1)]


def pick_python(candidates: t.Iterable[tuple[str, tuple[int, int]]]) -> str | None:
    """The first interpreter that is new enough; candidates come in order of preference."""
    return next((path for path, version in candidates if version >= OLDEST_PYTHON), None)


def parse_os_release(text: str) -> tuple[str, str]:
    """(ID, VERSION_ID) in lower case; what is not stated is empty."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return tuple(values.get(key, "").strip("\"'").lower() for key in ("ID", "VERSION_ID"))  # type: ignore[return-value]


def cgroup_mode(mounts: str) -> str:
    """From the text of /proc/mounts."""
    kinds = {fields[2]: fields[1] for fields in (line.split() for line in mounts.splitlines()) if len(fields) > 2}
    if kinds.get("cgroup2") == "/sys/fs/cgroup":
        return "v2"
    if "cgroup" in kinds:
        return "hybrid" if "cgroup2" in kinds else "v1"
    return "none"


def observe_machine() -> Machine:
    distribution, version = parse_os_release(_text("/etc/os-release"))
    status = dict(line.split(":", 1) for line in _text("/proc/self/status").splitlines() if ":" in line)
    capabilities = int(status.get("CapEff", "0").strip(), 16)
    return Machine(
        distribution=distribution,
        version=version,
        root=os.geteuid() == 0,
        apt=shutil.which("apt-get") is not None,
        cgroup=cgroup_mode(_text("/proc/mounts")),
        systemd=Path("/run/systemd/system").is_dir(),
        may_raise_limits=bool(capabilities >> CAP_SYS_RESOURCE & 1),
        nofile=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        nproc=resource.getrlimit(resource.RLIMIT_NPROC)[1],
        apparmor=_text("/sys/module/apparmor/parameters/enabled").strip() == "Y",
    )


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
