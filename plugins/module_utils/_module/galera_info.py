# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.


"""What galera_info returns, at once or when the node is Synced."""

from __future__ import annotations

import dataclasses
import datetime
import time
import typing as t

from .._core.errors import DidNotTakeEffect, InvalidDeclaration
from .._core.galera import Node, node_of_answer, reasons_against_stopping
from .._core.observations import Certificate
from .._dialects import mariadb_galera as dialect
from .._io.galera import Answer, ask, replication_certificate
from .._io.mariadb import LoginFailed, MariaDBConnection, ServerRefused, is_connection_lost, open_session

_PAUSE: t.Final = 0.2


def gather(connection: MariaDBConnection, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The node's answer. Raises DidNotTakeEffect when it is waited for and not Synced in time."""
    answers = [node_of_answer(member) for member in options["members"]]
    expected_size = options["expected_size"]
    if expected_size is not None and expected_size < 1:
        raise InvalidDeclaration(f"expected_size is {expected_size}", "It is the number of nodes, 1 or more")
    if options["wait"]:
        answer = wait_until_synced(connection, timeout=options["timeout"], expected_size=expected_size or 1)
    else:
        answer = _ask_once(connection)
    return {"galera": describe(answer, answers, expected_size=expected_size, today=_today())}


def describe(
    answer: Answer, answers: t.Sequence[Node | None], *, expected_size: int | None, today: datetime.date
) -> dict[str, t.Any]:
    """The answer for people and for guards."""
    if not dialect.is_enabled(answer.status, answer.variables):
        return {"enabled": False}
    node = dialect.read_node(answer.status, answer.variables)
    options = dialect.provider_options(answer.variables)
    certificate, problem = replication_certificate(options, answer.variables.get("datadir", ""))
    reasons = reasons_against_stopping(node, answer.members, answers, expected_size=expected_size)
    return {
        "enabled": True,
        **dataclasses.asdict(node),
        "donor": node.is_donor,
        "synced": node.is_synced,
        "members": [dataclasses.asdict(member) for member in answer.members],
        "cluster_address": answer.variables.get("wsrep_cluster_address", ""),
        "last_committed": dialect.number(answer.status, "wsrep_last_committed", -1),
        "flow_control_paused": float(answer.status.get("wsrep_flow_control_paused", "0")),
        "send_queue": dialect.number(answer.status, "wsrep_local_send_queue"),
        "provider": answer.variables.get("wsrep_provider", ""),
        "provider_version": answer.status.get("wsrep_provider_version", ""),
        "provider_options": dialect.mask_secrets(options),
        "replication_tls": dialect.replication_tls(options),
        "certificate": _certificate(certificate, today),
        "certificate_problem": problem,
        "allowlist": None if answer.allowlist is None else list(answer.allowlist),
        "sst_method": answer.variables.get("wsrep_sst_method", ""),
        "server_version": answer.variables.get("version", ""),
        "may_stop": not reasons,
        "reasons_against_stopping": reasons,
    }


def _certificate(found: Certificate | None, today: datetime.date) -> dict[str, t.Any] | None:
    if found is None:
        return None
    days = (datetime.date.fromisoformat(found.expires) - today).days
    names = ("path", "subject", "issuer", "expires", "key_matches")
    return {**{name: getattr(found, name) for name in names}, "names": list(found.names), "days_left": days}


def _ask_once(connection: MariaDBConnection) -> Answer:
    with open_session(connection) as session:
        return ask(session)


def wait_until_synced(connection: MariaDBConnection, *, timeout: int, expected_size: int) -> Answer:
    """Ask until the node is Synced in a cluster of that size at least. A server that is not up yet is waited for."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer = _ask_once(connection)
            plight = _plight(answer, expected_size)
            if not plight:
                return answer
        except (LoginFailed, ServerRefused) as error:
            if not (error.is_silence if isinstance(error, LoginFailed) else is_connection_lost(error)):
                raise
            plight = error.message
        if time.monotonic() >= deadline:
            raise DidNotTakeEffect(
                f"not Synced within {timeout} s: {plight}",
                "The server's error log says what it waits for; a state transfer of much data needs a longer timeout",
            )
        time.sleep(_PAUSE)


def _plight(answer: Answer, expected_size: int) -> str:
    """What is still missing, in words; empty when there is nothing to wait for any more."""
    if not dialect.is_enabled(answer.status, answer.variables):
        raise InvalidDeclaration("wsrep is off on this server: there is nothing to wait for", "Leave out wait")
    node = dialect.read_node(answer.status, answer.variables)
    if node.is_synced and node.size < expected_size:
        return f"{node.plight}, {expected_size} are expected"
    if node.desynced:
        return f"{node.plight}, because it is desynced by hand (wsrep_desync=ON)"
    return "" if node.is_synced else node.plight


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone.utc).date()
