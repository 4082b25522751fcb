# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of a job say who runs what, when and how long, and leave out what an engine doesn't need."""

from __future__ import annotations

import dataclasses
import re

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_job_file import MARIADB, POSTGRESQL
from ansible_collections.bulwark.database.plugins.module_utils._core.backup_units import (
    Schedule,
    UnitJob,
    render_units,
)
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration

JOB = UnitJob(
    name="main",
    engine=POSTGRESQL,
    job_file="/etc/bulwark/backup/main.json",
    store="/srv/store",
    state="/srv/state",
    incoming="/srv/incoming",
    deadline_seconds=3600,
    schedule=Schedule(on_failure=("alert@%n.service",)),
    heartbeat=("/usr/bin/psql", "--command=SELECT 1"),
)
OF_MARIADB = dataclasses.replace(JOB, engine=MARIADB, incoming="", heartbeat=())


def values(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_postgresql_has_a_full_backup_a_collector_and_a_heartbeat_each_with_a_timer() -> None:
    base = "bulwark-backup-main"
    names = [
        f"{base}{end}.{kind}" for end in ("", "-collect", "-heartbeat", "-verify") for kind in ("service", "timer")
    ]
    assert sorted(render_units(JOB)) == sorted(names)
    assert not [name for name in render_units(dataclasses.replace(JOB, heartbeat=())) if "heartbeat" in name]


def test_mariadb_has_a_full_backup_alone() -> None:
    names = [f"bulwark-backup-main{end}.{kind}" for end in ("", "-verify") for kind in ("service", "timer")]
    assert sorted(render_units(OF_MARIADB)) == sorted(names)


def test_every_byte_is_read_each_week_unless_it_is_not_wanted() -> None:
    units = render_units(dataclasses.replace(JOB, schedule=Schedule(time_zone="Europe/Berlin")))
    assert values(units["bulwark-backup-main-verify.timer"], "OnCalendar") == ["Sun *-*-* 12:00:00 Europe/Berlin"]
    assert values(units["bulwark-backup-main-verify.service"], "ExecStart")[0].endswith(
        " verify --job /etc/bulwark/backup/main.json --deep"
    )
    without = render_units(dataclasses.replace(JOB, schedule=Schedule(verify_weekly=False)))
    assert not [name for name in without if "verify" in name]


def test_who_follows_binary_logs_has_a_stream_a_collector_and_a_way_to_a_full_backup_at_once() -> None:
    base = "bulwark-backup-main"
    units = render_units(dataclasses.replace(OF_MARIADB, stream="/srv/state/stream"))
    ends = ("", "-collect", "-renew", "-stream", "-verify")
    assert sorted(units) == sorted(f"{base}{end}.{kind}" for end in ends for kind in ("service", "timer"))
    stream = units[f"{base}-stream.service"]
    assert values(stream, "Restart") == ["always"]
    assert values(stream, "PartOf") == [f"{base}-stream.timer"]  # whoever stops the timer stops the stream
    assert values(stream, "ReadWritePaths") == ["/srv/state"]
    assert values(stream, "CapabilityBoundingSet") == [""]
    assert values(units[f"{base}-renew.service"], "ConditionPathExists") == ["/srv/state/full-wanted"]
    assert values(units[f"{base}-renew.service"], "ExecStart") == values(units[f"{base}.service"], "ExecStart")
    assert values(units[f"{base}.service"], "ConditionPathExists") == []


@pytest.mark.parametrize(
    ("schedule", "calendar"),
    [
        (Schedule(), "*-*-* 00:00:00 UTC"),
        (Schedule("23:30", "Europe/Berlin"), "*-*-* 23:30:00 Europe/Berlin"),
        (Schedule("01:02:03", "Etc/GMT+5"), "*-*-* 01:02:03 Etc/GMT+5"),
    ],
)
def test_the_timer_names_the_zone_and_makes_up_for_a_night_off(schedule: Schedule, calendar: str) -> None:
    timer = render_units(dataclasses.replace(JOB, schedule=schedule))["bulwark-backup-main.timer"]
    assert values(timer, "OnCalendar") == [calendar]
    assert values(timer, "Persistent") == ["true"]
    assert values(timer, "RandomizedDelaySec") == ["0"]
    assert values(timer, "WantedBy") == ["timers.target"]


def test_a_random_delay_reaches_the_timer() -> None:
    timer = render_units(dataclasses.replace(JOB, schedule=Schedule(randomized_delay=600)))["bulwark-backup-main.timer"]
    assert values(timer, "RandomizedDelaySec") == ["600"]


def test_every_service_is_confined_and_tells_of_its_failure() -> None:
    services = {name: text for name, text in render_units(JOB).items() if name.endswith(".service")}
    assert len(services) == 4
    for text in services.values():
        assert values(text, "User") == values(text, "Group") == ["bulwark-backup"]
        assert values(text, "Type") == ["oneshot"]
        assert values(text, "OnFailure") == ["alert@%n.service"]
        assert values(text, "ProtectSystem") == ["strict"]
        assert values(text, "NoNewPrivileges") == values(text, "PrivateNetwork") == ["yes"]
        assert values(text, "CapabilityBoundingSet") == values(text, "AmbientCapabilities") == [""]
        assert int(values(text, "CPUWeight")[0]) < 100
        assert int(values(text, "IOWeight")[0]) < 100
        assert int(values(text, "Nice")[0]) > 0
        assert len(values(text, "TimeoutStartSec")) == 1


def test_a_service_writes_to_the_folders_of_the_job_alone() -> None:
    units = render_units(JOB)
    assert values(units["bulwark-backup-main.service"], "ReadWritePaths") == [
        "/srv/store",
        "/srv/state",
        "/srv/incoming",
    ]
    assert values(units["bulwark-backup-main-heartbeat.service"], "ReadWritePaths") == []


def test_only_the_full_backup_of_mariadb_may_read_every_file() -> None:
    service = render_units(OF_MARIADB)["bulwark-backup-main.service"]
    assert values(service, "CapabilityBoundingSet") == ["CAP_DAC_READ_SEARCH"]
    assert values(service, "AmbientCapabilities") == ["CAP_DAC_READ_SEARCH"]
    assert values(service, "SecureBits") == ["no-setuid-fixup"]
    assert values(render_units(JOB)["bulwark-backup-main.service"], "SecureBits") == []
    assert values(service, "ReadWritePaths") == ["/srv/store", "/srv/state"]


def test_systemd_ends_a_backup_after_its_own_deadline() -> None:
    assert values(render_units(JOB)["bulwark-backup-main.service"], "TimeoutStartSec") == ["3900"]


def test_an_argument_with_a_space_stays_one() -> None:
    heartbeat = render_units(JOB)["bulwark-backup-main-heartbeat.service"]
    assert values(heartbeat, "ExecStart") == ['/usr/bin/psql "--command=SELECT 1"']


@pytest.mark.parametrize(
    ("schedule", "complaint"),
    [
        ({"at": "24:00"}, "no time of day"),
        ({"at": "midnight"}, "no time of day"),
        ({"time_zone": "UTC\nExecStart=/bin/sh"}, "no time zone"),
        ({"randomized_delay": -1}, "less than 0"),
        ({"on_failure": ("alert",)}, "not the name of a service"),
        ({"on_failure": ("a.service\nUser=root.service",)}, "not the name of a service"),
    ],
)
def test_what_can_not_stand_in_a_unit_is_refused(schedule: dict[str, object], complaint: str) -> None:
    with pytest.raises(InvalidDeclaration, match=complaint):
        Schedule(**schedule)  # type: ignore[arg-type]


def test_only_who_delivers_has_a_network_and_that_is_one_host() -> None:
    job = dataclasses.replace(JOB, delivery_key="/k/key", delivery_addresses=("192.0.2.7", "2001:db8::7"))
    services = {name: text for name, text in render_units(job).items() if name.endswith(".service")}
    deliver = services.pop("bulwark-backup-main-deliver.service")
    assert values(deliver, "IPAddressDeny") == ["any"]
    assert values(deliver, "IPAddressAllow") == ["192.0.2.7 2001:db8::7"]
    assert values(deliver, "PrivateNetwork") == []
    for text in services.values():
        assert values(text, "PrivateNetwork") == ["yes"]
