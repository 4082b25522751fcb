# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The systemd units of a backup job as text: who runs what, when, for how long, and what it may touch. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .backup_job_file import MARIADB, PGBACKREST
from .errors import InvalidDeclaration
from .pgbackrest import DATABASE, REPOSITORY, Repository, side_of
from .pgbackrest import PROGRAM as PGBACKREST_PROGRAM
from .unit_text import CONFINEMENT, check_hooks, section

ACCOUNT: t.Final = "bulwark-backup"
PROGRAM: t.Final = "/usr/local/lib/bulwark/bulwark-backup.pyz"
PYTHON: t.Final = "/usr/bin/python3"
UNIT_FOLDER: t.Final = "/etc/systemd/system"
# What the names of a job's units end in, besides those of its full backup.
ENDINGS: t.Final = (
    *("-collect", "-heartbeat", "-stream", "-renew", "-deliver", "-verify"),
    *("-repository", "-between", "-source"),
)

_HEADER: t.Final = "# Managed by bulwark.database (backup_job): the next run undoes changes made here by hand.\n"
# The program ends itself at its deadline, cleans up and says so; systemd ends one that can't any more.
_GRACE_SECONDS: t.Final = 300
# Once a minute; one that takes longer than the next is due holds nothing up, because systemd starts no second one.
_COLLECT_SECONDS: t.Final = 900
_HEARTBEAT_SECONDS: t.Final = 30
_ANTEROOM_SECONDS: t.Final = 15
_VERIFY_SECONDS: t.Final = 43200
_VERIFY_DELAY_SECONDS: t.Final = 3600
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*")

# Data goes by a unix socket and to local folders: no network, no devices, nobody's home, no other process.
_SANDBOX: t.Final = (
    *CONFINEMENT,
    ("PrivateNetwork", "yes"),
    ("RestrictAddressFamilies", "AF_UNIX"),
    ("MemoryDenyWriteExecute", "yes"),
    ("RemoveIPC", "yes"),
    ("UMask", "0077"),
)
_SANDBOX_WITH_NETWORK: t.Final = (
    *(one for one in _SANDBOX if one[0] not in ("PrivateNetwork", "RestrictAddressFamilies")),
    ("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"),
)
# Another host says which files the server of an anteroom opens: it sees none but these, and no process.
_PROGRAMS_AND_NAMES: t.Final = (
    *("/usr", "-/bin", "-/lib", "-/lib64", "-/sbin", "/etc/passwd", "/etc/group", "-/etc/nsswitch.conf"),
    *("-/etc/ld.so.cache", "-/etc/localtime", "-/etc/ssl/openssl.cnf"),
)
# And the server of a database reads what its account can, which is every file, as a backup does.
_SECRETS_OF_THE_HOST: t.Final = (
    *("-/etc/shadow", "-/etc/gshadow", "-/etc/shadow-", "-/etc/gshadow-", "-/etc/ssh", "-/etc/ssl/private"),
)
# The database comes first, whatever the backup would like.
_LOW_PRIORITY: t.Final = (
    ("Nice", "10"),
    ("CPUWeight", "20"),
    ("IOWeight", "20"),
    ("IOSchedulingClass", "best-effort"),
    ("IOSchedulingPriority", "7"),
)
# mariadb-backup copies a data directory that is another account's alone. It asks access(2) first, which takes the
# capabilities of every account but root for nothing, unless the secure bit says otherwise.
_READS_EVERY_FILE: t.Final = (
    ("CapabilityBoundingSet", "CAP_DAC_READ_SEARCH"),
    ("AmbientCapabilities", "CAP_DAC_READ_SEARCH"),
    ("SecureBits", "no-setuid-fixup"),
)
NO_CAPABILITIES: t.Final = (("CapabilityBoundingSet", ""), ("AmbientCapabilities", ""))


