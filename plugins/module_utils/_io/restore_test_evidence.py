# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Evidence on disk: a record and its signature by this host's key, as OpenSSH makes and verifies it."""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

from .._core.errors import ApplyFailed
from .._core.restore_test_record import NAMESPACE, sha256_of
from .backup_store import open_folder, read_text, write_text

_SIGNING_SECONDS: t.Final = 60


def write_evidence(folder: str, identifier: str, text: str, *, key: str) -> str:
    """Path of the record. It is written even if it can't be signed, which then is the failure. Raises ApplyFailed."""
    open_folder(folder, 0o750)
    path = os.path.join(folder, f"{identifier}.json")
    number = 1
    while os.path.lexists(path):
        number += 1
        path = os.path.join(folder, f"{identifier}-{number}.json")
    write_text(path, text, 0o640)
    write_text(f"{path}.sig", _sign(text, key), 0o640)
    return path


def latest_record(folder: str) -> tuple[dict[str, t.Any], str]:
    """The newest record and its SHA-256; empty without one."""
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]
    except FileNotFoundError:
        return {}, ""
    if not names:
        return {}, ""
    newest = max(names, key=lambda name: (os.stat(os.path.join(folder, name)).st_mtime_ns, name))
    text = read_text(os.path.join(folder, newest))
    try:
        return dict(json.loads(text)), sha256_of(text)
    except ValueError:
        return {}, sha256_of(text)


def _sign(text: str, key: str) -> str:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=_SIGNING_SECONDS, check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ApplyFailed(f"the evidence can't be signed: {error}", "Install openssh-client") from None
    if done.returncode or b"SSH SIGNATURE" not in done.stdout:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise ApplyFailed(f"the evidence can't be signed with {key}: {said}", "Run the role restore_test again")
    return done.stdout.decode("ascii")
