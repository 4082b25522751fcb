# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a restore test is on its host: program, file, systemd units; and what differs from what is there. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .backup_deployment import DISABLE, ENABLE, FILE, PUT, REMOVE, Item, ObservedTimer
from .backup_units import NO_CAPABILITIES, PYTHON, UNIT_FOLDER
from .errors import InvalidDeclaration
from .plan import Change, Plan
from .restore_test_file import RestoreTest, render_restore_test
from .unit_text import CONFINEMENT, check_hooks, section

ACCOUNT: t.Final = "bulwark-restore"
PROGRAM: t.Final = "/usr/local/lib/bulwark/bulwark-restore-test.pyz"
FOLDER: t.Final = "/etc/bulwark/restore-test"
_HEADER: t.Final = "# Managed by bulwark.database (restore_test_job): the next run undoes changes made here by hand.\n"
_GRACE_SECONDS: t.Final = 300
_SIZE = re.compile(r"[1-9][0-9]{0,8}[KMG%]?")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+")
# In a unit % begins a specifier and $ a variable; both are doubled. The rest of a word is quoted.
_PLAIN_WORD = re.compile(r"[^\x00-\x1f\x7f]+")

# Without MemoryDenyWriteExecute, which the just-in-time compiler of a restored PostgreSQL can't live with.
_SANDBOX: t.Final = (
    *CONFINEMENT,
    ("RemoveIPC", "yes"),
    ("UMask", "0077"),
)
_NO_NETWORK: t.Final = (("PrivateNetwork", "yes"), ("RestrictAddressFamilies", "AF_UNIX"))
_LOW_PRIORITY: t.Final = (("Nice", "10"), ("CPUWeight", "20"), ("IOWeight", "20"))
# Of two processes of one account, the kernel lets the one look into the other by /proc (its files, its memory) unless
# that one has a capability more (ptrace(2), access mode checking). This one does no harm.
_UNSEEN: t.Final = (
    ("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE"),
    ("AmbientCapabilities", "CAP_NET_BIND_SERVICE"),
)


@dataclasses.dataclass(frozen=True)
class Deployment:
    """:param calendar: when it runs, as OnCalendar= of systemd takes it.
    :param scratch_size: size of a scratch folder in memory, as tmpfs takes it; empty for one on disk.
    :param pull_command: what brings the source up to date before each test; empty for nothing.
    :param timer: whether it runs by itself. Without a timer somebody starts the service.
    :param key_files: where keys of encrypted tables lie on this host, by the path where the server looks for them.
    """

    test: RestoreTest
    calendar: str
    randomized_delay: int = 0
    scratch_size: str = ""
    pull_command: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    key_files: tuple[tuple[str, str], ...] = ()
    timer: bool = True

    def __post_init__(self) -> None:
        if not self.calendar or not _PLAIN_WORD.fullmatch(self.calendar):
            raise InvalidDeclaration(f"calendar is {self.calendar!r}", "Like Sun *-*-* 03:00:00 UTC")
        if self.randomized_delay < 0:
            raise InvalidDeclaration("randomized_delay is less than 0", "It is a number of seconds")
        if self.scratch_size and not _SIZE.fullmatch(self.scratch_size):
            raise InvalidDeclaration(f"scratch_size is {self.scratch_size!r}", "Like 8G or 50%")
        check_hooks(self.on_failure, example="backup-alert@%n.service")
        if self.pull_command and not self.pull_command[0].startswith("/"):
            raise InvalidDeclaration(
                f"pull_command begins with {self.pull_command[0]!r}", "Give the program's whole path"
            )
        for path in (path for pair in self.key_files for path in pair):
            if not _PLAIN_PATH.fullmatch(path):
                raise InvalidDeclaration(
                    f"key_files: {path!r} is no plain absolute path", "Letters, digits and . _ @ + - only"
                )
        if not all(_PLAIN_WORD.fullmatch(word) for word in self.pull_command):
            raise InvalidDeclaration("pull_command has an empty word or a line feed in it")

    @property
    def unit(self) -> str:
        return f"bulwark-restore-test-{self.test.name}"


def test_file(name: str) -> str:
    return f"{FOLDER}/{name}.json"


def unit_names(name: str) -> tuple[str, ...]:
    unit = f"bulwark-restore-test-{name}"
    return (f"{unit}-pull.service", f"{unit}.service", f"{unit}.timer")


def files_of(deployment: Deployment, program: bytes) -> list[Item]:
    """The timer last: nothing starts what is not there yet."""
    test = deployment.test
    texts = [(test_file(test.name), render_restore_test(test), ACCOUNT, 0o640)]
    texts += [(f"{UNIT_FOLDER}/{name}", text, "root", 0o644) for name, text in render_units(deployment).items()]
    return [
        Item(FILE, PROGRAM, "root", "root", 0o755, program),
        *(Item(FILE, path, "root", group, mode, text.encode()) for path, text, group, mode in texts),
    ]


