# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What the tests of a cluster's other nodes came to, on the same restore host."""

from __future__ import annotations

import os
import typing as t

from .._core.restore_test_file import RestoreTest, parse_restore_test
from .backup_store import read_text
from .restore_test_evidence import latest_record, latest_record_file, signer_of


def other_tests(test: RestoreTest, folder: str) -> list[dict[str, t.Any]]:
    """As ``restore_proofs`` takes them; of what is declared now, by name. Raises BulwarkError.

    :param folder: of the tests' files.
    """
    found = []
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".json")):
        path = os.path.join(folder, name)
        other = parse_restore_test(read_text(path), where=path)
        if other.name != test.name and other.cluster == test.cluster:
            signer, fingerprint = signer_of(latest_record_file(other.evidence), f"{other.state}/allowed_signers")
            record = latest_record(other.evidence)[0]
            found.append({"name": other.name, "record": record, "signature_valid": bool(fingerprint), "signer": signer})
    return found
