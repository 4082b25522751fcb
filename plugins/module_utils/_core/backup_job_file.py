# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The file that describes a backup job: read strictly, because half understood is data lost. Pure."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from .backup_election import Cluster
from .backup_moments import parse_moment
from .declared_fields import Fields, fields_of_file
from .errors import InvalidDeclaration
from .object_storage import ObjectStorage
from .offsite import Offsite
from .openpgp_key import is_fingerprint
from .pgbackrest import DEFAULT_SOURCE_PORT, KINDS, REPOSITORY, SIDES, TOGETHER, Repository, side_of
from .sealing import AGE, GNUPG, TOOLS

FORMAT: t.Final = 1
POSTGRESQL: t.Final = "postgresql"
MARIADB: t.Final = "mariadb"
PGBACKREST: t.Final = "pgbackrest"
FEWEST_RECIPIENTS: t.Final = 2
_NAME: t.Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_RECIPIENT: t.Final = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_ACCOUNT: t.Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_KNOWN: t.Final = (
    *("name", "engine", "store", "state", "incoming", "recipients", "keep_days", "compression_level"),
    *("deadline_seconds", "minimum_free_percent", "smallest_share", "server"),
    *("cluster", "stream", "offsite", "repository", "sealing", "recipient_keys", "recipients_expire"),
    "object_storage",
)


@dataclasses.dataclass(frozen=True)
class PostgreSQLPlace:
    """How the job reaches a PostgreSQL server, and what a restore has to know of it."""

    socket: str
    port: int
    user: str
    binaries: str
    data_directory: str


@dataclasses.dataclass(frozen=True)
class MariaDBPlace:
    """How the job reaches a MariaDB server, and what a restore has to know of it."""

    socket: str
    user: str
    defaults_file: str
    datadir: str


@dataclasses.dataclass(frozen=True)
class BackupJob:
    """One job.

    :param incoming: where ``archive`` leaves sealed segments; empty for engines without.
    :param recipients: public keys, in the order of the file.
    :param smallest_share: a full backup smaller than this share of the median of earlier ones is a failure.
    :param cluster: the nodes that make the full backup in turn; None for a server of its own.
    :param stream: where MariaDB's binary logs are streamed to; empty where they are not.
    :param offsite: where copies of the store go; None for nowhere.
    :param repository: of pgBackRest; None for the other engines, which seal what they store.
    :param sealing: the tool that seals; see :mod:`sealing`.
    :param recipient_keys: folder with a public key of OpenPGP for each recipient; empty where age seals.
    :param recipients_expire: moments when nothing can be sealed to a recipient any more, by recipient; as text.
    """

    name: str
    engine: str
    store: str
    state: str
    incoming: str
    recipients: tuple[str, ...]
    keep_days: int
    compression_level: int
    deadline_seconds: int
    minimum_free_percent: int
    smallest_share: float
    server: PostgreSQLPlace | MariaDBPlace
    cluster: Cluster | None = None
    stream: str = ""
    offsite: Offsite | ObjectStorage | None = None
    repository: Repository | None = None
    sealing: str = AGE
    recipient_keys: str = ""
    recipients_expire: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def side(self) -> str:
        return side_of(self.repository)


