# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What an assessment has seen of a host, as data. What could not be seen says why: it is never taken for granted."""

from __future__ import annotations

import dataclasses
import typing as t

from .packages import Finding as PackageFinding
from .setting_values import ValueType


@dataclasses.dataclass(frozen=True)
class Unobservable:
    """What is in the place of an observation that could not be made.

    :param reason: one phrase for people.
    """

    reason: str


_NOT_LOOKED_AT: t.Final = Unobservable("nobody looked")


@dataclasses.dataclass(frozen=True)
class ObservedSetting:
    """A parameter as the server has it, whatever the observing session's role or database overrides.

    :param value: in base units, or as text.
    :param pending_restart: the files hold another value that waits for a restart.
    """

    name: str
    value: str
    value_type: ValueType
    pending_restart: bool = False

    def display(self) -> str:
        """The value with its unit, for people."""
        if self.value_type.kind == "integer" and self.value_type.unit and self.value not in ("0", "-1"):
            return f"{self.value} x {self.value_type.unit}" if self.value_type.unit[0].isdigit() else self._with_unit()
        return self.value or "''"

    def _with_unit(self) -> str:
        return f"{self.value} {self.value_type.unit}"

    def meaning(self) -> t.Any:
        """Raises UnusableValue for a placeholder's nonsense."""
        return self.value_type.meaning(self.value)


@dataclasses.dataclass(frozen=True)
class Override:
    """ALTER ROLE or ALTER DATABASE ... SET. An empty role or database stands for all of them."""

    name: str
    value: str
    role: str = ""
    database: str = ""

    @property
    def where(self) -> str:
        parts = [f"role {self.role}" if self.role else "", f"database {self.database}" if self.database else ""]
        return " in ".join(part for part in parts if part) or "all roles"


@dataclasses.dataclass(frozen=True)
class HbaRule:
    """One rule of pg_hba.conf as the server reads it.

    :param error: what is wrong with the line; empty for a good one.
    """

    line: int
    kind: str
    databases: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    address: str = ""
    netmask: str = ""
    method: str = ""
    options: tuple[str, ...] = ()
    error: str = ""
    file: str = ""

    @property
    def is_remote(self) -> bool:
        return self.kind.startswith("host")

    @property
    def admits(self) -> bool:
        return self.method != "reject" and not self.error

    def __str__(self) -> str:
        words = [self.kind, ",".join(self.databases), ",".join(self.users), self.address, self.netmask, self.method]
        place = f"{self.file} " if self.file else ""
        return f"{place}line {self.line}: " + " ".join(word for word in (*words, *self.options) if word)


