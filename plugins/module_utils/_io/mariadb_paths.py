# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Files that a MariaDB server needs at its next start, as its account would find them."""

from __future__ import annotations

import os
import pwd
import typing as t

from .._dialects import mariadb_provider as provider

_FILES: t.Final = (
    *("ssl_ca", "ssl_cert", "ssl_crl", "ssl_key", "file_key_management_filename", "wsrep_provider"),
    *("datadir", "plugin_dir", "secure_file_priv"),
)
_PROVIDER_FILES: t.Final = ("socket.ssl_ca", "socket.ssl_cert", "socket.ssl_key", "socket.ssl_password_file")


def path_complaints(values: t.Mapping[str, str], *, data_directory: str, uid: int, gid: int) -> list[str]:
    """Of the files that the values name, those that are not there or that the server's account can't read."""
    named = {name: values[name] for name in _FILES if values.get(name) and values[name] != "none"}
    options = provider.parse(values.get(provider.NAME, ""))
    named.update({f"{provider.NAME}, {key}": options[key] for key in _PROVIDER_FILES if options.get(key)})
    found = []
    for name, path in named.items():
        try:
            status = os.stat(os.path.join(data_directory, path))
        except OSError as error:
            found.append(f"{name} names {path}: {(error.strerror or '').lower()}")
            continue
        if not _may_read(status, uid, gid):
            found.append(f"{name} names {path}, which the server's account can't read")
    return found


def _may_read(status: os.stat_result, uid: int, gid: int) -> bool:
    try:
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:
        groups = [gid]
    if uid in (0, status.st_uid):
        return uid == 0 or bool(status.st_mode & 0o400)
    return bool(status.st_mode & (0o040 if status.st_gid in groups else 0o004))
