# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.
"""Prove that a server with changed settings would start, on a trial server."""

from __future__ import annotations

import os
import typing as t

from .._core.options_file import set_entries
from .files import read_file
from .trial_server import trial_server

# A second server as large as the real one might fail for that alone; so it is small, unless the change is about that.
_TLS_FILES: t.Final = ("ssl_ca_file", "ssl_cert_file", "ssl_crl_file", "ssl_key_file")
_SMALL: t.Final = {"huge_pages": "off", "shared_buffers": "1MB"}


def start_complaint(
    values: t.Mapping[str, str | None], *, config_file: str, data_directory: str, bin_directory: str
) -> str | None:
    """Why a server with these values added would not start; an empty string if it would; None if it can't be tried.

    :param values: what ALTER SYSTEM or an include file is about to say; None takes an entry out.
    """
    automatic = read_file(f"{data_directory}/postgresql.auto.conf")
    text = automatic.data.decode("utf-8", "surrogateescape") if automatic else ""
    small = {name: value for name, value in _SMALL.items() if name not in values}
    if missing_tls_files(values, data_directory):
        small["ssl"] = "off"  # another step makes them; in a dry run it has not yet
    with trial_server(data_directory=data_directory, bin_directory=bin_directory) as server:
        if server is None:
            return None
        server.write("postgresql.auto.conf", set_entries(text, values))
        return server.start({**small, "config_file": config_file}).failure


def missing_tls_files(values: t.Mapping[str, str | None], data_directory: str) -> list[str]:
    """Of the TLS files that the values name, those that are not there; each with its setting's name."""
    named = {name: values[name] for name in _TLS_FILES if values.get(name)}
    return [
        f"{name} names {path}, which is not there"
        for name, path in named.items()
        if not os.path.exists(os.path.join(data_directory, path or ""))
    ]
