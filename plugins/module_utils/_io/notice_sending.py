# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Telling somebody outside: mail by a relay, a document or a ping by https. Certificates are checked, always."""

from __future__ import annotations

import email.message
import email.utils
import http.client
import json
import os
import smtplib
import ssl
import typing as t
import urllib.parse

from .._core.backup_monitor_file import NO_TLS, TLS, Mail
from .._core.errors import ApplyFailed, ObservationFailed
from .._core.secrets import Secret

_CREDENTIALS: t.Final = "CREDENTIALS_DIRECTORY"
_LONGEST_SECRET: t.Final = 65536


def read_credential(name: str) -> Secret:
    """As systemd hands it to the service. Raises ObservationFailed."""
    folder = os.environ.get(_CREDENTIALS, "")
    if not folder:
        raise ObservationFailed(f"there is no credential {name}", "The service hands it over: start that")
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            return Secret(stream.read(_LONGEST_SECRET))
    except (OSError, UnicodeDecodeError):
        raise ObservationFailed(
            f"systemd did not hand the credential {name} over", "In a container, / has to be a shared mount"
        ) from None


def send_mail(mail: Mail, subject: str, text: str, *, host: str, ca_file: str, timeout: int) -> None:
    """Raises ApplyFailed."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, ", ".join(mail.recipients), subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain=mail.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    if text.isascii():
        message.set_content(text, cte="7bit")  # else lines that are long, such as commands to copy, would be broken up
    else:
        message.set_content(text)
    login = _login() if mail.has_login else None
    try:
        with _connected(mail, host, ca_file, timeout) as relay:
            if login:
                relay.login(*login)
            refused = relay.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise ApplyFailed(f"the relay {mail.relay} did not take the mail: {_said(error)}") from None
    if refused:
        raise ApplyFailed(f"the relay {mail.relay} refused {len(refused)} of {len(mail.recipients)} recipients")


def _connected(mail: Mail, host: str, ca_file: str, timeout: int) -> smtplib.SMTP:
    name = host if "." in host else "localhost"
    if mail.tls == TLS:
        return smtplib.SMTP_SSL(mail.relay, mail.port, name, timeout=timeout, context=_context(ca_file))
    relay = smtplib.SMTP(mail.relay, mail.port, name, timeout=timeout)
    if mail.tls != NO_TLS:
        try:
            relay.starttls(context=_context(ca_file))  # raises where the relay offers none: never in clear then
            relay.ehlo()
        except BaseException:
            relay.close()
            raise
    return relay


def _login() -> tuple[str, str]:
    try:
        document = json.loads(read_credential("mail_login").reveal())
        return str(document["user"]), str(document["password"])
    except (ValueError, KeyError, TypeError):
        raise ObservationFailed("the login for mail can't be read", "Run the role again") from None


def post(url: Secret, document: t.Mapping[str, t.Any], *, ca_file: str, timeout: int) -> None:
    """A JSON document. Raises ApplyFailed, which names the host alone: the rest of the address is secret."""
    body = json.dumps(document).encode()
    _request(url, "POST", body, {"Content-Type": "application/json"}, ca_file=ca_file, timeout=timeout)


def ping(url: Secret, *, ca_file: str, timeout: int) -> None:
    _request(url, "GET", b"", {}, ca_file=ca_file, timeout=timeout)


def _request(
    url: Secret, method: str, body: bytes, headers: t.Mapping[str, str], *, ca_file: str, timeout: int
) -> None:
    """By hand, because a redirection may lead the secret to another host, or to one without encryption."""
    try:
        parts = urllib.parse.urlsplit(url.reveal().strip())
        port = parts.port
    except ValueError:
        raise ObservationFailed("the address can't be read", "Run the role again") from None
    if parts.scheme != "https" or not parts.hostname:
        raise ObservationFailed("the address does not begin with https://", "Correct it and run the role again")
    connection = http.client.HTTPSConnection(parts.hostname, port, timeout=timeout, context=_context(ca_file))
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection.request(method, target, body or None, {"User-Agent": "bulwark-backup-monitor", **headers})
        answer = connection.getresponse()
        answer.read(1024)
    except (OSError, http.client.HTTPException) as error:
        raise ApplyFailed(f"{parts.hostname} was not reached: {_said(error)}") from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise ApplyFailed(f"{parts.hostname} answered {answer.status}")


def _context(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _said(error: Exception) -> str:
    """Its kind and, of the system's errors, its text. A relay's answers may quote what was sent."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{type(error).__name__} {error.smtp_code}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror and not isinstance(error, smtplib.SMTPException):
        return error.strerror
    return type(error).__name__
