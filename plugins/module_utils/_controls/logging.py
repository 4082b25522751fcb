# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What reaches the log. Two policies: ``privacy`` keeps personal data out, ``forensic`` keeps what CIS asks for."""

from __future__ import annotations

import typing as t

from .._core.assessment import ESSENTIAL, FORENSIC, PRIVACY, STRICT
from .._core.file_areas import LOG
from .._core.plan import LIVE, RESTART
from .acceptance import EveryWord, Holding, Matching, OneOf
from .file_check import FileCheck
from .host_checks import LogSinkCheck
from .model import Choice, Control, Residual
from .query_check import QueryCheck
from .setting_check import SettingCheck, Want, fixed

_REMEDY: t.Final = "Set them with postgresql_settings; ALTER ROLE or DATABASE ... RESET what overrides them"


def _private(name: str, value: str, *, forensic: Want | None = None, **options: t.Any) -> SettingCheck:
    """One value under the policy privacy, another or none under forensic."""
    return SettingCheck(name, Choice(Want(value), forensic=forensic), **options)


_QUOTED: t.Final = Residual(
    "A primary message may quote a value: a bad cast, an unknown name, a syntax error, RAISE. Level strict keeps ERROR"
    " records out of the log.",
    levels=(ESSENTIAL,),
    log_policies=(PRIVACY,),
)
_SILENT: t.Final = Residual(
    "Errors of statements are not logged at all; to find a fault, open a diagnostic window (diagnostic_window.yml), in"
    " which primary messages may quote values.",
    levels=(STRICT,),
    log_policies=(PRIVACY,),
)
_RECORDED: t.Final = Residual(
    "The log holds statements, and with them personal data: whoever reads it needs the right to.",
    log_policies=(FORENSIC,),
)

_CONTROLS_OF_ERRORS: t.Final = (
    Control(
        id="PG-LOG-001",
        title="Failing statements are not written to the log",
        category="logging",
        rationale="By default every statement that fails is logged with all it holds: data, and passwords of CREATE "
        "ROLE.",
        checks=(_private("log_min_error_statement", "panic", forensic=Want("error"), override_check=True),),
        remedy=_REMEDY,
        source=("OG-3.4", "OG-3.5", "OG-3.6"),
        conflicts=("CIS-PG17 3.1.15 (wants error, as the policy forensic does)",),
        residual=(_QUOTED, _SILENT, _RECORDED),
    ),
    Control(
        id="PG-LOG-002",
        title="The log's level is neither a debugger's nor so high that logins vanish",
        category="logging",
        rationale="Debug messages hold data. Above log, the records of connections and of pgAudit are lost as well.",
        checks=(
            SettingCheck(
                "log_min_messages",
                Choice(
                    Want("warning", OneOf(("warning", "error", "log"))),
                    strict=Want("log"),
                    forensic=Want("warning", OneOf(("warning", "notice", "info"))),
                ),
                override_check=True,
            ),
        ),
        remedy=_REMEDY,
        source=("OG-3.2", "TX-2.4.0"),
        references=("CIS-PG17 3.1.14",),
        residual=(_QUOTED, _SILENT),
    ),
    Control(
        id="PG-LOG-003",
        title="Details of errors that quote rows are left out",
        category="logging",
        rationale="DETAIL names key values, CONTEXT quotes COPY lines and statements of functions. The formats csvlog "
        "and jsonlog write them whatever log_error_verbosity says.",
        checks=(
            _private("log_error_verbosity", "terse", forensic=Want("verbose"), override_check=True),
            SettingCheck(
                "log_destination",
                Choice(
                    Want("stderr", EveryWord("stderr|syslog", "stderr or syslog", separator=",")),
                    forensic=Want("stderr", EveryWord(r"stderr|syslog|csvlog|jsonlog|eventlog", "any", separator=",")),
                ),
            ),
        ),
        remedy=_REMEDY,
        source=("OG-3.2", "OG-3.4", "OG-3.6"),
        references=("STIG CD16-00-006100",),
        conflicts=("CIS-PG17 3.1.22 (wants verbose, as the policy forensic does)",),
        residual=(_QUOTED, _RECORDED),
    ),
    Control(
        id="PG-LOG-004",
        title="Bound parameters are not written to the log",
        category="logging",
        rationale="Parameters are where applications put personal data.",
        checks=(
            _private("log_parameter_max_length", "0"),
            _private("log_parameter_max_length_on_error", "0", override_check=True),
        ),
        remedy=_REMEDY,
        source=("OG-3.4",),
    ),
    Control(
        id="PG-LOG-005",
        title="Statements are not copied into the log",
        category="logging",
        rationale="Statement, duration and sample logging quote statements, and log_statement=ddl quotes passwords."
        " pg_stat_statements finds slow ones without their values.",
        checks=(
            _private("log_statement", "none", forensic=Want("ddl", OneOf(("ddl", "mod", "all"))), override_check=True),
            _private("log_min_duration_statement", "-1", override_check=True),
            _private("log_min_duration_sample", "-1", override_check=True),
            _private("log_transaction_sample_rate", "0", override_check=True),
            _private("log_duration", "off", override_check=True),
        ),
        remedy=_REMEDY,
        source=("OG-3.4",),
        conflicts=("CIS-PG17 3.1.25 (wants ddl, as the policy forensic does)",),
        residual=(
            Residual("log_statement=ddl writes passwords of CREATE and ALTER ROLE in clear.", log_policies=(FORENSIC,)),
        ),
    ),
    Control(
        id="PG-LOG-006",
        title="Debugging output is off",
        category="logging",
        rationale="Parse and plan trees hold the values of the statement.",
        checks=(
            fixed("debug_print_parse", "off", override_check=True),
            fixed("debug_print_rewritten", "off", override_check=True),
            fixed("debug_print_plan", "off", override_check=True),
            fixed("backtrace_functions", "", override_check=True),
        ),
        remedy=_REMEDY,
        source=("OG-3.2",),
        references=("CIS-PG17 3.1.16", "CIS-PG17 3.1.17", "CIS-PG17 3.1.18"),
    ),
)

_CONTROLS_OF_RECORDS: t.Final = (
    Control(
        id="PG-LOG-007",
        title="Others' statements are shown and logged to nobody",
        category="logging",
        level=STRICT,
        rationale="Members of pg_read_all_stats see the running statements of all, with their values; auto_explain logs"
        " them.",
        checks=(
            QueryCheck(
                kind="roles that see others' statements",
                expected="pg_read_all_stats and pg_monitor are granted to declared roles only",
                sql="""
SELECT m.rolname || ' is a member of ' || g.rolname
  FROM pg_catalog.pg_auth_members AS a
  JOIN pg_catalog.pg_roles AS g ON g.oid = a.roleid JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
 WHERE g.rolname IN ('pg_read_all_stats', 'pg_monitor') AND left(m.rolname, 3) <> 'pg_' AND NOT m.rolsuper
   AND m.rolname <> ALL (%(privileged_roles)s::name[]) ORDER BY 1""",
            ),
            QueryCheck(
                kind="settings by which auto_explain logs statements",
                expected="auto_explain logs nothing",
                sql="""
SELECT name FROM pg_catalog.pg_settings
 WHERE name = 'auto_explain.log_min_duration' AND setting <> '-1'""",
                log_policies=(PRIVACY,),
            ),
        ),
        remedy="REVOKE the membership or declare the role; set auto_explain.log_min_duration to -1",
        source=("OG-3.4",),
    ),
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

CONTROLS: t.Final = (*_CONTROLS_OF_ERRORS, *_CONTROLS_OF_RECORDS)
