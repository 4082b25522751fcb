# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Plan: what differs between desired and observed, as data.

Everything a module reports is derived from its plan: ``changed`` is ``bool(plan)``, the diff is ``plan.diff()``,
check mode is "stop here". That is why check mode can't disagree with a run.
"""

from __future__ import annotations

import dataclasses
import typing as t

# When a change works: at once, after a reload of the configuration, or after a restart of the server.
LIVE: t.Final = "live"
RELOAD: t.Final = "reload"
RESTART: t.Final = "restart"

_ACTIVATION_ORDER = (LIVE, RELOAD, RESTART)


# Nobody changes one, but a frozen dataclass takes three times as long to make, and a plan may have tens of thousands.
@dataclasses.dataclass(unsafe_hash=True)
class Change:
    """One difference between what is and what shall be.

    :param subject: what is changed, as the user knows it: ``setting work_mem``, ``role app_owner``.
    :param before: its present state as text for people; an empty string where there is none.
    :param after: its state afterwards; an empty string where it goes away.
    :param activation: ``live``, ``reload`` or ``restart``.
    :param payload: what the applying side needs (statements, values). It is shown nowhere, so it may hold a Secret.
    """

    subject: str
    before: str = ""
    after: str = ""
    activation: str = LIVE
    payload: t.Any = dataclasses.field(default=None, repr=False, compare=False)

    @property
    def summary(self) -> str:
        if not self.before:
            return f"{self.subject}: {self.after}" if self.after else self.subject
        return f"{self.subject}: {self.before} -> {self.after or '(removed)'}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """An ordered set of changes, with what the user should know besides.

    :param changes: in the order in which they are applied.
    :param warnings: one line each, shown as Ansible warnings; they do not make the plan non-empty.
    """

    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __iter__(self) -> t.Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    @property
    def activation(self) -> str:
        """The most drastic activation among the changes: ``live`` for an empty plan."""
        return max((change.activation for change in self.changes), key=_ACTIVATION_ORDER.index, default=LIVE)

    def diff(self, *, header: str = "") -> dict[str, str]:
        """Before and after as Ansible's ``--diff`` wants them: a line per change, secrets hidden by their own type."""
        before = [f"{change.subject}: {change.before}" for change in self.changes if change.before]
        after = [f"{change.subject}: {change.after}" for change in self.changes if change.after]
        answer = {"before": _lines(before), "after": _lines(after)}
        if header:
            answer.update(before_header=header, after_header=header)
        return answer

    def summaries(self) -> list[str]:
        return [change.summary for change in self.changes]


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
