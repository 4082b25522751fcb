# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What TLS costs: pgbench against one server, in plaintext and with TLS 1.3, with kept and with fresh connections."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

import conftest  # noqa: F401 # pylint: disable=unused-import # makes the checkout importable
from private_server import PORT, PrivateServer

CLIENTS = 8


@dataclasses.dataclass(frozen=True)
class Measurement:
    """Medians of several runs: transactions a second, and milliseconds for each."""

    transactions: float
    latency: float


def self_signed(directory: Path) -> tuple[Path, Path]:
    """An ECDSA P-256 pair, as the role makes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    key_file, certificate_file = directory / "server.key", directory / "server.crt"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_file.write_bytes(private)
    key_file.chmod(0o600)
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key_file, certificate_file


def prepare(directory: Path) -> PrivateServer:
    server = PrivateServer(directory / "s")
    server.create()
    key, certificate = self_signed(server.data)
    server.chown(key, certificate)
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as stream:
        stream.write(
            f"listen_addresses = '127.0.0.1'\nssl = on\nssl_key_file = '{key}'\nssl_cert_file = '{certificate}'\n"
        )
    (server.data / "pg_hba.conf").write_text("local all all peer\nhost all all 127.0.0.1/32 trust\n", encoding="utf-8")
    server.start()
    server.run("pgbench", "-h", str(server.socket), "-p", str(PORT), "-i", "-s", "5", "-q", "postgres")
    return server


def pgbench(server: PrivateServer, *, ssl_mode: str, fresh: bool, seconds: int, repeats: int) -> Measurement:
    os.environ["PGSSLMODE"] = ssl_mode
    rates, latencies = [], []
    options = ["-h", "127.0.0.1", "-p", str(PORT), "-S", "-n", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds)]
    for dummy in range(repeats):
        output = server.run("pgbench", *options, *(["-C"] if fresh else []), "postgres").stdout
        rates.append(float(re.search(r"tps = ([\d.]+)", output)[1]))
        latencies.append(float(re.search(r"latency average = ([\d.]+)", output)[1]))
    return Measurement(statistics.median(rates), statistics.median(latencies))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bw-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        server = prepare(directory)
        try:
            print(f"| pgbench -S, {CLIENTS} clients on this host | plaintext | TLS 1.3 | TLS / plaintext |")
            print("| --- | --- | --- | --- |")
            for title, fresh in (("connections kept (a pooler)", False), ("a connection for each query", True)):
                options = {"fresh": fresh, "seconds": arguments.seconds, "repeats": arguments.repeats}
                plain = pgbench(server, ssl_mode="disable", **options)
                tls = pgbench(server, ssl_mode="require", **options)
                ratio = tls.transactions / plain.transactions
                print(
                    f"| {title} | {plain.transactions:,.0f} tps, {plain.latency:.2f} ms"
                    f" | {tls.transactions:,.0f} tps, {tls.latency:.2f} ms | {ratio:.2f} |"
                )
        finally:
            server.destroy()


if __name__ == "__main__":
    main()
