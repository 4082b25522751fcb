# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the script with which ansible-test fetches pip, where that script's host can't be reached.

It takes the pip that Python itself carries, and lets it install what get-pip.py would have been asked for.
"""

from __future__ import annotations

import ensurepip
import os
import subprocess
import sys


def main() -> int:
    environment = dict(os.environ)  # bootstrap() switches pip's configuration off, mirror and all, for its process
    ensurepip.bootstrap(default_pip=True)
    wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
    return subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *wanted], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
