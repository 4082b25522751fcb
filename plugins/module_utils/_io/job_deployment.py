# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A backup job's account, folders, files and timers on this host: looking at them, and bringing them about."""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import stat
import time
import typing as t

from .._core.backup_deployment import (
    DISABLE,
    ENABLE,
    FILE,
    FOLDER,
    HOME,
    MAKE_ACCOUNT,
    MAKE_GROUP,
    NO_SHELL,
    PUT,
    Host,
    Item,
    Job,
    ObservedAccount,
    ObservedTimer,
    bucket_folder,
    files_of,
    folders_of,
    job_file,
    passages_of,
    recipients_folder,
    repository_folder,
)
from .._core.backup_job_file import POSTGRESQL, BackupJob, parse_job
from .._core.backup_units import ACCOUNT, ENDINGS, PYTHON, UNIT_FOLDER, Schedule
from .._core.errors import ApplyFailed, InvalidDeclaration, ObservationFailed
from .._core.object_storage import ObjectStorage
from .._core.pgbackrest import TOGETHER, Repository
from .._core.plan import Change, Plan
from .._core.sandbox import is_read_only, parse_mounts
from .accounts import Accounts, group_number, owner_number
from .commands import is_there, run_command
from .files import FileContent, read_file, remove_file, replace_file
from .object_storage import observe_bucket
from .openpgp_keys import observe_keys
from .processes import read_process_file
from .units import disable_units, enable_unit, reload_manager, restart_unit, unit_properties

_START_SECONDS: t.Final = 60
_SUFFIXES: t.Final = ("", *ENDINGS)
_KINDS: t.Final = ((stat.S_ISREG, FILE), (stat.S_ISDIR, FOLDER), (stat.S_ISLNK, "symbolic link"))


def observe_job(job: Job) -> Host:
    accounts = Accounts()
    ends = [*folders_of(job, ""), *files_of(job, b"")]
    found = [observe_item(path, accounts, follow=True) for path in passages_of(job)]
    found += [observe_item(item.path, accounts) for item in ends]
    data = job.server.data_directory
    return Host(
        account=observe_account(),
        items={item.path: item for item in found if item},
        real_paths={path: os.path.realpath(path) for path in (data, job.store, job.state, job.incoming) if path},
        server_account=_owner(data, accounts),
        timers=observe_timers(job.name),
        job_files=files_of_name(job.name),
        missing_programs=tuple(_missing(job)),
        tablespaces=_tablespaces(data) if job.server.engine == POSTGRESQL else (),
        calendar_complaint=_calendar_complaint(job.schedule),
        other_jobs=tuple(_jobs(set(glob.glob(job_file("*"))) - {job.file})),
        present_job=next(_jobs({job.file}), None),
        anteroom_is_closed=bool(job.server.unit and job.incoming and job.side == TOGETHER)
        and _is_closed(job.server.unit, job.incoming),
        keys=observe_keys(job.recipients.keys),
        now=time.time(),
        bucket=observe_bucket(job.offsite, job.credentials)
        if isinstance(job.offsite, ObjectStorage) and job.credentials
        else None,
        has_own_group=bool(job.own_group) and _is_group(job.own_group),
    )


def observe_leftovers(name: str) -> Host:
    """What there is of a job that shall be absent."""
    return Host(None, {}, {}, None, observe_timers(name), files_of_name(name))


def observe_account() -> ObservedAccount | None:
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None
    others = sorted(group.gr_name for group in grp.getgrall() if ACCOUNT in group.gr_mem)
    return ObservedAccount(entry.pw_shell, entry.pw_dir, Accounts().group_name(entry.pw_gid) or "", tuple(others))


def files_of_name(name: str) -> tuple[str, ...]:
    """Files of a job that the module makes under its name; no store, no state, and no key of others."""
    units = [f"{UNIT_FOLDER}/bulwark-backup-{name}{end}.{kind}" for end in _SUFFIXES for kind in ("service", "timer")]
    drop_ins = glob.glob(f"{UNIT_FOLDER}/*.d/60-bulwark-backup-{name}.conf")
    keys = glob.glob(f"{recipients_folder(name)}/*.asc")
    configurations = Repository(repository_folder(name)).configurations
    of_bucket = [f"{bucket_folder(name)}/{file}" for file in ("hosts", "rclone.conf")]
    paths = (*units, *of_bucket, *sorted(drop_ins), *sorted(keys), *configurations, job_file(name))
    return tuple(path for path in paths if os.path.lexists(path))


def observe_timers(name: str) -> dict[str, ObservedTimer]:
    found = {}
    for end in _SUFFIXES:
        base = f"bulwark-backup-{name}{end}"
        of_timer = unit_properties(f"{base}.timer", "LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload")
        if of_timer["LoadState"] not in ("loaded", "error", "bad-setting"):
            continue
        of_service = unit_properties(f"{base}.service", "NeedDaemonReload")
        outdated = "yes" in (of_timer["NeedDaemonReload"], of_service["NeedDaemonReload"])
        is_enabled, is_active = of_timer["UnitFileState"] == "enabled", of_timer["ActiveState"] == "active"
        found[f"{base}.timer"] = ObservedTimer(is_enabled, is_active, outdated)
    return found


