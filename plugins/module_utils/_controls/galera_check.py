# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Judging what was seen of a node of a Galera cluster; not applicable where the server is none."""

from __future__ import annotations

import re
import typing as t

from .._core.assessment import FAIL, NOT_APPLICABLE, PASS, Finding, Situation
from .._core.observations import GaleraNode, Observations
from .observed_check import ObservedCheck, seen

_TRUE: t.Final = ("yes", "true", "on", "1")
# The oldest server that has a list of who may join.
_ALLOWLIST_SINCE: t.Final = 101000


class NodeCheck(ObservedCheck):
    """A check of nodes only."""

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:
        raise NotImplementedError

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:  # noqa: ARG002
        node = seen(observations.galera)
        if node is None:
            return Finding(NOT_APPLICABLE, "the server is no node of a cluster")
        return self.judge_node(node, observations)


class GroupTlsCheck(NodeCheck):
    """Traffic between nodes is encrypted, plaintext is refused, and both sides show a certificate."""

    expected = "socket.ssl on, socket.dynamic off, with certificate, key and authority"

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:  # noqa: ARG002
        words = {"required": "TLS between nodes", "optional": "plaintext is accepted as well", "off": "plaintext"}
        parts = ("socket.ssl_ca", "socket.ssl_cert", "socket.ssl_key")
        missing = tuple(f"{name} is not set" for name in parts if not node.options.get(name))
        good = node.replication_tls == "required" and not missing
        lines = missing if node.replication_tls != "off" else ()
        offending = () if good else ("wsrep_provider_options",)
        return Finding(PASS if good else FAIL, words[node.replication_tls], self.expected, lines, offending)


class AllowlistCheck(NodeCheck):
    """Not everybody may join."""

    expected = "mysql.wsrep_allowlist names who may join (from MariaDB 10.10)"

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:
        if seen(observations.version) < _ALLOWLIST_SINCE:
            return Finding(NOT_APPLICABLE, "this version of the server has no such list")
        addresses = seen(node.allowlist)
        if not addresses:
            return Finding(
                FAIL, "the list is empty, so every address may join", self.expected, (), ("wsrep_allowlist",)
            )
        return Finding(PASS, f"{len(addresses)} addresses: {', '.join(addresses)}", self.expected)


class TransferCheck(NodeCheck):
    """The scripts of the state transfer encrypt, and verify the other side."""

    expected = "[sst] has ssl_mode = VERIFY_CA or VERIFY_IDENTITY, with an authority, a certificate and a key"

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:
        given = seen(node.transfer)
        server = {name: one.value for name, one in seen(observations.settings).items()}
        mode = given.get("ssl_mode", "DISABLED").upper()
        lines = [] if mode.startswith("VERIFY_") else [f"ssl_mode = {mode}"]
        # As the script looks for them: its own first, then what the server has.
        for name, other in (("tca", "ssl_ca"), ("tcert", "ssl_cert"), ("tkey", "ssl_key")):
            if not (given.get(name) or given.get(other) or server.get(other)):
                lines.append(f"neither {name} nor {other} is set")
        if given.get("encrypt", "0") not in ("0", "2", "3", "4"):
            lines.append(f"encrypt = {given['encrypt']} encrypts nothing any more")
        if lines:
            return Finding(FAIL, f"a state transfer is not verified: {lines[0]}", self.expected, tuple(lines))
        return Finding(PASS, f"ssl_mode = {mode}", self.expected)


class QuorumCheck(NodeCheck):
    """Neither told to ignore quorum nor to find no others."""

    expected = "pc.ignore_quorum and pc.ignore_sb off, wsrep_cluster_address names members"

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:  # noqa: ARG002
        lines = [
            f"{name} = {node.options[name]}"
            for name in ("pc.ignore_quorum", "pc.ignore_sb")
            if node.options.get(name, "false").lower() in _TRUE
        ]
        offending = ["wsrep_provider_options"] * bool(lines)
        if not re.match(r"\w+://[\w\[]", node.cluster_address):
            lines.append(f"wsrep_cluster_address = {node.cluster_address or chr(39) * 2} names nobody")
            offending.append("wsrep_cluster_address")
        if lines:
            return Finding(FAIL, lines[0], self.expected, tuple(lines), tuple(offending))
        return Finding(PASS, f"wsrep_cluster_address = {node.cluster_address}", self.expected)


class ConflictDumpCheck(NodeCheck):
    """No dump of a failed write set stays."""

    expected = "no GRA_*.log older than a week"

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:  # noqa: ARG002
        dumps = seen(node.conflict_dumps)
        if dumps:
            return Finding(FAIL, f"{len(dumps)} dumps of write sets with their rows", self.expected, dumps)
        return Finding(PASS, "no old dump of a write set", self.expected)


class ProgramOwnerCheck(NodeCheck):
    """Provider, scripts and hook are root's."""

    expected = "the provider, wsrep_notify_cmd and the transfer's scripts are root's, and nobody else changes them"

    def judge_node(self, node: GaleraNode, observations: Observations) -> Finding:  # noqa: ARG002
        wrong = seen(node.programs)
        if wrong:
            return Finding(FAIL, f"{len(wrong)} programs that others change", self.expected, wrong)
        return Finding(PASS, "all root's", self.expected)
