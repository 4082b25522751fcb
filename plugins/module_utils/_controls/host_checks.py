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
from .._core.observations import Observations, Unobservable


@dataclasses.dataclass(frozen=True)
class LogSinkCheck:
    """The log goes somewhere, and not into the data directory.

    :param outside_of_data: judge the place instead of whether there is one.
    """

    outside_of_data: bool = False

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        if self.outside_of_data:
            return "log_directory is an absolute path outside of the data directory, if the collector is on"
        return "the log goes to the collector, syslog, the journal or a file"

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        expected = self.expected_text(level=situation.level, log_policy=situation.log_policy)
        settings = observations.settings
        if isinstance(settings, Unobservable):
            return Finding(NOT_OBSERVABLE, settings.reason, expected)
        values = {name: setting.value for name, setting in settings.items()}
        collector = values.get("logging_collector") == "on"
        if self.outside_of_data:
            return _judge_place(values, expected) if collector else Finding(NOT_APPLICABLE, "the collector is off")
        if collector or "syslog" in values.get("log_destination", ""):
            return Finding(PASS, "collector" if collector else "syslog", expected)
        sink = observations.log_sink
        if isinstance(sink, Unobservable):
            return Finding(NOT_OBSERVABLE, sink.reason, expected)
        if sink.output:
            return Finding(PASS, f"standard error goes to {sink.output}", expected)
        return Finding(FAIL, "the log is lost: no collector, no syslog, and standard error goes nowhere", expected)


def _judge_place(values: t.Mapping[str, str], expected: str) -> Finding:
    directory, data = values.get("log_directory", ""), values.get("data_directory", "")
    inside = not directory.startswith("/") or f"{directory}/".startswith(f"{data.rstrip('/')}/")
    return Finding(FAIL if inside else PASS, f"log_directory = {directory}", expected, (), ("log_directory",) * inside)


@dataclasses.dataclass(frozen=True)
class ServiceCheck:
    """The systemd unit of the server and its running process are confined.

    :param properties: accepted values by property, as ``systemctl show`` prints them.
    """

    properties: tuple[tuple[str, tuple[str, ...]], ...]

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        listed = ", ".join(f"{name}={' or '.join(values)}" for name, values in self.properties)
        return f"the unit has {listed}, and the running server lives under it"

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        expected = self.expected_text(level=situation.level, log_policy=situation.log_policy)
        service = observations.service
        if isinstance(service, Unobservable):
            return Finding(NOT_OBSERVABLE, service.reason, expected)
        wrong = [
            f"{name}={service.properties.get(name, '')}"
            for name, values in self.properties
            if service.properties.get(name, "") not in values
        ]
        if wrong:
            return Finding(FAIL, f"{service.unit}: {len(wrong)} properties missing", expected, tuple(wrong))
        if not service.is_confined:
            return Finding(FAIL, f"{service.unit} was not restarted since it was confined", expected)
        return Finding(PASS, f"{service.unit} is confined", expected)


@dataclasses.dataclass(frozen=True)
class SurplusCheck:
    """No package, unit or listener that the policy of ``minimal_packages`` denies."""

    expected: str = "no package or enabled unit of the deny-list, and no listener that is not declared"

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        return self.expected

    def judge(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002 (a Check)
        surplus = observations.surplus
        if isinstance(surplus, Unobservable):
            return Finding(NOT_OBSERVABLE, surplus.reason, self.expected)
        if not surplus:
            return Finding(PASS, "nothing to spare", self.expected)
        lines = tuple(f"{finding.kind} {finding.name}: {finding.reason}" for finding in surplus)
        return Finding(FAIL, f"{len(surplus)} packages, units or listeners too many", self.expected, lines)


@dataclasses.dataclass(frozen=True)
class SourcesCheck:
    """Packages come signed only."""

    expected: str = "no package source is exempt from signatures"

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        return self.expected

    def judge(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002 (a Check)
        sources = observations.untrusted_sources
        if isinstance(sources, Unobservable):
            return Finding(NOT_OBSERVABLE, sources.reason, self.expected)
        if sources:
            return Finding(FAIL, f"{len(sources)} exemptions from signatures", self.expected, sources)
        return Finding(PASS, "every source is signed", self.expected)


@dataclasses.dataclass(frozen=True)
class SupportCheck:
    """The major version still gets fixes. ``ends`` has the last day by major version."""

    ends: tuple[tuple[int, datetime.date], ...]

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        listed = ", ".join(f"{major} until {day.isoformat()}" for major, day in self.ends)
        return f"a major version that is supported upstream ({listed})"

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        expected = "a major version that is supported upstream"
        if isinstance(observations.version, Unobservable):
            return Finding(NOT_OBSERVABLE, observations.version.reason, expected)
        major = observations.version // 10000
        day = dict(self.ends).get(major)
        if day is None and major > max(known for known, dummy_day in self.ends):
            return Finding(NOT_OBSERVABLE, f"this collection does not know until when {major} is supported", expected)
        if day is None or situation.today > day:
            return Finding(FAIL, f"{major} is not supported any more{f' since {day}' if day else ''}", expected)
        return Finding(PASS, f"{major} is supported until {day.isoformat()}", expected)


@dataclasses.dataclass(frozen=True)
class UpdateCheck:
    """What is installed is the newest that is offered, and what runs is what is installed."""

    expected: str = "no update is offered for the server's packages, and the running server is the installed one"

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        return self.expected

    def judge(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002 (a Check)
        software = observations.software
        if isinstance(software, Unobservable):
            return Finding(NOT_OBSERVABLE, software.reason, self.expected)
        lines = [
            f"{name} {software.installed[name]}: {offered} is offered" for name, offered in software.candidates.items()
        ]
        if software.is_stale:
            lines.append("the running server is not the binary on disk any more: it waits for a restart")
        if lines:
            return Finding(FAIL, f"{len(lines)} updates wait", self.expected, tuple(lines))
        return Finding(
            PASS, ", ".join(f"{name} {version}" for name, version in software.installed.items()), self.expected
        )


@dataclasses.dataclass(frozen=True)
class OneMajorCheck:
    """Server packages of one major version only, the running one, unless others are declared."""

    expected: str = "server packages of the running major version only"

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        return self.expected

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        software, version = observations.software, observations.version
        for seen in (software, version):
            if isinstance(seen, Unobservable):
                return Finding(NOT_OBSERVABLE, seen.reason, self.expected)
        running = f"postgresql-{version // 10000}"  # type: ignore[operator]
        servers = [name for name in software.installed if re.fullmatch(r"postgresql-[0-9]+", name)]  # type: ignore[union-attr]
        others = [name for name in servers if name != running and name not in situation.declares("server_packages")]
        if others:
            return Finding(FAIL, f"{', '.join(others)} besides {running}", self.expected, tuple(others))
        return Finding(PASS, running, self.expected)
