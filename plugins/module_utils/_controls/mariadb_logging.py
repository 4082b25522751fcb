# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What MariaDB writes about whom. ``privacy`` keeps statements out, ``forensic`` keeps who did what in words."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import FORENSIC, PRIVACY
from .._core.file_areas import LOG
from .._core.plan import LIVE, RESTART
from .._core.setting_values import ValueType, split_list
from .acceptance import Holding, OneOf, Within
from .file_check import FileCheck
from .mariadb_checks import AuditFileCheck, ErrorLogCheck
from .mariadb_setting import REMEDY, chosen, query, variable
from .model import MARIADB, Choice, Control, Residual
from .plugin_check import PluginCheck
from .setting_check import Want


@dataclasses.dataclass(frozen=True)
class ExactWords:
    """A list of just these words, in any order."""

    wanted: tuple[str, ...]

    @property
    def words(self) -> str:
        return ",".join(self.wanted)

    def accepts(self, value: str, value_type: ValueType) -> bool:  # noqa: ARG002
        return {word.upper() for word in split_list(value)} == set(self.wanted)


# TABLE names tables and never carries text; every QUERY event does, with its literals.
_SILENT: t.Final = ("CONNECT", "TABLE")
_SPOKEN: t.Final = ("CONNECT", "QUERY_DDL", "QUERY_DCL", "TABLE")
_TALKATIVE: t.Final = """
SELECT plugin_name AS line FROM information_schema.plugins
 WHERE plugin_name = 'SQL_ERROR_LOG' AND plugin_status = 'ACTIVE'"""
_FAULTS: t.Final = """
SELECT CONCAT('records that could not be written: ', variable_value) AS line FROM information_schema.global_status
 WHERE variable_name = 'SERVER_AUDIT_WRITES_FAILED' AND variable_value > 0
UNION ALL
SELECT 'the audit is not active' FROM information_schema.global_status
 WHERE variable_name = 'SERVER_AUDIT_ACTIVE' AND variable_value = 'OFF'"""


def _audit_file(name: str, value: str) -> AuditFileCheck:
    return AuditFileCheck(name, Choice(Want(value, Within(value))), engine=MARIADB)


CONTROLS: t.Final = (
    Control(
        id="MDB-LOG-001",
        title="Statements, with their data and passwords, are not written to logs",
        category="logging",
        rationale="The general log holds every statement and the passwords of CREATE USER, the slow log and the"
        " monitors of InnoDB hold values, and the plugin sql_errlog holds statements that failed.",
        checks=(
            variable("general_log", "OFF"),
            chosen("slow_query_log", Choice(Want("OFF"), forensic=None)),
            variable("innodb_print_all_deadlocks", "OFF"),
            variable("innodb_status_output", "OFF"),
            variable("log_warnings", "2", Within("1", "2")),
            query("plugins that log statements", "sql_errlog is not loaded", _TALKATIVE, log_policies=(PRIVACY,)),
        ),
        remedy=f"{REMEDY}; UNINSTALL SONAME 'sql_errlog'",
        activation=LIVE,
        source=("OG-3.4", "OG-3.5", "OG-3.2"),
        references=("CIS-MDB106 3.6", "CIS-MDB106 3.4"),
        residual=(
            Residual("Binary logs hold every row that was changed: encrypt them, and keep them short."),
            Residual(
                "A statement on accounts or tables that fails on a Galera cluster is in the error log of every node,"
                " with a password in it too."
            ),
            Residual("The slow log quotes statements with their values.", log_policies=(FORENSIC,)),
        ),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-LOG-002",
        title="There is an error log, and logs are files that administrators alone read",
        category="logging",
        rationale="Without an error log nobody learns of refused logins. A log that is a table is read by SQL.",
        checks=(
            ErrorLogCheck(),
            variable("log_output", "FILE", OneOf(("FILE", "NONE"))),
            chosen("binlog_annotate_row_events", Choice(None, strict=Want("OFF"))),
            FileCheck(LOG),
        ),
        remedy=f"{REMEDY}; run file_permissions with the policies that mariadb_server_info derives",
        activation=LIVE,
        source=("OG-3.4", "TX-2.4.0"),
        references=("CIS-MDB106 6.1", "CIS-MDB106 6.3", "CIS-MDB106 3.3", "CIS-MDB106 3.4", "devsec mysql-conf-06"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUD-001",
        title="server_audit records who connects and what is touched, for good, and hides nobody",
        category="logging",
        rationale="A plugin that can be unloaded, or a list of exempt users, is where an intruder begins. Appliers of a"
        " cluster are not recorded: audit every node.",
        checks=(
            PluginCheck("server_audit"),
            variable("server_audit_logging", "ON"),
            chosen(
                "server_audit_events",
                Choice(
                    Want(",".join(_SILENT), ExactWords(_SILENT)),
                    forensic=Want(
                        ",".join(_SPOKEN),
                        Holding((("connect",), ("query_ddl", "query"), ("query_dcl", "query"), ("table",))),
                    ),
                ),
            ),
            variable("server_audit_excl_users", ""),
            variable("server_audit_incl_users", None, OneOf(("",))),
        ),
        remedy=REMEDY,
        activation=RESTART,
        source=("TX-2.4.1", "TX-2.4.8", "TX-2.4.12", "TX-2.4.16"),
        references=("CIS-MDB106 6.4", "CIS-MDB106 6.5", "STIG MADB-10-002500", "STIG MADB-10-011200"),
        conflicts=("STIG MADB-10-000500 (wants the text of DDL and grants, as the policy forensic does)",),
        residual=(
            Residual(
                "The text of DDL and of grants is lost: no event records it without the values of statements.",
                log_policies=(PRIVACY,),
            ),
            Residual("Records of DDL hold literals; passwords are masked.", log_policies=(FORENSIC,)),
        ),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-AUD-002",
        title="Audit records are kept long enough, and none is lost",
        category="logging",
        rationale="By default nine files of 1 MB are kept, which is a busy hour.",
        checks=(
            variable("server_audit_output_type", None, OneOf(("syslog", "file"))),
            _audit_file("server_audit_file_rotate_size", "100000000"),
            _audit_file("server_audit_file_rotations", "10"),
            query("faults of the audit", "the audit is active and has written every record", _FAULTS),
        ),
        remedy=f"{REMEDY}, or server_audit_output_type=syslog; ship the records to another host",
        activation=LIVE,
        source=("TX-2.4.13", "TX-2.4.14"),
        references=("STIG MADB-10-007300", "STIG MADB-10-012400", "CIS-MDB106 6.2"),
        residual=(Residual("Whether records leave the host is not looked at."),),
        engines=(MARIADB,),
    ),
)
