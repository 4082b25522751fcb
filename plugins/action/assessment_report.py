# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Render assessments on the controller, and print the summary as it is meant to be read."""

from __future__ import annotations

import datetime
import json
import sys
import typing as t

from ansible.utils.color import ANSIBLE_COLOR
from ansible.utils.display import Display

from ansible_collections.bulwark.database.plugins.plugin_utils._action.base import BulwarkAction
from ansible_collections.bulwark.database.plugins.plugin_utils._report.terminal import render_terminal
from ansible_collections.bulwark.database.plugins.plugin_utils._report_io.folder import FILE_NAMES, ReportFolder
from ansible_collections.bulwark.database.plugins.plugin_utils._report_io.subject import (
    SUMMARY_COLUMNS,
    ReportSubject,
    Wanted,
)

ARGUMENT_SPEC: t.Final[dict[str, dict[str, t.Any]]] = {
    "assessments": {"type": "dict", "required": True},
    "before": {"type": "dict", "default": {}},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "report_dir": {"type": "path", "required": True},
    "title": {"type": "str", "default": "Database hardening"},
    "formats": {"type": "list", "elements": "str", "choices": list(FILE_NAMES), "default": list(FILE_NAMES)},
    "history_keep": {"type": "int", "default": 90},
    "display": {"type": "bool", "default": True},
}


class ActionModule(BulwarkAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        to_show: list[ReportSubject] = []

        def make_subject(options: dict[str, t.Any]) -> ReportSubject:
            subject = _subject(options)
            if options["display"]:
                to_show.append(subject)
            return subject

        result.update(self.drive(make_subject, argument_spec=ARGUMENT_SPEC))
        for subject in to_show:
            _show(subject)
        return result


def _subject(options: dict[str, t.Any]) -> ReportSubject:
    now = datetime.datetime.now(datetime.timezone.utc)
    wanted = Wanted(
        assessments=_plain(options["assessments"]),
        before=_plain(options["before"]),
        expected_hosts=tuple(options["hosts"]),
        title=str(options["title"]),
        formats=tuple(name for name in FILE_NAMES if name in options["formats"]),
        generated_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        keep=options["history_keep"],
    )
    return ReportSubject(ReportFolder(options["report_dir"]), wanted)


def _plain(value: t.Any) -> dict[str, t.Any]:
    """The value in plain types, free of what Ansible tags its data with."""
    plain: dict[str, t.Any] = json.loads(json.dumps(value, default=str))
    return plain


def _show(subject: ReportSubject) -> None:
    """Print the summary: debug would print it as a list. Colours stay out of the log file."""
    display = Display()
    # In a pipeline's log there is no terminal to ask for its width.
    columns = (display.columns if sys.stdout.isatty() else None) or SUMMARY_COLUMNS
    for colour, where in ((bool(ANSIBLE_COLOR), {"screen_only": True}), (False, {"log_only": True})):
        lines = render_terminal(subject.report, columns=columns, colour=colour, html_path=subject.html_path)
        display.display("\n".join(["", *lines, ""]), **where)
