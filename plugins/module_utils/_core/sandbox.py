# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What systemd lets a service do: the drop-in's text, and whether the running process really lives under it."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from .errors import DidNotTakeEffect, InvalidDeclaration, ObservationFailed, RefusedForSafety
from .plan import RESTART, Change, Plan

_HEADER: t.Final = "# Managed by bulwark.database (service_sandbox): the next run undoes changes made here by hand."
_DIRECTIVE = re.compile(
    r"(Protect|Private|Restrict|SystemCall|Capability|Ambient|IPAddress|Device)[A-Z][A-Za-z]*"
    r"|NoNewPrivileges|MemoryDenyWriteExecute|LockPersonality|UMask|LimitCORE|KeyringMode|RemoveIPC|ProcSubset|SecureBits"
    r"|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|TemporaryFileSystem|BindPaths|BindReadOnlyPaths"
)
_YES: t.Final = ("yes", "true", "on", "1")
_HOMES: t.Final = ("/home", "/root", "/run/user")
_TEMPORARY: t.Final = ("/tmp", "/var/tmp")  # noqa: S108 (paths to compare with, nothing is written there)
# The kernel's own file systems are not made read-only by ProtectSystem.
_KERNEL: t.Final = ("/dev", "/proc", "/sys")


@dataclasses.dataclass(frozen=True)
class Profile:
    """Directives that suit one kind of service.

    :param writable: paths such a service writes to on every host; those that are not there do no harm.
    :param links: below each path the user gives, symbolic links with these names (wildcards) lead to more of them.
    """

    directives: tuple[tuple[str, str], ...]
    writable: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """A drop-in as it shall be."""

    unit: str
    directives: tuple[tuple[str, str], ...]
    writable: tuple[str, ...]

    def value(self, name: str) -> str:
        return dict(self.directives).get(name, "")

    def is_on(self, name: str) -> bool:
        return self.value(name).lower() in _YES

    @property
    def root_is_read_only(self) -> bool:
        return self.value("ProtectSystem") in ("full", "strict")

    @property
    def private_temporary(self) -> bool:
        # systemd 257 added the value "disconnected".
        return self.is_on("PrivateTmp") or self.value("PrivateTmp") == "disconnected"

    def may_write(self, path: str) -> bool:
        """Whether the service could write here as it can now, in the same place and not in a copy of it."""
        if self.private_temporary and is_below(path, _TEMPORARY):
            return False
        if self.value("ProtectSystem") != "strict" or is_below(path, _KERNEL):
            return True
        return is_below(path, self.writable)


@dataclasses.dataclass(frozen=True)
class ProcessView:
    """A process seen from outside.

    :param no_new_privileges: what /proc/<pid>/status says.
    :param capabilities: the bounding set, a bit each.
    :param read_only: mount points of its own mount namespace, with whether they are read-only, in the kernel's order.
    :param newer_than_drop_in: whether it was started after the drop-in was last written.
    """

    no_new_privileges: bool
    capabilities: int
    read_only: tuple[tuple[str, bool], ...]
    newer_than_drop_in: bool


@dataclasses.dataclass(frozen=True)
class ServiceState:
    """What was observed.

    :param loaded: systemd knows the unit.
    :param drop_in: text of our drop-in; None if there is none.
    :param needs_reload: systemd has not read its files since they changed.
    :param process: the main process; None while the service does not run.
    :param written: files the service has open for writing and unix sockets it listens on.
    :param writable: the declared paths with what the links below them lead to.
    :param exposure: systemd's own rating, 0 (safe) to 10; None if it gives none.
    """

    loaded: bool
    drop_in: str | None
    needs_reload: bool = False
    process: ProcessView | None = None
    written: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    exposure: float | None = None


def sandbox_of(profile: Profile, *, unit: str, writable: t.Sequence[str], overrides: t.Mapping[str, str]) -> Sandbox:
    """The profile with the user's paths and overrides; an empty value takes a directive out.

    Raises InvalidDeclaration for what is no sandboxing directive, can't be written down, or contradicts itself.
    """
    directives = dict(profile.directives)
    for name, value in overrides.items():
        if not _DIRECTIVE.fullmatch(name):
            raise InvalidDeclaration(f"{unit}: {name} is not a sandboxing directive", "See systemd.exec(5)")
        if not value.isprintable():
            raise InvalidDeclaration(f"{unit}: the value of {name} has a character that can't be used")
        directives[name] = value
    for path in writable:
        _check_path(path, unit=unit)
    kept = tuple((name, value) for name, value in directives.items() if value or name in _EMPTY_MEANS_NONE)
    sandbox = Sandbox(unit, kept, tuple(dict.fromkeys((*profile.writable, *writable))))
    hidden = [
        path for path in writable if sandbox.value("ProtectHome") not in ("", "no", "false") and is_below(path, _HOMES)
    ]
    if hidden:
        raise InvalidDeclaration(
            f"{unit}: ProtectHome hides {', '.join(hidden)}", 'Set directives: {ProtectHome: "no"} for this unit'
        )
    return sandbox


