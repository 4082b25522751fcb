# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is refused because it would lock somebody out or lose something, and who nothing is taken from."""

from __future__ import annotations

import typing as t

from .account_declaration import ABSENT, DesiredAccount
from .account_grants import AccountsDeclaration
from .account_methods import target_methods
from .accounts_model import BITS, EVERYBODY, GLOBAL, Grantee, ObservedServer, Scope
from .errors import InvalidDeclaration, RefusedForSafety
from .names import near_miss, shown_list

LOCAL_HOSTS: t.Final = ("localhost", "127.0.0.1", "::1")
TEST_DATABASE: t.Final = "test"
_OF_THE_SERVER: t.Final = {
    Grantee("mariadb.sys", "localhost"): "is the server's own: views of the schema sys run as it",
    Grantee("mysql", "localhost"): "is the distribution's own: scripts and state transfers may use it",
    **{Grantee("root", host): "is the administrator on this host" for host in LOCAL_HOSTS},
}


def dropped_grantees(declaration: AccountsDeclaration, server: ObservedServer) -> frozenset[Grantee]:
    """Accounts and roles that are there and go."""
    found = set(declaration.absent)
    for grantee in server.accounts:
        if declaration.remove_anonymous and is_anonymous(grantee):
            found.add(grantee)
        if declaration.remove_remote_root and is_remote_root(grantee):
            found.add(grantee)
    return frozenset(found & set(server.accounts))


def is_anonymous(grantee: Grantee) -> bool:
    return not grantee.name and not grantee.is_role


def is_remote_root(grantee: Grantee) -> bool:
    return grantee.name == "root" and not grantee.is_role and grantee.host not in LOCAL_HOSTS


def protected_grantees(declaration: AccountsDeclaration, server: ObservedServer) -> dict[Grantee, str]:
    """Those that nothing is taken from, and why."""
    replication = dict.fromkeys(_holders(server, ("REPLICATION SLAVE",)), "replicates")
    transfers: dict[Grantee, str] = {}
    if server.identity.is_galera:
        holders = _holders(server, ("RELOAD", "PROCESS", "BINLOG MONITOR"))
        transfers = {
            grantee: "may make state transfers of this cluster" for grantee in holders if grantee.host in LOCAL_HOSTS
        }
    named = dict.fromkeys(declaration.protected, "is protected (protected_accounts)")
    return {**replication, **transfers, **_OF_THE_SERVER, **named, server.identity.login: "is the account in use"}


def _holders(server: ObservedServer, privileges: t.Sequence[str]) -> list[Grantee]:
    """Of these privileges everywhere. Who has SUPER, too, is an administrator and no service."""
    needed = sum(BITS[name] for name in privileges)
    held = server.held.get(Scope(GLOBAL), {})
    return [grantee for grantee, mask in held.items() if mask & needed == needed and not mask & BITS["SUPER"]]


def check_accounts(declaration: AccountsDeclaration, server: ObservedServer, *, has_public: bool) -> None:
    """Raise RefusedForSafety or InvalidDeclaration before anything is planned."""
    protected = protected_grantees(declaration, server)
    for grantee in sorted(dropped_grantees(declaration, server)):
        _check_drop(grantee, protected, server)
    for account in declaration.present.values():
        _check_lock_out(account, server)
    for grant in declaration.global_grants:
        if grant.state == ABSENT and server.identity.login in grant.grantees:
            raise RefusedForSafety(
                f"{grant.where}: {server.identity.login.label} is the account in use, it keeps its own"
            )
    _check_references(declaration, server, has_public=has_public)
    _check_test_database(declaration, server)


def _check_drop(grantee: Grantee, protected: t.Mapping[Grantee, str], server: ObservedServer) -> None:
    if grantee in protected:
        raise RefusedForSafety(f"{grantee.label} can't be dropped: it {protected[grantee]}", "Take it out")
    found = [definition.text for definition in server.definitions if definition.definer == grantee]
    if found:
        listed = ", ".join(found[:10]) + (", ..." if found[10:] else "")
        raise RefusedForSafety(
            f"{grantee.label} can't be dropped, {len(found)} things run with its rights: {listed}",
            "Give them another DEFINER first, then drop it",
        )


def _check_lock_out(account: DesiredAccount, server: ObservedServer) -> None:
    grantee, observed = account.grantee, server.accounts.get(account.grantee)
    is_login = grantee == server.identity.login
    if observed is None or grantee.is_role or not (is_login or grantee in _OF_THE_SERVER):
        return
    which = "the account in use" if is_login else "an account of the server's own"
    if account.locked and not observed.locked:
        raise RefusedForSafety(f"{account.label} is {which}, it can't be locked")
    plugins = {method.plugin for method in target_methods(account, observed, server.identity)}
    lost = {method.plugin for method in observed.methods} - plugins
    if lost - {"mysql_native_password", "mysql_old_password"} or (lost and account.passwordless):
        raise RefusedForSafety(f"{account.label} is {which}, {', '.join(sorted(lost))} can't be taken from it")
    if is_login and account.tls and account.tls.kind != "none" and not server.identity.is_encrypted:
        raise RefusedForSafety(
            f"{account.label} is the account in use without TLS, it can't be made to need TLS", "Log in with TLS first"
        )


def _check_references(declaration: AccountsDeclaration, server: ObservedServer, *, has_public: bool) -> None:
    """Every account and role that is named somewhere has to be there, or to be declared."""
    dropped = declaration.absent | dropped_grantees(declaration, server)
    known = (set(server.accounts) | set(declaration.present) | {EVERYBODY}) - dropped
    for where, grantee in _references(declaration):
        if grantee == EVERYBODY and not has_public:
            raise InvalidDeclaration(f"{where}: this server has no PUBLIC", "MariaDB has it since 10.11")
        if grantee in known:
            continue
        if grantee in dropped:
            raise InvalidDeclaration(f"{where} names {grantee.label}, which is to go")
        raise InvalidDeclaration(
            f"{where} names {grantee.label}, which is neither declared nor on the server", _meant(grantee, known)
        )


def _meant(grantee: Grantee, known: t.Collection[Grantee]) -> str:
    same = sorted(other.text for other in known if other.name == grantee.name)
    if same:
        return f"There is {', '.join(same)}; accounts are written name@host"
    close = near_miss(grantee.name, {other.name for other in known})
    return close or f"Declare it in {'roles' if grantee.is_role else 'accounts'}"


def _references(declaration: AccountsDeclaration) -> t.Iterator[tuple[str, Grantee]]:
    for account in declaration.present.values():
        yield from ((account.label, Grantee(role)) for role in account.member_of)
        if account.default_role:
            yield account.label, Grantee(account.default_role)
    for grant in declaration.grants():
        yield from ((grant.where, grantee) for grantee in grant.grantees)


def _check_test_database(declaration: AccountsDeclaration, server: ObservedServer) -> None:
    if not declaration.remove_test_database:
        return
    if any(database.name == TEST_DATABASE for database in declaration.databases):
        raise InvalidDeclaration(f"database {TEST_DATABASE} is declared and to be removed", "Leave one of both out")
    if server.test_objects:
        raise RefusedForSafety(
            f"database {TEST_DATABASE} can't be removed, it holds {shown_list(sorted(server.test_objects)[:10])}",
            "Somebody uses it. Move or drop what is in it first",
        )
