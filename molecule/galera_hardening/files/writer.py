# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a row again and again, on whichever node takes it, as an application with a list of servers and retries does.

The folder it is given holds options.json; it adds ``acknowledged``, a line for each row that a server said was
committed: the row's number, the moment, and the seconds since the one before.
"""

from __future__ import annotations

import json
import sys
import time
import typing as t
from pathlib import Path

import pymysql

PAUSE = 0.02
PATIENCE = 3


def connect(options: dict[str, t.Any], host: str) -> pymysql.connections.Connection:
    """With TLS where the server has it, else in plaintext: what many clients do by default."""
    arguments = {"host": host, "user": options["user"], "password": options["password"], "database": "shop"}
    timeouts = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), PATIENCE)
    try:
        return pymysql.connect(**arguments, **timeouts, autocommit=True, ssl={"verify_mode": "none"})
    except pymysql.MySQLError as error:
        if "SSL" not in str(error):
            raise
    return pymysql.connect(**arguments, **timeouts, autocommit=True)


def write(connection: pymysql.connections.Connection, number: int, host: str) -> None:
    """A row whose fate is not known was perhaps committed: the same number again does no harm."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT IGNORE INTO written (id, node) VALUES (%s, %s)", (number, host))


def main() -> None:
    folder = Path(sys.argv[1])
    options = json.loads((folder / "options.json").read_text(encoding="utf-8"))
    record = folder / "acknowledged"
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    number = int(lines[-1].split()[0]) + 1 if lines else 1
    hosts, connection, last = list(options["hosts"]), None, time.monotonic()
    with record.open("a", encoding="utf-8", buffering=1) as stream:
        while True:
            try:
                connection = connection or connect(options, hosts[0])
                write(connection, number, hosts[0])
            except pymysql.MySQLError:
                connection = None
                hosts.append(hosts.pop(0))
                time.sleep(PAUSE)
                continue
            now = time.monotonic()
            stream.write(f"{number} {time.time():.3f} {now - last:.3f}\n")
            number, last = number + 1, now
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