def render_drop_in(sandbox: Sandbox) -> str:
    lines = [_HEADER, "[Service]", *(f"{name}={value}" for name, value in sandbox.directives)]
    # A path that is not there must not keep the service from starting: hence the minus sign.
    lines += [f"ReadWritePaths={_quoted(f'-{path}')}" for path in sandbox.writable]
    return "\n".join([*lines, ""])


def plan_sandbox(sandbox: Sandbox, state: ServiceState, *, allow_restart: bool) -> Plan:
    """Write the drop-in, and restart the service into it if that is allowed.

    Raises RefusedForSafety if the service writes where it could not any more, and DidNotTakeEffect if it was started
    with the drop-in and yet is not confined.
    """
    if not state.loaded:
        raise ObservationFailed(f"systemd has no unit {sandbox.unit}", "See systemctl list-units --all")
    text = render_drop_in(sandbox)
    changes = _line_changes(sandbox.unit, state.drop_in or "", text)
    if not changes and state.needs_reload:
        changes.append(Change(f"systemd's view of {sandbox.unit}", before="outdated", after="read again"))
    if allow_restart and needs_restart(state, text=text):
        changes.append(
            Change(
                f"service {sandbox.unit}",
                before="started without it",
                after="restarted in its sandbox",
                activation=RESTART,
            )
        )
    if changes:
        _refuse_lost_writes(sandbox, state)
    elif state.process is not None and state.process.newer_than_drop_in:
        missing = void_parts(sandbox, state.process)
        if missing:
            raise DidNotTakeEffect(
                f"{sandbox.unit} was started with its sandbox, but {'; '.join(missing)}",
                "A container needs CAP_SYS_ADMIN for it; on a host look for another drop-in that overrides ours",
            )
    return Plan(tuple(changes))


def needs_restart(state: ServiceState, *, text: str) -> bool:
    """Whether the service runs, but not under this text."""
    return state.process is not None and (state.drop_in != text or not state.process.newer_than_drop_in)


def void_parts(sandbox: Sandbox, process: ProcessView) -> list[str]:
    """What the sandbox promises and the process does not show; empty if it is confined as declared."""
    missing = []
    if sandbox.root_is_read_only and not is_read_only("/etc", process.read_only):
        missing.append("/etc is not read-only for it")
    if not sandbox.may_write("/srv") and not is_read_only("/srv", process.read_only):
        missing.append("/srv is not read-only for it")
    if sandbox.is_on("NoNewPrivileges") and not process.no_new_privileges:
        missing.append("it may gain privileges")
    allowed = sandbox.value("CapabilityBoundingSet")
    if allowed and not allowed.startswith("~") and bin(process.capabilities).count("1") > len(allowed.split()):
        missing.append("it may have more capabilities")
    return missing


def is_read_only(path: str, mounts: t.Sequence[tuple[str, bool]]) -> bool:
    """Whether a path is on a read-only mount: of those on the same point the last one hides the others."""
    best, answer = "", False
    for point, read_only in mounts:
        if is_below(path, (point,)) and len(point) >= len(best):
            best, answer = point, read_only
    return answer


def is_below(path: str, parents: t.Iterable[str]) -> bool:
    """Whether a path is one of the parents or lies below one."""
    return any(path == parent or path.startswith(parent.rstrip("/") + "/") for parent in parents)


def parse_mounts(mountinfo: str) -> tuple[tuple[str, bool], ...]:
    """Mount points and whether they are read-only, from /proc/<pid>/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        fields = line.split()
        if len(fields) > 5:
            point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
            found.append((point, "ro" in fields[5].split(",")))
    return tuple(found)


def parse_exposure(output: str) -> float | None:
    """The rating from ``systemd-analyze security UNIT``; None if there is none."""
    match = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    return float(match.group(1)) if match else None


# An empty value is what says "none at all" for these.
_EMPTY_MEANS_NONE: t.Final = ("AmbientCapabilities",)


def _refuse_lost_writes(sandbox: Sandbox, state: ServiceState) -> None:
    lost = sorted({path for path in state.written if not sandbox.may_write(path)})
    if lost:
        raise RefusedForSafety(
            f"{sandbox.unit} writes to {', '.join(lost[:5])}, which its sandbox would not let it",
            'Add the directory to read_write_paths (and PrivateTmp: "no" to directives if it is in /tmp)',
        )


def _line_changes(unit: str, before: str, after: str) -> list[Change]:
    old, new = before.splitlines(), after.splitlines()
    subject = f"sandbox of {unit}"
    changes = [Change(subject, before=line) for line in old if line not in new]
    changes += [Change(subject, after=line) for line in new if line not in old and line not in (_HEADER, "[Service]")]
    if not changes and before != after:
        changes.append(Change(subject, before="directives in another order", after="as declared"))
    return changes


def _check_path(path: str, *, unit: str) -> None:
    if not path.startswith("/") or posixpath.normpath(path) != path or path == "/":
        raise InvalidDeclaration(f"{unit}: {path!r} is not an absolute, plain path", "Without a trailing slash or dots")
    if not path.isprintable() or '"' in path or "\\" in path:
        raise InvalidDeclaration(f"{unit}: the path {path!r} has a character that can't be used")


def _quoted(path: str) -> str:
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped
