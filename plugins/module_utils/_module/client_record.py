# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The file in which modules keep sightings of clients between runs."""

from __future__ import annotations

import json
import os
import typing as t

from .._core.errors import ApplyFailed
from .._io.files import FileContent, replace_file


def write_record_file(path: str, sightings: t.Sequence[t.Mapping[str, str]]) -> None:
    """Replace it, readable by the account of the run alone; its folder is made."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
    except OSError as error:
        raise ApplyFailed(f"can't make the folder of {path}: {error.strerror}") from None
    text = json.dumps(sightings, indent=1, sort_keys=True) + "\n"
    replace_file(path, FileContent(text.encode("utf-8"), os.geteuid(), os.getegid(), 0o600))
