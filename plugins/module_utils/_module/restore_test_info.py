# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What restore_test_info returns: the tests of this host, what they came to, and the latest signed record of each."""

from __future__ import annotations

import os
import typing as t

from .._core.restore_test_file import parse_restore_test
from .._core.restore_test_units import test_file
from .._io.backup_store import read_text
from .._io.restore_test_evidence import latest_record, latest_record_file, signer_of
from .._io.units import require_booted, unit_properties
from .._job.restore_test import status

_BUSY: t.Final = ("active", "activating", "reloading")


def gather() -> dict[str, t.Any]:
    require_booted()
    folder = os.path.dirname(test_file("main"))
    try:
        names = sorted(name[: -len(".json")] for name in os.listdir(folder) if name.endswith(".json"))
    except FileNotFoundError:
        names = []
    return {"tests": [_test(name) for name in names]}


def _test(name: str) -> dict[str, t.Any]:
    path, unit = test_file(name), f"bulwark-restore-test-{name}"
    test = parse_restore_test(read_text(path), where=path)
    service = unit_properties(f"{unit}.service", "ActiveState")
    timer = unit_properties(f"{unit}.timer", "ActiveState", "UnitFileState", "NextElapseUSecRealtime")
    told, record = status(test), latest_record_file(test.evidence)
    signer, fingerprint = signer_of(record, f"{test.state}/allowed_signers") if record else ("", "")
    return {
        "name": name,
        "engine": test.engine,
        "source": test.source,
        "last_success": told["last_success"],
        "last_aside": told["last_aside"],
        "last_failure": told["last_failure"],
        "last_error": told["last_error"],
        "running": service["ActiveState"] in _BUSY,
        "service_failed": service["ActiveState"] == "failed",
        "timer_enabled": timer["UnitFileState"] == "enabled" and timer["ActiveState"] == "active",
        "next_run": timer["NextElapseUSecRealtime"],
        "record": latest_record(test.evidence)[0],
        "record_file": record,
        "signature_valid": bool(fingerprint),
        "signer": f"{signer} ({fingerprint})" if fingerprint else "",
    }
