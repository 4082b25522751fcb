# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What came of the last look at a source's copies, as the program leaves it for whoever watches the host. Pure."""

from __future__ import annotations

import dataclasses
import json
import typing as t

# Readable by all, as nothing in it is secret: the copies' own folder is closed to everybody else.
STATE_FOLDER: t.Final = "bulwark-copies-looks"
DEEP: t.Final = "-deep"


@dataclasses.dataclass(frozen=True)
class Look:
    """:param last_success: of a look without complaint (seconds since the epoch); 0 if there was none.
    :param error: the first complaint; empty for a look without.
    :param damaged: copies that are not as they were sent.
    """

    last_success: float
    error: str
    damaged: int

    def followed_by(self, now: float, complaints: t.Sequence[str], damaged: int) -> Look:
        return Look(self.last_success if complaints else now, complaints[0] if complaints else "", damaged)


NEVER: t.Final = Look(0.0, "", 0)


def look_file(source: str, *, deep: bool) -> str:
    """Those of every byte have a file of their own: what they found is not undone by the next look at sizes."""
    return f"/var/lib/{STATE_FOLDER}/{source}{DEEP if deep else ''}.json"


def render_look(look: Look) -> str:
    return json.dumps(dataclasses.asdict(look), sort_keys=True) + "\n"


def parse_look(text: str) -> Look:
    """Raises ValueError."""
    try:
        entry = json.loads(text)
        return Look(float(entry["last_success"]), str(entry["error"]), int(entry["damaged"]))
    except (TypeError, KeyError) as error:
        raise ValueError(f"the result of a look at copies lacks {error}") from None
