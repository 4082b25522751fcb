# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a host that keeps copies of backups has for each source of them: its key's line, units that tend them. Pure."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from .backup_deployment import DISABLE, ENABLE, FILE, FOLDER, PUT, REMOVE, Item, ObservedTimer
from .backup_units import PYTHON, UNIT_FOLDER
from .copies_look import DEEP, STATE_FOLDER, look_file
from .errors import InvalidDeclaration, RefusedForSafety
from .packet_filter import Network
from .plan import Change, Plan
from .unit_text import check_hooks, section

ACCOUNT: t.Final = "bulwark-copies"
PROGRAM: t.Final = "/usr/local/lib/bulwark/bulwark-copies.pyz"
UNIT_PREFIX: t.Final = "bulwark-copies-"
HOME: t.Final = "/var/lib/bulwark-copies"
KEYS_FILE: t.Final = f"{HOME}/.ssh/authorized_keys"
# One line: what follows a line feed would be a line of its own, of a key without limits.
_KEY: t.Final = re.compile(r"(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[A-Za-z0-9@.-]+ [A-Za-z0-9+/]+={0,3}(?: [ -~]*)?")
_HEADER: t.Final = "# Managed by bulwark.database (backup_repository): the next run undoes changes made here by hand.\n"
_NAME: t.Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_PATH: t.Final = re.compile(r"(?:/[A-Za-z0-9._@+-]+)+")
_SANDBOX: t.Final = (
    ("NoNewPrivileges", "yes"),
    ("CapabilityBoundingSet", ""),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("PrivateNetwork", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectControlGroups", "yes"),
    ("RestrictNamespaces", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallErrorNumber", "EPERM"),
    ("UMask", "0077"),
    ("Nice", "10"),
    ("IOWeight", "20"),
)


@dataclasses.dataclass(frozen=True)
class Source:
    """A job whose copies are kept.

    :param public_key: the sender's; empty for one that sends nothing any more, whose copies are kept.
    :param senders: where it may come from.
    :param keep_days: days whose every moment can be restored from here.
    :param oldest_hours: how old the newest moment may become before that is an error.
    :param cluster: sources of the same one are late together, for one of its nodes makes each backup; empty for none.
    """

    name: str
    public_key: str
    senders: tuple[Network, ...]
    keep_days: int = 7
    oldest_hours: int = 26
    cluster: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.endswith(DEEP):
            raise InvalidDeclaration(
                f"{self.name!r} can't be the name of a source",
                f"Small letters, digits and hyphens, 40 at most, not ending in {DEEP}",
            )
        if self.public_key and not _KEY.fullmatch(self.public_key):
            raise InvalidDeclaration(
                f"{self.name}: public_key is no public key of OpenSSH on one line", "Like ssh-ed25519 AAAA..."
            )
        if not self.senders:
            raise InvalidDeclaration(
                f"{self.name}: from names nobody", "Write the sender's addresses; 0.0.0.0/0 and ::/0 are anywhere"
            )
        for option in ("keep_days", "oldest_hours"):
            if getattr(self, option) < 1:
                raise InvalidDeclaration(f"{self.name}: {option} is {getattr(self, option)}", "1 is the least")

    @property
    def unit(self) -> str:
        return f"{UNIT_PREFIX}{self.name}"


@dataclasses.dataclass(frozen=True)
class Repository:
    """:param root: folder of the copies, one folder for each source.
    :param minimum_free_percent: of its file system; what would leave less is not taken in.
    :param on_failure: units that are started when copies are damaged or late.
    """

    root: str
    sources: tuple[Source, ...]
    on_failure: tuple[str, ...] = ()
    minimum_free_percent: int = 5

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.root) or posixpath.normpath(self.root) != self.root:
            raise InvalidDeclaration(f"root is {self.root!r}, no plain absolute path", "Like /srv/bulwark/copies")
        if not 0 <= self.minimum_free_percent < 100:
            raise InvalidDeclaration(f"minimum_free_percent is {self.minimum_free_percent}", "It is from 0 to 99")
        names = [source.name for source in self.sources]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise InvalidDeclaration(f"there are two sources {twice}", "Each has a name of its own")
        check_hooks(self.on_failure, example="copies-alert@%n.service")


def render_units(repository: Repository) -> dict[str, str]:
    """File name to text."""
    units: dict[str, str] = {}
    for source in repository.sources:
        for end, calendar, more in (("", "hourly", ""), (DEEP, "Sun *-*-* 04:00:00 UTC", " --deep")):
            name = f"{source.unit}{end}"
            units[f"{name}.service"] = _service(repository, source, more)
            units[f"{name}.timer"] = _timer(source, calendar)
    return units


def render_authorized_keys(repository: Repository) -> str:
    """Each sender may add copies of its own from its own addresses, and nothing else."""
    lines = [_key_line(repository, source) for source in repository.sources if source.public_key]
    return "".join([_HEADER, *lines])


def _key_line(repository: Repository, source: Source) -> str:
    places = ",".join(
        str(network.network_address if network.num_addresses == 1 else network) for network in source.senders
    )
    command = (
        f"{PYTHON} -I {PROGRAM} receive --store {repository.root}/{source.name}"
        f" --minimum-free-percent {repository.minimum_free_percent}"
    )
    return f'restrict,from="{places}",command="{command}" {source.public_key}\n'


def folders_of(repository: Repository) -> list[Item]:
    """sshd reads the keys as root and asks that nobody else can write to them: not even the account adds one."""
    return [
        Item(FOLDER, HOME, "root", "root", 0o755),
        Item(FOLDER, f"{HOME}/.ssh", "root", "root", 0o755),
        Item(FOLDER, posixpath.dirname(PROGRAM), "root", "root", 0o755),
        Item(FOLDER, repository.root, ACCOUNT, ACCOUNT, 0o700),
    ]


def passages_of(repository: Repository) -> list[str]:
    """Folders on the way to the copies, outermost first."""
    steps = repository.root.split("/")[1:-1]
    return ["/" + "/".join(steps[: number + 1]) for number in range(len(steps))]


def _service(repository: Repository, source: Source, more: str) -> str:
    store = f"{repository.root}/{source.name}"
    limits = f"--keep-days {source.keep_days} --oldest-hours {source.oldest_hours}"
    others = [other for other in repository.sources if source.cluster and other.cluster == source.cluster]
    beside = "".join(f" --beside {repository.root}/{other.name}" for other in others if other is not source)
    result = look_file(source.name, deep=bool(more))
    hooks = [("OnFailure", " ".join(repository.on_failure))] if repository.on_failure else []
    service = [
        ("Type", "oneshot"),
        ("User", ACCOUNT),
        ("Group", ACCOUNT),
        ("ExecStart", f"{PYTHON} -I {PROGRAM} tend --store {store} {limits}{beside}{more} --result {result}"),
        ("TimeoutStartSec", "12h" if more else "50min"),
        *_SANDBOX,
        ("ReadWritePaths", repository.root),
        ("StateDirectory", STATE_FOLDER),
    ]
    what = "Read every copy" if more else "Look after the copies"
    return f"{_HEADER}{section('Unit', [('Description', f'{what} of {source.name}'), *hooks])}\n" + section(
        "Service", service
    )


def _timer(source: Source, calendar: str) -> str:
    timer = [("OnCalendar", calendar), ("Persistent", "true"), ("RandomizedDelaySec", "300")]
    unit, install = [("Description", f"Look after the copies of {source.name}")], [("WantedBy", "timers.target")]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Timer', timer)}\n{section('Install', install)}"


def plan_repository(
    repository: Repository, program: bytes, found: t.Mapping[str, Item], timers: t.Mapping[str, ObservedTimer]
) -> Plan:
    """:param found: files and folders of ours that there are, by path.
    :param timers: timers of ours that systemd knows. Those of sources that are not declared go; their copies stay.
    """
    units = render_units(repository)
    passages = [Item(FOLDER, path, "root", "root", 0o755) for path in passages_of(repository) if path not in found]
    wanted = [*passages, *folders_of(repository), Item(FILE, PROGRAM, "root", "root", 0o755, program)]
    wanted += [
        Item(FILE, f"{UNIT_FOLDER}/{name}", "root", "root", 0o644, text.encode()) for name, text in units.items()
    ]
    # Last of all: nobody sends anything before there is what takes it.
    wanted.append(Item(FILE, KEYS_FILE, "root", "root", 0o644, render_authorized_keys(repository).encode()))
    for item in wanted:
        _refuse_strange(item, found.get(item.path))
    changes = [change for item in wanted for change in _item_changes(item, found.get(item.path))]
    touched = {change.subject for change in changes}
    obsolete = sorted(
        path for path in set(found) - {item.path for item in wanted} if path.startswith(f"{UNIT_FOLDER}/{UNIT_PREFIX}")
    )
    changes += [
        Change(f"timer {name}", str(timer), "disabled, inactive", payload=(DISABLE, name))
        for name, timer in timers.items()
        if name not in units and (timer.enabled or timer.active)
    ]
    changes += [Change(f"file {path}", "present", "", payload=(REMOVE, path)) for path in obsolete]
    for name in (name for name in units if name.endswith(".timer")):
        timer = timers.get(name)
        if timer is None or not timer.runs or timer.outdated or f"file {UNIT_FOLDER}/{name}" in touched:
            changes.append(Change(f"timer {name}", str(timer or ""), "enabled, active", payload=(ENABLE, name)))
    return Plan(tuple(changes))


def _refuse_strange(item: Item, found: Item | None) -> None:
    if found is not None and found.kind != item.kind:
        raise RefusedForSafety(f"{item.path} is a {found.kind}, a {item.kind} is needed", "Move it away")


def _item_changes(item: Item, found: Item | None) -> t.Iterator[Change]:
    if found is None:
        yield Change(f"{item.kind} {item.path}", "", item.access, payload=(PUT, item))
        return
    differs = [] if found.access == item.access else [found.access]
    if found.data != item.data:
        differs.append("other content")
    if differs:
        yield Change(f"{item.kind} {item.path}", ", ".join(differs), item.access, payload=(PUT, item))
