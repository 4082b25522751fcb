# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Whom a backup is sealed to: two at least, one of them held offline, all of one kind. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from .age_recipient import check_recipient
from .errors import InvalidDeclaration
from .openpgp_key import is_fingerprint, plain_fingerprint, read_public_keys
from .sealing import AGE, GNUPG

_CHECKS: t.Final[t.Mapping[str, t.Callable[..., str]]] = {
    AGE: check_recipient,
    GNUPG: lambda text, *, where: check_fingerprint(text, where=where),
}


@dataclasses.dataclass(frozen=True)
class Recipients:
    """:param names: public keys of age, or fingerprints of OpenPGP; escrow last.
    :param keys: of OpenPGP, by fingerprint, as armoured text.
    """

    sealing: str
    names: tuple[str, ...]
    keys: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def check_recipients(
    recipients: t.Sequence[str], escrow_recipients: t.Sequence[str], *, sealing: str = AGE, keys: t.Sequence[str] = ()
) -> Recipients:
    """All keys that a backup is sealed to, escrow last. Raises InvalidDeclaration.

    :param escrow_recipients: keys held offline; without one, the loss of a single place loses every backup.
    :param keys: armoured public keys, where the recipients are fingerprints.
    """
    if keys and sealing != GNUPG:
        raise InvalidDeclaration(f"recipient_keys is of no use with sealing {sealing}", "Leave it out")
    check = _CHECKS[sealing]
    named = [check(name, where=f"recipients[{number}]") for number, name in enumerate(recipients)]
    escrow = [check(name, where=f"escrow_recipients[{number}]") for number, name in enumerate(escrow_recipients)]
    if not named:
        raise InvalidDeclaration("recipients names nobody", "Name a public key of those who restore")
    if not escrow:
        raise InvalidDeclaration(
            "escrow_recipients names nobody",
            "Name a public key whose secret one is held offline, in a safe for example",
        )
    both = sorted(set(named) & set(escrow))
    if both:
        raise InvalidDeclaration(
            f"{both[0]} is in recipients and in escrow_recipients", "The escrow key is one of its own, held offline"
        )
    names = tuple(dict.fromkeys([*named, *escrow]))
    return Recipients(sealing, names, _keys_of(names, keys) if sealing == GNUPG else {})


def check_fingerprint(text: str, *, where: str) -> str:
    """As GnuPG writes it without spaces. Raises InvalidDeclaration, which never has what may be a secret key."""
    if text.upper().startswith("AGE-SECRET-KEY-") or "PRIVATE KEY" in text:
        raise InvalidDeclaration(
            f"{where} is a secret key", "Give the fingerprint of its public one, and take it off this host"
        )
    if text.startswith("age1"):
        raise InvalidDeclaration(
            f"{where} is a key of age, and the job seals by gnupg",
            "All recipients of a job are of one kind: set sealing to age, or give a fingerprint of OpenPGP",
        )
    plain = plain_fingerprint(text)
    if not is_fingerprint(plain):
        raise InvalidDeclaration(
            f"{where} is no fingerprint of OpenPGP",
            "It has 40 digits and letters up to F, as gpg --fingerprint prints; a short key ID names more than one key",
        )
    return plain


def _keys_of(names: t.Iterable[str], texts: t.Sequence[str]) -> dict[str, str]:
    """Those of the recipients; keys of others may be among the texts."""
    known: dict[str, str] = {}
    for number, text in enumerate(texts):
        known.update(read_public_keys(text, where=f"recipient_keys[{number}]"))
    for name in names:
        if name not in known:
            raise InvalidDeclaration(
                f"recipient_keys holds no key with the fingerprint {name}",
                "Add what gpg --armor --export prints for it; a fingerprint of a subkey names none",
            )
    return {name: known[name] for name in names}
