# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is looked at on a MariaDB server besides variables and tables: replication, its log, the audit's files."""

from __future__ import annotations

from .._core.assessment import FAIL, NOT_APPLICABLE, PASS, Finding, Situation
from .._core.observations import Observations, Unobservable
from .observed_check import ObservedCheck, seen
from .setting_check import SettingCheck


class ChannelCheck(ObservedCheck):
    """Every source that is copied is reached by TLS and verified."""

    expected = "TLS and a verified certificate on every channel"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        channels = seen(observations.channels)
        if not channels:
            return Finding(NOT_APPLICABLE, "the server is no replica")
        bad = tuple(
            f"{one.name or '(default)'} from {one.source}: {'not verified' if one.is_encrypted else 'plaintext'}"
            for one in channels
            if not (one.is_encrypted and one.is_verified)
        )
        if bad:
            return Finding(FAIL, f"{len(bad)} channels without verification", self.expected, bad)
        return Finding(PASS, f"{len(channels)} channels verified", self.expected)


class ErrorLogCheck(ObservedCheck):
    """The error log goes somewhere."""

    expected = "log_error names a file, or standard error goes to the journal or a file"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        setting = seen(observations.settings).get("log_error")
        if setting is not None and setting.value:
            return Finding(PASS, f"log_error = {setting.value}", self.expected)
        output = seen(observations.log_sink).output
        if output:
            return Finding(PASS, f"standard error goes to {output}", self.expected)
        return Finding(FAIL, "the log is lost: no log_error, and standard error goes nowhere", self.expected)


class AuditFileCheck(SettingCheck):
    """A variable that counts only where server_audit writes files itself."""

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        settings = observations.settings
        output = None if isinstance(settings, Unobservable) else settings.get("server_audit_output_type")
        if output is not None and output.value.lower() == "syslog":
            return Finding(NOT_APPLICABLE, "server_audit writes to syslog")
        return super().judge(observations, situation)
