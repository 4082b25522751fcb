# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What a restored server is asked, and what its answers mean. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from decimal import Decimal, InvalidOperation

from .backup_job_file import POSTGRESQL
from .backup_manifest import Manifest, Sidecar
from .backup_moments import parse_moment
from .binary_log import parse_stored
from .binary_log_window import first_log, read_chains
from .restore_test_file import Query

_LONGEST_ANSWER: t.Final = 400
_CORRUPT: t.Final = re.compile(r"^(?:error\s*:|.*\bcorrupt)", re.IGNORECASE | re.MULTILINE)

# As the text for MariaDB says it, with the name of the last log.
READ_UP_TO: t.Final = "read up to the binary log: "
_WANTED: t.Final = "(if they went on purpose, lower smallest_share for one test)"

DATABASES: t.Final = {
    "postgresql": "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY datname;",
    "mariadb": "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT IN"
    " ('information_schema', 'performance_schema', 'sys', 'mysql') ORDER BY schema_name;",
}
# One line for each table of the database: an exact count, because that reads every row.
COUNTS: t.Final = {
    "postgresql": r"""SELECT pg_catalog.format('SELECT count(*) FROM %I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  \gexec
""",
    "mariadb": """SELECT CONCAT('SELECT COUNT(*) FROM `', REPLACE(table_name, '`', '``'), '`;')
  FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE';
""",
}
IN_RECOVERY: t.Final = "SELECT pg_catalog.pg_is_in_recovery();"
NEWEST_TRANSACTION: t.Final = """SELECT pg_catalog.to_char(
  pg_catalog.pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');"""


@dataclasses.dataclass(frozen=True)
class Restored:
    """A restored server, and how it is reached.

    :param engine: of the server itself, whatever backed it up.
    :param data: its data directory, which holds its socket.
    """

    engine: str
    data: str
    binaries: str = ""
    administrator: str = "postgres"

    def client(self, database: str) -> tuple[str, ...]:
        """A client that takes statements from its standard input."""
        if self.engine == POSTGRESQL:
            place = {"host": self.data, "port": "5432", "user": self.administrator, "dbname": database or "postgres"}
            login = " ".join(f"{key}={_quoted(value)}" for key, value in place.items())
            return (f"{self.binaries}/psql", *("-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", login))
        end = (f"--database={database}",) if database else ()
        return ("mariadb", *self._socket(), "--batch", "--skip-column-names", "--raw", *end)

    def integrity_check(self, *, extended: bool) -> tuple[str, ...]:
        if self.engine == POSTGRESQL:
            login = ("-h", self.data, "-p", "5432", "-U", self.administrator)
            more = ("--heapallindexed", "--parent-check") if extended else ()
            return (f"{self.binaries}/pg_amcheck", "--all", "--install-missing", *login, *more)
        return ("mariadb-check", *self._socket(), "--all-databases", "--check", "--silent",
                *(("--extended",) if extended else ()))  # fmt: skip

    def _socket(self) -> tuple[str, str]:
        return ("--no-defaults", f"--socket={self.data}/restore.sock")


@dataclasses.dataclass(frozen=True)
class Check:
    """One check. ``detail`` says what was found, or why it was not ``made``: then it is neither passed nor failed."""

    name: str
    passed: bool
    detail: str
    made: bool = True


def not_made(name: str, why: str) -> Check:
    return Check(name, False, why, made=False)


def judge_integrity(tool: str, status: int, output: str) -> Check:
    """mariadb-check ends with 0 whatever it finds; it says so alone."""
    bad = _CORRUPT.search(output)
    if status or bad:
        line = output[bad.start() :].splitlines()[0] if bad else _last_line(output)
        return Check(tool, False, f"{tool} found damage (status {status}): {line}"[:_LONGEST_ANSWER])
    return Check(tool, True, "no damage found")


class Counted(t.NamedTuple):
    """What a database holds."""

    tables: int
    rows: int


# By database; None for one that could not be counted, which is a failed check by itself.
Counts = t.Mapping[str, t.Optional[Counted]]


def parse_counts(answers: str) -> Counted:
    """Raises ValueError."""
    counts = [int(line) for line in answers.split()]
    return Counted(len(counts), sum(counts))


