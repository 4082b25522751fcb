# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""How an account authenticates, and how it shall."""

from __future__ import annotations

import typing as t

from .account_declaration import ON_CREATE, DesiredAccount
from .accounts_model import Identity, Method, ObservedAccount
from .errors import InvalidDeclaration, MissingRequirement
from .mariadb_passwords import ED25519, NATIVE, PASSWORD_PLUGINS, is_stored_form, stored_form
from .secrets import Secret

UNIX_SOCKET: t.Final = "unix_socket"
PAM: t.Final = "pam"
# No password hashes to this: the account is there and nobody gets in by it.
NOBODY: t.Final = Method(NATIVE, Secret("invalid"))
# Stored with a salt, by servers newer than those this module is tried on.
_SALTED_PLUGINS = ("parsec", "caching_sha2_password")
_ALL_PASSWORD_PLUGINS = (*PASSWORD_PLUGINS, *_SALTED_PLUGINS, "mysql_old_password")


def has_password(method: Method) -> bool:
    return method.plugin in PASSWORD_PLUGINS and is_stored_form(method.plugin, method.text.reveal())


def is_open(method: Method) -> bool:
    """Whether anybody gets in without a password. Not so for plugins that ask somebody else."""
    return method.plugin in _ALL_PASSWORD_PLUGINS and not method.text


def target_methods(desired: DesiredAccount, observed: ObservedAccount | None, identity: Identity) -> tuple[Method, ...]:
    """The account's methods as they shall be; those it has where nothing differs."""
    present = observed.methods if observed else ()
    methods = list(present)
    if desired.passwordless:
        methods = [
            method
            for method in methods
            if not (has_password(method) or is_open(method) or method.plugin in _SALTED_PLUGINS)
        ]
    wanted = wanted_password(desired, observed, identity)
    if wanted:
        methods = [wanted, *(method for method in methods if method.plugin not in _ALL_PASSWORD_PLUGINS)]
    if desired.unix_socket is not None:
        methods = _switched(methods, Method(UNIX_SOCKET), on=desired.unix_socket)
    if desired.pam_service is not None:
        methods = _switched(methods, Method(PAM, Secret(desired.pam_service)), on=bool(desired.pam_service))
    if not methods and observed is None and desired.locked:
        methods = [NOBODY]
    if not methods:
        raise InvalidDeclaration(
            f"{desired.label} is left without a way to log in",
            "Declare one of password, password_hash, unix_socket, pam_service; a new account may be locked instead",
        )
    for method in methods:
        if method not in present and method.plugin not in identity.plugins:
            raise MissingRequirement(
                f"{desired.label}: the server has not loaded the authentication plugin {method.plugin}",
                f"INSTALL SONAME 'auth_{method.plugin}' by hand, or plugin_load_add in its configuration",
            )
    return present if set(methods) == set(present) else tuple(methods)


def wanted_password(desired: DesiredAccount, observed: ObservedAccount | None, identity: Identity) -> Method | None:
    """What shall be stored for the declared password, or None where there is none to set."""
    if observed and desired.update_password == ON_CREATE:
        return None
    if desired.password_hash is not None:
        return Method(str(desired.password_plugin), desired.password_hash)
    if desired.password is None:
        return None
    salted = [method.plugin for method in observed.methods if method.plugin in _SALTED_PLUGINS] if observed else []
    if salted and not desired.password_plugin:
        raise InvalidDeclaration(
            f"{desired.label} has a password by {salted[0]}, which this module can't compare",
            "Set update_password to on_create to leave it, or password_plugin to move the account",
        )
    plugin = desired.password_plugin or _plugin_in_use(observed) or (ED25519 if ED25519 in identity.plugins else NATIVE)
    return Method(plugin, Secret(stored_form(plugin, desired.password.reveal())))


def _plugin_in_use(observed: ObservedAccount | None) -> str:
    """Clients that know mysql_native_password alone would be locked out by a silent change."""
    return next((method.plugin for method in observed.methods if has_password(method)), "") if observed else ""


def _switched(methods: list[Method], method: Method, *, on: bool) -> list[Method]:
    """With the plugin's method as declared, in its place."""
    if not on:
        return [other for other in methods if other.plugin != method.plugin]
    if method in methods:
        return methods
    return [*(other for other in methods if other.plugin != method.plugin), method]


def describe(methods: t.Iterable[Method]) -> str:
    return " or ".join(_describe(method) for method in methods)


def _describe(method: Method) -> str:
    if is_open(method):
        return "nothing at all (no password)"
    if method.plugin in PASSWORD_PLUGINS and not has_password(method):
        return f"{method.plugin} (no password matches)"
    return f"{method.plugin} ({method.text.reveal()})" if method.plugin == PAM and method.text else method.plugin
