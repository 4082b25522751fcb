# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Lists that the operator declares and controls compare with. What is not declared is an empty list."""

from __future__ import annotations

import typing as t

# Names with what they mean; every query of the catalogue is asked with all of them as lists.
DECLARABLE: t.Final[dict[str, str]] = {
    "superusers": "roles that may be superusers, besides the one the cluster was made with",
    "privileged_roles": "roles that may have CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS or a predefined role",
    "privileged_accounts": "MariaDB's accounts (user@host) and roles that may hold privileges on the whole server",
    "roaming_accounts": "MariaDB's accounts (user@host) that may come from any host",
    "human_roles": "login roles of people, whose passwords expire",
    "extensions": "extensions that reach files or other servers and are wanted nevertheless",
    "trusted_networks": "networks that clients may come from",
    "server_names": "names and addresses that clients reach the server by",
    "server_packages": "packages of further major versions of the server that are wanted nevertheless",
}


def query_parameters(declared: t.Mapping[str, t.Iterable[str]]) -> dict[str, list[str]]:
    """What a query of the catalogue is asked with."""
    return {name: list(declared.get(name, ())) for name in DECLARABLE}
