# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Backups that are made, private, sealed, and proven restorable."""

from __future__ import annotations

import typing as t

from .._core.plan import LIVE
from .backup_check import CopiesCheck, FullBackupCheck, MomentsCheck, PrivateStoreCheck, RestoreProofCheck, SealedCheck
from .model import EVERY_ENGINE, Control

CONTROLS: t.Final = (
    Control(
        id="BKP-001",
        title="A full physical backup runs every day and the last one succeeded",
        category="backup",
        rationale="What was not backed up can't be restored, and a job that stopped weeks ago says nothing by itself.",
        checks=(FullBackupCheck(),),
        remedy="Run the role encrypted_backup; the journal of bulwark-backup-NAME.service says why a run failed",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("OG-1.1", "TX-2.6.1", "TX-2.6.2"),
        references=("CIS-PG17 7.3", "CIS-PG17 8.2", "CIS-MDB106 2.1.1"),
    ),
    Control(
        id="BKP-004",
        title="Archived logs reach from the oldest full backup to now without a gap, so any moment can be restored",
        category="backup",
        rationale="One missing piece of the log ends every recovery that has to go past it.",
        checks=(MomentsCheck(),),
        remedy="Look at backup_info (gaps, damaged) and make a full backup at once; what lies before a gap stays lost",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("OG-1.1", "OG-1.3", "TX-2.6.3", "TX-2.6.5", "TX-2.6.6", "TX-2.6.8"),
        references=("CIS-PG17 7.4", "CIS-MDB106 2.1.5"),
    ),
    Control(
        id="BKP-005",
        title="Backups are encrypted at rest, to more than one key",
        category="backup",
        rationale="A backup is the whole database in one file, and it travels.",
        checks=(SealedCheck(),),
        remedy="Run the role encrypted_backup, and remove copies that other tools left in its store",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("GB-1.1", "GB-1.2", "GB-1.3"),
        references=("CIS-MDB106 2.1.4",),
    ),
    Control(
        id="BKP-007",
        title="A backup of the host was restored elsewhere, not long ago, and the record is signed",
        category="backup",
        rationale="A backup that nobody has restored is a hope; keys, versions and procedures are proven by restoring.",
        checks=(RestoreProofCheck(),),
        remedy="Run the role restore_test on a host of its own in the group restore_test, and mend what its test shows",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("GB-1.2", "GB-3.1"),
    ),
    Control(
        id="BKP-008",
        title="Backup files and directories are private",
        category="backup",
        rationale="Who can list backups learns when to come back, and who can change them can make them useless.",
        checks=(PrivateStoreCheck(),),
        remedy="Run the role encrypted_backup, and give what others put there another place",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("GB-2.1", "GB-2.2", "TX-2.6.7"),
        references=("CIS-MDB106 2.1.4",),
    ),
    Control(
        id="BKP-013",
        title="A copy of each backup is on another host, and fresh",
        category="backup",
        rationale="What takes the host away, be it fire, theft or an intruder, takes backups that lie beside it, too.",
        checks=(CopiesCheck(),),
        remedy="Run the role backup_repository at another place, and name its host in encrypted_backup_offsite_host; "
        "or name a bucket with object lock in encrypted_backup_object_storage",
        activation=LIVE,
        engines=EVERY_ENGINE,
        source=("GB-4.1", "GB-4.2", "TX-2.6.4"),
    ),
)
