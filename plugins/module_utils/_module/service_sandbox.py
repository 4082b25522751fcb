# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of ``service_sandbox``: what systemd lets one service do."""

from __future__ import annotations

import time
import typing as t

from .._controls.sandbox_profiles import PROFILES
from .._core.errors import ApplyFailed
from .._core.plan import RESTART, Plan
from .._core.sandbox import (
    Profile,
    Sandbox,
    ServiceState,
    needs_restart,
    plan_sandbox,
    render_drop_in,
    sandbox_of,
    void_parts,
)
from .._core.services import service_name
from .._io import service_sandbox as io
from .._io.commands import run_command
from .._io.rescue import arm_rescue, cancel_rescue
from .._io.units import require_booted, reset_failed, restart_unit, unit_properties, wait_until_running

_PURPOSE: t.Final = "sandbox"


class ServiceSandbox:
    """One service and its sandbox; the service is restarted only if that is allowed."""

    def __init__(self, sandbox: Sandbox, profile: Profile, options: t.Mapping[str, t.Any]) -> None:
        self.declared = sandbox
        self.profile = profile
        self.allow_restart: bool = options["allow_restart"]
        self.deadline: int = options["deadline"]
        self.probe: list[str] = options["probe_command"]
        self.exposure_before: float | None = None
        self._seen = False

    def observe(self) -> ServiceState:
        require_booted()
        unit = self.declared.unit
        properties = unit_properties(unit, "LoadState", "ActiveState", "MainPID", "NeedDaemonReload")
        process = int(properties["MainPID"] or 0) if properties["ActiveState"] == "active" else 0
        state = ServiceState(
            loaded=properties["LoadState"] == "loaded",
            drop_in=io.read_drop_in(unit),
            needs_reload=properties["NeedDaemonReload"] == "yes",
            process=io.observe_process(process, unit) if process else None,
            written=io.observe_written(unit),
            writable=tuple(io.observe_links(self.declared.writable, self.profile.links)),
            exposure=io.observe_exposure(unit),
        )
        if not self._seen:
            self.exposure_before, self._seen = state.exposure, True
        return state

    def plan(self, observed: ServiceState) -> Plan:
        return plan_sandbox(self._sandbox(observed), observed, allow_restart=self.allow_restart)

    def apply(self, plan: Plan, observed: ServiceState) -> None:
        unit = self.declared.unit
        io.put_drop_in(unit, render_drop_in(self._sandbox(observed)))
        if plan.activation == RESTART:
            self._restart(former=observed.drop_in)

    def result(self, observed: ServiceState, plan: Plan) -> dict[str, t.Any]:  # noqa: ARG002 (the interface of subjects)
        sandbox = self._sandbox(observed)
        running = observed.process
        pending = needs_restart(observed, text=render_drop_in(sandbox))
        return {
            "unit": sandbox.unit,
            "drop_in": io.drop_in_path(sandbox.unit),
            "read_write_paths": list(sandbox.writable),
            "confined": running is not None and not pending and not void_parts(sandbox, running),
            "restart_pending": pending,
            "exposure_before": self.exposure_before,
            "exposure": observed.exposure,
        }

    def _sandbox(self, observed: ServiceState) -> Sandbox:
        writable = tuple(dict.fromkeys((*self.declared.writable, *observed.writable)))
        return Sandbox(self.declared.unit, self.declared.directives, writable)

    def _restart(self, *, former: str | None) -> None:
        unit = self.declared.unit
        arm_rescue(_PURPOSE, unit, [io.keep_drop_in(unit, former)], deadline=self.deadline)
        complaint = self._start()
        if not complaint:
            cancel_rescue(_PURPOSE, unit)
            return
        io.put_drop_in(unit, former)
        reset_failed(unit)
        again = self._start()
        cancel_rescue(_PURPOSE, unit)
        ending = f"it still does not run: {again}" if again else "it runs again"
        raise ApplyFailed(
            f"{unit} did not come back in its sandbox ({complaint}); the sandbox was taken back and {ending}",
            f"See journalctl -u {unit}",
        )

    def _start(self) -> str:
        """Restart the service; why it does not answer, or an empty string."""
        end = time.monotonic() + self.deadline
        complaint = restart_unit(self.declared.unit, timeout=self.deadline)
        if complaint:
            return complaint
        if not wait_until_running(self.declared.unit, deadline=max(1.0, end - time.monotonic())):
            return "it is not running"
        while self.probe:
            done = run_command(self.probe, timeout=max(1.0, end - time.monotonic()))
            if done.succeeded:
                break
            if time.monotonic() > end:
                return f"{self.probe[0]}: {done.complaint}"
            time.sleep(0.5)
        return ""


def subject(options: t.Mapping[str, t.Any]) -> ServiceSandbox:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    unit = service_name(options["unit"])
    profile = PROFILES[options["profile"]]
    overrides = {str(name): _text(value) for name, value in options["directives"].items()}
    sandbox = sandbox_of(profile, unit=unit, writable=options["read_write_paths"], overrides=overrides)
    return ServiceSandbox(sandbox, profile, options)


def _text(value: t.Any) -> str:
    """What YAML made of an unquoted yes or no is turned back."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
