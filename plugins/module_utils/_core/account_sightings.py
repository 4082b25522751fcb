# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Accounts of MariaDB that the enforcement of TLS or of a password lifetime would lock out. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
import typing as t

from .errors import InvalidDeclaration, RefusedForSafety

PLAINTEXT: t.Final = "plaintext"
PLAINTEXT_UNKNOWN: t.Final = "plaintext_unknown"
PASSWORD_EXPIRES: t.Final = "password_expires"  # noqa: S105 - the name of a problem
PROBLEMS: t.Final = (PLAINTEXT, PLAINTEXT_UNKNOWN, PASSWORD_EXPIRES)
ANY_ACCOUNT: t.Final = "*"

_SECONDS_A_DAY: t.Final = 86400


@dataclasses.dataclass(frozen=True)
class Login:
    """One account as far as it matters here.

    :param requires_tls: it can't come in plaintext.
    :param takes_password: it is let in by a password that the server holds.
    :param changed: when that was set, in seconds since 1970; 0 where the server does not know.
    :param has_lifetime_of_its_own: the server's default does not apply to it.
    """

    user: str
    host: str
    requires_tls: bool = False
    takes_password: bool = False
    changed: int = 0
    has_lifetime_of_its_own: bool = False

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}"


@dataclasses.dataclass(frozen=True)
class ClientSession:
    """One session over TCP.

    :param encrypted: None where that can't be told.
    """

    user: str
    host: str
    encrypted: bool | None


@dataclasses.dataclass(frozen=True, order=True)
class AccountSighting:
    """An account that would be locked out.

    :param host: where the client was; empty for what is no session.
    :param last_seen: a day, in UTC.
    """

    account: str
    problem: str
    host: str = ""
    last_seen: str = dataclasses.field(default="", compare=False)

    @property
    def summary(self) -> str:
        """``plaintext: app@% from 10.0.0.5``."""
        return f"{self.problem}: {self.account}" + (f" from {self.host}" if self.host else "")

    def as_dict(self) -> dict[str, str]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class AccountAcceptance:
    """What the operator accepts to break. ``*`` as account stands for all."""

    account: str
    problem: str

    def covers(self, sighting: AccountSighting) -> bool:
        # Whoever may come in plaintext may do so unseen: a server that offers TLS by now can tell it no longer.
        problems = (PLAINTEXT, PLAINTEXT_UNKNOWN) if self.problem == PLAINTEXT else (self.problem,)
        return sighting.problem in problems and self.account in (ANY_ACCOUNT, sighting.account)


