# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The way in to a PostgreSQL server: one connection per module call, by psycopg."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._core.errors import MissingRequirement, ObservationFailed
from .._core.secrets import Secret
from .identity import acting_as
from .libraries import require_psycopg

OLDEST_SUPPORTED_VERSION = 130000


@dataclasses.dataclass(frozen=True)
class ConnectionSettings:
    """How to reach the server.

    :param host: a host name or address for TCP with TLS; None for the unix socket.
    :param unix_socket: directory of the socket; None for libpq's default.
    :param user: the role to log in as.
    :param os_user: operating-system account whose identity is taken while the socket is opened, so that peer
        authentication sees it; None keeps the module's own. Only root can take another identity.
    :param ssl_mode: libpq's sslmode; it has no meaning on a unix socket.
    """

    user: str = "postgres"
    database: str = "postgres"
    host: str | None = None
    port: int = 5432
    unix_socket: str | None = None
    password: Secret | None = None
    os_user: str | None = None
    ssl_mode: str = "verify-full"
    ca_certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    connect_timeout: int = 10

    @property
    def address(self) -> str:
        """Where this leads to, for messages."""
        if self.host:
            return f"{self.host}:{self.port}"
        return f"the unix socket of port {self.port}" + (f" in {self.unix_socket}" if self.unix_socket else "")

    def parameters(self) -> dict[str, t.Any]:
        """Keyword arguments for libpq."""
        wanted = {
            "user": self.user,
            "dbname": self.database,
            "host": self.host or self.unix_socket,
            "port": self.port,
            "password": self.password.reveal() if self.password else None,
            "sslmode": self.ssl_mode if self.host else None,
            "sslrootcert": self.ca_certificate,
            "sslcert": self.client_certificate,
            "sslkey": self.client_key,
            "connect_timeout": self.connect_timeout,
            "application_name": "bulwark.database",
        }
        return {name: value for name, value in wanted.items() if value is not None}


class Session:
    """One open connection, in autocommit mode unless within ``transaction()``.

    :ivar version: the server's ``server_version_num``, 150018 for 15.18.
    :ivar settings: the ConnectionSettings it was opened with.
    """

    def __init__(self, connection: t.Any, settings: ConnectionSettings) -> None:
        self._connection = connection
        self.settings = settings
        self.version: int = connection.info.server_version

    def rows(self, query: str, parameters: t.Sequence[t.Any] | t.Mapping[str, t.Any] | None = None) -> list[tuple]:
        """All rows of a query. Values are bound by the server; ``%`` is literal when there are no parameters."""
        with self._translated_errors():
            return self._connection.execute(query, parameters).fetchall()

    def value(self, query: str, parameters: t.Sequence[t.Any] | None = None) -> t.Any:
        """The first column of the only row."""
        return self.rows(query, parameters)[0][0]

    def execute(self, statements: str) -> None:
        """Run one or more ready-made statements in one round trip; quoting is the dialect's work."""
        with self._translated_errors():
            self._connection.execute(statements)

    def reopen(self) -> None:
        """Replace the connection by a new one: some settings never change within a session."""
        self._connection.close()
        self._connection = _connect(self.settings)

    def close(self) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def transaction(self) -> t.Iterator[None]:
        with self._translated_errors(), self._connection.transaction():
            yield

    @contextlib.contextmanager
    def _translated_errors(self) -> t.Iterator[None]:
        psycopg = require_psycopg()
        try:
            yield
        except psycopg.Error as error:
            raise ServerRefused(error.sqlstate or "", _primary_message(error), self.settings.address) from None


class ServerRefused(ObservationFailed):
    """The server answered with an error.

    :ivar sqlstate: the five characters of the SQLSTATE; empty when the connection broke.
    """

    def __init__(self, sqlstate: str, text: str, address: str) -> None:
        super().__init__(f"PostgreSQL at {address} answered: {text}" + (f" (SQLSTATE {sqlstate})" if sqlstate else ""))
        self.sqlstate = sqlstate
        self.text = text


@contextlib.contextmanager
def open_session(settings: ConnectionSettings) -> t.Iterator[Session]:
    """Connect, hand out the session, close. Raises MissingRequirement with the cause when there is no way in."""
    session = Session(_connect(settings), settings)
    try:
        if session.version < OLDEST_SUPPORTED_VERSION:
            raise MissingRequirement(
                f"PostgreSQL {session.version // 10000} at {settings.address} is too old",
                f"Version {OLDEST_SUPPORTED_VERSION // 10000} or newer is needed",
            )
        yield session
    finally:
        session.close()


def _connect(settings: ConnectionSettings) -> t.Any:
    psycopg = require_psycopg()
    try:
        with acting_as(settings.os_user):
            return psycopg.connect(autocommit=True, **settings.parameters())
    except psycopg.Error as error:
        raise MissingRequirement(
            f"can't log in to PostgreSQL at {settings.address} as role {settings.user}: {_primary_message(error)}",
            "Is the server running, and does pg_hba.conf admit this login?",
        ) from None


def _primary_message(error: Exception) -> str:
    """The first line of what the server or libpq said. DETAIL may quote data and is left out."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return primary or (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
