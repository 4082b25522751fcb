# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What of a Galera node decides on its safety: its own answers, its option files, and what lies on its disk."""

from __future__ import annotations

import os
import stat
import time
import typing as t

from .._core.observations import GaleraNode, Unobservable
from .._dialects import mariadb_galera as dialect
from .._dialects.mariadb_option_files import read_options
from .assessment_attempt import attempt
from .galera import ask
from .mariadb import Session
from .mariadb_settings import FilesOnDisk, find_process, observe_plugins, observe_variables
from .processes import read_process_file

_WEEK: t.Final = 7 * 24 * 3600
# Groups that the script of the state transfer reads beside the server's.
_TRANSFER_GROUPS: t.Final = ("sst", "xtrabackup", "mariabackup")
_SCRIPTS: t.Final = ("wsrep_sst_common", "wsrep_sst_mariabackup", "wsrep_sst_rsync", "wsrep_sst_mysqldump")


def observe_galera(session: Session) -> GaleraNode | None:
    """None where the server is no node."""
    answer = ask(session)
    if not dialect.is_enabled(answer.status, answer.variables):
        return None
    options = dialect.provider_options(answer.variables)
    data = answer.variables["datadir"]
    no_list = Unobservable("the table of who may join can't be read")
    variables = observe_variables(session)
    return GaleraNode(
        options=dialect.mask_secrets(options),
        replication_tls=dialect.replication_tls(options),
        cluster_address=answer.variables.get("wsrep_cluster_address", ""),
        allowlist=no_list if answer.allowlist is None else answer.allowlist,
        transfer=attempt(lambda: _transfer(session)),
        programs=attempt(lambda: _programs_of_others(answer.variables, variables["pid_file"].value)),
        conflict_dumps=attempt(lambda: _conflict_dumps(data)),
    )


def _transfer(session: Session) -> dict[str, str]:
    """What the files say to the scripts of the state transfer; paths and modes, no secret is among them."""
    process = find_process(observe_variables(session), observe_plugins(session)[1])
    found: dict[str, str] = {}
    for option in read_options(process.files, FilesOnDisk()).options:
        if option.group in (*_TRANSFER_GROUPS, *process.groups) and option.value is not None:
            own = option.group in _TRANSFER_GROUPS
            if own or option.name in ("ssl_mode", "encrypt", "tca", "tcert", "tkey"):
                found[option.name] = option.value
    return found


def _programs_of_others(variables: t.Mapping[str, str], pid_file: str) -> tuple[str, ...]:
    """Files that somebody beside root may change. The scripts are looked for where the server looks for them."""
    hook = variables.get("wsrep_notify_cmd", "").split(" ")[0]
    paths = [variables.get("wsrep_provider", ""), hook]
    for name in _SCRIPTS:
        paths += [f"{folder}/{name}" for folder in _search_path(variables["datadir"], pid_file)]
    found = []
    for path in dict.fromkeys(paths):
        if path.startswith("/") and os.path.exists(path):
            status = os.stat(path)
            if status.st_uid != 0 or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                found.append(f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}")
    return tuple(found)


def _search_path(data: str, pid_file: str) -> list[str]:
    with open(os.path.join(data, pid_file), encoding="ascii") as stream:
        environment = read_process_file(int(stream.read()), "environ").split("\0")
    path = next((one[len("PATH=") :] for one in environment if one.startswith("PATH=")), "/usr/bin")
    return path.split(":")


def _conflict_dumps(data: str) -> tuple[str, ...]:
    old = time.time() - _WEEK
    with os.scandir(data) as entries:
        dumps = [one for one in entries if one.name.startswith("GRA_") and one.name.endswith(".log")]
        return tuple(sorted(one.name for one in dumps if one.stat().st_mtime < old))
