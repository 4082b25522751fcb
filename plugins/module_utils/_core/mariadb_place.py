# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What belongs to a MariaDB server on its host, by kind: where the dialect finds it and what controls judge it by."""

from __future__ import annotations

import dataclasses
import typing as t

# Variables that name log files which the server writes beside its standard error.
LOG_FILES: t.Final = (
    *("log_error", "general_log_file", "slow_query_log_file", "server_audit_file_path", "sql_error_log_filename"),
)
# Those that name folders of data that may lie apart from the data directory; the last is the Galera provider's.
DATA_DIRECTORIES: t.Final = (
    *("innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory", "aria_log_dir_path"),
    *("wsrep_data_home_dir", "gcache.dir"),
)
BINARY_LOGS: t.Final = ("log_bin_basename", "relay_log_basename")


@dataclasses.dataclass(frozen=True)
class ServerFiles:
    """Files that are looked at one by one.

    :param config_files: option files that are read, in order; ``config_directories``: folders of them.
    :param secret_config_files: those of them in which a password or the like is written.
    :param private_keys: of client TLS, replication and state transfer; ``certificates``: what is public of these.
    :param encryption_keys: the file of the keys of data at rest, and the one that holds its passphrase.
    :param own_directories: folders of data and logs that belong to the server's account, so all in them is its own.
    """

    config_files: tuple[str, ...] = ()
    config_directories: tuple[str, ...] = ()
    secret_config_files: tuple[str, ...] = ()
    private_keys: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    encryption_keys: tuple[str, ...] = ()
    own_directories: tuple[str, ...] = ()
