# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The keys of MariaDB's plugin file_key_management: the file's text, what is missing, and a fingerprint. Pure.

Keys are never removed or changed: what was encrypted with one can't be read without it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import typing as t

from .errors import InvalidDeclaration, ObservationFailed, RefusedForSafety
from .plan import Change, Plan
from .secrets import Secret

Keys = t.Mapping[int, Secret]

KEY_BYTES: t.Final = 32
MAXIMUM_KEY_ID: t.Final = 2**32 - 1
MAXIMUM_PASSPHRASE_BYTES: t.Final = 256
MODE: t.Final = 0o400
# What the server, like "openssl enc", puts before the salt.
PREFIX: t.Final = b"Salted__"
SALT_BYTES: t.Final = 8
_CIPHER_KEY_BYTES: t.Final = 32
_CIPHER_VECTOR_BYTES: t.Final = 16
# Keys are random, so that their fingerprint gives nothing away; the label keeps it apart from other hashes.
_FINGERPRINT_LABEL: t.Final = b"bulwark.database mariadb_key_file"
_LINE = re.compile(r"(\d{1,10});((?:[0-9A-Fa-f]{2}){16}(?:[0-9A-Fa-f]{16}){0,2})(?![0-9A-Fa-f])")


@dataclasses.dataclass(frozen=True)
class Access:
    """Who may read a file.

    :param owner: the number of an account.
    :param group: the number of a group.
    :param mode: permission bits.
    """

    owner: int
    group: int
    mode: int

    def __str__(self) -> str:
        return f"{self.owner}:{self.group} {self.mode:04o}"


@dataclasses.dataclass(frozen=True)
class ObservedKeyFile:
    """The two files as they are.

    :param keys: by id; empty where there is no key file.
    :param key_file: who may read it; None where it is not there.
    :param passphrase: None where its file is not there.
    :param passphrase_file: as ``key_file``.
    """

    keys: Keys
    key_file: Access | None
    passphrase: Secret | None
    passphrase_file: Access | None


@dataclasses.dataclass(frozen=True)
class DesiredKeyFile:
    """What is asked for.

    :param key_ids: ids that have to be there.
    :param brought: the keys of another node, to be taken as they are; None to make what is missing.
    :param brought_passphrase: comes along with ``brought``.
    """

    path: str
    passphrase_path: str
    access: Access
    key_ids: tuple[int, ...]
    brought: Keys | None = None
    brought_passphrase: Secret | None = None


def cipher_key(passphrase: Secret, salt: bytes) -> tuple[bytes, bytes]:
    """Key and initialization vector as the server derives them (``openssl enc -aes-256-cbc -md sha1``).

    Servers from 12.0 on can derive better, but none reads that without an option; all read this.
    """
    secret = passphrase.reveal().encode("utf-8")
    material = block = b""
    while len(material) < _CIPHER_KEY_BYTES + _CIPHER_VECTOR_BYTES:
        block = hashlib.sha1(block + secret + salt).digest()  # noqa: S324 - the server's choice, not ours
        material += block
    return material[:_CIPHER_KEY_BYTES], material[_CIPHER_KEY_BYTES : _CIPHER_KEY_BYTES + _CIPHER_VECTOR_BYTES]


