# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Copies of a store in a bucket that locks what is put there: where it is, and what it has to promise. Pure."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import typing as t

from .backup_moments import parse_moment
from .errors import InvalidDeclaration, RefusedForSafety
from .offsite import check_address
from .s3_signature import Credentials
from .secrets import Secret

PROGRAM: t.Final = "rclone"
# What is in the bucket is read whole again after that long, so that what rotted there is found.
READ_AGAIN_SECONDS: t.Final = 7 * 86400
_DAY: t.Final = 86400
_DAYS_OF_YEAR: t.Final = 365
_REMOTE: t.Final = "copies"
_HTTPS_PORT: t.Final = 443
_PORTS: t.Final = range(1, 65536)
_ENDPOINT: t.Final = re.compile(r"https://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)(?::([0-9]{1,5}))?")
_BUCKET: t.Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: t.Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_REGION: t.Final = re.compile(r"[A-Za-z0-9-]{1,64}")
# Neither a space nor anything that would end a line.
_KEY: t.Final = re.compile(r"[!-~]{1,256}")


@dataclasses.dataclass(frozen=True)
class ObjectStorage:
    """Where copies go.

    :param endpoint: ``https://HOST`` or ``https://HOST:PORT``.
    :param prefix: what the names of objects begin with; nobody else's do.
    :param folder: of the files ``rclone.conf`` with the credentials and ``hosts`` with the addresses.
    :param addresses: all that are connected to; nothing else is, not even to ask for a name.
    :param ca: path of the certificates that the endpoint's is signed by; empty for those that the host trusts.
    """

    endpoint: str
    bucket: str
    prefix: str
    region: str
    folder: str
    addresses: tuple[str, ...]
    ca: str = ""

    def __post_init__(self) -> None:
        host_of(self.endpoint)
        for what, value, form in (
            ("bucket", self.bucket, _BUCKET),
            ("prefix", self.prefix, _PREFIX),
            ("region", self.region, _REGION),
        ):
            if not form.fullmatch(value):
                raise InvalidDeclaration(f"object_storage: {value!r} is no {what}", f"It is made of {form.pattern}")
        if self.ca and not (posixpath.isabs(self.ca) and posixpath.normpath(self.ca) == self.ca):
            raise InvalidDeclaration(f"object_storage: {self.ca!r} is no plain absolute path", "Correct ca")
        if not self.addresses:
            raise InvalidDeclaration(
                f"object_storage: {self.host} has no address", "Run the role again, it looks them up"
            )
        for address in self.addresses:
            check_address(address)

    @property
    def host(self) -> str:
        return host_of(self.endpoint)

    @property
    def port(self) -> int:
        return _parts(self.endpoint)[1]

    @property
    def host_and_port(self) -> str:
        return self.endpoint[len("https://") :]

    @property
    def name(self) -> str:
        return f"{self.host}/{self.bucket}/{self.prefix}"

    @property
    def credentials(self) -> str:
        """File that rclone reads as its configuration."""
        return f"{self.folder}/rclone.conf"

    @property
    def waits_for(self) -> str:
        """Nothing is sent as long as it is not there."""
        return self.credentials

    @property
    def hosts(self) -> str:
        """File that the service sees as /etc/hosts."""
        return f"{self.folder}/hosts"

    def path(self, path: str) -> str:
        """Of a request, from a path below the store. The bucket is a part of it, as any server understands."""
        return f"/{self.bucket}/{self.prefix}/{path}"

    def command(self, source: str, path: str) -> list[str]:
        """rclone puts one file. Whether something of that name is there does not count: the bucket keeps both."""
        options = (
            f"--config={self.credentials}",
            *((f"--ca-cert={self.ca}",) if self.ca else ()),
            "--ignore-times",
            "--s3-no-check-bucket",
            "--s3-no-head",  # what was put is read back by ourselves
            "--s3-chunk-size=16M",
            "--s3-upload-concurrency=2",
            "--retries=1",
            "--low-level-retries=3",
            "--contimeout=15s",
            "--timeout=60s",
            "--log-level=ERROR",
        )
        return [PROGRAM, "copyto", *options, "--", source, f"{_REMOTE}:{self.bucket}/{self.prefix}/{path}"]


def host_of(endpoint: str) -> str:
    """Its host, to be looked up. Raises InvalidDeclaration."""
    return _parts(endpoint)[0]


def _parts(endpoint: str) -> tuple[str, int]:
    found = _ENDPOINT.fullmatch(endpoint)
    port = int((found and found.group(2)) or _HTTPS_PORT)
    if not found or port not in _PORTS:
        raise InvalidDeclaration(
            f"object_storage: {endpoint!r} is no endpoint", "Like https://s3.example.org; none is used without TLS"
        )
    return found.group(1), port


def check_credentials(access_key: str, secret_key: str) -> Credentials:
    """Raises InvalidDeclaration, which repeats neither."""
    for what, value in (("access_key", access_key), ("secret_key", secret_key)):
        if not _KEY.fullmatch(value):
            raise InvalidDeclaration(f"object_storage: {what} is missing or has a space or a line feed in it")
    return Credentials(access_key, Secret(secret_key))


