# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A backup job on a host: what it consists of, what is refused, and what differs from what is there. Pure."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import json
import posixpath
import re
import typing as t

from .backup_election import Cluster
from .backup_job_file import FORMAT, MARIADB, PGBACKREST, POSTGRESQL, BackupJob
from .backup_moments import render_moment
from .backup_recipients import Recipients
from .backup_units import (
    ACCOUNT,
    ENDINGS,
    PROGRAM,
    UNIT_FOLDER,
    Schedule,
    UnitJob,
    anteroom_group,
    render_archiving_drop_in,
    render_units,
)
from .errors import InvalidDeclaration, MissingRequirement, RefusedForSafety
from .object_storage import PROGRAM as OBJECT_STORAGE_PROGRAM
from .object_storage import (
    Bucket,
    ObjectStorage,
    refuse_powerful,
    refuse_unlocked,
    render_hosts,
)
from .object_storage import (
    render_configuration as render_bucket_configuration,
)
from .offsite import Offsite
from .openpgp_key import KeyState, refuse_unusable
from .pgbackrest import (
    DATABASE,
    REPOSITORY,
    TOGETHER,
    Repository,
    render_anteroom_configuration,
    render_archive_configuration,
    render_configuration,
    render_source_configuration,
    side_of,
)
from .pgbackrest import PROGRAM as PGBACKREST_PROGRAM
from .plan import Change, Plan
from .recipient_expiry import expiry_warnings
from .s3_signature import Credentials
from .sealing import AGE, PROGRAMS, key_file

HOME: t.Final = "/var/lib/bulwark"
JOB_FOLDER: t.Final = "/etc/bulwark/backup"
FILE: t.Final = "file"
FOLDER: t.Final = "folder"
NO_SHELL: t.Final = "/usr/sbin/nologin"
NO_SHELLS: t.Final = (NO_SHELL, "/sbin/nologin", "/bin/false", "/usr/bin/false")
# Kinds of what a change does, for the applying side.
MAKE_ACCOUNT: t.Final = "make account"
MAKE_GROUP: t.Final = "make group"
PUT: t.Final = "put"
REMOVE: t.Final = "remove"
ENABLE: t.Final = "enable"
DISABLE: t.Final = "disable"

# Everybody may pass through, nobody may look around.
_PASSAGE_MODE: t.Final = 0o711
_SEARCH_BY_OTHERS: t.Final = 0o001
_OUR_ROOTS: t.Final = ("/etc/bulwark", "/usr/local/lib/bulwark", HOME, "/var/backups/bulwark")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# They name units of a job called by what comes before.
_TAKEN_ENDINGS: t.Final = ENDINGS
# What can stand in a unit and in archive_command without quoting.
_PATH = re.compile(r"/[A-Za-z0-9._@+/-]*")
_COMPRESSION_LEVELS: t.Final = range(1, 20)


@dataclasses.dataclass(frozen=True)
class Server:
    """The server that is backed up.

    :param socket: folder of the socket (PostgreSQL), or the socket itself (MariaDB).
    :param binaries: folder of the server's own programs (PostgreSQL).
    :param defaults_file: the server's option file (MariaDB).
    :param unit: the service that the server runs in, and with it its archive_command; empty if it needs no passage.
    :param heartbeat_database: where the heartbeat logs in; empty for no heartbeat.
    """

    engine: str
    socket: str
    data_directory: str
    port: int = 5432
    binaries: str = ""
    defaults_file: str = ""
    unit: str = ""
    heartbeat_database: str = ""

    def as_document(self) -> dict[str, t.Any]:
        """As it stands in the job's file."""
        if self.engine == MARIADB:
            own = {"defaults_file": self.defaults_file, "datadir": self.data_directory}
            return {"socket": self.socket, "user": ACCOUNT, **own}
        own = {"binaries": self.binaries, "data_directory": self.data_directory}
        return {"socket": self.socket, "port": self.port, "user": ACCOUNT, **own}

    def programs(self) -> dict[str, str]:
        """What the job runs of the server's own, with the Debian package that each is in."""
        if self.engine == MARIADB:
            return {
                "mariadb-backup": "mariadb-backup",
                "mariadb": "mariadb-client-core",
                "mariadb-binlog": "mariadb-client",
            }
        if self.engine == PGBACKREST:
            return {PGBACKREST_PROGRAM: "pgbackrest", f"{self.binaries}/psql": "postgresql-client"}
        return {f"{self.binaries}/{name}": "postgresql-client" for name in ("pg_basebackup", "psql")}


