# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The file that describes a restore test. Pure."""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
import typing as t
from decimal import Decimal, InvalidOperation

from .backup_job_file import MARIADB, PGBACKREST, POSTGRESQL
from .declared_fields import Fields, fields_of_file
from .errors import InvalidDeclaration
from .sealing import AGE, GNUPG

FORMAT: t.Final = 1
# What made the backups, and the server that comes of them.
_SERVERS: t.Final = {POSTGRESQL: POSTGRESQL, PGBACKREST: POSTGRESQL, MARIADB: MARIADB}
ENGINES: t.Final = tuple(_SERVERS)
_NAME: t.Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_UNSAFE: t.Final = re.compile(r"[^A-Za-z0-9._@+/-]")
_WORD: t.Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_PATHS: t.Final = ("source", "signing_key", "state", "scratch")
_IDENTITIES: t.Final = ("identity", "gnupg_identity")
# For the longest: a week.
_LONGEST_SECONDS: t.Final = 7 * 86400


@dataclasses.dataclass(frozen=True)
class Query:
    """A question of the user's to the restored server; its answer has to be a number that is not less.

    :param minimum: as text, so that no digit of it is lost.
    """

    name: str
    database: str
    query: str
    minimum: str


@dataclasses.dataclass(frozen=True)
class RestoreTest:
    """One restore test.

    :param source: folder that is laid out like a store, with RESTORE.txt in it.
    :param identity: file with the secret key of age; empty for a test of what GnuPG sealed alone.
    :param gnupg_identity: file with an exported secret key of GnuPG, without a passphrase; empty for none.
    :param scratch: folder in which servers are restored and removed again.
    :param binaries: PostgreSQL's programs on this host; empty for where RESTORE.txt says.
    :param with_older: test a random older backup as well as the newest.
    :param extended_check: read every page and every index.
    :param rto_seconds: how long a recovery may take.
    :param rpo_seconds: how far back the newest moment that can be restored may lie; 0 to decide by what there is.
    :param smallest_share: of the tables and rows of an earlier record; fewer are a failure.
    :param cluster: tests of the same one are of its nodes, of which one makes each backup; empty for none.
    """

    name: str
    engine: str
    source: str
    identity: str
    signing_key: str
    state: str
    scratch: str
    binaries: str
    administrator: str
    with_older: bool
    extended_check: bool
    queries: tuple[Query, ...]
    rto_seconds: int
    rpo_seconds: int
    deadline_seconds: int
    gnupg_identity: str = ""
    cluster: str = ""
    smallest_share: float = 0.5

    @property
    def server(self) -> str:
        """Which server comes of the backups."""
        return _SERVERS[self.engine]

    @property
    def opens(self) -> dict[str, str]:
        """The file with the secret key, by the tool that takes it; of those there are."""
        both = {AGE: self.identity, GNUPG: self.gnupg_identity}
        return {tool: path for tool, path in both.items() if path}

    @property
    def evidence(self) -> str:
        return f"{self.state}/evidence"


def parse_restore_test(text: str, *, where: str) -> RestoreTest:
    """Raises InvalidDeclaration that names the field."""
    known = [field.name for field in dataclasses.fields(RestoreTest)]
    fields = fields_of_file(text, where=where, known=known, version=FORMAT)
    engine = fields.choice("engine", ENGINES)
    identities = {key: _path(fields, key) if fields.text(key) else "" for key in _IDENTITIES}
    if not any(identities.values()):
        raise InvalidDeclaration(
            f"{where} names no secret key that opens backups", f"Give {' or '.join(_IDENTITIES)}, or both"
        )
    if engine == PGBACKREST and not identities["identity"]:
        raise InvalidDeclaration(
            f"{where} names no identity of age, which opens a repository of pgBackRest", "Give identity"
        )
    return RestoreTest(
        name=check_test_name(fields.required_text("name")),
        engine=engine,
        **{path: _path(fields, path) for path in _PATHS},
        **identities,
        binaries=_path(fields, "binaries") if fields.text("binaries") else "",
        administrator=_administrator(fields),
        with_older=bool(fields.flag("with_older")),
        extended_check=bool(fields.flag("extended_check")),
        queries=tuple(_query(item, engine, number, where) for number, item in enumerate(fields.items("queries"))),
        rto_seconds=_seconds(fields, "rto_seconds"),
        rpo_seconds=_seconds(fields, "rpo_seconds", least=0),
        smallest_share=_share(fields),
        deadline_seconds=_seconds(fields, "deadline_seconds"),
        cluster=_cluster(fields, engine),
    )


def render_restore_test(test: RestoreTest) -> str:
    """As :func:`parse_restore_test` reads it."""
    return json.dumps({"format": FORMAT, **dataclasses.asdict(test)}, indent=2, sort_keys=True) + "\n"


def check_test_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidDeclaration(f"name can't be {name!r}", "Small letters, digits and hyphens, 40 at most")
    return name


def _path(fields: Fields, key: str) -> str:
    value = fields.required_text(key)
    if not posixpath.isabs(value) or posixpath.normpath(value) != value or _UNSAFE.search(value):
        raise InvalidDeclaration(
            f"{fields.where}: {key} is {value!r}, no plain absolute path",
            "Letters, digits and . _ @ + - only, without // and .. and a slash at the end",
        )
    return value


def _administrator(fields: Fields) -> str:
    value = fields.text("administrator") or "postgres"
    if not _WORD.fullmatch(value):
        raise InvalidDeclaration(f"{fields.where}: administrator can't be {value!r}", "It is the name of a superuser")
    return value


def _cluster(fields: Fields, engine: str) -> str:
    value = fields.text("cluster") or ""
    if value and engine != MARIADB:
        raise InvalidDeclaration(f"{fields.where}: cluster is of no use with the engine {engine}", "Leave it out")
    if value and not _NAME.fullmatch(value):
        raise InvalidDeclaration(f"cluster can't be {value!r}", "Small letters, digits and hyphens, 40 at most")
    return value


def _query(item: t.Any, engine: str, number: int, where: str) -> Query:
    fields = Fields(item, where=f"{where}: queries[{number}]", known=("name", "database", "query", "minimum"))
    minimum = fields.raw("minimum")
    try:
        if isinstance(minimum, bool) or not Decimal(str(minimum)).is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise fields.wrong("minimum", minimum, "a number") from None
    database = fields.text("database") or ""
    if not database and _SERVERS[engine] == POSTGRESQL:
        raise InvalidDeclaration(f"{fields.where} lacks database", "PostgreSQL is asked in one of its databases")
    return Query(fields.required_text("name"), database, fields.required_text("query"), str(minimum))


def _share(fields: Fields) -> float:
    value = fields.raw("smallest_share")
    if value is None:  # of a file from before there was one
        return RestoreTest.smallest_share
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise fields.wrong("smallest_share", value, "a share, from 0 to below 1")
    return float(value)


def _seconds(fields: Fields, key: str, *, least: int = 1) -> int:
    value = fields.number(key)
    if value is None or not least <= value <= _LONGEST_SECONDS:
        raise InvalidDeclaration(
            f"{fields.where}: {key} is {value}", f"It is a number from {least} to {_LONGEST_SECONDS}"
        )
    return value
