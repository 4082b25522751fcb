# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The one runner: observe, plan, stop here in check mode, apply, observe again.

Every module hands it a *subject*. This is the only place of the collection that reads ``check_mode`` and the only
one that turns an error into ``fail_json``.
"""

from __future__ import annotations

import contextlib
import typing as t

from .._core.errors import BulwarkError, DidNotTakeEffect
from .._core.plan import Plan

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


class Subject(t.Protocol):
    """What a module manages: the set of parameters, the rule file, the tree of roles."""

    def observe(self) -> t.Any:
        """Read the present state. Changes nothing. Raises BulwarkError."""

    def plan(self, observed: t.Any) -> Plan:
        """Decide what has to change; pure but for the desired state the subject was made with.

        Bad input raises InvalidDeclaration or RefusedForSafety here, before anything changes, in check mode too.
        """

    def apply(self, plan: Plan, observed: t.Any) -> None:
        """Carry the plan out. On failure put back what was changed and raise ApplyFailed."""

    def result(self, observed: t.Any, plan: Plan) -> dict[str, t.Any]:
        """Return values besides changed, diff, changes and warnings, from the last observation and the first plan."""


class Outcome(t.NamedTuple):
    plan: Plan
    result: dict[str, t.Any]


def converge(subject: Subject, *, check_mode: bool) -> Outcome:
    """Bring the subject to its desired state, or only say how. Free of Ansible, so tests drive it directly."""
    observed = subject.observe()
    plan = subject.plan(observed)
    if check_mode or not plan:
        return Outcome(plan, subject.result(observed, plan))
    subject.apply(plan, observed)
    observed = subject.observe()
    remaining = subject.plan(observed)
    if remaining:
        raise DidNotTakeEffect(
            f"{len(remaining)} of {len(plan)} changes did not take effect: " + "; ".join(remaining.summaries()[:5]),
            "Something else manages this object, or the server overrides it: see the values named above",
        )
    return Outcome(plan, subject.result(observed, plan))


def run(module: AnsibleModule, open_subject: t.Callable[[], t.ContextManager[Subject]]) -> t.NoReturn:
    """Drive a subject to its desired state and leave through exit_json or fail_json."""
    try:
        with open_subject() as subject:
            plan, result = converge(subject, check_mode=module.check_mode)
    except BulwarkError as error:
        fail(module, error)
    for warning in plan.warnings:
        module.warn(warning)
    answer: dict[str, t.Any] = {"changed": bool(plan), "changes": plan.summaries(), **result}
    if not (module._diff and plan):
        answer.pop("diff", None)
    elif "diff" not in answer:  # a subject whose objects are whole files brings its own
        answer["diff"] = plan.diff()
    module.exit_json(**answer)


def run_info(module: AnsibleModule, gather: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """For modules that only look: leave with what was gathered."""
    try:
        result = gather()
    except BulwarkError as error:
        fail(module, error)
    module.exit_json(changed=False, **result)


def fail(module: AnsibleModule, error: BulwarkError) -> t.NoReturn:
    """End the module with one readable line; the kind of error is there for callers that branch on it."""
    module.fail_json(msg=str(error), error=type(error).__name__, hint=error.hint)


@contextlib.contextmanager
def opened(subject: Subject) -> t.Iterator[Subject]:
    """For a subject that needs no closing (files, packages)."""
    yield subject
