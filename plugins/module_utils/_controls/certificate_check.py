# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The server's certificate: who signed it, how strong it is, how long it lasts, and whether clients get to see it."""

from __future__ import annotations

import datetime
import typing as t

from .._core.assessment import FAIL, PASS, Finding, Situation
from .._core.observations import Certificate, Observations, Unobservable
from .observed_check import ObservedCheck, seen

_SHORTEST_KEYS: t.Final = {"rsa": 2048, "dsa": 999999, "ec": 256}
_WEAK_SIGNATURES: t.Final = ("md5", "sha1")


class CertificateCheck(ObservedCheck):
    """Every property at once, each failure a line of evidence."""

    expected = (
        "signed by an authority, RSA of 2048 bits or EC of 256 or more, SHA-2, belongs to the key, holds the"
        " declared names, lasts longer than the declared days (14), is the one the server shows"
    )

    def judge_seen(self, observations: Observations, situation: Situation) -> Finding:
        # Without TLS nobody is shown a certificate, whether or not the file could be read.
        if not isinstance(observations.settings, Unobservable):
            # PostgreSQL's switch, or MariaDB's.
            ssl = observations.settings.get("ssl") or observations.settings.get("have_ssl")
            if ssl is not None and ssl.value not in ("on", "YES"):
                return Finding(FAIL, "TLS is off, so there is no certificate", self.expected)
        certificate = seen(observations.certificate)
        problems = tuple(_problems(certificate, situation))
        observed = (
            f"{certificate.subject or certificate.path}, issued by {certificate.issuer}, until {certificate.expires}"
        )
        return Finding(FAIL if problems else PASS, problems[0] if problems else observed, self.expected, problems)


def _problems(certificate: Certificate, situation: Situation) -> t.Iterator[str]:
    if certificate.is_self_signed:
        yield f"self-signed: {certificate.subject}"
    days = (datetime.date.fromisoformat(certificate.expires) - situation.today).days
    if days < 0:
        yield f"expired on {certificate.expires}"
    elif days < situation.certificate_days:
        yield f"expires on {certificate.expires}, in {days} days"
    if certificate.key_bits < _SHORTEST_KEYS.get(certificate.key_type, 0):
        yield f"weak key: {certificate.key_type} of {certificate.key_bits} bits"
    if any(weak in certificate.signature.lower() for weak in _WEAK_SIGNATURES):
        yield f"weak signature: {certificate.signature}"
    missing = [name for name in situation.declares("server_names") if not _holds(certificate, name)]
    if missing:
        yield f"not good for {', '.join(missing)}"
    if certificate.key_matches is False:
        yield "does not belong to the private key"
    if certificate.is_served is False:
        yield "the server shows another certificate than the file: a reload is missing, or failed"


def _holds(certificate: Certificate, name: str) -> bool:
    """Whether a name is among those of the certificate; a wildcard stands for one label."""
    wanted = name.lower()
    parent = wanted.partition(".")[2]
    return any(held.lower() in (wanted, f"*.{parent}") for held in certificate.names)
