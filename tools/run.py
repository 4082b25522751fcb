# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in the environment that "make setup" made: python3 tools/run.py COMMAND [ARGUMENT ...]"""

from __future__ import annotations

import os
import sys

from layout import tool_environment

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    environment = tool_environment()
    os.environ["PATH"] = environment["PATH"]
    os.execvpe(sys.argv[1], sys.argv[1:], environment)  # noqa: S606 - no shell is wanted
