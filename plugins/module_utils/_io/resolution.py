# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Names to addresses, as this host resolves them now: packet filters know addresses alone."""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from .._core.errors import InvalidDeclaration
from .._core.packet_filter import Network


def resolve(host: str, *, what: str) -> tuple[str, ...]:
    """Its addresses, IPv4 first, in order, so that a second look says the same. Raises InvalidDeclaration.

    :param what: the option that names it.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no name"
        raise InvalidDeclaration(
            f"{what}: this host can't resolve {host!r}: {cause}", "Correct the name, or write its address"
        ) from None
    # What follows % is the interface of a link-local address, which is no part of it.
    addresses = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
    return tuple(str(address) for address in sorted(addresses, key=lambda one: (one.version, int(one))))


def resolve_networks(places: t.Iterable[str], *, what: str) -> tuple[Network, ...]:
    """Networks stay what they are; names and addresses become networks of one host. Raises InvalidDeclaration."""
    networks: list[Network] = []
    for place in places:
        if "/" in place:
            networks.append(_network(place, what=what))
        else:
            networks += [ipaddress.ip_network(address) for address in resolve(place, what=what)]
    return tuple(dict.fromkeys(networks))


def _network(text: str, *, what: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise InvalidDeclaration(f"{what}: {error}", "Like 10.20.0.0/16 or 2001:db8::/32") from None
