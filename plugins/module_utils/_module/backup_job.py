# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subjects of backup_job: a job that is there with everything it needs, or gone."""

from __future__ import annotations

import typing as t

from .._core import pgbackrest
from .._core.backup_deployment import (
    FILE,
    PUT,
    Host,
    Item,
    Job,
    Limits,
    Server,
    bucket_folder,
    check_name,
    incoming_of,
    offsite_folder,
    outgoing_of,
    plan_absent,
    plan_present,
    repository_folder,
)
from .._core.backup_election import Cluster
from .._core.backup_job_file import MARIADB, PGBACKREST, POSTGRESQL, has_anteroom
from .._core.backup_recipients import check_recipients
from .._core.backup_segments import DEFAULT_SEGMENT_BYTES
from .._core.backup_units import PROGRAM, PYTHON, Schedule
from .._core.errors import InvalidDeclaration
from .._core.object_storage import ObjectStorage, check_credentials, host_of
from .._core.offsite import Offsite
from .._core.plan import Change, Plan
from .._core.s3_signature import Credentials
from .._core.sealing import AGE, TOOLS
from .._io.backup_program import build_program
from .._io.job_deployment import apply_plan, observe_job, observe_leftovers
from .._io.resolution import resolve
from .._io.units import require_booted

# What the program is made of: Ansible sends a host what is imported.
from .._job import command_line  # noqa: F401 # pylint: disable=unused-import

_LIMITS: t.Final = ("keep_days", "compression_level", "deadline_seconds", "minimum_free_percent", "smallest_share")
_NEEDED: t.Final = {
    POSTGRESQL: ("socket", "binaries", "data_directory"),
    MARIADB: ("socket", "defaults_file", "data_directory"),
    PGBACKREST: ("socket", "binaries", "data_directory"),
}
_ENGINES: t.Final = tuple(_NEEDED)
_BETWEEN: t.Final = tuple(pgbackrest.KINDS)


