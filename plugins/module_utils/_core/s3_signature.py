# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""Requests to object storage, signed as S3 wants it (AWS Signature Version 4). Requests without a body. Pure."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import string
import typing as t

from .secrets import Secret

_NO_BODY: t.Final = hashlib.sha256(b"").hexdigest()
_PLAIN: t.Final = frozenset(f"{string.ascii_letters}{string.digits}-._~".encode())
_ALGORITHM: t.Final = "AWS4-HMAC-SHA256"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """:param access_key: names whose the request is; it proves nothing by itself."""

    access_key: str
    secret_key: Secret


def target_of(path: str, query: t.Mapping[str, str]) -> str:
    """Path and query as they are sent, and as they are signed."""
    quoted = _quote(path, "/")
    return f"{quoted}?{_query(query)}" if query else quoted


def signed_headers(
    method: str,
    path: str,
    query: t.Mapping[str, str],
    *,
    host: str,
    region: str,
    credentials: Credentials,
    moment: float,
    more: t.Mapping[str, str] | None = None,
) -> dict[str, str]:
    """All headers of the request, which is good for some minutes around the moment.

    :param host: as in the header of that name, with the port if it is not that of the scheme.
    :param moment: now, in seconds since the epoch.
    :param more: further headers, by names in small letters.
    """
    stamp = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {**(more or {}), "host": host, "x-amz-content-sha256": _NO_BODY, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    request = [method, _quote(path, "/"), _query(query), *lines, "", names, _NO_BODY]
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    key = f"AWS4{credentials.secret_key.reveal()}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    signature = _mac(key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}").hex()
    by = f"Credential={credentials.access_key}/{scope}"
    return {**headers, "authorization": f"{_ALGORITHM} {by},SignedHeaders={names},Signature={signature}"}


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _query(query: t.Mapping[str, str]) -> str:
    """Each with a value, be it empty, in the order of names."""
    quoted = ((_quote(name), _quote(query[name])) for name in query)
    return "&".join(f"{name}={value}" for name, value in sorted(quoted))


def _quote(text: str, plain: str = "") -> str:
    """What S3 does not hold for plain, as % and its code."""
    known = _PLAIN | set(plain.encode())
    return "".join(chr(code) if code in known else f"%{code:02X}" for code in text.encode())
