# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What GnuPG says of public keys. It looks at them in a folder of their own; nobody's keyring is touched or asked."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing as t

from .._core.openpgp_key import KeyState, parse_key_state
from .._core.sealing import GNUPG, PROGRAMS, key_file
from .backup_seal import gnupg_encryption
from .commands import is_there, run_command
from .files import FileContent, replace_file


def observe_keys(keys: t.Mapping[str, str]) -> tuple[KeyState, ...]:
    """:param keys: armoured text by fingerprint. Nothing is said of them where GnuPG is not there."""
    if not keys or not is_there(PROGRAMS[GNUPG][0]):
        return ()
    with tempfile.TemporaryDirectory(prefix="bulwark-keys-") as folder:
        return tuple(_observe(folder, fingerprint, text) for fingerprint, text in keys.items())


def _observe(folder: str, fingerprint: str, text: str) -> KeyState:
    apart = ["--no-options", "--no-keyring", "--no-autostart", "--homedir", folder]
    listing = run_command(["gpg", "--batch", "--no-tty", "--quiet", *apart, "--with-colons", "--show-keys"], text=text)
    state = parse_key_state(fingerprint, listing.output)
    return dataclasses.replace(state, complaint=state.complaint or _complaint(folder, fingerprint, text))


def _complaint(folder: str, fingerprint: str, text: str) -> str:
    """By trying it, with nothing, as it will be done with backups."""
    path = key_file(folder, fingerprint)
    replace_file(path, FileContent(text.encode(), os.getuid(), os.getgid(), 0o600))
    done = run_command(gnupg_encryption([path], folder=folder))
    return "" if done.succeeded else done.complaint
