# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def sign(folder: Path, *, self_signed: bool) -> None:
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256"]
    if self_signed:
        run(folder, "req", "-x509", *key, "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=localhost")
        return
    run(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority")
    run(folder, "req", *key, "-keyout", "server.key", "-out", "request", "-subj", "/CN=localhost")
    (folder / "extensions").write_text(names, encoding="utf-8")
    run(
        folder,
        *("x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "server.crt", "-days", "90", "-extfile", "extensions"),
    )


def run(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
