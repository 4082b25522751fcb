# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real servers of the integration tests, for faults."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / name) for name in ("", "integration", "faults")]

from server_fixtures import (  # noqa: F401 # pylint: disable=unused-import # fixtures are found by being here
    mariadb,
    server,
    shared_server,
    short_directory,
    stopped_mariadb,
    stopped_server,
    template_mariadb,
    template_server,
)
