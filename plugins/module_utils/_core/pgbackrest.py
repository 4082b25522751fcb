# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""pgBackRest: its configuration, what it says of a repository, and whether that is good enough. Pure.

Its exit status is no evidence: ``verify`` ends with 0 where files are damaged (pgBackRest #2502), and says nothing of a
segment of the log that is missing. A set with pages of a wrong checksum is a success with a warning (#2687).
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from .backup_evidence import Complaint
from .backup_manifest import Contents, Manifest, SealedFile, Sidecar
from .backup_moments import parse_moment, render_moment
from .backup_segments import (
    DEFAULT_SEGMENT_BYTES,
    SEGMENT_SIZES,
    Segment,
    parse_history,
    parse_position,
    segment_name,
)
from .errors import ObservationFailed

PROGRAM: t.Final = "/usr/bin/pgbackrest"
COMPLETION: t.Final = "backup command end: completed successfully"
DEFAULT_PORT: t.Final = 8432
DEFAULT_SOURCE_PORT: t.Final = 8433
# Which part of a job is on a host: all of it, or one of two that talk by TLS.
TOGETHER: t.Final = "together"
DATABASE: t.Final = "database"
REPOSITORY: t.Final = "repository"
SIDES: t.Final = (TOGETHER, DATABASE, REPOSITORY)
FULL: t.Final = "full"
# How the option of the role calls them, and how the tool does.
KINDS: t.Final = {"differential": "diff", "incremental": "incr"}
# The passphrase of the repository, sealed to the recipients, beside it.
SEALED_PASSPHRASE: t.Final = "passphrase.age"  # noqa: S105 - the name of a file
# Of archive-push and backup, which wait for each other: longer than the server's archiver pauses after failures.
_ARCHIVE_SECONDS: t.Final = 180
_HEADER: t.Final = "# Managed by bulwark.database (backup_job): the next run undoes changes made here by hand.\n"
_WAL: t.Final = re.compile(r"[0-9A-F]{16}/([0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]+)?")
_HISTORY: t.Final = re.compile(r"([0-9A-F]{8}\.history)")
# What archive-push leaves: segments, partial ones and labels of backups in a folder each, histories above them.
_ARCHIVE_FOLDER: t.Final = re.compile(r"[0-9]+(?:\.[0-9]+)?-[0-9]+")
_SEGMENT_FOLDER: t.Final = re.compile(r"[0-9A-F]{16}")
_PUSHED: t.Final = re.compile(
    r"([0-9A-F]{24}(?:\.partial)?)-[0-9a-f]{40}(?:\.[a-z0-9]+)?|([0-9A-F]{24}\.[0-9A-F]{8}\.backup)"
)
# "stanza: x", "status: ..." and what it found wrong, from the report and from the log.
_WRONG: t.Final = re.compile(
    r"(?:INFO|WARN|ERROR): (?!verify command )(.*(?:invalid|missing|unable|mismatch|error|not found).*)", re.IGNORECASE
)
_LEVEL: t.Final = re.compile(r"\s*(?:P\d\d\s+)?(?:INFO|WARN|ERROR|HINT): ")
_LONGEST_ERROR: t.Final = 600
_MISSING_PATH: t.Final = 1
_NO_BACKUPS: t.Final = 2
# It repeats what it can't read, as it is: what it says is no JSON then.
_UNREADABLE: t.Final = '"status":{"code":99,'


# By standard error; archive_command alone tells PostgreSQL's own log.
_TO_THE_JOURNAL: t.Final = {"log-level-console": "off", "log-level-file": "off", "log-level-stderr": "info"}


@dataclasses.dataclass(frozen=True)
class Repository:
    """Of a job with the engine pgbackrest. All paths are within ``folder``.

    :param folder: configuration, keys and passphrase.
    :param segment_bytes: of the server's WAL.
    :param between: kind of the sets between full ones, as the tool calls it; empty for none.
    :param processes: that copy at the same time.
    :param port: of the server of the repository, on the loopback address where all is on one host.
    :param side: the part of the job that is on this host.
    :param address: of the repository's host, where there are two.
    :param source_address: of the database's host.
    :param source_port: of the server that the database's host is read by.
    """

    folder: str
    segment_bytes: int = DEFAULT_SEGMENT_BYTES
    between: str = ""
    processes: int = 1
    port: int = DEFAULT_PORT
    side: str = TOGETHER
    address: str = ""
    source_address: str = ""
    source_port: int = DEFAULT_SOURCE_PORT

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port of the other host's server."""
        if self.side == REPOSITORY:
            return self.source_address, self.source_port
        return self.address, self.port

    @property
    def own_port(self) -> int:
        return self.source_port if self.side == DATABASE else self.port

    @property
    def anteroom(self) -> Repository:
        """What the database's host reaches of a repository that is on another: one of its own, emptied at once.

        pgBackRest has its client say which configuration and which path the server opens, and answers with the
        passphrase. Who may push may read and delete everything.
        """
        return dataclasses.replace(self, folder=f"{self.folder}/anteroom")

    @property
    def empty_root(self) -> str:
        """Where the server of the anteroom has its file system put together, of what it may see."""
        return f"{self.folder}/root"

    @property
    def served(self) -> Repository:
        """That which the server of this host lets the database's side into."""
        return self if self.side == TOGETHER else self.anteroom

    @property
    def configuration(self) -> str:
        return f"{self.folder}/repository.conf"

    @property
    def archive_configuration(self) -> str:
        """Of the server's own account, for archive_command: it knows neither passphrase nor path of the repository."""
        return f"{self.folder}/archive.conf"

    @property
    def source_configuration(self) -> str:
        """Of the server by which the repository's host reads the database."""
        return f"{self.folder}/source.conf"

    @property
    def configurations(self) -> tuple[str, ...]:
        """All that there may be of, on either host."""
        own = self.configuration, self.archive_configuration, self.source_configuration
        return *own, self.anteroom.configuration

    @property
    def secrets(self) -> str:
        """Folder whose files are read beside the configuration: that with the passphrase."""
        return f"{self.folder}/secret"

    @property
    def passphrase(self) -> str:
        return f"{self.secrets}/passphrase.conf"

    def key(self, side: str) -> str:
        return f"{self.folder}/{side}.key"

    def certificate(self, side: str) -> str:
        return f"{self.folder}/{side}.crt"


def arguments(repository: Repository, stanza: str, command: str, *options: str) -> list[str]:
    """A command as the account of the backup runs it. No secret is in it."""
    known = [f"--config={repository.configuration}", f"--config-include-path={repository.secrets}"]
    return [PROGRAM, *known, f"--stanza={stanza}", *options, *command.split()]


def archive_command(repository: Repository, stanza: str) -> str:
    """For PostgreSQL's parameter of that name."""
    return f'{PROGRAM} --config={repository.archive_configuration} --stanza={stanza} archive-push "%p"'


def side_of(repository: Repository | None) -> str:
    """The part of a job that is on this host; the engines without a repository know no other host."""
    return repository.side if repository else TOGETHER


def render_configuration(
    repository: Repository,
    stanza: str,
    *,
    store: str,
    state: str,
    keep_days: int,
    compression_level: int,
    server: t.Mapping[str, t.Any],
) -> str:
    """Of the repository: for full backups, for looking at it, and for the server that takes WAL."""
    return _HEADER + _sections(
        {
            "global": {
                "repo1-path": repository_path(store),
                "repo1-cipher-type": "aes-256-cbc",
                # The newest full backup that is at least so old stays: any moment since can be restored.
                "repo1-retention-full-type": "time",
                "repo1-retention-full": keep_days,
                "compress-type": "zst",
                "compress-level": compression_level,
                "process-max": repository.processes,
                "start-fast": "y",
                "archive-timeout": _ARCHIVE_SECONDS,
                # What the account makes is the account's alone.
                "neutral-umask": "n",
                "lock-path": lock_path(state),
                **_TO_THE_JOURNAL,
                **(_listening(repository, stanza, "server", "client") if repository.side == TOGETHER else {}),
            },
            stanza: {
                "pg1-path": server["data_directory"],
                "pg1-port": server["port"],
                "pg1-socket-path": server["socket"],
                "pg1-user": server["user"],
                **(_source(repository) if repository.side == REPOSITORY else {}),
            },
        }
    )


def _source(repository: Repository) -> dict[str, t.Any]:
    return {
        "pg1-host": repository.source_address,
        "pg1-host-type": "tls",
        "pg1-host-port": repository.source_port,
        "pg1-host-config": repository.source_configuration,
        "pg1-host-ca-file": repository.anteroom.certificate("source"),
        "pg1-host-cert-file": repository.anteroom.certificate("server"),
        "pg1-host-key-file": repository.anteroom.key("server"),
    }


def _listening(repository: Repository, stanza: str, side: str, client: str) -> dict[str, t.Any]:
    """A server that knows one client by its very certificate, and lets it ask for one stanza."""
    addresses = {TOGETHER: "127.0.0.1", REPOSITORY: repository.address, DATABASE: repository.source_address}
    return {
        "tls-server-address": addresses[repository.side],
        "tls-server-port": repository.own_port,
        "tls-server-ca-file": repository.certificate(client),
        "tls-server-cert-file": repository.certificate(side),
        "tls-server-key-file": repository.key(side),
        "tls-server-auth": f"{stanza}={stanza}",
    }


def render_anteroom_configuration(repository: Repository, stanza: str, *, incoming: str) -> str:
    """Of the server that takes WAL from another host. It runs where it sees nothing else."""
    return _HEADER + _sections(
        {
            "global": {
                "repo1-path": incoming,
                "repo1-cipher-type": "aes-256-cbc",
                "archive-timeout": _ARCHIVE_SECONDS,
                "neutral-umask": "n",
                "lock-path": f"{incoming}/lock",
                **_TO_THE_JOURNAL,
                **_listening(repository.anteroom, stanza, "server", "client"),
            }
        }
    )


def render_source_configuration(repository: Repository, stanza: str, *, state: str, data_directory: str) -> str:
    """Of the server by which the repository's host reads the database's files and asks it to begin and end a backup."""
    return _HEADER + _sections(
        {
            "global": {
                "lock-path": lock_path(state),
                "neutral-umask": "n",
                **_TO_THE_JOURNAL,
                **_listening(repository, stanza, "source", "server"),
            },
            stanza: {"pg1-path": data_directory},
        }
    )


def render_archive_configuration(
    repository: Repository, stanza: str, *, data_directory: str, compression_level: int
) -> str:
    return _HEADER + _sections(
        {
            "global": {
                "repo1-host": "localhost" if repository.side == TOGETHER else repository.address,
                "repo1-host-type": "tls",
                "repo1-host-port": repository.port,
                "repo1-host-config": repository.served.configuration,
                "repo1-host-config-include-path": repository.served.secrets,
                "repo1-host-ca-file": repository.certificate("server"),
                "repo1-host-cert-file": repository.certificate("client"),
                "repo1-host-key-file": repository.key("client"),
                "compress-type": "zst",
                "compress-level": compression_level,
                "archive-timeout": _ARCHIVE_SECONDS,
                # Looked into for a file that stops everything. Its default is in /tmp, where anybody could put one.
                "lock-path": repository.folder,
                "neutral-umask": "n",
                "log-level-console": "warn",
                "log-level-file": "off",
            },
            stanza: {"pg1-path": data_directory},
        }
    )


def render_copy_configuration(stanza: str, *, store: str, folder: str) -> str:
    """Of a copy of a repository, to be looked at only, by who has opened its passphrase."""
    return _sections(
        {
            "global": {
                "repo1-path": repository_path(store),
                "repo1-cipher-type": "aes-256-cbc",
                "lock-path": folder,
                "spool-path": folder,
                **_TO_THE_JOURNAL,
            },
            stanza: {},
        }
    )


def render_passphrase(passphrase: str) -> str:
    """The file that holds it. Raises ObservationFailed for what is not one line: the rest would be options."""
    if not passphrase or not passphrase.isprintable():
        raise ObservationFailed(f"{SEALED_PASSPHRASE} holds no passphrase of a repository", "Look for another copy")
    return f"[global]\nrepo1-cipher-pass={passphrase}\n"


def repository_path(store: str) -> str:
    return f"{store}/repository"


def lock_path(state: str) -> str:
    return f"{state}/pgbackrest"


def _sections(sections: t.Mapping[str, t.Mapping[str, t.Any]]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())
        for name, options in sections.items()
    )


def first_error(lines: t.Iterable[str]) -> str:
    """Without the stamps in front of it and the hints after it; empty if there is none. Queries have several lines."""
    found: list[str] = []
    for line in lines:
        if _LEVEL.match(line) and found:
            break
        if found or "ERROR: " in line:
            found.append(line if found else line.partition("ERROR: ")[2])
    return " ".join(" ".join(found).split())[:_LONGEST_ERROR]


def passphrase_of(text: str) -> str:
    """From the file that holds it. Raises ObservationFailed, without a word of what it holds."""
    values = [line.partition("=")[2] for line in text.splitlines() if line.startswith("repo1-cipher-pass=")]
    if len(values) != 1 or not values[0]:
        raise ObservationFailed("the file of the repository's passphrase does not hold one", "Run the role again")
    return values[0]


@dataclasses.dataclass(frozen=True)
class Stanza:
    """What ``info`` says of the sets.

    :param archive: folder of the log of the server as it is now; empty if there is none.
    :param faulty: sets in which the tool found pages with a wrong checksum.
    :param complaint: why the repository can't be used; empty if it can.
    """

    manifests: tuple[Manifest, ...] = ()
    archive: str = ""
    faulty: tuple[str, ...] = ()
    complaint: str = ""


def read_info(text: str, *, job: str, recipients: t.Sequence[str]) -> Stanza:
    """From ``info --output=json``. Raises ObservationFailed for what is none of it."""
    try:
        (entry,) = json.loads(text)
        status = entry["status"]
        if status["code"] == _MISSING_PATH:
            return Stanza()
        if status["code"] not in (0, _NO_BACKUPS):
            return Stanza(complaint=f"the repository can't be used: {status['message']}")
        server = entry["db"][-1]
        archives = [one["id"] for one in entry["archive"] if one["database"]["id"] == server["id"]]
        # Sets of a server before its upgrade lead nowhere by the log of this one.
        sets = [one for one in entry["backup"] if one["database"]["id"] == server["id"]]
        return Stanza(
            manifests=tuple(_manifest(one, server, job, recipients) for one in sets),
            archive=archives[-1] if archives else "",
            faulty=tuple(one["label"] for one in sets if one.get("error")),
        )
    except (ValueError, TypeError, KeyError, IndexError) as error:
        if _UNREADABLE in text:
            return Stanza(
                complaint="the repository can't be used: it does not open with this passphrase, or is damaged"
            )
        raise ObservationFailed(
            f"pgbackrest info does not say what it should: {type(error).__name__}", "See what it prints, in the journal"
        ) from None


def _manifest(
    one: t.Mapping[str, t.Any], server: t.Mapping[str, t.Any], job: str, recipients: t.Sequence[str]
) -> Manifest:
    # the moments are cut to whole seconds
    started, finished = one["timestamp"]["start"], one["timestamp"]["stop"] + 1
    info = one["info"]
    timeline = int(one["archive"]["start"][:8], 16)
    return Manifest(
        id=one["label"],
        job=job,
        engine="postgresql",
        started=render_moment(started),
        finished=render_moment(finished),
        consistent_from=render_moment(finished),
        position={
            "start_wal": one["archive"]["start"],
            "timeline": timeline,
            "start_lsn": one["lsn"]["start"],
            "end_lsn": one["lsn"]["stop"],
        },
        server_version=server["version"],
        tool_version=f"pgBackRest {one['backrest']['version']}",
        system_identifier=str(server["system-id"]),
        # what a restore of it comes to, whichever sets that is read from
        files=(SealedFile(one["label"], info["repository"]["delta"], "", info["size"]),),
        recipients=tuple(recipients),
    )


def histories_of(listing: str) -> list[str]:
    """Names of the histories of timelines, from ``repo-ls``."""
    return sorted(match.group(1) for match in map(_HISTORY.fullmatch, _files(listing)) if match)


def read_log_listing(
    listing: str, *, segment_bytes: int, histories: t.Mapping[str, str]
) -> tuple[tuple[Sidecar, ...], tuple[str, ...]]:
    """Segments and histories from ``repo-ls --recurse``, and what is wrong with them.

    :param histories: text of each history that :func:`histories_of` names.
    """
    found: dict[str, Sidecar] = {}
    wrong = []
    for path, entry in sorted(_files(listing).items()):
        match = _WAL.fullmatch(path) or _HISTORY.fullmatch(path)
        if not match:
            continue
        name = match.group(1)
        if name in found:
            wrong.append(f"the log holds {name} twice, with different contents")
            continue
        moment = render_moment(entry["time"])
        is_history = name in histories
        found[name] = Sidecar(
            name=name,
            bytes=entry["size"],
            sha256="",
            plain_sha256="",
            plain_bytes=len(histories[name]) if is_history else segment_bytes,
            archived=moment,
            closed=moment,
            switches=parse_history(histories[name]) if is_history else (),
        )
    return tuple(found.values()), tuple(wrong)


def is_archive_folder(name: str) -> bool:
    """Of the log of one server: 15-1."""
    return bool(_ARCHIVE_FOLDER.fullmatch(name))


def is_segment_folder(name: str) -> bool:
    return bool(_SEGMENT_FOLDER.fullmatch(name))


def pushed_name(name: str) -> str:
    """What PostgreSQL calls the file that archive-push stored by that name; empty if it is none, or not whole yet."""
    match = _PUSHED.fullmatch(name) or _HISTORY.fullmatch(name)
    return next(filter(None, match.groups())) if match else ""


def _files(listing: str) -> dict[str, t.Any]:
    try:
        entries = json.loads(listing)
        return {path: entry for path, entry in entries.items() if entry["type"] == "file"}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ObservationFailed("pgbackrest repo-ls does not say what it should") from None


def segment_bytes_of(manifests: t.Collection[Manifest]) -> int:
    """Size of the server's segments, by the names of those in which sets begin: a copy says it nowhere else."""
    fitting = [size for size in sorted(SEGMENT_SIZES) if all(_begins_in(one, size) for one in manifests)]
    return DEFAULT_SEGMENT_BYTES if DEFAULT_SEGMENT_BYTES in fitting or not fitting else fitting[0]


def _begins_in(manifest: Manifest, segment_bytes: int) -> bool:
    place = parse_position(str(manifest.position["start_lsn"]))
    segment = Segment(int(manifest.position["timeline"]), place // segment_bytes)
    return segment_name(segment, segment_bytes) == manifest.position["start_wal"]


def has_lost_times(manifests: t.Iterable[Manifest], sidecars: t.Iterable[Sidecar]) -> bool:
    """Whether a copy was made without the times of the files: when a segment came is told by nothing else.

    The segment that a set begins in came before the set was finished, or soon after it.
    """
    came = {sidecar.name: parse_moment(sidecar.closed) for sidecar in sidecars}
    latest = ((came.get(one.position["start_wal"], 0), parse_moment(one.finished)) for one in manifests)
    return any(moment > finished + 2 * _ARCHIVE_SECONDS for moment, finished in latest)


def copies_of(stanza: Stanza, job: str) -> list[tuple[str, str]]:
    """Files that a repository holds twice. The tool reads the second where the first is damaged, without a word."""
    sets = [f"backup/{job}/{one.id}/backup.manifest" for one in stanza.manifests]
    return [(path, f"{path}.copy") for path in (f"archive/{job}/archive.info", f"backup/{job}/backup.info", *sets)]


def contents_of(stanza: Stanza, sidecars: t.Sequence[Sidecar], wrong: t.Sequence[str]) -> Contents:
    damaged = [
        *([stanza.complaint] if stanza.complaint else []),
        *(f"the set {label} holds pages whose checksum is wrong" for label in stanza.faulty),
        *wrong,
    ]
    return Contents(stanza.manifests, tuple(sidecars), tuple(damaged))


def wrong_in(report: str) -> list[str]:
    """What ``verify --output=text --verbose`` found damaged. Its exit status says nothing."""
    statuses = re.findall(r"^\s*status: (\w+)", report, re.MULTILINE)
    lines = [match.group(1).strip() for match in map(_WRONG.search, report.splitlines()) if match]
    if lines:
        return list(dict.fromkeys(lines))
    if statuses and all(status == "ok" for status in statuses):
        return []
    return [f"pgbackrest verify says status: {', '.join(statuses) or 'nothing'}"]


def judge_new_set(before: t.Collection[str], after: Stanza, kind: str) -> Complaint | None:
    """Whether a set of the kind has come into being, and is sound as far as the tool knows."""
    new = [one for one in after.manifests if one.id not in before]
    if not new:
        return Complaint("pgbackrest ended well, but there is no new set", "Look at what it printed, in the journal")
    if new[-1].id in after.faulty:
        return Complaint(
            f"the set {new[-1].id} holds pages whose checksum is wrong",
            "The server's own files are damaged: look there",
        )
    if kind == FULL and not new[-1].is_full:
        return Complaint(f"the set {new[-1].id} is no full backup")
    return None
