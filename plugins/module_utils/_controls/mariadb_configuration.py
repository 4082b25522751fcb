# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a MariaDB server lets statements do to the host, how it keeps data, and how long sessions last."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.file_areas import CONFIGURATION, DATA, PRIVATE_KEY
from .._core.plan import LIVE, RESTART
from .acceptance import Holding, ListWithout, Matching, OneOf, Within
from .file_check import FileCheck
from .mariadb_setting import REMEDY, chosen, query, variable
from .model import MARIADB, Choice, Control, Residual
from .setting_check import KEYS, SettingCheck, Want

_MODES: t.Final = (
    "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION"
)
_DANGEROUS: t.Final = """
SELECT CONCAT('plugin ', plugin_name) AS line FROM information_schema.plugins
 WHERE plugin_status = 'ACTIVE' AND UPPER(plugin_name) IN ('FEDERATED', 'CONNECT', 'SPIDER', 'HANDLERSOCKET', 'ARCHIVE',
       'BLACKHOLE', 'DISKS', 'FEEDBACK', 'SPHINX')
UNION ALL
SELECT CONCAT('function ', name, ' of ', dl) FROM mysql.func"""
_IN_CLEAR: t.Final = """
SELECT s.name AS line FROM information_schema.innodb_sys_tablespaces AS s
  LEFT JOIN information_schema.innodb_tablespaces_encryption AS e ON e.space = s.space
 WHERE s.name NOT LIKE 'innodb_temporary%%' AND (COALESCE(e.encryption_scheme, 0) = 0 OR e.min_key_version = 0)"""


def _with_keys(name: str, *others: str) -> SettingCheck:
    return variable(name, "ON", OneOf(("ON", *others)), needs=KEYS)


