# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Evidence on disk: a record and its signature by this host's key, as OpenSSH makes and verifies it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import typing as t

from .._core.errors import ApplyFailed
from .._core.restore_test_record import NAMESPACE, sha256_of
from .backup_store import open_folder, read_text, write_text

_SIGNING_SECONDS: t.Final = 60
_RECORDS: t.Final = 100
_FINGERPRINT: t.Final = re.compile(r"SHA256:[A-Za-z0-9+/=]+")


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


def latest_record_file(folder: str) -> str:
    """Path of the newest record; empty without one."""
    return next(iter(_newest_first(folder)), "")


def latest_records(folder: str) -> list[dict[str, t.Any]]:
    """The newest ones, of some weeks; what can't be read is left out."""
    found = []
    for path in _newest_first(folder)[:_RECORDS]:
        with contextlib.suppress(ValueError):
            found.append(dict(json.loads(read_text(path))))
    return found


def latest_record(folder: str) -> tuple[dict[str, t.Any], str]:
    """The newest record and its SHA-256; empty without one."""
    path = latest_record_file(folder)
    if not path:
        return {}, ""
    text = read_text(path)
    try:
        return dict(json.loads(text)), sha256_of(text)
    except ValueError:
        return {}, sha256_of(text)


def signer_of(record: str, allowed_signers: str) -> tuple[str, str]:
    """Who of the allowed signers signed a record, and the fingerprint of the key; empty if nobody there did.

    Raises ApplyFailed where OpenSSH can't be asked.
    """
    try:
        with open(record, "rb") as stream:
            text = stream.read()
        with open(allowed_signers, encoding="utf-8") as stream:
            names = [line.split()[0] for line in stream if line.strip() and not line.startswith("#")]
    except FileNotFoundError:
        return "", ""
    for name in dict.fromkeys(names):
        words = ["-Y", "verify", "-f", allowed_signers, "-I", name, "-n", NAMESPACE, "-s", f"{record}.sig"]
        done = _openssh(words, text)
        found = _FINGERPRINT.search(done.stdout.decode("utf-8", "replace"))
        if done.returncode == 0 and found:
            return name, found.group(0)
    return "", ""


def _newest_first(folder: str) -> list[str]:
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".json")]
    except FileNotFoundError:
        return []
    paths = [os.path.join(folder, name) for name in names]
    return sorted(paths, key=lambda path: (os.stat(path).st_mtime_ns, path), reverse=True)


def _sign(text: str, key: str) -> str:
    done = _openssh(["-q", "-Y", "sign", "-f", key, "-n", NAMESPACE], text.encode())
    if done.returncode or b"SSH SIGNATURE" not in done.stdout:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        raise ApplyFailed(f"the evidence can't be signed with {key}: {said}", "Run the role restore_test again")
    return done.stdout.decode("ascii")


def _openssh(words: t.Sequence[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = ["ssh-keygen", *words]
    try:
        return subprocess.run(
            command, input=text, capture_output=True, timeout=_SIGNING_SECONDS, check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise ApplyFailed(f"ssh-keygen can't sign or verify evidence: {error}", "Install openssh-client") from None
