# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What action plugins share: the one runner of the modules, driven on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import BulwarkError
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import Subject, converge


class RefreshingSubject(Subject, t.Protocol):
    """A subject that has something to bring up to date even where nothing differs, such as the time of a report."""

    def refresh(self) -> None:
        """Called after a run that changed nothing, never in check mode. What it does is no change."""


class BulwarkAction(ActionBase):
    TRANSFERS_FILES = False
    _requires_connection = False

    def drive(
        self,
        make_subject: t.Callable[[dict[str, t.Any]], RefreshingSubject],
        *,
        argument_spec: dict[str, dict[str, t.Any]],
    ) -> dict[str, t.Any]:
        """Check the options, converge the subject made from them, and return the task's result."""
        dummy, options = self.validate_argument_spec(argument_spec=argument_spec)  # type: ignore[no-untyped-call]
        dry = bool(self._task.check_mode)
        try:
            subject = make_subject(options)
            plan, answer = converge(subject, check_mode=dry)
            if not plan and not dry:
                subject.refresh()
        except BulwarkError as error:
            return {"failed": True, "msg": str(error), "error": type(error).__name__, "hint": error.hint}
        result = {"changed": bool(plan), "changes": plan.summaries(), "warnings": list(plan.warnings), **answer}
        if self._task.diff and plan:
            result.setdefault("diff", plan.diff())
        return result
