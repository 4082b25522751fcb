# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What checks of the host have in common: one expectation at every level and log policy, and nothing unseen passes."""

from __future__ import annotations

import typing as t

from .._core.assessment import NOT_OBSERVABLE, Finding, Situation
from .._core.observations import Observations, Unobservable

Observation = t.TypeVar("Observation")


class NotSeen(Exception):
    """An observation that the verdict needs could not be made; the message says why."""


def seen(observation: Observation | Unobservable) -> Observation:
    """What was observed. Raises NotSeen, which ObservedCheck makes a verdict of."""
    if isinstance(observation, Unobservable):
        raise NotSeen(observation.reason)
    return observation


class ObservedCheck:
    """A check that says what is ``expected`` and judges what was ``seen``."""

    @property
    def expected(self) -> str:
        raise NotImplementedError

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:
        raise NotImplementedError

    def expected_text(self, *, level: str, log_policy: str) -> str:  # noqa: ARG002 (the same for all)
        return self.expected

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        try:
            return self.judge_seen(observations, situation)
        except NotSeen as missing:
            return Finding(NOT_OBSERVABLE, str(missing), self.expected)