def apply_plan(plan: Plan) -> None:
    """In the plan's order; systemd reads its files again before a timer is touched, and at the end."""
    needs_reload = False
    for change in plan:
        action, what = change.payload
        if action in (ENABLE, DISABLE) and needs_reload:
            reload_manager()
            needs_reload = False
        needs_reload = _apply(change, action, what) or needs_reload
    if needs_reload:
        reload_manager()


def _apply(change: Change, action: str, what: t.Any) -> bool:
    """Carry one change out; whether systemd has to read its files again."""
    if action == MAKE_ACCOUNT:
        _put_account(what)
    elif action == MAKE_GROUP:
        _run("groupadd", "--system", what)
    elif action == PUT and what.kind == FOLDER:
        _put_folder(what)
    elif action == PUT:
        os.makedirs(os.path.dirname(what.path), mode=0o755, exist_ok=True)  # of a drop-in; the others are there
        numbers = owner_number(what.owner), group_number(what.group)
        replace_file(what.path, FileContent(what.data, *numbers, what.mode))
        return bool(what.path.startswith(f"{UNIT_FOLDER}/"))
    elif action == ENABLE:
        enable_unit(what)
        complaint = restart_unit(what, timeout=_START_SECONDS)
        if complaint:
            raise ApplyFailed(f"{change.subject} does not start: {complaint}", "See systemctl status")
    elif action == DISABLE:
        disable_units([what])
    else:
        remove_file(what)
        with contextlib.suppress(OSError):  # the folder of a drop-in or of keys, if nothing else is in it
            os.rmdir(os.path.dirname(what)) if what.endswith((".conf", ".asc")) else None
        return bool(what.startswith(f"{UNIT_FOLDER}/"))
    return False


def _put_account(found: ObservedAccount | None) -> None:
    """Without a password, a shell, and groups besides its own."""
    if not _is_group(ACCOUNT):
        _run("groupadd", "--system", ACCOUNT)
    shape = ["--gid", ACCOUNT, "--home-dir" if found is None else "--home", HOME, "--shell", NO_SHELL]
    if found is None:
        comment = "Encrypted backups (bulwark.database)"
        _run("useradd", "--system", "--no-create-home", "--comment", comment, *shape, ACCOUNT)
    else:
        _run("usermod", *shape, "--groups", "", ACCOUNT)


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _run(program: str, *arguments: str) -> None:
    done = run_command([program, *arguments])
    if not done.succeeded:
        raise ApplyFailed(f"{program} failed for the account {ACCOUNT}: {done.complaint}")


def _put_folder(item: Item) -> None:
    """Closed to everybody until it has its owner."""
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(item.path, 0o700)
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        descriptor = os.open(item.path, flags)
        try:
            status = os.fstat(descriptor)
            numbers = owner_number(item.owner), group_number(item.group)
            if (status.st_uid, status.st_gid) != numbers:
                os.fchown(descriptor, *numbers)
            os.fchmod(descriptor, item.mode)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ApplyFailed(f"can't make the folder {item.path}: {error.strerror}") from None


def observe_item(path: str, accounts: Accounts, *, follow: bool = False) -> Item | None:
    try:
        status = os.stat(path) if follow else os.lstat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ObservationFailed(f"can't look at {path}: {error.strerror}", "Run the module as root") from None
    kind = next((name for is_one, name in _KINDS if is_one(status.st_mode)), "special file")
    content = read_file(path) if kind == FILE else None
    return Item(
        kind,
        path,
        accounts.user_name(status.st_uid) or str(status.st_uid),
        accounts.group_name(status.st_gid) or str(status.st_gid),
        stat.S_IMODE(status.st_mode),
        content.data if content else b"",
    )


def _owner(path: str, accounts: Accounts) -> str | None:
    try:
        number = os.stat(path).st_uid
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ObservationFailed(f"can't look at {path}: {error.strerror}", "Run the module as root") from None
    return accounts.user_name(number) or str(number)


def _missing(job: Job) -> t.Iterator[str]:
    for program in (*job.programs(), PYTHON):
        if not (os.access(program, os.X_OK) if program.startswith("/") else is_there(program)):
            yield program


def _tablespaces(data_directory: str) -> tuple[str, ...]:
    """Where the links in pg_tblspc lead; asked of the files, so that no login is needed."""
    folder = os.path.join(data_directory, "pg_tblspc")
    try:
        return tuple(sorted(os.path.realpath(os.path.join(folder, name)) for name in os.listdir(folder)))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ObservationFailed(f"can't look at {folder}: {error.strerror}", "Run the module as root") from None


def _jobs(paths: t.Iterable[str]) -> t.Iterator[BackupJob]:
    for path in sorted(paths):
        content = read_file(path)
        # A job that can't be understood connects to nothing either; its own deployment says what is wrong with it.
        with contextlib.suppress(InvalidDeclaration):
            if content:
                yield parse_job(content.data.decode("utf-8", "replace"), where=path)


def _calendar_complaint(schedule: Schedule) -> str:
    done = run_command(["systemd-analyze", "calendar", schedule.calendar])
    return "" if done.succeeded else done.complaint


def _is_closed(unit: str, folder: str) -> bool:
    """Whether the running service, sandboxed before it was told, sees the folder read-only."""
    process = unit_properties(unit, "MainPID")["MainPID"]
    if process in ("", "0"):
        return False
    return is_read_only(folder, parse_mounts(read_process_file(int(process), "mountinfo")))
