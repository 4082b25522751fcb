# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""wsrep_provider_options: many options in one string, merged by key. Pure."""

from __future__ import annotations

import re
import typing as t

from .._core.errors import InvalidDeclaration

NAME: t.Final = "wsrep_provider_options"
# Galera shows these only when TLS is on, or not at all.
_NOT_SHOWN: t.Final = frozenset(
    {
        *("socket.ssl", "socket.ssl_ca", "socket.ssl_cert", "socket.ssl_cipher", "socket.ssl_compression"),
        *("socket.ssl_key", "socket.ssl_password_file", "socket.ssl_reload", "socket.dynamic", "pc.bootstrap"),
        *("gmcast.group", "gmcast.initial_addrs", "gmcast.isolate", "ist.recv_bind", "base_host", "base_port"),
        *("gcache.encryption", "gcache.encryption_cache_page_size", "gcache.encryption_cache_size"),
    }
)
_SHOWN_WHEN_ON: t.Final = frozenset(
    {"socket.ssl", "socket.ssl_ca", "socket.ssl_cert", "socket.ssl_key", "socket.dynamic"}
)
# Tried on Galera 26.4; the provider refuses most others while it runs.
LIVE_KEYS: t.Final = frozenset({"evs.suspect_timeout", "gcs.fc_limit", "pc.weight"})
# Actions, not settings: in a file they would act at every start.
_ACTIONS: t.Final = frozenset({"pc.bootstrap", "socket.ssl_reload"})
_TRUTH: t.Final = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}


def parse(text: str) -> dict[str, str]:
    """Keys and values of ``a = b; c = d``; a semicolon in a value has a backslash before it.

    :raises InvalidDeclaration: for a part without a key.
    """
    options: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in re.split(r"(?<!\\);", text))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not key:
            raise InvalidDeclaration(f"{NAME}: {part!r} is no key=value", "Give them as a mapping, or as a=b;c=d")
        options[key] = value
    return options


def render(options: t.Mapping[str, str]) -> str:
    return ";".join(f"{key}={value}" for key, value in sorted(options.items()))


def same(one: str, other: str) -> bool:
    return _TRUTH.get(one.lower(), one.lower()) == _TRUTH.get(other.lower(), other.lower())


def is_met_by(running: t.Mapping[str, str], key: str, wanted: str, *, may_be_new: bool) -> bool:
    """Whether the provider runs with it.

    :param may_be_new: what to think of a key that the provider never shows: it may have come after the start.
    """
    if key in running:
        return same(running[key], wanted)
    if _TRUTH.get(wanted.lower(), wanted.lower()) == "false":  # what is off is not shown
        return True
    return key not in _SHOWN_WHEN_ON and not may_be_new


def problems(wanted: t.Mapping[str, str], running: t.Mapping[str, str]) -> t.Iterator[str]:
    """What is wrong with the keys; the server's own binary never looks at them.

    :param running: what the loaded provider shows; where none is loaded, the names can't be checked.
    """
    for key, value in wanted.items():
        if key in _ACTIONS:
            yield f"{NAME}: {key} is an action, which does not belong into a file"
        elif running and key not in running and key not in _NOT_SHOWN:
            yield f"{NAME}: the loaded provider knows no {key}"
        if ";" in value or ("=" in value and not key.startswith("socket.")):
            yield f"{NAME}: the value of {key} holds a separator"
