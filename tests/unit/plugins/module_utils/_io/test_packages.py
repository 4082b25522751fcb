# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt, dpkg and systemctl print, recorded on Debian 12."""

from __future__ import annotations

import pytest

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import ObservationFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.packages import Package, Removal
from ansible_collections.bulwark.database.plugins.module_utils._io.listeners import parse_socket_units
from ansible_collections.bulwark.database.plugins.module_utils._io.packages import parse_packages, parse_simulation
from ansible_collections.bulwark.database.plugins.module_utils._io.units import parse_listening, parse_unit_files

SIMULATION = """\
The following packages will be REMOVED:
  perl-base postgresql-15 usrmerge
The following NEW packages will be installed:
  usr-is-merged
WARNING: The following essential packages will be removed.
Inst usr-is-merged (37~deb12u1 Debian:12.15/oldstable [all])
Conf usr-is-merged (37~deb12u1 Debian:12.15/oldstable [all])
Remv usrmerge [37~deb12u1]
Remv postgresql-15 [15.20-0+deb12u1]
Remv perl-base [5.36.0-7+deb12u4] [init-system-helpers:amd64 ]
"""


def test_a_simulation_says_what_goes_and_what_would_come() -> None:
    assert parse_simulation(SIMULATION, requested=["perl-base"]) == Removal(
        ("perl-base",), ("perl-base", "postgresql-15", "usrmerge"), ("usr-is-merged",)
    )


def test_a_listing_tells_installed_from_removed_and_essential_from_others() -> None:
    listing = (
        "ii \tbash\t5.2\tyes\tno\trequired\nii \tinit\t1\tno\tyes\timportant\nhi \tzsh\t5\tno\tno\toptional\n"
        "rc \ttelnet\t0.1\tno\tno\toptional\nun \tvim\t\t\t\t\n"
    )
    assert parse_packages(listing, by_hand={"zsh"}) == (
        Package("bash", "5.2", False, True),
        Package("init", "1", False, True),
        Package("zsh", "5", True, False),
    )


@pytest.mark.parametrize("state", ["iU ", "iF ", "iH ", "iW ", "iiR", "rH "])
def test_a_package_left_half_way_is_an_error_that_says_how_to_mend_it(state: str) -> None:
    with pytest.raises(ObservationFailed, match=r"interrupted: make not fully installed.*dpkg --configure -a"):
        parse_packages(f"{state}\tmake\t4.3\tno\tno\toptional\n", by_hand=())


def test_enabled_units_are_named_without_their_state() -> None:
    listing = "ssh.service                enabled         enabled\napt-daily.timer            enabled enabled\n\n"
    assert parse_unit_files(listing) == ("apt-daily.timer", "ssh.service")


def test_sockets_of_units_are_found_by_address_and_port() -> None:
    listing = (
        "/run/rpcbind.sock            rpcbind.socket                  rpcbind.service\n"
        "0.0.0.0:111                  rpcbind.socket                  rpcbind.service\n"
        "[::]:22                      ssh.socket                      ssh.service\n"
        "route 1361                   systemd-networkd.socket         systemd-networkd.service\n"
    )
    assert parse_socket_units(listing) == {("0.0.0.0", 111): "rpcbind.socket", ("::", 22): "ssh.socket"}


def test_ports_and_paths_of_socket_units_are_told_apart_by_unit() -> None:
    listing = (
        "Listen=@mariadb (Stream)\nListen=/run/mysqld/mysqld.sock (Stream)\nListen=[::]:3306 (Stream)\n"
        "Id=mariadb.socket\n\nListen=127.0.0.1:22 (Stream)\nId=ssh.socket\n\nId=empty.socket\n"
    )
    assert parse_listening(listing) == {
        "mariadb.socket": {"@mariadb", "/run/mysqld/mysqld.sock", "3306"},
        "ssh.socket": {"22"},
        "empty.socket": set(),
    }