def render_configuration(place: ObjectStorage, credentials: Credentials) -> str:
    """For rclone. It is the one file with the credentials."""
    lines = {
        "type": "s3",
        "provider": "Other",
        "endpoint": place.endpoint,
        "region": place.region,
        "force_path_style": "true",
        "access_key_id": credentials.access_key,
        "secret_access_key": credentials.secret_key.reveal(),
    }
    return f"[{_REMOTE}]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())


def parse_credentials(text: str, *, where: str) -> Credentials:
    """Out of what ``render_configuration`` made. Raises InvalidDeclaration."""
    found = dict(re.findall(r"^(\w+) = (.*)$", text, re.MULTILINE))
    if not {"access_key_id", "secret_access_key"} <= set(found):
        raise InvalidDeclaration(f"{where} is not what was written", "Run the role again")
    return check_credentials(found["access_key_id"], found["secret_access_key"])


def render_hosts(place: ObjectStorage) -> str:
    """The service may ask no name server: it would be a way out."""
    known = "127.0.0.1 localhost\n::1 localhost\n"
    return known + "".join(f"{address} {place.host}\n" for address in place.addresses)


@dataclasses.dataclass(frozen=True)
class Lock:
    """What a bucket does to each object that is put there, unless somebody says otherwise."""

    mode: str
    days: int


@dataclasses.dataclass(frozen=True)
class Bucket:
    """What was seen of it.

    :param lock: None for a bucket that locks nothing by itself.
    :param gives_up: what our credentials may do and must not; empty if nothing.
    """

    lock: Lock | None
    gives_up: str = ""


def parse_lock(document: str) -> Lock | None:
    """The default retention that S3 tells of; None where there is none."""
    mode = _element("Mode", document)
    days, years = _element("Days", document), _element("Years", document)
    if _element("ObjectLockEnabled", document) != "Enabled" or not mode or not (days or years):
        return None
    return Lock(mode, int(days) if days else int(years) * _DAYS_OF_YEAR)


def parse_code(document: str) -> str:
    """Of an error; empty if it has none."""
    return _element("Code", document)


def _element(name: str, document: str) -> str:
    found = re.search(rf"<{name}>\s*([A-Za-z0-9]{{1,80}})\s*</{name}>", document)
    return found.group(1) if found else ""


def days_needed(keep_days: int) -> int:
    """A full backup is needed for a day longer than the window: for the moments until the next one."""
    return keep_days + 1


def refuse_unlocked(place: ObjectStorage, lock: Lock | None, keep_days: int) -> None:
    """Raises RefusedForSafety for a bucket from which copies could vanish before their time."""
    days = days_needed(keep_days)
    if lock is None:
        raise RefusedForSafety(
            f"the bucket {place.bucket} of {place.host} does not lock what is put there",
            f"Make one with object lock and a default retention of {days} days or more",
        )
    if lock.days < days:
        raise RefusedForSafety(
            f"the bucket {place.bucket} of {place.host} locks for {lock.days} days, {days} are needed",
            "Have its owner set a longer default retention, or lower keep_days",
        )


def refuse_powerful(place: ObjectStorage, bucket: Bucket) -> None:
    """Raises RefusedForSafety where who holds our credentials could do more than add."""
    if bucket.gives_up:
        raise RefusedForSafety(
            f"the credentials for {place.bucket} of {place.host} may {bucket.gives_up}",
            "Give those of an account that may put, get and list, and nothing else",
        )


@dataclasses.dataclass(frozen=True)
class Found:
    """An object as its headers describe it.

    :param locked_until: seconds since the epoch; 0 for one that is not locked.
    """

    bytes: int
    version: str
    locked_until: int


def found_of(headers: t.Mapping[str, str]) -> Found:
    """From names in small letters. Raises InvalidDeclaration for what no bucket with versions says."""
    version, size = headers.get("x-amz-version-id", ""), headers.get("content-length", "")
    if not version or not size.isdigit():
        raise InvalidDeclaration("the object has no version or no size", "Look whether the bucket keeps versions")
    return Found(int(size), version, _moment(headers.get("x-amz-object-lock-retain-until-date", "")))


def _moment(text: str) -> int:
    """Servers write none to nine digits of a fraction."""
    try:
        return parse_moment(f"{text[:19]}Z")
    except InvalidDeclaration:
        return 0


def is_locked(found: Found, *, now: float, keep_days: int) -> bool:
    """Whether it outlives the window. That the clocks of two hosts differ a little is allowed for."""
    return found.locked_until >= now + keep_days * _DAY


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was read back once.

    :param read: when, in seconds since the epoch.
    """

    version: str
    sha256: str
    read: int

    def is_still(self, found: Found, sha256: str, *, now: float) -> bool:
        """Whether the same version is there, and was read so lately that it need not be now."""
        lately = now - self.read < READ_AGAIN_SECONDS
        return lately and found.version == self.version and sha256 == self.sha256


def parse_seen(entry: t.Any) -> Seen | None:
    """From the state of a job; None for anything else than what was written there."""
    if not (isinstance(entry, list) and len(entry) == 3 and isinstance(entry[2], int)):
        return None
    return Seen(str(entry[0]), str(entry[1]), entry[2])