@dataclasses.dataclass(frozen=True)
class Access:
    """Rules of access and what is needed to judge them.

    :param superusers: their names.  :param superuser_groups: roles that a superuser is a member of.
    """

    rules: tuple[HbaRule, ...]
    superusers: frozenset[str] = frozenset()
    superuser_groups: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Offenders:
    """The answer to a query that looks for what should not be.

    :param count: all of them.  :param lines: the first few, naming objects and never their contents.
    :param unseen: databases that could not be asked, with the reason.
    """

    count: int = 0
    lines: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The server's certificate.

    :param expires: ISO date.  :param names: DNS names and addresses it is good for.
    :param key_matches: belongs to the private key; None where that can't be told.
    :param is_served: what a client is shown is this file; None where the server could not be asked.
    """

    path: str
    subject: str
    issuer: str
    expires: str
    names: tuple[str, ...] = ()
    key_type: str = ""
    key_bits: int = 0
    signature: str = ""
    key_matches: bool | None = None
    is_served: bool | None = None

    @property
    def is_self_signed(self) -> bool:
        return self.subject == self.issuer


@dataclasses.dataclass(frozen=True)
class ReplicationChannel:
    """A connection by which a MariaDB server copies another one."""

    name: str
    source: str
    is_encrypted: bool
    is_verified: bool


@dataclasses.dataclass(frozen=True)
class GaleraNode:
    """What of a node of a Galera cluster decides on its safety.

    :param options: those of the provider.  :param replication_tls: ``required``, ``optional`` or ``off``.
    :param cluster_address: where it looks for the others when it starts.
    :param allowlist: addresses that may join, empty for everybody; None where the server has no such list.
    :param transfer: what the option files say to the scripts of the state transfer, names with underscores.
    :param programs: what is wrong with the provider and the scripts that the server runs, a line each.
    :param conflict_dumps: files of write sets that failed, older than a week.
    """

    options: t.Mapping[str, str]
    replication_tls: str
    cluster_address: str = ""
    allowlist: tuple[str, ...] | Unobservable | None = None
    transfer: t.Mapping[str, str] | Unobservable = _NOT_LOOKED_AT
    programs: tuple[str, ...] | Unobservable = _NOT_LOOKED_AT
    conflict_dumps: tuple[str, ...] | Unobservable = _NOT_LOOKED_AT


@dataclasses.dataclass(frozen=True)
class ServiceState:
    """The systemd unit the server runs in, with the properties that systemd reports for it.

    :param is_confined: the running process shows it, so it was started under these properties.
    """

    unit: str
    properties: t.Mapping[str, str]
    is_confined: bool = False


@dataclasses.dataclass(frozen=True)
class LogSink:
    """Where the server's log goes.

    :param output: path, or a word such as ``journal``, that its standard error goes to; empty for nowhere.
    """

    output: str = ""


@dataclasses.dataclass(frozen=True)
class Software:
    """What of the server is installed and what is running.

    :param installed: version by package, of the server's own packages.
    :param candidates: newer versions that the package manager offers, by package.
    :param is_stale: the running process is not the file on disk any more.
    """

    installed: t.Mapping[str, str]
    candidates: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_stale: bool = False


@dataclasses.dataclass(frozen=True)
class BackupState:
    """A backup job of this collection on the host. Ages are in seconds, None where there was nothing.

    :param aside_age: since another node of the cluster made the full backup in this one's place.
    :param newest_age: since the newest moment that can be restored.
    :param restorable_from: where the interval that ends there begins.
    :param newest_limit: how old that moment may be by what the job promises.
    :param fulls: SHA-256 of each file of a full backup, by the backup's id.
    :param damaged: what of the store is not what it should be, gaps of the log too.
    :param unsealed: files that are not encrypted.
    :param copies_host: where copies go; empty where none do.  :param copies_age: since that host had everything.
    :param opened: files and folders that others may read, or that are another account's.
    """

    name: str
    timer_runs: bool = True
    service_failed: bool = False
    last_error: str = ""
    success_age: float | None = None
    aside_age: float | None = None
    restorable_from: str = ""
    newest_age: float | None = None
    newest_limit: float = 0
    recipients: tuple[str, ...] = ()
    fulls: t.Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    unsealed: tuple[str, ...] = ()
    opened: tuple[str, ...] = ()
    copies_host: str = ""
    copies_age: float | None = None

    @property
    def stands_aside(self) -> bool:
        """Whether another node of its cluster has the backups."""
        return not self.fulls and self.aside_age is not None


@dataclasses.dataclass(frozen=True)
class RestoreProof:
    """The latest record of a restore test, from the host that restores.

    :param host: where it was restored.  :param age: seconds since the test ended.
    :param backup: id of the full backup; empty if the test did not come so far.
    :param files: what tells it from a backup of another server: SHA-256 of its files; see ``Manifest.marks``.
    :param summary: what was reached, in a few words.
    """

    test: str
    host: str
    age: float
    succeeded: bool
    error: str
    signature_valid: bool
    backup: str
    files: frozenset[str]
    summary: str


@dataclasses.dataclass(frozen=True)
class Observations:
    """Everything that was looked at. What nobody looked at, or could not be seen, is Unobservable.

    :param version: server_version_num.  :param offenders: by the text of the query.
    :param files: violations by area (see ``_controls/file_check.py``).
    :param packet_filter: the parsed answer of ``nft -j list ruleset``.
    :param port: the server's TCP port.
    :param plugins: how each active plugin was loaded (ON, FORCE, FORCE_PLUS_PERMANENT), by its name in lower case.
    :param galera: None where the server is no node.
    """

    version: int | Unobservable = _NOT_LOOKED_AT
    settings: t.Mapping[str, ObservedSetting] | Unobservable = _NOT_LOOKED_AT
    overrides: tuple[Override, ...] | Unobservable = _NOT_LOOKED_AT
    access: Access | Unobservable = _NOT_LOOKED_AT
    offenders: t.Mapping[str, Offenders | Unobservable] | Unobservable = _NOT_LOOKED_AT
    files: t.Mapping[str, Offenders | Unobservable] | Unobservable = _NOT_LOOKED_AT
    certificate: Certificate | Unobservable = _NOT_LOOKED_AT
    service: ServiceState | Unobservable = _NOT_LOOKED_AT
    log_sink: LogSink | Unobservable = _NOT_LOOKED_AT
    packet_filter: t.Sequence[t.Mapping[str, t.Any]] | Unobservable = _NOT_LOOKED_AT
    software: Software | Unobservable = _NOT_LOOKED_AT
    surplus: tuple[PackageFinding, ...] | Unobservable = _NOT_LOOKED_AT
    untrusted_sources: tuple[str, ...] | Unobservable = _NOT_LOOKED_AT
    port: int = 5432
    plugins: t.Mapping[str, str] | Unobservable = _NOT_LOOKED_AT
    channels: tuple[ReplicationChannel, ...] | Unobservable = _NOT_LOOKED_AT
    galera: GaleraNode | Unobservable | None = _NOT_LOOKED_AT
    backups: tuple[BackupState, ...] | Unobservable = _NOT_LOOKED_AT
    restore_proofs: tuple[RestoreProof, ...] | Unobservable = _NOT_LOOKED_AT
