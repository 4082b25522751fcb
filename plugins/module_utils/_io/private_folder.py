# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""A folder of our own for a moment, for files that may hold secrets; one that a killed run left is removed."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
import shutil
import tempfile
import typing as t

_PREFIX: t.Final = "bulwark-private-"


@contextlib.contextmanager
def private_folder(identity: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """The path of an empty folder of mode 0700.

    :param identity: whose it is, as :func:`server_owner.process_identity` says; empty for our own account.
    """
    _remove_left_behind()
    path, descriptor = _make_locked()
    try:
        if identity:
            os.fchown(descriptor, identity["user"], identity["group"])
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def _make_locked() -> tuple[str, int]:
    """Another run may take the new folder for one that was left behind, until it is locked. Then make another."""
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(path):
            return path, descriptor
        os.close(descriptor)


def _remove_left_behind() -> None:
    """The lock of a run that lives is held; it went with the process of one that was killed."""
    for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}*")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # gone, no folder, or another account's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
