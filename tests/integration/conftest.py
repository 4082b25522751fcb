# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from server_fixtures import (  # noqa: F401 # pylint: disable=unused-import # fixtures are found by being here
    galera,
    galera_cluster,
    mariadb,
    server,
    shared_mariadb,
    shared_server,
    short_directory,
    stopped_mariadb,
    stopped_server,
    template_mariadb,
    template_server,
)
