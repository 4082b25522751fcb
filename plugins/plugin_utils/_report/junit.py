# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The report as JUnit XML: a suite per host, a case per control, so that CI systems show it like tests.

A failed control is a failure; one that can't be observed is an error, for nothing is known; waived and not applicable
ones are skipped with the reason.
"""

from __future__ import annotations

from ansible_collections.bulwark.database.plugins.plugin_utils._report.markup import Markup, tag
from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import (
    FAIL,
    NOT_APPLICABLE,
    NOT_OBSERVABLE,
    WAIVED,
    Control,
    Host,
)
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Report


def render_junit(report: Report) -> str:
    """The whole document. Text of the model holds no character that XML forbids."""
    total = {
        "tests": sum(len(host.controls) for host in report.hosts) + len(report.not_assessed),
        "failures": report.count(FAIL),
        "errors": report.count(NOT_OBSERVABLE) + len(report.not_assessed),
        "skipped": report.count(WAIVED) + report.count(NOT_APPLICABLE),
    }
    suites = [_suite(host) for host in report.hosts] + [_absent(name) for name in report.not_assessed]
    root = tag("testsuites", _broken(suites), name=report.title, **total)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n'


def _suite(host: Host) -> Markup:
    properties = {
        "engine": host.engine,
        "server_version": host.server_version,
        "level": host.level,
        "log_policy": host.log_policy,
        "score": str(host.score),
    }
    entries = [tag("property", name=name, value=value) for name, value in properties.items()]
    return tag(
        "testsuite",
        _broken([tag("properties", entries), *[_case(host, control) for control in host.controls]]),
        name=host.name,
        timestamp=host.assessed_at.rstrip("Z"),
        tests=len(host.controls),
        failures=host.count(FAIL),
        errors=host.count(NOT_OBSERVABLE),
        skipped=host.count(WAIVED) + host.count(NOT_APPLICABLE),
    )


def _absent(name: str) -> Markup:
    problem = tag(
        "error", message="the host was not assessed: it was unreachable or failed earlier", type="not_assessed"
    )
    case = tag("testcase", problem, classname="bulwark.assessment", name="The host is assessed")
    return tag("testsuite", case, name=name, tests=1, failures=0, errors=1, skipped=0)


def _case(host: Host, control: Control) -> Markup:
    return tag(
        "testcase",
        _outcome(control),
        classname=f"bulwark.{host.engine}.{control.category}",
        name=f"{control.id} {control.title}",
    )


def _outcome(control: Control) -> Markup | None:
    message = f"observed: {control.observed or 'nothing'}; expected: {control.expected or 'not stated'}"
    if control.verdict == FAIL:
        return tag("failure", _details(control), message=message, type=control.level or "control")
    if control.verdict == NOT_OBSERVABLE:
        return tag("error", _details(control), message=f"not observable: {control.observed}", type=NOT_OBSERVABLE)
    if control.verdict == WAIVED:
        waiver = control.waiver
        terms = f" until {waiver.expires} by {waiver.owner}: {waiver.reason}" if waiver else ""
        return tag("skipped", message=f"waived{terms}")
    return tag("skipped", message=f"not applicable: {control.observed}") if control.verdict == NOT_APPLICABLE else None


def _details(control: Control) -> str:
    waiver = control.waiver
    parts = [
        control.rationale,
        f"The waiver of {waiver.owner} expired {waiver.expires}: {waiver.reason}" if waiver and waiver.expired else "",
        "\n".join(["Evidence:", *control.evidence]) if control.evidence else "",
        f"Remedy: {control.remedy}" if control.remedy else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _broken(children: list[Markup]) -> Markup:
    """One child per line, so that people can read and compare the file."""
    return Markup("".join(f"\n{child}" for child in children) + "\n")