@dataclasses.dataclass(frozen=True)
class Schedule:
    """:param at: time of day of the full backup.
    :param time_zone: the zone that ``at`` is meant in, as IANA names it.
    :param randomized_delay: seconds at most that are added at random, so that many hosts don't start at once.
    :param on_failure: units that are started when one of the job's fails.
    :param verify_weekly: whether every byte of the store is read each Sunday.
    :param between_at: times of day of sets between full ones (pgBackRest).
    """

    at: str = "00:00"
    time_zone: str = "UTC"
    randomized_delay: int = 0
    on_failure: tuple[str, ...] = ()
    verify_weekly: bool = True
    between_at: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, time in (("full_at", self.at), *(("between_at", time) for time in self.between_at)):
            if not _TIME.fullmatch(time):
                raise InvalidDeclaration(f"{option} is {time!r}, no time of day", "Like 00:00 or 23:30")
        if not _ZONE.fullmatch(self.time_zone):
            raise InvalidDeclaration(f"time_zone is {self.time_zone!r}, no time zone", "Like UTC or Europe/Berlin")
        if self.randomized_delay < 0:
            raise InvalidDeclaration("randomized_delay is less than 0", "It is a number of seconds")
        check_hooks(self.on_failure, example="backup-alert@%n.service")

    @property
    def calendar(self) -> str:
        """As in OnCalendar=."""
        return self.calendar_of(self.at)

    def calendar_of(self, at: str) -> str:
        return f"*-*-* {at if at.count(':') == 2 else f'{at}:00'} {self.time_zone}"


@dataclasses.dataclass(frozen=True)
class UnitJob:
    """What the units have to know of a job.

    :param heartbeat: the command that commits an empty transaction; empty where none is needed.
    :param stream: folder that MariaDB's binary logs are streamed to; empty where they are not.
    :param delivery_key: file with what the store is copied elsewhere by; empty where it is not.
    :param repository: of pgBackRest; None for the other engines.
    :param delivery_addresses: those of the host that takes copies.
    :param delivery_hosts: file with its name for the service that sends; empty where that needs none.
    """

    name: str
    engine: str
    job_file: str
    store: str
    state: str
    incoming: str
    deadline_seconds: int
    schedule: Schedule
    heartbeat: tuple[str, ...] = ()
    stream: str = ""
    delivery_key: str = ""
    repository: Repository | None = None
    delivery_addresses: tuple[str, ...] = ()
    delivery_hosts: str = ""

    @property
    def unit(self) -> str:
        return f"bulwark-backup-{self.name}"

    @property
    def side(self) -> str:
        return side_of(self.repository)

    def command(self, name: str) -> str:
        return f"{PYTHON} -I {PROGRAM} {name} --job {self.job_file}"


def render_units(job: UnitJob) -> dict[str, str]:
    """File name to text."""
    if job.side == DATABASE:
        return _units_of_database(job)
    units = {f"{job.unit}.service": _full_service(job), f"{job.unit}.timer": _full_timer(job)}
    if job.stream:
        units[f"{job.unit}-stream.service"] = _stream_service(job)
        units[f"{job.unit}-stream.timer"] = _minute_timer("Follow the binary logs for", job)
        units[f"{job.unit}-renew.service"] = _renew_service(job)
        units[f"{job.unit}-renew.timer"] = _minute_timer("Look whether a full backup is asked for at once of", job)
    if job.repository:
        serve = _anteroom_service if job.side == REPOSITORY else _repository_service
        units[f"{job.unit}-repository.service"] = serve(job, job.repository)
        units[f"{job.unit}-repository.timer"] = _minute_timer("Take the log for", job)
        if job.schedule.between_at:
            units[f"{job.unit}-between.service"] = _between_service(job)
            units[f"{job.unit}-between.timer"] = _between_timer(job)
    if job.incoming or job.stream:
        units[f"{job.unit}-collect.service"] = _collect_service(job)
        units[f"{job.unit}-collect.timer"] = _collect_timer(job)
    if job.heartbeat:
        units[f"{job.unit}-heartbeat.service"] = _heartbeat_service(job)
        units[f"{job.unit}-heartbeat.timer"] = _minute_timer("Heartbeat for the recovery of", job)
    if job.schedule.verify_weekly:
        units[f"{job.unit}-verify.service"] = _verify_service(job)
        units[f"{job.unit}-verify.timer"] = _verify_timer(job)
    if job.delivery_key:
        units[f"{job.unit}-deliver.service"] = _deliver_service(job)
        units[f"{job.unit}-deliver.timer"] = _minute_timer("Copy to another host", job)
    return units