def plan_present(
    deployment: Deployment, program: bytes, found: t.Mapping[str, Item], timers: t.Mapping[str, ObservedTimer]
) -> Plan:
    """:param found: what of the test's files there is, by path."""
    wanted = files_of(deployment, program)
    changes = [] if deployment.timer else _stops(timers)
    changes += [change for item in wanted for change in _item_changes(item, found.get(item.path))]
    obsolete = set(found) - {item.path for item in wanted}
    changes += [Change(f"file {path}", "present", "", payload=(REMOVE, path)) for path in sorted(obsolete)]
    if not deployment.timer:
        return Plan(tuple(changes))
    name = f"{deployment.unit}.timer"
    timer = timers.get(name)
    touched = {change.subject for change in changes}
    if timer is None or not timer.runs or timer.outdated or f"file {UNIT_FOLDER}/{name}" in touched:
        changes.append(Change(f"timer {name}", str(timer or ""), "enabled, active", payload=(ENABLE, name)))
    return Plan(tuple(changes))


def plan_absent(found: t.Mapping[str, Item], timers: t.Mapping[str, ObservedTimer]) -> Plan:
    """What of the test goes. Its evidence, its keys and the program stay."""
    gone = [Change(f"file {path}", "present", "", payload=(REMOVE, path)) for path in sorted(found) if path != PROGRAM]
    return Plan((*_stops(timers), *gone))


def _stops(timers: t.Mapping[str, ObservedTimer]) -> list[Change]:
    return [
        Change(f"timer {name}", str(timer), "disabled, inactive", payload=(DISABLE, name))
        for name, timer in timers.items()
        if timer.enabled or timer.active
    ]


def render_units(deployment: Deployment) -> dict[str, str]:
    """File name to text."""
    unit = deployment.unit
    units = {f"{unit}-pull.service": _pull_service(deployment)} if deployment.pull_command else {}
    units[f"{unit}.service"] = _service(deployment)
    return {**units, f"{unit}.timer": _timer(deployment)} if deployment.timer else units


def _service(deployment: Deployment) -> str:
    test = deployment.test
    pull = f"{deployment.unit}-pull.service"
    # A failed pull fails by itself, and the test shows how old the source has become.
    order = [("Wants", pull), ("After", pull)] if deployment.pull_command else []
    scratch = ("ReadWritePaths", test.scratch)
    if deployment.scratch_size:
        scratch = ("TemporaryFileSystem", f"{test.scratch}:size={deployment.scratch_size},mode=1777")
    command = f"{PYTHON} -I {PROGRAM}"
    service = [
        *_account(deployment.test.deadline_seconds + _GRACE_SECONDS),
        ("ExecStart", f"{command} run --test {test_file(test.name)}"),
        ("ExecStopPost", f"{command} clear --test {test_file(test.name)}"),
        *_LOW_PRIORITY,
        *_SANDBOX,
        *_UNSEEN,  # a pull for another test, which has a network, is of the same account
        *_NO_NETWORK,
        scratch,
        ("ReadWritePaths", test.state),
        ("ReadOnlyPaths", test.source),
        # Seen by this service alone, so that tests of several servers can have keys at one path.
        *(("BindReadOnlyPaths", f"{here}:{there}") for there, here in deployment.key_files),
    ]
    unit = [("Description", f"Restore test {test.name} ({test.engine})"), *order, *_hooks(deployment)]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Service', service)}"


def _pull_service(deployment: Deployment) -> str:
    """With a network, and so without the keys and without what another test restores at the same time."""
    test = deployment.test
    # A dash for what may not be there: keys that are yet to be brought, a folder that is made in memory.
    hidden = [*test.opens.values(), test.signing_key]
    hidden += [f"-{path}" for path in (*(here for dummy, here in deployment.key_files), test.scratch)]
    service = [
        *_account(test.deadline_seconds),
        ("ExecStart", " ".join(_word(word) for word in deployment.pull_command)),
        *_LOW_PRIORITY,
        *_SANDBOX,
        *NO_CAPABILITIES,
        ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
        ("ReadWritePaths", test.source),
        ("InaccessiblePaths", " ".join(hidden)),
    ]
    unit = [("Description", f"Fetch backups for the restore test {test.name}"), *_hooks(deployment)]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Service', service)}"


def _timer(deployment: Deployment) -> str:
    timer = [
        ("OnCalendar", deployment.calendar),
        ("Persistent", "true"),  # a host that was off at that time makes up for it
        ("RandomizedDelaySec", str(deployment.randomized_delay)),
        ("AccuracySec", "1s"),
    ]
    unit, install = [("Description", f"Restore test {deployment.test.name}")], [("WantedBy", "timers.target")]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Timer', timer)}\n{section('Install', install)}"


def _account(seconds: int) -> list[tuple[str, str]]:
    return [("Type", "oneshot"), ("User", ACCOUNT), ("Group", ACCOUNT), ("TimeoutStartSec", str(seconds))]


def _hooks(deployment: Deployment) -> list[tuple[str, str]]:
    return [("OnFailure", " ".join(deployment.on_failure))] if deployment.on_failure else []


def _word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _item_changes(item: Item, found: Item | None) -> t.Iterator[Change]:
    if found is None:
        yield Change(f"file {item.path}", "", item.access, payload=(PUT, item))
        return
    differs = [] if found.access == item.access else [found.access]
    if found.data != item.data:
        differs.append("other content")
    if differs:
        yield Change(f"file {item.path}", ", ".join(differs), item.access, payload=(PUT, item))