@dataclasses.dataclass(frozen=True)
class Limits:
    """See the module's options of the same names."""

    keep_days: int = 7
    compression_level: int = 1
    deadline_seconds: int = 21600
    minimum_free_percent: int = 10
    smallest_share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("keep_days", "deadline_seconds"):
            if getattr(self, name) < 1:
                raise InvalidDeclaration(f"{name} is {getattr(self, name)}", "1 is the least")
        if self.compression_level not in _COMPRESSION_LEVELS:
            raise InvalidDeclaration(f"compression_level is {self.compression_level}", "zstd has 1 to 19")
        if not 0 <= self.minimum_free_percent < 100:
            raise InvalidDeclaration(f"minimum_free_percent is {self.minimum_free_percent}", "It is from 0 to 99")
        if not 0 <= self.smallest_share < 1:
            raise InvalidDeclaration(f"smallest_share is {self.smallest_share}", "It is a share, from 0 to below 1")


@dataclasses.dataclass(frozen=True)
class Job:
    """One job as it is declared.

    :param expiries: when nothing can be sealed to a recipient any more; of those that have an end, once it is known.
    :param credentials: of object storage; None for another place, or none.
    """

    name: str
    server: Server
    store: str
    state: str
    incoming: str
    recipients: Recipients
    limits: Limits
    schedule: Schedule
    cluster: Cluster | None = None
    stream: str = ""
    offsite: Offsite | ObjectStorage | None = None
    repository: Repository | None = None
    credentials: Credentials | None = None
    expiries: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.repository and self.recipients.sealing != AGE:
            raise InvalidDeclaration(
                "the passphrase of a repository of pgBackRest is sealed by age alone",
                "Name recipients of age, or use the engine postgresql",
            )
        if self.repository and self.offsite:
            raise InvalidDeclaration(
                "offsite is of no use with the engine pgbackrest, which rewrites what it stores",
                "Use the engine postgresql, whose copies can't be overwritten",
            )
        if self.repository:
            _check_addresses(self.repository)
        for what, path in self.paths().items():
            if path:
                _check_path(what, path)

    @property
    def side(self) -> str:
        return side_of(self.repository)

    def paths(self) -> dict[str, str]:
        server = self.server
        named = {"store": self.store, "state_path": self.state, "incoming_path": self.incoming}
        of_server = {"socket": server.socket, "binaries": server.binaries, "defaults_file": server.defaults_file}
        return {**named, **of_server, "data_directory": server.data_directory}

    @property
    def file(self) -> str:
        return job_file(self.name)

    @property
    def document(self) -> dict[str, t.Any]:
        """What stands in the job's file; nothing of it is secret."""
        return {
            "format": FORMAT,
            "name": self.name,
            "engine": self.server.engine,
            "store": self.store,
            "state": self.state,
            **({"incoming": self.incoming} if self.incoming else {}),
            "recipients": list(self.recipients.names),
            **self._keys_in_document(),
            **dataclasses.asdict(self.limits),
            "server": self.server.as_document(),
            **({"stream": self.stream} if self.stream else {}),
            **({"cluster": dataclasses.asdict(self.cluster)} if self.cluster else {}),
            **self._place_in_document(),
            **({"repository": dataclasses.asdict(self.repository)} if self.repository else {}),
        }

    def _place_in_document(self) -> dict[str, t.Any]:
        if self.offsite is None:
            return {}
        kind = "object_storage" if isinstance(self.offsite, ObjectStorage) else "offsite"
        return {kind: dataclasses.asdict(self.offsite)}

    def _keys_in_document(self) -> dict[str, t.Any]:
        if self.recipients.sealing == AGE:
            return {}
        expiries = {"recipients_expire": dict(self.expiries)} if self.expiries else {}
        return {"sealing": self.recipients.sealing, "recipient_keys": recipients_folder(self.name), **expiries}

    def programs(self) -> dict[str, str]:
        """What the job runs, with the Debian package that each is in."""
        program, package = PROGRAMS[self.recipients.sealing]
        if self.side == DATABASE:
            return self.server.programs()
        if self.side == REPOSITORY:
            return {program: package, PGBACKREST_PROGRAM: "pgbackrest"}
        sending = {OBJECT_STORAGE_PROGRAM: OBJECT_STORAGE_PROGRAM} if isinstance(self.offsite, ObjectStorage) else {}
        return {program: package, "zstd": "zstd", **self.server.programs(), **sending}

    @property
    def heartbeat(self) -> tuple[str, ...]:
        """A transaction with a number and nothing else: it commits, so that recovery finds a moment to stop at."""
        server = self.server
        if not server.heartbeat_database:
            return ()
        login = [f"--host={server.socket}", f"--port={server.port}", f"--username={ACCOUNT}", "--no-password"]
        statement = "--command=SELECT pg_catalog.pg_current_xact_id()"
        database = f"--dbname={server.heartbeat_database}"
        return (f"{server.binaries}/psql", "--no-psqlrc", "--quiet", "--output=/dev/null", *login, database, statement)

    @property
    def own_group(self) -> str:
        """Of the server of the anteroom; empty where there is none of another host."""
        return anteroom_group(self.repository) if self.repository and self.side == REPOSITORY else ""

    @property
    def units(self) -> dict[str, str]:
        return render_units(
            UnitJob(
                name=self.name,
                engine=self.server.engine,
                job_file=self.file,
                store=self.store,
                state=self.state,
                incoming=self.incoming,
                deadline_seconds=self.limits.deadline_seconds + (self.cluster.round_seconds if self.cluster else 0),
                schedule=self.schedule,
                heartbeat=self.heartbeat,
                stream=self.stream,
                delivery_key=self.offsite.waits_for if self.offsite else "",
                repository=self.repository,
                delivery_addresses=self.offsite.addresses if self.offsite else (),
                delivery_hosts=self.offsite.hosts if isinstance(self.offsite, ObjectStorage) else "",
            )
        )


