# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The declared accounts and roles of a MariaDB server: validated, normalised, as data."""

from __future__ import annotations

import dataclasses
import typing as t

from .accounts_model import Grantee, Tls
from .declared_fields import Fields
from .errors import InvalidDeclaration
from .mariadb_passwords import PASSWORD_PLUGINS, is_stored_form
from .names import PUBLIC
from .password_rules import PasswordRules, broken_rules
from .secrets import Secret

PRESENT: t.Final = "present"
ABSENT: t.Final = "absent"
ALWAYS: t.Final = "always"
ON_CREATE: t.Final = "on_create"
LONGEST_NAME: t.Final = 128
LONGEST_HOST: t.Final = 255

# Option to the clause of CREATE USER ... WITH.
LIMITS: t.Final = {
    "max_queries_per_hour": "MAX_QUERIES_PER_HOUR",
    "max_updates_per_hour": "MAX_UPDATES_PER_HOUR",
    "max_connections_per_hour": "MAX_CONNECTIONS_PER_HOUR",
    "max_user_connections": "MAX_USER_CONNECTIONS",
    "max_statement_time": "MAX_STATEMENT_TIME",
}
TLS_KINDS: t.Final = ("none", "ssl", "x509")
_TLS_DETAILS: t.Final = ("tls_subject", "tls_issuer", "tls_cipher")
_ROLE_KEYS = ("name", "state", "member_of")
_ACCOUNT_KEYS = (
    "name", "host", "state", "password", "password_hash", "password_plugin", "update_password", "passwordless",
    "unix_socket", "pam_service", "locked", "password_lifetime", "tls", *_TLS_DETAILS, *LIMITS, "default_role",
    "member_of",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class DesiredAccount:
    """An account or a role. What is None is left as it is, and the server's default in a new account.

    :param member_of: role to whether it may be passed on.
    :param password_hash: as the server stores it, in place of the password.
    :param pam_service: an empty text takes PAM away.
    """

    grantee: Grantee
    state: str = PRESENT
    member_of: t.Mapping[str, bool | None] = dataclasses.field(default_factory=dict)
    password: Secret | None = None
    password_hash: Secret | None = None
    password_plugin: str | None = None
    update_password: str = ALWAYS
    passwordless: bool = False
    unix_socket: bool | None = None
    pam_service: str | None = None
    locked: bool | None = None
    lifetime: int | None = None
    tls: Tls | None = None
    limits: t.Mapping[str, float] = dataclasses.field(default_factory=dict)
    default_role: str | None = None

    @property
    def label(self) -> str:
        return self.grantee.label


def parse_accounts(
    roles: t.Sequence[t.Any], accounts: t.Sequence[t.Any], rules: PasswordRules
) -> tuple[DesiredAccount, ...]:
    """Roles first. Raises InvalidDeclaration for the first mistake found."""
    found: dict[Grantee, DesiredAccount] = {}
    entries = [_parse_role(Fields(entry, where=f"roles[{i}]", known=_ROLE_KEYS)) for i, entry in enumerate(roles)]
    entries += [
        _parse_account(Fields(entry, where=f"accounts[{i}]", known=_ACCOUNT_KEYS), rules)
        for i, entry in enumerate(accounts)
    ]
    for entry in entries:
        if entry.grantee in found:
            raise InvalidDeclaration(f"{entry.label} is declared twice", "Merge both entries")
        found[entry.grantee] = entry
    return tuple(found.values())


def parse_grantee(entry: t.Any, where: str) -> Grantee:
    """``reader`` is a role, ``app@10.0.0.%`` an account; a mapping is for names that hold an ``@`` themselves."""
    if isinstance(entry, t.Mapping):
        fields = Fields(entry, where=where, known=("role", "name", "host"))
        if fields.has("role"):
            return _role(fields.required_text("role"), where)
        return _account(fields.required_text("name"), fields.required_text("host"), where)
    if not isinstance(entry, str) or not entry:
        raise InvalidDeclaration(f"{where} has to be a role's name, PUBLIC, or account@host")
    if "@" in entry:
        name, dummy, host = entry.rpartition("@")
        return _account(name, host, where)
    return Grantee(PUBLIC) if entry.upper() == PUBLIC else _role(entry, where)


def _role(name: str, where: str) -> Grantee:
    if name.upper() in (PUBLIC, "NONE", "CURRENT_ROLE", "CURRENT_USER"):
        raise InvalidDeclaration(f"{where}: {name} is a word of the server's and no name of a role")
    _check_name(name, where)
    return Grantee(name)


def _account(name: str, host: str, where: str) -> Grantee:
    if not name or not host:
        raise InvalidDeclaration(f"{where} needs a name and a host", "A host of % means every host")
    _check_name(name, where)
    if len(host) > LONGEST_HOST or not host.isprintable():
        raise InvalidDeclaration(f"{where}: MariaDB takes no such host")
    return Grantee(name, host.lower())


def _check_name(name: str, where: str) -> None:
    # The server cuts off trailing spaces and replaces what its three-byte character set lacks.
    if len(name) > LONGEST_NAME or name != name.rstrip(" ") or any(c == "\0" or ord(c) > 0xFFFF for c in name):
        raise InvalidDeclaration(
            f"{where}: MariaDB takes no such name",
            f"Up to {LONGEST_NAME} characters, no trailing space, nothing beyond U+FFFF",
        )


def _parse_role(fields: Fields) -> DesiredAccount:
    grantee = _role(fields.required_text("name"), fields.where)
    fields.where = grantee.label
    return DesiredAccount(
        grantee, fields.choice("state", (PRESENT, ABSENT), default=PRESENT), member_of=_parse_memberships(fields)
    )


def _parse_account(fields: Fields, rules: PasswordRules) -> DesiredAccount:
    grantee = _account(fields.required_text("name"), fields.text("host") or "localhost", fields.where)
    fields.where = grantee.label
    if fields.choice("state", (PRESENT, ABSENT), default=PRESENT) == ABSENT:
        return DesiredAccount(grantee, ABSENT)
    account = DesiredAccount(
        grantee,
        member_of=_parse_memberships(fields),
        password=_secret(fields, "password"),
        password_hash=_secret(fields, "password_hash"),
        password_plugin=fields.choice("password_plugin", PASSWORD_PLUGINS) if fields.has("password_plugin") else None,
        update_password=fields.choice("update_password", (ALWAYS, ON_CREATE), default=ALWAYS),
        passwordless=bool(fields.flag("passwordless")),
        unix_socket=fields.flag("unix_socket"),
        pam_service=fields.text("pam_service"),
        locked=fields.flag("locked"),
        lifetime=fields.number("password_lifetime"),
        tls=_parse_tls(fields),
        limits={name: _limit(fields, name) for name in LIMITS if fields.has(name)},
        default_role=fields.text("default_role"),
    )
    _check_password(account, rules)
    if account.lifetime is not None and not -1 <= account.lifetime <= 65535:
        raise InvalidDeclaration(f"{account.label}: password_lifetime is from -1 to 65535 days")
    return account


def _secret(fields: Fields, key: str) -> Secret | None:
    value = fields.raw(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise fields.wrong(key, value, "a string")
    if not value:
        raise InvalidDeclaration(f"{fields.where}: {key} is empty", "Use passwordless to take a password away")
    return Secret(value)


def _check_password(account: DesiredAccount, rules: PasswordRules) -> None:
    given = [account.password is not None, account.password_hash is not None, account.passwordless]
    if sum(given) > 1:
        raise InvalidDeclaration(f"{account.label}: password, password_hash and passwordless exclude each other")
    if account.password is not None:
        broken = broken_rules(account.grantee.name, account.password.reveal(), rules)
        if broken:
            raise InvalidDeclaration(f"{account.label}: the password {', '.join(broken)}", "Nothing was sent")
    if account.password_hash is not None:
        if account.password_plugin is None:
            raise InvalidDeclaration(f"{account.label}: password_hash needs a password_plugin")
        if not is_stored_form(account.password_plugin, account.password_hash.reveal()):
            raise InvalidDeclaration(f"{account.label}: password_hash is none of {account.password_plugin}")


def _limit(fields: Fields, key: str) -> float:
    value = fields.raw(key)
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not (value >= 0 or key == "max_user_connections")
    ):
        raise fields.wrong(key, value, "a number that is not negative")
    return round(float(value), 6)


def _parse_tls(fields: Fields) -> Tls | None:
    details = {key[4:]: fields.text(key) or "" for key in _TLS_DETAILS}
    kind = fields.choice("tls", TLS_KINDS) if fields.has("tls") else None
    if any(details.values()):
        if kind in ("none", "ssl"):
            raise InvalidDeclaration(
                f"{fields.where}: tls {kind} asks for less than its tls_* options", "Leave tls out"
            )
        return Tls("specified", **details)
    return Tls(kind) if kind else None


def _parse_memberships(fields: Fields) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {}
    for index, entry in enumerate(fields.items("member_of")):
        where = f"{fields.where}: member_of[{index}]"
        inner = Fields({"role": entry} if isinstance(entry, str) else entry, where=where, known=("role", "admin"))
        role = _role(inner.required_text("role"), where).name
        if role in found:
            raise InvalidDeclaration(f"{where}: the role is named twice")
        found[role] = inner.flag("admin")
    return found
