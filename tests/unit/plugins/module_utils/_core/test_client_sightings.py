# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.client_sightings import (
    Acceptance,
    Sighting,
    parse_acceptances,
    refuse_unaccepted,
    sightings_in_log,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration, RefusedForSafety

LOG = """\
2026-11-20 10:00:00.000 UTC [10] LOG:  connection received: host=10.0.0.5 port=40000
2026-11-20 10:00:00.100 UTC [10] old@shop LOG:  connection authorized: user=old database=shop
2026-11-22 10:00:00.000 UTC [11] LOG:  connection received: host=10.0.0.5 port=40001
2026-11-22 10:00:00.001 UTC [12] LOG:  connection received: host=[local]
2026-11-22 10:00:00.002 UTC [13] LOG:  connection received: host=10.0.0.6 port=40002
2026-11-22 10:00:00.003 UTC [14] LOG:  connection received: host=10.0.0.7 port=40003
2026-11-22 10:00:00.100 UTC [11] app@shop LOG:  connection authorized: user=app database=shop application_name=x y
2026-11-22 10:00:00.101 UTC [12] app@shop LOG:  connection authorized: user=app database=shop
2026-11-22 10:00:00.102 UTC [13] a b@shop LOG:  connection authorized: user=a b database=shop SSL enabled \
(protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)
2026-11-22 10:00:00.103 UTC [14] legacy@shop LOG:  connection authorized: user=legacy database=shop \
application_name=psql SSL enabled (protocol=TLSv1.1, cipher=ECDHE-RSA-AES256-SHA, bits=256)
2026-11-22 10:00:00.104 UTC [15] LOG:  checkpoint starting: time
"""


def test_only_remote_clients_within_the_window_without_modern_tls_are_sighted() -> None:
    assert sightings_in_log(LOG.splitlines(), not_before="2026-11-22 00:00:00") == {
        Sighting("plaintext", "app", "shop", "10.0.0.5"),
        Sighting("old_protocol", "legacy", "shop", "10.0.0.7"),
    }


def test_enforcement_is_refused_and_names_the_clients() -> None:
    sightings = [Sighting("plaintext", "app", "shop", "10.0.0.5"), Sighting("md5_password", "old")]
    with pytest.raises(RefusedForSafety, match=r"2 clients .*md5_password: role old; plaintext: role app in database"):
        refuse_unaccepted(sightings, [], hours=24)


@pytest.mark.parametrize(
    ("acceptance", "accepted"),
    [
        (Acceptance("plaintext", "app"), True),
        (Acceptance("plaintext", "app", "10.0.0.5"), True),
        (Acceptance("plaintext", "app", "10.0.0.6"), False),
        (Acceptance("plaintext", "other"), False),
        (Acceptance("md5_password", "app"), False),
    ],
)
def test_only_what_is_accepted_by_name_may_break(acceptance: Acceptance, accepted: bool) -> None:
    assert acceptance.covers(Sighting("plaintext", "app", "shop", "10.0.0.5")) is accepted


def test_a_problem_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidDeclaration, match="'plain' is not one of plaintext"):
        parse_acceptances([{"problem": "plain", "role": "app"}])
