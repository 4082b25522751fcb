# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""What pg_hba.conf can hold, by version of PostgreSQL, and what to ask a server about it."""

from __future__ import annotations

import dataclasses
import typing as t

from .._core.hba_tokens import Syntax

_KINDS: t.Final = frozenset({"local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"})
_METHODS: t.Final = frozenset(
    {
        *("bsd", "cert", "gss", "ident", "ldap", "md5", "pam", "password", "peer", "radius", "reject"),
        *("scram-sha-256", "sspi", "trust"),
    }
)
WEAK_METHODS: t.Final = frozenset({"md5", "password", "trust"})


@dataclasses.dataclass(frozen=True)
class PostgreSQLHbaGrammar:
    """The grammar of one version (server_version_num)."""

    version: int
    kinds: frozenset[str] = _KINDS
    weak_methods: frozenset[str] = WEAK_METHODS

    @property
    def methods(self) -> frozenset[str]:
        return _METHODS | {"oauth"} if self.version >= 180000 else _METHODS

    @property
    def continuations(self) -> bool:
        return self.version >= 140000

    @property
    def databases(self) -> Syntax:
        words = frozenset({"all", "sameuser", "samerole", "samegroup", "replication"})
        return Syntax(words, regexes=self.version >= 160000)

    @property
    def users(self) -> Syntax:
        return Syntax(frozenset({"all"}), groups=True, regexes=self.version >= 160000)

    @property
    def system_users(self) -> Syntax:
        return Syntax(regexes=True)

    @property
    def database_users(self) -> Syntax:
        if self.version < 160000:
            return Syntax()
        return Syntax(frozenset({"all"}), groups=True, regexes=True)


FACTS_QUERY: t.Final = """
SELECT pg_catalog.current_setting('hba_file'), pg_catalog.current_setting('ident_file'),
       pg_catalog.current_setting('data_directory'),
       (SELECT setting FROM pg_catalog.pg_config WHERE name = 'BINDIR'),
       pg_catalog.current_setting('ssl') = 'on',
       extract(epoch FROM pg_catalog.pg_conf_load_time())::float8,
       ARRAY(SELECT rolname::text FROM pg_catalog.pg_roles),
       ARRAY(SELECT datname::text FROM pg_catalog.pg_database)"""

# A hostssl rule while ssl is off is shown as an error too, but the server takes the file.
ERRORS_QUERY: t.Final = """
SELECT line_number, error FROM pg_catalog.pg_hba_file_rules
 WHERE error IS NOT NULL AND error NOT LIKE '%cannot match because%' ORDER BY line_number"""


class Facts(t.NamedTuple):
    """What FACTS_QUERY answers. ``loaded_at``: when the server last read its files, in seconds since 1970."""

    hba_file: str
    ident_file: str
    data_directory: str
    bin_directory: str
    ssl: bool
    loaded_at: float
    roles: list[str]
    databases: list[str]