def judge_counts(found: Counts, before: t.Mapping[str, Counted], *, smallest_share: float) -> list[Check]:
    """Tables by database, because few are added and dropped; rows all together, because a small queue may run empty.

    :param before: what an earlier record has; empty for none.
    :param smallest_share: of what there was before; fewer tables or rows are a failure, 0 has nothing judged.
    """
    checks = []
    for database in sorted({*found, *(name for name, counted in before.items() if counted.tables)}):
        there, was = found.get(database, Counted(0, 0)), before.get(database, Counted(0, 0))
        if there is not None:
            passed = there.tables >= was.tables * smallest_share
            detail = f"{there.tables} tables hold {there.rows} rows" if database in found else "it is gone"
            if database in found or not passed:
                more = "" if passed else f"; there were {was.tables} tables {_WANTED}"
                checks.append(Check(f"rows of {database}", passed, detail + more))
    if None in found.values():  # a sum would say nothing
        return checks
    rows, were = (sum(one.rows for one in counts.values() if one) for counts in (found, before))
    passed = rows >= were * smallest_share
    more = f"there were {were}{'' if passed else f' {_WANTED}'}" if before else "no earlier record to hold them against"
    return [*checks, Check("rows", passed, f"{rows} rows of all databases; {more}")]


def judge_query(query: Query, answer: str) -> Check:
    """The last line of an answer, because it may set something up first."""
    name = f"query {query.name}"
    try:
        found = Decimal(_last_line(answer))
    except InvalidOperation:
        return Check(name, False, f"the answer to {query.name} is no number")
    if not found.is_finite():
        return Check(name, False, f"the answer to {query.name} is no number")
    if found < Decimal(query.minimum):
        return Check(name, False, f"the answer to {query.name} is {found}, {query.minimum} is the least")
    return Check(name, True, f"{found}, {query.minimum} is the least")


def judge_recovery(in_recovery: str, newest_transaction: str, moment: str) -> Check:
    """Whether the server came to the end of its recovery, and not beyond the moment."""
    if in_recovery.strip() != "f":
        return Check("recovery", False, "the recovery did not come to its end")
    newest = newest_transaction.strip()
    if newest and newest[:19] + "Z" > moment:
        return Check("recovery", False, f"the recovery went beyond {moment}, to {newest}")
    return Check("recovery", True, f"newest transaction {newest}" if newest else "no transaction after the backup")


def binary_log_read(said: str) -> str | None:
    """The last one, as RESTORE.txt says it; empty if it read none, None if it does not say."""
    lines = [line for line in said.splitlines() if line.startswith(READ_UP_TO)]
    return lines[-1][len(READ_UP_TO) :].strip() if lines else None


def judge_binary_log(said: str, manifest: Manifest, sidecars: t.Iterable[Sidecar], moment: str) -> Check:
    """Whether the binary logs that MariaDB was restored by cover the moment, and begin no later.

    :param said: what RESTORE.txt said.
    """
    name, last = "binary log", binary_log_read(said)
    if last is None:
        return Check(name, False, "RESTORE.txt did not say how far it read")
    chains = read_chains(sidecars)
    first = first_log(manifest, chains)
    if not last:
        alone = first is None and moment == manifest.consistent_from
        return Check(
            name, alone, "the set's own end" if alone else f"no binary log was read, and {moment} is not in the set"
        )
    log = parse_stored(last)
    if log is None or first is None or log.chain != first.chain or not first.number <= log.number:
        return Check(name, False, f"{last} is none of those that lead on from the set")
    logs = chains[log.chain]
    read, follows = logs.get(log.number), logs.get(log.number + 1)
    if read is None:
        return Check(name, False, f"{last} is none of those that lead on from the set")
    if log.number > first.number and read.opened > moment:
        return Check(name, False, f"{last} began after {moment}, at {read.opened}")
    if read.closed < moment and (follows is None or follows.opened <= moment):
        return Check(name, False, f"it was read up to {last}, closed {read.closed}, which is before {moment}")
    return Check(name, True, f"read up to {last}, opened {read.opened}, closed {read.closed}")


def judge_time(recovery_seconds: float, rto_seconds: int) -> Check:
    passed = recovery_seconds <= rto_seconds
    more = "" if passed else ": the recovery took too long"
    return Check("recovery time", passed, f"{recovery_seconds:.1f} s, {rto_seconds} s are allowed (RTO){more}")


def judge_loss(loss_seconds: float, rpo_seconds: int) -> Check:
    passed = loss_seconds <= rpo_seconds
    more = "" if passed else ": what is newer would be lost"
    return Check("data loss", passed, f"{loss_seconds:.0f} s, {rpo_seconds} s are allowed (RPO){more}")


def loss_between(newest: str, started: float) -> float:
    """Seconds of work that would be lost, had the source's server been lost when the test started."""
    return max(started - parse_moment(newest), 0.0)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
