# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.mariadb_passwords import (
    ED25519,
    NATIVE,
    is_stored_form,
    stored_form,
)

# As MariaDB 10.11 stored them for IDENTIFIED VIA ... USING PASSWORD('...').
STORED = [
    (ED25519, "Correct-horse-9", "bvusye0KWM1EIlUmrBGGA65IjkOa+poktFr8rynKqZQ"),
    (NATIVE, "Correct-horse-9", "*82E949ECE92D7AE5DADAC396B6477711CB301B9E"),
]


@pytest.mark.parametrize(("plugin", "password", "stored"), STORED)
def test_the_stored_form_is_the_server_s(plugin: str, password: str, stored: str) -> None:
    assert stored_form(plugin, password) == stored
    assert stored_form(plugin, password + "x") != stored


@pytest.mark.parametrize(("plugin", "password", "stored"), STORED)
def test_a_stored_form_is_known(plugin: str, password: str, stored: str) -> None:
    assert is_stored_form(plugin, stored)
    for other in (password, "", "invalid", stored[:-1], stored + "A", stored[:-1] + "é"):
        assert not is_stored_form(plugin, other)
