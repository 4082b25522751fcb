# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The way in to a MariaDB server: one connection per module call, by PyMySQL."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import ssl
import typing as t

from .._core.errors import MissingRequirement, ObservationFailed
from .._core.secrets import Secret
from .._dialects.mariadb import OLDEST_SUPPORTED_VERSION, SESSION_SQL_MODE, Version, parse_version, quote_literal
from .identity import acting_as
from .libraries import require_pymysql

# Where distributions put it; the first that is there is taken.
DEFAULT_SOCKETS: t.Final = ("/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/run/mysql/mysql.sock")
# What the server calls a connection that is gone, or none at all.
_CLIENT_ERRORS = range(2000, 3000)


@dataclasses.dataclass(frozen=True)
class MariaDBConnection:
    """How to reach the server.

    :param host: a host name or address for TCP with TLS; None for the unix socket.
    :param unix_socket: path of the socket; None for the first of DEFAULT_SOCKETS that is there.
    :param os_user: operating-system account whose identity is taken while the socket is opened, so that the plugin
        unix_socket sees it; None keeps the module's own. Only root can take another identity.
    :param ssl_mode: ``verify-full``, ``verify-ca`` or ``require``; it has no meaning on a unix socket.
    :param connect_timeout: seconds.
    """

    user: str = "root"
    host: str | None = None
    port: int = 3306
    unix_socket: str | None = None
    password: Secret | None = None
    os_user: str | None = None
    ssl_mode: str = "verify-full"
    ca_certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    connect_timeout: int = 10

    @property
    def socket_path(self) -> str:
        present = (path for path in DEFAULT_SOCKETS if os.path.exists(path))
        return self.unix_socket or next(present, DEFAULT_SOCKETS[0])

    @property
    def address(self) -> str:
        """Where this leads to, for messages."""
        return f"{self.host}:{self.port}" if self.host else f"the unix socket {self.socket_path}"

    def parameters(self) -> dict[str, t.Any]:
        """Keyword arguments for PyMySQL, less what never varies."""
        where: dict[str, t.Any] = {"unix_socket": self.socket_path}
        if self.host:
            where = {"host": self.host, "port": self.port, "ssl": self._ssl_context()}
        password = self.password.reveal() if self.password else ""
        return {"user": self.user, "password": password, "connect_timeout": self.connect_timeout, **where}

    def _ssl_context(self) -> ssl.SSLContext:
        """Certificates are checked unless only ``require`` was asked for; plaintext is never accepted."""
        try:
            context = ssl.create_default_context(cafile=self.ca_certificate)
            context.check_hostname = self.ssl_mode == "verify-full"
            context.verify_mode = ssl.CERT_NONE if self.ssl_mode == "require" else ssl.CERT_REQUIRED
            if self.client_certificate:
                context.load_cert_chain(self.client_certificate, self.client_key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(filter(None, (self.ca_certificate, self.client_certificate, self.client_key)))
            raise MissingRequirement(
                f"can't use the TLS files {files}: {error}", "Check that they are readable PEM"
            ) from None
        return context


class ServerRefused(ObservationFailed):
    """The server answered with an error.

    :ivar number: MariaDB's error number, such as 1045; 2000 and above when the connection broke.
    """

    def __init__(self, number: int, text: str, address: str) -> None:
        super().__init__(f"MariaDB at {address} answered: {text} (error {number})")
        self.number = number
        self.text = text


class LoginFailed(MissingRequirement):
    """There is no way in.

    :ivar is_silence: nobody answered, so that waiting may help; the account was not refused.
    """

    def __init__(self, number: int, text: str, connection: MariaDBConnection) -> None:
        super().__init__(
            f"can't log in to MariaDB at {connection.address} as {connection.user}: {text}",
            "Is the server running, and does it have this account?",
        )
        self.is_silence = number == 0 or number in _CLIENT_ERRORS


class Session:
    """One open connection, in autocommit mode and SESSION_SQL_MODE.

    :ivar version: the server's version, (10, 11, 19).
    :ivar connection: the MariaDBConnection it was opened with.
    """

    def __init__(self, driver_connection: t.Any, connection: MariaDBConnection) -> None:
        self._driver_connection = driver_connection
        self.connection = connection
        self.version: Version = parse_version(driver_connection.get_server_info())

    def rows(self, query: str, parameters: t.Sequence[t.Any] | t.Mapping[str, t.Any] | None = None) -> list[tuple]:
        """All rows of a query. ``%`` is literal when there are no parameters; with any it is ``%%``."""
        with self._translated_errors(), self._driver_connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return list(cursor.fetchall())

    def named_rows(self, query: str) -> list[dict[str, t.Any]]:
        """Rows with their columns' names, for statements whose columns differ between versions."""
        with self._translated_errors(), self._driver_connection.cursor() as cursor:
            cursor.execute(query)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def value(self, query: str, parameters: t.Sequence[t.Any] | None = None) -> t.Any:
        """The first column of the only row."""
        return self.rows(query, parameters)[0][0]

    def execute(self, statement: str) -> None:
        """Run one ready-made statement; quoting is the dialect's work."""
        with self._translated_errors(), self._driver_connection.cursor() as cursor:
            cursor.execute(statement)

    def reopen(self) -> None:
        """Replace the connection by a new one: the server restarted, or a variable holds for new sessions only."""
        self.close()
        self._driver_connection = _connect(self.connection)

    def close(self) -> None:
        with contextlib.suppress(Exception):  # a connection that broke can't be closed in style
            self._driver_connection.close()

    @contextlib.contextmanager
    def _translated_errors(self) -> t.Iterator[None]:
        pymysql = require_pymysql()
        try:
            yield
        except pymysql.MySQLError as error:
            number, text = _parts(error)
            raise ServerRefused(number, text, self.connection.address) from None


@contextlib.contextmanager
def open_session(connection: MariaDBConnection) -> t.Iterator[Session]:
    """Connect, hand out the session, close. Raises MissingRequirement with the cause when there is no way in."""
    session = Session(_connect(connection), connection)
    try:
        if session.version < OLDEST_SUPPORTED_VERSION:
            found, wanted = (".".join(map(str, version)) for version in (session.version, OLDEST_SUPPORTED_VERSION))
            raise MissingRequirement(
                f"MariaDB {found} at {connection.address} is too old", f"Version {wanted} or newer is needed"
            )
        yield session
    finally:
        session.close()


class _ObservedContext(ssl.SSLContext):
    """Keeps the certificate that the other side showed."""

    shown: bytes | None = None

    def wrap_socket(self, *arguments: t.Any, **options: t.Any) -> ssl.SSLSocket:
        encrypted = super().wrap_socket(*arguments, **options)
        self.shown = encrypted.getpeercert(binary_form=True)
        return encrypted


def served_certificate(connection: MariaDBConnection) -> bytes | None:
    """The certificate that the server shows, unverified, in DER; None where it shows none or nobody may look.

    By a whole login: what leaves in the middle of one is a line in the server's log, and counts as a failed attempt.
    """
    context = _ObservedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(MissingRequirement):
        if connection.client_certificate:
            context.load_cert_chain(connection.client_certificate, connection.client_key)
        Session(_connect(connection, context), connection).close()
    return context.shown


def _connect(connection: MariaDBConnection, tls: ssl.SSLContext | None = None) -> t.Any:
    """:param tls: instead of what the connection says; on the unix socket, too."""
    pymysql = require_pymysql()
    parameters = connection.parameters()
    if tls is not None:
        parameters["ssl"] = tls
    try:
        with acting_as(connection.os_user):
            opened = pymysql.connect(autocommit=True, charset="utf8mb4", program_name="bulwark.database", **parameters)
        # By init_command the older driver (Debian 12's) commits, which a node out of the primary component refuses.
        with opened.cursor() as cursor:
            cursor.execute(f"SET SESSION sql_mode = {quote_literal(SESSION_SQL_MODE)}")
        return opened
    except RuntimeError as error:  # a library that only this way of authenticating needs, such as PyNaCl for ed25519
        raise MissingRequirement(
            f"can't log in to MariaDB at {connection.address} as {connection.user}: {error}",
            "Install it (Debian python3-nacl), or log in as an account that the socket maps",
        ) from None
    except (pymysql.MySQLError, OSError) as error:
        raise LoginFailed(*_parts(error), connection) from None


def is_connection_lost(error: ServerRefused) -> bool:
    return error.number == 0 or error.number in _CLIENT_ERRORS


def _parts(error: Exception) -> tuple[int, str]:
    """Number and first line of what the server or the driver said."""
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        number, text = error.args[0], str(error.args[1])
    else:
        number, text = 0, str(error)
    return number, (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