def parse_job(text: str, *, where: str = "the job file") -> BackupJob:
    """Raises InvalidDeclaration that names the field."""
    fields = fields_of_file(text, where=where, known=_KNOWN, version=FORMAT, kind="job file")
    engine = fields.choice("engine", (POSTGRESQL, MARIADB, PGBACKREST))
    repository = _repository(fields) if engine == PGBACKREST else None
    sealing = fields.choice("sealing", TOOLS) if fields.has("sealing") else AGE
    return BackupJob(
        name=_matching(fields, "name", _NAME, "lower-case letters, digits, _ and -"),
        engine=engine,
        store=_folder(fields, "store"),
        state=_folder(fields, "state"),
        incoming=_folder(fields, "incoming") if has_anteroom(engine, repository) else "",
        recipients=_recipients(fields, sealing),
        keep_days=_between(fields, "keep_days", 1, 3650),
        compression_level=_between(fields, "compression_level", 1, 19),
        deadline_seconds=_between(fields, "deadline_seconds", 1, 7 * 86400),
        minimum_free_percent=_between(fields, "minimum_free_percent", 0, 90),
        smallest_share=_share(fields),
        server=_server(fields, engine),
        cluster=_cluster(fields, engine),
        stream=_folder(fields, "stream") if engine == MARIADB and fields.has("stream") else "",
        offsite=_offsite(fields),
        repository=repository,
        sealing=sealing,
        recipient_keys=_folder(fields, "recipient_keys") if sealing == GNUPG else "",
        recipients_expire=_expiries(fields),
    )


def has_anteroom(engine: str, repository: Repository | None) -> bool:
    """Whether somebody else puts the log into a folder of the job, for it to carry on."""
    return engine == POSTGRESQL or side_of(repository) == REPOSITORY


def _repository(fields: Fields) -> Repository:
    known = [field.name for field in dataclasses.fields(Repository)]
    place = Fields(fields.mapping("repository"), where=f"{fields.where}: repository", known=known)
    return Repository(
        folder=_folder(place, "folder"),
        segment_bytes=_between(place, "segment_bytes", 2**20, 2**30),
        between=place.choice("between", ("", *KINDS.values())),
        processes=_between(place, "processes", 1, 999),
        port=_between(place, "port", 1, 65535),
        side=place.choice("side", SIDES, default=TOGETHER),
        address=place.text("address") or "",
        source_address=place.text("source_address") or "",
        source_port=_between(place, "source_port", 1, 65535) if place.has("source_port") else DEFAULT_SOURCE_PORT,
    )


def _expiries(fields: Fields) -> dict[str, str]:
    if not fields.has("recipients_expire"):
        return {}
    expiries = {str(name): str(moment) for name, moment in fields.mapping("recipients_expire").items()}
    for moment in expiries.values():
        parse_moment(moment)
    return expiries


def _offsite(fields: Fields) -> Offsite | ObjectStorage | None:
    if fields.has("object_storage"):
        return _object_storage(fields)
    if not fields.has("offsite"):
        return None
    known = [field.name for field in dataclasses.fields(Offsite)]
    place = Fields(fields.raw("offsite"), where=f"{fields.where}: offsite", known=known)
    return Offsite(
        host=place.required_text("host"),
        port=_between(place, "port", 1, 65535),
        user=place.required_text("user"),
        key=_folder(place, "key"),
        known_hosts=_folder(place, "known_hosts"),
        addresses=place.texts("addresses"),
    )


def _object_storage(fields: Fields) -> ObjectStorage:
    known = [field.name for field in dataclasses.fields(ObjectStorage)]
    place = Fields(fields.raw("object_storage"), where=f"{fields.where}: object_storage", known=known)
    return ObjectStorage(
        endpoint=place.required_text("endpoint"),
        bucket=place.required_text("bucket"),
        prefix=place.required_text("prefix"),
        region=place.required_text("region"),
        folder=_folder(place, "folder"),
        addresses=place.texts("addresses"),
        ca=_folder(place, "ca") if place.text("ca") else "",
    )


def refuse_tablespaces(names: t.Collection[str]) -> None:
    """For the deployment: a sealed backup is one stream, and pg_basebackup streams one tablespace alone."""
    if names:
        raise InvalidDeclaration(
            f"the server has tablespaces of its own ({', '.join(sorted(names))}), which a sealed backup can't hold",
            "Move their tables to pg_default and drop them, or use the engine pgbackrest",
        )


def refuse_too_few_senders(max_wal_senders: int) -> None:
    """For the deployment: a full backup is one replication connection."""
    if max_wal_senders < 1:
        raise InvalidDeclaration(
            f"max_wal_senders is {max_wal_senders}, a full backup needs one connection of replication",
            "Set max_wal_senders to 2 or more and restart the server",
        )