@dataclasses.dataclass(frozen=True)
class Item:
    """A file or folder.

    :param data: of a file.
    :param is_secret: nobody may see what is in it.
    """

    kind: str
    path: str
    owner: str
    group: str
    mode: int
    data: bytes = dataclasses.field(default=b"", repr=False)
    is_secret: bool = False

    @property
    def access(self) -> str:
        return f"{self.owner}:{self.group} {self.mode:04o}"


@dataclasses.dataclass(frozen=True)
class ObservedAccount:
    """:param groups: groups besides its own."""

    shell: str
    home: str
    group: str
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        others = f", also in {', '.join(self.groups)}" if self.groups else ""
        return f"group {self.group}, home {self.home}, shell {self.shell}{others}"


WANTED_ACCOUNT: t.Final = ObservedAccount(NO_SHELL, HOME, ACCOUNT)


@dataclasses.dataclass(frozen=True)
class ObservedTimer:
    enabled: bool
    active: bool
    outdated: bool = False  # systemd has not read its file since it changed

    @property
    def runs(self) -> bool:
        return self.enabled and self.active

    def __str__(self) -> str:
        return f"{'enabled' if self.enabled else 'disabled'}, {'active' if self.active else 'inactive'}"


@dataclasses.dataclass(frozen=True)
class Host:
    """What was observed.

    :param items: by path; of files and folders that are there. ``kind`` may be something else than the two.
    :param real_paths: path to what it is after all links.
    :param server_account: owner of the data directory; None if there is no such folder.
    :param timers: by unit name, of those that systemd knows.
    :param job_files: every file of ours that carries this job's name, whatever is declared.
    :param calendar_complaint: why systemd does not take the schedule; empty if it does.
    :param other_jobs: of the account on this host, as their files say.
    :param present_job: the job of this name as its file says; None if there is none.
    :param anteroom_is_closed: the running server's sandbox keeps its archive_command from writing there.
    :param keys: what GnuPG says of the recipients' keys.
    :param now: in seconds since the epoch.
    :param bucket: None where copies go to none.
    :param has_own_group: the group of the server of the anteroom is there.
    """

    account: ObservedAccount | None
    items: t.Mapping[str, Item]
    real_paths: t.Mapping[str, str]
    server_account: str | None
    timers: t.Mapping[str, ObservedTimer]
    job_files: tuple[str, ...] = ()
    missing_programs: tuple[str, ...] = ()
    tablespaces: tuple[str, ...] = ()
    calendar_complaint: str = ""
    anteroom_is_closed: bool = False
    keys: tuple[KeyState, ...] = ()
    now: float = 0
    other_jobs: tuple[BackupJob, ...] = ()
    present_job: BackupJob | None = None
    bucket: Bucket | None = None
    has_own_group: bool = False


