# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of ``packet_filter``: an nftables table of our own, in the kernel and over the next boot.

Two stages, because only a new connection from the controller proves that the operator still gets in: ``live`` arms a
timer that puts the former rules back and brings the new ones into force; ``persistent`` comes over that connection.
"""

from __future__ import annotations

import typing as t

from .._core.errors import ApplyFailed, InvalidDeclaration
from .._core.packet_filter import (
    AccountRule,
    FilterState,
    Network,
    PortRule,
    account_rule,
    outsiders,
    parse_networks,
    plan_absent,
    plan_live,
    plan_persistent,
    port_rule,
    render_restore,
    render_table,
    require_distinct,
    table_called,
)
from .._core.plan import Plan
from .._io import packet_filter as io
from .._io.commands import is_there
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


class Declaration(t.NamedTuple):
    """One table as it is declared."""

    rules: tuple[PortRule, ...]
    accounts: tuple[AccountRule, ...]
    place: io.FilterPlace


class _Filter:
    def __init__(self, declared: Declaration) -> None:
        require_distinct(declared.rules, declared.accounts)
        self.rules = declared.rules
        self.place = declared.place
        self.text = render_table(declared.rules, declared.accounts, table=declared.place.table)

    def observe(self) -> FilterState:
        io.require_nftables()
        require_booted()
        return self._observed(in_force=io.observe_table(self.place.table), wanted=self._canonical())

    def _canonical(self) -> str:
        return io.canonical_table(self.text, self.place.table)

    def _observed(self, *, in_force: str | None, wanted: str) -> FilterState:
        place = self.place
        enabled = place.unit in observe_enabled_units()
        return FilterState(
            in_force=in_force,
            wanted=wanted,
            rules_file=io.read_text(place.rules_file),
            units=(io.read_text(place.unit_file), io.read_text(place.drop_in_file)),
            loaded_at_boot=enabled and unit_properties(place.unit, "ActiveState")["ActiveState"] == "active",
            pending=timer_is_armed(place.rollback_timer),
            connections=io.observe_connections(),
        )

    def result(self, observed: FilterState, plan: Plan) -> dict[str, t.Any]:  # noqa: ARG002 (the interface of subjects)
        saved = observed.rules_file == self.text and observed.units == self.place.unit_texts and observed.loaded_at_boot
        return {
            "in_force": observed.effective,
            "confirmation_pending": observed.pending,
            "saved": saved,
            "outsiders": outsiders(self.rules, observed),
        }


class LiveFilter(_Filter):
    """The rules in force now, for as long as nobody confirms them."""

    def __init__(self, declared: Declaration, *, rollback_after: int, accepted: t.Sequence[Network]) -> None:
        super().__init__(declared)
        if rollback_after < _SHORTEST_ROLLBACK:
            raise InvalidDeclaration(
                f"rollback_after: {rollback_after} seconds are too few to come back in", f"{_SHORTEST_ROLLBACK} or more"
            )
        self.rollback_after = rollback_after
        self.accepted = accepted

    def plan(self, observed: FilterState) -> Plan:
        return plan_live(self.rules, observed, accepted=self.accepted, table=self.place.table)

    def apply(self, plan: Plan, observed: FilterState) -> None:  # noqa: ARG002 (the interface of subjects)
        place = self.place
        if observed.pending:
            # What was never confirmed is not what to go back to, nor may it stay while its timer is armed anew.
            io.roll_back(place)
        else:
            io.save_rollback(place, render_restore(observed.in_force, table=place.table))
        arm_timer(place.rollback_timer, place.rollback_command, seconds=self.rollback_after)
        try:
            io.load_rules(self.text)
        except ApplyFailed:
            cancel_timer(place.rollback_timer)
            raise


class PersistentFilter(_Filter):
    """The rules confirmed: no rollback, and loaded at every boot."""

    def plan(self, observed: FilterState) -> Plan:
        place = self.place
        return plan_persistent(
            observed, rules_text=self.text, units=place.unit_texts, rules_path=place.rules_file, unit=place.unit
        )

    def apply(self, plan: Plan, observed: FilterState) -> None:  # noqa: ARG002 (the interface of subjects)
        place = self.place
        cancel_timer(place.rollback_timer)
        # Looked at again: the timer may have gone off a moment ago.
        if io.observe_table(place.table) != observed.wanted:
            raise ApplyFailed(
                "the rules were not confirmed in time and the former ones are back in force",
                "Run it again; if that repeats, raise the time until the rollback",
            )
        io.save_rules(place, self.text)
        io.save_units(place)
        reload_manager()
        enable_unit(place.unit)
        complaint = restart_unit(place.unit, timeout=30)
        if complaint:
            raise ApplyFailed(f"{place.unit} does not start: {complaint}", "The rules are in force until the next boot")


class AbsentFilter(_Filter):
    """Nothing of ours left."""

    def observe(self) -> FilterState:
        """A host without nft has no table: it is not asked to install one to have none."""
        require_booted()
        in_force = io.observe_table(self.place.table) if is_there("nft") else None
        return self._observed(in_force=in_force, wanted="")

    def plan(self, observed: FilterState) -> Plan:
        place = self.place
        return plan_absent(observed, rules_path=place.rules_file, unit=place.unit, table=place.table)

    def apply(self, plan: Plan, observed: FilterState) -> None:  # noqa: ARG002 (the interface of subjects)
        # First of all: without the timer nobody would take back rules that were never confirmed.
        if observed.in_force is not None or observed.pending:
            io.load_rules(render_restore(None, table=self.place.table))
        cancel_timer(self.place.rollback_timer)
        if observed.units[0] is not None:
            disable_units([self.place.unit])
        io.delete_files(self.place)
        reload_manager()


def subject(options: t.Mapping[str, t.Any]) -> LiveFilter | PersistentFilter | AbsentFilter:
    """A subject from the module's parameters. Raises InvalidDeclaration."""
    rules = [
        port_rule(port=one["port"], networks=one["networks"], protocol=one["protocol"], comment=one["comment"] or "")
        for one in options["ports"]
    ]
    accounts = [
        account_rule(account=one["account"], destinations=[(to["port"], to["networks"]) for to in one["destinations"]])
        for one in options["outgoing"]
    ]
    table_called(options["name"])
    declared = Declaration(tuple(rules), tuple(accounts), io.FilterPlace(options["name"]))
    if options["state"] == "absent":
        return AbsentFilter(declared)
    if options["stage"] == "persistent":
        return PersistentFilter(declared)
    accepted = parse_networks(options["accepted_outsiders"], option="accepted_outsiders")
    return LiveFilter(declared, rollback_after=options["rollback_after"], accepted=accepted)