def _server(fields: Fields, engine: str) -> PostgreSQLPlace | MariaDBPlace:
    if engine != MARIADB:
        known: tuple[str, ...] = ("socket", "port", "user", "binaries", "data_directory")
    else:
        known = ("socket", "user", "defaults_file", "datadir")
    server = Fields(fields.mapping("server"), where=f"{fields.where}: server", known=known)
    user = _matching(server, "user", _ACCOUNT, "the name of an account")
    if engine != MARIADB:
        return PostgreSQLPlace(
            socket=_folder(server, "socket"),
            port=_between(server, "port", 1, 65535),
            user=user,
            binaries=_folder(server, "binaries"),
            data_directory=_folder(server, "data_directory"),
        )
    return MariaDBPlace(
        socket=_folder(server, "socket"),
        user=user,
        defaults_file=_folder(server, "defaults_file"),
        datadir=_folder(server, "datadir"),
    )


def _cluster(fields: Fields, engine: str) -> Cluster | None:
    if not fields.has("cluster"):
        return None
    if engine != MARIADB:
        raise InvalidDeclaration(f"{fields.where}: cluster is of no use with the engine {engine}", "Leave it out")
    known = ("nodes", "writers", "wait_seconds", "late_seconds")
    cluster = Fields(fields.mapping("cluster"), where=f"{fields.where}: cluster", known=known)
    return Cluster(
        nodes=cluster.texts("nodes"),
        writers=cluster.texts("writers"),
        wait_seconds=_between(cluster, "wait_seconds", 1, 3600),
        late_seconds=_between(cluster, "late_seconds", 0, 86400),
    )


def _matching(fields: Fields, key: str, form: re.Pattern[str], wanted: str) -> str:
    value = fields.required_text(key)
    if not form.fullmatch(value):
        raise InvalidDeclaration(f"{fields.where}: {key} can't be {value!r}", f"It is made of {wanted}")
    return value


def _folder(fields: Fields, key: str) -> str:
    """An absolute path without detours. Line feeds would break the lines of RESTORE.txt."""
    value = fields.required_text(key)
    if not posixpath.isabs(value) or posixpath.normpath(value) != value or re.search(r"[\x00-\x1f\x7f]", value):
        raise InvalidDeclaration(f"{fields.where}: {key} is no plain absolute path: {value!r}")
    return value


def _recipients(fields: Fields, sealing: str) -> tuple[str, ...]:
    recipients = fields.texts("recipients")
    for recipient in recipients:
        # not repeated: somebody may have put the identity, which is secret, in its place
        if sealing == AGE and not _RECIPIENT.fullmatch(recipient):
            raise InvalidDeclaration(
                f"{fields.where}: a recipient is no public key of age", "It begins with age1 and has 62 characters"
            )
        if sealing == GNUPG and not is_fingerprint(recipient):
            raise InvalidDeclaration(
                f"{fields.where}: a recipient is no fingerprint of OpenPGP", "It has 40 digits and letters up to F"
            )
    if len(recipients) < FEWEST_RECIPIENTS:
        raise InvalidDeclaration(
            f"{fields.where}: {len(recipients)} recipient, at least {FEWEST_RECIPIENTS} different ones are needed",
            "Add one whose identity is kept offline: if one is lost, the backups are not",
        )
    return recipients


def _between(fields: Fields, key: str, least: int, most: int) -> int:
    value = fields.number(key)
    if value is None or not least <= value <= most:
        raise InvalidDeclaration(f"{fields.where}: {key} is {value}", f"It is a number from {least} to {most}")
    return value


def _share(fields: Fields) -> float:
    value = fields.raw("smallest_share")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InvalidDeclaration(f"{fields.where}: smallest_share is no number from 0 to 1")
    return float(value)