def job_file(name: str) -> str:
    return f"{JOB_FOLDER}/{name}.json"


def offsite_folder(name: str) -> str:
    """Of the key that may add copies, and of the host key that it is shown to."""
    return f"{JOB_FOLDER}/{name}.offsite"


def bucket_folder(name: str) -> str:
    """Of what object storage is reached by."""
    return f"{JOB_FOLDER}/{name}.bucket"


def repository_folder(name: str) -> str:
    """Of pgBackRest's configuration, keys and passphrase."""
    return f"{JOB_FOLDER}/{name}.pgbackrest"


def recipients_folder(name: str) -> str:
    """Of the public keys that GnuPG seals to, a file each."""
    return f"{JOB_FOLDER}/{name}.recipients"


def outgoing_of(jobs: t.Iterable[Job | BackupJob]) -> list[dict[str, t.Any]]:
    """All that the account may connect to, for the packet filter: it has one account for all jobs of the host."""
    by_port: dict[int, set[str]] = {}
    for job in jobs:
        if job.offsite:
            by_port.setdefault(job.offsite.port, set()).update(job.offsite.addresses)
        if job.repository and job.repository.side == REPOSITORY:
            address, port = job.repository.peer
            by_port.setdefault(port, set()).add(address)
    return [{"port": port, "networks": sorted(by_port[port])} for port in sorted(by_port)]


def incoming_of(jobs: t.Iterable[Job | BackupJob]) -> list[dict[str, t.Any]]:
    """Ports at which the other hosts of jobs are let in, for the packet filter, and nobody else."""
    found = {}
    for job in jobs:
        if job.repository and job.repository.side != TOGETHER:
            comment = f"backup {job.name}"
            rule = {"port": job.repository.own_port, "networks": [job.repository.peer[0]], "comment": comment}
            found[job.repository.own_port] = rule
    return [found[port] for port in sorted(found)]


def drop_in_file(name: str, unit: str) -> str:
    return f"{UNIT_FOLDER}/{unit}.d/60-bulwark-backup-{name}.conf"


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name.endswith(_TAKEN_ENDINGS):
        raise InvalidDeclaration(
            f"{name!r} can't be the name of a job",
            f"Small letters, digits and hyphens, 40 at most, not ending in {', '.join(_TAKEN_ENDINGS)}",
        )
    return name


def _check_addresses(repository: Repository) -> None:
    """Addresses, because the services can't ask for names; and each certificate carries that of its host."""
    named = {"address": repository.address, "source_address": repository.source_address}
    if repository.side == TOGETHER:
        given = [option for option, address in named.items() if address]
        if given:
            raise InvalidDeclaration(f"repository: {given[0]} is of no use on one host", "Leave it out, or name side")
        return
    # one address of IPv6 has several spellings
    if len({_parsed_address(option, address) for option, address in named.items()}) == 1:
        raise InvalidDeclaration(
            f"repository: both hosts are {repository.address}", "Leave side out where all is on one host"
        )


