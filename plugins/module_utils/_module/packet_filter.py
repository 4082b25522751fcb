# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of ``packet_filter``: our own nftables table, in the kernel and over the next boot.

Two stages, because only a new connection from the controller proves that the operator still gets in: ``live`` arms a
timer that puts the former rules back and brings the new ones into force; ``persistent`` comes over that connection.
"""

from __future__ import annotations

import typing as t

from .._core.errors import ApplyFailed, InvalidDeclaration
from .._core.packet_filter import (
    FilterState,
    Network,
    PortRule,
    outsiders,
    parse_networks,
    plan_absent,
    plan_live,
    plan_persistent,
    port_rule,
    render_restore,
    render_table,
    require_distinct,
)
from .._core.plan import Plan
from .._io import packet_filter as io
from .._io.units import (
    arm_timer,
    cancel_timer,
    disable_units,
    enable_unit,
    observe_enabled_units,
    reload_manager,
    require_booted,
    restart_unit,
    timer_is_armed,
    unit_properties,
)

_SHORTEST_ROLLBACK: t.Final = 10
_UNITS: t.Final = (io.UNIT_TEXT, io.DROP_IN_TEXT)


class _Filter:
    def __init__(self, rules: t.Sequence[PortRule]) -> None:
        require_distinct(rules)
        self.rules = tuple(rules)
        self.text = render_table(rules)

    def observe(self) -> FilterState:
        io.require_nftables()
        require_booted()
        enabled = io.UNIT in observe_enabled_units()
        return FilterState(
            in_force=io.observe_table(),
            wanted=io.canonical_table(self.text),
            rules_file=io.read_text(io.RULES_FILE),
            units=(io.read_text(io.UNIT_FILE), io.read_text(io.DROP_IN_FILE)),
            loaded_at_boot=enabled and unit_properties(io.UNIT, "ActiveState")["ActiveState"] == "active",
            pending=timer_is_armed(io.ROLLBACK_TIMER),
            connections=io.observe_connections(),
        )

    def result(self, observed: FilterState, plan: Plan) -> dict[str, t.Any]:  # noqa: ARG002 (the interface of subjects)
        saved = observed.rules_file == self.text and observed.units == _UNITS and observed.loaded_at_boot
        return {
            "in_force": observed.effective,
            "confirmation_pending": observed.pending,
            "saved": saved,
            "outsiders": outsiders(self.rules, observed),
        }


class LiveFilter(_Filter):
    """The rules in force now, for as long as nobody confirms them."""

    def __init__(self, rules: t.Sequence[PortRule], *, rollback_after: int, accepted: t.Sequence[Network]) -> None:
        super().__init__(rules)
        if rollback_after < _SHORTEST_ROLLBACK:
            raise InvalidDeclaration(
                f"rollback_after: {rollback_after} seconds are too few to come back in", f"{_SHORTEST_ROLLBACK} or more"
            )
        self.rollback_after = rollback_after
        self.accepted = accepted

    def plan(self, observed: FilterState) -> Plan:
        return plan_live(self.rules, observed, accepted=self.accepted)

    def apply(self, plan: Plan, observed: FilterState) -> None:  # noqa: ARG002 (the interface of subjects)
        if observed.pending:
            # What was never confirmed is not what to go back to, nor may it stay while its timer is armed anew.
            io.roll_back()
        else:
            io.save_rollback(render_restore(observed.in_force))
        arm_timer(io.ROLLBACK_TIMER, io.ROLLBACK_COMMAND, seconds=self.rollback_after)
        try:
            io.load_rules(self.text)
        except ApplyFailed:
            cancel_timer(io.ROLLBACK_TIMER)
            raise


class PersistentFilter(_Filter):
    """The rules confirmed: no rollback, and loaded at every boot."""

    def plan(self, observed: FilterState) -> Plan:
        return plan_persistent(observed, rules_text=self.text, units=_UNITS, rules_path=io.RULES_FILE, unit=io.UNIT)

    def apply(self, plan: Plan, observed: FilterState) -> None:  # noqa: ARG002 (the interface of subjects)
        cancel_timer(io.ROLLBACK_TIMER)
        # Looked at again: the timer may have gone off a moment ago.
        if io.observe_table() != observed.wanted:
            raise ApplyFailed(
                "the rules were not confirmed in time and the former ones are back in force",
                "Run it again; if that repeats, raise the time until the rollback",
            )
        io.save_rules(self.text)
        io.save_units()
        reload_manager()
        enable_unit(io.UNIT)
        complaint = restart_unit(io.UNIT, timeout=30)
        if complaint:
            raise ApplyFailed(f"{io.UNIT} does not start: {complaint}", "The rules are in force until the next boot")


class AbsentFilter(_Filter):
    """Nothing of ours left."""

    def plan(self, observed: FilterState) -> Plan:
        return plan_absent(observed, rules_path=io.RULES_FILE, unit=io.UNIT)

    def apply(self, plan: Plan, observed: FilterState) -> None:  # noqa: ARG002 (the interface of subjects)
        # First of all: without the timer nobody would take back rules that were never confirmed.
        io.load_rules(render_restore(None))
        cancel_timer(io.ROLLBACK_TIMER)
        if observed.units[0] is not None:
            disable_units([io.UNIT])
        io.delete_files()
        reload_manager()


def subject(options: t.Mapping[str, t.Any]) -> LiveFilter | PersistentFilter | AbsentFilter:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    rules = [
        port_rule(port=one["port"], networks=one["networks"], protocol=one["protocol"], comment=one["comment"] or "")
        for one in options["ports"]
    ]
    if options["state"] == "absent":
        return AbsentFilter(rules)
    if options["stage"] == "persistent":
        return PersistentFilter(rules)
    accepted = parse_networks(options["accepted_outsiders"], option="accepted_outsiders")
    return LiveFilter(rules, rollback_after=options["rollback_after"], accepted=accepted)
