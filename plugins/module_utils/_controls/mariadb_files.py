# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""File policies for a MariaDB host, derived from what the server itself says of its paths.

Strict, yet nothing that the server, its state transfers or Debian's tools need is taken away. The same policies serve
hardening and assessment. The folder of the socket is left alone: every client passes through it.
"""

from __future__ import annotations

import posixpath
import typing as t

from .._core.file_policies import SHARED_DIRECTORIES
from .._core.mariadb_place import BINARY_LOGS, DATA_DIRECTORIES, LOG_FILES, ServerFiles

PolicyData = dict[str, t.Any]


class Account(t.NamedTuple):
    """What the server runs as."""

    user: str
    group: str


# In it is a program that is root's and set-user-id, which PAM needs. Packages close the folder to all but the server.
_PAM_TOOL: t.Final = "/auth_pam_tool_dir"
# Debian's tools log in with it as root; it held the password of an administrator in older releases.
_DEBIANS_LOGIN: t.Final = "/etc/mysql/debian.cnf"


def file_policies(
    settings: t.Mapping[str, str],
    files: ServerFiles,
    *,
    os_user: str,
    os_group: str = "",
    tablespaces: t.Sequence[str] = (),
    output_file: str = "",
) -> list[PolicyData]:
    """Policies as the module file_permissions takes them.

    :param settings: absolute paths by the names of variables, as the dialect's place_settings makes them.
    :param files: paths with links resolved.
    :param os_user: account that the server runs as; ``os_group``: its group, named like the account if empty.
    :param tablespaces: folders of tables that lie apart from the data directory.
    :param output_file: where the server's standard error goes; empty without a file.
    """
    account = Account(os_user, os_group or os_user)
    policies = [_key_policy(path, account, may_be_shared=True) for path in files.private_keys]
    policies += [_key_policy(path, account, may_be_shared=False) for path in files.encryption_keys]
    policies += [
        {"path": path, "required": False, "owner": [account.user, "root"], "file_mode_max": "0644"}
        for path in files.certificates
    ]
    policies += _option_file_policies(files, account)
    policies += _data_policies(settings, files, account, tablespaces=tablespaces)
    policies += _log_policies(settings, files, account, output_file=output_file)
    # One policy for a path: the first, which is the stricter.
    return list({policy["path"]: policy for policy in reversed(policies)}.values())[::-1]


def program_policies(*, binary: str, plugin_directory: str, provider: str = "") -> list[PolicyData]:
    """Nobody but root changes the server, what it loads, and the provider of a Galera node."""
    rule = {"owner": ["root"], "group": ["root"], "file_mode_max": "0755", "directory_mode_max": "0755"}
    policies: list[PolicyData] = [{"path": path, **rule} for path in (binary, provider) if path]
    if plugin_directory and not _is_shared(plugin_directory):
        policies.append({"path": plugin_directory, "recurse": True, "exclude": [_PAM_TOOL], **rule})
    return policies


def _key_policy(path: str, account: Account, *, may_be_shared: bool) -> PolicyData:
    """:param may_be_shared: a key of TLS may serve several services, which Debian does by the group ssl-cert."""
    groups = [account.group, "ssl-cert"] if may_be_shared else [account.group]
    return {
        "path": path,
        "required": False,
        "owner": [account.user],
        "group": [account.group, "root"],
        "file_mode_max": "0600",
        "accept": [{"owner": ["root"], "group": [group], "file_mode_max": "0640"} for group in groups],
    }


def _option_file_policies(files: ServerFiles, account: Account) -> list[PolicyData]:
    """Others may read option files without secrets: clients of ordinary users read the same files.

    One that the server's account owns stays its own: root's, it might not be readable to the server any more.
    """
    groups = [account.group, "root"]
    policies: list[PolicyData] = [
        {"path": _DEBIANS_LOGIN, "required": False, "owner": ["root"], "group": ["root"], "file_mode_max": "0600"}
    ]
    for path in files.secret_config_files:
        own = {"owner": [account.user], "group": groups, "file_mode_max": "0600"}
        rule = {"owner": ["root"], "group": [account.group], "file_mode_max": "0640"}  # read by its group
        policies.append({"path": path, **rule, "accept": [own]})
    common = {"owner": ["root", account.user], "group": ["root", account.group]}
    policies += [{"path": path, "file_mode_max": "0644", **common} for path in files.config_files]
    folders = (*files.config_directories, *(posixpath.dirname(path) for path in files.config_files))
    policies += [
        {"path": path, "directory_mode_max": "0755", **common}
        for path in dict.fromkeys(folders)
        if not _is_shared(path)
    ]
    return policies


def _data_policies(
    settings: t.Mapping[str, str], files: ServerFiles, account: Account, *, tablespaces: t.Sequence[str]
) -> list[PolicyData]:
    """Data, wherever it lies, closed at its root; inside, files as the server makes them.

    Root's files stay root's in the data directory: mariadb-upgrade and Debian's package make small ones there.
    """
    data = settings["datadir"]
    rule: PolicyData = {"recurse": True, "owner": [account.user], "group": [account.group], "file_mode_max": "0660"}
    # What root owns, the server reaches by its group.
    roots = {"owner": ["root"], "directory_mode_max": "0770"}
    versions = {"owner": ["root"], "group": ["root"], "file_mode_max": "0664", "directory_mode_max": "0755"}
    # A socket in the data directory (Red Hat) needs a way to it for every client.
    passage = "0711" if _is_within(settings["socket"], data) else "0700"
    policies: list[PolicyData] = [{"path": data, **rule, "directory_mode_max": passage, "accept": [roots, versions]}]
    elsewhere = [*tablespaces, *(settings[name] for name in DATA_DIRECTORIES)]
    elsewhere += [posixpath.dirname(settings[name]) for name in BINARY_LOGS]
    policies += [
        {"path": path, **rule, "directory_mode_max": "0700", "accept": [roots]}
        for path in dict.fromkeys(elsewhere)
        if path in files.own_directories and not _is_within(path, data) and not _is_shared(path)
    ]
    exchange = settings["secure_file_priv"]
    if exchange and not _is_shared(exchange):
        mine = {"owner": [account.user], "directory_mode_max": "2770"}
        policies.append({"path": exchange, **mine, "accept": [{"owner": ["root"], "group": [account.group]}]})
    return policies


def _log_policies(
    settings: t.Mapping[str, str], files: ServerFiles, account: Account, *, output_file: str
) -> list[PolicyData]:
    """Logs outside of the data directory. The server makes files for its group to write, whatever UMask says.

    In Debian's folder for them that group is adm.
    A folder of theirs counts as a whole where the server's account owns it; elsewhere only the files are the server's.
    """
    rule: PolicyData = {
        "required": False,
        "owner": [account.user],
        "group": [account.group],
        "file_mode_max": "0660",
        "directory_mode_max": "2770",
        "accept": [
            {"group": ["adm"], "directory_mode_max": "2750"},
            {"group": ["root"], "file_mode_max": "0640", "directory_mode_max": "2750"},
            {"owner": ["root"]},
        ],
    }
    policies: list[PolicyData] = []
    for path in dict.fromkeys((*(settings[name] for name in LOG_FILES), output_file)):
        directory = posixpath.dirname(path)
        if path and not _is_within(path, settings["datadir"]):
            whole = directory in files.own_directories and not _is_shared(directory)
            place = {"path": directory, "recurse": True} if whole else {"path": path}
            policies.append({**place, **rule})
    return policies


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _is_shared(path: str) -> bool:
    return posixpath.normpath(path) in SHARED_DIRECTORIES
