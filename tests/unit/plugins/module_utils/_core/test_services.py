# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.services import service_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("mariadb", "mariadb.service"),
        ("mariadb.service", "mariadb.service"),
        ("postgresql@15-main", "postgresql@15-main.service"),
        (r"srv-db\x2done.service", r"srv-db\x2done.service"),
    ],
)
def test_the_ending_of_a_name_may_be_left_out(given: str, name: str) -> None:
    assert service_name(given) == name


@pytest.mark.parametrize(
    "given",
    [
        *("", ".", "mariadb*", "maria?b", "[m]ariadb", "-H", "--no-block", "../mariadb", "/run/x.service", "a b"),
        *("mariadb.socket", "multi-user.target", "mariadb.service\n", "$(reboot)", ";reboot;", "mariadb\x00"),
    ],
)
def test_what_is_no_service_is_refused_with_one_line(given: str) -> None:
    with pytest.raises(InvalidDeclaration, match="is not the name of a service") as refused:
        service_name(given)
    assert "\n" not in str(refused.value)
