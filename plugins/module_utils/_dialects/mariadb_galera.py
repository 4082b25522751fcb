# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What to ask a node of a Galera cluster, and how to read its answers.

SHOW is answered in every state; a query on tables is not where the node is out of the primary component.
"""

from __future__ import annotations

import re
import typing as t

from .._core.galera import UNKNOWN, Member, Node
from . import mariadb_provider

STATUS_QUERY: t.Final = "SHOW GLOBAL STATUS LIKE 'wsrep%'"
# SHOW, not information_schema: that cuts values off at 2048 characters, which provider options with TLS exceed.
VARIABLES_QUERY: t.Final = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name LIKE 'wsrep%' OR Variable_name IN ('datadir', 'version')"
)
MEMBERS_QUERY: t.Final = (
    "SELECT node_uuid, node_name, node_incoming_address FROM mysql.wsrep_cluster_members ORDER BY node_name"
)
# Newer than 10.6; empty means that everybody may join.
ALLOWLIST_QUERY: t.Final = "SELECT ip FROM mysql.wsrep_allowlist ORDER BY ip"
ALLOWLIST: t.Final = "wsrep_allowlist"

Texts = t.Mapping[str, str]

_SECRET = re.compile(r"(?:password|passphrase|secret|auth)$", re.IGNORECASE)
_STOCK_LIMIT: t.Final = 16
# view(view_id(NON_PRIM,08b5d9cc-97f6,15) memb { 08b5d9cc-97f6,0 cd05d688-bdf6,0 } joined { ..., over several lines
_VIEW = re.compile(r"view\(view_id\((PRIM|NON_PRIM),[^)]*\) memb \{([^}]*)\}")
_MEMBER = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}),\d+")
REQUIRED, OPTIONAL, OFF = "required", "optional", "off"


def is_enabled(status: Texts, variables: Texts) -> bool:
    """Whether the server is a node. One whose wsrep_on was switched off while it runs still is."""
    if variables.get("wsrep_provider", "none") in ("", "none"):
        return False
    return _is_on(variables.get("wsrep_on", "")) or _is_on(status.get("wsrep_connected", ""))


def read_node(status: Texts, variables: Texts) -> Node:
    """The node's own view, of the rows of STATUS_QUERY and VARIABLES_QUERY."""
    options = provider_options(variables)
    return Node(
        name=variables.get("wsrep_node_name", ""),
        uuid=status.get("wsrep_gcomm_uuid", ""),
        address=variables.get("wsrep_node_address", ""),
        cluster_name=variables.get("wsrep_cluster_name", ""),
        cluster_uuid=status.get("wsrep_cluster_state_uuid", ""),
        status=status.get("wsrep_cluster_status", "Disconnected"),
        size=number(status, "wsrep_cluster_size"),
        weight=number(options, "pc.weight", 1),
        cluster_weight=number(status, "wsrep_cluster_weight"),
        state=status.get("wsrep_local_state_comment", UNKNOWN),
        replicates=_is_on(variables.get("wsrep_on", "")),
        ready=_is_on(status.get("wsrep_ready", "")),
        connected=_is_on(status.get("wsrep_connected", "")),
        desynced=_is_on(variables.get("wsrep_desync", "")),
        flow_control_active=_is_on(status.get("wsrep_flow_control_active", "")),
        receive_queue=number(status, "wsrep_local_recv_queue"),
        receive_limit=number(options, "gcs.fc_limit", _STOCK_LIMIT),
    )


def members_of_addresses(status: Texts) -> list[Member]:
    """Where the table of members can't be read."""
    addresses = status.get("wsrep_incoming_addresses", "").split(",")
    return [Member("", "", address.strip()) for address in addresses if address.strip()]


def provider_options(variables: Texts) -> dict[str, str]:
    return mariadb_provider.parse(variables.get(mariadb_provider.NAME, ""))


def allowlist_statements(literal: str) -> tuple[str, str]:
    """What makes the nodes' table hold the addresses of the option's value, which is an SQL literal, and no others.

    Added first, so that it is never empty on the way: that would let everybody in.
    """
    listed = f"REPLACE({literal}, ' ', '')"
    rows = f"""JSON_TABLE(CONCAT('["', REPLACE({listed}, ',', '","'), '"]'), '$[*]' COLUMNS (ip CHAR(64) PATH '$'))"""
    return (
        f"INSERT IGNORE INTO mysql.wsrep_allowlist (ip) SELECT ip FROM {rows} AS wanted WHERE ip <> ''",
        f"DELETE FROM mysql.wsrep_allowlist WHERE NOT FIND_IN_SET(ip, {listed})",
    )


def reached_without_quorum(journal: str) -> tuple[str, ...]:
    """Short identifiers of the nodes that were together, the server's own among them, without being a quorum.

    It is what the last view said that the server logged; empty where that was primary, or of the server alone.
    """
    views = _VIEW.findall(journal)
    kind, members = views[-1] if views else ("", "")
    found = tuple(_MEMBER.findall(members))
    return found if kind == "NON_PRIM" and len(found) > 1 else ()


def short_identifier(uuid: str) -> str:
    """As the provider's log writes a node's identifier."""
    parts = uuid.split("-")
    return f"{parts[0]}-{parts[3]}" if len(parts) == 5 else uuid


def mask_secrets(options: Texts) -> dict[str, str]:
    return {name: "********" if value and _SECRET.search(name) else value for name, value in options.items()}


def replication_tls(options: Texts) -> str:
    """``required`` where traffic between members is encrypted, ``optional`` where plaintext is accepted as well."""
    if not _is_on(options.get("socket.ssl", "no")):
        return OFF
    return OPTIONAL if _is_on(options.get("socket.dynamic", "no")) else REQUIRED


def number(texts: Texts, name: str, default: int = 0) -> int:
    """A whole number; what is not there or is none is the default."""
    value = texts.get(name, "")
    return int(value) if re.fullmatch(r"-?\d+", value) else default


def _is_on(value: str) -> bool:
    return value.lower() in ("on", "yes", "true", "1")
