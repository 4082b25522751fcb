# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the source of a restore test holds, whichever engine made it."""

from __future__ import annotations

import dataclasses
import os

from .._core.backup_job_file import PGBACKREST
from .._core.backup_manifest import Contents
from .._core.errors import ObservationFailed
from .._core.pgbackrest import (
    SEALED_PASSPHRASE,
    Repository,
    has_lost_times,
    render_copy_configuration,
    render_passphrase,
    segment_bytes_of,
)
from .._core.restore_script import telling_line
from .._core.restore_test_file import RestoreTest
from .backup_store import Store, write_text
from .commands import run_command
from .pgbackrest import differing_copies, look_at_stanza, observe_stanza


@dataclasses.dataclass(frozen=True)
class _Copy:
    """Of a store, as ``Stored`` wants it."""

    name: str
    store: str
    recipients: tuple[str, ...] = ()


def look_at_source(test: RestoreTest, *, job: str, folder: str) -> Contents:
    """Everything there is. Raises ObservationFailed if it can't be looked at.

    :param job: name of the job that made it.
    :param folder: of the test alone, and gone after it: pgBackRest reads the passphrase of its repository from there.
    """
    if test.engine != PGBACKREST:
        return Store(test.source).look()
    copy = _Copy(job, test.source)
    repository = _opened(test, copy, folder)
    stanza = observe_stanza(copy, repository)
    repository = dataclasses.replace(repository, segment_bytes=segment_bytes_of(stanza.manifests))
    contents = look_at_stanza(copy, repository, stanza)
    if has_lost_times(contents.manifests, contents.sidecars):
        raise ObservationFailed(
            f"the files of {test.source} came without their times, so that nobody can tell how new they are",
            "Copy the times too, as rsync --archive does",
        )
    twice = differing_copies(copy, repository, stanza) if stanza.manifests else []
    return dataclasses.replace(contents, damaged=(*contents.damaged, *twice))


def _opened(test: RestoreTest, copy: _Copy, folder: str) -> Repository:
    """The passphrase is in no argument and in no variable."""
    repository = Repository(folder=folder)
    sealed = os.path.join(test.source, SEALED_PASSPHRASE)
    opened = run_command(["age", "--decrypt", "--identity", test.identity, sealed])
    if not opened.succeeded:
        raise ObservationFailed(
            f"can't open {sealed} with {test.identity}: {telling_line(opened.errors)}",
            "Seal backups to the recipient of this identity, and look whether the file is whole",
        )
    os.mkdir(repository.secrets, 0o700)
    write_text(repository.passphrase, render_passphrase(opened.output))
    write_text(repository.configuration, render_copy_configuration(copy.name, store=copy.store, folder=folder))
    return repository
