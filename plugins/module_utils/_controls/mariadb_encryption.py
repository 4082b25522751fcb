# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What of MariaDB's traffic is encrypted, and whom a client or replica believes."""

from __future__ import annotations

import typing as t

from .._core.assessment import STRICT
from .._core.plan import LIVE, RESTART
from .acceptance import EveryWord, OneOf
from .certificate_check import CertificateCheck
from .mariadb_authentication import ACCOUNTS
from .mariadb_checks import ChannelCheck
from .mariadb_setting import NOT_EMPTY, query, variable
from .model import MARIADB, Control
from .setting_check import CERTIFICATE

# Of TLS 1.2; those of 1.3 are all good. Ephemeral keys, authenticated encryption.
_CIPHERS: t.Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)
_PLAINTEXT: t.Final = f"""
SELECT CONCAT(user, '@', host) AS line FROM {ACCOUNTS}
   AND host NOT IN ('localhost', '127.0.0.1', '::1', '') AND COALESCE(JSON_VALUE(priv, '$.ssl_type'), '0') = '0'"""  # noqa: S608 (made of constants)

CONTROLS: t.Final = (
    Control(
        id="MDB-TLS-001",
        title="Clients come by TLS, with a certificate of the site",
        category="encryption",
        rationale="Passwords' hashes and rows cross the network otherwise. From 11.4 on the server invents a"
        " certificate where none is set, which nobody signed: have_ssl alone proves nothing.",
        checks=(
            variable("have_ssl", None, OneOf(("YES",))),
            variable("require_secure_transport", "ON"),
            variable("ssl_cert", None, NOT_EMPTY),
            variable("ssl_key", None, NOT_EMPTY),
            variable("ssl_ca", None, NOT_EMPTY),
        ),
        remedy="Run galera_hardening; or bring ssl_cert, ssl_key and ssl_ca, restart, and then set"
        " require_secure_transport with mariadb_settings",
        activation=RESTART,
        source=("OG-2.4", "TX-2.2.10"),
        references=("CIS-MDB106 8.1", "STIG MADB-10-008900", "STIG MADB-10-003900"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-TLS-002",
        title="TLS 1.2 or newer, strong ciphers, a good certificate",
        category="encryption",
        rationale="Old protocols are broken; a certificate that nobody verifies proves nothing, and one that expires"
        " stops everybody.",
        checks=(
            variable("tls_version", "TLSv1.2,TLSv1.3", EveryWord(r"TLSv1\.[23]", "TLSv1.2, TLSv1.3", separator=",")),
            variable(
                "ssl_cipher",
                _CIPHERS,
                EveryWord(r"!.*|TLS_.*|(EC)?DHE-.*(GCM|CHACHA20|CCM).*", "ECDHE with GCM or CHACHA20 only"),
                needs=CERTIFICATE,
            ),
            CertificateCheck(),
        ),
        remedy="Set tls_version and ssl_cipher with mariadb_settings; bring a certificate of an authority,"
        " and FLUSH SSL",
        activation=RESTART,
        source=("OG-2.4",),
        references=("CIS-MDB106 2.10", "CIS-MDB106 2.12", "CIS-MDB106 3.7", "CIS-MDB106 2.5", "STIG MADB-10-004100"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-TLS-003",
        title="Accounts from elsewhere demand TLS themselves",
        category="encryption",
        level=STRICT,
        rationale="It still holds where require_secure_transport is switched off for a while, and may ask for a client"
        " certificate. A proxy ends the client's TLS.",
        checks=(query("accounts without REQUIRE", "accounts of other hosts have REQUIRE SSL or X509", _PLAINTEXT),),
        remedy="ALTER USER u REQUIRE SSL, or X509, as mariadb_roles does",
        activation=LIVE,
        source=("OG-2.4", "TX-2.2.11"),
        references=("CIS-MDB106 2.11", "CIS-MDB106 8.2", "STIG MADB-10-004000", "STIG MADB-10-004200"),
        engines=(MARIADB,),
    ),
    Control(
        id="MDB-TLS-004",
        title="Replicas verify the certificate of their source",
        category="encryption",
        level=STRICT,
        rationale="Whoever takes the source's address feeds the replica, and learns its account's password.",
        checks=(ChannelCheck(),),
        remedy="STOP REPLICA; CHANGE MASTER TO MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=1; START REPLICA",
        activation=LIVE,
        source=("OG-2.4",),
        references=("CIS-MDB106 9.1", "CIS-MDB106 9.2"),
        engines=(MARIADB,),
    ),
)
