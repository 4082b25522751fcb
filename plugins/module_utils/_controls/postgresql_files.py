# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.


"""File policies for a PostgreSQL host, derived from what the server itself says of its paths.

Strict, yet nothing that the server or Debian's tools need is taken away; docs/adr/0010-file-permissions-scan.md tells
what was tried. The same policies serve hardening and assessment.
"""

from __future__ import annotations

import typing as t

from .._core.file_policies import SHARED_DIRECTORIES

PolicyData = dict[str, t.Any]


def file_policies(
    settings: t.Mapping[str, str],
    *,
    os_user: str,
    os_group: str = "",
    tablespaces: t.Sequence[str] = (),
    output_file: str = "",
) -> list[PolicyData]:
    """Policies as the module file_permissions takes them.

    :param settings: the server's answers, at least ``data_directory``; relative paths count from there.
    :param os_user: account that the server runs as.
    :param os_group: its group; named like the account if empty.
    :param tablespaces: their directories.
    :param output_file: where the server's standard error goes; empty without a file.
    """
    group = os_group or os_user
    data = _normal(settings["data_directory"])
    policies = _data_policies(settings, data, owner=os_user, group=group, tablespaces=tablespaces)
    policies += _configuration_policies(settings, data, owner=os_user, group=group)
    policies += _tls_policies(settings, data, owner=os_user, group=group)
    policies += _log_policies(settings, data, owner=os_user, group=group, output_file=output_file)
    policies += _socket_policies(settings, owner=os_user)
    # One policy for a path: the first, which is the stricter.
    return list({policy["path"]: policy for policy in reversed(policies)}.values())[::-1]


def program_policies(configuration: t.Mapping[str, str]) -> list[PolicyData]:
    """Nobody but root changes programs and libraries of the server.

    :param configuration: BINDIR, PKGLIBDIR and SHAREDIR as the view pg_config or the program of that name gives them.
    """
    rule = {"owner": ["root"], "group": ["root"], "file_mode_max": "0755", "directory_mode_max": "0755"}
    binaries = configuration.get("BINDIR", "")
    directories = [binaries, configuration.get("PKGLIBDIR", ""), configuration.get("SHAREDIR", "")]
    policies = [{"path": path, "recurse": True, **rule} for path in directories if path and not _is_shared(path)]
    if binaries and _is_shared(binaries):
        names = ("postgres", "pg_ctl", "initdb")
        policies += [{"path": f"{binaries}/{name}", "required": False, **rule} for name in names]
    return policies


def _data_policies(
    settings: t.Mapping[str, str], data: str, *, owner: str, group: str, tablespaces: t.Sequence[str]
) -> list[PolicyData]:
    """The data directory, and pg_wal and tablespaces, which may lie behind links that no scan follows.

    The server tells by data_directory_mode whether its cluster was made for a group that may read (for backups).
    """
    group_reads = settings.get("data_directory_mode", "0700") == "0750"
    rule = {
        "recurse": True,
        "owner": [owner],
        "group": [group],
        "file_mode_max": "0640" if group_reads else "0600",
        "directory_mode_max": "0750" if group_reads else "0700",
    }
    return [{"path": path, **rule} for path in (data, f"{data}/pg_wal", *tablespaces)]


def _configuration_policies(settings: t.Mapping[str, str], data: str, *, owner: str, group: str) -> list[PolicyData]:
    """Configuration outside of the data directory. Root's files need the server's group, or it could not read them.

    The directory is closed as well: Debian's wrapper of psql fails for ordinary users on a configuration that it can
    see and not read, and falls back to the defaults where it sees none.
    """
    rule = {
        "owner": [owner],
        "group": [group, "root"],
        "file_mode_max": "0640",
        "directory_mode_max": "0750",
        "accept": [{"owner": ["root"], "group": [group]}],
    }
    policies: list[PolicyData] = []
    directory = _directory(settings.get("config_file", ""))
    if directory and not _is_within(directory, data) and not _is_shared(directory):
        policies.append({"path": directory, "recurse": True, **rule})
    for name in ("config_file", "hba_file", "ident_file"):
        path = settings.get(name, "")
        covered = [data, *(policy["path"] for policy in policies)]
        if path and not any(_is_within(path, place) for place in covered):
            policies.append({"path": path, **rule})
    return policies


def _tls_policies(settings: t.Mapping[str, str], data: str, *, owner: str, group: str) -> list[PolicyData]:
    """The key as strict as the server itself demands it; what is public may be read, but not changed, by others."""
    policies: list[PolicyData] = []
    for name in ("ssl_key_file", "krb_server_keyfile"):
        path = _absolute(settings.get(name, ""), data)
        if path:
            policies.append(
                {
                    "path": path,
                    "required": False,
                    "owner": [owner],
                    "group": [group, "root"],
                    "file_mode_max": "0600",
                    "accept": [
                        {"owner": ["root"], "group": [group], "file_mode_max": "0640"},
                        {"owner": ["root"], "group": ["ssl-cert"], "file_mode_max": "0640"},
                    ],
                }
            )
    for name in ("ssl_cert_file", "ssl_ca_file", "ssl_crl_file", "ssl_dh_params_file"):
        path = _absolute(settings.get(name, ""), data)
        if path:
            policies.append({"path": path, "required": False, "owner": [owner, "root"], "file_mode_max": "0644"})
    return policies


def _log_policies(
    settings: t.Mapping[str, str], data: str, *, owner: str, group: str, output_file: str
) -> list[PolicyData]:
    """Logs of the server's own collector, and the file that its standard error goes to (Debian: /var/log/postgresql).

    The group adm reads logs on Debian, and the directory is root:postgres 1775 there: the sticky bit is part of it.
    """
    rule = {"owner": [owner, "root"], "group": [group, "adm", "root"], "file_mode_max": "0640", "required": False}
    policies: list[PolicyData] = []
    collected = _absolute(settings.get("log_directory", ""), data)
    if settings.get("logging_collector") == "on" and collected:
        policies += _log_place(collected, {**rule, "directory_mode_max": "0750"}, files=())
    if output_file:
        directory = _directory(output_file)
        policies += _log_place(directory, {**rule, "directory_mode_max": "1775"}, files=(output_file,))
    return policies


def _log_place(directory: str, rule: PolicyData, *, files: t.Sequence[str]) -> list[PolicyData]:
    """A directory of logs as a whole, or only the server's files in it where it is shared by the system."""
    if _is_shared(directory):
        return [{"path": path, **rule} for path in files]
    return [{"path": directory, "recurse": True, **rule}]


def _socket_policies(settings: t.Mapping[str, str], *, owner: str) -> list[PolicyData]:
    """Directories of sockets: others pass through, but only the server and its group put something there."""
    paths = [path.strip() for path in settings.get("unix_socket_directories", "").split(",")]
    return [
        {"path": path, "required": False, "owner": [owner, "root"], "directory_mode_max": "2775"}
        for path in paths
        if path.startswith("/") and not _is_shared(path)
    ]


def _absolute(path: str, data: str) -> str:
    """A server's path made absolute; keytabs carry a prefix."""
    path = path.removeprefix("FILE:")
    return _normal(path if path.startswith("/") else f"{data}/{path}") if path else ""


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _is_shared(path: str) -> bool:
    return _normal(path) in SHARED_DIRECTORIES


def _directory(path: str) -> str:
    return path.rpartition("/")[0]


def _normal(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
