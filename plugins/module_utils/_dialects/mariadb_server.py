# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a MariaDB server's variables and option files say about its place on the host. Pure."""

from __future__ import annotations

import posixpath
import re
import typing as t

from .._core.mariadb_place import ServerFiles
from . import mariadb_provider as provider
from .mariadb_option_files import Option, Reading

_DIRECTORIES: t.Final = (
    *("datadir", "plugin_dir", "innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory"),
    *("innodb_tmpdir", "aria_log_dir_path", "secure_file_priv", "slave_load_tmpdir", "wsrep_data_home_dir"),
)
_FILES: t.Final = (
    *("general_log_file", "log_bin_basename", "log_error", "pid_file", "relay_log_basename", "slow_query_log_file"),
    *("socket", "ssl_ca", "ssl_cert", "ssl_crl", "ssl_key", "file_key_management_filename"),
    *("server_audit_file_path", "sql_error_log_filename"),
)
_OTHERS: t.Final = ("bind_address", "general_log", "have_ssl", "log_output", "port", "slow_query_log", "wsrep_provider")
# Tables with a DATA DIRECTORY of their own: /srv/fast/shop for /srv/fast/shop/orders.ibd.
TABLESPACES_QUERY: t.Final = """
SELECT DISTINCT SUBSTRING_INDEX(FILENAME, '/', LENGTH(FILENAME) - LENGTH(REPLACE(FILENAME, '/', '')))
  FROM information_schema.INNODB_SYS_TABLESPACES WHERE FILENAME LIKE '/%' AND NAME LIKE '%/%'"""
_PROVIDER_PATHS: t.Final = ("gcache.dir", "gcache.name", "socket.ssl_ca", "socket.ssl_cert", "socket.ssl_key")
_SECRET_OPTION = re.compile(r"(?:password|passphrase|secret|token|filekey|sst_auth)$")
# How the two name the file of a key or certificate: the server, and the section [sst] of the transfer scripts.
_KEY_OPTIONS: t.Final = ("ssl_key", "ssl_password_file", "tkey")
_CERTIFICATE_OPTIONS: t.Final = ("ssl_cert", "ssl_ca", "ssl_crl", "tcert", "tca")
_TRANSFER_GROUP: t.Final = "sst"
_KEY_OF_KEYS: t.Final = "file_key_management_filekey"
_FROM_FILE: t.Final = "FILE:"


def place_settings(values: t.Mapping[str, str]) -> dict[str, str]:
    """Paths, port and the like out of all variables; paths absolute, those of the Galera provider by their keys.

    What the server does not know or does not use is an empty string.
    """
    data = values["datadir"]
    found = {name: values.get(name, "") for name in _OTHERS}
    found["wsrep_provider"] = "" if found["wsrep_provider"] == "none" else found["wsrep_provider"]
    for name in (*_DIRECTORIES, *_FILES):
        found[name] = absolute(values.get(name, ""), data)
    found["tmpdir"] = ":".join(absolute(part, data) for part in values.get("tmpdir", "").split(":"))
    options = provider.parse(values.get(provider.NAME, "")) if found["wsrep_provider"] else {}
    for key in _PROVIDER_PATHS:
        found[key] = absolute(options.get(key, ""), data)
    return found


def server_files(settings: t.Mapping[str, str], reading: Reading, *, groups: t.Collection[str]) -> ServerFiles:
    """What the running server and its option files name.

    :param settings: of place_settings.
    :param reading: all that the files say, to the server and to others.
    :param groups: those that the server reads.
    """
    data = settings["datadir"]
    found: dict[str, set[str]] = {"private_keys": set(), "certificates": set(), "encryption_keys": set()}
    for name, value in (*settings.items(), *_named(reading.options, groups)):
        kind = _kind(name)
        if kind and value and (name != _KEY_OF_KEYS or value.startswith(_FROM_FILE)):
            found[kind].add(absolute(value.removeprefix(_FROM_FILE), data))
    return ServerFiles(
        config_files=tuple(dict.fromkeys(reading.files)),
        config_directories=tuple(dict.fromkeys(reading.directories)),
        secret_config_files=tuple(sorted({option.file for option in reading.options if is_secret(option)})),
        **{kind: tuple(sorted(paths)) for kind, paths in found.items()},
    )


def _named(options: t.Iterable[Option], groups: t.Collection[str]) -> t.Iterator[tuple[str, str]]:
    """Options of the server and of its state transfers, also those that wait for a restart."""
    for option in options:
        if option.value and option.group in (*groups, _TRANSFER_GROUP):
            if option.name == provider.NAME:
                yield from provider.parse(option.value).items()
            else:
                yield option.name, option.value


def _kind(name: str) -> str:
    plain = name.removeprefix("socket.")
    if plain in _KEY_OPTIONS:
        return "private_keys"
    if plain in _CERTIFICATE_OPTIONS:
        return "certificates"
    return "encryption_keys" if name in ("file_key_management_filename", _KEY_OF_KEYS) else ""


def is_secret(option: Option) -> bool:
    """Whether the value is a secret itself, and not the name of a file with one."""
    return bool(option.value and _SECRET_OPTION.search(option.name) and not option.value.startswith(_FROM_FILE))


def absolute(path: str, data_directory: str) -> str:
    """A server's path as the server itself takes it: relative ones count from the data directory."""
    return posixpath.normpath(posixpath.join(data_directory, path)) if path else ""
