# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What crosses the network is encrypted, and clients can tell whom they talk to."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.file_areas import PRIVATE_KEY
from .._core.plan import LIVE
from .acceptance import EveryWord, OneOf
from .certificate_check import CertificateCheck
from .file_check import FileCheck
from .hba_check import HbaCheck, in_plaintext, replication_without_certificate
from .model import Choice, Control
from .query_check import EACH_DATABASE, QueryCheck
from .setting_check import SettingCheck, Want, fixed

_TLS_1_2: t.Final = "TLSv1.2"
_TLS_1_3: t.Final = "TLSv1.3"

_CIPHERS: t.Final = ":".join(
    f"ECDHE-{key}-{cipher}"
    for cipher in ("AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-GCM-SHA256")
    for key in ("ECDSA", "RSA")
)
_GOOD_CIPHER: t.Final = (
    r"(?:EC)?DHE-(?:ECDSA-|RSA-)(?:AES(?:128|256)-(?:GCM-SHA(?:256|384)|CCM8?)|CHACHA20-POLY1305)|!\w+"
)
_GOOD_GROUP: t.Final = (
    r"(?i:X25519|X448|prime256v1|secp384r1|secp521r1|P-256|P-384|P-521|\w*MLKEM\w*|brainpoolP(?:256|384|512)r1)"
)

