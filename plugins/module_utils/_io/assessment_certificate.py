# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

# This file is PRIVATE to the bulwark.database collection: its interface may change without notice.

"""The server's certificate: what is in its file, whether the key belongs to it, and what a client is shown."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import re
import socket
import ssl
import struct
import typing as t

from .._core.errors import ObservationFailed
from .._core.observations import Certificate
from .commands import is_there, run_command

HAS_CRYPTOGRAPHY = True
try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:
    HAS_CRYPTOGRAPHY = False

_SSL_REQUEST: t.Final = struct.pack("!ii", 8, 80877103)
_PATIENCE: t.Final = 3.0
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def observe_certificate(path: str, key_path: str, *, addresses: str, port: int) -> Certificate:
    """The first certificate of the file, and whether clients are shown it.

    :param addresses: the server's listen_addresses; empty: nobody is shown a certificate.
    """
    found = read_certificate(path, key_path)
    served = _served(addresses, port)
    if served is None:
        return found
    return dataclasses.replace(found, is_served=served == ssl.PEM_cert_to_DER_cert(_first_certificate(path)))


def read_certificate(path: str, key_path: str) -> Certificate:
    """The first certificate of the file. Raises OSError, ObservationFailed or ValueError."""
    pem = _first_certificate(path)
    if HAS_CRYPTOGRAPHY:
        return _by_library(path, pem, key_path)
    if is_there("openssl"):
        return _by_program(path, pem, key_path)
    raise ObservationFailed("neither the Python library cryptography nor the program openssl is there")


def _first_certificate(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as stream:
        match = _PEM.search(stream.read())
    if not match:
        raise ObservationFailed(f"{path} holds no certificate")
    return match.group(0) + "\n"


def _by_library(path: str, pem: str, key_path: str) -> Certificate:
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    public = certificate.public_key()
    # cryptography 42 warns of the other one; older ones have only that.
    expires = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after
    return Certificate(
        path=path,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        expires=expires.date().isoformat(),
        names=_alternative_names(certificate),
        key_type=_key_type(type(public).__name__),
        key_bits=int(getattr(public, "key_size", 256)),
        signature=_signature(certificate),
        key_matches=_key_matches(public, key_path),
    )


def _alternative_names(certificate: t.Any) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in extension if isinstance(name, (x509.DNSName, x509.IPAddress)))


def _signature(certificate: t.Any) -> str:
    """Its hash algorithm; the one of Ed25519 and its like is their own."""
    algorithm = certificate.signature_hash_algorithm
    return str(algorithm.name) if algorithm else "eddsa"


def _key_type(name: str) -> str:
    """``ec``, ``rsa``, ``ed25519``, ``ed448`` or ``dsa``, from the name of a class or an algorithm."""
    lowered = name.lower()
    for word, answer in (("ed25519", "ed25519"), ("ed448", "ed448"), ("rsa", "rsa"), ("ellip", "ec"), ("ecpub", "ec")):
        if word in lowered:
            return answer
    return "dsa" if "dsa" in lowered else lowered


def _key_matches(public: t.Any, key_path: str) -> bool | None:
    """None for a key that can't be read or needs a passphrase."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        with open(key_path, "rb") as stream:
            private = serialization.load_pem_private_key(stream.read(), password=None)
    except (OSError, TypeError, ValueError):
        return None
    return bool(private.public_key().public_bytes(*form) == public.public_bytes(*form))


def _by_program(path: str, pem: str, key_path: str) -> Certificate:
    wanted = ("-noout", "-subject", "-issuer", "-enddate", "-nameopt", "RFC2253")
    brief = dict(line.partition("=")[::2] for line in _openssl(pem, *wanted).splitlines())
    text = _openssl(pem, "-noout", "-text")
    public = _openssl(pem, "-noout", "-pubkey")
    expires = datetime.datetime.strptime(f"{brief['notAfter'].strip()} +0000", "%b %d %H:%M:%S %Y %Z %z")
    return Certificate(
        path=path,
        subject=brief["subject"].strip(),
        issuer=brief["issuer"].strip(),
        expires=expires.date().isoformat(),
        names=tuple(re.findall(r"(?:DNS|IP Address):([^,\s]+)", text)),
        key_type=_key_type(_first(r"Public Key Algorithm: (\S+)", text)),
        key_bits=int(_first(r"Public-Key: \((\d+) bit\)", text) or 256),
        signature=_first(r"Signature Algorithm: (\S+)", text),
        key_matches=_program_key_matches(public, key_path),
    )


def _openssl(pem: str, *arguments: str) -> str:
    done = run_command(["openssl", "x509", *arguments], text=pem)
    if not done.succeeded:
        raise ObservationFailed(f"openssl does not understand the certificate: {done.complaint}")
    return done.output


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""


def _program_key_matches(public: str, key_path: str) -> bool | None:
    if not os.access(key_path, os.R_OK):
        return None
    # An empty passphrase, lest it asks for one.
    done = run_command(["openssl", "pkey", "-in", key_path, "-passin", "pass:", "-pubout"])
    return done.output == public if done.succeeded else None


def _served(addresses: str, port: int) -> bytes | None:
    """The certificate that the server shows, unverified; None where it shows none, or can't be reached."""
    words = [word.strip().strip('"') for word in addresses.split(",") if word.strip()]
    if not words:
        return None
    host = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(words[0], words[0])  # noqa: S104
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=_PATIENCE) as plain:
        plain.sendall(_SSL_REQUEST)
        if plain.recv(1) == b"S":
            with context.wrap_socket(plain) as encrypted:
                return encrypted.getpeercert(binary_form=True)
    return None
