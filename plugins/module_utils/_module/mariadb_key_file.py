# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The subject of mariadb_key_file: make the keys of a server, or take over those of another node."""

from __future__ import annotations

import base64
import binascii
import secrets
import typing as t

from .._core.errors import ApplyFailed, InvalidDeclaration
from .._core.key_file import (
    MODE,
    Access,
    DesiredKeyFile,
    Keys,
    ObservedKeyFile,
    check_key_ids,
    fingerprint,
    plan_key_file,
    read_passphrase,
    render_keys,
)
from .._core.plan import Plan
from .._core.secrets import Secret
from .._io.accounts import group_number, owner_number
from .._io.files import read_file
from .._io.key_file import decrypt_keys, encrypt_keys, make_key, observe_key_file, seal, write_secret_file

_PASSPHRASE_BYTES: t.Final = 32


class MariaDBKeyFile:
    """The key file and the file with its passphrase.

    :param options: the module's parameters.
    """

    def __init__(self, options: t.Mapping[str, t.Any]) -> None:
        self._recipients: list[str] = options["recipients"]
        self._seal_always: bool = options["seal"]
        self._brought_data, self._desired = _desired(options)
        if self._seal_always and not self._recipients:
            raise InvalidDeclaration("seal is on, but there are no recipients", "Name them")

    def observe(self) -> ObservedKeyFile:
        desired = self._desired
        return observe_key_file(desired.path, desired.passphrase_path, fallback=desired.brought_passphrase)

    def plan(self, observed: ObservedKeyFile) -> Plan:
        plan = plan_key_file(self._desired, observed)
        if self._recipients and (plan or self._seal_always):
            _try_recipients(self._recipients)
        return plan

    def apply(self, plan: Plan, observed: ObservedKeyFile) -> None:
        """The passphrase first: a run that ends between the two files leaves a state from which the next goes on."""
        desired = self._desired
        passphrase = observed.passphrase or desired.brought_passphrase or Secret(secrets.token_hex(_PASSPHRASE_BYTES))
        if observed.passphrase is None or observed.passphrase_file != desired.access:
            data = f"{passphrase.reveal()}\n".encode()
            write_secret_file(desired.passphrase_path, data, desired.access)
        missing = dict(change.payload for change in plan if change.payload)
        if missing:
            made = {number: key or make_key() for number, key in missing.items()}
            keys = {**observed.keys, **made}
            write_secret_file(desired.path, self._encrypted(keys, passphrase), desired.access)
        elif observed.key_file != desired.access:
            content = read_file(desired.path)
            if content is None:
                raise ApplyFailed(f"{desired.path} is gone", "Run again")
            write_secret_file(desired.path, content.data, desired.access)

    def _encrypted(self, keys: Keys, passphrase: Secret) -> bytes:
        """The bytes that were brought where the passphrase here reads them."""
        if self._brought_data and passphrase == self._desired.brought_passphrase:
            return self._brought_data
        return encrypt_keys(keys, passphrase)

    def result(self, observed: ObservedKeyFile, plan: Plan) -> dict[str, t.Any]:
        keys = observed.keys
        is_complete = set(_needed(self._desired)) <= set(keys)
        wants_seal = bool(self._recipients) and is_complete and (bool(plan) or self._seal_always)
        return {
            "key_ids": sorted(keys),
            "fingerprint": fingerprint(keys),
            **({"sealed": seal(render_keys(keys), self._recipients)} if wants_seal else {}),
        }


def _desired(options: t.Mapping[str, t.Any]) -> tuple[bytes, DesiredKeyFile]:
    """What was brought, and what is asked for. Raises InvalidDeclaration."""
    if bool(options["content"]) != bool(options["passphrase"]):
        raise InvalidDeclaration("content and passphrase belong together", "Give both or none")
    if options["path"] == options["passphrase_path"]:
        raise InvalidDeclaration("path and passphrase_path are the same file", "Name two")
    data, keys, passphrase = b"", None, None
    if options["content"]:
        data = _decoded("content", options["content"])
        passphrase = read_passphrase(_decoded("passphrase", options["passphrase"]), where="the option passphrase")
        keys = decrypt_keys(data, passphrase, where="the option content")
    access = Access(owner_number(options["owner"]), group_number(options["group"]), MODE)
    ids = check_key_ids(options["key_ids"])
    return data, DesiredKeyFile(options["path"], options["passphrase_path"], access, ids, keys, passphrase)


def _decoded(option: str, value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise InvalidDeclaration(
            f"the option {option} is not Base64", "Give it as ansible.builtin.slurp returns it"
        ) from None


def _needed(desired: DesiredKeyFile) -> t.Iterable[int]:
    return desired.key_ids if desired.brought is None else desired.brought


def _try_recipients(recipients: t.Sequence[str]) -> None:
    """Before anything is made: keys that nobody could be given a copy of would be a risk."""
    try:
        seal(Secret("probe"), recipients)
    except ApplyFailed as error:
        raise InvalidDeclaration(error.message, error.hint) from None
