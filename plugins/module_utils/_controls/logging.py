# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""How the log is kept: which events it records, in what form, where, and who may change or read it.

What of statements and their data reaches it is in logging_privacy.py.
"""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.file_areas import LOG
from .._core.plan import LIVE, RESTART
from .acceptance import Holding, Matching, OneOf
from .file_check import FileCheck
from .host_checks import LogSinkCheck
from .logging_privacy import CONTROLS as CONTROLS_OF_PRIVACY
from .model import Control
from .query_check import QueryCheck
from .setting_check import fixed

_CONTROLS_OF_RECORDS: t.Final = (
    Control(
        id="PG-LOG-008",
        title="Logins, logouts and replication are logged",
        category="logging",
        rationale="Who was there, from where and until when is what every investigation begins with.",
        checks=(
            fixed(
                "log_connections",
                "on",
                Holding((("authentication",), ("authorization",)), instead=("on", "true", "yes", "1", "all")),
            ),
            fixed("log_disconnections", "on"),
            fixed("log_replication_commands", "on"),
        ),
        remedy="Set them with postgresql_settings; new sessions are logged",
        source=("TX-2.2.9", "TX-2.4.8"),
        references=("CIS-PG17 3.1.20", "CIS-PG17 3.1.21", "CIS-PG17 7.2", "STIG CD16-00-011200", "devsec postgres-16"),
    ),
    Control(
        id="PG-LOG-009",
        title="Each record says when, who, from where and with which outcome, in UTC",
        category="logging",
        rationale="Records without time, process, role, database, client and SQLSTATE can't be put together; SQLSTATE "
        "is what tells errors apart when their text is left out.",
        checks=(
            fixed(
                "log_line_prefix",
                "%m [%p] %e %q%u@%d %h %a ",
                Matching(
                    (r"%-?\d*[mn]", r"%-?\d*[pc]", r"%-?\d*e", r"%-?\d*u", r"%-?\d*d", r"%-?\d*[hr]"),
                    "time, process, SQLSTATE, role, database and client",
                ),
            ),
            fixed("log_timezone", "UTC", OneOf(("UTC", "GMT", "Etc/UTC", "Etc/GMT", "UCT", "Etc/UCT"))),
        ),
        remedy="Set them with postgresql_settings",
        source=("TX-2.4.12",),
        references=("CIS-PG17 3.1.24", "CIS-PG17 3.1.26", "STIG CD16-00-001000", "STIG CD16-00-007500"),
    ),
    Control(
        id="PG-LOG-010",
        title="The log is kept somewhere and old files are not overwritten",
        category="logging",
        rationale="A log that goes nowhere, or over the last week's, is missing on the day it is needed.",
        checks=(
            LogSinkCheck(),
            fixed("log_truncate_on_rotation", "off"),
            fixed(
                "log_filename",
                "postgresql-%Y-%m-%d_%H%M%S.log",
                Matching((r"%s|%[YG].*%(m.*%d|j|V)|%F",), "a name with the date"),
            ),
        ),
        remedy="Set them with postgresql_settings; turn logging_collector on where nothing reads standard error",
        activation=RESTART,
        source=("TX-2.4.13", "TX-2.4.15"),
        references=("CIS-PG17 3.1.2", "CIS-PG17 3.1.3", "CIS-PG17 3.1.5"),
        conflicts=("CIS-PG17 3.1.7 (wants old files truncated)",),
    ),
    Control(
        id="PG-LOG-011",
        title="Logs are closed to others",
        category="logging",
        rationale="What no error message may tell a stranger stands in the log.",
        checks=(fixed("log_file_mode", "0600", OneOf(("0600", "0640"))), FileCheck(LOG)),
        remedy="Set log_file_mode with postgresql_settings; run file_permissions for the files that are there",
        activation=LIVE,
        source=("OG-3.4", "TX-2.4.14"),
        references=("CIS-PG17 3.1.4", "CIS-PG17 3.1.6", "STIG CD16-00-002000", "devsec postgres-20"),
    ),
    Control(
        id="PG-LOG-012",
        title="No role or database has logging settings of its own",
        category="logging",
        rationale="ALTER ROLE ... SET undoes a hardened configuration for that role, and who looks by SHOW never sees "
        "it.",
        checks=(
            QueryCheck(
                kind="overrides",
                expected="no ALTER ROLE or ALTER DATABASE ... SET for logging, audit or preloading",
                sql="""
SELECT concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname) || ': '
       || pg_catalog.split_part(c, '=', 1)
  FROM pg_catalog.pg_db_role_setting AS s
  LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
  LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) AS c
 WHERE c ~ '^(log_|debug_print_|backtrace_functions=|pgaudit[.]|set_user[.]|auto_explain[.]|session_preload_libraries=)'
 ORDER BY 1""",
            ),
        ),
        remedy="ALTER ROLE or ALTER DATABASE ... RESET what the evidence names",
        activation=LIVE,
        source=("OG-3.4", "TX-2.4.0"),
        references=("STIG CD16-00-002400",),
    ),
    Control(
        id="PG-LOG-013",
        title="Only superusers change protected settings, and only in files",
        category="logging",
        level=STRICT,
        rationale="A granted parameter turns the log off quietly; ALTER SYSTEM does it for an intruder in the "
        "database.",
        checks=(
            QueryCheck(
                kind="granted parameters",
                expected="no SET or ALTER SYSTEM privilege on a parameter",
                sql="SELECT 'parameter ' || parname FROM pg_catalog.pg_parameter_acl ORDER BY 1",
                minimum=150000,
            ),
            fixed("allow_alter_system", "off", minimum=170000),
        ),
        remedy="REVOKE ALL ON PARAMETER; set allow_alter_system with postgresql_settings, which then writes a file",
        source=("TX-2.3.1", "TX-2.4.0"),
        references=("STIG CD16-00-007800", "STIG CD16-00-002400"),
    ),
    Control(
        id="PG-LOG-014",
        title="Records arrive whole, and no login waits for a name server",
        category="logging",
        rationale="syslog drops repeated and cuts long messages; looking up names lets a stranger's name server delay"
        " logins.",
        checks=(
            fixed("syslog_sequence_numbers", "on"),
            fixed("syslog_split_messages", "on"),
            fixed("log_hostname", "off"),
        ),
        remedy="Set them with postgresql_settings",
        source=("TX-2.4.15",),
        references=("CIS-PG17 3.1.12", "CIS-PG17 3.1.13", "CIS-PG17 3.1.23"),
        conflicts=("devsec postgres-16 (wants log_hostname on)",),
    ),
)

CONTROLS: t.Final = (*CONTROLS_OF_PRIVACY, *_CONTROLS_OF_RECORDS)
