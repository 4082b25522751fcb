# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of mariadb_restart: one server is restarted, and comes back in any case."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
import typing as t

from .._core.errors import ApplyFailed, BulwarkError, DidNotTakeEffect, InvalidDeclaration, RefusedForSafety
from .._core.galera import Node, is_held_up_by_others, members_gone, node_of_answer, reasons_against_stopping
from .._core.plan import RESTART, Change, Plan
from .._core.services import service_name
from .._dialects import mariadb_galera as dialect
from .._io.files import free_bytes
from .._io.galera import Answer, ask
from .._io.mariadb import LoginFailed, MariaDBConnection, open_session
from .._io.rescue import FallBack, arm_rescue, cancel_rescue, keep_starting, put_back
from .._io.units import (
    end_start,
    last_error,
    read_journal,
    require_booted,
    restart_unit,
    unit_properties,
    wait_while_it_has_a_job,
)
from .galera_info import wait_until_synced

_PURPOSE: t.Final = "restart"
_PAUSE: t.Final = 0.2
# Temporary tablespaces and logs are made at the start. A node on a full disk loses its position, and then takes a copy.
_LEAST_ROOM: t.Final = 64 << 20
_STARTED_AGAIN: t.Final = "; the service is started again until it is back"


@dataclasses.dataclass(frozen=True)
class ServerState:
    """What was observed.

    :param invocation: systemd's identifier of this start of the unit.  :param active: the unit runs.
    :param answer: what the server says of its cluster; None while it does not answer.
    :param free: bytes that are left where its data is; None where that is not known.
    """

    invocation: str
    active: bool
    answer: Answer | None
    free: int | None = None

    @property
    def node(self) -> Node | None:
        """Its place in a cluster; None for a server that is in none."""
        if self.answer is None or not dialect.is_enabled(self.answer.status, self.answer.variables):
            return None
        return dialect.read_node(self.answer.status, self.answer.variables)


