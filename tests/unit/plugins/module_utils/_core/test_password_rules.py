# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._core.password_rules import (
    PasswordRules,
    check_password,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.scram import make_verifier
from ansible_collections.bulwark.database.plugins.module_utils._core.secrets import Secret


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("Short-1", "is shorter than 12 characters"),
        ("onlylowercaseletters", "uses fewer than 3"),
        ("lowercase123456789", "uses fewer than 3"),
        ("Xy1-shop_app-long", "contains the name it is for"),
        ("Xy1-SHOP_APP-long", "contains the name it is for"),
        ("Xy1-ppa_pohs-long", "contains the name it is for"),
        ("Null\0-byte-1234", "NUL"),
        ("md5" + "0123456789abcdef" * 2, "md5 hash"),
    ],
)
def test_a_weak_password_is_refused_and_not_repeated(password: str, complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint) as caught:
        check_password("shop_app", Secret(password), PasswordRules())
    assert password not in str(caught.value)
    assert password not in repr(caught.value)


@pytest.mark.parametrize(
    "password", ["Correct-horse-9", "pässwört-Ünïcode-1", "ONLY-UPPER-123456", "lower-lower-12345"]
)
def test_a_password_of_three_classes_is_accepted(password: str) -> None:
    check_password("shop_app", Secret(password), PasswordRules())


def test_a_short_name_forbids_no_single_letters() -> None:
    check_password("a", Secret("Correct-horse-9"), PasswordRules())


def test_a_verifier_is_accepted_as_it_is() -> None:
    check_password("shop_app", make_verifier(Secret("x"), salt=b"0" * 16), PasswordRules())
