# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down twice a second whether the node beside it serves: in a Primary component, and ready for statements.

The folder it is given gets ``seen``, a line for each look: the moment, and 1 or 0. It asks by the socket, as root.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pymysql

PAUSE = 0.5
PATIENCE = 2
SOCKET = "/run/mysqld/mysqld.sock"
QUESTION = "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_ready')"
SERVES = {"wsrep_cluster_status": "Primary", "wsrep_ready": "ON"}


def connect() -> pymysql.connections.Connection:
    timeouts = dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), PATIENCE)
    return pymysql.connect(unix_socket=SOCKET, user="root", autocommit=True, **timeouts)


def serves(connection: pymysql.connections.Connection) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(QUESTION)
        return dict(cursor.fetchall()) == SERVES


def main() -> None:
    connection = None
    with (Path(sys.argv[1]) / "seen").open("a", encoding="utf-8", buffering=1) as stream:
        while True:
            try:
                connection = connection or connect()
                answer = serves(connection)
            except (pymysql.MySQLError, OSError):
                connection, answer = None, False
            stream.write(f"{time.time():.3f} {int(answer)}\n")
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