class MariaDBRestart:
    """One restart.

    :param options: the module's parameters.
    """

    def __init__(self, connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> None:
        self._connection = connection
        self._unit = service_name(options["unit"])
        self._deadline: int = options["deadline"]
        self._expected_size: int | None = options["expected_size"]
        self._answers = [node_of_answer(member) for member in options["members"]]
        self._fall_back = [_fall_back(entry["path"], entry.get("copy") or "") for entry in options["fall_back"]]
        self._first: ServerState | None = None
        self._seconds: float | None = None
        if self._deadline < 1:
            raise InvalidDeclaration(f"deadline is {self._deadline}", "It is a number of seconds, 1 or more")

    def observe(self) -> ServerState:
        require_booted()
        if self._first is None:
            # A SIGTERM while it starts is swallowed by MariaDB 11.8: systemd then waits for TimeoutStopSec, 15 minutes.
            wait_while_it_has_a_job(self._unit, deadline=self._deadline)
        properties = unit_properties(self._unit, "LoadState", "ActiveState", "InvocationID")
        if properties["LoadState"] != "loaded":
            raise InvalidDeclaration(f"systemd has no unit {self._unit}", "Give the unit that runs the server")
        answer = self._ask()
        free = free_bytes(answer.variables["datadir"]) if answer else None
        state = ServerState(properties["InvocationID"], properties["ActiveState"] == "active", answer, free)
        self._first = self._first or state
        return state

    def _ask(self) -> Answer | None:
        try:
            with open_session(self._connection) as session:
                return ask(session)
        except LoginFailed as error:
            if error.is_silence:
                return None
            raise

    def plan(self, observed: ServerState) -> Plan:
        first = self._first or observed
        if observed.active and observed.invocation != first.invocation:
            return Plan()
        node = observed.node
        if observed.active and observed.answer is None:
            raise RefusedForSafety(
                f"{self._unit} runs, but nobody answers at {self._connection.address}, so that it is not known whether "
                "it may be stopped",
                "Say where it listens; a server that hangs is stopped by hand",
            )
        if node is not None:
            self._guard(node, observed.answer)
        self._require_room(observed)
        before = node.plight if node else "running" if observed.active else "not running"
        return Plan((Change(f"unit {self._unit}", before=before, after="restarted", activation=RESTART),))

    def _guard(self, node: Node, answer: Answer | None) -> None:
        members = answer.members if answer else ()
        reasons = reasons_against_stopping(node, members, self._answers, expected_size=self._expected_size)
        if reasons:
            raise RefusedForSafety(
                f"{node.name} must not be stopped now: {'; '.join(reasons)}", "Mend that first; nothing was stopped"
            )

    def _require_room(self, observed: ServerState) -> None:
        if observed.answer and observed.free is not None and observed.free < _LEAST_ROOM:
            raise RefusedForSafety(
                f"{observed.answer.variables['datadir']} has {observed.free >> 20} MiB left, {_LEAST_ROOM >> 20} are "
                f"the least for {self._unit} to start with",
                "Make room there; nothing was stopped",
            )

    def apply(self, plan: Plan, observed: ServerState) -> None:  # noqa: ARG002 (the interface of subjects)
        # What a trial by the binary can't see (files, plugins, the other nodes) shows now at the latest. An end that
        # nobody foresaw leaves the rescue armed.
        arm_rescue(_PURPOSE, self._unit, self._fall_back, deadline=self._deadline)
        started = time.monotonic()
        try:
            self._restart(observed)
        except BulwarkError as error:
            self._take_back(error, observed)
        self._seconds = time.monotonic() - started
        cancel_rescue(_PURPOSE, self._unit)
        self._require_the_others(observed)

    def _restart(self, observed: ServerState) -> None:
        """Raises BulwarkError with the reason when the server is not back by the deadline, or as something else."""
        end = time.monotonic() + self._deadline
        complaint = restart_unit(self._unit, timeout=self._deadline)
        if complaint:
            raise DidNotTakeEffect(f"{complaint}: {last_error(self._unit)}")
        left = max(1, int(end - time.monotonic()))
        if observed.node is not None or self._answers:
            wait_until_synced(self._connection, timeout=left, expected_size=self._expected_size or 1)
        else:
            self._wait_until_it_answers(end)

    def _wait_until_it_answers(self, end: float) -> None:
        while True:
            try:
                with open_session(self._connection):
                    return
            except LoginFailed as error:
                if not error.is_silence or time.monotonic() > end:
                    raise DidNotTakeEffect(error.message) from None
            time.sleep(_PAUSE)

    def _take_back(self, why: BulwarkError, observed: ServerState) -> t.NoReturn:
        """The server gets back what it ran with, unless that can't be what is wrong."""
        state = None
        with contextlib.suppress(BulwarkError):
            state = self.observe()
        if state and state.node and state.invocation != observed.invocation and is_held_up_by_others(state.node):
            cancel_rescue(_PURPOSE, self._unit)
            raise ApplyFailed(
                f"{self._unit}: {why.message}",
                "It found the others, so its files were left as they are: bring the missing nodes back, then run again",
            )
        together = dialect.reached_without_quorum(read_journal(self._unit))
        if together:
            self._leave_as_it_is(why, together)
        end_start(self._unit)
        self._put_back(why)
        complaint = ""
        try:
            self._restart(observed)
        except BulwarkError as error:
            complaint = error.message
            keep_starting(_PURPOSE, self._unit)
        else:
            cancel_rescue(_PURPOSE, self._unit)
        ending = f"even so it is not back: {complaint}" if complaint else "it runs again"
        what = "the former files were put back and " if self._fall_back else ""
        raise ApplyFailed(
            f"{self._unit} was not back within {self._deadline} s: {why.message}; {what}{ending}",
            f"See journalctl -u {self._unit}{_STARTED_AGAIN if complaint else ''}",
        )

    def _leave_as_it_is(self, why: BulwarkError, together: t.Sequence[str]) -> t.NoReturn:
        """Nothing on this node is what is wrong: its files stay, and it is started until the others are a quorum."""
        keep_starting(_PURPOSE, self._unit)
        before = {dialect.short_identifier(other.uuid): other.name for other in self._answers if other is not None}
        own = self._first.node if self._first else None
        missing = sorted({*before.values()} - {before.get(one) for one in together} - {own.name if own else ""})
        without = f" without {', '.join(missing)}" if missing else ""
        raise ApplyFailed(
            f"{self._unit} was stopped and is not back: it found others, which are no quorum{without}: {why.message}",
            "Bring the missing nodes back, or bootstrap from a node that is left if they are lost, then run again. "
            f"The files were left as they are{_STARTED_AGAIN}",
        )

    def _put_back(self, why: BulwarkError) -> None:
        try:
            put_back(self._unit, self._fall_back)
        except BulwarkError as error:
            raise ApplyFailed(
                f"{self._unit} was not back within {self._deadline} s: {why.message}; "
                f"its former files could not be put back: {error.message}",
                f"A timer tries that once more, within {2 * self._deadline} s; see journalctl -u {self._unit}",
            ) from None

    def _require_the_others(self, observed: ServerState) -> None:
        state = self.observe()
        if observed.node is None or state.answer is None:
            return
        gone = members_gone(observed.node, self._answers, state.answer.members)
        if gone:
            raise DidNotTakeEffect(
                f"{observed.node.name} is back, but meanwhile {', '.join(gone)} left the cluster or was restarted",
                "Look why before the next node is stopped, then run again",
            )

    def result(self, observed: ServerState, plan: Plan) -> dict[str, t.Any]:  # noqa: ARG002
        return {"unit": self._unit, "seconds": None if self._seconds is None else round(self._seconds, 2)}


def _fall_back(path: str, copy: str) -> FallBack:
    for given in filter(None, (path, copy)):
        if not os.path.isabs(given):
            raise InvalidDeclaration(f"fall_back: {given} is not a whole path", "Begin it with a slash")
    return FallBack(path, copy)


@contextlib.contextmanager
def open_subject(connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> t.Iterator[MariaDBRestart]:
    yield MariaDBRestart(connection, options)