def _units_of_database(job: UnitJob) -> dict[str, str]:
    """The backup itself is the repository's host's own."""
    units = {}
    if job.repository:
        units[f"{job.unit}-source.service"] = _source_service(job, job.repository)
        units[f"{job.unit}-source.timer"] = _minute_timer("Be read for", job)
    if job.heartbeat:
        units[f"{job.unit}-heartbeat.service"] = _heartbeat_service(job)
        units[f"{job.unit}-heartbeat.timer"] = _minute_timer("Heartbeat for the recovery of", job)
    return units


def anteroom_group(repository: Repository) -> str:
    """The group of the server of an anteroom, and of no other process: no two jobs of a host have the same port.

    By /proc the kernel lets a process look into another (its files, its memory) if they are of the same account and the
    same group (ptrace(2), access mode checking). This server opens what another host names.
    """
    return f"bulwark-incoming-{repository.port}"


def render_archiving_drop_in(incoming: str) -> str:
    """For the server's own service: where it is sandboxed, archive_command may write to the anteroom all the same."""
    return f"{_HEADER}{section('Service', [('ReadWritePaths', f'-{incoming}')])}"


def _full_service(job: UnitJob, *, when: str = "") -> str:
    return _service(
        job,
        description=f"Encrypted full backup {job.name} ({job.engine})" + (", asked for at once" if when else ""),
        when=when,
        command=job.command("full"),
        seconds=job.deadline_seconds + _GRACE_SECONDS,
        writable=[job.store, job.state, *([job.incoming] if job.incoming else [])],
        sandbox=_backup_sandbox(job),
    )


def _backup_sandbox(job: UnitJob) -> tuple[tuple[str, str], ...]:
    """A server of this host is reached by its socket and its files, one of another host by that host's pgBackRest."""
    if job.side == REPOSITORY:
        return (*_with_peer(job), *NO_CAPABILITIES)
    return (*_SANDBOX, *(_READS_EVERY_FILE if job.engine in (MARIADB, PGBACKREST) else NO_CAPABILITIES))


def _with_peer(job: UnitJob) -> tuple[tuple[str, str], ...]:
    return _reaching(job.repository.peer[0] if job.repository else "")


def _reaching(*addresses: str) -> tuple[tuple[str, str], ...]:
    """A network in which there is nobody else."""
    return (*_SANDBOX_WITH_NETWORK, ("IPAddressDeny", "any"), ("IPAddressAllow", " ".join(addresses)))


def _between_service(job: UnitJob) -> str:
    return _service(
        job,
        description=f"Encrypted backup {job.name} between full ones ({job.engine})",
        command=job.command("between"),
        seconds=job.deadline_seconds + _GRACE_SECONDS,
        writable=[job.store, job.state],
        sandbox=_backup_sandbox(job),
    )


def _repository_service(job: UnitJob, repository: Repository) -> str:
    """Takes WAL from the server's own account, which has no access to the repository."""
    return _server(
        job,
        "-repository",
        description=f"Take the log for the backup {job.name} into its repository",
        command=_serving(repository),
        needs=[repository.passphrase, repository.key("server")],
        sandbox=(
            # a new stanza takes the identity of a server that runs: where it does not, the backup tries again
            ("ExecStartPre", f"-{job.command('prepare')}"),
            *_reaching("localhost"),
            *_READS_EVERY_FILE,
            ("ReadWritePaths", job.store),
            ("ReadWritePaths", job.state),
        ),
    )


def _anteroom_service(job: UnitJob, repository: Repository) -> str:
    """Takes WAL from the database's host, which has no access to the repository.

    A temporary file system for / alone is passed over by systemd 252 without a word: it takes a folder first. /proc is
    there all the same, and leads to no other process, because that has another group (anteroom_group).
    """
    anteroom = repository.anteroom
    confined = [one for one in _with_peer(job) if one[0] not in ("ProtectProc", "PrivateTmp")]
    return _server(
        job,
        "-repository",
        description=f"Take the log for the backup {job.name} from its database's host",
        command=_serving(anteroom),
        needs=[anteroom.passphrase, anteroom.key("server"), anteroom.certificate("client")],
        group=anteroom_group(repository),
        sandbox=(
            ("SupplementaryGroups", ACCOUNT),  # which reads its configuration and keys
            *confined,
            *NO_CAPABILITIES,
            ("RootDirectory", repository.empty_root),
            ("TemporaryFileSystem", "/:ro"),
            ("BindReadOnlyPaths", " ".join([*_PROGRAMS_AND_NAMES, anteroom.folder])),
            ("BindPaths", job.incoming),
        ),
    )