def parse_account_acceptances(declared: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[AccountAcceptance, ...]:
    """Raise InvalidDeclaration for an account without a host, or a problem that does not exist."""
    accepted = []
    for item in declared:
        if item["problem"] not in PROBLEMS:
            raise InvalidDeclaration(f"{item['problem']!r} is not one of {', '.join(PROBLEMS)}")
        if item["account"] != ANY_ACCOUNT and "@" not in item["account"]:
            raise InvalidDeclaration(f"{item['account']!r} is no account", "Write user@host, or * for all")
        accepted.append(AccountAcceptance(item["account"], item["problem"]))
    return tuple(accepted)


def sightings_of_sessions(
    sessions: t.Iterable[ClientSession], logins: t.Sequence[Login], *, today: datetime.date
) -> set[AccountSighting]:
    """Sessions over TCP that are in plaintext or may be; not those of accounts that the server holds to TLS."""
    found = set()
    for session in set(sessions):
        login = account_of(session.user, session.host, logins)
        if session.encrypted or (session.encrypted is None and login and login.requires_tls):
            continue
        problem = PLAINTEXT_UNKNOWN if session.encrypted is None else PLAINTEXT
        name = login.name if login else f"{session.user}@{session.host}"
        found.add(AccountSighting(name, problem, session.host, today.isoformat()))
    return found


def sightings_of_passwords(
    logins: t.Iterable[Login], *, lifetime: int, now: int, today: datetime.date
) -> set[AccountSighting]:
    """Accounts whose password is older than the lifetime (days) that is to become the server's default."""
    return {
        AccountSighting(login.name, PASSWORD_EXPIRES, "", today.isoformat())
        for login in logins
        if login.takes_password
        and not login.has_lifetime_of_its_own
        and login.changed + lifetime * _SECONDS_A_DAY <= now
    }


def account_of(user: str, host: str, logins: t.Iterable[Login]) -> Login | None:
    """The account that a client is, chosen as the server does: the most specific host, then a name before none.

    The server shows a client by its name where it knows one, but compares the address, too. So where no host fits, it
    is the only account of that user, if there is only one.
    """
    known = [one for one in logins if one.user in (user, "")]
    fitting = [one for one in known if _is_host_in(host, one.host)]
    if not fitting:
        of_that_name = [one for one in known if one.user == user]
        return of_that_name[0] if len(of_that_name) == 1 else None
    return min(fitting, key=lambda one: (*_specificity(one.host), not one.user))


def _specificity(pattern: str) -> tuple[int, int, int]:
    """Smaller for what the server tries first: no wildcard, a network, then the one with more before its wildcard."""
    wildcard = re.search(r"[%_]", pattern)
    if "/" in pattern:
        return 1, 0, 0
    if pattern and not wildcard:
        return 0, 0, 0
    return 2, -wildcard.start() if wildcard else 0, -len(re.sub(r"[%_]", "", pattern))


def _is_host_in(host: str, pattern: str) -> bool:
    if "/" in pattern:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(character) or re.escape(character) for character in pattern or "%")
    return bool(re.fullmatch(expression, host, re.IGNORECASE))


def still_open(
    recorded: t.Iterable[AccountSighting],
    logins: t.Iterable[Login],
    *,
    is_blind: bool,
    is_enforced: bool,
    not_before: datetime.date,
) -> set[AccountSighting]:
    """Of earlier sightings those that count: not too old, and not mended as far as the server can tell.

    Passwords are read anew each time, so earlier sightings of them say nothing.
    """
    known = list(logins)
    held_to_tls = {login.name for login in known if login.requires_tls}
    names = {login.name for login in known}
    problems = (PLAINTEXT, PLAINTEXT_UNKNOWN) if is_blind else (PLAINTEXT,)
    return {
        one
        for one in recorded
        if not is_enforced
        and one.problem in problems
        and one.account not in held_to_tls
        # An account that was dropped since. What is named by the client's own address was of none that was known.
        and (one.account in names or one.account.rpartition("@")[2] == one.host)
        and one.last_seen >= not_before.isoformat()
    }


def merge_sightings(recorded: t.Iterable[AccountSighting], seen: t.Iterable[AccountSighting]) -> list[AccountSighting]:
    """Each once, with the day it was last seen."""
    latest: dict[AccountSighting, AccountSighting] = {}
    for one in (*recorded, *seen):
        if one not in latest or latest[one].last_seen <= one.last_seen:
            latest[one] = one
    return sorted(latest.values())


def refuse_unaccepted_accounts(sightings: t.Iterable[AccountSighting], accepted: t.Sequence[AccountAcceptance]) -> None:
    """Raise RefusedForSafety that names the accounts which enforcement would lock out."""
    blocking = sorted(one for one in sightings if not any(acceptance.covers(one) for acceptance in accepted))
    if not blocking:
        return
    shown = "; ".join(f"{one.summary} (seen {one.last_seen})" for one in blocking[:10])
    more = f" and {len(blocking) - 10} more" if len(blocking) > 10 else ""
    hints = {
        PLAINTEXT: "let the clients connect with TLS",
        PLAINTEXT_UNKNOWN: "let the server tell by performance_schema=ON or hold the accounts to TLS (REQUIRE SSL)",
        PASSWORD_EXPIRES: "set new passwords or a lifetime of their own",
    }
    todo = "; ".join(hints[problem] for problem in PROBLEMS if any(one.problem == problem for one in blocking))
    raise RefusedForSafety(
        f"enforcing would lock out {len(blocking)} clients: {shown}{more}",
        f"{todo[0].upper()}{todo[1:]}; or accept each by name",
    )
