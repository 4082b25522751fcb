# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""What is watched on a host and who is told, as declared and as it stands in a file without secrets. Pure."""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
import typing as t

from .declared_fields import Fields, fields_of_file
from .errors import InvalidDeclaration

FORMAT: t.Final = 1
STARTTLS: t.Final = "starttls"
TLS: t.Final = "tls"
NO_TLS: t.Final = "none"
TLS_MODES: t.Final = (STARTTLS, TLS, NO_TLS)
JOB_PLACE: t.Final = "{job}"
_NAME: t.Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# What can stand in a unit without quoting.
_PATH: t.Final = re.compile(r"/[A-Za-z0-9._@+/-]*")
_HOST: t.Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]+")
_ADDRESS: t.Final = re.compile(r"[^\s@<>,;:\"\\]+@[A-Za-z0-9.-]+")
_URL: t.Final = re.compile(r"https://[^\s/@]+(?:/[^\s]*)?")
_LOCAL_HOSTS: t.Final = ("localhost", "127.0.0.1", "::1")


@dataclasses.dataclass(frozen=True)
class Mail:
    """:param has_login: whether there is a file with account and password for the relay."""

    relay: str
    port: int
    tls: str
    sender: str
    recipients: tuple[str, ...]
    has_login: bool


@dataclasses.dataclass(frozen=True)
class Monitor:
    """What is watched on one host.

    :param jobs: backup jobs that are expected here, whether they are there or not.
    :param copies: sources whose copies are expected to be kept here.
    :param ca_file: authority that the other side's certificate is checked against; empty for the system's.
    :param repeat_seconds: a unit that fails again within that time is not told of again.
    """

    metrics_folder: str
    jobs: tuple[str, ...]
    restore_tests: tuple[str, ...]
    copies: tuple[str, ...]
    certificates: tuple[str, ...]
    mail: Mail | None
    webhook: bool
    ping: bool
    ca_file: str
    repeat_seconds: int
    timeout_seconds: int

    def __post_init__(self) -> None:
        for name in (*self.jobs, *self.restore_tests, *self.copies):
            if not _NAME.fullmatch(name):
                raise InvalidDeclaration(f"{name!r} can't be the name of a job, test or source", "As its own name is")
        paths = (self.metrics_folder, *self.certificates, *([self.ca_file] if self.ca_file else []))
        for path in paths:
            if not _PATH.fullmatch(path) or posixpath.normpath(path) != path:
                raise InvalidDeclaration(
                    f"{path!r} is no plain absolute path",
                    "Letters, digits and . _ @ + - only, without // and .. and a slash at the end",
                )
        for what, value in (("repeat_seconds", self.repeat_seconds), ("timeout_seconds", self.timeout_seconds)):
            if not 1 <= value <= 7 * 86400:
                raise InvalidDeclaration(f"{what} is {value}", "It is a number of seconds, 1 or more")

    @property
    def notifies(self) -> bool:
        return self.mail is not None or self.webhook


def check_mail(mail: Mail) -> Mail:
    if not _HOST.fullmatch(mail.relay):
        raise InvalidDeclaration(f"the relay is {mail.relay!r}, no name of a host")
    if not 1 <= mail.port <= 65535:
        raise InvalidDeclaration(f"the relay's port is {mail.port}", "It is a number from 1 to 65535")
    if mail.tls == NO_TLS and mail.relay not in _LOCAL_HOSTS:
        raise InvalidDeclaration(
            f"mail to {mail.relay} would go in clear", f"Use tls: {STARTTLS} or {TLS}; without is for localhost alone"
        )
    if not mail.recipients:
        raise InvalidDeclaration("mail has no recipients", "Name at least one address")
    for address in (mail.sender, *mail.recipients):
        if not _ADDRESS.fullmatch(address):
            raise InvalidDeclaration(f"{address!r} is no address of mail", "Like backups@example.org")
    return mail


def check_url(what: str, url: str) -> None:
    """Not repeated in the message: addresses of this kind hold secrets."""
    if not _URL.fullmatch(url):
        raise InvalidDeclaration(f"{what} is no address that can be used", "It begins with https:// and has no account")


def check_ping_url(url: str, jobs: t.Sequence[str]) -> None:
    check_url("ping_url", url)
    if len(jobs) > 1 and JOB_PLACE not in url:
        raise InvalidDeclaration(
            f"ping_url is one for {len(jobs)} jobs, so one that succeeds would hide one that does not",
            f"Put {JOB_PLACE} where the job's name belongs",
        )


def render_monitor(monitor: Monitor) -> str:
    """As :func:`parse_monitor` reads it."""
    return json.dumps({"format": FORMAT, **dataclasses.asdict(monitor)}, indent=2, sort_keys=True) + "\n"


def parse_monitor(text: str, *, where: str) -> Monitor:
    """Raises InvalidDeclaration that names the field."""
    known = [field.name for field in dataclasses.fields(Monitor)]
    fields = fields_of_file(text, where=where, known=known, version=FORMAT)
    return Monitor(
        metrics_folder=fields.required_text("metrics_folder"),
        **{name: fields.texts(name) for name in ("jobs", "restore_tests", "copies", "certificates")},
        mail=_mail(fields) if fields.has("mail") else None,
        webhook=bool(fields.flag("webhook")),
        ping=bool(fields.flag("ping")),
        ca_file=fields.text("ca_file") or "",
        repeat_seconds=fields.number("repeat_seconds") or 0,
        timeout_seconds=fields.number("timeout_seconds") or 0,
    )


def _mail(fields: Fields) -> Mail:
    known = [field.name for field in dataclasses.fields(Mail)]
    mail = Fields(fields.mapping("mail"), where=f"{fields.where}: mail", known=known)
    return check_mail(
        Mail(
            relay=mail.required_text("relay"),
            port=mail.number("port") or 0,
            tls=mail.choice("tls", TLS_MODES),
            sender=mail.required_text("sender"),
            recipients=mail.texts("recipients"),
            has_login=bool(mail.flag("has_login")),
        )
    )