def _source_service(job: UnitJob, repository: Repository) -> str:
    """Lets the repository's host read the database, and begin and end a backup as the account in the database may."""
    return _server(
        job,
        "-source",
        description=f"Let the repository of the backup {job.name} read this host's database",
        command=f"{PGBACKREST_PROGRAM} --config={repository.source_configuration} server",
        needs=[repository.key("source"), repository.certificate("server")],
        sandbox=(
            *_with_peer(job),
            *_READS_EVERY_FILE,
            ("InaccessiblePaths", " ".join(_SECRETS_OF_THE_HOST)),
            ("ReadWritePaths", job.state),
        ),
    )


def _serving(repository: Repository) -> str:
    known = [f"--config={repository.configuration}", f"--config-include-path={repository.secrets}"]
    return " ".join([PGBACKREST_PROGRAM, *known, "server"])


def _server(
    job: UnitJob,
    ending: str,
    *,
    description: str,
    command: str,
    needs: t.Sequence[str],
    sandbox: t.Sequence[tuple[str, str]],
    group: str = ACCOUNT,
) -> str:
    """Its timer starts it where it does not run, and stopping that stops it. Before there are keys there is nothing to
    serve."""
    service = [
        ("Type", "exec"),
        ("User", ACCOUNT),
        ("Group", group),
        ("ExecStart", command),
        ("Restart", "always"),
        ("RestartSec", "10"),
        *_LOW_PRIORITY,
        *sandbox,
    ]
    unit = [
        ("Description", description),
        ("PartOf", f"{job.unit}{ending}.timer"),
        *(("ConditionPathExists", path) for path in needs),
        ("StartLimitIntervalSec", "0"),
    ]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Service', service)}"


def _renew_service(job: UnitJob) -> str:
    """The server began a new chain of logs, which no full backup leads into: that can't wait until midnight."""
    return _full_service(job, when=f"{job.state}/full-wanted")


def _stream_service(job: UnitJob) -> str:
    """Its timer starts it where it does not run, and stopping that stops it."""
    service = [
        ("Type", "exec"),
        ("User", ACCOUNT),
        ("Group", ACCOUNT),
        ("ExecStart", job.command("stream")),
        ("Restart", "always"),
        ("RestartSec", "10"),
        *_LOW_PRIORITY,
        *_SANDBOX,
        *NO_CAPABILITIES,
        ("ReadWritePaths", job.state),
    ]
    timer = f"{job.unit}-stream.timer"
    unit = [
        ("Description", f"Follow the binary logs for the backup {job.name}"),
        ("PartOf", timer),
        # as often as it takes: a server that is down for long comes back
        ("StartLimitIntervalSec", "0"),
    ]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Service', service)}"


def _collect_service(job: UnitJob) -> str:
    return _service(
        job,
        description=f"Carry the log of the backup {job.name} into its store",
        command=job.command("collect"),
        # before both hosts know each other there is nothing to carry
        when=job.repository.anteroom.certificate("source") if job.repository else "",
        seconds=_COLLECT_SECONDS,
        writable=[job.store, job.state, *([job.incoming] if job.incoming else [])],
        is_frequent=True,
        # where there is no repository yet, it takes the identity of the server on the other host
        sandbox=_backup_sandbox(job) if job.side == REPOSITORY else (*_SANDBOX, *NO_CAPABILITIES),
    )


def _heartbeat_service(job: UnitJob) -> str:
    """Its own service, so that a failing heartbeat is seen as what it is, and keeps no WAL from being carried."""
    return _service(
        job,
        description=f"Heartbeat for the recovery of the backup {job.name}",
        command=" ".join(f'"{word}"' if " " in word else word for word in job.heartbeat),
        seconds=_HEARTBEAT_SECONDS,
        writable=[],
        is_frequent=True,
    )


