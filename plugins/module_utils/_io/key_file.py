# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Reading and writing the encrypted key file of a MariaDB server, and sealing its keys to people with age."""

from __future__ import annotations

import contextlib
import os
import secrets
import typing as t

from .._core.errors import ApplyFailed, MissingRequirement, ObservationFailed
from .._core.key_file import (
    KEY_BYTES,
    PREFIX,
    SALT_BYTES,
    Access,
    Keys,
    ObservedKeyFile,
    cipher_key,
    parse_keys,
    read_passphrase,
    render_keys,
)
from .._core.secrets import Secret
from .commands import run_command
from .files import FileContent, read_file, replace_file
from .libraries import require_cryptography

with contextlib.suppress(ImportError):  # told by require_cryptography
    from cryptography.hazmat.primitives import padding
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK_BITS: t.Final = 128


def observe_key_file(path: str, passphrase_path: str, *, fallback: Secret | None) -> ObservedKeyFile:
    """The files as they are. Raises ObservationFailed for a key file that can't be decrypted.

    :param fallback: tried for a key file whose passphrase is not there.
    """
    passphrase_file, key_file = read_file(passphrase_path), read_file(path)
    passphrase = read_passphrase(passphrase_file.data, where=passphrase_path) if passphrase_file else None
    keys: Keys = {}
    if key_file:
        tried = passphrase or fallback
        if tried is None:
            raise ObservationFailed(
                f"{path} is there, but not {passphrase_path} with its passphrase", "Bring the passphrase back"
            )
        keys = decrypt_keys(key_file.data, tried, where=path)
    return ObservedKeyFile(keys, _access(key_file), passphrase, _access(passphrase_file))


def decrypt_keys(data: bytes, passphrase: Secret, *, where: str) -> dict[int, Secret]:
    """The keys of an encrypted file. Raises ObservationFailed when the passphrase is another one."""
    require_cryptography()
    start = len(PREFIX) + SALT_BYTES
    if not data.startswith(PREFIX):
        raise ObservationFailed(
            f"{where} is not encrypted", "Encrypt it with: openssl enc -aes-256-cbc -md sha1 -pass file:PASSPHRASE_FILE"
        )
    key, vector = cipher_key(passphrase, data[len(PREFIX) : start])
    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    unpadder = padding.PKCS7(_BLOCK_BITS).unpadder()
    try:
        padded = decryptor.update(data[start:]) + decryptor.finalize()
        text = (unpadder.update(padded) + unpadder.finalize()).decode("ascii")
    except ValueError:
        raise ObservationFailed(
            f"can't decrypt {where}: the passphrase is another one, or the file is damaged",
            "Bring back the files that belong together; nothing was overwritten",
        ) from None
    return parse_keys(text, where=where)


def encrypt_keys(keys: Keys, passphrase: Secret) -> bytes:
    """A key file that every MariaDB server reads by default."""
    require_cryptography()
    salt = secrets.token_bytes(SALT_BYTES)
    key, vector = cipher_key(passphrase, salt)
    padder = padding.PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(render_keys(keys).reveal().encode("ascii")) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    return PREFIX + salt + encryptor.update(padded) + encryptor.finalize()


def make_key() -> Secret:
    return Secret(secrets.token_hex(KEY_BYTES))


def write_secret_file(path: str, data: bytes, access: Access) -> None:
    """Replace it as a whole; a folder that is not there is made, for root and the group alone."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        try:
            os.makedirs(folder, mode=0o750)
            os.chown(folder, -1, access.group)
        except OSError as error:
            raise ApplyFailed(f"can't make the folder {folder}: {error.strerror}") from None
    replace_file(path, FileContent(data, access.owner, access.group, access.mode))


def seal(text: Secret, recipients: t.Sequence[str]) -> str:
    """Encrypted by age to every recipient, as armoured text. Raises MissingRequirement or ApplyFailed.

    The text goes in by the standard input: neither command line nor environment nor a file shows it.
    """
    named = [part for recipient in recipients for part in ("--recipient", recipient)]
    try:
        done = run_command(["age", "--encrypt", "--armor", *named], text=text.reveal())
    except MissingRequirement:
        raise MissingRequirement(
            "the program age is not there", "Install Debian's age, or name no recipients"
        ) from None
    if not done.succeeded:
        raise ApplyFailed(f"age can't seal the keys: {done.complaint}", "Check the recipients")
    return done.output


def _access(content: FileContent | None) -> Access | None:
    return Access(content.uid, content.gid, content.mode) if content else None
