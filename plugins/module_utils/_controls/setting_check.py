# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A parameter of the server: what hardening sets, what is as good, and whether a role or database undoes it."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.assessment import FAIL, NOT_APPLICABLE, NOT_OBSERVABLE, PASS, Finding, Situation
from .._core.observations import GaleraNode, Observations, ObservedSetting, Override, Unobservable
from .acceptance import Acceptance, same
from .model import POSTGRESQL, Choice
from .versions import NEWEST, since, until

# A plugin that manages keys; a certificate for clients.
KEYS: t.Final = "keys"
CERTIFICATE: t.Final = "certificate"


@dataclasses.dataclass(frozen=True)
class Want:
    """What is expected of one parameter.

    :param value: what hardening sets; None where that is for the role or the user to say.
    :param accepts: what else is as good; None: only the value itself.
    """

    value: str | None
    accepts: Acceptance | None = None

    @property
    def words(self) -> str:
        if self.accepts is None:
            return self.value or "''"
        if self.value is None or self.value == self.accepts.words:
            return self.accepts.words
        return f"{self.accepts.words} (set to {self.value or chr(39) * 2})"


@dataclasses.dataclass(frozen=True)
class SettingCheck:
    """One parameter.

    :param want: what is expected, by level and log policy.
    :param override_check: no role or database may set a value that is not accepted.
    :param minimum: oldest server version (server_version_num) that has this parameter; ``maximum``: the newest.
    :param engine: whose versions these are.
    :param option: what hardening writes into option files, where that has another name than the variable.
    :param needs: hardening sets it only where the server has this, KEYS or CERTIFICATE: without, it would not start
        again.
    :param on_nodes: of a Galera cluster: True for them only, False for all others only.
    :param may_be_absent: not every build of the server has it.
    """

    name: str
    want: Choice[Want]
    override_check: bool = False
    minimum: int = 0
    maximum: int = NEWEST
    engine: str = POSTGRESQL
    option: str = ""
    needs: str = ""
    on_nodes: bool | None = None
    may_be_absent: bool = False

    def expected_text(self, *, level: str, log_policy: str) -> str:
        want = self.want.of(level=level, log_policy=log_policy)
        if want is None:
            return ""
        text = f"{self.name} = {want.words}"
        return text + since(self.minimum, self.engine) + until(self.maximum, self.engine)

    def hardened_value(self, *, level: str, log_policy: str, version: int) -> str | None:
        """What hardening sets on a server of this version; None for nothing."""
        want = self.want.of(level=level, log_policy=log_policy)
        return want.value if want is not None and self._exists_in(version) else None

    def _exists_in(self, version: int) -> bool:
        return self.minimum <= version <= self.maximum

    def _judge_kind(self, galera: GaleraNode | Unobservable | None, expected: str) -> Finding | None:
        """None where the check is for this kind of server."""
        if self.on_nodes is None:
            return None
        if isinstance(galera, Unobservable):
            return Finding(NOT_OBSERVABLE, galera.reason, expected)
        if self.on_nodes == (galera is not None):
            return None
        return Finding(NOT_APPLICABLE, f"{self.name} is asked {'' if self.on_nodes else 'not '}of nodes of a cluster")

    def judge(self, observations: Observations, situation: Situation) -> Finding:
        want = self.want.of(level=situation.level, log_policy=situation.log_policy)
        if want is None:
            return Finding(NOT_APPLICABLE, f"nothing is asked of {self.name} at this level and log policy")
        expected = f"{self.name} = {want.words}"
        version, settings = observations.version, observations.settings
        if isinstance(version, Unobservable):
            return Finding(NOT_OBSERVABLE, version.reason, expected)
        if not self._exists_in(version):
            return Finding(NOT_APPLICABLE, f"this version of the server has no {self.name}")
        elsewhere = self._judge_kind(observations.galera, expected)
        if elsewhere is not None:
            return elsewhere
        if isinstance(settings, Unobservable):
            return Finding(NOT_OBSERVABLE, settings.reason, expected)
        setting = settings.get(self.name)
        if setting is None and self.may_be_absent:
            return Finding(NOT_APPLICABLE, f"this server has no {self.name}")
        if setting is None:
            return Finding(FAIL, f"{self.name} is not set", expected, (), (self.option or self.name,))
        return self._judge_value(setting, want, observations.overrides)

    def _judge_value(
        self, setting: ObservedSetting, want: Want, overrides: tuple[Override, ...] | Unobservable
    ) -> Finding:
        observed, expected = f"{self.name} = {setting.display()}", f"{self.name} = {want.words}"
        evidence = [f"{self.name}: the files hold another value, which waits for a restart"] * setting.pending_restart
        if not _accepted(want, setting.value, setting):
            return Finding(FAIL, observed, expected, tuple(evidence), (self.option or self.name,))
        if not self.override_check:
            return Finding(PASS, observed, expected)
        if isinstance(overrides, Unobservable):
            return Finding(NOT_OBSERVABLE, f"overrides by role or database: {overrides.reason}", expected)
        undone = [one for one in overrides if one.name == self.name and not _accepted(want, one.value, setting)]
        if undone:
            lines = tuple(f"{one.where}: {one.name} = {one.value or chr(39) * 2}" for one in undone)
            return Finding(FAIL, f"{observed}, but overridden for {undone[0].where}", expected, lines)
        return Finding(PASS, observed, expected)


def _accepted(want: Want, value: str, setting: ObservedSetting) -> bool:
    if want.value is not None and same(value, want.value, setting.value_type):
        return True
    return want.accepts is not None and want.accepts.accepts(value, setting.value_type)


def fixed(name: str, value: str, accepts: Acceptance | None = None, **options: t.Any) -> SettingCheck:
    """The same at every level and policy."""
    return SettingCheck(name, Choice(Want(value, accepts)), **options)
