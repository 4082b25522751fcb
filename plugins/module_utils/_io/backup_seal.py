# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Compression and encryption, the same for all that is sealed."""

from __future__ import annotations

import typing as t

from .._core.backup_job_file import BackupJob
from .._core.sealing import AGE, key_file
from .backup_pipe import Stage

COMPRESSION_SAYS: t.Final = r" => "


def sealing_stages(job: BackupJob) -> list[Stage]:
    """Recipients are public keys: they may stand among the arguments."""
    return [
        # three times verbose: it says how many bytes it read, without rounding
        Stage(["zstd", f"-{job.compression_level}", "-vvv", "--no-progress", "-c"], keep=COMPRESSION_SAYS),
        Stage(_encryption(job)),
    ]


def _encryption(job: BackupJob) -> list[str]:
    if job.sealing == AGE:
        return ["age", "--encrypt", *(word for recipient in job.recipients for word in ("--recipient", recipient))]
    files = [key_file(job.recipient_keys, recipient) for recipient in job.recipients]
    return gnupg_encryption(files, folder=job.recipient_keys)


def gnupg_encryption(key_files: t.Sequence[str], *, folder: str) -> list[str]:
    """The command that encrypts to exactly the keys in these files, and to nobody's keyring or option file.

    No question of trust is asked: the keys are those that the job was given. Nothing is written and no agent started.
    So it runs as any account and in any sandbox.

    :param folder: takes the place of a home, and is only looked into.
    """
    apart = ["--no-options", "--no-keyring", "--no-autostart", "--lock-never", "--no-random-seed-file"]
    home = ["--homedir", folder, "--no-permission-warning"]
    # What comes is compressed already. GnuPG would do it again, at a tenth of the speed.
    form = ["--cipher-algo", "AES256", "--compress-algo", "none", "--set-filename", ""]
    recipients = [word for path in key_files for word in ("--recipient-file", path)]
    always = ["--batch", "--no-tty", "--quiet", "--trust-model", "always", "--no-encrypt-to"]
    return ["gpg", *always, *apart, *home, *form, *recipients, "--encrypt"]
