# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A node of a Galera cluster: who may join, who reads the traffic, what lies about. Not applicable to other servers."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE, RESTART
from .galera_check import (
    AllowlistCheck,
    ConflictDumpCheck,
    GroupTlsCheck,
    ProgramOwnerCheck,
    QuorumCheck,
    TransferCheck,
)
from .mariadb_setting import query, variable
from .model import MARIADB, Control, Residual

# Enough for a whole backup, as tried with 10.11.
_TRANSFER_PRIVILEGES: t.Final = (
    *("USAGE", "RELOAD", "PROCESS", "LOCK TABLES", "BINLOG MONITOR", "REPLICATION CLIENT"),
    *("REPLICA MONITOR", "SLAVE MONITOR"),
)
_TRANSFER_ACCOUNT: t.Final = f"""
SELECT CONCAT(REPLACE(grantee, '''', ''), ' ', privilege_type, IF(is_grantable = 'YES', ' with grant option', ''))
       AS line
  FROM information_schema.user_privileges
 WHERE (grantee LIKE '%%sst%%@%%' OR grantee = '''mysql''@''localhost''')
   AND (privilege_type NOT IN {_TRANSFER_PRIVILEGES} OR is_grantable = 'YES')
UNION ALL
SELECT CONCAT(user, '@', host, ' is not of this host') FROM mysql.global_priv
 WHERE user LIKE '%%sst%%' AND host NOT IN ('', 'localhost', '127.0.0.1', '::1')"""  # noqa: S608 (made of constants)

CONTROLS: t.Final = (
    Control(
        id="MDB-GAL-001",
        title="Nodes prove who they are, and their traffic is encrypted",
        category="encryption",
        rationale="Galera has no login. A stranger that knew the cluster's name joined and was sent a full copy of all"
        " data; mutual TLS stopped it. Any certificate of that authority may join: it should sign for the"
        " cluster alone.",
        checks=(GroupTlsCheck(),),
        remedy="Run galera_hardening, which takes a cluster to TLS without a stop; by hand: socket.ssl, socket.ssl_ca,"
        " socket.ssl_cert and socket.ssl_key in wsrep_provider_options, socket.dynamic in between only",
        activation=RESTART,
        source=("OG-2.4", "GB-1.4", "GB-2.1"),
        references=("STIG MADB-10-009000",),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-GAL-002",
        title="Only listed addresses may join the cluster",
        category="network",
        rationale="A second wall behind the certificates. The nodes share the list, which is made of the option when"
        " the cluster is founded: without it everybody is let in.",
        checks=(AllowlistCheck(),),
        remedy="Set wsrep_allowlist to the addresses of all members with mariadb_settings, which writes the nodes'"
        " list, too",
        activation=LIVE,
        source=("GB-2.5", "OG-2.3"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-GAL-003",
        title="State transfers go by mariadb-backup, encrypted and verified",
        category="encryption",
        rationale="A transfer is a copy of everything. ssl_cert of the server does not encrypt it: ssl_mode of the"
        " group [sst] is DISABLED unless it is set.",
        checks=(variable("wsrep_sst_method", "mariabackup", on_nodes=True), TransferCheck()),
        remedy="Set wsrep_sst_method with mariadb_settings, and ssl_mode=VERIFY_CA with tca, tcert and tkey in [sst]",
        activation=LIVE,
        source=("GB-1.4", "GB-2.3"),
        residual=(
            Residual(
                "The joiner chooses the method: a node of the cluster may still ask a donor for rsync, where that"
                " program is installed."
            ),
        ),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-GAL-004",
        title="The account of state transfers may do only that, and from this host only",
        category="authorization",
        rationale="Its password, where it has one, stands in a file and in the environment of the transfer's script."
        " mysql@localhost is let in by the socket and needs none; stock it holds all privileges.",
        checks=(
            query(
                "privileges beyond those of a transfer",
                "RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR (REPLICA MONITOR) for mysql@localhost and sst accounts",
                _TRANSFER_ACCOUNT,
                on_nodes=True,
            ),
        ),
        remedy="GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO mysql@localhost and REVOKE the others;"
        " then try a transfer",
        activation=LIVE,
        source=("GB-2.3", "GB-2.4"),
        references=("CIS-MDB106 2.1.3",),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-GAL-005",
        title="Quorum is kept, and no node is about to found a cluster of its own",
        category="network",
        rationale="A node that ignores quorum, or that finds no others in its address, goes on alone: two truths, and"
        " one of them is lost.",
        checks=(QuorumCheck(),),
        remedy="Take pc.ignore_quorum and pc.ignore_sb out of wsrep_provider_options; name all members in"
        " wsrep_cluster_address; restart",
        activation=RESTART,
        source=("OG-1.1",),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-GAL-006",
        title="Rows that the cluster leaves on disk are few",
        category="filesystem",
        rationale="Write sets that failed are dumped with their rows into GRA_*.log and stay there for ever.",
        checks=(
            ConflictDumpCheck(),
            variable("wsrep_log_conflicts", "OFF", on_nodes=True),
            variable("wsrep_debug", "NONE", on_nodes=True),
        ),
        remedy="Remove GRA_*.log within a week, as the role's daily job does; set wsrep_log_conflicts and wsrep_debug"
        " with mariadb_settings",
        activation=LIVE,
        source=("TX-2.7.1", "GB-1.1", "GB-1.3", "OG-3.4"),
        residual=(
            Residual(
                "galera.cache and younger GRA_*.log hold rows in clear whatever is set: the community server encrypts"
                " neither. Keep the data directory on an encrypted device."
            ),
        ),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-GAL-007",
        title="What the node runs belongs to root",
        category="filesystem",
        level=STRICT,
        rationale="The provider, the transfer's scripts and wsrep_notify_cmd run as the server. Who writes to one of"
        " them is the server.",
        checks=(ProgramOwnerCheck(),),
        remedy="chown root and chmod 0755 the files",
        activation=LIVE,
        source=("TX-2.3.3",),
        engines=(MARIADB,),
    ),
)
