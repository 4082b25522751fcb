# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a password must be like, checked before anything is sent. No message ever holds a part of the password."""

from __future__ import annotations

import dataclasses

from .errors import InvalidDeclaration
from .scram import is_md5, is_verifier
from .secrets import Secret

SHORTEST_ALLOWED_MINIMUM = 8
# A shorter name would forbid single letters: "a" stands in nearly every password.
SHORTEST_NAME_TO_SEARCH = 3


@dataclasses.dataclass(frozen=True)
class PasswordRules:
    """:param minimum_length: in characters.
    :param minimum_classes: how many of lower case, upper case, digits and others have to be there.
    """

    minimum_length: int = 12
    minimum_classes: int = 3


def check_password(name: str, password: Secret, rules: PasswordRules) -> None:
    """Raise InvalidDeclaration with every broken rule. A SCRAM verifier is accepted: it can't be looked into."""
    text = password.reveal()
    if is_verifier(text):
        return
    if is_md5(text):
        raise InvalidDeclaration(
            f"role {name}: the password is an md5 hash, which is as good as the password itself to a thief",
            "Give the password in clear (from a vault), or a SCRAM-SHA-256 verifier",
        )
    broken = broken_rules(name, text, rules)
    if broken:
        raise InvalidDeclaration(f"role {name}: the password {', '.join(broken)}", "Nothing was sent to the server")


def broken_rules(name: str, password: str, rules: PasswordRules) -> list[str]:
    """What is wrong with a password in clear, in words that follow "the password"."""
    broken = []
    if "\0" in password:
        broken.append("holds a NUL byte")
    if len(password) < rules.minimum_length:
        broken.append(f"is shorter than {rules.minimum_length} characters")
    if len(character_classes(password)) < rules.minimum_classes:
        broken.append(f"uses fewer than {rules.minimum_classes} of lower case, upper case, digits and other characters")
    if _contains_name(name.casefold(), password.casefold()):
        broken.append("contains the name it is for, forwards or backwards")
    return broken


def character_classes(password: str) -> frozenset[str]:
    return frozenset(_class_of(character) for character in password)


def _class_of(character: str) -> str:
    if character.islower():
        return "lower"
    if character.isupper():
        return "upper"
    return "digit" if character.isdigit() else "other"


def _contains_name(name: str, password: str) -> bool:
    if len(name) < SHORTEST_NAME_TO_SEARCH:
        return password == name
    return name in password or name[::-1] in password
