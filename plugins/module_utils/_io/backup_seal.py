# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Compression and encryption, the same for all that is sealed."""

from __future__ import annotations

import typing as t

from .._core.backup_job_file import BackupJob
from .backup_pipe import Stage

COMPRESSION_SAYS: t.Final = r" => "


def sealing_stages(job: BackupJob) -> list[Stage]:
    """Recipients are public keys: they may stand among the arguments."""
    recipients = [word for recipient in job.recipients for word in ("--recipient", recipient)]
    return [
        # three times verbose: it says how many bytes it read, without rounding
        Stage(["zstd", f"-{job.compression_level}", "-vvv", "--no-progress", "-c"], keep=COMPRESSION_SAYS),
        Stage(["age", "--encrypt", *recipients]),
    ]
