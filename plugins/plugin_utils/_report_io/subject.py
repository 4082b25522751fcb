# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The report as a subject of the one runner: what is in the folder, what would change, writing it."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.plan import Change, Plan
from ansible_collections.bulwark.database.plugins.plugin_utils._report.document import render_json
from ansible_collections.bulwark.database.plugins.plugin_utils._report.html_page import render_html
from ansible_collections.bulwark.database.plugins.plugin_utils._report.junit import render_junit
from ansible_collections.bulwark.database.plugins.plugin_utils._report.markdown import render_markdown
from ansible_collections.bulwark.database.plugins.plugin_utils._report.model import VERDICTS
from ansible_collections.bulwark.database.plugins.plugin_utils._report.report import Report, read_report
from ansible_collections.bulwark.database.plugins.plugin_utils._report.terminal import render_terminal
from ansible_collections.bulwark.database.plugins.plugin_utils._report.trend import fingerprint, point_of
from ansible_collections.bulwark.database.plugins.plugin_utils._report_io.folder import (
    FILE_MODE,
    FOLDER_MODE,
    ObservedFolder,
    ReportFolder,
    is_moment,
)

SUMMARY_COLUMNS: t.Final = 100


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The task's options, in plain types.

    :param expected_hosts: hosts that should have been assessed.
    :param generated_at: ISO time stamp in UTC.
    :param keep: number of results kept in the history.
    """

    assessments: dict[str, t.Any]
    before: dict[str, t.Any]
    expected_hosts: tuple[str, ...]
    title: str
    formats: tuple[str, ...]
    generated_at: str
    keep: int


class ReportSubject:
    """:raises InvalidDeclaration: at once, where the assessments are not what assessment_info returns."""

    def __init__(self, folder: ReportFolder, wanted: Wanted) -> None:
        self._folder = folder
        self._wanted = wanted
        if wanted.keep < 0:
            raise InvalidDeclaration("history_keep is negative", "Use 0 to keep no result for the trend")
        self._read(history=())
        self._found = fingerprint(wanted.assessments, title=wanted.title)
        self._points = [point_of(found) for found in (wanted.before, wanted.assessments) if found]
        for point in self._points:
            if not is_moment(point["assessed_at"]):
                raise InvalidDeclaration(f"assessed_at is not a time stamp in UTC: {point['assessed_at']!r:.60}")
        # The history as it was, so that a report doesn't count itself.
        self.report = self._read(history=folder.observe().points)

    def observe(self) -> ObservedFolder:
        return self._folder.observe()

    def plan(self, observed: ObservedFolder) -> Plan:
        """What writing would change. A report that differs only in its times is refreshed but is no change."""
        changes = [] if observed.exists else [Change(f"folder {self._folder.path}", after=f"{FOLDER_MODE:04o}")]
        for name in self._wanted.formats:
            subject, mode = f"report {self._folder.file(name)}", observed.modes.get(name)
            if mode is None:
                changes.append(Change(subject, after="written"))
            elif self._found != observed.fingerprint:
                changes.append(Change(subject, before="earlier result", after="written anew"))
            elif mode != FILE_MODE:
                changes.append(Change(subject, before=f"{mode:04o}", after=f"{FILE_MODE:04o}"))
        damaged = tuple(f"{path} is not a result of an earlier run: ignored" for path in observed.damaged)
        return Plan(tuple(changes), damaged)

    def apply(self, plan: Plan, observed: ObservedFolder) -> None:  # noqa: ARG002 - a report is written whole
        self.refresh()

    def refresh(self) -> None:
        """Write everything with the time of this run."""
        contents = {name: self._render(name) for name in self._wanted.formats}
        self._folder.write(contents, self._points, keep=self._wanted.keep, fingerprint=self._found)

    def result(self, observed: ObservedFolder, plan: Plan) -> dict[str, t.Any]:  # noqa: ARG002 - as Subject wants it
        report = self.report
        return {
            "score": report.score,
            "before_score": report.before_score,
            "counts": {verdict: report.count(verdict) for verdict in VERDICTS},
            "not_assessed": list(report.not_assessed),
            "paths": {name: str(self._folder.file(name)) for name in self._wanted.formats},
            "summary": self._summary(),
        }

    @property
    def html_path(self) -> str:
        """Where the HTML report is to lie, an empty string where none is wanted."""
        return str(self._folder.file("html")) if "html" in self._wanted.formats else ""

    def _read(self, *, history: t.Iterable[t.Mapping[str, t.Any]]) -> Report:
        before = [point_of(self._wanted.before)] if self._wanted.before else []
        return read_report(
            self._wanted.assessments,
            title=self._wanted.title,
            generated_at=self._wanted.generated_at,
            before=self._wanted.before,
            not_assessed=self._wanted.expected_hosts,
            history=[*history, *before],
        )

    def _summary(self) -> list[str]:
        return render_terminal(self.report, columns=SUMMARY_COLUMNS, html_path=self.html_path)

    def _render(self, name: str) -> str:
        renderers: dict[str, t.Callable[[], str]] = {
            "html": lambda: render_html(self.report),
            "json": lambda: render_json(self.report, assessments=self._wanted.assessments, before=self._wanted.before),
            "junit": lambda: render_junit(self.report),
            "markdown": lambda: render_markdown(self.report),
            "text": lambda: "\n".join([*self._summary(), ""]),
        }
        return renderers[name]()
