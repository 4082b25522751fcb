# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""A keyring of GnuPG for one restore: with one secret key in it, in a folder that goes with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import typing as t

from .._core.errors import MissingRequirement, ObservationFailed
from .._core.sealing import GNUPG, PROGRAMS
from .commands import Finished, is_there, run_command

# There is nobody to ask: a key with a passphrase fails at once, and says so.
_OPTIONS: t.Final = "batch\nno-tty\nquiet\npinentry-mode loopback\n"


@contextlib.contextmanager
def throwaway_keyring(identity: str) -> t.Iterator[str]:
    """The folder, for ``GNUPGHOME``. Raises ObservationFailed if the file holds no secret key.

    It lies in the folder for temporary files, which the service has to itself: its path has to be short, because the
    agent's socket is in it.
    """
    if not is_there(PROGRAMS[GNUPG][0]):
        raise MissingRequirement("the program gpg is not there", "Install Debian's gpg and gpg-agent")
    folder = tempfile.mkdtemp(prefix="bulwark-keyring-")
    try:
        with open(os.path.join(folder, "gpg.conf"), "w", encoding="ascii") as stream:
            stream.write(_OPTIONS)
        imported = _run(folder, "--import", identity)
        if not imported.succeeded or "sec:" not in _run(folder, "--with-colons", "--list-secret-keys").output:
            said = "" if imported.succeeded else f": {imported.complaint}"
            raise ObservationFailed(
                f"{identity} holds no secret key that GnuPG takes{said}",
                "It is what gpg --export-secret-keys writes, without a passphrase",
            )
        yield folder
    finally:
        run_command(["gpgconf", "--homedir", folder, "--kill", "gpg-agent"])
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: str, *arguments: str) -> Finished:
    return run_command(["gpg", "--homedir", folder, *arguments])
