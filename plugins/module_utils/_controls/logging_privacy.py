# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What of statements reaches the log. ``privacy`` keeps personal data out, ``forensic`` keeps what CIS asks for."""

from __future__ import annotations

import typing as t

from .._core.assessment import ESSENTIAL, FORENSIC, PRIVACY, STRICT
from .acceptance import EveryWord, OneOf
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

CONTROLS: t.Final = (
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
)
