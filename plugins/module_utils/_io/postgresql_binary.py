# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Ask the server's own binary whether it would accept configuration values, without touching the server."""

from __future__ import annotations

import os
import re
import subprocess
import typing as t

from .._core.options_file import quote_value
from .private_folder import private_folder
from .server_owner import process_identity

_COMPLAINT = re.compile(r'(?:LOG|FATAL|DETAIL):  (?!configuration file)(.*?)(?: in file ".*" line \d+)?$')


def value_complaints(
    values: t.Mapping[str, str], *, binary_directory: str, data_directory: str, timeout: float = 20.0
) -> list[str] | None:
    """What ``postgres -C`` says against the values, an empty list if nothing; None where it can't be asked.

    Check hooks (time zones, key words of lists, directories) are known to the binary alone. The values go in by a
    file of mode 0600, never by the command line, and the process runs as the data directory's owner.
    """
    binary = os.path.join(binary_directory, "postgres")
    identity = process_identity(data_directory)
    if identity is None or not os.access(binary, os.X_OK):
        return None
    with private_folder(identity) as directory:
        _write_configuration(directory, values, identity)
        done = subprocess.run(
            [binary, "-D", directory, "-C", "port"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            **identity,
        )
    if done.returncode == 0:
        return []
    found = [match.group(1) for match in map(_COMPLAINT.search, done.stderr.splitlines()) if match]
    return found or [done.stderr.strip()]


def _write_configuration(directory: str, values: t.Mapping[str, str], identity: t.Mapping[str, t.Any]) -> None:
    text = "".join(f"{name} = {quote_value(value)}\n" for name, value in sorted(values.items()))
    path = os.path.join(directory, "postgresql.conf")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    if identity:
        os.chown(path, identity["user"], identity["group"])