def _parsed_address(option: str, text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    with contextlib.suppress(ValueError):
        if "%" not in text:  # an address of one link means nothing to a certificate, nor on the other host
            return ipaddress.ip_address(text)
    raise InvalidDeclaration(
        f"repository: {option} is {text!r}, no address", "Give the IP address that the other host reaches"
    )


def _check_path(what: str, path: str) -> None:
    if not posixpath.isabs(path):
        raise InvalidDeclaration(f"{what} is {path!r}, not an absolute path", "Begin it with /")
    if not _PATH.fullmatch(path) or posixpath.normpath(path) != path:
        raise InvalidDeclaration(
            f"{what} is {path!r}, which can't be used",
            "Letters, digits and . _ @ + - only, without // and .. and a slash at the end",
        )


def folders_of(job: Job, server_account: str) -> list[Item]:
    """The job's own folders, with who may do what in them."""
    folders = [Item(FOLDER, job.state, ACCOUNT, ACCOUNT, 0o750)]
    if job.side != DATABASE:
        folders.append(Item(FOLDER, job.store, ACCOUNT, ACCOUNT, 0o700))
    if job.side == REPOSITORY:
        folders.append(Item(FOLDER, job.incoming, ACCOUNT, ACCOUNT, 0o700))
    elif job.incoming:
        # The server puts segments there, the backup account takes them away; files get its group.
        folders.append(Item(FOLDER, job.incoming, server_account, ACCOUNT, 0o2770))
    if job.repository:
        # The server's account reads its own half there; the passphrase is in a folder that it can't enter.
        folders.append(Item(FOLDER, job.repository.folder, "root", "root", 0o755))
        if job.side != DATABASE:
            folders.append(Item(FOLDER, job.repository.secrets, "root", ACCOUNT, 0o750))
        if job.side == REPOSITORY:
            anteroom = job.repository.anteroom
            folders.append(Item(FOLDER, job.repository.empty_root, "root", "root", 0o755))
            folders.append(Item(FOLDER, anteroom.folder, "root", ACCOUNT, 0o750))
            folders.append(Item(FOLDER, anteroom.secrets, "root", ACCOUNT, 0o750))
    return folders


def passages_of(job: Job) -> list[str]:
    """Folders on the way to those and to our files, outermost first."""
    store = "" if job.side == DATABASE else job.store
    files = (*_key_files(job), *_bucket_files(job))
    ends = [store, job.state, job.incoming, job.file, PROGRAM, *(item.path for item in files)]
    found: dict[str, None] = {}
    for end in filter(None, ends):
        dummy_root, *steps, dummy_name = end.split("/")
        found.update(dict.fromkeys("/" + "/".join(steps[: number + 1]) for number in range(len(steps))))
    return sorted(found)


def files_of(job: Job, program: bytes) -> list[Item]:
    """The program first and the units last: nothing starts what is not there yet."""
    document = json.dumps(job.document, indent=2, sort_keys=True) + "\n"
    # archive_command runs as the server's account, which is in no group of ours and needs the file as well.
    mode = 0o644 if job.server.engine == POSTGRESQL else 0o640
    files = [
        Item(FILE, PROGRAM, "root", "root", 0o755, program),
        *_key_files(job),
        *_bucket_files(job),
        Item(FILE, job.file, "root", ACCOUNT, mode, document.encode()),
    ]
    if job.repository:
        files += _configurations(job, job.repository)
    if job.server.unit and job.incoming and job.side == TOGETHER:
        drop_in = render_archiving_drop_in(job.incoming)
        files.append(Item(FILE, drop_in_file(job.name, job.server.unit), "root", "root", 0o644, drop_in.encode()))
    units = job.units.items()
    return [
        *files,
        *(Item(FILE, f"{UNIT_FOLDER}/{name}", "root", "root", 0o644, text.encode()) for name, text in units),
    ]


def _configurations(job: Job, repository: Repository) -> list[Item]:
    """Of pgBackRest: nothing in them is secret, and the server's account reads only its own."""
    server = job.server.as_document()
    level = job.limits.compression_level
    data_directory = server["data_directory"]
    of_archive = render_archive_configuration(
        repository, job.name, data_directory=data_directory, compression_level=level
    )
    archive = Item(FILE, repository.archive_configuration, "root", "root", 0o644, of_archive.encode())
    if job.side == DATABASE:
        source = render_source_configuration(repository, job.name, state=job.state, data_directory=data_directory)
        return [archive, Item(FILE, repository.source_configuration, "root", ACCOUNT, 0o640, source.encode())]
    of_repository = render_configuration(
        repository,
        job.name,
        store=job.store,
        state=job.state,
        keep_days=job.limits.keep_days,
        compression_level=level,
        server=server,
    )
    own = Item(FILE, repository.configuration, "root", ACCOUNT, 0o640, of_repository.encode())
    if job.side == TOGETHER:
        return [own, archive]
    of_anteroom = render_anteroom_configuration(repository, job.name, incoming=job.incoming)
    return [own, Item(FILE, repository.anteroom.configuration, "root", ACCOUNT, 0o640, of_anteroom.encode())]


def _key_files(job: Job) -> list[Item]:
    """Everybody may read them: they are public, and archive_command runs as the server's account."""
    folder = recipients_folder(job.name)
    keys = job.recipients.keys.items()
    return [Item(FILE, key_file(folder, name), "root", "root", 0o644, text.encode()) for name, text in keys]


def _bucket_files(job: Job) -> list[Item]:
    """The account that sends reads the credentials, and nobody else but root."""
    place = job.offsite
    if not isinstance(place, ObjectStorage) or job.credentials is None:
        return []
    secret = render_bucket_configuration(place, job.credentials).encode()
    return [
        Item(FILE, place.hosts, "root", "root", 0o644, render_hosts(place).encode()),
        Item(FILE, place.credentials, ACCOUNT, ACCOUNT, 0o400, secret, is_secret=True),
    ]


def refuse_what_cannot_work(job: Job, host: Host) -> None:
    """Raises MissingRequirement, InvalidDeclaration or RefusedForSafety, before anything changes."""
    if host.missing_programs:
        program = host.missing_programs[0]
        package = job.programs().get(program, "")
        raise MissingRequirement(
            f"the program {program} is not there", f"Install Debian's {package}" if package else "Install it"
        )
    if host.server_account is None and job.side != REPOSITORY:
        raise InvalidDeclaration(
            f"the data directory {job.server.data_directory} does not exist", "Correct data_directory"
        )
    if host.calendar_complaint:
        raise InvalidDeclaration(f"systemd does not take the schedule: {host.calendar_complaint}", "Correct time_zone")
    if host.tablespaces and job.server.engine == POSTGRESQL:
        raise RefusedForSafety(
            f"the server has a tablespace outside its data directory, {host.tablespaces[0]}",
            "pg_basebackup can't stream tablespaces: move its tables to pg_default, or use the engine pgbackrest",
        )
    for state in host.keys:
        refuse_unusable(state)
    if isinstance(job.offsite, ObjectStorage) and host.bucket:
        refuse_unlocked(job.offsite, host.bucket.lock, job.limits.keep_days)
        refuse_powerful(job.offsite, host.bucket)
    _refuse_taken(job, host)
    _refuse_entangled(job, host)
    _refuse_strange(job, host)


def _refuse_taken(job: Job, host: Host) -> None:
    """Several database hosts may have their repositories on one host: none takes over what is another's."""
    own, present = job.repository, host.present_job.repository if host.present_job else None
    if own and present and own.side == REPOSITORY and (present.side, present.peer[0]) != (own.side, own.peer[0]):
        raise RefusedForSafety(
            f"the job {job.name} is here already, for {present.peer[0] or 'this host itself'}",
            "Give this one another name; or, where that host has moved, remove the job (state: absent) first",
        )
    for other in host.other_jobs:
        if own and other.repository and other.repository.own_port == own.own_port:
            raise InvalidDeclaration(
                f"the port {own.own_port} is that of the job {other.name} already", "Give each job of a host its own"
            )


def _refuse_entangled(job: Job, host: Host) -> None:
    """A store within the data would be backed up into itself, and be lost with it."""
    if job.side == DATABASE:
        return  # what it names is on the other host
    data = host.real_paths.get(job.server.data_directory, job.server.data_directory)
    named = {"store": job.store, "state_path": job.state, "incoming_path": job.incoming}
    real = {what: host.real_paths.get(path, path) for what, path in named.items() if path}
    for what, path in real.items():
        if job.side != REPOSITORY and (_is_within(path, data) or _is_within(data, path)):
            raise RefusedForSafety(
                f"{what} {path} and the data directory {data} are one within the other",
                "Keep backups on another file system, or at least in a folder of their own",
            )
    for what, path in real.items():
        for other, other_path in real.items():
            if what != other and _is_within(path, other_path):
                raise InvalidDeclaration(f"{what} {path} is within {other} {other_path}", "Give each its own folder")


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _refuse_strange(job: Job, host: Host) -> None:
    wanted = {folder.path: FOLDER for folder in folders_of(job, "")}
    wanted.update(dict.fromkeys(passages_of(job), FOLDER))
    wanted.update({file.path: FILE for file in files_of(job, b"")})
    for path, kind in wanted.items():
        found = host.items.get(path)
        if found and found.kind != kind:
            raise RefusedForSafety(
                f"{path} is a {found.kind}, a {kind} is needed", "Move it away, or name another path"
            )
    for path in passages_of(job):
        found = host.items.get(path)
        if found and not found.mode & _SEARCH_BY_OTHERS and not path.startswith(_OUR_ROOTS):
            raise RefusedForSafety(
                f"{ACCOUNT} can't pass through {path} ({found.access})", f"chmod o+x {path}, or name another path"
            )


def plan_present(job: Job, host: Host, program: bytes) -> Plan:
    """What has to change so that the job is there and its timers run. Refuses first."""
    refuse_what_cannot_work(job, host)
    expiries = {state.fingerprint: render_moment(state.expires) for state in host.keys if state.expires}
    job = dataclasses.replace(job, expiries=expiries)
    changes = [*_account_changes(host)]
    if job.own_group and not host.has_own_group:
        changes.append(Change(f"group {job.own_group}", "", "present", payload=(MAKE_GROUP, job.own_group)))
    changes += [change for path in passages_of(job) for change in _passage_changes(path, host)]
    wanted = folders_of(job, host.server_account or "") + files_of(job, program)
    changes += [change for item in wanted for change in _item_changes(item, host)]
    obsolete = set(host.job_files) - {item.path for item in wanted}
    changes += _removals(obsolete, host)
    changes += _timer_changes(job, host, {change.payload[1].path for change in changes if change.payload[0] == PUT})
    return Plan(tuple(changes), _warnings(host, job))


def plan_absent(host: Host) -> Plan:
    """What of the job goes. Its store, its state and what waits in its anteroom stay."""
    return Plan(tuple(_removals(host.job_files, host)))


def _account_changes(host: Host) -> t.Iterator[Change]:
    found = host.account
    if found is None:
        yield Change(f"account {ACCOUNT}", "", str(WANTED_ACCOUNT), payload=(MAKE_ACCOUNT, None))
        return
    if found.group != ACCOUNT or found.home != HOME or found.groups or found.shell not in NO_SHELLS:
        yield Change(f"account {ACCOUNT}", str(found), str(WANTED_ACCOUNT), payload=(MAKE_ACCOUNT, found))


def _passage_changes(path: str, host: Host) -> t.Iterator[Change]:
    found = host.items.get(path)
    if found is None:
        item = Item(FOLDER, path, "root", "root", 0o755 if path.startswith("/etc") else _PASSAGE_MODE)
        yield Change(f"folder {path}", "", item.access, payload=(PUT, item))
    elif not found.mode & _SEARCH_BY_OTHERS:
        item = dataclasses.replace(found, mode=found.mode | _SEARCH_BY_OTHERS)
        yield Change(f"folder {path}", found.access, item.access, payload=(PUT, item))


def _item_changes(item: Item, host: Host) -> t.Iterator[Change]:
    found = host.items.get(item.path)
    if found is None:
        yield Change(f"{item.kind} {item.path}", "", item.access, payload=(PUT, item))
        return
    differs = [] if found.access == item.access else [found.access]
    if item.kind == FILE and found.data != item.data:
        differs.append("other content")
    if differs:
        yield Change(f"{item.kind} {item.path}", ", ".join(differs), item.access, payload=(PUT, item))


def _removals(paths: t.Iterable[str], host: Host) -> list[Change]:
    """Timers are stopped before their files go."""
    files = sorted(paths)
    timers = [name for name in map(posixpath.basename, files) if name.endswith(".timer")]
    stops = [
        Change(f"timer {name}", str(host.timers[name]), "disabled, inactive", payload=(DISABLE, name))
        for name in timers
        if name in host.timers and (host.timers[name].enabled or host.timers[name].active)
    ]
    return [*stops, *(Change(f"file {path}", "present", "", payload=(REMOVE, path)) for path in files)]


def _read_by(timer: str, job: Job) -> set[str]:
    """Files that something reads when the timer starts it, and not again."""
    read = {f"{UNIT_FOLDER}/{timer}"}
    service = f"{UNIT_FOLDER}/{timer[: -len('.timer')]}.service"
    if job.repository and timer.endswith("-repository.timer"):
        read |= {service, job.repository.served.configuration}
    if job.repository and timer.endswith("-source.timer"):
        read |= {service, job.repository.source_configuration}
    return read


def _timer_changes(job: Job, host: Host, written: t.AbstractSet[str]) -> t.Iterator[Change]:
    """A timer whose file changed is started again, because it counts on what it was started with."""
    for name in job.units:
        if not name.endswith(".timer"):
            continue
        found = host.timers.get(name)
        if found is None or not found.runs or found.outdated or written & _read_by(name, job):
            before = str(found) + (", outdated" if found.outdated else "") if found else ""
            yield Change(f"timer {name}", before, "enabled, active", payload=(ENABLE, name))


def _warnings(host: Host, job: Job) -> tuple[str, ...]:
    closed = (
        f"{job.server.unit} was started in a sandbox that keeps its archive_command from {job.incoming}: restart it"
    )
    return (*((closed,) if host.anteroom_is_closed else ()), *expiry_warnings(job.expiries, host.now))