def job_options() -> dict[str, dict[str, t.Any]]:
    server = {
        "socket": {"type": "str"},
        "port": {"type": "int", "default": 5432},
        "binaries": {"type": "str"},
        "data_directory": {"type": "str"},
        "defaults_file": {"type": "str"},
        "unit": {"type": "str", "default": ""},
        "wal_segment_bytes": {"type": "int", "default": DEFAULT_SEGMENT_BYTES},
        "heartbeat_database": {"type": "str", "default": ""},
    }
    names = {"type": "list", "elements": "str"}
    cluster = {
        "nodes": {**names, "required": True},
        "writers": {**names, "default": []},
        "wait_seconds": {"type": "int", "default": 30},
    }
    keys = {"type": "list", "elements": "str", "default": [], "no_log": False}
    offsite = {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 22},
        "user": {"type": "str", "default": "bulwark-copies"},
    }
    secret = {"type": "str", "required": True, "no_log": True}
    object_storage = {
        "endpoint": {"type": "str", "required": True},
        "bucket": {"type": "str", "required": True},
        "prefix": {"type": "str", "required": True},
        "region": {"type": "str", "default": "us-east-1"},
        "access_key": secret,
        "secret_key": secret,
        "ca": {"type": "path", "default": ""},
    }
    repository = {
        "between": {"type": "str", "choices": list(_BETWEEN), "default": _BETWEEN[0]},
        "between_at": {**names, "default": []},
        "processes": {"type": "int", "default": 1},
        "port": {"type": "int", "default": pgbackrest.DEFAULT_PORT},
        "side": {"type": "str", "choices": list(pgbackrest.SIDES), "default": pgbackrest.TOGETHER},
        "address": {"type": "str", "default": ""},
        "source_address": {"type": "str", "default": ""},
        "source_port": {"type": "int", "default": pgbackrest.DEFAULT_SOURCE_PORT},
    }
    return {
        "name": {"type": "str", "default": "main"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "engine": {"type": "str", "choices": list(_ENGINES)},
        "server": {"type": "dict", "options": server},
        "store": {"type": "str"},
        "state_path": {"type": "str"},
        "incoming_path": {"type": "str"},
        "sealing": {"type": "str", "choices": list(TOOLS), "default": AGE},
        "recipients": keys,
        "cluster": {"type": "dict", "options": cluster},
        "point_in_time": {"type": "bool", "default": True},
        "offsite": {"type": "dict", "options": offsite},
        "object_storage": {"type": "dict", "options": object_storage},
        "escrow_recipients": keys,
        "repository": {"type": "dict", "options": repository},
        # Public, but a secret one that got there by mistake must not get into a log.
        "recipient_keys": {"type": "list", "elements": "str", "default": [], "no_log": True},
        "keep_days": {"type": "int", "default": 7},
        "compression_level": {"type": "int", "default": 1},
        "deadline_seconds": {"type": "int", "default": 21600},
        "minimum_free_percent": {"type": "int", "default": 10},
        "smallest_share": {"type": "float", "default": 0.5},
        "full_at": {"type": "str", "default": "00:00"},
        "time_zone": {"type": "str", "default": "UTC"},
        "randomized_delay": {"type": "int", "default": 0},
        "verify_weekly": {"type": "bool", "default": True},
        "on_failure_units": {"type": "list", "elements": "str", "default": []},
    }


class PresentJob:
    """A job as declared: see ``Subject``."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._program = build_program()
        self._before: Host | None = None

    def observe(self) -> Host:
        require_booted()
        host = observe_job(self.job)
        self._before = self._before or host
        return host

    def plan(self, observed: Host) -> Plan:
        return plan_present(self.job, observed, self._program)

    def apply(self, plan: Plan, observed: Host) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Host, plan: Plan) -> dict[str, t.Any]:
        job = self.job
        return {
            "job_file": job.file,
            "store": job.store,
            "units": sorted(job.units),
            "archive_command": archive_command(job),
            "restart_pending": observed.anteroom_is_closed,
            "outgoing": outgoing_of([job, *observed.other_jobs]),
            "incoming": incoming_of([job, *observed.other_jobs]),
            "diff": _diff(plan, self._before),
        }


class AbsentJob:
    """No units and files of that name: see ``Subject``."""

    def __init__(self, name: str) -> None:
        self._name = name

    def observe(self) -> Host:
        require_booted()
        return observe_leftovers(self._name)

    def plan(self, observed: Host) -> Plan:
        return plan_absent(observed)

    def apply(self, plan: Plan, observed: Host) -> None:
        del observed
        apply_plan(plan)

    def result(self, observed: Host, plan: Plan) -> dict[str, t.Any]:
        del observed, plan
        return {}


def subject(options: t.Mapping[str, t.Any]) -> PresentJob | AbsentJob:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    if options["state"] == "absent":
        return AbsentJob(check_name(options["name"]))
    return PresentJob(_job(options))


def archive_command(job: Job) -> str:
    """For PostgreSQL's parameter of that name; empty for a server without."""
    if job.side == pgbackrest.REPOSITORY:
        return ""
    if job.repository:
        return pgbackrest.archive_command(job.repository, job.name)
    if not job.incoming:
        return ""
    return f"{PYTHON} -I {PROGRAM} archive --job {job.file} %p %f"


def _job(options: t.Mapping[str, t.Any]) -> Job:
    name, engine = check_name(options["name"]), options["engine"]
    if engine is None:
        raise InvalidDeclaration("engine is missing", f"One of {', '.join(_ENGINES)}")
    repository = _repository(name, engine, options)
    has_log = has_anteroom(engine, repository)
    incoming = options["incoming_path"] or (f"/var/lib/bulwark/incoming/{name}" if has_log else "")
    if incoming and not has_log:
        raise InvalidDeclaration(f"incoming_path is of no use with the engine {engine}", "Leave it out")
    state = options["state_path"] or f"/var/lib/bulwark/backup/{name}"
    return Job(
        name=name,
        server=_server(engine, options["server"] or {}),
        store=options["store"] or f"/var/backups/bulwark/{name}",
        state=state,
        incoming=incoming,
        recipients=check_recipients(
            options["recipients"],
            options["escrow_recipients"],
            sealing=options["sealing"],
            keys=options["recipient_keys"],
        ),
        limits=Limits(**{limit: options[limit] for limit in _LIMITS}),
        schedule=Schedule(
            options["full_at"],
            options["time_zone"],
            options["randomized_delay"],
            tuple(options["on_failure_units"]),
            options["verify_weekly"],
            tuple((options["repository"] or {}).get("between_at") or ()),
        ),
        cluster=_cluster(engine, options),
        stream=f"{state}/stream" if engine == MARIADB and options["point_in_time"] else "",
        offsite=_offsite(name, options),
        credentials=_credentials(options["object_storage"]),
        repository=repository,
    )


def _repository(name: str, engine: str, options: t.Mapping[str, t.Any]) -> pgbackrest.Repository | None:
    declared = options["repository"] or {}
    if engine != PGBACKREST:
        if declared:
            raise InvalidDeclaration(f"repository is of no use with the engine {engine}", "Leave it out")
        return None
    return pgbackrest.Repository(
        folder=repository_folder(name),
        segment_bytes=(options["server"] or {}).get("wal_segment_bytes") or DEFAULT_SEGMENT_BYTES,
        between=pgbackrest.KINDS[declared.get("between") or _BETWEEN[0]] if declared.get("between_at") else "",
        processes=declared.get("processes") or 1,
        port=declared.get("port") or pgbackrest.DEFAULT_PORT,
        side=declared.get("side") or pgbackrest.TOGETHER,
        address=declared.get("address") or "",
        source_address=declared.get("source_address") or "",
        source_port=declared.get("source_port") or pgbackrest.DEFAULT_SOURCE_PORT,
    )


def _offsite(name: str, options: t.Mapping[str, t.Any]) -> Offsite | ObjectStorage | None:
    declared, bucket = options["offsite"], options["object_storage"]
    if declared and bucket:
        raise InvalidDeclaration(
            "offsite and object_storage are both declared", "Copies go to one place: leave one out"
        )
    if bucket:
        known = {field: bucket[field] for field in ("endpoint", "bucket", "prefix", "region", "ca")}
        addresses = resolve(host_of(bucket["endpoint"]), what="object_storage")
        return ObjectStorage(**known, folder=bucket_folder(name), addresses=addresses)
    if not declared:
        return None
    folder = offsite_folder(name)
    addresses = resolve(declared["host"], what="offsite")
    return Offsite(
        declared["host"], declared["port"], declared["user"], f"{folder}/key", f"{folder}/known_hosts", addresses
    )


def _credentials(bucket: t.Mapping[str, t.Any] | None) -> Credentials | None:
    return check_credentials(bucket["access_key"], bucket["secret_key"]) if bucket else None


def _cluster(engine: str, options: t.Mapping[str, t.Any]) -> Cluster | None:
    declared = options["cluster"]
    if not declared:
        return None
    if engine != MARIADB:
        raise InvalidDeclaration(f"cluster is of no use with the engine {engine}", "Leave it out")
    nodes, writers = tuple(declared["nodes"]), tuple(declared["writers"])
    return Cluster(nodes, writers, declared["wait_seconds"], late_seconds=options["randomized_delay"])


def _server(engine: str, options: t.Mapping[str, t.Any]) -> Server:
    missing = [option for option in _NEEDED[engine] if not options.get(option)]
    if missing:
        raise InvalidDeclaration(
            f"server lacks {', '.join(missing)}", f"{engine}_server_info says where the server lives on its host"
        )
    if engine == MARIADB:
        useless = [option for option in ("unit", "heartbeat_database", "binaries") if options.get(option)]
        if useless:
            raise InvalidDeclaration(f"server: {useless[0]} is of no use with the engine {engine}", "Leave it out")
        return Server(engine, options["socket"], options["data_directory"], defaults_file=options["defaults_file"])
    return Server(
        engine,
        options["socket"],
        options["data_directory"],
        port=options["port"],
        binaries=options["binaries"],
        unit=options.get("unit") or "",
        heartbeat_database=options.get("heartbeat_database") or "",
    )


def _diff(plan: Plan, before: Host | None) -> list[dict[str, str]]:
    """Text files as wholes, the rest a line each, and so what is secret; the program is no text."""
    texts = [change for change in plan if change.payload[0] == PUT and _is_text(change.payload[1])]
    rest = Plan(tuple(change for change in plan if change not in texts))
    return [*(_file_diff(change, before) for change in texts), *([rest.diff()] if rest else [])]


def _is_text(item: Item) -> bool:
    return item.kind == FILE and item.path != PROGRAM and not item.is_secret


def _file_diff(change: Change, before: Host | None) -> dict[str, str]:
    item: Item = change.payload[1]
    found = before.items.get(item.path) if before else None
    return {
        "before_header": f"{item.path} ({found.access})" if found else item.path,
        "after_header": f"{item.path} ({item.access})",
        "before": found.data.decode("utf-8", "replace") if found else "",
        "after": item.data.decode("utf-8", "replace"),
    }