CONTROLS: t.Final = (
    Control(
        id="MDB-CFG-001",
        title="Statements don't read or write files of the host",
        category="filesystem",
        rationale="LOAD DATA and SELECT ... INTO OUTFILE reach what the server reaches; LOCAL lets a server read the"
        " client's files; a symbolic link puts a table anywhere.",
        checks=(
            variable("local_infile", "OFF"),
            variable(
                "secure_file_priv", "/var/lib/mysql-files", Matching(("^/.+|^NULL$",), "a folder of its own, not empty")
            ),
            variable("have_symlink", "OFF", OneOf(("DISABLED", "NO")), option="symbolic_links"),
            chosen("skip_show_database", Choice(None, strict=Want("ON"))),
        ),
        remedy=f"Make the folder of secure_file_priv, empty and the server's alone. {REMEDY}",
        activation=RESTART,
        source=("TX-2.5.8",),
        references=("CIS-MDB106 4.4", "CIS-MDB106 4.7", "devsec mysql-conf-03", "STIG MADB-10-003400"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-CFG-002",
        title="No plugin, function or engine that reaches files or other servers",
        category="filesystem",
        rationale="CONNECT and DISKS read the host, FEDERATED and SPIDER other servers, FEEDBACK sends data out, and a"
        " function of a library is code in the server.",
        checks=(
            variable("allow_suspicious_udfs", "OFF", may_be_absent=True),
            variable("plugin_maturity", "gamma", OneOf(("stable", "gamma"))),
            query("plugins and functions that reach out", "none is loaded", _DANGEROUS),
        ),
        remedy="UNINSTALL SONAME, DROP FUNCTION, and remove the packages of plugins",
        activation=LIVE,
        source=("TX-2.5.6", "TX-2.3.3"),
        references=("CIS-MDB106 3.8", "CIS-MDB106 4.3", "devsec mysql-conf-03"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-CFG-003",
        title="Data, configuration with secrets, and keys are the server's alone",
        category="filesystem",
        rationale="Files can be copied without any log noticing it. Stock option files are open to all, and hold the"
        " password of the state transfer where there is one.",
        checks=(FileCheck(DATA), FileCheck(CONFIGURATION), FileCheck(PRIVATE_KEY)),
        remedy="Run file_permissions with the policies that mariadb_server_info derives",
        activation=LIVE,
        source=("GB-2.2",),
        references=("CIS-MDB106 3.1", "CIS-MDB106 3.2", "CIS-MDB106 3.5", "CIS-MDB106 7.2", "devsec mysql-conf-04"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-CFG-004",
        title="The server refuses bad data, and what is committed survives a crash",
        category="filesystem",
        rationale="Without a strict mode values are cut off silently. In a cluster the other nodes hold what"
        " one loses.",
        checks=(
            variable(
                "sql_mode",
                _MODES,
                Holding((("strict_all_tables", "strict_trans_tables"), ("no_engine_substitution",))),
            ),
            variable("innodb_flush_log_at_trx_commit", "1", on_nodes=False),
            chosen("sync_binlog", Choice(None, strict=Want("1"))),
            chosen(
                "secure_timestamp",
                Choice(None, strict=Want("REPLICATION", OneOf(("REPLICATION", "SUPER", "YES")))),
            ),
        ),
        remedy=REMEDY,
        activation=RESTART,
        source=("OG-1.1",),
        references=("CIS-MDB106 4.8",),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-CFG-005",
        title="Data at rest is encrypted: tables, redo, binary logs, temporary files",
        category="filesystem",
        level=STRICT,
        rationale="A disk or a copy of it that gets lost tells nothing. The key must not lie beside the data, nor in"
        " the same backup.",
        checks=(
            _with_keys("innodb_encrypt_tables", "FORCE"),
            _with_keys("innodb_encrypt_log"),
            _with_keys("innodb_encrypt_temporary_tables"),
            _with_keys("aria_encrypt_tables"),
            _with_keys("encrypt_tmp_disk_tables"),
            _with_keys("encrypt_tmp_files"),
            _with_keys("encrypt_binlog"),
            query("tablespaces in clear", "every tablespace is encrypted", _IN_CLEAR),
        ),
        remedy="Load file_key_management with a key file; the baseline of level strict then sets the others. Tables"
        " follow by innodb_encryption_threads, or ALTER TABLE ... ENCRYPTED=YES",
        activation=RESTART,
        source=("GB-1.2", "GB-1.1", "GB-1.3"),
        references=("CIS-MDB106 4.9", "CIS-MDB106 6.6", "STIG MADB-10-008700"),
        residual=(
            Residual(
                "Tables can move to a new key, but key 1 (redo and binary logs) can't be replaced on the community"
                " server. galera.cache, GRA_*.log, the general and slow log and mariadb-dump's output stay in clear."
            ),
        ),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-NET-001",
        title="The server listens on named addresses only",
        category="network",
        rationale="A host may be given another address tomorrow; a server that listens on all of them is there too.",
        checks=(
            variable(
                "bind_address",
                None,
                ListWithout(("*", "0.0.0.0", "::"), "named addresses, not all of them", may_be_empty=False),  # noqa: S104
            ),
        ),
        remedy="Set bind_address with mariadb_settings, and restart",
        activation=RESTART,
        source=("OG-2.3",),
        references=("CIS-MDB106 2.13",),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-SES-001",
        title="Idle sessions and transactions end, and statements without end do",
        category="sessions",
        rationale="A terminal left open is anybody's, and an open transaction holds its locks until it ends.",
        checks=(
            variable("wait_timeout", "3600", Within("1", "3600")),
            variable("interactive_timeout", "1800", Within("1", "1800")),
            variable("idle_transaction_timeout", "600", Within("1", "3600")),
            chosen("max_statement_time", Choice(None, strict=Want("3600", Within("1", "86400")))),
        ),
        remedy=REMEDY,
        activation=LIVE,
        source=("TX-2.2.8",),
        references=("STIG MADB-10-006200",),
        engines=(MARIADB,),
    ),
)
