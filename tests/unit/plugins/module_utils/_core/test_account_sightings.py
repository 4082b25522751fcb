# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which account a client is, and which sightings count."""

from __future__ import annotations

import datetime

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.account_sightings import (
    AccountSighting,
    Login,
    account_of,
    merge_sightings,
    parse_account_acceptances,
    refuse_unaccepted_accounts,
    sightings_of_passwords,
    still_open,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import RefusedForSafety

TODAY = datetime.date(2026, 11, 25)


@pytest.mark.parametrize(
    ("host", "chosen"),
    [
        ("10.0.0.5", "app@10.0.0.5"),
        ("10.0.0.6", "app@10.0.0.%"),
        ("10.1.2.3", "app@10.%"),
        ("192.0.2.9", "app@192.0.2.0/255.255.255.0"),
        ("203.0.113.1", "app@%"),
        ("localhost", "app@localhost"),
        ("db.example.org", "app@%.EXAMPLE.org"),
    ],
)
def test_the_most_specific_host_is_the_account(host: str, chosen: str) -> None:
    patterns = ("%", "10.%", "10.0.0.%", "10.0.0.5", "192.0.2.0/255.255.255.0", "localhost", "%.EXAMPLE.org")
    found = account_of("app", host, [*(Login("app", pattern) for pattern in patterns), Login("other", host)])
    assert found is not None
    assert found.name == chosen


def test_a_client_that_is_shown_by_its_name_is_the_only_account_of_that_user() -> None:
    logins = [Login("app", "10.%"), Login("", "localhost")]
    assert account_of("app", "db.example.org", logins) == logins[0]
    assert account_of("app", "db.example.org", [*logins, Login("app", "192.%")]) is None
    assert account_of("other", "db.example.org", logins) is None


def test_of_the_same_sighting_the_latest_day_is_kept() -> None:
    old, new = (AccountSighting("app@%", "plaintext", "10.0.0.5", day) for day in ("2026-11-01", "2026-11-25"))
    assert [one.last_seen for one in merge_sightings([new], [old])] == ["2026-11-25"]
    assert [one.last_seen for one in merge_sightings([old], [new])] == ["2026-11-25"]


@pytest.mark.parametrize(
    ("problem", "day", "is_blind", "is_enforced", "counts"),
    [
        ("plaintext", "2026-11-20", False, False, True),
        ("plaintext", "2026-11-01", False, False, False),
        ("plaintext", "2026-11-20", False, True, False),
        ("plaintext_unknown", "2026-11-20", True, False, True),
        ("plaintext_unknown", "2026-11-20", False, False, False),
        ("password_expires", "2026-11-20", False, False, False),
    ],
)
def test_an_earlier_sighting_counts_while_it_may_be_true(
    problem: str, day: str, is_blind: bool, is_enforced: bool, counts: bool
) -> None:
    found = still_open(
        [AccountSighting("app@%", problem, "10.0.0.5", day)],
        [Login("app", "%")],
        is_blind=is_blind,
        is_enforced=is_enforced,
        not_before=datetime.date(2026, 11, 18),
    )
    assert bool(found) is counts


@pytest.mark.parametrize(("account", "counts"), [("app@%", True), ("dropped@%", False), ("stranger@10.0.0.5", True)])
def test_an_account_that_is_gone_needs_no_protection(account: str, counts: bool) -> None:
    """What is recorded by a client's address was of no account that was known."""
    found = still_open(
        [AccountSighting(account, "plaintext", "10.0.0.5", "2026-11-25")],
        [Login("app", "%")],
        is_blind=False,
        is_enforced=False,
        not_before=datetime.date(2026, 11, 18),
    )
    assert bool(found) is counts


@pytest.mark.parametrize(
    ("login", "expires"),
    [
        (Login("a", "%", takes_password=True, changed=0), True),
        (Login("a", "%", takes_password=True, changed=1_000_000), False),
        (Login("a", "%", takes_password=False), False),
        (Login("a", "%", takes_password=True, has_lifetime_of_its_own=True), False),
    ],
)
def test_only_passwords_without_a_lifetime_of_their_own_expire(login: Login, expires: bool) -> None:
    assert bool(sightings_of_passwords([login], lifetime=1, now=1_000_100, today=TODAY)) is expires


@pytest.mark.parametrize(
    ("accepted", "seen", "refused"),
    [
        ("plaintext", "plaintext", False),
        ("plaintext", "plaintext_unknown", False),  # the server offers TLS since, and can't tell any more
        ("plaintext_unknown", "plaintext", True),
        ("plaintext", "password_expires", True),
    ],
)
def test_who_may_come_in_plaintext_may_do_so_unseen_and_not_the_other_way_round(
    accepted: str, seen: str, refused: bool
) -> None:
    acceptances = parse_account_acceptances([{"account": "app@%", "problem": accepted}])
    sightings = [AccountSighting("app@%", seen, "10.0.0.5", "2026-11-25")]
    if not refused:
        refuse_unaccepted_accounts(sightings, acceptances)
        return
    with pytest.raises(RefusedForSafety):
        refuse_unaccepted_accounts(sightings, acceptances)