def _deliver_service(job: UnitJob) -> str:
    """Of a sealed job the one service with a network, and that one host of it. It reaches sealed files and no server.

    Before its key is there, it waits.
    """
    names = (("BindReadOnlyPaths", f"{job.delivery_hosts}:/etc/hosts"),) if job.delivery_hosts else ()
    return _service(
        job,
        description=f"Copy the backup {job.name} to another host",
        command=job.command("deliver"),
        seconds=job.deadline_seconds,
        writable=[job.state],
        is_frequent=True,
        when=job.delivery_key,
        sandbox=(*_reaching(*job.delivery_addresses), *names, *NO_CAPABILITIES),
    )


def _verify_service(job: UnitJob) -> str:
    """What lies unread for a week may have rotted, and the copy that would mend it is pruned by then."""
    return _service(
        job,
        description=f"Read every byte of the backup {job.name}",
        command=f"{job.command('verify')} --deep",
        seconds=_VERIFY_SECONDS,
        writable=[job.state],
        sandbox=(*_SANDBOX, *NO_CAPABILITIES),
    )


def _service(
    job: UnitJob,
    *,
    description: str,
    command: str,
    seconds: int,
    writable: t.Sequence[str],
    sandbox: t.Sequence[tuple[str, str]] = (*_SANDBOX, *NO_CAPABILITIES),
    is_frequent: bool = False,
    when: str = "",
) -> str:
    service = [
        ("Type", "oneshot"),
        ("User", ACCOUNT),
        ("Group", ACCOUNT),
        ("ExecStart", command),
        ("TimeoutStartSec", str(seconds)),
        *_LOW_PRIORITY,
        *sandbox,
        *(("ReadWritePaths", path) for path in writable),
        # What comes by each minute would fill the journal with "Starting" and "Finished"; failures are said.
        *([("SyslogLevel", "notice"), ("LogLevelMax", "notice")] if is_frequent else []),
    ]
    unit = [*_unit(job, description), *([("ConditionPathExists", when)] if when else [])]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Service', service)}"


def _unit(job: UnitJob, description: str) -> list[tuple[str, str]]:
    hooks = " ".join(job.schedule.on_failure)
    return [("Description", description), *([("OnFailure", hooks)] if hooks else [])]


def _full_timer(job: UnitJob) -> str:
    schedule = job.schedule
    timer = [
        ("OnCalendar", schedule.calendar),
        ("Persistent", "true"),  # a host that was off at that time makes up for it
        ("RandomizedDelaySec", str(schedule.randomized_delay)),
        ("AccuracySec", "1s"),
    ]
    return _timer(f"Encrypted full backup {job.name}, each day", timer)


def _between_timer(job: UnitJob) -> str:
    schedule = job.schedule
    timer = [
        *(("OnCalendar", schedule.calendar_of(at)) for at in schedule.between_at),
        ("RandomizedDelaySec", str(schedule.randomized_delay)),
        ("AccuracySec", "1s"),
    ]
    return _timer(f"Encrypted backup {job.name} between full ones", timer)


def _verify_timer(job: UnitJob) -> str:
    """At a quiet time, hours away from the full backup; not at the same minute on all hosts that share a disk."""
    timer = [
        ("OnCalendar", f"Sun *-*-* 12:00:00 {job.schedule.time_zone}"),
        ("Persistent", "true"),
        ("RandomizedDelaySec", str(_VERIFY_DELAY_SECONDS)),
    ]
    return _timer(f"Read every byte of the backup {job.name}, each week", timer)


def _minute_timer(purpose: str, job: UnitJob) -> str:
    return _timer(f"{purpose} the backup {job.name}, each minute", [("OnCalendar", "minutely"), ("AccuracySec", "1s")])


def _collect_timer(job: UnitJob) -> str:
    """A backup on another host waits until its last segment has come through."""
    if job.side != REPOSITORY:
        return _minute_timer("Carry the log of", job)
    calendar = [("OnCalendar", f"*:*:0/{_ANTEROOM_SECONDS}"), ("AccuracySec", "1s")]
    return _timer(f"Carry the log of the backup {job.name}, several times a minute", calendar)


def _timer(description: str, timer: t.Sequence[tuple[str, str]]) -> str:
    unit, install = [("Description", description)], [("WantedBy", "timers.target")]
    return f"{_HEADER}{section('Unit', unit)}\n{section('Timer', timer)}\n{section('Install', install)}"
