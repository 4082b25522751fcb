# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is looked at on the host: where the log goes, the service's sandbox, packages."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t

from .._core.assessment import FAIL, NOT_APPLICABLE, NOT_OBSERVABLE, PASS, Finding, Situation
from .._core.observations import Observations
from .model import MARIADB, POSTGRESQL
from .observed_check import ObservedCheck, seen


@dataclasses.dataclass(frozen=True)
class LogSinkCheck(ObservedCheck):
    """The log goes somewhere, and not into the data directory.

    :param outside_of_data: judge the place instead of whether there is one.
    """

    outside_of_data: bool = False

    @property
    def expected(self) -> str:
        if self.outside_of_data:
            return "log_directory is an absolute path outside of the data directory, if the collector is on"
        return "the log goes to the collector, syslog, the journal or a file"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        values = {name: setting.value for name, setting in seen(observations.settings).items()}
        collector = values.get("logging_collector") == "on"
        if self.outside_of_data:
            return self._judge_place(values) if collector else Finding(NOT_APPLICABLE, "the collector is off")
        if collector or "syslog" in values.get("log_destination", ""):
            return Finding(PASS, "collector" if collector else "syslog", self.expected)
        output = seen(observations.log_sink).output
        if output:
            return Finding(PASS, f"standard error goes to {output}", self.expected)
        return Finding(FAIL, "the log is lost: no collector, no syslog, and standard error goes nowhere", self.expected)

    def _judge_place(self, values: t.Mapping[str, str]) -> Finding:
        directory, data = values.get("log_directory", ""), values.get("data_directory", "")
        inside = not directory.startswith("/") or f"{directory}/".startswith(f"{data.rstrip('/')}/")
        verdict, offending = (FAIL, ("log_directory",)) if inside else (PASS, ())
        return Finding(verdict, f"log_directory = {directory}", self.expected, (), offending)


@dataclasses.dataclass(frozen=True)
class ServiceCheck(ObservedCheck):
    """The systemd unit of the server and its running process are confined.

    :param properties: accepted values by property, as ``systemctl show`` prints them.
    """

    properties: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def expected(self) -> str:
        listed = ", ".join(f"{name}={' or '.join(values)}" for name, values in self.properties)
        return f"the unit has {listed}, and the running server lives under it"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        service = seen(observations.service)
        found = {name: service.properties.get(name, "") for name, dummy_values in self.properties}
        wrong = tuple(f"{name}={found[name]}" for name, values in self.properties if found[name] not in values)
        if wrong:
            return Finding(FAIL, f"{service.unit}: {len(wrong)} properties missing", self.expected, wrong)
        if not service.is_confined:
            return Finding(FAIL, f"{service.unit} was not restarted since it was confined", self.expected)
        return Finding(PASS, f"{service.unit} is confined", self.expected)


class SurplusCheck(ObservedCheck):
    """No package or enabled unit that the policy of ``minimal_packages`` denies."""

    expected = "no package or enabled unit of the deny-list"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        surplus = seen(observations.surplus)
        if not surplus:
            return Finding(PASS, "nothing to spare", self.expected)
        lines = tuple(f"{finding.kind} {finding.name}: {finding.reason}" for finding in surplus)
        return Finding(FAIL, f"{len(surplus)} packages or units too many", self.expected, lines)


class SourcesCheck(ObservedCheck):
    """Packages come signed only."""

    expected = "no package source is exempt from signatures"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        exemptions = seen(observations.untrusted_sources)
        if exemptions:
            return Finding(FAIL, f"{len(exemptions)} exemptions from signatures", self.expected, exemptions)
        return Finding(PASS, "every source is signed", self.expected)


@dataclasses.dataclass(frozen=True)
class SupportCheck(ObservedCheck):
    """The major version still gets fixes.

    :param ends: the last day by major version, in ascending order; MariaDB's are 1011 for the series 10.11.
    """

    ends: tuple[tuple[int, datetime.date], ...]
    engine: str = POSTGRESQL

    def _name(self, major: int) -> str:
        return f"{major // 100}.{major % 100}" if self.engine == MARIADB else str(major)

    @property
    def expected(self) -> str:
        listed = ", ".join(f"{self._name(major)} until {day.isoformat()}" for major, day in self.ends)
        return f"a major version that is supported upstream ({listed})"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:
        major = seen(observations.version) // (100 if self.engine == MARIADB else 10000)
        name = self._name(major)
        day = dict(self.ends).get(major)
        if day is None and major > max(known for known, dummy_day in self.ends):
            unknown = f"this collection does not know until when {name} is supported"
            return Finding(NOT_OBSERVABLE, unknown, self.expected)
        if day is None or situation.today > day:
            since = f" since {day}" if day else ""
            return Finding(FAIL, f"{name} is not supported any more{since}", self.expected)
        return Finding(PASS, f"{name} is supported until {day.isoformat()}", self.expected)


class UpdateCheck(ObservedCheck):
    """What is installed is the newest that is offered, and what runs is what is installed."""

    expected = "no update is offered for the server's packages, and the running server is the installed one"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        software = seen(observations.software)
        lines = [
            f"{name} {software.installed[name]}: {offered} is offered" for name, offered in software.candidates.items()
        ]
        if software.is_stale:
            lines.append("the running server is not the binary on disk any more: it waits for a restart")
        if lines:
            return Finding(FAIL, f"{len(lines)} updates wait", self.expected, tuple(lines))
        versions = ", ".join(f"{name} {version}" for name, version in software.installed.items())
        return Finding(PASS, versions, self.expected)


class OneMajorCheck(ObservedCheck):
    """Server packages of one major version only, the running one, unless others are declared."""

    expected = "server packages of the running major version only"

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:
        running = f"postgresql-{seen(observations.version) // 10000}"
        installed = seen(observations.software).installed
        wanted = (running, *situation.declares("server_packages"))
        others = [name for name in installed if re.fullmatch(r"postgresql-[0-9]+", name) and name not in wanted]
        if others:
            return Finding(FAIL, f"{', '.join(others)} besides {running}", self.expected, tuple(others))
        return Finding(PASS, running, self.expected)