CONTROLS: t.Final = (
    Control(
        id="PG-TLS-001",
        title="TLS is on",
        category="encryption",
        rationale="Without it passwords' proofs and all data cross the network for everybody on the way to read.",
        checks=(fixed("ssl", "on"),),
        remedy="Bring a certificate and set ssl with the role postgresql_hardening",
        source=("OG-2.4", "TX-2.2.10"),
        references=("CIS-PG17 6.8", "STIG CD16-00-008800", "STIG CD16-00-004900", "devsec postgres-11"),
    ),
    Control(
        id="PG-TLS-002",
        title="Old protocol versions are refused",
        category="encryption",
        rationale="TLS 1.0 and 1.1 are broken. TLS 1.3 alone leaves no weak choice at all, but shuts out old clients.",
        checks=(
            SettingCheck(
                "ssl_min_protocol_version",
                Choice(Want(_TLS_1_2, OneOf((_TLS_1_2, _TLS_1_3))), strict=Want(_TLS_1_3)),
            ),
            SettingCheck(
                "ssl_max_protocol_version",
                Choice(Want("", OneOf(("", _TLS_1_2, _TLS_1_3))), strict=Want("", OneOf(("", _TLS_1_3)))),
            ),
        ),
        remedy="Set ssl_min_protocol_version and ssl_max_protocol_version with postgresql_settings",
        source=("OG-2.4",),
        references=("CIS-PG17 6.8", "STIG CD16-00-008000"),
    ),
    Control(
        id="PG-TLS-003",
        title="Only forward-secret, authenticated ciphers and sound groups are offered",
        category="encryption",
        rationale="The default list offers 38 suites that no browser takes any more. What is recorded today must stay"
        " secret when the key is stolen tomorrow.",
        checks=(
            fixed("ssl_ciphers", _CIPHERS, EveryWord(_GOOD_CIPHER, "ECDHE or DHE with AES-GCM or CHACHA20-POLY1305")),
            fixed("ssl_prefer_server_ciphers", "on"),
            fixed(
                "ssl_ecdh_curve", "prime256v1", EveryWord(_GOOD_GROUP, "a curve of 256 bits or more"), maximum=179999
            ),
            fixed(
                "ssl_groups", "X25519:prime256v1", EveryWord(_GOOD_GROUP, "groups of 256 bits or more"), minimum=180000
            ),
            fixed("ssl_tls13_ciphers", "", EveryWord(r"TLS_\w+", "TLS 1.3 suites", may_be_empty=True), minimum=180000),
        ),
        remedy="Set ssl_ciphers and what goes with it with postgresql_settings",
        source=("OG-2.4",),
        references=("CIS-PG17 6.10",),
        conflicts=("devsec postgres-12 (wants the text ALL:!ADH:!LOW:!EXP:!MD5:@STRENGTH)",),
    ),
    Control(
        id="PG-TLS-004",
        title="The server's certificate can be verified",
        category="encryption",
        rationale="Encryption with a stranger helps nobody: a client must be able to tell the server by its "
        "certificate.",
        checks=(CertificateCheck(),),
        remedy="Have the role postgresql_hardening issue or renew the certificate, or bring one of your authority",
        source=("OG-2.4",),
        references=("STIG CD16-00-004000", "STIG CD16-00-008400"),
    ),
    Control(
        id="PG-TLS-005",
        title="The private key is readable by the server only",
        category="encryption",
        rationale="Whoever reads the key can pose as the server.",
        checks=(FileCheck(PRIVATE_KEY),),
        remedy="Run file_permissions with the policies that postgresql_server_info derives",
        activation=LIVE,
        source=("GB-2.2",),
        references=("STIG CD16-00-004100",),
    ),
    Control(
        id="PG-TLS-006",
        title="Clients can't connect without encryption",
        category="encryption",
        rationale="A rule of type host takes whatever the client prefers, plaintext included. Loopback counts as well:"
        " what is right everywhere needs no exception that a proxy turns into a hole.",
        checks=(HbaCheck("every rule that admits over TCP is hostssl or hostgssenc", in_plaintext),),
        remedy="Declare hostssl rules with postgresql_hba; the stage observe names clients that would be shut out",
        source=("OG-2.4", "TX-2.2.10"),
        references=("devsec postgres-15", "STIG CD16-00-008900"),
    ),
    Control(
        id="PG-TLS-007",
        title="No session over TCP is unencrypted",
        category="encryption",
        rationale="Sessions that began before a rule was tightened stay as they are.",
        checks=(
            QueryCheck(
                kind="unencrypted sessions",
                expected="every session over TCP is encrypted",
                sql="""
SELECT 'role ' || coalesce(a.usename, '?') || ' from ' || pg_catalog.host(a.client_addr) || ', process ' || a.pid
  FROM pg_catalog.pg_stat_activity AS a
  JOIN pg_catalog.pg_stat_ssl AS s USING (pid)
  LEFT JOIN pg_catalog.pg_stat_gssapi AS g USING (pid)
 WHERE a.client_addr IS NOT NULL AND NOT s.ssl AND NOT coalesce(g.encrypted, false) ORDER BY 1""",
            ),
        ),
        remedy="Mend the client's connection string, then end the session with pg_terminate_backend",
        activation=LIVE,
        source=("OG-2.4",),
        references=(),
    ),
    Control(
        id="PG-TLS-008",
        title="Connections that the server opens verify the other side",
        category="encryption",
        level=STRICT,
        rationale="Standbys, subscriptions and foreign servers send data and passwords to whoever answers.",
        checks=(
            QueryCheck(
                kind="connections that verify nobody",
                expected="sslmode=verify-full or verify-ca in primary_conninfo and in every subscription",
                sql="""
SELECT 'primary_conninfo' WHERE pg_catalog.current_setting('primary_conninfo') <> ''
   AND pg_catalog.current_setting('primary_conninfo') !~ 'sslmode *= *''?verify-(ca|full)'
UNION ALL
SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription
 WHERE subconninfo !~ 'sslmode *= *''?verify-(ca|full)'""",
            ),
            QueryCheck(
                kind="foreign servers that are not verified",
                expected="the same in every foreign server of postgres_fdw and dblink_fdw",
                sql="""
SELECT 'foreign server ' || s.srvname
  FROM pg_catalog.pg_foreign_server AS s JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
 WHERE w.fdwname IN ('postgres_fdw', 'dblink_fdw')
   AND NOT coalesce(s.srvoptions && ARRAY['sslmode=verify-full', 'sslmode=verify-ca'], false) ORDER BY 1""",
                scope=EACH_DATABASE,
            ),
        ),
        remedy="Add sslmode=verify-full and sslrootcert to the connection",
        source=("OG-2.4", "GB-1.4"),
        references=("CIS-PG17 7.5",),
    ),
    Control(
        id="PG-TLS-009",
        title="Replication authenticates with a client certificate",
        category="encryption",
        level=STRICT,
        rationale="A replication role reads every table there is: a password alone is too little for it.",
        checks=(
            HbaCheck(
                "rules for replication use cert, or clientcert=verify-full besides", replication_without_certificate
            ),
        ),
        remedy="Declare the method cert, or the option clientcert=verify-full, with postgresql_hba",
        source=("TX-2.2.11",),
        references=("STIG CD16-00-004000", "STIG CD16-00-004200"),
    ),
)