def read_passphrase(data: bytes, *, where: str) -> Secret:
    """The passphrase as the server reads it: less line ends behind it. Raises ObservationFailed for what it refuses."""
    text = data.rstrip(b"\r\n")
    if not text or len(text) > MAXIMUM_PASSPHRASE_BYTES or b"\0" in text:
        raise ObservationFailed(
            f"{where} holds no passphrase: the server takes 1 to {MAXIMUM_PASSPHRASE_BYTES} bytes without a NUL",
            "Bring back the right file; without it the key file can't be read",
        )
    try:
        return Secret(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise ObservationFailed(f"{where} is not UTF-8", "A passphrase is text") from None


def parse_keys(text: str, *, where: str) -> dict[int, Secret]:
    """The keys of a key file in clear. Raises ObservationFailed where the server would not start with it."""
    keys: dict[int, Secret] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        match = _LINE.match(content)
        if not match or not 1 <= int(match[1]) <= MAXIMUM_KEY_ID:
            raise ObservationFailed(f"line {number} of {where} is no key (id;hexadecimal digits)", "Mend it by hand")
        if int(match[1]) in keys:
            raise ObservationFailed(f"{where} holds key {int(match[1])} twice", "Find out which one is in use")
        keys[int(match[1])] = Secret(match[2].lower())
    if 1 not in keys:
        raise ObservationFailed(f"{where} holds no key 1, which the server needs", "Is this the right file?")
    return keys


def render_keys(keys: Keys) -> Secret:
    """The text of a key file in clear."""
    return Secret("".join(f"{number};{keys[number].reveal()}\n" for number in sorted(keys)))


def fingerprint(keys: Keys) -> str:
    """Equal for equal keys, in hexadecimal; empty where there are none."""
    if not keys:
        return ""
    return hmac.new(_FINGERPRINT_LABEL, render_keys(keys).reveal().encode("ascii"), hashlib.sha256).hexdigest()


def check_key_ids(key_ids: t.Iterable[int]) -> tuple[int, ...]:
    """Sorted, each once. Raises InvalidDeclaration for one that no key can have, or when key 1 is not among them."""
    wanted = tuple(sorted(set(key_ids)))
    for number in wanted:
        if not 1 <= number <= MAXIMUM_KEY_ID:
            raise InvalidDeclaration(f"{number} is no key id", f"It is a number from 1 to {MAXIMUM_KEY_ID}")
    if 1 not in wanted:
        raise InvalidDeclaration("key_ids lacks 1, the key of the server's own files", "Add 1")
    return wanted


def plan_key_file(desired: DesiredKeyFile, observed: ObservedKeyFile) -> Plan:
    """Keys to make or to take over, and files whose access is to be mended.

    A payload is a key's id and the key, None for one that is to be made. Raises RefusedForSafety for a key that would
    change.
    """
    changes = []
    if observed.passphrase is None:
        changes.append(Change(f"passphrase in {desired.passphrase_path}", after="there"))
    changes += [
        Change(f"key {number} in {desired.path}", after="there", payload=(number, key))
        for number, key in _missing_keys(desired, observed).items()
    ]
    files = ((desired.passphrase_path, observed.passphrase_file), (desired.path, observed.key_file))
    changes += [
        Change(f"access to {path} (owner, group, mode)", before=str(found) if found else "", after=str(desired.access))
        for path, found in files
        if found != desired.access
    ]
    return Plan(tuple(changes))


def _missing_keys(desired: DesiredKeyFile, observed: ObservedKeyFile) -> dict[int, Secret | None]:
    if desired.brought is None:
        return {number: None for number in desired.key_ids if number not in observed.keys}
    brought = desired.brought
    lacking = sorted(set(desired.key_ids) - set(brought))
    if lacking:
        raise InvalidDeclaration(
            f"the key file that was brought lacks {_named(lacking)}",
            "Make them on the node that it comes from, and bring it again",
        )
    other = sorted(number for number in set(observed.keys) & set(brought) if observed.keys[number] != brought[number])
    if other:
        raise RefusedForSafety(
            f"{desired.path} holds another {_named(other)} than the file that was brought",
            "Data encrypted with the one here could not be read any more. If there is none, move the file away",
        )
    extra = sorted(set(observed.keys) - set(brought))
    if extra:
        raise RefusedForSafety(
            f"{desired.path} holds {_named(extra)}, which the file that was brought lacks",
            "Bring this node's file to the others instead",
        )
    return {number: brought[number] for number in sorted(set(brought) - set(observed.keys))}


def _named(numbers: t.Sequence[int]) -> str:
    return ("key " if len(numbers) == 1 else "keys ") + ", ".join(map(str, numbers))
