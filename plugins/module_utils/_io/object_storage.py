# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Files of a store put into a bucket by rclone, and read back from it by ourselves."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import ssl
import subprocess
import time
import typing as t

from .._core.errors import ApplyFailed, DidNotTakeEffect, InvalidDeclaration, ObservationFailed
from .._core.object_storage import (
    PROGRAM,
    Bucket,
    Found,
    Lock,
    ObjectStorage,
    found_of,
    is_locked,
    parse_code,
    parse_credentials,
    parse_lock,
    parse_seen,
    refuse_unlocked,
)
from .._core.offsite import Offered
from .._core.s3_signature import Credentials, signed_headers, target_of
from .backup_store import checksum, read_text

_BUFFER_BYTES: t.Final = 1024 * 1024
_LONGEST_ANSWER: t.Final = 64 * 1024
_IDLE_SECONDS: t.Final = 60
_NOT_ALLOWED: t.Final = 403
# No file of a store has that name.
_NOBODYS: t.Final = "bulwark-may-not-delete"


class Client:
    """Questions to one bucket; none of them changes anything in it."""

    def __init__(self, place: ObjectStorage, credentials: Credentials) -> None:
        self._place = place
        self._credentials = credentials
        try:
            self._context = ssl.create_default_context(cafile=place.ca or None)
        except OSError as error:
            raise InvalidDeclaration(
                f"object_storage: can't read certificates from {place.ca}: {error.strerror or error}", "Correct ca"
            ) from None
        self._connection: http.client.HTTPSConnection | None = None

    def lock(self) -> Lock | None:
        status, answer, dummy = self._short("GET", f"/{self._place.bucket}", {"object-lock": ""})
        if status == 404 and parse_code(answer) == "ObjectLockConfigurationNotFoundError":
            return None
        if status != 200:
            raise self._refused(status, answer, f"object lock of the bucket {self._place.bucket}")
        return parse_lock(answer)

    def gives_up(self) -> str:
        """Which of the requests that remove something would be granted, tried on an object that is not there."""
        path = self._place.path(_NOBODYS)
        for what, query in (("remove versions of objects", {"versionId": "none"}), ("delete objects", {})):
            status, answer, dummy = self._short("DELETE", path, query)
            if status >= 500:
                raise self._refused(status, answer, _NOBODYS)
            if status != _NOT_ALLOWED:
                return what
        return ""

    def find(self, path: str) -> Found | None:
        """The newest object of that name; None if there is none."""
        status, dummy, headers = self._short("HEAD", self._place.path(path), {})
        if status == 404:
            return None
        if status != 200:
            raise self._refused(status, "", path)
        return found_of(headers)

    def read(self, path: str, version: str = "") -> tuple[Found, str]:
        """A version, the newest unless told otherwise, and the SHA-256 of what came."""
        response = self._ask("GET", self._place.path(path), {"versionId": version} if version else {})
        if response.status != 200:
            raise self._refused(response.status, self._answer(response), path)
        found = found_of(_headers(response))
        digest, total = hashlib.sha256(), 0
        try:
            while piece := response.read(_BUFFER_BYTES):
                digest.update(piece)
                total += len(piece)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        if total != found.bytes:
            self.close()
            raise ObservationFailed(f"{self._place.host} broke off while {path} was read back", "The next run goes on")
        return found, digest.hexdigest()

    def _short(self, method: str, path: str, query: t.Mapping[str, str]) -> tuple[int, str, dict[str, str]]:
        response = self._ask(method, path, query)
        return response.status, self._answer(response), _headers(response)

    def _answer(self, response: http.client.HTTPResponse) -> str:
        """A short one; what is longer is none that we asked for, and the line ends with it."""
        try:
            answer = response.read(_LONGEST_ANSWER).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        if not response.isclosed():
            self.close()
        return answer

    def _ask(self, method: str, path: str, query: t.Mapping[str, str]) -> http.client.HTTPResponse:
        """Twice if need be: the other side closes a line that was idle while rclone sent something."""
        try:
            return self._once(method, path, query)
        except ConnectionError:
            self.close()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        try:
            return self._once(method, path, query)
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _once(self, method: str, path: str, query: t.Mapping[str, str]) -> http.client.HTTPResponse:
        place = self._place
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                place.host, place.port, timeout=_IDLE_SECONDS, context=self._context
            )
        headers = signed_headers(
            method, path, query,
            host=place.host_and_port, region=place.region, credentials=self._credentials, moment=time.time(),
        )  # fmt: skip
        self._connection.request(method, target_of(path, query), headers=headers)
        return self._connection.getresponse()

    def close(self) -> None:
        """Until the next question."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unreachable(self, error: Exception) -> ObservationFailed:
        self.close()
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ObservationFailed(
            f"can't talk to {self._place.host}: {words}", "Look at that host, at its certificate and at the network"
        )

    def _refused(self, status: int, answer: str, what: str) -> ObservationFailed:
        said = f"{status} {parse_code(answer)}".strip()
        return ObservationFailed(
            f"{self._place.host} answers {said} to the question for {what}",
            "Look at the bucket, and at what its policy grants to these credentials",
        )


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def observe_bucket(place: ObjectStorage, credentials: Credentials) -> Bucket:
    """Raises ObservationFailed."""
    with contextlib.closing(Client(place, credentials)) as client:
        return Bucket(client.lock(), client.gives_up())


def put(
    store: str,
    offered: t.Sequence[Offered],
    place: ObjectStorage,
    *,
    keep_days: int,
    seen: dict[str, t.Any],
    stored: t.Callable[[Offered], None],
) -> list[str]:
    """What was wrong, a line each. Raises BulwarkError where the line or the other side breaks off.

    :param seen: what was read back before, by path; it is kept up to date.
    :param stored: told of each file that the bucket has, locked, and that had its SHA-256 when it was read back.
    """
    try:
        credentials = parse_credentials(read_text(place.credentials), where=place.credentials)
    except OSError as error:
        raise ObservationFailed(f"can't read {place.credentials}: {error.strerror}", "Run the role again") from None
    with contextlib.closing(Client(place, credentials)) as client:
        refuse_unlocked(place, client.lock(), keep_days)
        transfer = _Transfer(store, place, client, keep_days, seen)
        transfer.run(offered, stored)
    return transfer.complaints


class _Transfer:
    """Files of one store on their way into the bucket."""

    def __init__(
        self, store: str, place: ObjectStorage, client: Client, keep_days: int, seen: dict[str, t.Any]
    ) -> None:
        self.complaints: list[str] = []
        self._store = store
        self._place = place
        self._client = client
        self._keep_days = keep_days
        self._seen = seen

    def run(self, offered: t.Iterable[Offered], stored: t.Callable[[Offered], None]) -> None:
        spoiled = set()
        for one in offered:
            if one.described in spoiled:  # what is described is not there
                continue
            if self._is_there(one) or self._put(one):
                stored(one)
            else:
                spoiled.add(one.described)

    def _is_there(self, one: Offered) -> bool:
        found = self._client.find(one.path)
        if found is None:
            return False
        if found.bytes == one.bytes:
            before = parse_seen(self._seen.get(one.path))
            if before and before.is_still(found, one.sha256, now=time.time()):
                return True
            if self._read_back(one, found.version):
                return True
        if not one.is_text:
            self.complaints.append(
                f"{one.path}: its object is not what was put there (version {found.version}), so it is put there anew"
            )
        return False

    def _put(self, one: Offered) -> bool:
        """Whether it could be; what is not what its description says is not copied."""
        path = os.path.join(self._store, one.path)
        try:
            size, digest = checksum(path)
        except FileNotFoundError:  # pruned in the meantime
            return False
        if (size, digest) != (one.bytes, one.sha256):
            self.complaints.append(f"{one.path}: its SHA-256 is not what its description says")
            return False
        self._run_rclone(path, one)
        if not self._read_back(one):
            raise DidNotTakeEffect(
                f"{one.path} arrived with another SHA-256", f"Look at this host's memory and at {self._place.host}"
            )
        return True

    def _run_rclone(self, path: str, one: Offered) -> None:
        try:
            done = subprocess.run(
                self._place.command(path, one.path), check=False, capture_output=True, stdin=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"},
            )  # fmt: skip
        except OSError as error:
            raise ApplyFailed(f"can't start {PROGRAM}: {error.strerror}", f"Install {PROGRAM}") from None
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").split("\n")
            words = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
            raise ApplyFailed(
                f"{PROGRAM} can't put {one.path} to {self._place.host}: {words[:300]}",
                "What was stored stays; the next run goes on from there",
            )

    def _read_back(self, one: Offered, version: str = "") -> bool:
        """Whether it is what was offered, as it lies there. Raises DidNotTakeEffect where it is not locked."""
        found, digest = self._client.read(one.path, version)
        if digest != one.sha256:
            return False
        now = time.time()
        if not version and not is_locked(found, now=now, keep_days=self._keep_days):
            raise DidNotTakeEffect(
                f"{one.path} was put to {self._place.host} and is not locked for the window",
                "See whether s3:GetObjectRetention is granted, and the bucket's default retention",
            )
        self._seen[one.path] = [found.version, one.sha256, int(now)]
        return True
